"""What the store knows of policies and holds."""

from datetime import timedelta

from eventcenter.archive.retention import Policies, Policy
from eventcenter.errors import Conflict, NotFound
from eventcenter.store.models import Bus, Hold, RetentionRow
from eventcenter.store.sql import Session, select

WHOLE = ""
"""Stands for the tenant where a bus's name could be."""


def policies(session: Session, tenant_id: str) -> Policies:
    """The tenant's policies as the archive takes them."""
    found = {name: policy(row.max_age_days, row.max_bytes) for name, row in rows(session, tenant_id).items()}
    held = set(session.scalars(select(Hold.bus).where(Hold.tenant_id == tenant_id)))
    return Policies(
        tenant=found.pop(WHOLE, Policy()),
        buses=found,
        held=frozenset(held - {WHOLE}),
        all_held=WHOLE in held,
    )


def policy(days: int | None, size: int | None) -> Policy:
    """A policy as the archive takes it."""
    return Policy(max_age=None if days is None else timedelta(days=days), max_bytes=size)


def rows(session: Session, tenant_id: str) -> dict[str, RetentionRow]:
    """The policies by bus, the tenant's under WHOLE."""
    ask = select(RetentionRow).where(RetentionRow.tenant_id == tenant_id)
    return {row.bus: row for row in session.scalars(ask)}


def holds(session: Session, tenant_id: str) -> dict[str, Hold]:
    """The holds by bus, the tenant's under WHOLE."""
    return {row.bus: row for row in session.scalars(select(Hold).where(Hold.tenant_id == tenant_id))}


def bus_names(session: Session, tenant_id: str) -> list[str]:
    """The names of the tenant's buses."""
    return list(session.scalars(select(Bus.name).where(Bus.tenant_id == tenant_id).order_by(Bus.name)))


def require_bus(session: Session, tenant_id: str, name: str) -> None:
    """Raises NotFound unless the tenant has such a bus."""
    if session.scalar(select(Bus.id).where(Bus.tenant_id == tenant_id, Bus.name == name)) is None:
        raise NotFound("There is no such bus.", value=name, remedy="GET /v1/buses lists their names")


def refuse_held(session: Session, tenant_id: str, bus: str | None) -> None:
    """Raises Conflict where a legal hold forbids to remove events of the bus, or of all buses."""
    found = holds(session, tenant_id)
    naming = [name for name in (WHOLE, bus) if name in found] if bus is not None else sorted(found)
    if naming:
        raise Conflict(
            "A legal hold forbids it.",
            value=", ".join(_said(name, found[name]) for name in naming),
            rule="nothing is removed of a bus or tenant under a legal hold, whoever asks",
            remedy="wait until an admin lifts the hold"
            + ("" if bus is not None or WHOLE in found else ", or name a bus that is not held"),
        )


def _said(name: str, hold: Hold) -> str:
    where = "the whole tenant" if name == WHOLE else f"bus {name}"
    return f"{where} ({hold.reason})"
