"""What a proxy must know of us before it hands out messages, told again after every break."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import structlog

from eventcenter.errors import EventCenterError, Unavailable
from eventcenter.rocketmq.calls import Calls, raised
from eventcenter.rocketmq.refusals import OK, SettingsMissing, of_status
from eventcenter.rocketmq.server import Options, Subscription
from eventcenter.rocketmq.stubs import grpc

_log = structlog.get_logger(__name__)
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
_LOOK_S = 0.5


class Session:
    """The telemetry stream and the heartbeats of one proxy.

    A proxy that restarted knows nothing of its clients and refuses to hand out messages; so the stream is
    opened again at once when it breaks, and the settings are sent again.
    """

    def __init__(self, calls: Calls, subscriptions: Sequence[Subscription], options: Options) -> None:
        self.calls = calls
        self._options = options
        self._settings = calls.settings(subscriptions, request_s=options.request_s, poll_s=options.poll_s)
        self._ended = threading.Event()
        self._ready = threading.Event()
        self._lock = threading.Lock()
        self._stream: Any = None
        self._opened_at = 0.0
        self._problem: EventCenterError | None = None
        self._threads = [
            threading.Thread(target=self._keep, name=f"rocketmq-telemetry-{calls.address}", daemon=True),
            threading.Thread(target=self._beat, name=f"rocketmq-heartbeat-{calls.address}", daemon=True),
        ]
        self.openings = 0
        """How often the proxy has taken the settings."""

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    @property
    def ready(self) -> bool:
        """Whether the proxy knows this client's settings."""
        return self._ready.is_set()

    @property
    def problem(self) -> EventCenterError | None:
        """Why it is not ready."""
        return None if self.ready else self._problem

    def wait_ready(self, timeout_s: float) -> bool:
        """Whether it is ready, now or within this time."""
        return self._ready.wait(timeout_s)

    def renew(self, opening: int) -> None:
        """Open the stream and send the settings again, unless that was done after `opening`."""
        with self._lock:
            if opening == self.openings:
                self._break()

    def close(self) -> None:
        """Say goodbye and end the threads; the connection stays open."""
        self._ended.set()
        if self.ready:
            try:
                self.calls.goodbye(min(1.0, self._options.request_s))
            except EventCenterError as error:
                _log.info(
                    "the proxy did not hear the goodbye", address=str(self.calls.address), why=str(error)
                )
        with self._lock:
            self._break()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def _break(self) -> None:
        self._ready.clear()
        stream = self._stream
        if stream is not None:
            stream.cancel()

    def _keep(self) -> None:
        pause = 0.0
        while not self._ended.wait(pause):
            before = self.openings
            error = self._follow()
            self._ready.clear()
            if self._ended.is_set():
                return
            pause = _FIRST_PAUSE_S if before != self.openings else min(max(pause, 0.05) * 2, _LONGEST_PAUSE_S)
            if before != self.openings or str(error) != str(self._problem):
                _log.warning("no telemetry", address=str(self.calls.address), why=str(error))
            self._problem = error

    def _follow(self) -> EventCenterError:
        """Open the stream and read it until it breaks; why it did."""
        about = self.calls.about()
        silent = Unavailable(
            f"The proxy at {self.calls.address} ended the telemetry.",
            remedy="none is needed, it is opened again; look at the proxy's log when this lasts",
        )
        try:
            stream = self.calls.telemetry(self._settings)
            with self._lock:
                self._stream, self._opened_at = stream, time.monotonic()
            if self._ended.is_set():
                stream.cancel()
            for command in stream:
                if command.status.code not in {OK, 0}:
                    return of_status(command.status.code, command.status.message, about)
                # Commands for other kinds of clients, and those of later versions, are none of ours.
                if command.HasField("settings") and not self._ready.is_set():
                    self._is_ready()
        except (grpc.RpcError, ValueError) as failure:
            return raised(failure, about) or silent
        else:
            return silent
        finally:
            with self._lock:
                self._stream = None

    def _is_ready(self) -> None:
        with self._lock:
            self.openings += 1
            self._problem = None
            self._ready.set()
        _log.info("the proxy has the settings", address=str(self.calls.address))

    def _beat(self) -> None:
        beaten_at = time.monotonic()
        while not self._ended.wait(_LOOK_S):
            now = time.monotonic()
            if not self.ready:
                with self._lock:
                    # A proxy that takes the stream and does not answer is asked anew.
                    if self._stream is not None and now - self._opened_at > self._options.request_s:
                        self._break()
            elif now - beaten_at >= self._options.heartbeat_s:
                beaten_at = now
                opening = self.openings
                try:
                    self.calls.heartbeat(self._options.request_s)
                except SettingsMissing:
                    self.renew(opening)
                except EventCenterError as error:
                    _log.warning("no heartbeat", address=str(self.calls.address), why=str(error))
