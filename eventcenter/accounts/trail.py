"""The audit as people read it."""

import msgspec

from eventcenter.access import Principal, Role
from eventcenter.accounts.shapes import AuditEntry, AuditPage
from eventcenter.cursor import Cursors
from eventcenter.store import Store
from eventcenter.store.models import Audit
from eventcenter.store.sql import select

_QUESTION = "audit"


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended: the id of its last row."""

    last: int


class Trail:
    """Reads the audit of the principal's tenant."""

    def __init__(self, store: Store, cursors: Cursors) -> None:
        self._store = store
        self._cursors = cursors

    def page(self, who: Principal, *, limit: int, cursor: str | None) -> AuditPage:
        """`limit` rows, newest first, after the cursor. Raises InvalidInput for a foreign cursor."""
        tenant_id = who.require(Role.ADMIN)
        ask = select(Audit).where(Audit.tenant_id == tenant_id).order_by(Audit.id.desc()).limit(limit + 1)
        if cursor is not None:
            ask = ask.where(Audit.id < self._cursors.read(tenant_id, _QUESTION, cursor, _Place).last)
        rows = self._store.read(lambda session: list(session.scalars(ask)))
        shown = rows[:limit]
        more = len(rows) > limit
        return AuditPage(
            audit=[AuditEntry.model_validate(row) for row in shown],
            next=self._cursors.write(tenant_id, _QUESTION, _Place(shown[-1].id)) if more else None,
        )
