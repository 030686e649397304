"""Delivery: what goes out, in which order, at which pace, and what every answer leads to."""

import itertools
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from alerts.pacing import BACKOFF_S
from alerts.targets.dingtalk import BUDGET
from tests.alerts.stand import MINUTE, OTHER_WEBHOOK, SECRET, Stand


def fill(there: Stand, count: int, tenant: str | None = None, **given: Any) -> None:
    for _ in range(count):
        there.events.add(tenant or there.tenant, data={"amount": 7}, **given)
    there.evaluate()


def busiest_minute(times: list[datetime]) -> int:
    return max((sum(at <= each < at + MINUTE for each in times) for at in times), default=0)


def test_an_event_makes_the_robot_speak_with_a_right_signature(there: Stand) -> None:
    rule = there.rule(there.target())
    event = there.events.add(there.tenant, data={"amount": "12.50"})
    there.evaluate()
    there.deliver()
    [message] = there.robot.messages()
    assert message.signature == "right"
    assert message.title == "Order e1"
    assert "Amount 12.50" in message.text
    assert f"(http://127.0.0.1:8501/events?event={event.seq}&tenant=default)" in message.text
    assert f"(http://127.0.0.1:8501/rules?rule={rule}&tenant=default)" in message.text
    [item] = there.items()
    assert item.state == "delivered"
    assert message.delivery == item.id


