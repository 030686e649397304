"""Deliveries as rows of a table, for people's SQL."""

from typing import Any

from eventcenter.store import Store
from eventcenter.store.models import Attempt, OutboxItem, Rule, Target
from eventcenter.store.sql import Session, and_, func, select


def delivery_rows(store: Store, tenant_id: str, limit: int) -> list[dict[str, Any]]:
    """A tenant's newest deliveries, at most `limit`, each with what its last attempt came to."""
    newest = (
        select(Attempt.outbox_id, func.max(Attempt.started_at).label("at"))
        .where(Attempt.tenant_id == tenant_id)
        .group_by(Attempt.outbox_id)
        .subquery()
    )
    asked = (
        select(
            OutboxItem.id,
            OutboxItem.kind,
            OutboxItem.state,
            OutboxItem.payload,
            OutboxItem.rule_id,
            Rule.name.label("rule"),
            OutboxItem.target_id,
            Target.name.label("target"),
            OutboxItem.attempts,
            Attempt.outcome,
            Attempt.errcode,
            Attempt.latency_ms,
            OutboxItem.digest_id,
            OutboxItem.created_at,
            OutboxItem.updated_at,
        )
        .outerjoin(Rule, and_(Rule.id == OutboxItem.rule_id, Rule.tenant_id == tenant_id))
        .outerjoin(Target, and_(Target.id == OutboxItem.target_id, Target.tenant_id == tenant_id))
        .outerjoin(newest, newest.c.outbox_id == OutboxItem.id)
        .outerjoin(Attempt, and_(Attempt.outbox_id == OutboxItem.id, Attempt.started_at == newest.c.at))
        .where(OutboxItem.tenant_id == tenant_id)
        .order_by(OutboxItem.created_at.desc(), OutboxItem.id.desc())
        .limit(limit)
    )

    def ask(session: Session) -> list[dict[str, Any]]:
        return [_row(dict(found._mapping)) for found in session.execute(asked)]  # noqa: SLF001 its public name

    return store.read(ask)


def _row(found: dict[str, Any]) -> dict[str, Any]:
    payload = found.pop("payload")
    event = payload.get("event") or {}
    return {
        **found,
        "rule": found["rule"] or payload.get("rule_name"),
        "reason": payload.get("reason"),
        "event_seq": event.get("seq"),
    }
