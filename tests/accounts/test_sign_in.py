"""Sign-in by password and by link, sessions and their end."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eventcenter.access import Principal
from eventcenter.accounts.passwords import Passwords
from eventcenter.store.bootstrap import sign_in_link
from eventcenter.store.models import SessionRow, SignInLink, User
from eventcenter.store.sql import select
from tests.support.api import Api, World

PASSWORD = "correct horse battery"


def by_link(there: World, name: str = "admin") -> Api:
    opened = there.api.post("/v1/sessions/link", {"code": sign_in_link(there.store, name)})
    return there.api.as_(opened["session"])


def by_password(there: World, name: str = "admin", password: str = PASSWORD) -> Api:
    return there.api.as_(there.api.post("/v1/sessions", {"name": name, "password": password})["session"])


@pytest.fixture
def with_password(there: World) -> World:
    there.accounts.sessions.set_password(Principal.local(), "admin", PASSWORD)
    return there


def test_a_link_signs_in_once(there: World) -> None:
    code = sign_in_link(there.store, "admin")
    opened = there.api.ask("POST", "/v1/sessions/link", {"code": code})
    assert opened.status_code == 201
    assert opened.json()["session"].startswith("ecs_")
    me = there.api.as_(opened.json()["session"]).get("/v1/me")
    assert me["user"]["name"] == "admin"
    assert (me["kind"], me["actor"], me["role"], me["operator"]) == ("session", "user:admin", "admin", True)
    assert me["tenant"]["name"] == "default"
    assert [(each["name"], each["role"]) for each in me["tenants"]] == [("default", "admin")]
    again = there.api.ask("POST", "/v1/sessions/link", {"code": code})
    assert again.status_code == 401
    assert code not in again.text


def test_many_at_once_spend_a_link_once(there: World) -> None:
    code = sign_in_link(there.store, "admin")

    def spend(_: int) -> int:
        return there.api.ask("POST", "/v1/sessions/link", {"code": code}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(spend, range(8))) == [201] + [401] * 7


def test_a_link_is_over_after_a_quarter_hour(there: World) -> None:
    early, late = sign_in_link(there.store, "admin"), sign_in_link(there.store, "admin")
    there.clock.advance(15 * 60 - 1)
    there.api.post("/v1/sessions/link", {"code": early})
    there.clock.advance(1)
    assert there.api.ask("POST", "/v1/sessions/link", {"code": late}).status_code == 401


def test_the_right_password_signs_in(with_password: World) -> None:
    me = by_password(with_password, " Admin ").get("/v1/me")
    assert me["user"]["name"] == "admin"


@pytest.mark.parametrize(
    ("name", "password"),
    [("admin", "wrong password"), ("nobody", PASSWORD), ("admin", ""), ("", ""), ("admin\x00", PASSWORD)],
)
def test_wrong_names_and_passwords_get_one_answer(with_password: World, name: str, password: str) -> None:
    answer = with_password.api.ask("POST", "/v1/sessions", {"name": name, "password": password})
    assert answer.status_code == 401
    assert answer.json()["detail"] == "The name or the password is wrong."
    assert "value" not in answer.json()


def test_an_account_without_password_takes_none(there: World) -> None:
    for password in ("", "None", "null"):
        answer = there.api.ask("POST", "/v1/sessions", {"name": "admin", "password": password})
        assert answer.status_code == 401


def test_unknown_names_cost_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords()
    checked: list[str] = []
    hasher = passwords._hasher
    verify = type(hasher).verify

    def counted(self: object, stored: str, given: str) -> bool:
        checked.append(stored.rsplit("$", 2)[0])
        return bool(verify(hasher, stored, given))

    monkeypatch.setattr(type(hasher), "verify", counted)
    stored = passwords.hash(PASSWORD)
    assert passwords.verify(stored, PASSWORD)
    assert not passwords.verify(stored, "wrong")
    assert not passwords.verify(None, PASSWORD)
    assert len(checked) == 3
    assert len(set(checked)) == 1
    assert not passwords.verify("no hash at all", PASSWORD)


def test_too_many_wrong_passwords_wait(with_password: World) -> None:
    wrong = {"name": "admin", "password": "wrong password"}
    for _ in range(10):
        assert with_password.api.ask("POST", "/v1/sessions", wrong).status_code == 401
        with_password.clock.advance(1)
    right = {"name": "ADMIN", "password": PASSWORD}
    refused = with_password.api.ask("POST", "/v1/sessions", right)
    assert refused.status_code == 429
    wait = int(refused.headers["retry-after"])
    assert 280 <= wait <= 300
    by_link(with_password)
    others = with_password.api.ask("POST", "/v1/sessions", {"name": "nobody", "password": "x"})
    assert others.status_code == 401
    with_password.clock.advance(wait)
    by_password(with_password)


def test_unknown_names_wait_too(there: World) -> None:
    wrong = {"name": "nobody", "password": "wrong password"}
    answers = [there.api.ask("POST", "/v1/sessions", wrong).status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]


def test_a_right_password_forgives(with_password: World) -> None:
    for _ in range(3):
        for _ in range(9):
            wrong = {"name": "admin", "password": "wrong password"}
            assert with_password.api.ask("POST", "/v1/sessions", wrong).status_code == 401
        by_password(with_password)


def test_a_session_ends_after_a_week_or_a_day_unused(there: World) -> None:
    used, unused = by_link(there), by_link(there)
    for _ in range(6):
        there.clock.advance(23 * 3600)
        used.get("/v1/me")
        # The request did not wait for the note of its use; what is written after it does.
        there.store.write(lambda session: session.flush())
    assert unused.ask("GET", "/v1/me").status_code == 401
    there.clock.advance(23 * 3600)
    used.get("/v1/me")
    there.clock.advance(7 * 3600)
    assert used.ask("GET", "/v1/me").status_code == 401


def test_what_is_over_is_swept(there: World) -> None:
    by_link(there)
    sign_in_link(there.store, "admin")
    assert there.accounts.sessions.sweep() == 0
    there.clock.advance(25 * 3600)
    assert there.accounts.sessions.sweep() == 3
    left = there.store.read(
        lambda session: [*session.scalars(select(SessionRow.id)), *session.scalars(select(SignInLink.id))]
    )
    assert left == []


def test_sign_out_ends_the_session_for_good(there: World) -> None:
    mine, other = by_link(there), by_link(there)
    assert mine.ask("DELETE", "/v1/sessions/current").status_code == 204
    assert mine.ask("GET", "/v1/me").status_code == 401
    other.get("/v1/me")


def test_a_session_moves_to_a_tenant_of_its_user_only(there: World) -> None:
    session = by_link(there)
    refused = session.ask("PUT", "/v1/sessions/current/tenant", {"tenant": "other"})
    assert refused.status_code == 404
    missing = session.ask("PUT", "/v1/sessions/current/tenant", {"tenant": "nowhere"})
    assert refused.json() | {"value": ""} == missing.json() | {"value": ""}
    operator = Principal.local(there.tenants["other"])
    there.accounts.users.add(operator, name="admin", role="viewer", existing=True)
    moved = session.put("/v1/sessions/current/tenant", {"tenant": "other"})
    assert (moved["tenant"]["name"], moved["role"]) == ("other", "viewer")
    assert session.get("/v1/tenant")["name"] == "other"
    assert session.ask("GET", "/v1/tokens").status_code == 403
    assert by_link(there).get("/v1/me")["tenant"]["name"] == "other"


def test_a_membership_that_ended_ends_access_at_once(there: World) -> None:
    added = there.as_("admin", "other").post("/v1/users", {"name": "eve", "role": "viewer"})
    eve = there.api.as_(there.api.post("/v1/sessions/link", {"code": added["link"]["code"]})["session"])
    assert eve.get("/v1/tenant")["name"] == "other"
    there.as_("admin", "other").patch(f"/v1/users/{added['id']}", {"role": "editor"})
    assert eve.get("/v1/me")["role"] == "editor"
    there.as_("admin", "other").delete(f"/v1/users/{added['id']}")
    me = eve.get("/v1/me")
    assert (me["tenant"], me["role"], me["tenants"]) == (None, None, [])
    refused = eve.ask("GET", "/v1/tenant")
    assert refused.status_code == 403
    assert "membership" in refused.json()["remedy"]


def test_a_user_sets_the_own_language(there: World) -> None:
    session = by_link(there)
    assert session.get("/v1/me")["user"]["language"] is None
    assert session.patch("/v1/me", {"language": "zh"})["user"]["language"] == "zh"
    assert session.patch("/v1/me", {})["user"]["language"] == "zh"
    assert session.patch("/v1/me", {"language": None})["user"]["language"] is None
    assert session.ask("PATCH", "/v1/me", {"language": "xx"}).status_code == 400


def test_a_password_change_needs_the_present_one_or_a_fresh_link(with_password: World) -> None:
    session = by_password(with_password)
    new = "another good password"
    for body in ({"new": new}, {"new": new, "current": "wrong"}):
        assert session.ask("PUT", "/v1/me/password", body).status_code == 403
    other = by_password(with_password)
    linked = by_link(with_password)
    assert session.ask("PUT", "/v1/me/password", {"new": new, "current": PASSWORD}).status_code == 204
    session.get("/v1/me")
    assert other.ask("GET", "/v1/me").status_code == 401
    assert linked.ask("GET", "/v1/me").status_code == 401
    by_password(with_password, password=new)

    fresh, stale = by_link(with_password), by_link(with_password)
    with_password.clock.advance(3599)
    assert fresh.ask("PUT", "/v1/me/password", {"new": PASSWORD}).status_code == 204
    assert stale.ask("GET", "/v1/me").status_code == 401
    late = by_link(with_password)
    with_password.clock.advance(3600)
    assert late.ask("PUT", "/v1/me/password", {"new": new}).status_code == 403


def test_wrong_present_passwords_are_bounded_too(with_password: World) -> None:
    session = by_password(with_password)
    body = {"new": "another good password", "current": "wrong"}
    answers = [session.ask("PUT", "/v1/me/password", body).status_code for _ in range(11)]
    assert answers == [403] * 10 + [429]


def test_a_password_change_makes_open_links_useless(there: World) -> None:
    session, code = by_link(there), sign_in_link(there.store, "admin")
    session.put("/v1/me/password", {"new": PASSWORD})
    assert there.api.ask("POST", "/v1/sessions/link", {"code": code}).status_code == 401


@pytest.mark.parametrize("new", ["", "short", "x" * 257, 5, None])
def test_weak_passwords_are_refused_unshown(there: World, new: object) -> None:
    answer = by_link(there).ask("PUT", "/v1/me/password", {"new": new})
    assert answer.status_code == 400
    problem = answer.json()
    assert problem["remedy"]
    assert all("value" not in entry for entry in problem["problems"])


def test_only_hashes_are_kept(with_password: World, tmp_path: Path) -> None:
    session = by_password(with_password)
    assert session.credential is not None
    code = sign_in_link(with_password.store, "admin")
    with_password.store.close()
    kept = b"".join(file.read_bytes() for file in (tmp_path / "data").rglob("*") if file.is_file())
    for secret in (session.credential, code, PASSWORD, *with_password.tokens.values()):
        assert secret.encode() not in kept


def test_argon2_is_what_keeps_passwords(with_password: World) -> None:
    stored = with_password.store.read(lambda session: session.scalars(select(User.password_hash)).one())
    assert stored is not None
    assert stored.startswith("$argon2id$")
