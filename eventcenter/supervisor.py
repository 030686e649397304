"""Runs the product's processes: starts them in order, restarts what crashes, stops all together."""

import errno
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

from eventcenter.errors import Conflict, Unavailable

_TICK_S = 0.1
_PROBE_TIMEOUT_S = 2.0
_LINES_KEPT = 20


@dataclass(frozen=True, kw_only=True)
class Child:
    """One process to run.

    `address` is the host and port that must be free before it starts, `port_setting` the variable that moves
    it; `ready_url` answers 200 once the process can work (None: ready as soon as it runs).
    """

    name: str
    command: tuple[str, ...]
    address: tuple[str, int] | None = None
    port_setting: str | None = None
    ready_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Times in seconds: until a child must be ready, until a stop becomes a kill, and between restarts."""

    ready_s: float = 90.0
    stop_s: float = 15.0
    backoff_first_s: float = 0.5
    backoff_most_s: float = 30.0
    healthy_s: float = 60.0


@dataclass(kw_only=True)
class _Run:
    """A child's present process and what the restarts need to know."""

    child: Child
    process: subprocess.Popen[str] | None = None
    started: float = 0.0
    restarts: int = 0
    start_at: float = 0.0
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES_KEPT))


def local_url(host: str, port: int, path: str) -> str:
    """The address at which a process that listens on `host` can be asked from this machine."""
    asked = "127.0.0.1" if host in {"0.0.0.0", "::", ""} else host  # noqa: S104 compared, not bound
    return f"http://{f'[{asked}]' if ':' in asked else asked}:{port}{path}"


class Supervisor:
    """Keeps the children running until `stop`; `say(name, line)` gets what they print and what befalls them.

    `run` must be called on the thread that lives longest: Linux ends a child when the thread that started it
    ends.
    """

    def __init__(
        self, children: Sequence[Child], *, say: Callable[[str, str], None], patience: Patience | None = None
    ) -> None:
        self._runs = [_Run(child=child) for child in children]
        self._say = say
        self._patience = patience or Patience()
        self._stopping = False
        self._hurry = False

    def stop(self, *_: int | FrameType | None) -> None:
        """Ask for the end; asked twice, the children are killed at once. Usable as a signal handler."""
        self._hurry = self._stopping
        self._stopping = True

    def run_until_signal(self, ready: Callable[[], None]) -> None:
        """`run` until Ctrl-C, SIGTERM or a closed terminal; on the main thread only."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.stop)
        self.run(ready)

    def run(self, ready: Callable[[], None]) -> None:
        """Start all in order, call `ready` once all are, and watch them until `stop`.

        Raises Conflict if a port is taken, Unavailable if a child cannot start; all are stopped first.
        """
        check_ports([run.child for run in self._runs])
        try:
            for run in self._runs:
                self._start(run)
                self._await_ready(run)
                if self._stopping:
                    return
            ready()
            while not self._stopping:
                for run in self._runs:
                    self._tend(run)
                time.sleep(_TICK_S)
        finally:
            self._stop_all()

    def _start(self, run: _Run) -> None:
        run.process = subprocess.Popen(
            run.child.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # A group of its own: Ctrl-C reaches this process alone, which then stops the others in order.
            start_new_session=True,
        )
        run.started = time.monotonic()
        assert run.process.stdout is not None  # noqa: S101 it was asked for
        threading.Thread(
            target=self._relay, args=(run, run.process.stdout), name=f"output-{run.child.name}", daemon=True
        ).start()

    def _relay(self, run: _Run, output: IO[str]) -> None:
        with output:
            for line in output:
                run.lines.append(line.rstrip("\n"))
                self._say(run.child.name, run.lines[-1])

    def _await_ready(self, run: _Run) -> None:
        assert run.process is not None  # noqa: S101 it was started
        until = run.started + self._patience.ready_s
        while not self._stopping:
            code = run.process.poll()
            if code is not None:
                raise Unavailable(
                    f"{run.child.name} ended with exit code {code} before it was ready",
                    remedy="read its lines above, then `eventcenter doctor`",
                )
            if run.child.ready_url is None or answers(run.child.ready_url):
                return
            if time.monotonic() > until:
                raise Unavailable(
                    f"{run.child.name} was not ready after {self._patience.ready_s:g} s",
                    value=run.child.ready_url,
                    rule="a process answers there with 200 once it can work",
                    remedy="start again with EVENTCENTER_LOG_LEVEL=info to see what it waits for",
                )
            time.sleep(_TICK_S)

    def _tend(self, run: _Run) -> None:
        now = time.monotonic()
        if run.process is None:
            if now >= run.start_at:
                self._start(run)
            return
        code = run.process.poll()
        if code is None:
            return
        if now - run.started >= self._patience.healthy_s:
            run.restarts = 0
        wait = min(self._patience.backoff_first_s * 2**run.restarts, self._patience.backoff_most_s)
        run.restarts += 1
        run.process = None
        run.start_at = now + wait
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        self._say("supervisor", f"{run.child.name} {how}; it starts again in {wait:g} s")

    def _stop_all(self) -> None:
        """SIGTERM in the reverse order of starting, then SIGKILL for what is left."""
        running = [run.process for run in reversed(self._runs) if run.process is not None]
        for process in running:
            process.terminate()
        until = time.monotonic() + self._patience.stop_s
        while any(process.poll() is None for process in running):
            if self._hurry or time.monotonic() > until:
                break
            time.sleep(_TICK_S)
        for process in running:
            if process.poll() is None:
                process.kill()
            process.wait()


def check_ports(children: Sequence[Child]) -> None:
    """Raise Conflict, naming every taken port and the setting that moves it, unless all are free."""
    taken = [child for child in children if child.address is not None and not is_free(*child.address)]
    if taken:
        raise Conflict(
            "; ".join(
                f"port {child.address[1]} of {child.address[0]}, where {child.name} would listen, is taken"
                for child in taken
                if child.address
            ),
            rule="each process needs its port to itself",
            remedy="stop the other program (another `eventcenter up`?), or choose other ports: "
            + " ".join(f"{child.port_setting}=…" for child in taken),
        )


def is_free(host: str, port: int) -> bool:
    """Whether a process could listen there. Raises Conflict for a host that is not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise Conflict(
                f"cannot listen on {host} port {port}: {error.strerror}",
                rule="a process listens on an address of this machine",
                remedy="set the host to 127.0.0.1, or to 0.0.0.0 for all addresses",
            ) from error
    return True


def answers(url: str) -> bool:
    """Whether there is an answer 200 now; without the environment's proxies, since the address is our own."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_PROBE_TIMEOUT_S) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
