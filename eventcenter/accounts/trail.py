"""The audit as people read it."""

from eventcenter.access import Principal, Role
from eventcenter.accounts.shapes import AuditEntry, AuditPage
from eventcenter.errors import InvalidInput
from eventcenter.store import Store
from eventcenter.store.models import Audit
from eventcenter.store.sql import select

_LARGEST_ID = (1 << 63) - 1


class Trail:
    """Reads the audit of the principal's tenant."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(self, who: Principal, *, limit: int, cursor: str | None) -> AuditPage:
        """`limit` rows, newest first, after the cursor. Raises InvalidInput for a cursor that is none."""
        tenant_id = who.require(Role.ADMIN)
        ask = select(Audit).where(Audit.tenant_id == tenant_id).order_by(Audit.id.desc()).limit(limit + 1)
        if cursor is not None:
            ask = ask.where(Audit.id < _parse(cursor))
        rows = self._store.read(lambda session: list(session.scalars(ask)))
        shown = rows[:limit]
        return AuditPage(
            audit=[AuditEntry.model_validate(row) for row in shown],
            next=str(shown[-1].id) if len(rows) > limit else None,
        )


def _parse(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > 19 or int(cursor) > _LARGEST_ID:
        raise InvalidInput(
            "This is no cursor.",
            value=cursor,
            rule="the `next` of the page before",
            remedy="begin without a cursor",
        )
    return int(cursor)
