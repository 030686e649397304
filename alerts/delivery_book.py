"""The deliveries of a tenant, for people: what was said, to whom, and what came of it."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from alerts import shapes
from alerts.health import words_of
from alerts.targets.kind import Kind
from eventcenter.access import Principal, Role
from eventcenter.clock import from_micros, to_micros
from eventcenter.cursor import Cursors
from eventcenter.errors import InvalidInput, NotFound
from eventcenter.store import Store
from eventcenter.store.models import Attempt, OutboxItem, Rule, Target
from eventcenter.store.sql import Session, and_, func, or_, select

MAX_LIMIT: Final = 500
STATES: Final = ("pending", "sending", "delivered", "failed", "merged")


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended."""

    micros: int
    """When the last delivery was created, in microseconds since 1970."""
    last: str
    """Its id."""


class DeliveryBook:
    """Shows the principal's tenant alone; ids of other tenants do not exist."""

    def __init__(self, *, store: Store, cursors: Cursors, kinds: Mapping[str, Kind]) -> None:
        self._store = store
        self._kinds = kinds
        self._cursors = cursors

    def page(
        self,
        who: Principal,
        *,
        state: str | None = None,
        target: str | None = None,
        rule: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> shapes.Deliveries:
        """A page, newest first. Raises InvalidInput for a wrong limit, or a cursor of another listing."""
        tenant_id = who.require(Role.VIEWER)
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidInput(
                "The limit is out of range.",
                value=limit,
                rule=f"a whole number from 1 to {MAX_LIMIT}",
                remedy="ask for less and go on with the cursor `next`",
            )
        question = f"deliveries {state!r} {target!r} {rule!r}"
        asked = select(OutboxItem).where(OutboxItem.tenant_id == tenant_id)
        if state is not None:
            asked = asked.where(OutboxItem.state == state)
        if target is not None:
            asked = asked.where(OutboxItem.target_id == target)
        if rule is not None:
            asked = asked.where(OutboxItem.rule_id == rule)
        if cursor is not None:
            place = self._cursors.read(tenant_id, question, cursor, _Place)
            at = from_micros(place.micros)
            asked = asked.where(
                or_(
                    OutboxItem.created_at < at,
                    and_(OutboxItem.created_at == at, OutboxItem.id < place.last),
                )
            )
        ordered = asked.order_by(OutboxItem.created_at.desc(), OutboxItem.id.desc()).limit(limit + 1)

        def ask(session: Session) -> shapes.Deliveries:
            items = list(session.scalars(ordered))
            page = items[:limit]
            following = None
            if len(items) > limit:
                place = _Place(to_micros(page[-1].created_at), page[-1].id)
                following = self._cursors.write(tenant_id, question, place)
            names = _Names(session, tenant_id, page)
            last = _last_attempts(session, [item.id for item in page])
            return shapes.Deliveries(
                deliveries=[
                    shapes.DeliveryAnswer.model_validate(
                        {
                            **_shared(item, names, last.get(item.id)),
                            "attempts": item.attempts,
                        }
                    )
                    for item in page
                ],
                next=following,
            )

        return self._store.read(ask)

    def get(self, who: Principal, delivery_id: str) -> shapes.DeliveryDetail:
        """One delivery with its message and attempts. Raises NotFound."""
        tenant_id = who.require(Role.VIEWER)

        def ask(session: Session) -> shapes.DeliveryDetail:
            item = session.get(OutboxItem, delivery_id)
            if item is None or item.tenant_id != tenant_id:
                raise NotFound(
                    "There is no such delivery.",
                    value=delivery_id,
                    rule="the id is that of a delivery of this tenant that is still kept",
                    remedy="GET /v1/deliveries lists them",
                )
            attempts = list(
                session.scalars(
                    select(Attempt)
                    .where(Attempt.outbox_id == item.id)
                    .order_by(Attempt.started_at, Attempt.id)
                    .limit(MAX_LIMIT)
                )
            )
            merged = session.scalar(select(func.count()).where(OutboxItem.digest_id == item.id))
            target = session.get(Target, item.target_id)
            kind = self._kinds["rocketmq" if "line" in item.payload else "dingtalk"]
            return shapes.DeliveryDetail.model_validate(
                {
                    **_shared(item, _Names(session, tenant_id, [item]), attempts[-1] if attempts else None),
                    "payload": kind.said(item, target),
                    "merged": merged or 0,
                    "attempts": [
                        {
                            "started_at": attempt.started_at,
                            "finished_at": attempt.finished_at,
                            "request": attempt.request,
                            "status": attempt.status,
                            "response": attempt.response,
                            "text": words_of(attempt),
                            "errcode": attempt.errcode,
                            "outcome": attempt.outcome,
                            "latency_ms": attempt.latency_ms,
                        }
                        for attempt in attempts
                    ],
                }
            )

        return self._store.read(ask)


class _Names:
    """The names of the rules and targets that some items speak of."""

    def __init__(self, session: Session, tenant_id: str, items: list[OutboxItem]) -> None:
        rules = {item.rule_id for item in items if item.rule_id is not None}
        targets = {item.target_id for item in items}
        asked = select(Rule.id, Rule.name).where(Rule.tenant_id == tenant_id, Rule.id.in_(rules))
        self.rules = dict(session.execute(asked).all())
        asked = select(Target.id, Target.name).where(Target.tenant_id == tenant_id, Target.id.in_(targets))
        self.targets = dict(session.execute(asked).all())


def _shared(item: OutboxItem, names: _Names, last: Attempt | None) -> dict[str, Any]:
    rule = None
    if item.rule_id is not None:
        name = names.rules.get(item.rule_id) or item.payload.get("rule_name") or ""
        rule = {"id": item.rule_id, "name": name}
    known = item.target_id in names.targets
    reason = item.payload.get("reason")
    if item.state == "failed" and reason is None and not known:
        reason = "target_deleted"
    return {
        "id": item.id,
        "kind": item.kind,
        "state": item.state,
        "reason": reason,
        "rule": rule,
        "target": {"id": item.target_id, "name": names.targets[item.target_id]} if known else None,
        "event": item.payload.get("event"),
        "digest_id": item.digest_id,
        "created_at": item.created_at,
        "updated_at": item.updated_at,
        "last": None
        if last is None
        else {
            "outcome": last.outcome,
            "errcode": last.errcode,
            "text": words_of(last),
            "latency_ms": last.latency_ms,
        },
    }


def _last_attempts(session: Session, ids: list[str]) -> dict[str, Attempt]:
    newest = (
        select(Attempt.outbox_id, func.max(Attempt.started_at).label("at"))
        .where(Attempt.outbox_id.in_(ids))
        .group_by(Attempt.outbox_id)
        .subquery()
    )
    asked = select(Attempt).join(
        newest, and_(Attempt.outbox_id == newest.c.outbox_id, Attempt.started_at == newest.c.at)
    )
    return {attempt.outbox_id: attempt for attempt in session.scalars(asked)}
