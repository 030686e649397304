"""The buses of a tenant."""

from collections.abc import Callable, Mapping
from datetime import datetime

from eventcenter.access import Principal, Role
from eventcenter.accounts.shapes import BusAnswer
from eventcenter.errors import Conflict, NotFound
from eventcenter.store import Store
from eventcenter.store.audit import audit
from eventcenter.store.bootstrap import DEFAULT_BUS
from eventcenter.store.models import Bus, Hold, Input, RetentionRow, Rule
from eventcenter.store.sql import Session, select

BusStatistics = Callable[[str], Mapping[str, tuple[int, datetime | None]]]
"""From a tenant's id to each bus's count of events and the moment of the last one."""


def no_statistics(_tenant_id: str) -> Mapping[str, tuple[int, datetime | None]]:
    """For those who have no archive at hand: every bus seems empty."""
    return {}


class Buses:
    """Makes, lists and deletes buses of the principal's tenant."""

    def __init__(self, store: Store, statistics: BusStatistics) -> None:
        self._store = store
        self._statistics = statistics

    def all(self, who: Principal) -> list[BusAnswer]:
        """The tenant's buses by name, `default` first, with how much they hold."""
        tenant_id = who.require(Role.VIEWER)
        statistics = self._statistics(tenant_id)
        ask = select(Bus).where(Bus.tenant_id == tenant_id).order_by(Bus.name != DEFAULT_BUS, Bus.name)
        buses = self._store.read(lambda session: list(session.scalars(ask)))
        return [_answer(bus, *statistics.get(bus.name, (0, None))) for bus in buses]

    def create(self, who: Principal, *, name: str, description: str = "") -> BusAnswer:
        """A new, empty bus. Raises Conflict if the tenant has one of that name."""
        tenant_id = who.require(Role.ADMIN)

        def apply(session: Session) -> BusAnswer:
            if _find(session, tenant_id, name) is not None:
                raise Conflict(
                    "There is such a bus already.",
                    value=name,
                    rule="a bus's name is unique in its tenant",
                    remedy="choose another name, or use the bus that is there",
                )
            bus = Bus(
                tenant_id=tenant_id, name=name, description=description, created_at=self._store.clock.now()
            )
            session.add(bus)
            audit(session, who, "bus.create", f"bus:{name}", {"description": description})
            return _answer(bus, 0, None)

        return self._store.write(apply)

    def delete(self, who: Principal, name: str) -> None:
        """Remove an empty bus.

        Raises NotFound; Conflict for `default`, for a bus that holds events, for one that a rule or an input
        names, and for one under a legal hold. Its retention policy goes with it.
        """
        tenant_id = who.require(Role.ADMIN)
        if name == DEFAULT_BUS:
            raise Conflict(
                "The bus `default` stays.",
                rule="every tenant has a bus `default`",
                remedy="delete other buses, or leave it unused",
            )
        if self._store.read(lambda session: _find(session, tenant_id, name)) is None:
            raise _missing(name)
        events, _ = self._statistics(tenant_id).get(name, (0, None))
        if events:
            raise Conflict(
                "The bus holds events.",
                value=f"{name}: {events} events",
                rule="only an empty bus can be deleted in this version, whatever `confirm` says",
                remedy="keep the bus, and revoke the tokens that post to it if it should get no more",
            )

        def apply(session: Session) -> None:
            bus = _find(session, tenant_id, name)
            if bus is None:
                raise _missing(name)
            rules = session.scalars(select(Rule).where(Rule.tenant_id == tenant_id).order_by(Rule.name))
            naming = [rule.name for rule in rules if name in rule.buses]
            if naming:
                raise Conflict(
                    "Rules watch this bus.",
                    value=", ".join(naming),
                    rule="a bus that a rule names stays",
                    remedy="change or delete these rules first",
                )
            inputs = session.scalars(select(Input).where(Input.tenant_id == tenant_id).order_by(Input.name))
            feeding = [one.name for one in inputs if name in {t["bus"] for t in one.config["topics"]}]
            if feeding:
                raise Conflict(
                    "Inputs bring events to this bus.",
                    value=", ".join(feeding),
                    rule="a bus that an input names stays",
                    remedy="change or delete these inputs first",
                )
            if session.get(Hold, (tenant_id, name)) is not None:
                raise Conflict(
                    "The bus is under a legal hold.",
                    value=name,
                    rule="a bus stays as long as its hold",
                    remedy="lift the hold first",
                )
            policy = session.get(RetentionRow, (tenant_id, name))
            if policy is not None:
                session.delete(policy)
            session.delete(bus)
            audit(session, who, "bus.delete", f"bus:{name}")

        self._store.write(apply)


def _find(session: Session, tenant_id: str, name: str) -> Bus | None:
    return session.scalar(select(Bus).where(Bus.tenant_id == tenant_id, Bus.name == name))


def _missing(name: str) -> NotFound:
    return NotFound("There is no such bus.", value=name, remedy="GET /v1/buses lists their names")


def _answer(bus: Bus, events: int, last: datetime | None) -> BusAnswer:
    return BusAnswer(
        name=bus.name,
        description=bus.description,
        created_at=bus.created_at,
        events=events,
        last_received_at=last,
    )
