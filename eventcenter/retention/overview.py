"""What is kept, held and taken, as viewers read it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from eventcenter.access import Principal, Role
from eventcenter.archive.retention import Policies, Usage
from eventcenter.retention import book, shapes
from eventcenter.retention.book import WHOLE
from eventcenter.retention.looks import Looks
from eventcenter.store import Store
from eventcenter.store.models import Hold, RetentionRow
from eventcenter.store.sql import Session


class Overview:
    """Policies and holds, what each bus takes, and what goes or would go by limits."""

    def __init__(self, store: Store, looks: Looks) -> None:
        self._store = store
        self._looks = looks

    def all(self, who: Principal) -> shapes.RetentionAnswer:
        """All policies and holds, and what each bus takes."""
        return self._answer(who.require(Role.VIEWER))

    def after(self, who: Principal, bus: str | None, wanted: shapes.Limits) -> shapes.ChangedRetention:
        """The same, with what goes by the limits `wanted` of a bus or the tenant. Raises NotFound."""
        tenant_id = who.require(Role.ADMIN)

        def ask(session: Session) -> Policies:
            if bus is not None:
                book.require_bus(session, tenant_id, bus)
            return book.policies(session, tenant_id)

        policies, given = self._store.read(ask), book.policy(wanted.max_age_days, wanted.max_bytes)
        if bus is None:
            policies = replace(policies, tenant=given)
        else:
            policies = replace(policies, buses={**policies.buses, bus: given})
        removed = self._looks.going(tenant_id, policies)
        return shapes.ChangedRetention(
            **dict(self._answer(tenant_id)),
            dry_run=wanted.dry_run,
            going=shapes.Going(events=removed.total, rejects=removed.rejects),
        )

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


def _policy(row: RetentionRow | None) -> shapes.PolicyAnswer | None:
    return None if row is None else shapes.PolicyAnswer.model_validate(row)


def _hold(row: Hold | None) -> shapes.HoldAnswer | None:
    return None if row is None else shapes.HoldAnswer.model_validate(row)


def _oldest(used: Mapping[str, Usage], name: str) -> datetime | None:
    return used[name].oldest if name in used else None
