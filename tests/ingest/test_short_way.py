"""The short way of plain posts: what it answers and keeps is what the long way does, byte for byte."""

import asyncio
import contextlib
import itertools
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from uvicorn.server import ServerState

from eventcenter.access import Principal, Role
from eventcenter.errors import Busy, EventCenterError, Forbidden
from eventcenter.settings import Settings
from ingest import protocol as protocol_module
from ingest.committer import Groups, Told
from ingest.http import Application
from ingest.protocol import PostProtocol, Ready
from ingest.service import uvicorn_config
from tests.support.ingest import PATIENCE_S, Ingest, running, until

BODY = b'{"n": 1}'


def post(
    ingest: Ingest,
    event_id: str,
    *extra: str,
    body: bytes = BODY,
    query: str = "",
    version: str = "1.1",
    content_type: str = "application/json",
) -> bytes:
    """The bytes of a binary-mode post."""
    lines = (
        f"POST /v1/buses/default/events{query} HTTP/{version}",
        "Host: x",
        f"Authorization: Bearer {ingest.tokens['default', 'writer']}",
        f"Content-Type: {content_type}",
        "ce-specversion: 1.0",
        f"ce-id: {event_id}",
        "ce-source: /s",
        "ce-type: t",
        *extra,
        *(() if any(line.startswith("Transfer") for line in extra) else (f"Content-Length: {len(body)}",)),
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@contextlib.contextmanager
def connected(ingest: Ingest) -> Any:
    host, port = ingest.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def answers(connection: socket.socket, count: int) -> list[bytes]:
    """The next `count` answers, each from its status to its body."""
    held = b""
    found: list[bytes] = []
    while len(found) < count:
        head, gap, rest = held.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        if not gap or length is None or len(rest) < int(length[1]):
            part = connection.recv(65536)
            assert part, f"the connection ended after {held!r}"
            held += part
            continue
        found.append(head + gap + rest[: int(length[1])])
        held = rest[int(length[1]) :]
    assert not held
    return found


def undated(answer: bytes) -> bytes:
    return re.sub(rb"date: [^\r]+", b"date: -", answer)


class Ways:
    """Counts the posts that each way took."""

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        self.short = self.long = 0
        took, post_ = Application.took_one, Application._post

        def short(application: Application) -> None:
            self.short += 1
            took(application)

        async def long(application: Application, *given: Any) -> Any:
            self.long += 1
            return await post_(application, *given)

        patched.setattr(Application, "took_one", short)
        patched.setattr(Application, "_post", long)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    return Ways(monkeypatch)


def test_both_ways_answer_and_keep_the_same(ingest: Ingest, ways: Ways) -> None:
    with connected(ingest) as connection:
        connection.sendall(post(ingest, "same-short"))
        (short,) = answers(connection, 1)
        assert (ways.short, ways.long) == (1, 0)
        connection.sendall(post(ingest, "same-long", query="?long"))
        (long,) = answers(connection, 1)
        assert (ways.short, ways.long) == (1, 1)
    assert undated(short) == undated(long)
    assert short.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
    kept = [read.block.payload for read in ingest.blocks() if b"same-" in read.block.payload]
    assert kept[0].replace(b"short", b"long") == kept[1]


def test_structured_events_take_it_too(ingest: Ingest, ways: Ways) -> None:
    event = b'{"specversion":"1.0","id":"structured short","source":"/s","type":"t","data":[1]}'
    assert ingest.post(event).json() == {"accepted": 1, "rejected": []}
    assert (ways.short, ways.long) == (1, 0)


@pytest.mark.parametrize("order", sorted(set(itertools.permutations(["short", "long", "short", "wrong"]))))
def test_posts_sent_ahead_are_answered_in_their_order(ingest: Ingest, order: tuple[str, ...]) -> None:
    name = " ".join(order)
    wire = {
        "short": lambda n: post(ingest, f"{name} {n}"),
        "long": lambda n: post(ingest, f"{name} {n}", query="?long"),
        "wrong": lambda n: post(ingest, f"{name} {n}", "ce-time: soon"),
    }
    with connected(ingest) as connection:
        connection.sendall(b"".join(wire[way](n) for n, way in enumerate(order)))
        found = answers(connection, len(order))
    assert [answer[9:12] for answer in found] == [b"400" if way == "wrong" else b"200" for way in order]
    kept = [event.id for event in ingest.events() if event.id.startswith(name)]
    assert kept == [f"{name} {n}" for n, way in enumerate(order) if way != "wrong"]


def test_a_connection_ends_when_it_is_asked_to(ingest: Ingest, ways: Ways) -> None:
    with connected(ingest) as connection:
        connection.sendall(post(ingest, "the last one", "Connection: close"))
        (answer,) = answers(connection, 1)
        assert b"\r\nconnection: close\r\n" in answer
        assert connection.recv(10) == b""
    assert ways.short == 1


@pytest.mark.parametrize(
    ("extra", "given", "status"),
    [
        ((), {"version": "1.0"}, b"200"),
        (("Content-Encoding: identity",), {}, b"200"),
        (("Transfer-Encoding: chunked",), {"body": b"8\r\n" + BODY + b"\r\n0\r\n\r\n"}, b"200"),
        (("ce-subject: 100%25",), {}, b"200"),
        (("Accept: a", "Accept: b"), {}, b"200"),
        (("ce-source: /again",), {}, b"400"),
        (("ce-data: 1",), {}, b"400"),
        ((), {"body": b"[" * 100 + b"]" * 100}, b"400"),
        ((), {"content_type": "text/plain"}, b"200"),
        ((), {"content_type": "application/json; x=" + "y" * 300}, b"400"),
        ((), {"body": b'"' + b"x" * (64 << 10) + b'"'}, b"200"),
    ],
    ids=str,
)
def test_what_is_not_plain_goes_the_long_way(
    ingest: Ingest, ways: Ways, extra: tuple[str, ...], given: dict[str, Any], status: bytes
) -> None:
    with connected(ingest) as connection:
        connection.sendall(post(ingest, "long", *extra, **given))
        assert answers(connection, 1)[0][9:12] == status
    assert (ways.short, ways.long) == (0, 1)


def test_who_wants_to_be_asked_for_the_body_is_asked(ingest: Ingest) -> None:
    whole = post(ingest, "expected", "Expect: 100-continue")
    with connected(ingest) as connection:
        connection.sendall(whole[: -len(BODY)])
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert answers(connection, 1)[0].startswith(b"HTTP/1.1 200 ")


def test_it_refuses_nobody_by_itself(ingest: Ingest, ways: Ways) -> None:
    for token, status in (("", 401), ("ect_wrong", 401), (ingest.tokens["default", "viewer"], 403)):
        with connected(ingest) as connection:
            right = ingest.tokens["default", "writer"].encode()
            connection.sendall(post(ingest, "refused").replace(right, token.encode()))
            assert answers(connection, 1)[0].startswith(b"HTTP/1.1 %d " % status)
    with connected(ingest) as connection:
        connection.sendall(post(ingest, "refused").replace(b"/default/", b"/nowhere/"))
        assert answers(connection, 1)[0].startswith(b"HTTP/1.1 404 ")
    assert ways.short == 0
    assert "refused" not in {event.id for event in ingest.events()}


def test_each_tenant_posts_to_its_own_bus(ingest: Ingest, ways: Ways) -> None:
    """The same address with another token is another tenant's bus, also right after."""
    with connected(ingest) as connection:
        for n in range(6):
            whole = post(ingest, f"whose {n % 2}")
            if n % 2:
                mine, other = (ingest.tokens[name, "writer"].encode() for name in ("default", "other"))
                whole = whole.replace(mine, other)
            connection.sendall(whole)
            answers(connection, 1)
    assert ways.short == 6
    owners = {
        (read.block.tenant, line.split(b"\t")[0])
        for read in ingest.blocks()
        for line in read.block.payload.splitlines()
        if line.startswith(b"whose")
    }
    assert owners == {(ingest.tenants["default"], b"whose 0"), (ingest.tenants["other"], b"whose 1")}


def test_a_client_that_went_away_leaves_nothing_behind(tmp_path: Path) -> None:
    with running(tmp_path) as ingest:
        for n in range(20):
            with connected(ingest) as connection:
                connection.sendall(post(ingest, f"gone {n}"))
        with connected(ingest) as connection:
            connection.sendall(post(ingest, "never whole")[:-1])
        until(lambda: len(ingest.events()) == 20, "all posts are kept")
        assert ingest.post(b"{}").status_code == 400


def test_a_full_journal_and_a_full_disk_are_told(tmp_path: Path, ways: Ways) -> None:
    with running(tmp_path / "bound", journal_max_bytes=500) as ingest, connected(ingest) as connection:
        connection.sendall(post(ingest, "x" * 100) * 5)
        found = answers(connection, 5)
        assert {answer[9:12] for answer in found} == {b"200", b"429"}
        assert b"\r\nretry-after: " in found[-1]
        assert b"content-type: application/problem+json" in found[-1]
    with running(tmp_path / "floor", disk_floor_bytes=1 << 60) as ingest, connected(ingest) as connection:
        connection.sendall(post(ingest, "full", "Connection: close"))
        (answer,) = answers(connection, 1)
        assert answer.startswith(b"HTTP/1.1 507 ")
        assert b"\r\nconnection: close\r\n" in answer
        assert connection.recv(10) == b""


def test_a_body_beyond_its_bound_is_refused(tmp_path: Path, ways: Ways) -> None:
    with running(tmp_path, max_body_bytes=20) as ingest, connected(ingest) as connection:
        for body, status in ((b" " * 12 + BODY, b"200"), (b" " * 13 + BODY, b"413")):
            connection.sendall(post(ingest, "bound", body=body))
            assert answers(connection, 1)[0][9:12] == status
    assert (ways.short, ways.long) == (1, 1)


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def get_extra_info(self, _name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def write(self, data: Any) -> None:
        self.written += data

    def resume_reading(self) -> None:
        pass


class Loop:
    """A loop whose clock is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, call: Callable[[], None]) -> "Loop":
        self.timers.append((self.now + delay, call))
        return self

    def cancel(self) -> None:
        self.timers.clear()

    def move(self, seconds: float) -> None:
        self.now += seconds
        due = [timer for timer in self.timers if timer[0] <= self.now]
        self.timers = [timer for timer in self.timers if timer[0] > self.now]
        for _, call in due:
            call()


PARTS_POST = (
    b"POST /v1/buses/b/events HTTP/1.1\r\nAuthorization: Bearer right\r\nce-specversion: 1.0\r\n"
    b"ce-id: 1\r\nce-source: /s\r\nce-type: t\r\nContent-Type: application/json\r\n"
    b"Content-Length: 8\r\n\r\n" + BODY
)


class Parts:
    """A protocol with its surroundings played: the committer tells when the test wants it."""

    def __init__(self, folder: Path) -> None:
        self.groups = Groups()
        self.kept: list[tuple[str, str, bytes]] = []
        self.waiting: list[Told] = []
        self.loop, self.wire, self.state = Loop(), Wire(), ServerState()
        played: Any = self
        self.application = Application(
            settings=Settings(data_dir=folder), directory=self, committer=played, journal=self
        )
        config = uvicorn_config(self.application, host="", port=0)
        loop: Any = self.loop
        self.protocol = PostProtocol(self.application, Ready(), config, self.state, {}, loop)
        self.protocol.connection_made(self.wire)

    def authenticate(self, token: str) -> Principal:
        if token != "right":
            raise Forbidden("no")
        return Principal(kind="token", tenant_id="t", role=Role.WRITER, operator=False, actor="")

    def bus(self, tenant_id: str, name: str) -> None:
        pass

    def size(self) -> int:
        return 0

    def commit_line(self, tenant: str, bus: str, line: bytes, told: Told) -> None:
        self.kept.append((tenant, bus, line))
        self.waiting.append(told)

    def post(self) -> None:
        self.protocol.data_received(PARTS_POST)

    def tell(self, error: EventCenterError | None = None) -> None:
        self.waiting.pop(0)(error)


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path)


def test_nothing_is_answered_before_it_is_durable(parts: Parts) -> None:
    parts.post()
    assert parts.kept == [("t", "b", b'1\t/s\tt\t\t\tapplication/json\t\t\tjson\t{"n": 1}\n')]
    assert parts.wire.written == b""
    assert parts.application.in_hand == len(BODY)
    parts.tell()
    assert parts.wire.written.startswith(b"HTTP/1.1 200 OK\r\n")
    assert parts.application.in_hand == 0
    assert (parts.application.counts.events, parts.application.counts.answers) == (1, {200: 1})


@pytest.mark.parametrize("cut", range(1, len(PARTS_POST)))
def test_a_post_may_come_in_pieces(parts: Parts, cut: int) -> None:
    parts.protocol.data_received(PARTS_POST[:cut])
    assert not parts.kept
    parts.protocol.data_received(PARTS_POST[cut:])
    assert parts.kept == [("t", "b", b'1\t/s\tt\t\t\tapplication/json\t\t\tjson\t{"n": 1}\n')]


def test_a_refused_group_is_told(parts: Parts) -> None:
    parts.post()
    parts.tell(Busy("full", retry_after=7))
    assert parts.wire.written.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nretry-after: 7\r\n" in parts.wire.written
    assert (parts.application.counts.events, parts.application.counts.answers) == (0, {429: 1})


def test_the_date_of_the_answer_is_of_its_second(parts: Parts) -> None:
    for date in (b"one", b"two"):
        parts.state.default_headers = [(b"date", date)]
        parts.post()
        parts.tell()
        assert b"date: " + date in parts.wire.written


def test_an_idle_connection_is_closed_and_a_busy_one_is_not(parts: Parts) -> None:
    kept_for = parts.protocol.timeout_keep_alive
    for _ in range(5):
        parts.post()
        parts.tell()
        parts.loop.move(kept_for - 1)
        assert not parts.wire.closed
        assert len(parts.loop.timers) == 1
    parts.loop.move(1)
    assert parts.wire.closed
    assert not parts.loop.timers


def test_a_post_that_waits_for_its_sync_is_not_idle(parts: Parts) -> None:
    parts.post()
    parts.tell()
    parts.loop.move(1)
    parts.post()
    parts.loop.move(10 * parts.protocol.timeout_keep_alive)
    assert not parts.wire.closed
    parts.tell()
    parts.loop.move(parts.protocol.timeout_keep_alive - 1)
    assert not parts.wire.closed
    parts.loop.move(1)
    assert parts.wire.closed


def test_a_lost_connection_keeps_no_timer(parts: Parts) -> None:
    parts.post()
    parts.tell()
    parts.post()
    parts.wire.closed = True
    parts.protocol.connection_lost(None)
    assert not parts.loop.timers
    before = parts.wire.written
    parts.tell()
    assert parts.wire.written == before
    assert parts.application.in_hand == 0
    assert not parts.state.connections


def test_stopping_answers_what_is_in_flight_and_closes(parts: Parts) -> None:
    parts.post()
    parts.protocol.shutdown()
    assert not parts.wire.closed
    parts.tell()
    assert b"\r\nconnection: close\r\n" in parts.wire.written
    assert parts.wire.closed


def test_stopping_closes_an_idle_connection(parts: Parts) -> None:
    parts.post()
    parts.tell()
    parts.protocol.shutdown()
    assert parts.wire.closed


def test_what_is_remembered_of_addresses_is_bounded(parts: Parts) -> None:
    before = protocol_module._bus_of.cache_info().currsize
    long = b"/v1/buses/" + b"b" * 300 + b"/events"
    parts.protocol.on_message_begin()
    parts.protocol.url = long
    parts.protocol.parser = _Post()  # type: ignore[assignment]
    parts.protocol.headers = [(b"content-length", b"0")]
    assert not parts.protocol._is_plain()
    assert protocol_module._bus_of.cache_info().currsize == before


class _Post:
    def get_method(self) -> bytes:
        return b"POST"

    def get_http_version(self) -> str:
        return "1.1"
