"""The door in front of every request: nothing but health, static files and sign-in without a session."""

from urllib.parse import quote, urlsplit

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import auth_pages
from app.context import Context
from app.identity import COOKIE, IDENTITIES
from eventcenter.errors import EventCenterError

_OPEN = frozenset(
    {"/healthz", "/_stcore/health", "/favicon.png", "/auth/sign-in", "/auth/sign-out", "/auth/link"}
)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
}


class Gate:
    """ASGI middleware: wrong Host 400, foreign Origin 403; no session: HTML 303, others 401 or 1008."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._context = context
        public = context.settings.public_url
        self._hosts = {
            *_LOOPBACK,
            context.settings.dashboard_host,
            *context.settings.allowed_hosts,
            *([urlsplit(public).hostname or ""] if public else []),
        }
        self._origin = public.rstrip("/") if public else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refusal = await self._refuse(HTTPConnection(scope))
        if refusal is None:
            await self._app(scope, receive, _hardened(send) if scope["type"] == "http" else send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "sign in"})
        else:
            await refusal(scope, receive, _hardened(send))

    async def _refuse(self, asked: HTTPConnection) -> Response | None:
        headers, path = asked.headers, asked.url.path
        if not self._known_host(headers.get("host", "")):
            return PlainTextResponse("unknown Host; set EVENTCENTER_ALLOWED_HOSTS", 400)
        if self._foreign(headers):
            return PlainTextResponse("foreign Origin", 403)
        if path in _OPEN or path.startswith("/static/"):
            return None
        try:
            me = await anyio.to_thread.run_sync(
                IDENTITIES.resolve, self._context.client, asked.cookies.get(COOKIE)
            )
        except EventCenterError as error:
            return auth_pages.unavailable(headers.get("accept-language"), error)
        if me is not None:
            return None
        if asked.scope.get("method") == "GET" and "text/html" in headers.get("accept", ""):
            query = asked.url.query
            target = quote(path + (f"?{query}" if query else ""), safe="")
            return RedirectResponse(f"/auth/sign-in?next={target}", 303)
        return PlainTextResponse("sign in", 401, {"www-authenticate": "Cookie"})

    def _known_host(self, host: str) -> bool:
        name = urlsplit(f"//{host}").hostname
        return name is not None and name in self._hosts

    def _foreign(self, headers: Headers) -> bool:
        """A browser's request from another site; other clients send no Origin."""
        origin = headers.get("origin")
        if origin is None:
            return False
        return urlsplit(origin).netloc != headers.get("host") and origin != self._origin


def _hardened(send: Send) -> Send:
    """Adds headers that keep pages out of frames and types as declared."""

    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message.get("headers", [])}
            message = {
                **message,
                "headers": [
                    *message.get("headers", []),
                    *((n.encode(), v.encode()) for n, v in _HEADERS.items() if n.encode() not in present),
                ],
            }
        await send(message)

    return hardened
