"""The routes of targets, rules and deliveries."""

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Response

from alerts import shapes
from alerts.service import Alerts
from eventcenter.web.auth import Admin, Editor, Viewer
from queries.answers import envelope

Id = Annotated[str, Path(max_length=64)]
_GONE = 204
_MADE = 201
_JSON = "application/json"


def router(alerts: Alerts) -> APIRouter:
    """All routes of alerts behind their roles."""
    whole = APIRouter()
    for part in (_targets, _rules, _deliveries):
        whole.include_router(part(alerts))
    return whole


def _targets(alerts: Alerts) -> APIRouter:
    router = APIRouter(prefix="/v1/targets", tags=["targets"])

    @router.get("", summary="The tenant's targets")
    def targets(who: Viewer) -> shapes.Targets:
        return shapes.Targets(targets=alerts.targets.all(who))

    @router.post("", status_code=_MADE, summary="Make a target")
    def create_target(who: Admin, body: shapes.NewTarget) -> shapes.TargetAnswer:
        return alerts.targets.create(who, body)

    @router.patch("/{target_id}", summary="Change a target; a changed robot is tried at once")
    def change_target(who: Admin, target_id: Id, body: shapes.ChangeTarget) -> shapes.TargetAnswer:
        answer = alerts.targets.change(who, target_id, body)
        alerts.wake()
        return answer

    @router.delete("/{target_id}", status_code=_GONE, summary="Delete a target that no rule uses")
    def delete_target(who: Admin, target_id: Id) -> Response:
        alerts.targets.delete(who, target_id)
        return Response(status_code=_GONE)

    @router.post("/{target_id}/test", summary="Send a test message")
    def test_target(who: Admin, target_id: Id) -> shapes.Sent:
        answer = alerts.targets.test(who, target_id)
        alerts.wake()
        return answer

    return router


def _rules(alerts: Alerts) -> APIRouter:
    router = APIRouter(prefix="/v1/rules", tags=["rules"])

    @router.get("", summary="The tenant's rules")
    def rules(who: Viewer) -> shapes.Rules:
        return shapes.Rules(rules=alerts.rules.all(who))

    @router.post("", status_code=_MADE, summary="Make a rule; it fires on events from now on")
    def create_rule(who: Editor, body: shapes.RuleBody) -> shapes.RuleAnswer:
        return alerts.rules.create(who, body)

    @router.post("/preview", summary="What a rule would do, before it is made")
    def preview_rule(who: Viewer, body: shapes.PreviewBody) -> Response:
        found = alerts.rules.preview(who, body)
        # The event's own JSON text goes through as it is: no number of it ever becomes a float.
        answer = msgspec.json.encode(
            {
                "sentence": found.sentence,
                "matched_24h": found.matched_24h,
                "sample": None if found.sample is None else envelope(found.sample),
                "message": None if found.message is None else found.message.model_dump(),
                "problems": found.problems,
            }
        )
        return Response(answer, media_type=_JSON)

    @router.get("/{rule_id}", summary="One rule")
    def rule(who: Viewer, rule_id: Id) -> shapes.RuleAnswer:
        return alerts.rules.get(who, rule_id)

    @router.put("/{rule_id}", summary="Change a rule as a whole")
    def replace_rule(who: Editor, rule_id: Id, body: shapes.RuleBody) -> shapes.RuleAnswer:
        return alerts.rules.replace(who, rule_id, body)

    @router.patch("/{rule_id}", summary="Switch a rule on or off")
    def enable_rule(who: Editor, rule_id: Id, body: shapes.ChangeRule) -> shapes.RuleAnswer:
        return alerts.rules.enable(who, rule_id, enabled=body.enabled)

    @router.delete("/{rule_id}", status_code=_GONE, summary="Delete a rule")
    def delete_rule(who: Editor, rule_id: Id) -> Response:
        alerts.rules.delete(who, rule_id)
        return Response(status_code=_GONE)

    @router.post("/{rule_id}/test", summary="Send the rule's message of one event now, marked as a test")
    def test_rule(who: Editor, rule_id: Id, body: shapes.TestBody) -> shapes.Sent:
        answer = alerts.rules.test(who, rule_id, body)
        alerts.wake()
        return answer

    return router


def _deliveries(alerts: Alerts) -> APIRouter:
    router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])

    @router.get("", summary="Deliveries, newest first")
    def deliveries(
        who: Viewer,
        *,
        state: Literal["pending", "sending", "delivered", "failed", "merged"] | None = None,
        target: Annotated[str | None, Query(max_length=64)] = None,
        rule: Annotated[str | None, Query(max_length=64)] = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> shapes.Deliveries:
        return alerts.deliveries.page(who, state=state, target=target, rule=rule, limit=limit, cursor=cursor)

    @router.get("/{delivery_id}", summary="One delivery with its message and attempts")
    def delivery(who: Viewer, delivery_id: Id) -> shapes.DeliveryDetail:
        return alerts.deliveries.get(who, delivery_id)

    return router
