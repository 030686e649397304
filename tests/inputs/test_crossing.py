"""Tenants are crossed on every route of inputs, and every role knocks at every door."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from eventcenter.access import OPERATOR
from ingest.inputs.status import InputStatus, Problem
from tests.inputs.stand import NEW, Stand

INCLUDED = {"viewer": {"viewer", "editor", "admin"}, "admin": {"admin"}}
ROLES = ("writer", "viewer", "editor", "admin", OPERATOR)
TIME = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-01T01:00:00Z"}


@dataclass(frozen=True, kw_only=True)
class Door:
    """A route: who may, and a body that would be right. `{input_id}` is an input of `default`."""

    method: str
    path: str
    role: str
    body: Any = field(default=None)


DOORS = [
    Door(method="GET", path="/v1/inputs", role="viewer"),
    Door(method="POST", path="/v1/inputs", role="admin", body={**NEW, "name": "new", "group": "new"}),
    Door(method="POST", path="/v1/inputs/test", role="admin", body={"id": "{input_id}"}),
    Door(method="GET", path="/v1/inputs/{input_id}", role="viewer"),
    Door(method="PATCH", path="/v1/inputs/{input_id}", role="admin", body={"name": "changed"}),
    Door(method="DELETE", path="/v1/inputs/{input_id}", role="admin"),
    Door(method="GET", path="/v1/inputs/{input_id}/fetches", role="viewer"),
    Door(method="POST", path="/v1/inputs/{input_id}/fetches", role="admin", body=TIME),
]
NAMING = [door for door in DOORS if "{input_id}" in door.path + str(door.body)]


def show(door: Door) -> str:
    return f"{door.method} {door.path}"


@pytest.fixture
def things(there: Stand, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An input of `default` with a ledger, and a service that tells of it. Nothing listens at its address."""
    monkeypatch.setattr("ingest.inputs.trying.WITHIN_S", 5.0)
    input_id = there.make(name="secret-name", addresses="127.0.0.1:9")
    there.receive(input_id, [0, 1, 5], topic="secret-topic")
    problem = Problem(detail="secret-problem")
    there.tell({input_id: InputStatus(**there.reach(0, 9, "secret-topic"), problems=(problem,))})
    return {"input_id": input_id}


def knock(there: Stand, door: Door, role: str, tenant: str, things: dict[str, str]) -> Any:
    body = door.body
    if isinstance(body, dict):
        body = {
            name: value.format_map(things) if isinstance(value, str) else value
            for name, value in body.items()
        }
    return there.as_(role, tenant).ask(door.method, door.path.format_map(things), body)


def test_the_table_has_every_route(there: Stand) -> None:
    documented = {
        (method.upper(), path)
        for path, operations in there.as_("viewer").get("/openapi.json")["paths"].items()
        for method, operation in operations.items()
        if operation.get("tags") == ["inputs"]
    }
    assert {(door.method, door.path) for door in DOORS} == documented


@pytest.mark.parametrize("door", DOORS, ids=show)
def test_each_role_passes_where_it_may(there: Stand, things: dict[str, str], door: Door) -> None:
    for role in ROLES:
        answer = knock(there, door, role, "default", things)
        if role in INCLUDED[door.role]:
            # Without a name server nothing can be fetched.
            assert answer.status_code in {200, 201, 204, 400}, answer.text
            assert (answer.status_code == 400) == (door.method == "POST" and "fetches" in door.path)
        else:
            assert answer.status_code == 403, answer.text


@pytest.mark.parametrize("door", DOORS, ids=show)
def test_nothing_without_a_credential(there: Stand, things: dict[str, str], door: Door) -> None:
    answer = there.world.api.ask(door.method, door.path.format_map(things), door.body)
    assert answer.status_code == 401


@pytest.mark.parametrize("door", NAMING, ids=show)
def test_what_another_tenant_has_is_not_found(there: Stand, things: dict[str, str], door: Door) -> None:
    theirs = knock(there, door, "admin", "other", things)
    nobodys = knock(there, door, "admin", "other", {"input_id": "0" * 32})
    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    assert theirs.text.replace(things["input_id"], "…") == nobodys.text.replace("0" * 32, "…")


@pytest.mark.parametrize("door", DOORS, ids=show)
def test_no_door_shows_or_changes_another_tenants_things(
    there: Stand, things: dict[str, str], door: Door
) -> None:
    before = there.as_("viewer").get(f"/v1/inputs/{things['input_id']}")
    answer = knock(there, door, "admin", "other", things)
    for secret in ("secret-name", "secret-topic", "secret-problem"):
        assert secret not in answer.text
    after = there.as_("viewer").get(f"/v1/inputs/{things['input_id']}")
    assert after == before


def test_a_ledger_of_one_tenant_is_not_told_by_the_input_of_another(there: Stand) -> None:
    """Even an input of the same id, which cannot be, would show the other's archive alone."""
    mine = there.make()
    there.receive(mine, [0, 1])
    there.receive(mine, [0, 1, 2, 3], tenant="other")
    assert there.as_("viewer").get(f"/v1/inputs/{mine}")["status"]["received"] == 2
