"""The engine: each match once, nothing skipped, by the events' own time; crashes and trouble included."""

import itertools
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import engine
from alerts.evaluator import Decision, Memory, decide
from eventcenter.clock import ManualClock
from eventcenter.errors import Unavailable
from eventcenter.event import Event, StoredEvent
from eventcenter.store.models import Audit, Rule, RuleState
from eventcenter.store.sql import Session, select, update
from tests.alerts.stand import Stand


def test_a_new_rule_does_not_fire_on_history(there: Stand) -> None:
    for _ in range(5):
        there.events.add(there.tenant)
    there.rule(there.target())
    there.evaluate()
    assert there.alerted() == []
    there.events.add(there.tenant)
    there.evaluate()
    assert [alert.seq for alert in there.alerted()] == [6]


def test_a_rule_that_was_off_begins_with_the_next_event(there: Stand) -> None:
    rule = there.rule(there.target())
    there.as_("editor").patch(f"/v1/rules/{rule}", {"enabled": False})
    there.events.add(there.tenant)
    there.as_("editor").patch(f"/v1/rules/{rule}", {"enabled": True})
    there.events.add(there.tenant)
    there.evaluate()
    assert [alert.seq for alert in there.alerted()] == [2]


def test_a_changed_text_keeps_the_events_that_wait(there: Stand) -> None:
    target = there.target()
    rule = there.rule(target)
    there.events.add(there.tenant)
    body = {
        "name": "Paid",
        "pattern": {"type": ["order.paid"]},
        "template": {"title": "New words ${id}"},
        "target_id": target,
    }
    there.as_("editor").put(f"/v1/rules/{rule}", body)
    there.evaluate()
    there.deliver()
    assert [held.title for held in there.robot.messages()] == ["New words e1"]


def test_only_the_named_buses_count(there: Stand) -> None:
    there.as_("admin").post("/v1/buses", {"name": "k8s"})
    there.rule(there.target(), buses=["k8s"])
    there.events.add(there.tenant)
    there.events.add(there.tenant, bus="k8s")
    there.evaluate()
    assert [alert.bus for alert in there.alerted()] == ["k8s"]


def test_the_cooldown_goes_by_received_at(there: Stand) -> None:
    there.rule(there.target(), cooldown_s=60)
    for seconds in (0, 30, 29, 1, 10):
        there.clock.advance(seconds)
        there.events.add(there.tenant)
    # However late it is evaluated, the same events fire.
    there.clock.advance(86_400)
    there.evaluate()
    assert [alert.suppressed for alert in there.alerted()] == [False, True, True, False, True]
    there.deliver()
    assert "2 more matched during the cooldown" in there.texts()[1]
    [rule] = there.as_("viewer").get("/v1/rules")["rules"]
    assert (rule["alerts_24h"], rule["suppressed_24h"]) == (2, 3)


