"""The engine: a reader of each tenant's archive with a cursor on `seq`.

One step reads a stretch of events, asks which of them match each rule, and commits alerts, outbox items, the
rules' memory and the cursor in one transaction: a crash repeats nothing and skips nothing. The clock is the
events' `received_at`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from alerts.evaluator import Decision, Memory, decide
from alerts.message import Audience, compose
from alerts.reading import EventReader
from alerts.targets import TRAITS
from alerts.template import Template
from eventcenter.clock import Clock
from eventcenter.errors import EventCenterError, InvalidInput
from eventcenter.event import StoredEvent, encode_line
from eventcenter.pattern import EventPattern
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.audit import audit
from eventcenter.store.models import Alert, Cursor, OutboxItem, Rule, RuleState, Target, Tenant, new_id
from eventcenter.store.sql import Session, select

READER: Final = "rules"
WINDOW: Final = 20_000
"""Events that one step looks at, at most."""
MATCHES: Final = 500
"""Matches that one step commits, about: they are held in memory and share a transaction."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ReadyRule:
    """A rule that is on, its parts parsed."""

    id: str
    name: str
    buses: tuple[str, ...]
    pattern: EventPattern
    title: Template
    text: Template
    cooldown_s: int
    target_id: str
    forwards: bool
    """Its target gets the event itself, not a message about it."""
    from_seq: int
    memory: Memory


@dataclass(frozen=True, kw_only=True)
class _Situation:
    """What a step begins with."""

    audience: Audience
    cursor: int
    rules: tuple[ReadyRule, ...]
    unreadable: Mapping[str, str]
    """Id of each rule that cannot be read, and why."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Events that wait for the rules, and the first of them; 0 if none does."""

    lag: int
    next_seq: int


