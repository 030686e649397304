"""Guards in front of the application: the Host header and the size of a body."""

import ipaddress
import json
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eventcenter.errors import InvalidInput, TooLarge
from eventcenter.settings import Settings
from eventcenter.web.problem import problem_response

MOST_BODY_BYTES = 1 << 20
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost"})


def allowed_hosts(settings: Settings) -> frozenset[str]:
    """Lower-case host names that the API answers to, beside loopback ones."""
    public = None if settings.public_url is None else urlsplit(settings.public_url).hostname
    hosts = (public, settings.api_host, *settings.allowed_hosts)
    return frozenset(host.lower() for host in hosts if host)


def host_of(header: str) -> str:
    """The host of a Host header, lower-case, without port and brackets; empty for a malformed one."""
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host in _LOOPBACK_NAMES or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class HostGuard:
    """Refuses requests whose Host is not ours: a page that rebinds its name cannot talk to the API."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).getlist("host")
        host = host_of(given[0]) if len(given) == 1 else ""
        if host in self._hosts or is_loopback(host):
            await self._app(scope, receive, send)
            return
        error = InvalidInput(
            "The API does not answer to this host name.",
            value=", ".join(given),
            rule="loopback names, the host of the public address, and the names in EVENTCENTER_ALLOWED_HOSTS",
            remedy="use one of these, or add the name to EVENTCENTER_ALLOWED_HOSTS",
        )
        await problem_response(error)(scope, receive, send)


class BodyGuard:
    """Refuses bodies above a bound, declared or streamed, and JSON text that is no Unicode."""

    def __init__(self, app: ASGIApp, *, most_bytes: int = MOST_BODY_BYTES) -> None:
        self._app = app
        self._most = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared[:20]) > self._most:
            await problem_response(self._error(declared[:20]))(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most:
                await problem_response(self._error(f"more than {self._most}"))(scope, receive, send)
                return
        if _SURROGATE.search(body) and not _is_unicode(bytes(body)):
            await problem_response(_not_unicode())(scope, receive, send)
            return
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replayed() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, replayed, send)

    def _error(self, size: str) -> TooLarge:
        return TooLarge(
            "The request's body is too large.",
            value=f"{size} bytes",
            rule=f"{self._most} bytes at most",
            remedy="send less; events go to the ingest service, which takes larger bodies",
        )


def _is_unicode(body: bytes) -> bool:
    """Whether every escape of a surrogate in JSON text has its other half; what is no JSON passes here."""
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    except (ValueError, RecursionError):
        return True
    return True


def _not_unicode() -> InvalidInput:
    return InvalidInput(
        "The body holds half of a character.",
        rule="in JSON text \\ud800 to \\udfff stand in pairs only",
        remedy="send the whole character, or leave it out",
    )


class AnswerHeaders:
    """Marks every answer as private and as what it says it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    (b"cache-control", b"no-store"),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        await self._app(scope, receive, marked)
