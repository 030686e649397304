"""One message for many: what waits while a robot may not speak is merged, per target, into one digest."""

from datetime import datetime
from typing import Any, Final

from alerts.message import Audience, RuleCount, compose_digest
from eventcenter.clock import rfc3339
from eventcenter.store.models import Alert, OutboxItem, Rule, Target, new_id
from eventcenter.store.sql import ColumnElement, Session, and_, func, select, update

LEAST: Final = 2
"""A single message is no digest: it waits as it is."""


def merge(session: Session, target: Target, audience: Audience, now: datetime, *, budget: int) -> bool:
    """Merge the target's waiting alerts into its digest; False if there is nothing to merge.

    `budget` is what the robot may be sent in a minute, for the words. A digest that waits and was not sent
    yet takes in more; otherwise a new one begins.
    """
    waiting = _waiting(target)
    ask = (
        select(
            OutboxItem.rule_id,
            func.count(),
            func.min(Alert.received_at),
            func.max(Alert.received_at),
        )
        .outerjoin(Alert, Alert.id == OutboxItem.alert_id)
        .where(waiting)
        .group_by(OutboxItem.rule_id)
    )
    counted = list(session.execute(ask))
    digest = _open_digest(session, target.id)
    total = sum(count for _, count, _, _ in counted)
    if total < (1 if digest is not None else LEAST):
        return False
    if digest is None:
        digest = OutboxItem(
            id=new_id(),
            tenant_id=target.tenant_id,
            target_id=target.id,
            rule_id=None,
            alert_id=None,
            kind="digest",
            payload={},
            state="pending",
            attempts=0,
            not_before=now,
            created_at=now,
            updated_at=now,
        )
        session.add(digest)
    rules: dict[str, Any] = dict(digest.payload.get("rules", {}))
    for rule_id, count, first, last in counted:
        _add(rules, rule_id or "", count, first or now, last or now)
    digest.payload = {
        "open": True,
        "rules": rules,
        "message": compose_digest(
            counts=_counts(session, rules), target_id=target.id, budget=budget, audience=audience
        ).payload(),
    }
    digest.updated_at = now
    session.execute(
        update(OutboxItem)
        .where(waiting)
        .values(state="merged", digest_id=digest.id, updated_at=now)
        .execution_options(synchronize_session=False)
    )
    session.flush()
    return True


def mergeable(session: Session, target: Target) -> bool:
    """Whether `merge` would change anything."""
    least = LEAST if _open_digest(session, target.id) is None else 1
    return len(session.scalars(select(OutboxItem.id).where(_waiting(target)).limit(least)).all()) >= least


def _waiting(target: Target) -> ColumnElement[bool]:
    return and_(OutboxItem.target_id == target.id, OutboxItem.state == "pending", OutboxItem.kind == "event")


def _open_digest(session: Session, target_id: str) -> OutboxItem | None:
    ask = (
        select(OutboxItem)
        .where(OutboxItem.target_id == target_id, OutboxItem.state == "pending", OutboxItem.kind == "digest")
        .order_by(OutboxItem.created_at)
    )
    return next((item for item in session.scalars(ask) if item.payload.get("open")), None)


def _add(rules: dict[str, Any], rule_id: str, count: int, first: datetime, last: datetime) -> None:
    held = rules.get(rule_id)
    begins, ends = rfc3339(first), rfc3339(last)
    if held is not None:
        count += held["count"]
        begins = min(begins, held["first"], key=datetime.fromisoformat)
        ends = max(ends, held["last"], key=datetime.fromisoformat)
    rules[rule_id] = {"count": count, "first": begins, "last": ends}


def _counts(session: Session, rules: dict[str, Any]) -> list[RuleCount]:
    names = dict(session.execute(select(Rule.id, Rule.name).where(Rule.id.in_(rules))).all())
    return [
        RuleCount(
            name=names.get(rule_id),
            count=held["count"],
            first=datetime.fromisoformat(held["first"]),
            last=datetime.fromisoformat(held["last"]),
        )
        for rule_id, held in rules.items()
    ]