def test_many_matches_are_committed_in_stretches(there: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MATCHES", 7)
    monkeypatch.setattr(engine, "WINDOW", 50)
    target = there.target()
    there.rule(target)
    there.rule(target, name="All", pattern={})
    for index in range(120):
        there.events.add(there.tenant, type="order.paid" if index % 3 else "order.open")
    there.evaluate()
    assert len(there.alerted()) == 120 + 80
    assert there.cursor() == 120


def test_the_outbox_keeps_the_order_of_the_events(there: Stand) -> None:
    there.rule(there.target())
    for _ in range(40):
        there.events.add(there.tenant)
    there.evaluate()
    assert [item.payload["event"]["seq"] for item in there.items()] == list(range(1, 41))


def test_nothing_is_read_for_tenants_without_rules(there: Stand) -> None:
    there.events.add(there.tenant)
    assert not there.alerts.engine.step_all()
    assert there.events.asked == []
    assert there.alerts.statistics(there.tenant).rule_lag_events == 0


def test_numbers_of_the_engine(there: Stand) -> None:
    there.events.add(there.tenant)
    there.rule(there.target())
    for _ in range(3):
        there.events.add(there.tenant)
    found = there.alerts.statistics(there.tenant)
    assert (found.rule_lag_events, found.oldest_unevaluated_seq) == (3, 2)
    there.evaluate()
    there.clock.advance(5)
    found = there.alerts.statistics(there.tenant)
    assert (found.rule_lag_events, found.oldest_unevaluated_seq) == (0, 0)
    assert found.outbox_pending == 3
    assert found.outbox_oldest_s == pytest.approx(5, abs=0.01)
    assert there.alerts.statistics().outbox_pending == 3
    assert there.alerts.statistics(there.other).outbox_pending == 0


@pytest.mark.parametrize("where", ["before", "in", "after"])
def test_a_crash_repeats_nothing_and_skips_nothing(
    there: Stand, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    there.rule(there.target(), cooldown_s=10)
    for _ in range(10):
        there.clock.advance(4)
        there.events.add(there.tenant)
    write = there.world.store.write

    def crash(change: Any) -> Any:
        def half(session: Session) -> Any:
            change(session)
            session.flush()
            raise KeyboardInterrupt

        if where == "before":
            raise KeyboardInterrupt
        result = write(half if where == "in" else change)
        if where == "after":
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(there.world.store, "write", crash)
    with pytest.raises(KeyboardInterrupt):
        there.alerts.engine.step(there.tenant)
    monkeypatch.undo()
    again = there.restart()
    while again.engine.step_all():
        pass
    assert [alert.seq for alert in there.alerted()] == list(range(1, 11))
    assert [alert.suppressed for alert in there.alerted()] == [n % 3 != 0 for n in range(10)]
    assert len(there.items()) == 4


def test_two_engines_do_not_commit_the_same_stretch(there: Stand) -> None:
    there.rule(there.target())
    there.events.add(there.tenant)
    second = there.restart()
    situation = there.world.store.read(lambda session: second.engine._situation(session, there.tenant))
    assert situation is not None
    there.evaluate()
    matched = {rule.id: [there.events.get(there.tenant, 1)] for rule in situation.rules}
    second.engine._commit(there.tenant, situation, 1, matched)
    assert len(there.alerted()) == 1


def test_a_rule_deleted_meanwhile_says_nothing(there: Stand) -> None:
    rule = there.rule(there.target())
    there.events.add(there.tenant)
    engine_ = there.alerts.engine
    situation = there.world.store.read(lambda session: engine_._situation(session, there.tenant))
    assert situation is not None
    there.as_("editor").delete(f"/v1/rules/{rule}")
    engine_._commit(there.tenant, situation, 1, {rule: [there.events.get(there.tenant, 1)]})
    assert there.alerted() == []
    assert there.cursor() == 1


def test_a_rule_that_cannot_be_read_is_switched_off_and_the_others_go_on(there: Stand) -> None:
    target = there.target()
    bad = there.rule(target)
    there.rule(target, name="Good")
    there.world.store.write(
        lambda session: session.execute(
            update(Rule).where(Rule.id == bad).values(pattern={"type": [{"cidr": "10.0.0.0/8"}]})
        )
    )
    there.events.add(there.tenant)
    there.evaluate()
    assert len(there.alerted()) == 1
    assert there.as_("viewer").get(f"/v1/rules/{bad}")["enabled"] is False
    rows = there.read(lambda session: session.scalars(select(Audit.action)).all())
    assert "rule.switched_off" in rows


def test_trouble_with_one_tenant_stops_no_other(there: Stand) -> None:
    there.rule(there.target())
    there.events.add(there.tenant)
    there.events.trouble = Unavailable("The archive does not answer.")
    assert not there.alerts.engine.step_all()
    assert there.cursor() == 0
    there.events.trouble = None
    there.evaluate()
    assert len(there.alerted()) == 1


def test_a_stretch_that_takes_too_long_is_halved(there: Stand) -> None:
    there.rule(there.target())
    for _ in range(8):
        there.events.add(there.tenant)
    there.events.trouble = Unavailable("The query took too long.")
    for _ in range(20):
        there.alerts.engine.step_all()
    assert there.events.asked[0][2] - there.events.asked[0][1] == 8
    assert there.events.asked[-1][2] - there.events.asked[-1][1] == 1
    there.events.trouble = None
    there.evaluate()
    assert len(there.alerted()) == 8


def test_deleting_a_rule_forgets_its_memory_only(there: Stand) -> None:
    rule = there.rule(there.target())
    there.events.add(there.tenant)
    there.evaluate()
    there.as_("editor").delete(f"/v1/rules/{rule}")
    assert there.read(lambda session: session.scalars(select(RuleState)).all()) == []
    there.deliver()
    assert len(there.robot.messages()) == 1
    [shown] = there.as_("viewer").get("/v1/deliveries")["deliveries"]
    assert shown["rule"]["name"] == "Paid"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 90), max_size=40), st.integers(0, 120), st.lists(st.integers(0, 40), max_size=6)
)
def test_however_events_are_cut_into_batches_the_same_fire(
    gaps: list[int], cooldown: int, cuts: list[int]
) -> None:
    clock = ManualClock()
    events = []
    for seq, gap in enumerate(gaps, start=1):
        clock.advance(gap)
        event = Event(id=str(seq), source="/s", type="t")
        events.append(StoredEvent(seq=seq, bus="b", received_at=clock.now(), event=event))
    whole, memory = decide(events, Memory(), cooldown)
    places = sorted({0, len(events), *(cut for cut in cuts if cut < len(events))})
    held = Memory()
    parts: list[Decision] = []
    for first, last in itertools.pairwise(places):
        found, held = decide(events[first:last], held, cooldown)
        parts += found
    assert tuple(parts) == whole
    assert held == memory
    fired = [decision.stored.received_at for decision in whole if decision.fires]
    assert all(b - a >= timedelta(seconds=cooldown) for a, b in itertools.pairwise(fired))
    told = sum(decision.before for decision in whole) + memory.suppressed
    assert told == sum(not decision.fires for decision in whole), "every suppressed match is told of once"
