"""What must be done now and then: expired sign-ins, old deliveries, a look at the disk.

Each job is a plain function; APScheduler only calls them.
"""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from prometheus_client import Gauge

from eventcenter.accounts import Accounts
from eventcenter.clock import Clock
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.models import Alert, OutboxItem
from eventcenter.store.sql import Session, delete, select

SIGN_INS_EVERY = timedelta(minutes=10)
OLD_EVERY = timedelta(hours=1)
DISK_EVERY = timedelta(seconds=30)
FINAL_STATES = ("delivered", "failed", "merged")

_AT_ONCE = 500
_WARN_AT = 2
_log = structlog.get_logger(__name__)
DISK_FREE = Gauge("eventcenter_disk_free_bytes", "Free bytes of the file system that holds the data.")


class Housekeeping:
    """The jobs on a scheduler of their own, between `start` and `stop`."""

    def __init__(self, *, store: Store, settings: Settings, clock: Clock) -> None:
        self._scheduler = BackgroundScheduler(timezone=UTC)
        kept = timedelta(days=settings.attempts_kept_days)
        self._every(SIGN_INS_EVERY, "sign-ins", Accounts(store, settings).sessions.sweep)
        self._every(OLD_EVERY, "old deliveries", lambda: forget_deliveries(store, clock.now() - kept))
        self._every(DISK_EVERY, "disk", lambda: watch_disk(settings))

    def start(self) -> None:
        """Begin; each job runs once right away."""
        self._scheduler.start()

    def stop(self) -> None:
        """Wait for the job that runs and end."""
        self._scheduler.shutdown(wait=True)

    def _every(self, interval: timedelta, name: str, job: Callable[[], Any]) -> None:
        def run() -> None:
            try:
                job()
            except Exception:  # noqa: BLE001
                # The next turn may go well; what is wrong is in the log until then.
                _log.exception("housekeeping failed", job=name)

        self._scheduler.add_job(
            run,
            IntervalTrigger(seconds=int(interval.total_seconds())),
            next_run_time=datetime.now(UTC),  # noqa: TID251 the scheduler's own clock is the machine's
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )


def forget_deliveries(store: Store, before: datetime) -> int:
    """Remove what came to its end before `before`: deliveries with their attempts, and alerts.

    In small steps, so that nobody waits long for the writer. What still has to go out stays, however old.
    """
    deliveries = (
        select(OutboxItem.id)
        .where(OutboxItem.state.in_(FINAL_STATES), OutboxItem.updated_at < before)
        .limit(_AT_ONCE)
    )
    alerts = (
        select(Alert.id).where(Alert.created_at < before, Alert.id.not_in(_waiting_alerts())).limit(_AT_ONCE)
    )
    return _in_steps(
        store, lambda session: _rows(session, delete(OutboxItem).where(OutboxItem.id.in_(deliveries)))
    ) + _in_steps(store, lambda session: _rows(session, delete(Alert).where(Alert.id.in_(alerts))))


def _waiting_alerts() -> Any:
    waiting = OutboxItem.state.not_in(FINAL_STATES)
    return select(OutboxItem.alert_id).where(waiting, OutboxItem.alert_id.is_not(None))


def watch_disk(settings: Settings) -> int:
    """Free bytes where the data lies; logged where they come near the floor at which ingest stops."""
    free = shutil.disk_usage(settings.data_dir).free
    DISK_FREE.set(free)
    floor = settings.disk_floor_bytes
    if free < floor:
        _log.error("the disk is at its floor: events are refused until space is free", free=free, floor=floor)
    elif free < _WARN_AT * floor:
        _log.warning("the disk is nearly at its floor", free=free, floor=floor)
    return free


def _in_steps(store: Store, step: Callable[[Session], int]) -> int:
    total = 0
    while count := store.write(step):
        total += count
    return total


def _rows(session: Session, statement: Any) -> int:
    return int(session.execute(statement).rowcount)  # type: ignore[attr-defined]
