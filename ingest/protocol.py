"""The short way of a plain post: from the parser to the journal and back, without a task and without ASGI.

Most posts carry one event, plainly. uvicorn makes a task, two messages each way and a dozen objects of every
request; for these that is more work than all of ours. Whatever is not plain goes the long way, which is
uvicorn's own to `ingest.http.Application`: it alone refuses, and it alone says why.
"""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from eventcenter.errors import EventCenterError
from ingest import answers
from ingest.bindings import Mode, mode_of, quick_line
from ingest.http import SMALL_BODY, Application, bus_of
from ingest.validation.quick import line_of_json

DefaultHeaders = list[tuple[bytes, bytes]]
_LONG_WAY = frozenset({b"content-encoding", b"expect", b"transfer-encoding", b"upgrade"})
_LONG = 200
"""Bytes of an address or a content type from which on it is not plain: what is remembered is bounded."""


class Ready:
    """The answer to nearly every post, ready to be written; made anew when the date changes."""

    def __init__(self) -> None:
        self._default: DefaultHeaders | None = None
        self._answer = b""

    def one_accepted(self, default: DefaultHeaders) -> bytes:
        """The answer with uvicorn's headers of this second."""
        if default is not self._default:
            self._default = default
            self._answer = _whole(200, answers.all_accepted(1), answers.JSON, default)
        return self._answer


class _Cycle:
    """What uvicorn's protocol wants to know of the request in hand; one for all of a connection's."""

    def __init__(self) -> None:
        self.response_complete = True
        self.disconnected = False
        self.keep_alive = True
        # Nobody waits for a message: the body is here when the work begins.
        self.message_event = asyncio.Event()


class PostProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the short way."""

    def __init__(
        self,
        application: Application,
        ready: Ready,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._application = application
        self._ready = ready
        self._longest_body = min(SMALL_BODY, application.limits.max_body_bytes)
        self._short = False
        self._short_cycle = _Cycle()
        self._tenant = self._bus = ""
        self._mode = Mode.BINARY
        self._body = b""
        self._held = 0
        self._idle_since = -1.0

    def on_message_begin(self) -> None:
        """A request begins: what the long way needs of it is made when it is needed."""
        self.url = b""
        self.headers = []
        self._short = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Choose the way."""
        try:
            self._short = self._is_plain()
        except Exception:  # noqa: BLE001 whatever it is, the long way says it
            self._short = False
        if not self._short:
            self._begin_long_way()
            return
        self._body = b""
        self.cycle = cycle = self._short_cycle  # type: ignore[assignment]
        cycle.response_complete = False
        cycle.keep_alive = self.parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        if self._short:
            self._body = self._body + body if self._body else body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is here: take its event, or go the long way after all."""
        if not self._short:
            super().on_message_complete()
            return
        try:
            line = self._line()
        except Exception:  # noqa: BLE001 as above
            line = None
        if line is None:
            self._take_long_way()
            return
        self._held = len(self._body)
        self._application.in_hand += self._held
        self._application.committer.commit_line(self._tenant, self._bus, line, self._told)

    def on_response_complete(self) -> None:
        """As uvicorn, but a connection has one timer: it is set anew when it rings, not with each request."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if it was idle all the time; else look again when it could have been."""
        self.timeout_keep_alive_task = None
        if self._idle_since < 0 or self.transport.is_closing():
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left <= 0:
            self.transport.close()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, and its timer with it."""
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def _unset_keepalive_if_required(self) -> None:
        # Something arrived: the timer goes on and finds that the connection is not idle.
        self._idle_since = -1.0

    def _is_plain(self) -> bool:
        """Whether this is a post of one event, small and with nothing special about it. Raises refusals."""
        fields = dict(self.headers)
        if (
            (self.cycle is not None and not self.cycle.response_complete)
            or len(fields) != len(self.headers)
            or not _LONG_WAY.isdisjoint(fields)
            or self.parser.get_method() != b"POST"
            or self.parser.get_http_version() != "1.1"
            or self.flow.write_paused
        ):
            return False
        length = fields.get(b"content-length", b"")
        if not (length.isdigit() and len(length) < 9 and int(length) <= self._longest_body):
            return False
        content_type = fields.get(b"content-type", b"")
        if len(self.url) > _LONG or len(content_type) > _LONG:
            return False
        bus = _bus_of(self.url)
        self._mode = mode = _mode_of(content_type)
        if bus is None or mode not in {Mode.BINARY, Mode.STRUCTURED} or self._application.is_full():
            return False
        self._bus = bus
        self._tenant = self._application.tenant(fields.get(b"authorization", b""), bus)
        return True

    def _line(self) -> bytes | None:
        limits = self._application.limits
        if self._mode is Mode.BINARY:
            return quick_line(self.headers, self._body, limits)
        return line_of_json(self._body, limits)

    def _told(self, error: EventCenterError | None) -> None:
        """The event is durable, or it is not kept: answer."""
        self._application.in_hand -= self._held
        cycle = self._short_cycle
        cycle.response_complete = True
        default = self.server_state.default_headers
        if error is None:
            self._application.took_one()
            answer = self._ready.one_accepted(default)
        else:
            self._application.counts.answered(error.status)
            body, headers = answers.problem(error)
            answer = _whole(error.status, body, answers.PROBLEM, [*default, *headers])
        if not cycle.keep_alive:
            answer = answer.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
        if not self.transport.is_closing():
            self.transport.write(answer)
            if not cycle.keep_alive:
                self.transport.close()
        self.on_response_complete()

    def _begin_long_way(self) -> None:
        """Do what uvicorn would have done up to the end of the headers."""
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()

    def _take_long_way(self) -> None:
        self._short = False
        self._short_cycle.response_complete = True
        self._begin_long_way()
        # The service may have been told to stop since the headers came.
        self.cycle.keep_alive = self.cycle.keep_alive and self._short_cycle.keep_alive
        super().on_body(self._body)
        super().on_message_complete()


def protocol_of(application: Application) -> Callable[..., asyncio.Protocol]:
    """What uvicorn calls for each connection."""
    return functools.partial(PostProtocol, application, Ready())


@functools.lru_cache(maxsize=1024)
def _bus_of(url: bytes) -> str | None:
    """The bus of an address in which nothing is escaped and nothing is asked."""
    return None if b"%" in url or b"?" in url else bus_of(url.decode("ascii"))


@functools.lru_cache(maxsize=256)
def _mode_of(content_type: bytes) -> Mode:
    return mode_of(content_type.decode("latin-1"))


def _whole(status: int, body: bytes, content_type: bytes, headers: DefaultHeaders) -> bytes:
    """An answer from its first byte to its last."""
    lines = [*headers, (b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    return STATUS_LINE[status] + b"".join(b"%b: %b\r\n" % line for line in lines) + b"\r\n" + body
