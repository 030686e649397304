"""The loop that takes away what is too old or too much, and what somebody asked to delete."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from eventcenter.archive import Archive, Archives, removal
from eventcenter.archive import retention as limits
from eventcenter.archive.segment import Scratch
from eventcenter.archive.settler import NICE
from eventcenter.archive.subject import of_subject
from eventcenter.errors import Conflict
from eventcenter.priority import give_way
from eventcenter.retention import book
from eventcenter.retention.deletions import OPEN, DeletionBook
from eventcenter.store import Store
from eventcenter.store.audit import audit
from eventcenter.store.models import Deletion, RetentionRow
from eventcenter.store.secrets import SecretBox
from eventcenter.store.sql import Session, or_, select
from eventcenter.store.writer import CLOCK

_log = structlog.get_logger("retention")
_LOOK_EVERY_S = 5.0
_RETRY_S = 60.0
_SHRINK_TRIES = 20
_SHRINK_AGAIN_S = 0.25


class Keeper:
    """Runs policies every `every_s` seconds, once at the start too, and deletions as they come."""

    def __init__(
        self,
        *,
        store: Store,
        archives: Archives,
        secrets: SecretBox,
        deletions: DeletionBook,
        make_scratch: Callable[[], Scratch],
        every_s: float,
    ) -> None:
        self._store = store
        self._archives = archives
        self._secrets = secrets
        self._deletions = deletions
        self._make_scratch = make_scratch
        self._every_s = every_s
        self._awake = threading.Event()
        self._retry_at: dict[str, float] = {}
        self.removed_events = 0
        deletions.wake = self.wake

    def wake(self) -> None:
        """Look for work now."""
        self._awake.set()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; `wake` makes the loop notice it."""
        give_way(NICE)
        due = time.monotonic()
        while not stop.is_set():
            self._awake.clear()
            try:
                self.delete(stop)
                if time.monotonic() >= due and self.retain(stop):
                    due = time.monotonic() + self._every_s
            except Exception:  # noqa: BLE001 the store may be out of reach for a while
                _log.exception("retention failed; it is tried again")
            self._awake.wait(min(_LOOK_EVERY_S, max(0.1, due - time.monotonic())))

    def retain(self, stop: threading.Event | None = None) -> bool:
        """Apply all tenants' policies once; False where it ended early, as deletions come first."""
        complete = True
        for tenant_id in self._store.read(_limited):
            if _is_set(stop):
                return False
            try:
                complete &= self._retain(tenant_id, stop)
            except Exception:  # noqa: BLE001 whatever it is, other tenants go on
                _log.exception("retention failed; it is tried again at the next run", tenant=tenant_id)
        return complete

    def delete(self, stop: threading.Event | None = None) -> int:
        """Do the deletions that wait, oldest first; how many came to their end."""
        ended = 0
        for deletion_id in self._store.read(_open_deletions):
            if _is_set(stop):
                break
            if time.monotonic() < self._retry_at.get(deletion_id, 0.0):
                continue
            try:
                ended += self._delete(deletion_id, stop)
            except Exception:  # noqa: BLE001 whatever it is, other deletions go on
                _log.exception("a deletion failed; it is tried again", deletion=deletion_id)
                self._retry_at[deletion_id] = time.monotonic() + _RETRY_S
        return ended

    def _retain(self, tenant_id: str, stop: threading.Event | None) -> bool:
        policies = self._store.read(lambda session: book.policies(session, tenant_id))

        def is_over() -> bool:
            # Whatever was changed meanwhile, a hold above all, counts from now on.
            return _is_set(stop) or self._store.read(
                lambda session: bool(self._ready(session)) or book.policies(session, tenant_id) != policies
            )

        with self._opened(tenant_id) as archive:
            with archive.reader() as reader:
                found = limits.expired(reader, policies, self._store.clock.now())
            if found is None:
                return True
            done = removal.remove(archive, self._make_scratch, found, stop=is_over)
            self.removed_events += done.events
            if done.events:
                archive.checkpoint()
                archive.shrink()
                _log.info("events were removed by retention", tenant=tenant_id, events=done.events)
            return done.complete

    def _delete(self, deletion_id: str, stop: threading.Event | None) -> int:
        row = self._store.write(lambda session: _begin(session, deletion_id))
        if row.subject is None:
            return 0
        subject = self._secrets.decrypt(row.subject).decode()
        with self._opened(row.tenant_id) as archive:
            with archive.reader() as reader:
                found = of_subject(reader, subject, bus=row.bus, deletion=row.id)
            done = removal.remove(
                archive, self._make_scratch, found, stop=lambda: _is_set(stop) or self._is_held(row)
            )
            self.removed_events += done.events
            held = self._is_held(row)
            if not done.complete and not held:
                return 0
            cleaned = _clean(archive, stop)
            with archive.reader() as reader:
                removed = removal.report(reader, row.id)
            report = self._deletions.report(removed, free_space=not cleaned)
            state = "done" if done.complete else "stopped"
            self._store.write(lambda session: _end(session, row.id, state, report))
            removal.forget_report(archive, row.id)
        self._deletions.tell()
        return 1

    def _is_held(self, row: Deletion) -> bool:
        try:
            self._store.read(lambda session: book.refuse_held(session, row.tenant_id, row.bus))
        except Conflict:
            return True
        return False

    def _ready(self, session: Session) -> list[str]:
        return [one for one in _open_deletions(session) if time.monotonic() >= self._retry_at.get(one, 0.0)]

    @contextmanager
    def _opened(self, tenant_id: str) -> Iterator[Archive]:
        """The tenant's archive, which goes to sleep again afterwards where it slept."""
        slept = tenant_id not in self._archives.awake()
        archive = self._archives.tenant(tenant_id)
        try:
            yield archive
        finally:
            if slept:
                archive.sleep()


def _limited(session: Session) -> list[str]:
    limit = or_(RetentionRow.max_age_days.is_not(None), RetentionRow.max_bytes.is_not(None))
    ask = select(RetentionRow.tenant_id).where(limit).distinct().order_by(RetentionRow.tenant_id)
    return list(session.scalars(ask))


def _open_deletions(session: Session) -> list[str]:
    ask = select(Deletion.id).where(Deletion.state.in_(OPEN)).order_by(Deletion.asked_at, Deletion.id)
    return list(session.scalars(ask))


def _begin(session: Session, deletion_id: str) -> Deletion:
    row = session.get_one(Deletion, deletion_id)
    row.state = "running"
    return row


def _end(session: Session, deletion_id: str, state: str, report: dict[str, object]) -> None:
    row = session.get_one(Deletion, deletion_id)
    now = session.info[CLOCK].now()
    row.state, row.report, row.finished_at, row.subject = state, report, now, None
    detail = {"state": state, "events": report["events"], "subject_hash": row.subject_hash}
    audit(session, row.asked_by, "deletion.end", f"deletion:{row.id}", detail, tenant_id=row.tenant_id)


def _clean(archive: Archive, stop: threading.Event | None) -> bool:
    """Take the deleted out of free space as well; whether that was possible, nobody reading meanwhile."""
    archive.checkpoint()
    for _ in range(_SHRINK_TRIES):
        if archive.shrink(thoroughly=True):
            return True
        if (stop or threading.Event()).wait(_SHRINK_AGAIN_S):
            return False
    return False


def _is_set(stop: threading.Event | None) -> bool:
    return stop is not None and stop.is_set()
