"""Housekeeping's jobs, each called as a plain function."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from eventcenter.clock import ManualClock
from eventcenter.housekeeping import DISK_FREE, Housekeeping, forget_deliveries, watch_disk
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.bootstrap import FIRST_USER, bootstrap, sign_in_link
from eventcenter.store.models import Alert, Attempt, OutboxItem, SignInLink, Tenant, new_id
from eventcenter.store.sql import Session, func, select
from tests.support.product import wait_until


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(settings: Settings, clock: ManualClock) -> Iterator[Store]:
    with Store.open(settings, clock=clock) as store:
        bootstrap(store)
        yield store


def count(store: Store, model: type) -> int:
    return store.read(lambda session: session.scalar(select(func.count()).select_from(model))) or 0


def test_old_deliveries_are_forgotten_and_what_waits_stays(store: Store, clock: ManualClock) -> None:
    old, new = clock.now() - timedelta(days=40), clock.now()

    def deliver(session: Session) -> None:
        tenant = session.scalars(select(Tenant.id)).one()
        for state, at in (("delivered", old), ("failed", old), ("pending", old), ("delivered", new)):
            alert = Alert(
                id=new_id(),
                tenant_id=tenant,
                rule_id=new_id(),
                seq=1,
                bus="default",
                event_id="1",
                event_source="/s",
                event_type="t",
                received_at=at,
                created_at=at,
            )
            item = OutboxItem(
                id=new_id(),
                tenant_id=tenant,
                target_id=new_id(),
                alert_id=alert.id,
                kind="event",
                payload={},
                state=state,
                not_before=at,
                created_at=at,
                updated_at=at,
            )
            session.add_all([alert, item])
            session.flush()
            session.add(
                Attempt(
                    tenant_id=tenant,
                    outbox_id=item.id,
                    target_id=item.target_id,
                    robot_hash="0" * 64,
                    started_at=at,
                    request={},
                )
            )

    store.write(deliver)
    assert forget_deliveries(store, clock.now() - timedelta(days=30)) == 4
    assert sorted(store.read(lambda s: s.scalars(select(OutboxItem.state)).all())) == ["delivered", "pending"]
    assert count(store, Attempt) == 2
    assert count(store, Alert) == 2


def test_the_disk_is_measured(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.data_dir.mkdir()
    free = watch_disk(settings)
    assert DISK_FREE._value.get() == free
    assert watch_disk(replace(settings, disk_floor_bytes=free * 2)) > 0


def test_the_scheduler_runs_each_job_at_once_and_stops(
    store: Store, settings: Settings, clock: ManualClock
) -> None:
    sign_in_link(store, FIRST_USER)
    clock.advance(3600)
    housekeeping = Housekeeping(store=store, settings=settings, clock=clock)
    housekeeping.start()
    try:
        wait_until(lambda: count(store, SignInLink) == 0, 15)
    finally:
        housekeeping.stop()
