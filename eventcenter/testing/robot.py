"""A stand-in for DingTalk's robots: the real answers, without DingTalk.

It checks token, signature, time, keyword, size, content type and message type as DingTalk does, answers HTTP
200 with an `errcode`, throttles above 20 messages a minute for ten minutes, and can be told to misbehave.

    POST /robot/send   what DingTalk has
    GET  /             the chat as DingTalk would show it
    GET  /messages     what arrived, as JSON
    POST /control      {"robots": {token: {"secret", "keywords", "name"}}, "accept_any": bool,
                        "per_minute": n, "answers": ["busy", …], "clear": true}
"""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from eventcenter.clock import Clock, SystemClock, rfc3339, to_micros
from eventcenter.testing.page import CHAT_POLICY, chat_page

PATH: Final = "/robot/send"
MAX_BYTES: Final = 20_000
PER_MINUTE: Final = 20
_MINUTE = timedelta(minutes=1)
_PENALTY = timedelta(minutes=10)
_DRIFT_MS = 3_600_000
_KEPT = 2_000
_TYPES = ("text", "link", "markdown", "actionCard", "feedCard")
_JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An HTTP answer; `delay_s` seconds pass before it goes out."""

    status: int = 200
    body: bytes
    content_type: str = _JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0

    @classmethod
    def code(cls, errcode: int, errmsg: str) -> "Reply":
        """DingTalk's usual form."""
        return cls(body=json.dumps({"errcode": errcode, "errmsg": errmsg}, ensure_ascii=False).encode())


SCRIPTED: Final[Mapping[str, Reply]] = {
    "busy": Reply.code(-1, "系统繁忙"),
    "too_fast": Reply.code(130101, "send too fast, exceed 20 times per minute"),
    "quota": Reply.code(90030, "webhook over limit"),
    "x5": Reply(body=b'{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"6f3c"}'),
    "too_long": Reply.code(460101, "message too long, exceed 20000 bytes"),
    "unsafe_text": Reply.code(430102, "unsafe text"),
    "stopped": Reply.code(400102, "robot stopped"),
    "unknown": Reply.code(88, "unknown error"),
    "html": Reply(body=b"<html><body>gateway</body></html>", content_type="text/html"),
    "http500": Reply(status=500, body=b"oops", content_type="text/plain"),
    "redirect": Reply(status=302, body=b"", headers={"Location": "https://example.invalid/robot/send"}),
    "slow": Reply(body=b'{"errcode":0,"errmsg":"ok"}', delay_s=3.0),
    "endless": Reply(body=b'{"errcode":0,"pad":"' + b"x" * 200_000 + b'"}'),
}
"""Answers that `POST /control` can ask for, one request each."""