class Engine:
    """Evaluates rules. One thread at a time per tenant."""

    def __init__(self, *, store: Store, events: EventReader, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._events = events
        self._clock = clock
        self._settings = settings
        self._windows: dict[str, int] = {}

    def tenants(self) -> tuple[str, ...]:
        """Ids of the tenants that have a rule which is on."""
        ask = select(Rule.tenant_id).where(Rule.enabled).distinct()
        return tuple(self._store.read(lambda session: session.scalars(ask).all()))

    def step_all(self) -> bool:
        """One step for every tenant; whether any had work. One tenant's trouble does not stop the others."""
        worked = False
        for tenant_id in self.tenants():
            try:
                worked = self.step(tenant_id) or worked
            except EventCenterError as error:
                _log.warning("rules could not be evaluated", tenant=tenant_id, error=str(error))
        return worked

    def step(self, tenant_id: str) -> bool:
        """Evaluate the next stretch of the tenant's events; False if there was none.

        Raises Unavailable, and changes nothing, where archive or store do not answer.
        """
        situation = self._store.read(lambda session: self._situation(session, tenant_id))
        if situation is None:
            return False
        if situation.unreadable:
            self._switch_off(tenant_id, situation.unreadable)
        if not situation.rules:
            return False
        last = self._events.last_seq(tenant_id)
        start = max(situation.cursor, min(rule.from_seq for rule in situation.rules))
        if start >= last:
            return False
        window = self._windows.get(tenant_id, WINDOW)
        try:
            up_to, matched = self._matches(tenant_id, situation.rules, start, min(start + window, last))
        except EventCenterError as error:
            # A stretch that takes too long is tried again in halves, until it is quick enough.
            if error.retryable:
                self._windows[tenant_id] = max(window // 2, 1)
            raise
        self._windows.pop(tenant_id, None)
        self._commit(tenant_id, situation, up_to, matched)
        return True

    def progress(self, tenant_id: str) -> Progress:
        """How far the tenant's rules have come; a tenant without rules has nothing to wait for."""
        situation = self._store.read(lambda session: self._situation(session, tenant_id))
        if situation is None or not situation.rules:
            return Progress(lag=0, next_seq=0)
        start = max(situation.cursor, min(rule.from_seq for rule in situation.rules))
        lag = max(self._events.last_seq(tenant_id) - start, 0)
        return Progress(lag=lag, next_seq=start + 1 if lag else 0)

    def _situation(self, session: Session, tenant_id: str) -> _Situation | None:
        tenant = session.get(Tenant, tenant_id)
        if tenant is None:
            return None
        cursor = session.get(Cursor, (tenant_id, READER))
        asked = (
            select(Rule, RuleState, Target.kind)
            .join(Target, Target.id == Rule.target_id)
            .outerjoin(RuleState, RuleState.rule_id == Rule.id)
            .where(Rule.tenant_id == tenant_id, Rule.enabled)
            .order_by(Rule.created_at, Rule.id)
        )
        rules: list[ReadyRule] = []
        unreadable: dict[str, str] = {}
        for rule, state, kind in session.execute(asked):
            try:
                rules.append(_ready(rule, state, kind))
            except InvalidInput as error:
                unreadable[rule.id] = str(error)
        return _Situation(
            audience=audience_of(tenant, self._settings),
            cursor=0 if cursor is None else cursor.seq,
            rules=tuple(rules),
            unreadable=unreadable,
        )

    def _matches(
        self, tenant_id: str, rules: Sequence[ReadyRule], start: int, up_to: int
    ) -> tuple[int, dict[str, Sequence[StoredEvent]]]:
        """The end of the stretch that can be committed at once, and each rule's matches up to it."""
        found: dict[str, Sequence[StoredEvent]] = {}
        for rule in rules:
            after = max(start, rule.from_seq)
            if after >= up_to:
                continue
            events = self._events.matches(
                tenant_id,
                buses=rule.buses,
                pattern=rule.pattern,
                after_seq=after,
                up_to_seq=up_to,
                limit=MATCHES + 1,
            )
            if len(events) > MATCHES:
                events = events[:MATCHES]
                up_to = events[-1].seq
            found[rule.id] = events
        places = sorted(event.seq for events in found.values() for event in events if event.seq <= up_to)
        if len(places) > MATCHES:
            up_to = places[MATCHES - 1]
        return up_to, {
            rule_id: [event for event in events if event.seq <= up_to] for rule_id, events in found.items()
        }

    def _commit(
        self,
        tenant_id: str,
        situation: _Situation,
        up_to: int,
        matched: Mapping[str, Sequence[StoredEvent]],
    ) -> None:
        now = self._clock.now()
        prepared: list[tuple[ReadyRule, tuple[Decision, ...], Memory, list[dict[str, Any]]]] = []
        for rule in situation.rules:
            if events := matched.get(rule.id):
                decisions, memory = decide(events, rule.memory, rule.cooldown_s)
                payloads = [
                    _payload(rule, decision, situation.audience) for decision in decisions if decision.fires
                ]
                prepared.append((rule, decisions, memory, payloads))

        def apply(session: Session) -> None:
            cursor = session.get(Cursor, (tenant_id, READER))
            if (0 if cursor is None else cursor.seq) != situation.cursor:
                # Somebody else evaluated this stretch: theirs counts.
                return
            ids = {rule.id for rule, *_ in prepared}
            alive = set(session.scalars(select(Rule.id).where(Rule.id.in_(ids), Rule.enabled)))
            index = 0
            for rule, decisions, memory, payloads in prepared:
                if rule.id not in alive:
                    continue
                waiting = iter(payloads)
                for decision in decisions:
                    alert = _alert(tenant_id, rule, decision, now)
                    session.add(alert)
                    if decision.fires:
                        index += 1
                        at = now + timedelta(microseconds=index)
                        session.add(_item(rule, alert, decision.stored, next(waiting), at))
                _remember(session, tenant_id, rule.id, memory)
            if cursor is None:
                session.add(Cursor(tenant_id=tenant_id, reader=READER, seq=up_to, updated_at=now))
            else:
                cursor.seq, cursor.updated_at = up_to, now

        self._store.write(apply)

    def _switch_off(self, tenant_id: str, unreadable: Mapping[str, str]) -> None:
        """Rules that this version cannot read are switched off, for all to see, so that the others go on."""

        def apply(session: Session) -> None:
            ask = select(Rule).where(Rule.tenant_id == tenant_id, Rule.id.in_(unreadable), Rule.enabled)
            for rule in session.scalars(ask):
                rule.enabled = False
                audit(
                    session,
                    "engine",
                    "rule.switched_off",
                    f"rule:{rule.name}",
                    {"why": unreadable[rule.id][:500]},
                    tenant_id=tenant_id,
                )

        self._store.write(apply)
        _log.error("rules were switched off because they cannot be read", tenant=tenant_id, rules=unreadable)


def audience_of(tenant: Tenant, settings: Settings) -> Audience:
    """For whom the tenant's messages are written."""
    return Audience.of(
        tenant=tenant.name,
        language=tenant.language,
        time_zone=tenant.time_zone,
        dashboard_url=settings.dashboard_url,
    )


def event_reference(stored: StoredEvent) -> dict[str, object]:
    """How a delivery names its event."""
    return {
        "seq": stored.seq,
        "id": stored.event.id,
        "type": stored.event.type,
        "source": stored.event.source,
        "bus": stored.bus,
    }


def _ready(rule: Rule, state: RuleState | None, kind: str) -> ReadyRule:
    return ReadyRule(
        id=rule.id,
        name=rule.name,
        buses=tuple(rule.buses),
        pattern=EventPattern.parse(rule.pattern),
        title=Template.parse(str(rule.template.get("title", ""))),
        text=Template.parse(str(rule.template.get("text", ""))),
        cooldown_s=rule.cooldown_s,
        target_id=rule.target_id,
        forwards=TRAITS[kind].forwards,
        from_seq=rule.from_seq,
        memory=Memory()
        if state is None
        else Memory(last_fired_at=state.last_fired_at, suppressed=state.suppressed),
    )


def _alert(tenant_id: str, rule: ReadyRule, decision: Decision, now: datetime) -> Alert:
    stored = decision.stored
    return Alert(
        id=new_id(),
        tenant_id=tenant_id,
        rule_id=rule.id,
        seq=stored.seq,
        bus=stored.bus,
        event_id=stored.event.id,
        event_source=stored.event.source,
        event_type=stored.event.type,
        received_at=stored.received_at,
        created_at=now,
        suppressed=not decision.fires,
    )


def _payload(rule: ReadyRule, decision: Decision, audience: Audience) -> dict[str, Any]:
    """What goes out: the event as it is, or a message about it."""
    if rule.forwards:
        return {"line": encode_line(decision.stored.event).decode()}
    composed = compose(
        rule_id=rule.id,
        rule_name=rule.name,
        title=rule.title,
        text=rule.text,
        stored=decision.stored,
        audience=audience,
        suppressed=decision.before,
    )
    return {"message": composed.message.payload()}


def _item(
    rule: ReadyRule, alert: Alert, stored: StoredEvent, payload: dict[str, Any], at: datetime
) -> OutboxItem:
    return OutboxItem(
        tenant_id=alert.tenant_id,
        target_id=rule.target_id,
        rule_id=rule.id,
        alert_id=alert.id,
        kind="event",
        payload={**payload, "event": event_reference(stored), "rule_name": rule.name},
        state="pending",
        attempts=0,
        not_before=alert.created_at,
        # Each a microsecond after the one before, so that the outbox keeps the order of the events.
        created_at=at,
        updated_at=at,
    )


def _remember(session: Session, tenant_id: str, rule_id: str, memory: Memory) -> None:
    state = session.get(RuleState, rule_id)
    if state is None:
        state = RuleState(rule_id=rule_id, tenant_id=tenant_id)
        session.add(state)
    state.last_fired_at, state.suppressed = memory.last_fired_at, memory.suppressed
