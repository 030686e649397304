"""Tenants are crossed on every route of retention, and every role knocks at every door."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from eventcenter.access import OPERATOR
from tests.retention.stand import Stand

INCLUDED = {"viewer": {"viewer", "editor", "admin"}, "admin": {"admin"}}
ROLES = ("writer", "viewer", "editor", "admin", OPERATOR)


@dataclass(frozen=True, kw_only=True)
class Door:
    """A route: who may, and a body that would be right. `{deletion_id}` and `{bus}` are of `default`."""

    method: str
    path: str
    role: str
    body: Any = field(default=None)


HOLD = {"reason": "r"}
DOORS = [
    Door(method="GET", path="/v1/retention", role="viewer"),
    Door(method="PUT", path="/v1/retention", role="admin", body={"max_age_days": 1}),
    Door(method="DELETE", path="/v1/retention", role="admin"),
    Door(method="PUT", path="/v1/retention/hold", role="admin", body=HOLD),
    Door(method="DELETE", path="/v1/retention/hold", role="admin"),
    Door(method="PUT", path="/v1/buses/{bus}/retention", role="admin", body={"max_age_days": 1}),
    Door(method="DELETE", path="/v1/buses/{bus}/retention", role="admin"),
    Door(method="PUT", path="/v1/buses/{bus}/hold", role="admin", body=HOLD),
    Door(method="DELETE", path="/v1/buses/{bus}/hold", role="admin"),
    Door(method="POST", path="/v1/deletions", role="admin", body=HOLD | {"subject": "x", "bus": "{bus}"}),
    Door(method="GET", path="/v1/deletions", role="viewer"),
    Door(method="GET", path="/v1/deletions/{deletion_id}", role="viewer"),
]
NAMING = [door for door in DOORS if "_id}" in door.path or "{bus}" in door.path + str(door.body)]


def show(door: Door) -> str:
    return f"{door.method} {door.path}"


@pytest.fixture
def things(there: Stand, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A bus that only `default` has, under a hold and a policy, and a deletion."""
    monkeypatch.setattr("eventcenter.retention.api._WAIT_S", 0.01)
    admin = there.as_("admin")
    made = admin.post("/v1/deletions", {"subject": "secret-subject", "reason": "secret-reason"})
    admin.post("/v1/buses", {"name": "secret-bus"})
    for path in ("/v1/retention", "/v1/buses/secret-bus/retention"):
        admin.put(path, {"max_age_days": 7})
    for path in ("/v1/retention/hold", "/v1/buses/secret-bus/hold"):
        admin.put(path, {"reason": "secret-reason"})
    return {"deletion_id": made["id"], "bus": "secret-bus"}


def knock(there: Stand, door: Door, role: str, tenant: str, things: dict[str, str]) -> Any:
    body = door.body
    if isinstance(body, dict):
        body = {
            name: str(value).format_map(things) if "{" in str(value) else value
            for name, value in body.items()
        }
    return there.as_(role, tenant).ask(door.method, door.path.format_map(things), body)


def test_the_table_has_every_route(there: Stand) -> None:
    documented = {
        (method.upper(), path)
        for path, operations in there.as_("viewer").get("/openapi.json")["paths"].items()
        for method, operation in operations.items()
        if operation.get("tags") == ["retention"]
    }
    assert {(door.method, door.path) for door in DOORS} == documented


@pytest.mark.parametrize("door", DOORS, ids=show)
def test_each_role_passes_where_it_may(there: Stand, things: dict[str, str], door: Door) -> None:
    for role in ROLES:
        answer = knock(there, door, role, "default", things)
        if role in INCLUDED[door.role]:
            assert answer.status_code in {200, 201, 204, 409}, answer.text
        else:
            assert answer.status_code == 403, answer.text


@pytest.mark.parametrize("door", NAMING, ids=show)
def test_what_another_tenant_has_is_not_found(there: Stand, things: dict[str, str], door: Door) -> None:
    theirs = knock(there, door, "admin", "other", things)
    nobodys = knock(there, door, "admin", "other", {"deletion_id": "0" * 32, "bus": "no-such-bus"})
    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    assert theirs.text.replace(things["deletion_id"], "…").replace("secret-bus", "…") == nobodys.text.replace(
        "0" * 32, "…"
    ).replace("no-such-bus", "…")


@pytest.mark.parametrize("door", DOORS, ids=show)
def test_no_door_shows_or_changes_another_tenants_things(
    there: Stand, things: dict[str, str], door: Door
) -> None:
    before = there.as_("viewer").get("/v1/retention")
    answer = knock(there, door, "admin", "other", things)
    for secret in ("secret-reason", "secret-subject", things["deletion_id"]):
        assert secret not in answer.text or secret in door.path.format_map(things)
    assert there.as_("viewer").get("/v1/retention") == before
