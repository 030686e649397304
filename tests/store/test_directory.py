"""The directory answers from memory and notices every change soon."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eventcenter.access import Principal, Role, credential_hash, new_credential, shown_prefix
from eventcenter.clock import ManualClock
from eventcenter.errors import NotFound, Unauthenticated, Unavailable
from eventcenter.settings import Settings
from eventcenter.store import ReadOnlyStore, Store
from eventcenter.store.bootstrap import bootstrap
from eventcenter.store.directory import Directory
from eventcenter.store.models import Bus, Tenant, Token
from eventcenter.store.sql import Session, delete, select, update


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    with Store.open(Settings(data_dir=tmp_path / "data"), clock=clock) as opened:
        bootstrap(opened)
        yield opened


@pytest.fixture
def reader(store: Store, tmp_path: Path, clock: ManualClock) -> Iterator[ReadOnlyStore]:
    with Store.open_readonly(Settings(data_dir=tmp_path / "data"), clock=clock) as opened:
        yield opened


def tenant_of(store: Store) -> str:
    return store.read(
        lambda session: session.scalars(select(Tenant.id).where(Tenant.name == "default")).one()
    )


def make_token(store: Store, *, role: str = Role.WRITER, lives_s: float | None = None) -> str:
    token = new_credential("ect_")
    now = store.clock.now()
    tenant_id = tenant_of(store)
    ends = None
    if lives_s is not None:
        late = ManualClock(now)
        late.advance(lives_s)
        ends = late.now()
    row = Token(
        tenant_id=tenant_id,
        name="t",
        role=role,
        hash=credential_hash(token),
        prefix=shown_prefix(token),
        created_at=now,
        expires_at=ends,
    )
    store.write(lambda session: session.add(row))
    return token


def within(seconds: float, is_so: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if is_so():
            return True
    return False


def refuses(directory: Directory, token: str) -> bool:
    try:
        directory.authenticate(token)
    except Unauthenticated:
        return True
    return False


def test_a_new_token_works_from_its_first_request(store: Store, reader: ReadOnlyStore) -> None:
    directory = Directory(reader)
    token = make_token(store)
    who = directory.authenticate(token)
    assert who == Principal(
        kind="token",
        tenant_id=tenant_of(store),
        role=Role.WRITER,
        operator=False,
        actor="token:t",
        credential_id=who.credential_id,
    )


def test_a_revoked_token_is_refused_in_a_moment(store: Store, reader: ReadOnlyStore) -> None:
    token = make_token(store)
    directory = Directory(reader)
    directory.authenticate(token)
    store.write(lambda session: session.execute(update(Token).values(revoked_at=store.clock.now())) and None)
    # A fifth of a second where the processor is not somebody else's.
    assert within(3.0, lambda: refuses(directory, token))


def test_an_expired_token_is_refused(store: Store, reader: ReadOnlyStore, clock: ManualClock) -> None:
    token = make_token(store, lives_s=60)
    directory = Directory(reader)
    clock.advance(59)
    directory.authenticate(token)
    clock.advance(1)
    assert refuses(directory, token)


@pytest.mark.parametrize(
    "token", ["", "ect_", "ect_unknown", "ecs_session", "x" * 100_000, "ect_\ud800", "ect_é"]
)
def test_what_is_no_token_is_refused(reader: ReadOnlyStore, token: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        Directory(reader).authenticate(token)
    assert caught.value.value is None
    assert caught.value.remedy


def test_a_new_bus_is_there_at_once_and_a_deleted_one_gone_soon(store: Store, reader: ReadOnlyStore) -> None:
    directory = Directory(reader)
    tenant_id = tenant_of(store)
    directory.bus(tenant_id, "default")
    with pytest.raises(NotFound):
        directory.bus(tenant_id, "orders")
    store.write(
        lambda session: session.add(Bus(tenant_id=tenant_id, name="orders", created_at=store.clock.now()))
    )
    directory.bus(tenant_id, "orders")
    store.write(lambda session: session.execute(delete(Bus).where(Bus.name == "orders")) and None)

    def gone() -> bool:
        try:
            directory.bus(tenant_id, "orders")
        except NotFound:
            return True
        return False

    assert within(0.25, gone)


def test_a_bus_of_another_tenant_does_not_exist(store: Store, reader: ReadOnlyStore) -> None:
    def another(session: Session) -> None:
        session.add(Tenant(id="f" * 32, name="other", title="Other", created_at=store.clock.now()))
        session.flush()
        session.add(Bus(tenant_id="f" * 32, name="theirs", created_at=store.clock.now()))

    store.write(another)
    directory = Directory(reader)
    directory.bus("f" * 32, "theirs")
    with pytest.raises(NotFound):
        directory.bus(tenant_of(store), "theirs")


def test_what_is_known_still_answers_while_the_store_is_away(store: Store, reader: ReadOnlyStore) -> None:
    token = make_token(store)
    directory = Directory(reader)

    def away(*_: object) -> None:
        raise Unavailable("The store does not answer.")

    reader.data_version = away  # type: ignore[method-assign, assignment]
    reader.read = away  # type: ignore[method-assign, assignment]
    assert not within(0.25, lambda: refuses(directory, token))
    with pytest.raises(Unavailable):
        directory.authenticate("ect_unknown")


def test_unknown_tokens_make_no_reload(store: Store, reader: ReadOnlyStore) -> None:
    directory = Directory(reader)
    before = directory._snapshot
    for number in range(50):
        assert refuses(directory, f"ect_{number}")
    assert directory._snapshot is before
