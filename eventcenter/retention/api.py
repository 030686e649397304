"""The routes of retention."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from eventcenter.access import Principal
from eventcenter.retention import shapes
from eventcenter.retention.service import Retention
from eventcenter.web.auth import Admin, Viewer

Id = Annotated[str, Path(max_length=64)]
BusPath = Annotated[str, Path(max_length=127)]
_GONE = 204
_MADE = 201
_WAIT_S = 10.0


def router(retention: Retention) -> APIRouter:
    """All routes of retention behind their roles."""
    whole = APIRouter()
    for part in (_tenant, _buses, _deletions):
        whole.include_router(part(retention))
    return whole


def _tenant(retention: Retention) -> APIRouter:
    router = APIRouter(prefix="/v1/retention", tags=["retention"])

    @router.get("", summary="What is kept, what is held, and what it takes")
    def retention_of_all(who: Viewer) -> shapes.RetentionAnswer:
        return retention.overview.all(who)

    @router.put("", summary="Set the tenant's limits; `dry_run` only tells what would go")
    def set_retention(who: Admin, body: shapes.Limits) -> shapes.ChangedRetention:
        return _set(retention, who, None, body)

    @router.delete("", status_code=_GONE, summary="Take the tenant's limits away")
    def reset_retention(who: Admin) -> Response:
        retention.policies.reset(who, None)
        return Response(status_code=_GONE)

    @router.put("/hold", summary="Set a legal hold on the whole tenant")
    def hold_tenant(who: Admin, body: shapes.NewHold) -> shapes.HoldAnswer:
        return _hold(retention, who, None, body)

    @router.delete("/hold", status_code=_GONE, summary="Lift the tenant's legal hold")
    def lift_tenant(who: Admin) -> Response:
        retention.policies.lift(who, None)
        return Response(status_code=_GONE)

    return router


def _buses(retention: Retention) -> APIRouter:
    router = APIRouter(prefix="/v1/buses/{bus}", tags=["retention"])

    @router.put("/retention", summary="Set limits of its own for a bus; `dry_run` only tells what would go")
    def set_bus_retention(who: Admin, bus: BusPath, body: shapes.Limits) -> shapes.ChangedRetention:
        return _set(retention, who, bus, body)

    @router.delete("/retention", status_code=_GONE, summary="Let a bus fall under the tenant's limits again")
    def reset_bus_retention(who: Admin, bus: BusPath) -> Response:
        retention.policies.reset(who, bus)
        return Response(status_code=_GONE)

    @router.put("/hold", summary="Set a legal hold on a bus")
    def hold_bus(who: Admin, bus: BusPath, body: shapes.NewHold) -> shapes.HoldAnswer:
        return _hold(retention, who, bus, body)

    @router.delete("/hold", status_code=_GONE, summary="Lift a bus's legal hold")
    def lift_bus(who: Admin, bus: BusPath) -> Response:
        retention.policies.lift(who, bus)
        return Response(status_code=_GONE)

    return router


def _set(
    retention: Retention, who: Principal, bus: str | None, wanted: shapes.Limits
) -> shapes.ChangedRetention:
    if not wanted.dry_run:
        retention.policies.set(who, bus, wanted)
    return retention.overview.after(who, bus, wanted)


def _hold(retention: Retention, who: Principal, bus: str | None, wanted: shapes.NewHold) -> shapes.HoldAnswer:
    """From the answer on nothing of it is removed."""
    answer = retention.policies.hold(who, bus, wanted.reason)
    retention.looks.let_finish(who.tenant)
    return answer


def _deletions(retention: Retention) -> APIRouter:
    router = APIRouter(prefix="/v1/deletions", tags=["retention"])

    @router.post("", status_code=_MADE, summary="Delete one subject's events; `dry_run` only tells which")
    def delete_subject(who: Admin, body: shapes.NewDeletion) -> shapes.DeletionAnswer:
        return retention.deletions.ask(who, body, wait_s=_WAIT_S)

    @router.get("", summary="Deletions and their reports, newest first")
    def deletions(
        who: Viewer,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        cursor: str | None = None,
    ) -> shapes.Deletions:
        return retention.deletions.page(who, limit=limit, cursor=cursor)

    @router.get("/{deletion_id}", summary="One deletion and its report")
    def deletion(who: Viewer, deletion_id: Id) -> shapes.DeletionAnswer:
        return retention.deletions.get(who, deletion_id)

    return router
