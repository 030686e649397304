"""Tenants are crossed on every route of accounts, and every role knocks at every door."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from eventcenter.access import OPERATOR
from tests.support.api import World

ANY, NOBODY = "any", "none"
_INCLUDED = {
    ANY: {"writer", "viewer", "editor", "admin", OPERATOR},
    "viewer": {"viewer", "editor", "admin"},
    "admin": {"admin"},
    OPERATOR: {OPERATOR},
    "user": set[str](),
}


@dataclass(frozen=True, kw_only=True)
class Door:
    """A route: who may, and a body that would be right. `{token}` and `{user}` are things of `default`."""

    method: str
    path: str
    role: str
    body: Any = field(default=None)
    template: str = ""


DOORS = [
    Door(method="GET", path="/v1/me", role=ANY),
    Door(method="PATCH", path="/v1/me", role="user", body={"language": "zh"}),
    Door(method="PUT", path="/v1/me/password", role="user", body={"new": "a good password"}),
    Door(method="DELETE", path="/v1/sessions/current", role="user"),
    Door(method="PUT", path="/v1/sessions/current/tenant", role="user", body={"tenant": "default"}),
    Door(method="GET", path="/v1/tenant", role="viewer"),
    Door(method="PATCH", path="/v1/tenant", role="admin", body={"title": "Mine"}),
    Door(method="GET", path="/v1/buses", role="viewer"),
    Door(method="POST", path="/v1/buses", role="admin", body={"name": "fresh"}),
    Door(method="DELETE", path="/v1/buses/secret-bus", role="admin", template="/v1/buses/{name}"),
    Door(method="GET", path="/v1/tokens", role="admin"),
    Door(method="POST", path="/v1/tokens", role="admin", body={"name": "fresh", "role": "viewer"}),
    Door(method="DELETE", path="/v1/tokens/{token}", role="admin", template="/v1/tokens/{token_id}"),
    Door(method="GET", path="/v1/users", role="admin"),
    Door(method="POST", path="/v1/users", role="admin", body={"name": "fresh", "role": "viewer"}),
    Door(
        method="PATCH",
        path="/v1/users/{user}",
        role="admin",
        body={"role": "editor"},
        template="/v1/users/{user_id}",
    ),
    Door(method="POST", path="/v1/users/{user}/link", role="admin", template="/v1/users/{user_id}/link"),
    Door(method="DELETE", path="/v1/users/{user}", role="admin", template="/v1/users/{user_id}"),
    Door(method="GET", path="/v1/tenants", role=OPERATOR),
    Door(method="POST", path="/v1/tenants", role=OPERATOR, body={"name": "fresh"}),
    Door(
        method="PATCH",
        path="/v1/tenants/{tenant}",
        role=OPERATOR,
        body={"title": "T"},
        template="/v1/tenants/{tenant_id}",
    ),
    Door(method="GET", path="/v1/audit", role="admin"),
]
OPEN = {("POST", "/v1/sessions"), ("POST", "/v1/sessions/link")}
NAMED = [door for door in DOORS if any(part in door.path for part in ("{token}", "{user}", "secret-bus"))]


def show(door: Door) -> str:
    return f"{door.method} {door.path}"


@pytest.fixture
def things(there: World) -> dict[str, str]:
    """Things of `default` that `other` must not see."""
    admin = there.as_("admin")
    admin.post("/v1/buses", {"name": "secret-bus", "description": "secret-words"})
    return {
        "token": admin.post("/v1/tokens", {"name": "secret-token", "role": "viewer"})["id"],
        "user": admin.post("/v1/users", {"name": "secret-user", "role": "viewer"})["id"],
        "tenant": there.tenants["default"],
    }


def test_the_table_has_every_route(there: World) -> None:
    documented = {
        (method.upper(), path)
        for path, operations in there.api.get("/openapi.json")["paths"].items()
        for method in operations
        if path.startswith("/v1/")
    }
    assert documented == OPEN | {(door.method, door.template or door.path) for door in DOORS}


@pytest.mark.parametrize("door", DOORS, ids=show)
def test_without_a_credential_nothing_opens(there: World, things: dict[str, str], door: Door) -> None:
    answer = there.api.ask(door.method, door.path.format(**things), door.body)
    assert answer.status_code == 401


@pytest.mark.parametrize("door", DOORS, ids=show)
def test_a_role_opens_what_it_includes(there: World, things: dict[str, str], door: Door) -> None:
    path = door.path.format(**things)
    for role in ("writer", "viewer", "editor", OPERATOR, "admin"):
        answer = there.as_(role).ask(door.method, path, door.body)
        if role in _INCLUDED[door.role]:
            assert answer.is_success, (role, answer.text)
        else:
            assert answer.status_code == 403, (role, answer.text)
            assert answer.json()["remedy"]


@pytest.mark.parametrize("door", NAMED, ids=show)
def test_another_tenants_things_do_not_exist(there: World, things: dict[str, str], door: Door) -> None:
    theirs = there.as_("admin", "other").ask(door.method, door.path.format(**things), door.body)
    assert theirs.status_code == 404, theirs.text
    nothing = there.as_("admin", "other").ask(
        door.method, door.path.format(token="0" * 32, user="0" * 32).replace("secret-bus", "none"), door.body
    )
    assert nothing.status_code == 404
    assert theirs.json() | {"value": ""} == nothing.json() | {"value": ""}
    mine = there.as_("admin").ask(door.method, door.path.format(**things), door.body)
    assert mine.is_success, mine.text


@pytest.mark.parametrize(
    "path", ["/v1/me", "/v1/tenant", "/v1/buses", "/v1/tokens", "/v1/users", "/v1/audit"]
)
def test_lists_hold_the_own_tenant_alone(there: World, things: dict[str, str], path: str) -> None:
    answer = there.as_("admin", "other").ask("GET", path)
    assert answer.status_code == 200
    for secret in ("secret", "Default", "default title", *things.values()):
        assert secret not in answer.text


def test_a_cursor_of_another_tenants_audit_is_refused(there: World, things: dict[str, str]) -> None:
    for number in range(5):
        there.as_("admin").post("/v1/buses", {"name": f"secret-{number}"})
    cursor = there.as_("admin").get("/v1/audit", params={"limit": 1})["next"]
    page = there.as_("admin", "other").ask("GET", "/v1/audit", params={"cursor": cursor, "limit": 500})
    assert page.status_code == 400
    assert page.json()["value"] == cursor
    assert page.json()["rule"]
    assert page.json()["remedy"]
    assert "secret" not in page.text
    assert things["token"] not in page.text
    assert there.as_("admin").get("/v1/audit", params={"cursor": cursor, "limit": 500})["audit"]
