"""The rules of a tenant: made, changed, looked at before they are on, tested."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from alerts import shapes
from alerts.delivery import Delivery
from alerts.engine import audience_of, event_reference
from alerts.message import Audience, Composed, compose
from alerts.reading import EventReader
from alerts.rule import RULES_LIMIT, InvalidRule, Parts, Problem, RuleForm, examine
from alerts.sentence import sentence
from alerts.target_book import item_for_test, send_test
from alerts.targets import TRAITS, robot, topic
from alerts.template import NOTHING
from eventcenter.access import Principal, Role
from eventcenter.clock import Clock
from eventcenter.errors import Conflict, InvalidInput, NotFound
from eventcenter.event import StoredEvent, encode_line
from eventcenter.pattern import EventPattern
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.audit import audit
from eventcenter.store.models import Alert, Bus, Rule, RuleState, Target, Tenant, new_id
from eventcenter.store.sql import Session, func, select

DAY: Final = timedelta(hours=24)
_MOST_SEQ = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a rule would do."""

    sentence: Mapping[str, str]
    matched_24h: int
    sample: StoredEvent | None
    message: shapes.Said | None
    problems: tuple[Mapping[str, str], ...]
    """Each in both languages."""


class RuleBook:
    """Works for the principal's tenant alone; ids of other tenants do not exist."""

    def __init__(
        self,
        *,
        store: Store,
        events: EventReader,
        clock: Clock,
        settings: Settings,
        delivery: Delivery,
        changed: Callable[[], None],
    ) -> None:
        self._store = store
        self._events = events
        self._clock = clock
        self._settings = settings
        self._delivery = delivery
        self._changed = changed

    def all(self, who: Principal) -> list[shapes.RuleAnswer]:
        """The tenant's rules by name."""
        tenant_id = who.require(Role.VIEWER)

        def ask(session: Session) -> list[shapes.RuleAnswer]:
            rules = session.scalars(select(Rule).where(Rule.tenant_id == tenant_id).order_by(Rule.name)).all()
            return self._answers(session, tenant_id, list(rules))

        return self._store.read(ask)

    def get(self, who: Principal, rule_id: str) -> shapes.RuleAnswer:
        """One rule. Raises NotFound."""
        tenant_id = who.require(Role.VIEWER)
        return self._store.read(
            lambda session: self._answers(session, tenant_id, [_find(session, tenant_id, rule_id)])[0]
        )

    def create(self, who: Principal, body: shapes.RuleBody) -> shapes.RuleAnswer:
        """A new rule; it fires on events from now on. Raises InvalidRule with all problems, or Conflict."""
        tenant_id = who.require(Role.EDITOR)
        form = _form(body)
        last_seq = self._events.last_seq(tenant_id)

        def apply(session: Session) -> shapes.RuleAnswer:
            parts = _checked(session, tenant_id, form)
            count = session.scalar(select(func.count()).where(Rule.tenant_id == tenant_id)) or 0
            if count >= RULES_LIMIT:
                raise Conflict(
                    "The tenant has as many rules as it may have.",
                    value=count,
                    rule=f"at most {RULES_LIMIT} rules",
                    remedy="delete rules, or let one pattern match more",
                )
            now = self._clock.now()
            rule = Rule(
                id=new_id(),
                tenant_id=tenant_id,
                created_at=now,
                enabled=body.enabled,
                from_seq=last_seq,
                name="",
                buses=[],
                pattern={},
                template={},
                target_id=body.target_id,
                updated_at=now,
            )
            _fill(session, rule, form, parts)
            session.add(rule)
            session.flush()
            audit(session, who, "rule.create", f"rule:{rule.name}", {"enabled": rule.enabled})
            return self._answers(session, tenant_id, [rule])[0]

        made = self._store.write(apply)
        self._changed()
        return made

    def replace(self, who: Principal, rule_id: str, body: shapes.RuleBody) -> shapes.RuleAnswer:
        """Change a rule. With another pattern, other buses, or switched on, it begins with the next event.

        Raises InvalidRule with all problems, NotFound, Conflict.
        """
        tenant_id = who.require(Role.EDITOR)
        form = _form(body)
        last_seq = self._events.last_seq(tenant_id)

        def apply(session: Session) -> shapes.RuleAnswer:
            rule = _find(session, tenant_id, rule_id)
            parts = _checked(session, tenant_id, form)
            before = (rule.pattern, list(rule.buses))
            _fill(session, rule, form, parts)
            if (rule.pattern, list(rule.buses)) != before or (body.enabled and not rule.enabled):
                rule.from_seq = max(rule.from_seq, last_seq)
            rule.enabled, rule.updated_at = body.enabled, self._clock.now()
            session.flush()
            audit(session, who, "rule.change", f"rule:{rule.name}", {"enabled": rule.enabled})
            return self._answers(session, tenant_id, [rule])[0]

        changed = self._store.write(apply)
        self._changed()
        return changed

    def enable(self, who: Principal, rule_id: str, *, enabled: bool) -> shapes.RuleAnswer:
        """Switch a rule on, from the next event, or off. Raises NotFound."""
        tenant_id = who.require(Role.EDITOR)
        last_seq = self._events.last_seq(tenant_id) if enabled else 0

        def apply(session: Session) -> shapes.RuleAnswer:
            rule = _find(session, tenant_id, rule_id)
            if enabled and not rule.enabled:
                rule.from_seq = max(rule.from_seq, last_seq)
            rule.enabled, rule.updated_at = enabled, self._clock.now()
            audit(session, who, "rule.enable" if enabled else "rule.disable", f"rule:{rule.name}")
            session.flush()
            return self._answers(session, tenant_id, [rule])[0]

        changed = self._store.write(apply)
        self._changed()
        return changed

    def delete(self, who: Principal, rule_id: str) -> None:
        """Delete a rule; what it already had to say is still delivered. Raises NotFound."""
        tenant_id = who.require(Role.EDITOR)

        def apply(session: Session) -> None:
            rule = _find(session, tenant_id, rule_id)
            session.delete(rule)
            audit(session, who, "rule.delete", f"rule:{rule.name}")

        self._store.write(apply)

    def preview(self, who: Principal, body: shapes.PreviewBody) -> Preview:
        """What the rule would do: a sentence, a count, a message, and all that is wrong with it.

        Raises NotFound for an `event_seq` or `rule_id` that is none, Unavailable when counting is too slow.
        """
        tenant_id = who.require(Role.VIEWER)
        form = _form(body)
        parts, problems, audience, target = self._store.read(
            lambda session: self._examined(session, tenant_id, form, body.rule_id)
        )
        told = [{"en": str(problem), "zh": str(problem)} for problem in problems]
        sample = None if body.event_seq is None else self._event(tenant_id, body.event_seq)
        matched, said = 0, None
        words: Mapping[str, str] = {"en": "", "zh": ""}
        if parts.pattern is not None:
            words = sentence(parts.pattern, form.buses)
            now = self._clock.now()
            if not any(problem.where == "buses" for problem in problems):
                matched = self._events.count(
                    tenant_id, buses=form.buses, pattern=parts.pattern, from_=now - DAY, to=now
                )
                if sample is None:
                    sample = self._events.newest(tenant_id, buses=form.buses, pattern=parts.pattern)
                elif not _matches(parts.pattern, form.buses, sample):
                    told.append(_NO_MATCH)
        if sample is not None:
            made = _composed(body.rule_id, form.name, parts, sample, audience)
            said = _said(made, sample, target)
            told += [
                {
                    "en": f"The event shown has nothing at {path}; the message says {NOTHING} there.",
                    "zh": f"示例事件中没有 {path}，消息中显示为 {NOTHING}。",
                }
                for path in made.missing[:20]
            ]
        return Preview(sentence=words, matched_24h=matched, sample=sample, message=said, problems=tuple(told))

    def test(self, who: Principal, rule_id: str, body: shapes.TestBody) -> shapes.Sent:
        """Send the rule's message of one event now, marked as a test. Raises NotFound, Conflict."""
        tenant_id = who.require(Role.EDITOR)
        rule = self._store.read(lambda session: _find(session, tenant_id, rule_id))
        if body.event_seq is not None:
            stored = self._event(tenant_id, body.event_seq)
        else:
            pattern = EventPattern.parse(rule.pattern)
            newest = self._events.newest(tenant_id, buses=rule.buses, pattern=pattern)
            if newest is None:
                raise Conflict(
                    "No event matches this rule yet, so there is nothing to test it with.",
                    rule="a test speaks of a real event",
                    remedy="send an event that matches, or name one with event_seq",
                )
            stored = newest

        def apply(session: Session) -> tuple[str, str]:
            current = _find(session, tenant_id, rule_id)
            target = session.get_one(Target, current.target_id)
            parts = _checked(session, tenant_id, _form_of(current), own=True)
            if TRAITS[target.kind].forwards:
                payload: dict[str, Any] = {"line": encode_line(stored.event).decode()}
            else:
                audience = audience_of(session.get_one(Tenant, tenant_id), self._settings)
                made = _composed(current.id, current.name, parts, stored, audience, test=True)
                payload = {"message": made.message.payload()}
            item = item_for_test(
                target, payload, self._clock.now(), rule=current, event=event_reference(stored)
            )
            session.add(item)
            audit(session, who, "rule.test", f"rule:{current.name}", {"seq": stored.seq})
            return item.id, target.robot_hash

        item_id, robot_hash = self._store.write(apply)
        return send_test(self._store, self._delivery, tenant_id, item_id, robot_hash)

    def _event(self, tenant_id: str, seq: int) -> StoredEvent:
        if not 0 < seq <= _MOST_SEQ:
            raise NotFound(
                "There is no such event.", value=seq, remedy="name the seq of an event that is there"
            )
        return self._events.get(tenant_id, seq)

    def _examined(
        self, session: Session, tenant_id: str, form: RuleForm, rule_id: str | None
    ) -> tuple[Parts, list[Problem], Audience, Target | None]:
        if rule_id is not None:
            _find(session, tenant_id, rule_id)
        parts, problems = _examine(session, tenant_id, form, preview=True)
        audience = audience_of(session.get_one(Tenant, tenant_id), self._settings)
        target = None if form.target_id is None else session.get(Target, form.target_id)
        own = target is not None and target.tenant_id == tenant_id
        return parts, problems, audience, target if own else None

    def _answers(self, session: Session, tenant_id: str, rules: list[Rule]) -> list[shapes.RuleAnswer]:
        since = self._clock.now() - DAY
        ids = [rule.id for rule in rules]
        counts: dict[tuple[str, bool], int] = {}
        asked = (
            select(Alert.rule_id, Alert.suppressed, func.count())
            .where(Alert.tenant_id == tenant_id, Alert.created_at >= since, Alert.rule_id.in_(ids))
            .group_by(Alert.rule_id, Alert.suppressed)
        )
        for rule_id, suppressed, count in session.execute(asked):
            counts[rule_id, suppressed] = count
        states = {
            state.rule_id: state
            for state in session.scalars(select(RuleState).where(RuleState.rule_id.in_(ids)))
        }
        return [
            shapes.RuleAnswer.model_validate(
                {
                    "id": rule.id,
                    "name": rule.name,
                    "buses": rule.buses,
                    "pattern": rule.pattern,
                    "template": rule.template,
                    "cooldown_s": rule.cooldown_s,
                    "target_id": rule.target_id,
                    "enabled": rule.enabled,
                    "created_at": rule.created_at,
                    "updated_at": rule.updated_at,
                    "last_fired_at": states[rule.id].last_fired_at if rule.id in states else None,
                    "alerts_24h": counts.get((rule.id, False), 0),
                    "suppressed_24h": counts.get((rule.id, True), 0),
                    "sentence": _sentence(rule),
                }
            )
            for rule in rules
        ]


