"""Policies and legal holds, as admins set them and viewers read them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from eventcenter.access import Principal, Role
from eventcenter.archive import Archives
from eventcenter.archive.retention import Usage
from eventcenter.errors import NotFound
from eventcenter.retention import book, shapes
from eventcenter.retention.book import WHOLE
from eventcenter.retention.looks import Looks
from eventcenter.store import Store
from eventcenter.store.audit import audit
from eventcenter.store.models import Hold, RetentionRow
from eventcenter.store.sql import Session


class PolicyBook:
    """Reads and changes what is kept. `bus` None is the tenant as a whole."""

    def __init__(self, store: Store, archives: Archives, looks: Looks) -> None:
        self._store = store
        self._archives = archives
        self._looks = looks

    def all(self, who: Principal) -> shapes.RetentionAnswer:
        """All policies and holds, and what each bus takes."""
        return self._answer(who.require(Role.VIEWER))

    def set(self, who: Principal, bus: str | None, wanted: shapes.Limits) -> shapes.ChangedRetention:
        """Set the limits, unless it is a dry run; what goes by them. Raises NotFound."""
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

        if wanted.dry_run:
            self._store.read(lambda session: _check(session, tenant_id, bus))
        else:
            self._store.write(apply)
        return self._changed(tenant_id, name, wanted)

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
        """Set a legal hold, or give it another reason. From the answer on nothing of it is removed."""
        tenant_id = who.require(Role.ADMIN)

        def apply(session: Session) -> shapes.HoldAnswer:
            _check(session, tenant_id, bus)
            row = session.get(Hold, (tenant_id, bus or WHOLE)) or Hold(tenant_id=tenant_id, bus=bus or WHOLE)
            row.reason, row.set_at, row.set_by = reason, self._store.clock.now(), who.actor
            session.add(row)
            audit(session, who, "hold.set", _object(bus), {"reason": reason})
            return shapes.HoldAnswer.model_validate(row)

        answer = self._store.write(apply)
        archive = self._archives.tenant(tenant_id)
        if archive.is_open:
            # What is being removed at this moment did not know of the hold; the next transaction does.
            archive.write(lambda _: None)
        return answer

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

    def _answer(self, tenant_id: str) -> shapes.RetentionAnswer:
        policies, holds, names = self._store.read(
            lambda session: (
                book.rows(session, tenant_id),
                book.holds(session, tenant_id),
                book.bus_names(session, tenant_id),
            )
        )
        used = self._looks.usage(tenant_id)
        return shapes.RetentionAnswer(
            policy=_policy(policies.get(WHOLE)),
            hold=_hold(holds.get(WHOLE)),
            events=sum(one.events for one in used.values()),
            bytes=sum(one.bytes for one in used.values()),
            oldest_received_at=min((one.oldest for one in used.values()), default=None),
            buses=[
                shapes.BusRetention(
                    name=name,
                    policy=_policy(policies.get(name)),
                    hold=_hold(holds.get(name)),
                    events=used[name].events if name in used else 0,
                    bytes=used[name].bytes if name in used else 0,
                    oldest_received_at=_oldest(used, name),
                )
                for name in names
            ],
        )

    def _changed(self, tenant_id: str, name: str, wanted: shapes.Limits) -> shapes.ChangedRetention:
        known = self._store.read(lambda session: book.policies(session, tenant_id))
        if wanted.dry_run:
            given = book.policy(wanted.max_age_days, wanted.max_bytes)
            if name == WHOLE:
                known = replace(known, tenant=given)
            else:
                known = replace(known, buses={**known.buses, name: given})
        removed = self._looks.going(tenant_id, known)
        return shapes.ChangedRetention(
            **dict(self._answer(tenant_id)),
            dry_run=wanted.dry_run,
            going=shapes.Going(events=removed.total, rejects=removed.rejects),
        )


def _check(session: Session, tenant_id: str, bus: str | None) -> None:
    if bus is not None:
        book.require_bus(session, tenant_id, bus)


def _object(bus: str | None) -> str:
    return "tenant" if bus is None else f"bus:{bus}"


def _policy(row: RetentionRow | None) -> shapes.PolicyAnswer | None:
    return None if row is None else shapes.PolicyAnswer.model_validate(row)


def _hold(row: Hold | None) -> shapes.HoldAnswer | None:
    return None if row is None else shapes.HoldAnswer.model_validate(row)


def _oldest(used: Mapping[str, Usage], name: str) -> datetime | None:
    return used[name].oldest if name in used else None
