"""What the routes do for those who may."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eventcenter.access import OPERATOR, Principal
from eventcenter.accounts.shapes import AddedUser
from eventcenter.store.bootstrap import sign_in_link
from eventcenter.store.models import Rule, Target, Token
from eventcenter.store.sql import Session, select
from tests.support.api import World, world


def test_the_tenant_is_read_and_changed(there: World) -> None:
    assert there.as_("viewer").get("/v1/tenant")["title"] == "Default"
    changed = there.as_("admin").patch("/v1/tenant", {"time_zone": "Asia/Shanghai", "language": "zh"})
    assert (changed["title"], changed["time_zone"], changed["language"]) == ("Default", "Asia/Shanghai", "zh")
    assert there.as_("viewer", "other").get("/v1/tenant")["time_zone"] == "UTC"


@pytest.mark.parametrize(
    "change",
    [
        {"time_zone": "Mars/Base"},
        {"time_zone": "../../etc/passwd"},
        {"language": "xx"},
        {"title": ""},
        {"title": "  "},
        {"title": "x" * 201},
        {"title": "a\nb"},
        {"title": "\u202eevil"},
        {"name": "renamed"},
    ],
)
def test_a_wrong_change_of_the_tenant_is_refused(there: World, change: Mapping[str, str]) -> None:
    assert there.as_("admin").ask("PATCH", "/v1/tenant", change).status_code == 400


def test_buses_show_what_they_hold(tmp_path: Path) -> None:
    last = datetime(2026, 10, 31, tzinfo=UTC)

    def statistics(tenant_id: str) -> Mapping[str, tuple[int, datetime | None]]:
        return {"orders": (7, last)} if tenant_id == there.tenants["default"] else {}

    with world(tmp_path, bus_statistics=statistics) as there:
        admin = there.as_("admin")
        for name in ("orders", "Audit", "a-1"):
            created = admin.post("/v1/buses", {"name": name, "description": f"{name}!"})
            assert (created["name"], created["events"], created["last_received_at"]) == (name, 0, None)
        there.as_("admin", "other").post("/v1/buses", {"name": "orders"})
        buses = there.as_("viewer").get("/v1/buses")["buses"]
        assert [bus["name"] for bus in buses] == ["default", "Audit", "a-1", "orders"]
        assert (buses[3]["events"], buses[3]["last_received_at"]) == (7, "2026-10-31T00:00:00Z")
        held = admin.ask("DELETE", "/v1/buses/orders", params={"confirm": "orders"})
        assert held.status_code == 409
        assert held.json()["value"] == "orders: 7 events"
        assert admin.ask("DELETE", "/v1/buses/a-1").status_code == 204
        assert admin.ask("DELETE", "/v1/buses/a-1").status_code == 404
        assert there.as_("admin", "other").ask("DELETE", "/v1/buses/orders").status_code == 204
        assert [bus["name"] for bus in there.as_("viewer").get("/v1/buses")["buses"]] == [
            "default",
            "Audit",
            "orders",
        ]


def test_the_default_bus_and_a_name_taken_are_refused(there: World) -> None:
    admin = there.as_("admin")
    assert admin.ask("DELETE", "/v1/buses/default").status_code == 409
    assert admin.ask("POST", "/v1/buses", {"name": "default"}).status_code == 409


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "a.b", "ü", "x" * 128, "a\n"])
def test_a_wrong_name_of_a_bus_is_refused(there: World, name: str) -> None:
    answer = there.as_("admin").ask("POST", "/v1/buses", {"name": name})
    assert answer.status_code == 400
    assert "letters, digits and hyphens" in answer.json()["rule"]


def test_a_bus_that_a_rule_watches_stays(there: World) -> None:
    admin = there.as_("admin")
    admin.post("/v1/buses", {"name": "orders"})
    now, tenant_id = there.clock.now(), there.tenants["default"]

    def watch(session: Session) -> None:
        target = Target(
            tenant_id=tenant_id,
            name="robot",
            robot_hash="",
            config={},
            secrets=b"",
            created_at=now,
            updated_at=now,
        )
        session.add(target)
        session.flush()
        rule = Rule(
            tenant_id=tenant_id,
            name="big orders",
            buses=["orders"],
            pattern={},
            template={},
            target_id=target.id,
            created_at=now,
            updated_at=now,
        )
        session.add(rule)

    there.store.write(watch)
    refused = admin.ask("DELETE", "/v1/buses/orders")
    assert (refused.status_code, refused.json()["value"]) == (409, "big orders")


def test_a_token_is_shown_once_and_works_until_revoked(there: World) -> None:
    admin = there.as_("admin")
    made = admin.ask("POST", "/v1/tokens", {"name": "ci", "role": "viewer"})
    assert made.status_code == 201
    token = made.json()["token"]
    assert token.startswith("ect_")
    assert len(token) == 47
    assert made.json()["prefix"] == token[:8]
    me = there.api.as_(token).get("/v1/me")
    assert (me["kind"], me["actor"], me["role"], me["user"]) == ("token", "token:ci", "viewer", None)
    assert [each["name"] for each in me["tenants"]] == ["default"]
    listed = admin.ask("GET", "/v1/tokens")
    assert token not in listed.text
    assert "hash" not in listed.text
    assert made.json()["id"] in {each["id"] for each in listed.json()["tokens"]}
    assert admin.ask("DELETE", f"/v1/tokens/{made.json()['id']}").status_code == 204
    assert there.api.as_(token).ask("GET", "/v1/me").status_code == 401
    assert admin.ask("DELETE", f"/v1/tokens/{made.json()['id']}").status_code == 404
    assert made.json()["id"] not in {each["id"] for each in admin.get("/v1/tokens")["tokens"]}


def test_a_token_ends_when_it_says(there: World) -> None:
    admin = there.as_("admin")
    body = {"name": "short", "role": "viewer", "expires_at": "2026-11-01T08:00:00+07:00"}
    made = admin.post("/v1/tokens", body)
    assert made["expires_at"] == "2026-11-01T01:00:00Z"
    there.clock.advance(3599)
    there.api.as_(made["token"]).get("/v1/me")
    there.clock.advance(1)
    assert there.api.as_(made["token"]).ask("GET", "/v1/me").status_code == 401
    for moment in ("2026-11-01T01:00:00Z", "2026-11-02T00:00:00", "soon"):
        refused = admin.ask("POST", "/v1/tokens", body | {"expires_at": moment})
        assert refused.status_code == 400, moment


@pytest.mark.parametrize("role", ["operator", "owner", "", "Admin"])
def test_a_token_has_a_role_of_its_tenant(there: World, role: str) -> None:
    assert there.as_("admin").ask("POST", "/v1/tokens", {"name": "x", "role": role}).status_code == 400


def test_the_use_of_a_token_is_noted_once_a_minute(there: World) -> None:
    digest_of = select(Token.last_used_at).where(Token.name == "viewer").order_by(Token.last_used_at.desc())
    viewer = there.as_("viewer")

    def noted() -> datetime | None:
        there.store.write(lambda _: None)
        return there.store.read(lambda session: session.scalars(digest_of).first())

    viewer.get("/v1/me")
    first = there.clock.now()
    assert noted() == first
    there.clock.advance(59)
    viewer.get("/v1/me")
    assert noted() == first
    there.clock.advance(1)
    viewer.get("/v1/me")
    assert noted() == there.clock.now()


def share(there: World, name: str, role: str, tenant: str = "other") -> AddedUser:
    """Add an account that another tenant made, as the operator does on the machine."""
    operator = Principal.local(there.tenants[tenant])
    return there.accounts.users.add(operator, name=name, role=role, existing=True)


def test_a_new_member_gets_a_link_and_an_old_account_none(there: World) -> None:
    admin, others = there.as_("admin"), there.as_("admin", "other")
    new = admin.post("/v1/users", {"name": " Bob ", "role": "editor"})
    assert (new["name"], new["role"]) == ("bob", "editor")
    session = there.api.post("/v1/sessions/link", {"code": new["link"]["code"]})["session"]
    assert there.api.as_(session).get("/v1/me")["role"] == "editor"
    there_too = share(there, "bob", "admin")
    assert (there_too.link, there_too.id) == (None, new["id"])
    assert admin.ask("POST", "/v1/users", {"name": "bob", "role": "viewer"}).status_code == 409
    assert [(user["name"], user["role"]) for user in admin.get("/v1/users")["users"]] == [
        ("admin", "admin"),
        ("bob", "editor"),
    ]
    assert [(user["name"], user["role"]) for user in others.get("/v1/users")["users"]] == [("bob", "admin")]


def test_an_account_made_elsewhere_becomes_no_member_by_its_name(there: World) -> None:
    """Whoever takes a name first cannot wait for another tenant to let them in by it."""
    others, admin = there.as_("admin", "other"), there.as_("admin")
    taken = others.post("/v1/users", {"name": "bob", "role": "viewer"})
    bob = there.api.as_(there.api.post("/v1/sessions/link", {"code": taken["link"]["code"]})["session"])
    bob.put("/v1/me/password", {"new": "a good password"})
    before = admin.get("/v1/audit")["audit"]
    refused = admin.ask("POST", "/v1/users", {"name": "bob", "role": "editor"})
    assert refused.status_code == 409
    assert refused.json()["value"] == "bob"
    assert refused.json()["rule"]
    assert "choose another name, or ask an operator" in refused.json()["remedy"]
    assert [user["name"] for user in admin.get("/v1/users")["users"]] == ["admin"]
    assert [each["name"] for each in bob.get("/v1/me")["tenants"]] == ["other"]
    assert admin.get("/v1/audit")["audit"] == before

    # One answer for all accounts that were made elsewhere: of a tenant, of none any more, of the operator.
    others.delete(f"/v1/users/{taken['id']}")
    assert admin.ask("POST", "/v1/users", {"name": "bob", "role": "editor"}).json() == refused.json()
    first = others.ask("POST", "/v1/users", {"name": "admin", "role": "viewer"}).json()
    assert first | {"value": "bob"} == refused.json()


def test_a_tenant_takes_its_own_account_back(there: World) -> None:
    admin = there.as_("admin")
    bob = admin.post("/v1/users", {"name": "bob", "role": "viewer"})["id"]
    admin.delete(f"/v1/users/{bob}")
    again = admin.post("/v1/users", {"name": "bob", "role": "editor"})
    assert (again["id"], again["role"], again["link"]) == (bob, "editor", None)


def test_only_an_operator_says_that_an_account_made_elsewhere_is_meant(there: World) -> None:
    there.as_("admin", "other").post("/v1/users", {"name": "bob", "role": "viewer"})
    for name in ("bob", "nobody"):
        body = {"name": name, "role": "viewer", "existing": True}
        assert there.as_("admin").ask("POST", "/v1/users", body).status_code == 403
    first = there.api.post("/v1/sessions/link", {"code": sign_in_link(there.store, "admin")})["session"]
    operator = there.api.as_(first)
    body = {"name": "bob", "role": "viewer"}
    assert operator.ask("POST", "/v1/users", body).status_code == 409, "not even an operator by accident"
    assert operator.ask("POST", "/v1/users", {**body, "name": "bbo", "existing": True}).status_code == 404
    assert operator.post("/v1/users", {**body, "existing": True})["link"] is None
    row = operator.get("/v1/audit")["audit"][0]
    assert (row["action"], row["detail"]) == ("user.add", {"role": "viewer", "new": False})


def test_an_admin_renews_links_of_own_accounts_only(there: World) -> None:
    admin, others = there.as_("admin"), there.as_("admin", "other")
    bob = admin.post("/v1/users", {"name": "bob", "role": "viewer"})["id"]
    link = admin.ask("POST", f"/v1/users/{bob}/link")
    assert link.status_code == 201
    assert link.json()["expires_at"] == "2026-11-01T00:15:00Z"
    there.api.post("/v1/sessions/link", {"code": link.json()["code"]})

    # Bob is a member of another tenant: whoever signs in as bob would see that tenant too.
    share(there, "bob", "viewer")
    assert admin.ask("POST", f"/v1/users/{bob}/link").status_code == 403
    assert others.ask("POST", f"/v1/users/{bob}/link").status_code == 403

    # Bob is left in a tenant that did not make the account.
    admin.delete(f"/v1/users/{bob}")
    assert admin.ask("POST", f"/v1/users/{bob}/link").status_code == 404
    assert others.ask("POST", f"/v1/users/{bob}/link").status_code == 403

    # The first user is an operator.
    first = next(user for user in admin.get("/v1/users")["users"] if user["name"] == "admin")
    assert admin.ask("POST", f"/v1/users/{first['id']}/link").status_code == 403


def test_the_last_admin_stays(there: World) -> None:
    admin = there.as_("admin")
    first = admin.get("/v1/users")["users"][0]["id"]
    assert admin.ask("DELETE", f"/v1/users/{first}").status_code == 409
    assert admin.ask("PATCH", f"/v1/users/{first}", {"role": "viewer"}).status_code == 409
    assert admin.patch(f"/v1/users/{first}", {"role": "admin"})["role"] == "admin"
    second = admin.post("/v1/users", {"name": "second", "role": "admin"})["id"]
    assert admin.patch(f"/v1/users/{first}", {"role": "viewer"})["role"] == "viewer"
    assert admin.ask("DELETE", f"/v1/users/{second}").status_code == 409
    assert admin.ask("DELETE", f"/v1/users/{first}").status_code == 204


@pytest.mark.parametrize("name", ["", " ", "a b", "<b>", "ü", "x" * 65, "a\x00"])
def test_a_wrong_name_of_a_user_is_refused(there: World, name: str) -> None:
    assert there.as_("admin").ask("POST", "/v1/users", {"name": name, "role": "viewer"}).status_code == 400


def test_an_operator_makes_tenants_and_reads_nothing_in_them(there: World) -> None:
    operator = there.as_(OPERATOR)
    made = operator.post("/v1/tenants", {"name": "acme", "title": "Acme", "admin": "wile"})
    assert (made["name"], made["title"], made["time_zone"]) == ("acme", "Acme", "UTC")
    wile = there.api.as_(there.api.post("/v1/sessions/link", {"code": made["link"]["code"]})["session"])
    assert wile.get("/v1/me")["tenant"]["name"] == "acme"
    assert [bus["name"] for bus in wile.get("/v1/buses")["buses"]] == ["default"]
    assert [row["action"] for row in wile.get("/v1/audit")["audit"]] == ["session.begin", "tenant.create"]
    second = {"name": "bcme", "admin": "wile"}
    assert operator.ask("POST", "/v1/tenants", second).status_code == 409
    mistyped = {**second, "admin": "wlie", "existing": True}
    assert operator.ask("POST", "/v1/tenants", mistyped).status_code == 404
    known = operator.post("/v1/tenants", {**second, "existing": True})
    assert (known["title"], known["link"]) == ("bcme", None)
    assert [tenant["name"] for tenant in operator.get("/v1/tenants")["tenants"]] == [
        "acme",
        "bcme",
        "default",
        "other",
    ]
    assert operator.patch(f"/v1/tenants/{made['id']}", {"title": "ACME"})["title"] == "ACME"
    assert operator.ask("PATCH", "/v1/tenants/none", {"title": "X"}).status_code == 404
    assert operator.ask("POST", "/v1/tenants", {"name": "acme"}).status_code == 409
    me = operator.get("/v1/me")
    assert (me["operator"], me["role"], me["tenant"], me["tenants"]) == (True, None, None, [])
    for path in ("/v1/tenant", "/v1/buses", "/v1/tokens", "/v1/users", "/v1/audit"):
        refused = operator.ask("GET", path)
        assert refused.status_code == 403
        assert "membership" in refused.json()["remedy"]


@pytest.mark.parametrize("name", ["", "-a", "A", "a b", "a_b", "x" * 64, "a/b"])
def test_a_wrong_name_of_a_tenant_is_refused(there: World, name: str) -> None:
    assert there.as_(OPERATOR).ask("POST", "/v1/tenants", {"name": name}).status_code == 400


def test_the_audit_is_read_in_pages_that_stay_right(there: World) -> None:
    admin = there.as_("admin")
    for number in range(5):
        admin.post("/v1/buses", {"name": f"b{number}"})
    whole = admin.get("/v1/audit", params={"limit": 500})["audit"]
    first = admin.get("/v1/audit", params={"limit": 3})
    admin.post("/v1/buses", {"name": "later"})
    seen = list(first["audit"])
    cursor = first["next"]
    while cursor is not None:
        page = admin.get("/v1/audit", params={"limit": 3, "cursor": cursor})
        seen += page["audit"]
        cursor = page["next"]
    assert seen == whole
    assert seen[0]["object"] == "bus:b4"
    assert seen[0]["actor"] == "token:admin"
    assert seen[0]["at"] == "2026-11-01T00:00:00Z"
    for cursor in ("x", "-1", "9" * 30, "", "١"):
        assert admin.ask("GET", "/v1/audit", params={"cursor": cursor}).status_code == 400, cursor
    for limit in (0, 501, "many"):
        assert admin.ask("GET", "/v1/audit", params={"limit": limit}).status_code == 400


def test_every_write_leaves_one_row_and_no_secret(there: World) -> None:
    code = sign_in_link(there.store, "admin")
    session = there.api.as_(there.api.post("/v1/sessions/link", {"code": code})["session"])
    secrets = [code, session.credential or "", "a good password"]

    def rows() -> list[dict[str, object]]:
        found: list[dict[str, object]] = session.get("/v1/audit", params={"limit": 500})["audit"]
        return found

    user = session.post("/v1/users", {"name": "bob", "role": "viewer"})
    token = session.post("/v1/tokens", {"name": "x", "role": "admin"})
    secrets += [user["link"]["code"], token["token"]]
    writes = [
        ("PATCH", "/v1/tenant", {"title": "T"}, "tenant.change"),
        ("PATCH", "/v1/me", {"language": "zh"}, "user.language"),
        ("PUT", "/v1/me/password", {"new": "a good password"}, "user.password"),
        ("PUT", "/v1/sessions/current/tenant", {"tenant": "default"}, "session.tenant"),
        ("POST", "/v1/buses", {"name": "b"}, "bus.create"),
        ("DELETE", "/v1/buses/b", None, "bus.delete"),
        ("POST", "/v1/tokens", {"name": "y", "role": "viewer"}, "token.create"),
        ("DELETE", f"/v1/tokens/{token['id']}", None, "token.revoke"),
        ("POST", "/v1/users", {"name": "carol", "role": "viewer"}, "user.add"),
        ("PATCH", f"/v1/users/{user['id']}", {"role": "editor"}, "user.role"),
        ("POST", f"/v1/users/{user['id']}/link", None, "link.create"),
        ("DELETE", f"/v1/users/{user['id']}", None, "user.remove"),
        ("PATCH", f"/v1/tenants/{there.tenants['default']}", {"title": "U"}, "tenant.change"),
    ]
    for method, path, body, action in writes:
        before = len(rows())
        answer = session.ask(method, path, body)
        assert answer.is_success, (path, answer.text)
        after = rows()
        assert len(after) == before + 1, path
        assert (after[0]["action"], after[0]["actor"]) == (action, "user:admin"), path
        secrets += [value for key in ("token", "code") if (value := _member(answer.content, key))]
    before = len(rows())
    assert session.ask("DELETE", "/v1/buses/default").status_code == 409
    assert len(rows()) == before
    kept = session.ask("GET", "/v1/audit", params={"limit": 500}).text
    assert all(secret and secret not in kept for secret in secrets)


def _member(content: bytes, key: str) -> str | None:
    import json

    body = json.loads(content) if content else {}
    return body.get(key) if isinstance(body.get(key), str) else None