_NO_MATCH: Final = {
    "en": "The event shown does not match the rule.",
    "zh": "示例事件与规则不匹配。",
}


def _form(body: shapes.RuleBody | shapes.PreviewBody) -> RuleForm:
    return RuleForm(
        name=body.name.strip(),
        buses=tuple(dict.fromkeys(body.buses)),
        pattern=body.pattern,
        title=body.template.title,
        text=body.template.text,
        cooldown_s=body.cooldown_s,
        target_id=body.target_id,
    )


def _form_of(rule: Rule) -> RuleForm:
    return RuleForm(
        name=rule.name,
        buses=tuple(rule.buses),
        pattern=rule.pattern,
        title=str(rule.template.get("title", "")),
        text=str(rule.template.get("text", "")),
        cooldown_s=rule.cooldown_s,
        target_id=rule.target_id,
    )


def _examine(
    session: Session, tenant_id: str, form: RuleForm, *, preview: bool = False
) -> tuple[Parts, list[Problem]]:
    return examine(
        form,
        known_buses=session.scalars(select(Bus.name).where(Bus.tenant_id == tenant_id)).all(),
        known_targets={
            target_id: TRAITS[kind].forwards
            for target_id, kind in session.execute(
                select(Target.id, Target.kind).where(Target.tenant_id == tenant_id)
            )
        },
        preview=preview,
    )


