"""The store: snapshots, group commit, durability, and one change that fails among many."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError

from eventcenter.clock import ManualClock
from eventcenter.errors import Conflict, InvalidInput, StorageFull, Unavailable
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.models import Bus, Tenant
from eventcenter.store.sql import Session, func, select

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store.open(settings, clock=ManualClock()) as opened:
        yield opened


def add(session: Session, name: str) -> str:
    tenant = Tenant(name=name, title=name, created_at=NOW)
    session.add(tenant)
    session.flush()
    return tenant.id


def names(store: Store) -> list[str]:
    return store.read(lambda session: list(session.scalars(select(Tenant.name).order_by(Tenant.name))))


def test_a_change_is_seen_after_it_returns(store: Store) -> None:
    tenant_id = store.write(lambda session: add(session, "a"))
    assert store.read(lambda session: session.get_one(Tenant, tenant_id).created_at) == NOW


def test_many_threads_share_commits_and_lose_nothing(store: Store) -> None:
    commits = 0

    def count(*_: object) -> None:
        nonlocal commits
        commits += 1

    from sqlalchemy import event

    event.listen(store._writers, "commit", count)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: store.write(lambda session: add(session, f"t{n:04}")), range(400)))
    assert names(store) == [f"t{n:04}" for n in range(400)]
    assert commits < 400


def test_a_failing_change_leaves_nothing_and_disturbs_nobody(store: Store) -> None:
    def fail(session: Session) -> None:
        add(session, "never")
        raise ValueError("mine")

    gate = threading.Event()
    held = store.submit(lambda _: gate.wait(10))
    good = [store.submit(partial(add, name=f"good{n}")) for n in range(3)]
    bad = store.submit(fail)
    clash = store.submit(lambda session: add(session, "good0"))
    after = store.submit(lambda session: add(session, "after"))
    gate.set()
    assert held.result(10)
    assert all(future.result(10) for future in good)
    with pytest.raises(ValueError, match="mine"):
        bad.result(10)
    with pytest.raises(Conflict):
        clash.result(10)
    assert after.result(10)
    assert names(store) == ["after", "good0", "good1", "good2"]


def test_a_commit_inside_a_change_does_not_end_the_group(store: Store) -> None:
    def early(session: Session) -> None:
        add(session, "early")
        session.commit()
        raise ValueError("too late")

    with pytest.raises(ValueError, match="too late"):
        store.write(early)
    assert names(store) == []


def test_a_change_cannot_wait_for_another(store: Store) -> None:
    with pytest.raises(RuntimeError, match="must not wait"):
        store.write(lambda _: store.write(lambda session: add(session, "a")))


def test_when_the_database_drops_the_transaction_every_change_in_it_is_told(store: Store) -> None:
    gate = threading.Event()
    held = store.submit(lambda _: gate.wait(10))
    before = store.submit(lambda session: add(session, "before"))

    def fill(session: Session) -> None:
        # What SQLite does by itself when the disk is full.
        session.connection().connection.rollback()
        raise sqlite3.OperationalError("database or disk is full")

    full = store.submit(fill)
    after = store.submit(lambda session: add(session, "after"))
    gate.set()
    for future in (held, before, full, after):
        with pytest.raises((sqlite3.OperationalError, StorageFull, Unavailable)):
            future.result(10)
    assert names(store) == []
    store.write(lambda session: add(session, "later"))
    assert names(store) == ["later"]


def test_readers_cannot_write(store: Store) -> None:
    with pytest.raises(Unavailable):
        store.read(lambda session: session.execute(text("DELETE FROM tenant")))


def test_a_read_sees_one_snapshot(store: Store) -> None:
    def twice(session: Session) -> tuple[int | None, int | None]:
        count = select(func.count()).select_from(Tenant)
        first = session.scalar(count)
        store.write(lambda change: add(change, "meanwhile"))
        return first, session.scalar(count)

    assert store.read(twice) == (0, 0)
    assert names(store) == ["meanwhile"]


def test_foreign_keys_hold(store: Store) -> None:
    with pytest.raises(Conflict):
        store.write(lambda session: session.add(Bus(tenant_id="none", name="b", created_at=NOW)))


def test_a_row_that_misses_something_is_a_defect_and_no_conflict(store: Store) -> None:
    with pytest.raises(IntegrityError):
        store.write(lambda session: session.add(Tenant(name="a", created_at=NOW)))


def test_moments_are_aware_and_in_utc(store: Store) -> None:
    east = datetime(2026, 11, 1, 20, tzinfo=timezone(timedelta(hours=8)))
    store.write(lambda session: session.add(Tenant(name="a", title="a", created_at=east)))
    found = store.read(lambda session: session.scalars(select(Tenant.created_at)).one())
    assert found == NOW
    assert found.tzinfo is UTC
    with pytest.raises(StatementError, match="naive"):
        store.write(
            lambda session: session.add(Tenant(name="b", title="b", created_at=NOW.replace(tzinfo=None)))
        )


def test_what_was_answered_survives_a_kill(settings: Settings) -> None:
    script = (
        "import os, sys; from pathlib import Path\n"
        "from eventcenter.settings import Settings; from eventcenter.store import Store\n"
        "from eventcenter.store.models import Tenant; from eventcenter.clock import ManualClock\n"
        "store = Store.open(Settings(data_dir=Path(sys.argv[1])), clock=ManualClock())\n"
        "now = store.clock.now()\n"
        "store.write(lambda s: s.add(Tenant(name='kept', title='kept', created_at=now)))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(settings.data_dir)], check=False)
    assert done.returncode == -9
    with Store.open(settings, clock=ManualClock()) as store:
        assert names(store) == ["kept"]


def test_the_database_is_for_its_owner_alone(store: Store, settings: Settings) -> None:
    store.write(lambda session: add(session, "a"))
    assert settings.data_dir.stat().st_mode & 0o777 == 0o700
    files = list(settings.data_dir.iterdir())
    assert files
    assert {file.stat().st_mode & 0o077 for file in files} == {0}


def test_sync_is_full_and_the_log_is_written_ahead(store: Store) -> None:
    def pragmas(session: Session) -> dict[str, object]:
        asked = ("journal_mode", "synchronous", "foreign_keys")
        return {name: session.execute(text(f"PRAGMA {name}")).scalar_one() for name in asked}

    assert store.write(pragmas) == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_data_version_changes_with_another_process_alone(store: Store, settings: Settings) -> None:
    with Store.open_readonly(settings) as reader:
        before = reader.data_version()
        assert reader.data_version() == before
        store.write(lambda session: add(session, "a"))
        assert reader.data_version() != before


def test_a_closed_store_takes_nothing(settings: Settings) -> None:
    store = Store.open(settings)
    queued = store.submit(lambda session: add(session, "queued"))
    store.close()
    assert queued.result(0)
    with pytest.raises(Unavailable):
        store.write(lambda session: add(session, "late"))


def test_asking_before_the_first_start_says_so(settings: Settings) -> None:
    with pytest.raises(Unavailable, match="no store yet"):
        Store.open_readonly(settings)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:pw@h/d",
        "sqlite://",
        "sqlite:///:memory:",
        "no url at all",
        "postgresql+psycopg://u:pw@[::1/d",
    ],
)
def test_a_wrong_database_is_refused_without_showing_its_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Store.open(Settings(data_dir=tmp_path, database_url=url))
    assert "pw" not in str(caught.value)


def test_two_processes_take_turns(store: Store, settings: Settings) -> None:
    with Store.open(settings, clock=ManualClock()) as other, ThreadPoolExecutor(8) as pool:
        doors = [store, other]
        list(pool.map(lambda n: doors[n % 2].write(partial(add, name=f"t{n:03}")), range(100)))
        assert names(store) == names(other) == [f"t{n:03}" for n in range(100)]


def test_several_processes_open_a_new_store_at_once(settings: Settings) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from eventcenter.settings import Settings; from eventcenter.store import Store\n"
        "from eventcenter.store.bootstrap import bootstrap; from eventcenter.store.secrets import SecretBox\n"
        "settings = Settings(data_dir=Path(sys.argv[1]))\n"
        "with Store.open(settings) as store:\n"
        "    print(bootstrap(store, SecretBox(settings)))\n"
    )
    command = [sys.executable, "-c", script, str(settings.data_dir)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in running)
    assert said == ["False", "False", "False", "True"]
