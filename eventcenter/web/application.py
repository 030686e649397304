"""The application that holds the routers: sign-in, guards, problems, health, metrics and OpenAPI."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Request, Security
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials

from eventcenter.clock import Clock
from eventcenter.errors import EventCenterError, Forbidden, Unavailable
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.web import problem
from eventcenter.web.auth import Authenticator, bearer
from eventcenter.web.guards import AnswerHeaders, BodyGuard, HostGuard, allowed_hosts, is_loopback

VERSION = "0.1.0"
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def create_application(
    *,
    store: Store,
    clock: Clock,
    settings: Settings,
    routers: Sequence[APIRouter],
    ready_checks: Iterable[Callable[[], None]] = (),
    render_metrics: Callable[[], bytes] | None = None,
) -> FastAPI:
    """The API of the server with the given routers behind sign-in, guards and problem answers.

    `ready_checks` raise an EventCenterError while a part is not ready; `render_metrics` gives Prometheus
    text.
    """
    app = FastAPI(
        title="Event Center",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        responses={"default": {"model": problem.Problem, "description": "A problem (RFC 9457)."}},
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.authenticator = Authenticator(store, settings)
    app.state.clock = clock
    problem.install(app)
    # The last one added is the outermost.
    app.add_middleware(BodyGuard)
    app.add_middleware(HostGuard, hosts=allowed_hosts(settings))
    app.add_middleware(AnswerHeaders)
    for router in routers:
        app.include_router(router)
    app.include_router(_health(tuple(ready_checks)))
    app.include_router(_metrics(settings, render_metrics))

    @app.get("/openapi.json", include_in_schema=False)
    def openapi() -> JSONResponse:
        return JSONResponse(app.openapi())

    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _health(checks: tuple[Callable[[], None], ...]) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="Whether the process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz", summary="Whether every part is ready")
    def readyz() -> dict[str, str]:
        missing: list[str] = []
        for check in checks:
            try:
                check()
            except EventCenterError as error:
                missing.append(error.detail)
        if missing:
            raise Unavailable(
                "Not ready: " + " ".join(missing),
                rule="store, archives and loader are up",
                remedy="wait a moment; the server's log says more",
            )
        return {"status": "ready"}

    return router


def _metrics(settings: Settings, render: Callable[[], bytes] | None) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get(
        "/metrics",
        summary="Prometheus metrics",
        description="For operators, for the bearer of EVENTCENTER_METRICS_TOKEN, and for this very machine.",
        response_class=PlainTextResponse,
    )
    def metrics(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
    ) -> PlainTextResponse:
        given = None if credentials is None else credentials.credentials
        if not _may_read_metrics(request, settings, given):
            raise Forbidden(
                "Metrics are for operators.",
                rule="an operator's token, the bearer of EVENTCENTER_METRICS_TOKEN, or this very machine",
                remedy="send one of these tokens",
            )
        return PlainTextResponse(b"" if render is None else render(), media_type=_METRICS_TYPE)

    return router


def _may_read_metrics(request: Request, settings: Settings, given: str | None) -> bool:
    if given is not None:
        known = settings.metrics_token
        if known is not None and secrets.compare_digest(given.encode(), known.encode()):
            return True
        authenticator: Authenticator = request.app.state.authenticator
        return authenticator.authenticate(given).operator
    # Behind a proxy on this machine everybody looks local.
    if any(name in request.headers for name in _FORWARDED):
        return False
    return request.client is not None and is_loopback(request.client.host)


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        for path in document["paths"].values():
            for operation in path.values():
                answers = operation["responses"]
                # What the framework would answer; we answer problems with 400.
                answers.pop("422", None)
                refused = {"schema": {"$ref": "#/components/schemas/Problem"}}
                answers["default"]["content"] = {problem.MEDIA_TYPE: refused}
        schemas = document["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        app.openapi_schema = document
    return app.openapi_schema