def _checked(session: Session, tenant_id: str, form: RuleForm, *, own: bool = False) -> Parts:
    """The parts of a rule that is right; one that is kept already (`own`) may name a bus that is gone."""
    parts, problems = _examine(session, tenant_id, form)
    if own:
        problems = [problem for problem in problems if problem.where != "buses"]
    if problems:
        raise InvalidRule(problems)
    return parts


def _fill(session: Session, rule: Rule, form: RuleForm, parts: Parts) -> None:
    taken = select(Rule.id).where(
        Rule.tenant_id == rule.tenant_id, Rule.name == form.name, Rule.id != rule.id
    )
    if session.scalar(taken) is not None:
        raise Conflict(
            "There is such a rule already.",
            value=form.name,
            rule="a rule's name is unique in its tenant",
            remedy="choose another name",
        )
    rule.name, rule.buses = form.name, list(form.buses)
    rule.pattern = {} if parts.pattern is None else parts.pattern.document
    rule.template = {"title": form.title, "text": form.text}
    rule.cooldown_s = form.cooldown_s
    rule.target_id = form.target_id or ""


def _find(session: Session, tenant_id: str, rule_id: str) -> Rule:
    rule = session.get(Rule, rule_id)
    if rule is None or rule.tenant_id != tenant_id:
        raise NotFound(
            "There is no such rule.",
            value=rule_id,
            rule="the id is that of a rule of this tenant",
            remedy="GET /v1/rules lists them",
        )
    return rule


def _matches(pattern: EventPattern, buses: tuple[str, ...], stored: StoredEvent) -> bool:
    return (not buses or stored.bus in buses) and pattern.match(stored.event)


def _composed(
    rule_id: str | None,
    rule_name: str,
    parts: Parts,
    stored: StoredEvent,
    audience: Audience,
    *,
    test: bool = False,
) -> Composed:
    return compose(
        rule_id=rule_id,
        rule_name=rule_name,
        title=parts.title,
        text=parts.text,
        stored=stored,
        audience=audience,
        test=test,
    )


def _said(made: Composed, stored: StoredEvent, target: Target | None) -> shapes.Said:
    """What the target would get."""
    config = {} if target is None else target.config
    if target is not None and TRAITS[target.kind].forwards:
        return topic.said(stored.event, config["topic"])
    return robot.said(replace(made.message, keyword=config.get("keyword")))


def _sentence(rule: Rule) -> Mapping[str, str]:
    try:
        return sentence(EventPattern.parse(rule.pattern), rule.buses)
    except InvalidInput:
        return {"en": "", "zh": ""}
