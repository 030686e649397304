"""What is remembered of credentials counts for not a moment longer than in the store."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eventcenter.access import Principal
from eventcenter.store import Store
from eventcenter.store.bootstrap import sign_in_link
from eventcenter.store.models import Membership, SessionRow, Tenant, Token, User
from eventcenter.store.sql import Session, delete, select, update
from eventcenter.web import auth
from eventcenter.web.auth import Authenticator
from tests.support.api import Api, World, world


@pytest.fixture
def there(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


@pytest.fixture
def elsewhere(there: World) -> Iterator[Store]:
    """The same store, opened as another process does."""
    with Store.open(there.settings, clock=there.clock) as opened:
        yield opened


def authenticator(there: World) -> Authenticator:
    found = there.api.app.state.authenticator
    assert isinstance(found, Authenticator)
    return found


def signed_in(there: World) -> Api:
    opened = there.api.post("/v1/sessions/link", {"code": sign_in_link(there.store, "admin")})
    return there.api.as_(opened["session"])


def remember(there: World, api: Api) -> Principal:
    """Ask until it is remembered: the first use is noted, which changes the store."""
    api.get("/v1/me")
    there.store.write(lambda session: session.flush())
    api.get("/v1/me")
    found = authenticator(there).remembered(api.credential)
    assert found is not None
    return found


def changed(statement: Any) -> Callable[[Session], None]:
    def change(session: Session) -> None:
        session.execute(statement)

    return change


def test_who_was_read_is_not_read_again(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer, session = there.as_("viewer"), signed_in(there)
    found = {api.credential: remember(there, api) for api in (viewer, session)}

    def never(_: object) -> None:
        raise AssertionError("read")

    monkeypatch.setattr(there.store, "read", never)
    monkeypatch.setattr(there.store, "submit", never)
    for credential, principal in found.items():
        assert authenticator(there).remembered(credential) is principal


@pytest.mark.parametrize("process", ["this", "another"])
def test_a_revoked_token_ends_at_once(there: World, elsewhere: Store, process: str) -> None:
    viewer = there.as_("viewer")
    who = remember(there, viewer)
    store = there.store if process == "this" else elsewhere
    store.write(
        changed(update(Token).where(Token.id == who.credential_id).values(revoked_at=there.clock.now()))
    )
    assert authenticator(there).remembered(viewer.credential) is None
    assert viewer.ask("GET", "/v1/me").status_code == 401
    there.as_("editor").get("/v1/me")


def test_a_token_and_a_session_expire_though_nothing_changes(there: World) -> None:
    made = there.as_("admin").post(
        "/v1/tokens", {"name": "short", "role": "viewer", "expires_at": "2026-11-01T01:00:00Z"}
    )
    token, session = there.api.as_(made["token"]), signed_in(there)
    for api in (token, session):
        remember(there, api)
    there.clock.advance(3599)
    assert authenticator(there).remembered(token.credential) is not None
    there.store.write(lambda session: session.flush())
    remember(there, session)
    there.clock.advance(1)
    assert token.ask("GET", "/v1/me").status_code == 401
    there.clock.advance(24 * 3600 - 2)
    assert authenticator(there).remembered(session.credential) is not None
    # That use was noted; without the note it would be the last moment.
    there.store.write(changed(update(SessionRow).values(last_seen_at=there.clock.now())))
    remember(there, session)
    there.clock.advance(24 * 3600)
    assert authenticator(there).remembered(session.credential) is None
    assert session.ask("GET", "/v1/me").status_code == 401


def test_another_role_counts_at_once(there: World, elsewhere: Store) -> None:
    session = signed_in(there)
    assert remember(there, session).role == "admin"
    elsewhere.write(changed(update(Membership).values(role="viewer")))
    assert session.get("/v1/me")["role"] == "viewer"
    assert session.ask("GET", "/v1/tokens").status_code == 403
    elsewhere.write(changed(delete(Membership)))
    assert session.ask("GET", "/v1/tenant").status_code == 403
    elsewhere.write(changed(update(User).values(operator=False)))
    assert session.ask("GET", "/v1/tenants").status_code == 403


def test_a_tenant_that_is_gone_is_nobodys(there: World, elsewhere: Store) -> None:
    viewer, other = there.as_("viewer"), there.as_("viewer", "other")
    for api in (viewer, other):
        remember(there, api)

    def remove(session: Session) -> None:
        found = select(Tenant.id).where(Tenant.name == "other").scalar_subquery()
        session.execute(delete(Token).where(Token.tenant_id == found))

    elsewhere.write(remove)
    assert other.ask("GET", "/v1/tenant").status_code == 401
    assert viewer.get("/v1/tenant")["name"] == "default"


def test_tenants_are_never_mixed(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_REMEMBERED_AT_MOST", 3)
    for _ in range(2):
        for (tenant, role), credential in there.tokens.items():
            found = remember(there, there.api.as_(credential))
            assert (found.tenant_id, found.role) == (
                (None, None) if role == "operator" else (there.tenants[tenant], role)
            )
    for unknown in (None, "", "ect_", "ect_unknown", "ecs_unknown", "Bearer"):
        assert authenticator(there).remembered(unknown) is None


def test_the_memory_is_bounded_and_holds_no_credential(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_REMEMBERED_AT_MOST", 3)
    memory = vars(authenticator(there))["_memory"]
    for credential in there.tokens.values():
        remember(there, there.api.as_(credential))
        kept = vars(memory)["_found"]
        assert 0 < len(kept) <= 3
        assert credential not in repr(kept)


def test_a_change_while_reading_is_not_missed(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = there.as_("viewer")
    who = remember(there, viewer)
    revoke = changed(update(Token).where(Token.id == who.credential_id).values(revoked_at=there.clock.now()))
    read = there.store.read

    def read_then_revoke(ask: Callable[[Session], Any]) -> Any:
        found = read(ask)
        there.store.write(revoke)
        return found

    there.store.write(changed(update(User).values(language="zh")))
    with monkeypatch.context() as patched:
        patched.setattr(there.store, "read", read_then_revoke)
        assert authenticator(there).authenticate(viewer.credential) == who
    assert authenticator(there).remembered(viewer.credential) is None
    assert viewer.ask("GET", "/v1/me").status_code == 401


def test_a_store_that_is_a_way_off_is_read_each_time(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(there.store, "version_at_hand", lambda: None)
    viewer = there.as_("viewer")
    for _ in range(2):
        viewer.get("/v1/me")
        assert authenticator(there).remembered(viewer.credential) is None
