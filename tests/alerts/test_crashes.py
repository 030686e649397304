"""Kills in the middle of a delivery: at most the one request in flight is repeated, nothing is lost."""

from typing import Any

import pytest

from tests.alerts.stand import OTHER_WEBHOOK, Stand


class Killed(BaseException):
    """The process ends here."""


def prepare(there: Stand, events: int) -> None:
    there.rule(there.target())
    for _ in range(events):
        there.events.add(there.tenant, data={"amount": 1})
    there.evaluate()


@pytest.mark.parametrize("place", ["before the attempt", "before the request", "after the answer"])
@pytest.mark.parametrize("kill_at", [1, 3, 5])
def test_a_kill_repeats_at_most_the_request_in_flight(
    there: Stand, monkeypatch: pytest.MonkeyPatch, place: str, kill_at: int
) -> None:
    prepare(there, 6)
    name = {"before the attempt": "_claim", "before the request": "_send", "after the answer": "_settle"}
    delivery = there.alerts.delivery
    step = getattr(delivery, name[place])
    calls = 0

    def dying(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == kill_at:
            raise Killed
        return step(*given)

    monkeypatch.setattr(delivery, name[place], dying)
    with pytest.raises(Killed):
        there.deliver()
    again = there.restart()
    again.delivery.recover()
    while again.delivery.step():
        pass
    sent = [held.delivery for held in there.robot.messages()]
    assert len(set(sent)) == 6, "nothing is lost"
    repeated = len(sent) - len(set(sent))
    assert repeated == (1 if place == "after the answer" else 0)
    assert there.states() == {"delivered": 6}
    interrupted = [attempt for attempt in there.attempts() if attempt.outcome == "interrupted"]
    assert len(interrupted) == (0 if place == "before the attempt" else 1)


def test_a_kill_in_the_commit_of_the_result_changes_nothing(
    there: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(there, 2)
    settle = there.alerts.delivery._settle

    def half(session: Any, flight: Any, sent: Any) -> None:
        settle(session, flight, sent)
        session.flush()
        raise Killed

    monkeypatch.setattr(there.alerts.delivery, "_settle", half)
    with pytest.raises(Killed):
        there.alerts.delivery.step()
    assert there.states() == {"sending": 1, "pending": 1}


def test_a_foreign_lease_is_taken_over(there: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(there, 1)

    def die(_flight: Any) -> Any:
        raise Killed

    monkeypatch.setattr(there.alerts.delivery, "_send", die)
    with pytest.raises(Killed):
        there.alerts.delivery.step()
    again = there.restart()
    assert again.delivery.step()
    assert there.states() == {"delivered": 1}


def test_an_own_lease_is_respected_until_it_ends(there: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(there, 2)

    def die(_flight: Any) -> Any:
        raise Killed

    monkeypatch.setattr(there.alerts.delivery, "_send", die)
    with pytest.raises(Killed):
        there.alerts.delivery.step()
    monkeypatch.undo()
    assert not there.alerts.delivery.step(), "one request at a time for each robot"
    there.clock.advance(61)
    there.deliver()
    assert there.states() == {"delivered": 2}


def test_a_killed_digest_says_the_same_again(there: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(there, 30)
    there.deliver()
    there.clock.advance(61)

    def die(*_given: Any) -> Any:
        raise Killed

    monkeypatch.setattr(there.alerts.delivery, "_settle", die)
    with pytest.raises(Killed):
        there.deliver()
    for _ in range(5):
        there.events.add(there.tenant)
    again = there.restart()
    while again.engine.step_all():
        pass
    again.delivery.recover()
    while again.delivery.step():
        pass
    digests = [held for held in there.robot.messages() if "in one message" in held.title]
    assert [held.title for held in digests] == ["12 alerts in one message"] * 2
    assert len({held.delivery for held in digests}) == 1


def test_a_killed_test_is_not_repeated(there: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    target = there.target()

    def die(_flight: Any) -> Any:
        raise Killed

    monkeypatch.setattr(there.alerts.delivery, "_send", die)
    with pytest.raises(Killed):
        there.as_("admin").post(f"/v1/targets/{target}/test")
    again = there.restart()
    again.delivery.recover()
    while again.delivery.step():
        pass
    assert there.robot.received() == []
    [item] = there.items()
    assert (item.state, item.payload["reason"]) == ("failed", "interrupted")


def test_one_robots_kill_does_not_touch_the_other(there: Stand) -> None:
    there.rule(there.target())
    there.rule(there.target(name="Second", webhook=OTHER_WEBHOOK, secret=None), name="Second")
    there.events.add(there.tenant)
    there.evaluate()
    assert len(there.alerts.delivery.due_robots()) == 2
    there.deliver()
    assert there.states() == {"delivered": 2}
