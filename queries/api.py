"""The routes of questions about events. All are for viewers and see the asker's tenant only."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from eventcenter.web.auth import Viewer
from queries import answers, shapes
from queries.runner import Queries

_JSON = "application/json"
PARQUET = "application/vnd.apache.parquet"


def router(queries: Queries) -> APIRouter:
    """/v1/events, its histogram and top values, and /v1/rejects."""
    whole = APIRouter()
    whole.include_router(_events(queries))
    whole.include_router(_rejects(queries))
    return whole


def _events(queries: Queries) -> APIRouter:
    router = APIRouter(prefix="/v1/events", tags=["events"])

    @router.get("", summary="Events that pass the filters", response_model=shapes.EventPageShape)
    def search(who: Viewer, asked: Annotated[shapes.SearchParameters, Query()]) -> Response:
        return _answer(answers.page(queries.search(who.tenant, asked.request())))

    @router.get("/histogram", summary="Events over time", response_model=shapes.HistogramShape)
    def histogram(who: Viewer, asked: Annotated[shapes.HistogramParameters, Query()]) -> Response:
        found = queries.histogram(who.tenant, asked.filter(), step=asked.step, by=asked.by, top=asked.top)
        return _answer(answers.histogram(found))

    @router.get("/top", summary="The most frequent values", response_model=shapes.TopShape)
    def top(who: Viewer, asked: Annotated[shapes.TopParameters, Query()]) -> Response:
        found = queries.top(who.tenant, asked.filter(), by=asked.by, limit=asked.limit)
        return _answer({"items": [{"value": value, "count": count} for value, count in found]})

    @router.get(
        "/export",
        summary="Events as a Parquet file",
        response_class=StreamingResponse,
        responses={200: {"content": {PARQUET: {}}}},
    )
    def export(who: Viewer, asked: Annotated[shapes.FilterParameters, Query()]) -> StreamingResponse:
        found = queries.export(who.tenant, asked.filter())
        named = {"Content-Disposition": 'attachment; filename="events.parquet"'}
        return StreamingResponse(found, media_type=PARQUET, headers=named)

    @router.get("/{seq}", summary="One event", response_model=shapes.EnvelopeShape)
    def event(who: Viewer, seq: int) -> Response:
        return _answer(answers.envelope(queries.get(who.tenant, seq)))

    @router.get(
        "/{seq}/origins", summary="The messages that an event came by", response_model=shapes.OriginsShape
    )
    def origins(who: Viewer, seq: int) -> Response:
        return _answer({"origins": queries.origins(who.tenant, seq)})

    return router


def _rejects(queries: Queries) -> APIRouter:
    router = APIRouter(prefix="/v1/rejects", tags=["rejects"])

    @router.get("", summary="What was refused, newest first", response_model=shapes.RejectPageShape)
    def rejects(who: Viewer, asked: Annotated[shapes.RejectParameters, Query()]) -> Response:
        found = queries.rejects(who.tenant, bus=asked.bus, limit=asked.limit, cursor=asked.cursor)
        return _answer(answers.reject_page(found))

    @router.get("/{reject_id}", summary="One reject, all of it", response_model=shapes.RejectDetailShape)
    def reject(who: Viewer, reject_id: int) -> Response:
        return _answer(answers.reject(queries.reject(who.tenant, reject_id)))

    return router


def _answer(body: dict[str, Any]) -> Response:
    return Response(answers.encode(body), media_type=_JSON)