def test_the_attempt_is_on_disk_before_the_request_goes_out(
    there: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.rule(there.target())
    fill(there, 1)
    seen: list[tuple[str, object]] = []
    send = there.alerts.delivery._send

    def look(flight: object) -> object:
        [attempt], [item] = there.attempts(), there.items()
        seen.append((item.state, attempt.finished_at))
        return send(flight)  # type: ignore[arg-type]

    monkeypatch.setattr(there.alerts.delivery, "_send", look)
    there.deliver()
    assert seen == [("sending", None)]


def test_a_burst_becomes_single_messages_and_one_digest(there: Stand) -> None:
    target = there.target()
    there.rule(target)
    fill(there, 100)
    there.deliver()
    assert len(there.robot.messages()) == BUDGET
    there.run(59)
    assert len(there.robot.messages()) == BUDGET
    there.run(2)
    assert len(there.robot.messages()) == BUDGET + 1
    digest = there.robot.messages()[-1]
    assert digest.title == f"{100 - BUDGET} alerts in one message"
    assert f"- **Paid**: {100 - BUDGET}" in digest.text
    assert f"/deliveries?target={target}&tenant=default)" in digest.text
    there.run(300, every=10)
    assert len(there.robot.received()) == BUDGET + 1, "nothing twice, nothing throttled"
    assert there.states() == {"delivered": BUDGET + 1, "merged": 100 - BUDGET}
    [item] = there.items(kind="digest")
    assert {each.digest_id for each in there.items(state="merged")} == {item.id}


def test_a_digest_takes_in_what_comes_while_it_waits(there: Stand) -> None:
    there.rule(there.target())
    fill(there, 30)
    there.deliver()
    there.clock.advance(20)
    fill(there, 5)
    there.deliver()
    [waiting] = there.items(kind="digest")
    assert waiting.state == "pending"
    there.run(60)
    assert there.robot.messages()[-1].title == "17 alerts in one message"
    assert len(there.items(kind="digest")) == 1


def test_one_message_over_the_budget_waits_as_it_is(there: Stand) -> None:
    there.rule(there.target())
    fill(there, BUDGET + 1)
    there.deliver()
    there.run(61)
    assert there.items(kind="digest") == []
    assert len(there.robot.messages()) == BUDGET + 1


def test_two_rules_and_two_tenants_share_the_budget_of_a_robot(there: Stand) -> None:
    mine = there.target()
    there.rule(mine)
    there.rule(mine, name="Also paid")
    there.rule(there.target(tenant="other"), tenant="other")
    for _ in range(20):
        there.events.add(there.tenant)
        there.events.add(there.other)
    there.evaluate()
    there.run(600, every=5)
    times = [held.at for held in there.robot.received()]
    assert busiest_minute(times) <= BUDGET
    assert all(held.delivered for held in there.robot.received())
    said = [held for held in there.robot.messages() if "in one message" in held.title]
    assert len(said) == 2, "one digest for each tenant's target"
    assert sum("tenant=other" in held.text for held in said) == 1
    assert not any("tenant=other" in held.text and "tenant=default" in held.text for held in said)


@pytest.mark.long
def test_a_slow_drip_never_breaks_the_budget(there: Stand) -> None:
    there.rule(there.target())
    for _ in range(120):
        there.clock.advance(1)
        fill(there, 1)
        there.deliver()
    there.run(120)
    assert busiest_minute([held.at for held in there.robot.received()]) <= BUDGET
    assert all(held.delivered for held in there.robot.received())
    assert there.states().keys() <= {"delivered", "merged"}


def test_other_robots_do_not_wait(there: Stand) -> None:
    there.rule(there.target())
    there.rule(there.target(name="Second", webhook=OTHER_WEBHOOK, secret=None), name="Second")
    fill(there, 50)
    there.deliver()
    assert len(there.robot.messages()) == 2 * BUDGET


def test_the_budget_survives_a_restart(there: Stand) -> None:
    there.rule(there.target())
    fill(there, BUDGET + 3)
    there.deliver()
    again = there.restart()
    again.delivery.recover()
    assert not again.delivery.step()
    assert len(there.robot.received()) == BUDGET


@pytest.mark.parametrize(
    ("answer", "state", "health"),
    [
        ("busy", "pending", "unknown"),
        ("http500", "pending", "unknown"),
        ("html", "pending", "unknown"),
        ("redirect", "pending", "unknown"),
        ("endless", "pending", "unknown"),
        ("unknown", "pending", "unknown"),
        ("too_fast", "pending", "throttled"),
        ("x5", "pending", "throttled"),
        ("quota", "pending", "throttled"),
        ("stopped", "pending", "broken"),
        ("unsafe_text", "failed", "ok"),
        ("too_long", "pending", "ok"),
    ],
)
def test_what_follows_from_an_answer(there: Stand, answer: str, state: str, health: str) -> None:
    target = there.target()
    there.rule(target)
    fill(there, 1)
    there.robot.script(answer)
    assert there.alerts.delivery.step()
    [item] = there.items()
    assert (item.state, there.health(target).health) == (state, health)
    [attempt] = there.attempts()
    assert attempt.finished_at is not None
    assert attempt.outcome != "ok"


def test_retries_wait_longer_each_time(there: Stand) -> None:
    there.rule(there.target())
    fill(there, 1)
    there.robot.script(*["http500"] * 7)
    there.run(2000, every=5)
    times = [held.at for held in there.robot.received()]
    pauses = [(after - before).total_seconds() for before, after in itertools.pairwise(times)]
    assert pauses == [*BACKOFF_S, BACKOFF_S[-1]]
    assert there.states() == {"delivered": 1}


@pytest.mark.long
def test_a_robot_that_never_answers_ends_in_a_dead_letter(there: Stand) -> None:
    target = there.target()
    there.rule(target)
    fill(there, 1)
    there.robot.script(*["http500"] * 500)
    there.run(3600, every=60)
    assert there.health(target).health == "broken"
    there.run(24 * 3600, every=300)
    [item] = there.items()
    assert (item.state, item.payload["reason"]) == ("failed", "expired")
    assert 100 < item.attempts < 200


@pytest.mark.long
def test_a_robot_that_is_throttled_rests_longer_each_time(there: Stand) -> None:
    there.rule(there.target())
    fill(there, 1)
    there.robot.script(*["too_fast"] * 6)
    there.run(2500, every=5)
    times = [held.at for held in there.robot.received()]
    pauses = [(after - before).total_seconds() for before, after in itertools.pairwise(times)]
    assert pauses == [60, 120, 240, 480, 600, 600]


def test_what_waits_for_a_throttled_robot_is_merged(there: Stand) -> None:
    there.rule(there.target())
    fill(there, 4)
    there.robot.script("too_fast")
    there.run(61)
    assert [held.title for held in there.robot.messages()] == ["4 alerts in one message"]


def test_a_used_up_day_is_over_at_midnight_in_china(there: Stand) -> None:
    there.rule(there.target())
    fill(there, 1)
    there.robot.script("quota")
    there.deliver()
    hour = timedelta(hours=1)
    begun = there.clock.now()
    there.run(24 * 3600, every=600)
    delivered = there.robot.messages()[0].at
    assert begun + 15 * hour <= delivered <= begun + 17 * hour, "16:00 UTC is midnight in China"


@pytest.mark.long
def test_a_broken_robot_keeps_its_messages_and_is_probed(there: Stand) -> None:
    target = there.target(secret="SEC" + "00" * 32)
    there.rule(target)
    fill(there, 3)
    there.run(1805, every=5)
    assert len(there.robot.received()) == 4, "at once, and after ten, twenty and thirty minutes"
    assert there.states() == {"pending": 3}
    [shown] = there.as_("viewer").get("/v1/targets")["targets"]
    assert shown["health"] == "broken"
    assert "SEC" in shown["remedy"]["en"]
    there.as_("admin").patch(f"/v1/targets/{target}", {"secret": SECRET})
    there.deliver()
    assert there.states() == {"delivered": 3}
    assert there.health(target).health == "ok"


def test_a_broken_target_does_not_hold_up_another_with_the_same_robot(there: Stand) -> None:
    there.rule(there.target(secret="SEC" + "00" * 32))
    there.rule(there.target(tenant="other"), tenant="other")
    fill(there, 1)
    fill(there, 1, there.other)
    there.deliver()
    assert sorted(held.delivered for held in there.robot.received()) == [False, True]


@pytest.mark.long
def test_a_broken_robot_is_given_up_after_a_week(there: Stand) -> None:
    there.rule(there.target(secret="SEC" + "00" * 32))
    fill(there, 1)
    there.run(6.9 * 86_400, every=7200)
    assert there.states() == {"pending": 1}
    there.run(86_400, every=7200)
    assert there.states() == {"failed": 1}


def test_a_target_that_is_off_keeps_its_messages(there: Stand) -> None:
    target = there.target()
    there.rule(target)
    there.as_("admin").patch(f"/v1/targets/{target}", {"enabled": False})
    fill(there, 2)
    there.run(120)
    assert there.robot.received() == []
    there.as_("admin").patch(f"/v1/targets/{target}", {"enabled": True})
    there.deliver()
    assert there.states() == {"delivered": 2}


def test_a_message_that_is_too_long_is_shrunk_once(there: Stand) -> None:
    there.rule(there.target(), template={"title": "Long", "text": "${data.text}" * 8})
    there.events.add(there.tenant, data={"text": "x" * 3000})
    there.evaluate()
    there.robot.script("too_long")
    there.deliver()
    first, second = there.robot.received()
    assert first.bytes > 12_000
    assert second.bytes <= 4_000
    assert "more characters" in second.text
    assert there.states() == {"delivered": 1}


def test_a_message_that_stays_too_long_is_given_up(there: Stand) -> None:
    there.rule(there.target())
    fill(there, 1)
    there.robot.script("too_long", "too_long")
    there.deliver()
    assert there.states() == {"failed": 1}


def test_no_connection_is_an_attempt_without_an_answer(there: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    there.rule(there.target())
    fill(there, 1)

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"cannot reach {request.url}")

    monkeypatch.setattr(there.alerts.delivery.kinds["dingtalk"], "_http", httpx.MockTransport(refuse))
    there.deliver()
    [attempt] = there.attempts()
    assert (attempt.status, attempt.outcome, attempt.response) == (None, "retry", "no connection")


def test_a_keyword_is_added_where_it_is_missing(there: Stand) -> None:
    there.robot.control({"robots": {"a1" * 32: {"secret": SECRET, "keywords": ["值班"]}}})
    there.rule(there.target(keyword="值班"))
    fill(there, 1)
    there.deliver()
    [message] = there.robot.messages()
    assert message.text.endswith("\n\n值班")


def test_a_clock_that_is_set_back_stops_nothing_for_long(there: Stand) -> None:
    there.rule(there.target())
    fill(there, 1)
    there.robot.script("too_fast")
    there.deliver()
    there.clock.advance(-86_400)
    fill(there, 1)
    there.run(3 * 60)
    there.run(86_400, every=600)
    assert there.states().keys() <= {"delivered", "merged"}
