"""Tenants are crossed on every route of alerts, and every role knocks at every door."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from eventcenter.access import OPERATOR
from tests.alerts.stand import WEBHOOK, Stand

INCLUDED = {
    "viewer": {"viewer", "editor", "admin"},
    "editor": {"editor", "admin"},
    "admin": {"admin"},
}
ROLES = ("writer", "viewer", "editor", "admin", OPERATOR)


@dataclass(frozen=True, kw_only=True)
class Door:
    """A route: who may, and a body that would be right. `{x_id}` are things of `default`."""

    method: str
    path: str
    role: str
    body: Any = field(default=None)


RULE = {"name": "Fresh", "pattern": {}, "template": {"title": "t"}, "target_id": "{target_id}"}
DOORS = [
    Door(method="GET", path="/v1/targets", role="viewer"),
    Door(method="POST", path="/v1/targets", role="admin", body={"name": "Fresh", "webhook": WEBHOOK}),
    Door(method="PATCH", path="/v1/targets/{target_id}", role="admin", body={"enabled": True}),
    Door(method="DELETE", path="/v1/targets/{target_id}", role="admin"),
    Door(method="POST", path="/v1/targets/{target_id}/test", role="admin"),
    Door(method="GET", path="/v1/rules", role="viewer"),
    Door(method="POST", path="/v1/rules", role="editor", body=RULE),
    Door(method="POST", path="/v1/rules/preview", role="viewer", body={"event_seq": 1}),
    Door(method="GET", path="/v1/rules/{rule_id}", role="viewer"),
    Door(method="PUT", path="/v1/rules/{rule_id}", role="editor", body={**RULE, "name": "Paid"}),
    Door(method="PATCH", path="/v1/rules/{rule_id}", role="editor", body={"enabled": True}),
    Door(method="DELETE", path="/v1/rules/{rule_id}", role="editor"),
    Door(method="POST", path="/v1/rules/{rule_id}/test", role="editor", body={"event_seq": 1}),
    Door(method="GET", path="/v1/deliveries", role="viewer"),
    Door(method="GET", path="/v1/deliveries/{delivery_id}", role="viewer"),
]


@pytest.fixture
def things(there: Stand) -> dict[str, str]:
    """A target, a rule and a delivery of `default`, and an event that only `default` has."""
    target = there.target()
    rule = there.rule(target)
    there.events.add(there.tenant, data={"secret": "of default"})
    there.evaluate()
    there.deliver()
    return {"target_id": target, "rule_id": rule, "delivery_id": there.items()[0].id}


def knock(there: Stand, door: Door, role: str, tenant: str, things: dict[str, str]) -> Any:
    body = door.body
    if isinstance(body, dict):
        body = {
            name: value.format(**things) if isinstance(value, str) and "_id}" in value else value
            for name, value in body.items()
        }
    return there.as_(role, tenant).ask(door.method, door.path.format(**things), body)


def test_every_route_has_a_door_here(there: Stand) -> None:
    paths = there.world.api.app.openapi()["paths"]
    routes = {
        (method.upper(), path)
        for path, methods in paths.items()
        for method in methods
        if path.split("/")[2:3] in (["targets"], ["rules"], ["deliveries"])
    }
    assert routes == {(door.method, door.path) for door in DOORS}


@pytest.mark.parametrize("door", DOORS, ids=[f"{door.method} {door.path}" for door in DOORS])
def test_roles(there: Stand, things: dict[str, str], door: Door) -> None:
    for role in ROLES:
        if role not in INCLUDED[door.role]:
            assert knock(there, door, role, "default", things).status_code == 403, role
    assert there.world.api.ask(door.method, door.path.format(**things), door.body).status_code == 401
    role = min(INCLUDED[door.role], key=ROLES.index)
    assert knock(there, door, role, "default", things).status_code in {200, 201, 204, 409}


@pytest.mark.parametrize("door", DOORS, ids=[f"{door.method} {door.path}" for door in DOORS])
def test_another_tenants_things_do_not_exist(there: Stand, things: dict[str, str], door: Door) -> None:
    before = there.as_("admin").get("/v1/rules"), there.as_("admin").get("/v1/targets")
    messages = len(there.robot.received())
    answer = knock(there, door, "admin", "other", things)
    if "{" in door.path or door.path == "/v1/rules/preview":
        assert answer.status_code == 404
    elif door == DOORS[6]:
        assert answer.status_code == 400, "the target of another tenant is none"
    elif door.method == "GET":
        assert not any(answer.json().get(name) for name in ("targets", "rules", "deliveries"))
    for secret in ("of default", "On call", "Paid"):
        assert secret not in answer.text or door.body is not None
    assert (there.as_("admin").get("/v1/rules"), there.as_("admin").get("/v1/targets")) == before
    assert len(there.robot.received()) == messages


def test_a_cursor_or_filter_of_another_tenant_shows_nothing(there: Stand, things: dict[str, str]) -> None:
    for _ in range(3):
        there.events.add(there.tenant)
    there.evaluate()
    page = there.as_("viewer").get("/v1/deliveries?limit=1")
    other = there.as_("viewer", "other")
    refused = other.ask("GET", f"/v1/deliveries?cursor={page['next']}")
    assert refused.status_code == 400
    assert refused.json()["value"] == page["next"]
    assert refused.json()["rule"]
    assert refused.json()["remedy"]
    assert other.get(f"/v1/deliveries?target={things['target_id']}")["deliveries"] == []
    assert other.get(f"/v1/deliveries?rule={things['rule_id']}")["deliveries"] == []


def test_a_preview_with_another_tenants_target_takes_nothing_of_it(there: Stand) -> None:
    target = there.target(keyword="private word")
    there.events.add(there.other)
    body = {"pattern": {}, "template": {"title": "t"}, "target_id": target}
    found = there.as_("viewer", "other").post("/v1/rules/preview", body)
    assert "private word" not in str(found)
    assert found["problems"][0]["en"].startswith("target_id")


def test_a_preview_of_another_tenants_rule_does_not_exist(there: Stand, things: dict[str, str]) -> None:
    body = {"pattern": {}, "template": {"title": "t"}}
    theirs, nobodys = (
        there.as_("viewer", "other").ask("POST", "/v1/rules/preview", {**body, "rule_id": rule})
        for rule in (things["rule_id"], "0" * 32)
    )
    assert theirs.status_code == 404
    assert theirs.json() | {"value": ""} == nobodys.json() | {"value": ""}


def test_events_of_one_tenant_never_fire_rules_of_another(there: Stand) -> None:
    there.rule(there.target())
    there.rule(there.target(tenant="other"), tenant="other")
    there.events.add(there.tenant)
    there.evaluate()
    assert len(there.alerted()) == 1
    assert there.alerted(there.other) == []
