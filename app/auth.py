"""Sign-in and sign-out on the server's side: an HttpOnly cookie that only these routes set."""

import secrets
from urllib.parse import parse_qsl, urlsplit

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from app import auth_pages
from app.context import Context
from app.i18n import choose, text
from app.identity import COOKIE, IDENTITIES
from eventcenter.client import Session
from eventcenter.errors import EventCenterError, InvalidInput, Unauthenticated

FORM_COOKIE = "ec_form"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_MOST_FORM_BYTES = 16_384


def local_path(target: str | None) -> str:
    """`target` if it is a path of this site, else `/`: no other site, scheme or control character."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\", "/auth/")):
        return "/"
    if len(target) > 2000 or "\\" in target or any(ord(c) < 0x20 or ord(c) == 0x7F for c in target):
        return "/"
    parts = urlsplit(target)
    return "/" if parts.scheme or parts.netloc else target


def routes(context: Context) -> list[Route]:
    """The routes of sign-in and a health answer."""
    doors = _Doors(context)
    return [
        Route("/auth/sign-in", doors.show_sign_in, methods=["GET"]),
        Route("/auth/sign-in", doors.sign_in, methods=["POST"]),
        Route("/auth/link", doors.show_link, methods=["GET"]),
        Route("/auth/link", doors.spend_link, methods=["POST"]),
        Route("/auth/sign-out", doors.show_sign_out, methods=["GET"]),
        Route("/auth/sign-out", doors.sign_out, methods=["POST"]),
        Route("/healthz", _healthy, methods=["GET"]),
    ]


async def _healthy(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


class _Doors:
    def __init__(self, context: Context) -> None:
        self._context = context

    async def show_sign_in(self, request: Request) -> Response:
        target = local_path(request.query_params.get("next"))
        form = _form_token(request)
        page = auth_pages.sign_in(_language(request), form=form, target=target)
        return self._with_form(request, page, form)

    async def sign_in(self, request: Request) -> Response:
        language, fields = _language(request), await _fields(request)
        if not _ours(request, fields):
            return auth_pages.refused(language)
        name, target = fields.get("name", "").strip(), local_path(fields.get("next"))
        try:
            session = await anyio.to_thread.run_sync(
                self._context.client.sign_in, name, fields.get("password", "")
            )
        except EventCenterError as error:
            wrong = isinstance(error, (Unauthenticated, InvalidInput))
            problem = text(language, "auth.wrong") if wrong else str(error)
            form = _form_token(request)
            page = auth_pages.sign_in(
                language,
                form=form,
                target=target,
                name=name[:200],
                problem=problem,
                status=401 if wrong else error.status,
            )
            return self._with_form(request, page, form)
        return self._enter(request, session, target)

    async def show_link(self, request: Request) -> Response:
        form = _form_token(request)
        page = auth_pages.link(
            _language(request),
            form=form,
            code=request.query_params.get("code", "")[:500],
            target=local_path(request.query_params.get("next")),
        )
        return self._with_form(request, page, form)

    async def spend_link(self, request: Request) -> Response:
        language, fields = _language(request), await _fields(request)
        if not _ours(request, fields):
            return auth_pages.refused(language)
        try:
            session = await anyio.to_thread.run_sync(
                self._context.client.sign_in_by_link, fields.get("code", "")
            )
        except EventCenterError as error:
            gone = error.status in {400, 401, 403, 404, 409}
            problem = text(language, "auth.link_gone") if gone else str(error)
            return auth_pages.link(
                language, form="", code="", target="/", problem=problem, status=401 if gone else error.status
            )
        return self._enter(request, session, local_path(fields.get("next")))

    async def show_sign_out(self, request: Request) -> Response:
        form = _form_token(request)
        return self._with_form(request, auth_pages.sign_out(_language(request), form=form), form)

    async def sign_out(self, request: Request) -> Response:
        fields = await _fields(request)
        if not _ours(request, fields):
            return auth_pages.refused(_language(request))
        credential = request.cookies.get(COOKIE)
        if credential:
            try:
                await anyio.to_thread.run_sync(self._context.client.with_credential(credential).sign_out)
            except Unauthenticated:
                pass
            except EventCenterError as error:
                return auth_pages.unavailable(request.headers.get("accept-language"), error)
            finally:
                IDENTITIES.forget(credential)
        answer = RedirectResponse("/auth/sign-in", 303)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax", secure=self._secure(request))
        return answer

    def _enter(self, request: Request, session: Session, target: str) -> Response:
        answer = RedirectResponse(target, 303, {"cache-control": "no-store"})
        answer.set_cookie(
            COOKIE,
            session.session,
            max_age=self._context.settings.session_days * 86_400,
            path="/",
            httponly=True,
            samesite="lax",
            secure=self._secure(request),
        )
        return answer

    def _with_form(self, request: Request, page: Response, form: str) -> Response:
        page.set_cookie(
            FORM_COOKIE, form, path="/auth/", httponly=True, samesite="lax", secure=self._secure(request)
        )
        return page

    def _secure(self, request: Request) -> bool:
        """Secure outside loopback; loopback is plain HTTP on the person's own machine."""
        return (request.url.hostname or "") not in _LOOPBACK


def _language(request: Request) -> str:
    return choose(request.query_params.get("language"), request.headers.get("accept-language"))


def _form_token(request: Request) -> str:
    known = request.cookies.get(FORM_COOKIE, "")
    return known if len(known) == 43 and known.isascii() else secrets.token_urlsafe(32)


async def _fields(request: Request) -> dict[str, str]:
    """The form's fields; a body that is too long or not a form has none, and so is refused."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_FORM_BYTES:
            return {}
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20))


def _ours(request: Request, fields: dict[str, str]) -> bool:
    """The form carries the token that this browser's cookie holds; absent never equals absent."""
    expected, given = request.cookies.get(FORM_COOKIE, ""), fields.get("form", "")
    return bool(expected) and secrets.compare_digest(expected.encode(), given.encode())
