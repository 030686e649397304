"""Deletions of one subject's events: asked for, looked up, and told about afterwards."""

import threading
from collections.abc import Callable

import msgspec

from eventcenter.access import Principal, Role
from eventcenter.archive.removal import Removed
from eventcenter.cursor import Cursors
from eventcenter.errors import NotFound
from eventcenter.retention import book, shapes
from eventcenter.retention.looks import Looks
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.audit import audit
from eventcenter.store.models import Deletion, new_id
from eventcenter.store.secrets import SecretBox
from eventcenter.store.sql import Session, select, tuple_

_QUESTION = "deletions"
OPEN = ("waiting", "running")


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended: the id of its last row."""

    last: str


class DeletionBook:
    """Asks for deletions and reads their reports. The keeper does the work."""

    def __init__(
        self,
        store: Store,
        looks: Looks,
        *,
        secrets: SecretBox,
        settings: Settings,
        cursor_key: bytes | None = None,
    ) -> None:
        """`cursor_key` signs cursors; without one they are good for as long as the process lives."""
        self._store = store
        self._looks = looks
        self._secrets = secrets
        self._cursors = Cursors(cursor_key)
        self._kept_days = settings.attempts_kept_days
        self._finished = threading.Condition()
        self.wake: Callable[[], None] = lambda: None
        """Called when there is work."""

    def ask(self, who: Principal, wanted: shapes.NewDeletion, *, wait_s: float) -> shapes.DeletionAnswer:
        """Ask for a deletion, and wait up to `wait_s` seconds for its end; or only look what it would remove.

        Raises NotFound for an unknown bus, Conflict under a legal hold.
        """
        tenant_id = who.require(Role.ADMIN)
        row = Deletion(
            id=new_id(),
            tenant_id=tenant_id,
            subject=self._secrets.encrypt(wanted.subject.encode()),
            subject_hash=self._secrets.fingerprint(f"{tenant_id}\0{wanted.subject}".encode()),
            bus=wanted.bus,
            reason=wanted.reason,
            state="waiting",
            asked_at=self._store.clock.now(),
            asked_by=who.actor,
        )

        def check(session: Session) -> None:
            if wanted.bus is not None:
                book.require_bus(session, tenant_id, wanted.bus)
            book.refuse_held(session, tenant_id, wanted.bus)

        def apply(session: Session) -> None:
            check(session)
            session.add(row)
            detail = {"bus": row.bus, "reason": row.reason, "subject_hash": row.subject_hash}
            audit(session, who, "deletion.ask", f"deletion:{row.id}", detail)

        if wanted.dry_run:
            self._store.read(check)
            found = self._looks.of_subject(tenant_id, wanted.subject, wanted.bus)
            row.state, row.report = "dry_run", self.report(found)
            return _answer(row)
        self._store.write(apply)
        self.wake()
        with self._finished:
            self._finished.wait_for(lambda: self._row(tenant_id, row.id).state not in OPEN, timeout=wait_s)
        return _answer(self._row(tenant_id, row.id))

    def get(self, who: Principal, deletion_id: str) -> shapes.DeletionAnswer:
        """One deletion. Raises NotFound."""
        return _answer(self._row(who.require(Role.VIEWER), deletion_id))

    def page(self, who: Principal, *, limit: int, cursor: str | None) -> shapes.Deletions:
        """`limit` deletions, newest first, after the cursor. Raises InvalidInput for a foreign cursor."""
        tenant_id = who.require(Role.VIEWER)
        order = (Deletion.asked_at.desc(), Deletion.id.desc())
        ask = select(Deletion).where(Deletion.tenant_id == tenant_id).order_by(*order).limit(limit + 1)
        if cursor is not None:
            after = self._cursors.read(tenant_id, _QUESTION, cursor, _Place)
            last = self._row(tenant_id, after.last)
            ask = ask.where(tuple_(Deletion.asked_at, Deletion.id) < tuple_(last.asked_at, last.id))
        rows = self._store.read(lambda session: list(session.scalars(ask)))
        shown = rows[:limit]
        following = None
        if len(rows) > limit:
            following = self._cursors.write(tenant_id, _QUESTION, _Place(shown[-1].id))
        return shapes.Deletions(deletions=[_answer(row) for row in shown], next=following)

    def tell(self) -> None:
        """Let those who wait look again."""
        with self._finished:
            self._finished.notify_all()

    def report(self, removed: Removed, *, free_space: bool = False) -> dict[str, object]:
        """The report of what went, as it is kept. `free_space`: of files may still hold what was deleted."""
        moments = [(one.first_received_at, one.last_received_at) for one in removed.events]
        return shapes.Report(
            events=removed.total,
            by_type=[shapes.Counted.model_validate(one) for one in removed.events],
            duplicates=removed.duplicates,
            rejects=removed.rejects,
            segments=removed.segments,
            first_received_at=min((first for first, _ in moments), default=None),
            last_received_at=max((last for _, last in moments), default=None),
            remains=[
                *(["free space in the archive's main file, until it is used again"] if free_space else ()),
                "backups and exports that were made before",
                f"messages that were sent, and what deliveries show of them for {self._kept_days} days",
                "events of other subjects whose data mention this one",
                "refused events that do not name it as their subject",
                "events of it that come in later",
            ],
        ).model_dump(mode="json")

    def _row(self, tenant_id: str, deletion_id: str) -> Deletion:
        row = self._store.read(lambda session: session.get(Deletion, deletion_id))
        if row is None or row.tenant_id != tenant_id:
            raise NotFound(
                "There is no such deletion.", value=deletion_id, remedy="GET /v1/deletions lists their ids"
            )
        return row


def _answer(row: Deletion) -> shapes.DeletionAnswer:
    return shapes.DeletionAnswer(
        id=None if row.state == "dry_run" else row.id,
        subject_hash=row.subject_hash,
        bus=row.bus,
        reason=row.reason,
        state=row.state,
        asked_at=row.asked_at,
        asked_by=row.asked_by,
        finished_at=row.finished_at,
        report=None if row.report is None else shapes.Report.model_validate(row.report),
    )
