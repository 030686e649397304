"""Events that rules send to a topic of a real RocketMQ."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventcenter.event import Event, decode_line
from eventcenter.rocketmq.server import Group, Server, Subscription
from ingest.bindings.rocketmq import Decoding, decode
from ingest.inputs.rocketmq.consumer import Consumer
from ingest.validation.limits import Limits
from tests.alerts.stand import Stand, stand
from tests.rocketmq.inbox import Inbox, wait
from tests.support.rocketmq import Broker, running

pytestmark = [pytest.mark.rocketmq, pytest.mark.long]

EVENTS: tuple[dict[str, Any], ...] = (
    {"data": b'{"amount": 12345678901234567890.10, "n": 1e400}', "datacontenttype": "application/json"},
    {
        "subject": "☃",
        "extensions": {"region": "eu", "shard": 7, "hot": True},
        "time": "2026-02-03T04:05:06.7Z",
    },
    {"data": b'"plain\\nwords"', "data_kind": "text", "datacontenttype": "text/plain"},
    {"data": b'"AAH/"', "data_kind": "binary", "datacontenttype": "application/octet-stream"},
    {"data": b"null", "dataschema": "https://example.com/s"},
    {"data": msgspec.json.encode({"text": "x" * 200_000})},
)


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Stand]:
    with stand(tmp_path / "stand") as made:
        yield made
        made.alerts.delivery.close()


def receiving(broker: Broker, topic: str) -> tuple[Consumer, Inbox]:
    inbox = Inbox()
    group = Group(name=topic, subscriptions=(Subscription(topic=topic),))
    return Consumer(Server.at(broker.endpoint), group, store=inbox.store, reject=inbox.reject), inbox


def target(there: Stand, broker: Broker, topic: str, **given: Any) -> str:
    settings = {"addresses": broker.endpoint, "topic": topic, **given}
    body = {"name": "Warehouse", "kind": "rocketmq", "rocketmq": settings}
    return str(there.as_("admin").post("/v1/targets", body)["id"])


def rule(there: Stand, target_id: str, **given: Any) -> str:
    return there.rule(target_id, template={"title": "", "text": ""}, **given)


def sent(there: Stand, **given: Any) -> Event:
    data_kind = given.pop("data_kind", "json" if "data" in given else None)
    held = there.events._held.setdefault(there.tenant, [])
    stored = there.events.add(there.tenant)
    event = Event(
        **{"id": stored.event.id, "source": "/tests", "type": "order.paid", **given}, data_kind=data_kind
    )
    held[-1] = type(stored)(seq=stored.seq, bus=stored.bus, received_at=stored.received_at, event=event)
    return event


def decoded(inbox: Inbox) -> list[Event]:
    found: list[Event] = []
    for message in inbox.messages:
        checked = decode(message, Limits(), Decoding(cluster="c")).checked
        assert not checked.rejects
        found += [decode_line(line + b"\n") for line in bytes(checked.payload).splitlines()]
    return found


def later(there: Stand) -> Mapping[str, int]:
    """How deliveries are a minute later."""
    there.run(60, every=10)
    return there.states()


def shown(there: Stand) -> dict[str, Any]:
    [found] = there.as_("viewer").get("/v1/targets")["targets"]
    return dict(found)


def test_events_arrive_as_they_are(there: Stand, rocketmq: Broker) -> None:
    rocketmq.create_topic("warehouse")
    rocketmq.create_group("warehouse")
    rule(there, target(there, rocketmq, "warehouse"))
    consumer, inbox = receiving(rocketmq, "warehouse")
    consumer.start()
    try:
        wait(lambda: consumer.health().counts.polls > 0, 20)
        events = [sent(there, **given) for given in EVENTS]
        there.evaluate()
        there.deliver()
        wait(lambda: len(inbox.messages) >= len(events), 20)
    finally:
        consumer.stop()
    assert there.states() == {"delivered": len(events)}
    assert sorted(decoded(inbox), key=lambda event: event.id) == events
    items = there.items()
    assert {each.message_id for each in inbox.messages} == {f"01{item.id.upper()}" for item in items}
    # One call brought all of them, and the pace counts it once.
    attempts = there.attempts()
    assert len(attempts) == len(events)
    assert [bool(each.robot_hash) for each in attempts].count(True) == 1
    assert {each.request["messages_in_call"] for each in attempts} == {len(events)}
    assert {(each.outcome, each.errcode) for each in attempts} == {("ok", 20_000)}
    assert shown(there)["health"] == "ok"
    detail = there.as_("viewer").get(f"/v1/deliveries/{items[0].id}")
    assert detail["payload"]["form"] == "event"
    assert "12345678901234567890.10" in detail["payload"]["text"]
    assert detail["attempts"][0]["text"]["en"] == "RocketMQ has it."


def test_thousands_go_out_in_few_calls(there: Stand, rocketmq: Broker) -> None:
    rocketmq.create_topic("many")
    rule(there, target(there, rocketmq, "many"))
    for _ in range(1000):
        there.events.add(there.tenant)
    there.evaluate()
    there.deliver()
    assert there.states() == {"delivered": 1000}
    assert sum(bool(each.robot_hash) for each in there.attempts()) == 10, "no budget, no digest"


def test_a_test_says_that_it_is_one(there: Stand, rocketmq: Broker) -> None:
    rocketmq.create_topic("tested")
    rocketmq.create_group("tested")
    made = target(there, rocketmq, "tested")
    consumer, inbox = receiving(rocketmq, "tested")
    consumer.start()
    try:
        wait(lambda: consumer.health().counts.polls > 0, 20)
        answer = there.as_("admin").post(f"/v1/targets/{made}/test")
        assert (answer["state"], answer["text"]["zh"]) == ("delivered", "RocketMQ 已存储。")
        event = sent(there, extensions={"region": "eu"})
        answer = there.as_("editor").post(f"/v1/rules/{rule(there, made)}/test", {})
        assert answer["state"] == "delivered"
        wait(lambda: len(inbox.messages) >= 2, 20)
    finally:
        consumer.stop()
    assert all(each.properties["EVENTCENTER_TEST"] == "true" for each in inbox.messages)
    first, second = decoded(inbox)
    assert {first.type, second.type} == {"eventcenter.test", "order.paid"}
    assert event in (first, second), "the property is no attribute of the event"


def test_a_killed_proxy_gets_it_afterwards_with_the_same_id(there: Stand, tmp_path: Path) -> None:
    with running(tmp_path / "rocketmq") as broker:
        broker.create_topic("killed")
        broker.create_group("killed")
        rule(there, target(there, broker, "killed"))
        consumer, inbox = receiving(broker, "killed")
        consumer.start()
        try:
            wait(lambda: consumer.health().counts.polls > 0, 20)
            sent(there)
            there.evaluate()
            there.deliver()
            broker.kill()
            there.clock.advance(1)
            events = [sent(there) for _ in range(5)]
            there.evaluate()
            there.deliver()
            assert there.states() == {"delivered": 1, "pending": 5}
            there.run(40, every=10)
            assert shown(there)["health"] == "broken"
            assert shown(there)["health_text"]["en"] == f"Nothing listens at {broker.endpoint}."
            broker.start()
            # The connection looks for the proxy again within a second, not at once.
            wait(lambda: later(there) == {"delivered": 6}, 20)
            wait(lambda: {each.id for each in events} <= {each.id for each in decoded(inbox)}, 40)
        finally:
            consumer.stop()
    assert there.states() == {"delivered": 6}
    assert shown(there)["health"] == "ok"
    ids: dict[str, set[str]] = {}
    for attempt in there.attempts():
        ids.setdefault(attempt.outbox_id, set()).add(attempt.request["message_id"])
    assert max(len(held) for held in ids.values()) == 1
    assert len(there.attempts()) > 6


def test_what_was_sent_and_not_noted_goes_out_again_under_the_same_id(
    there: Stand, rocketmq: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rocketmq.create_topic("twice")
    rocketmq.create_group("twice")
    rule(there, target(there, rocketmq, "twice"))
    consumer, inbox = receiving(rocketmq, "twice")
    consumer.start()

    def die(*_given: Any) -> Any:
        raise KeyboardInterrupt

    try:
        wait(lambda: consumer.health().counts.polls > 0, 20)
        events = [sent(there) for _ in range(3)]
        there.evaluate()
        monkeypatch.setattr(there.alerts.delivery, "_settle", die)
        with pytest.raises(KeyboardInterrupt):
            there.deliver()
        again = there.restart()
        assert again.delivery.recover() == 3
        while again.delivery.step():
            pass
        again.delivery.close()
        wait(lambda: len(inbox.messages) >= 6, 20)
    finally:
        consumer.stop()
    assert there.states() == {"delivered": 3}
    assert len({each.message_id for each in inbox.messages}) == 3
    assert {each.id for each in decoded(inbox)} == {event.id for event in events}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (
            None,
            ("RocketMQ has no topic absent.", "mqadmin updateTopic -n NAMESERVER:9876 -c CLUSTER -t absent"),
        ),
        ("FIFO", ("The topic ordered takes no normal messages.", "message.type NORMAL")),
    ],
)
def test_a_topic_that_cannot_be_sent_to(
    there: Stand, rocketmq: Broker, kind: Any, words: tuple[str, str]
) -> None:
    name = "absent" if kind is None else "ordered"
    if kind is not None:
        rocketmq.create_topic(name, kind=kind)
    made = target(there, rocketmq, name)
    rule(there, made)
    sent(there)
    there.evaluate()
    there.deliver()
    found = shown(there)
    assert found["health"] == "broken"
    assert found["health_text"]["en"] == words[0]
    assert words[1] in found["remedy"]["en"]
    assert there.states() == {"pending": 1}, "it waits for a person"
    answer = there.as_("admin").post(f"/v1/targets/{made}/test")
    assert (answer["state"], answer["text"]["en"]) == ("failed", words[0])
    rocketmq.create_topic("repaired")
    there.as_("admin").patch(f"/v1/targets/{made}", {"rocketmq": {"topic": "repaired"}})
    there.deliver()
    assert there.states() == {"delivered": 1, "failed": 1}


def test_a_wrong_secret(there: Stand, tmp_path: Path) -> None:
    with running(tmp_path / "rocketmq", account=("shop", "right-secret")) as broker:
        broker.create_topic("secured")
        account = {"access_key": "shop", "secret_key": "wrong-secret"}
        made = target(there, broker, "secured", **account)
        rule(there, made)
        sent(there)
        there.evaluate()
        there.deliver()
        found = shown(there)
        assert found["health"] == "broken"
        assert found["health_text"]["en"] == f"RocketMQ at {broker.endpoint} does not accept the credentials."
        assert "Correct access key and secret key" in found["remedy"]["en"]
        assert "Secret Key" in found["remedy"]["zh"]
        [attempt] = there.attempts()
        assert (attempt.errcode, attempt.response) == (40_100, "check signature failed.")
        assert "wrong-secret" not in repr((found, attempt.request, attempt.response))
        changed = {"rocketmq": {"secret_key": "right-secret"}}
        assert there.as_("admin").patch(f"/v1/targets/{made}", changed)["has_secret"] is True
        there.deliver()
        assert there.states() == {"delivered": 1}
        # Another name is no reason to give the secret again.
        renamed = {"name": "Other", "rocketmq": {"topic": "secured"}}
        there.as_("admin").patch(f"/v1/targets/{made}", renamed)
        assert there.as_("admin").post(f"/v1/targets/{made}/test")["state"] == "delivered"


def test_the_brokers_own_port_is_no_proxy(there: Stand, rocketmq: Broker) -> None:
    made = target(there, rocketmq, "any", addresses=f"127.0.0.1:{rocketmq.ports.broker}")
    answer = there.as_("admin").post(f"/v1/targets/{made}/test")
    assert answer["state"] == "failed"
    assert "not a RocketMQ 5 proxy" in answer["text"]["en"]
    assert "grpcServerPort" in answer["remedy"]["en"]


def test_the_next_proxy_is_asked_where_one_does_not_answer(there: Stand, rocketmq: Broker) -> None:
    rocketmq.create_topic("next")
    made = target(there, rocketmq, "next", addresses=f"127.0.0.1:1;{rocketmq.endpoint}")
    assert there.as_("admin").post(f"/v1/targets/{made}/test")["state"] == "delivered"


def test_one_event_that_is_too_large_holds_up_no_other(there: Stand, rocketmq: Broker) -> None:
    rocketmq.create_topic("large")
    rule(there, target(there, rocketmq, "large"))
    sent(there)
    sent(there, data=msgspec.json.encode("x" * (5 << 20)))
    sent(there)
    there.evaluate()
    there.deliver()
    assert there.states() == {"delivered": 2, "failed": 1}
    [failed] = there.items(state="failed")
    assert failed.payload["reason"] == "rejected"
    assert shown(there)["health"] == "ok"


def test_the_server_loads_grpc_only_for_a_topic() -> None:
    """It takes 40 MB."""
    code = "import sys, alerts, eventcenter.server.build; print('grpc' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ, timeout=60
    )
    assert done.stdout.strip() == "False"