@dataclass(frozen=True, kw_only=True)
class RobotConfig:
    """A robot that is known: what its security settings ask for."""

    secret: str | None = None
    keywords: tuple[str, ...] = ()
    name: str = "Event Center"


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request that came, and what was answered."""

    at: datetime
    robot: str
    token: str
    errcode: int | None
    answer: str
    signature: str
    """right, wrong, none (not signed), unchecked (the robot has no secret)."""
    title: str
    text: str
    msgtype: str
    delivery: str | None
    bytes: int

    @property
    def delivered(self) -> bool:
        """Whether it is in the chat."""
        return self.errcode == 0

    def document(self) -> dict[str, Any]:
        """As `GET /messages` shows it."""
        return {
            "at": rfc3339(self.at),
            "robot": self.robot,
            "token": self.token,
            "delivered": self.delivered,
            "errcode": self.errcode,
            "answer": self.answer,
            "signature": self.signature,
            "title": self.title,
            "text": self.text,
            "msgtype": self.msgtype,
            "delivery": self.delivery,
            "bytes": self.bytes,
        }


@dataclass(frozen=True, kw_only=True)
class _Incoming:
    """A request, and what is known about it."""

    at: datetime
    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    token: str
    config: RobotConfig | None
    signature: str


class Robot:
    """All robots of the stand-in, and what they received. Safe to use from many threads."""

    def __init__(
        self,
        robots: Mapping[str, RobotConfig] | None = None,
        *,
        accept_any: bool = False,
        per_minute: int | None = PER_MINUTE,
        clock: Clock | None = None,
    ) -> None:
        self._robots = dict(robots or {})
        self._accept_any = accept_any
        self._per_minute = per_minute
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._received: deque[Received] = deque(maxlen=_KEPT)
        self._sent: dict[str, deque[datetime]] = {}
        self._punished: dict[str, datetime] = {}
        self._script: deque[str] = deque()
        self.url = ""
        """Base address, once `run_robot` has started it."""

    def received(self) -> list[Received]:
        """Every request, oldest first."""
        with self._lock:
            return list(self._received)

    def messages(self) -> list[Received]:
        """What is in the chat, oldest first."""
        return [held for held in self.received() if held.delivered]

    def script(self, *answers: str) -> None:
        """The next requests are answered so, one each; names of SCRIPTED. Raises KeyError."""
        for name in answers:
            _ = SCRIPTED[name]
        with self._lock:
            self._script.extend(answers)

    def control(self, wanted: Mapping[str, Any]) -> None:
        """Change robots, modes and scripts (see the module). Raises KeyError, TypeError, ValueError."""
        self.script(*wanted.get("answers", ()))
        with self._lock:
            for token, config in wanted.get("robots", {}).items():
                self._robots[token] = RobotConfig(
                    secret=config.get("secret"),
                    keywords=tuple(config.get("keywords", ())),
                    name=config.get("name", "Event Center"),
                )
            self._accept_any = bool(wanted.get("accept_any", self._accept_any))
            if "per_minute" in wanted:
                self._per_minute = None if wanted["per_minute"] is None else int(wanted["per_minute"])
            if wanted.get("clear"):
                self._received.clear()
                self._sent.clear()
                self._punished.clear()
                self._script.clear()

    def answer(
        self, *, method: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Reply:
        """What DingTalk would answer; header names in small letters."""
        now = self._clock.now()
        token = query.get("access_token", "")
        with self._lock:
            config = self._robots.get(token)
            if config is None and self._accept_any and token:
                config = RobotConfig()
            incoming = _Incoming(
                at=now,
                method=method,
                query=query,
                headers=headers,
                body=body,
                token=token,
                config=config,
                signature=_signature(config, query, now),
            )
            reply = SCRIPTED[self._script.popleft()] if self._script else self._judge(incoming)
            self._note(incoming, reply)
        return reply

    def _judge(self, incoming: _Incoming) -> Reply:
        config = incoming.config
        if incoming.method != "POST":
            return Reply.code(43002, "require post http method")
        if config is None:
            return Reply.code(300005, "token is not exist")
        if not incoming.headers.get("content-type", "").lower().startswith(_JSON):
            return Reply.code(43004, "invalid Content-Type")
        if len(incoming.body) > MAX_BYTES:
            return Reply.code(460101, f"message too long, exceed {MAX_BYTES} bytes")
        try:
            document = json.loads(incoming.body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            return Reply.code(40035, "缺少参数 json")
        msgtype = document.get("msgtype")
        if msgtype not in _TYPES:
            return Reply.code(400105, "unsupported message type")
        if not isinstance(document.get(str(msgtype)), dict):
            return Reply.code(40035, f"缺少参数 {msgtype}")
        if config.secret is not None and incoming.signature != "right":
            return Reply.code(310000, _signature_error(incoming.query, incoming.at))
        said = json.dumps(document[str(msgtype)], ensure_ascii=False)
        if config.keywords and not any(word in said for word in config.keywords):
            return Reply.code(310000, "keywords not in content")
        if self._too_fast(incoming.token, incoming.at):
            return Reply.code(410100, "发送速度太快而限流")
        return Reply.code(0, "ok")

    def _too_fast(self, token: str, now: datetime) -> bool:
        if self._per_minute is None:
            return False
        until = self._punished.get(token)
        if until is not None and now < until:
            return True
        sent = self._sent.setdefault(token, deque())
        while sent and sent[0] <= now - _MINUTE:
            sent.popleft()
        if len(sent) >= self._per_minute:
            self._punished[token] = now + _PENALTY
            return True
        sent.append(now)
        return False

    def _note(self, incoming: _Incoming, reply: Reply) -> None:
        msgtype, title, text = _said(incoming.body)
        self._received.append(
            Received(
                at=incoming.at,
                robot=incoming.config.name if incoming.config is not None else "?",
                token=f"{incoming.token[:4]}…",
                errcode=_errcode(reply),
                answer=reply.body[:500].decode("utf-8", "replace"),
                signature=incoming.signature,
                title=title,
                text=text,
                msgtype=msgtype,
                delivery=incoming.headers.get("x-event-center-delivery"),
                bytes=len(incoming.body),
            )
        )


def create_robot_application(robot: Robot) -> Starlette:
    """The stand-in as an ASGI application."""

    async def send(request: Request) -> Response:
        body = await request.body()
        reply = robot.answer(
            method=request.method, query=request.query_params, headers=dict(request.headers), body=body
        )
        if reply.delay_s:
            await anyio.sleep(reply.delay_s)
        return Response(reply.body, reply.status, dict(reply.headers), reply.content_type)

    async def messages(_request: Request) -> Response:
        return JSONResponse({"messages": [held.document() for held in robot.received()]})

    async def control(request: Request) -> Response:
        try:
            robot.control(await request.json())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)
        return JSONResponse({"ok": True})

    async def chat(_request: Request) -> Response:
        page = chat_page([held.document() for held in robot.received()])
        return HTMLResponse(
            page, headers={"Content-Security-Policy": CHAT_POLICY, "Cache-Control": "no-store"}
        )

    methods = ["GET", "POST", "PUT", "DELETE", "PATCH"]
    return Starlette(
        routes=[
            Route(PATH, send, methods=methods),
            Route("/messages", messages),
            Route("/control", control, methods=["POST"]),
            Route("/", chat),
        ]
    )


@contextmanager
def run_robot(
    robot: Robot | None = None, *, host: str = "127.0.0.1", port: int = 0, start_timeout_s: float = 10.0
) -> Iterator[Robot]:
    """Serve the stand-in from a thread; port 0 takes a free one, `robot.url` says which.

    Without `robot` any token is accepted. Raises RuntimeError if it does not start.
    """
    served = robot or Robot(accept_any=True)
    config = uvicorn.Config(
        create_robot_application(served), host=host, port=port, log_level="error", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="robot stand-in", daemon=True)
    thread.start()
    deadline = time.monotonic() + start_timeout_s
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError(f"the robot stand-in did not start on {host}:{port}")
        thread.join(0.01)
    served.url = f"http://{host}:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield served
    finally:
        server.should_exit = True
        thread.join(start_timeout_s)


def _signature(config: RobotConfig | None, query: Mapping[str, str], now: datetime) -> str:
    given, timestamp = query.get("sign"), query.get("timestamp", "")
    if config is None or config.secret is None:
        return "unchecked" if given else "none"
    if given is None:
        return "none"
    text = f"{timestamp}\n{config.secret}".encode()
    right = base64.b64encode(hmac.new(config.secret.encode(), text, hashlib.sha256).digest()).decode()
    if not hmac.compare_digest(right.encode(), given.encode()) or _drift(timestamp, now) > _DRIFT_MS:
        return "wrong"
    return "right"


def _signature_error(query: Mapping[str, str], now: datetime) -> str:
    if query.get("timestamp") and _drift(query["timestamp"], now) > _DRIFT_MS:
        return "invalid timestamp"
    return "sign not match"


def _drift(timestamp: str, now: datetime) -> int:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 20):
        return 2 * _DRIFT_MS
    return abs(int(timestamp) - to_micros(now) // 1000)


def _said(body: bytes) -> tuple[str, str, str]:
    try:
        document = json.loads(body)
        msgtype = str(document["msgtype"])
        part = document[msgtype]
        return msgtype, str(part.get("title", "")), str(part.get("text", part.get("content", "")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "", "", body[:1000].decode("utf-8", "replace")


def _errcode(reply: Reply) -> int | None:
    if reply.status != 200:
        return None
    try:
        held = json.loads(reply.body).get("errcode")
    except (ValueError, AttributeError):
        return None
    return held if isinstance(held, int) else None
