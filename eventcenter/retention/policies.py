"""Policies and legal holds, as admins set them."""

from eventcenter.access import Principal, Role
from eventcenter.errors import NotFound
from eventcenter.retention import book, shapes
from eventcenter.retention.book import WHOLE
from eventcenter.store import Store
from eventcenter.store.audit import audit
from eventcenter.store.models import Hold, RetentionRow
from eventcenter.store.sql import Session


class PolicyBook:
    """Changes what is kept. `bus` None is the tenant as a whole."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def set(self, who: Principal, bus: str | None, wanted: shapes.Limits) -> None:
        """Set the limits. Raises NotFound."""
        tenant_id = who.require(Role.ADMIN)
        name = bus or WHOLE

        def apply(session: Session) -> None:
            _check(session, tenant_id, bus)
            row = session.get(RetentionRow, (tenant_id, name)) or RetentionRow(tenant_id=tenant_id, bus=name)
            row.max_age_days, row.max_bytes = wanted.max_age_days, wanted.max_bytes
            row.updated_at, row.updated_by = self._store.clock.now(), who.actor
            session.add(row)
            detail = {"max_age_days": wanted.max_age_days, "max_bytes": wanted.max_bytes}
            audit(session, who, "retention.set", _object(bus), detail)

        self._store.write(apply)

    def reset(self, who: Principal, bus: str | None) -> None:
        """Take limits away: a bus falls under the tenant's again, the tenant's buses are kept without end."""
        tenant_id = who.require(Role.ADMIN)

        def apply(session: Session) -> None:
            _check(session, tenant_id, bus)
            row = session.get(RetentionRow, (tenant_id, bus or WHOLE))
            if row is None:
                raise NotFound(
                    "There is no such policy.",
                    value=bus,
                    rule="only what was set can be taken away",
                    remedy="GET /v1/retention lists the policies",
                )
            session.delete(row)
            audit(session, who, "retention.reset", _object(bus))

        self._store.write(apply)

    def hold(self, who: Principal, bus: str | None, reason: str) -> shapes.HoldAnswer:
        """Set a legal hold, or give it another reason."""
        tenant_id = who.require(Role.ADMIN)

        def apply(session: Session) -> shapes.HoldAnswer:
            _check(session, tenant_id, bus)
            row = session.get(Hold, (tenant_id, bus or WHOLE)) or Hold(tenant_id=tenant_id, bus=bus or WHOLE)
            row.reason, row.set_at, row.set_by = reason, self._store.clock.now(), who.actor
            session.add(row)
            audit(session, who, "hold.set", _object(bus), {"reason": reason})
            return shapes.HoldAnswer.model_validate(row)

        return self._store.write(apply)

    def lift(self, who: Principal, bus: str | None) -> None:
        """End a legal hold. Raises NotFound."""
        tenant_id = who.require(Role.ADMIN)

        def apply(session: Session) -> None:
            _check(session, tenant_id, bus)
            row = session.get(Hold, (tenant_id, bus or WHOLE))
            if row is None:
                raise NotFound(
                    "There is no such legal hold.",
                    value=bus,
                    rule="a hold on the tenant and one on a bus are lifted each by itself",
                    remedy="GET /v1/retention lists the holds",
                )
            audit(session, who, "hold.lift", _object(bus), {"reason": row.reason, "set_by": row.set_by})
            session.delete(row)

        self._store.write(apply)


def _check(session: Session, tenant_id: str, bus: str | None) -> None:
    if bus is not None:
        book.require_bus(session, tenant_id, bus)


def _object(bus: str | None) -> str:
    return "tenant" if bus is None else f"bus:{bus}"
