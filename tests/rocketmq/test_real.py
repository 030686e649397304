"""The consumer with a real RocketMQ."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eventcenter.clock import SystemClock
from eventcenter.errors import EventCenterError, InvalidInput, NotFound
from eventcenter.rocketmq.check import check
from eventcenter.rocketmq.remoting import Offsets
from eventcenter.rocketmq.server import FilterKind, Group, Options, Server, Subscription
from ingest.inputs.rocketmq.consumer import Consumer
from tests.rocketmq.inbox import Inbox, wait
from tests.rocketmq.sending import Load, Sender, message, send_officially
from tests.support.rocketmq import Broker

pytestmark = [pytest.mark.rocketmq, pytest.mark.long]


def group_of(*topics: str, name: str | None = None) -> Group:
    return Group(name=name or topics[0], subscriptions=tuple(Subscription(topic=topic) for topic in topics))


@contextmanager
def consuming(
    broker: Broker, group: Group, inbox: Inbox, options: Options | None = None
) -> Iterator[Consumer]:
    consumer = Consumer(
        Server.at(broker.endpoint), group, store=inbox.store, reject=inbox.reject, options=options
    )
    consumer.start()
    try:
        yield consumer
    finally:
        consumer.stop()


def made(broker: Broker, *names: str) -> Group:
    """Topics, and a group of the first one's name."""
    for name in names:
        broker.create_topic(name)
    broker.create_group(names[0])
    return group_of(*names)


def test_what_the_official_producer_sends_arrives_as_it_was_sent(rocketmq: Broker, tmp_path: Path) -> None:
    group = made(rocketmq, "official")
    before = SystemClock().now().timestamp() * 1000
    sent = [
        {
            "body": f"body {n} ☃",
            "tag": "even" if n % 2 == 0 else "odd",
            "keys": [f"k{n}"],
            "properties": {"n": str(n)},
        }
        for n in range(100)
    ]
    inbox = Inbox()
    with consuming(rocketmq, group, inbox) as consumer:
        ids = send_officially(rocketmq.endpoint, "official", sent, tmp_path)
        wait(lambda: consumer.health().counts.acknowledged >= 100, 30)
        assert consumer.health().brokers == ("broker-a",)
    found = {each.message_id: each for each in inbox.messages}
    assert set(found) == set(ids)
    for message_id, given in zip(ids, sent, strict=True):
        each = found[message_id]
        assert each.body == str(given["body"]).encode()
        assert (each.tag, list(each.keys)) == (given["tag"], given["keys"])
        assert {"n": each.properties["n"]} == given["properties"]
        assert (each.topic, each.broker, each.delivery_attempt) == ("official", "broker-a", 1)
        assert before - 1000 <= (each.stored_at or 0) <= before + 60_000
    with Offsets(rocketmq.nameserver) as offsets:
        reach = {each.queue.queue_id: (each.oldest, each.newest) for each in offsets.reach("official")}
    # Every offset has come, once.
    for queue_id, (oldest, newest) in reach.items():
        came = sorted(each.queue_offset or 0 for each in inbox.messages if each.queue_id == queue_id)
        assert came == list(range(oldest, newest))


def test_what_was_acknowledged_does_not_come_again_and_the_rest_does(rocketmq: Broker) -> None:
    group = made(rocketmq, "again")
    short = Options(invisible_s=10, poll_s=5)
    inbox = Inbox()
    inbox.held = []
    with Sender(rocketmq.endpoint) as sender, consuming(rocketmq, group, inbox, short):
        assert sender.send([message("again", b"kept")])
        wait(lambda: len(inbox.held or ()) == 1, 20)
        inbox.held[0].set_result(None)
        assert sender.send([message("again", b"lost")])
        wait(lambda: len(inbox.held or ()) == 2, 20)
        # This one ends without having become durable.
        inbox.held[1].cancel()
    later = Inbox()
    with consuming(rocketmq, group, later, short):
        wait(lambda: later.bodies == [b"lost"], 40)
        assert later.messages[0].delivery_attempt == 2


def test_filters(rocketmq: Broker) -> None:
    made(rocketmq, "tags", "numbers")
    group = Group(
        name="tags",
        subscriptions=(
            Subscription(topic="tags", expression="a || b"),
            Subscription(topic="numbers", expression="n > 3", kind=FilterKind.SQL),
        ),
    )
    inbox = Inbox()
    with Sender(rocketmq.endpoint) as sender, consuming(rocketmq, group, inbox):
        for tag in "abc":
            assert sender.send([message("tags", tag.encode(), tag=tag)])
        for number in (3, 4):
            assert sender.send([message("numbers", b"%d" % number, n=str(number))])
        wait(lambda: sorted(inbox.bodies) == [b"4", b"a", b"b"], 30)


def test_after_a_kill_the_first_message_comes_within_ten_seconds_and_none_is_lost(rocketmq: Broker) -> None:
    group = made(rocketmq, "killed")
    inbox = Inbox()
    with consuming(rocketmq, group, inbox, Options(invisible_s=10)) as consumer:
        with Load(rocketmq.endpoint, "killed") as load:
            wait(lambda: len(inbox.messages) > 500, 30)
            rocketmq.kill()
            wait(lambda: not consumer.health().receiving, 10)
            inbox.first_at = None
            rocketmq.start()
            back_at = time.monotonic()
            wait(lambda: inbox.first_at is not None, 10)
            took = (inbox.first_at or 0) - back_at
            print(f"the first message came {took:.2f} s after the proxy was back")
            received = len(inbox.messages)
            wait(lambda: len(inbox.messages) > received + 500, 30)
        wait(lambda: load.sent <= set(inbox.bodies), 60)


@pytest.mark.parametrize("wrong", ["nameserver", "broker"])
def test_another_port_than_the_proxys(rocketmq: Broker, wrong: str) -> None:
    port = getattr(rocketmq.ports, wrong)
    with pytest.raises(InvalidInput) as caught:
        check(Server.at(f"127.0.0.1:{port}"), group_of("any"))
    assert {"nameserver": "name server", "broker": "broker's remoting port (V5"}[wrong] in str(caught.value)


def test_a_missing_topic_and_a_missing_group(rocketmq: Broker) -> None:
    made(rocketmq, "present")
    server = Server.at(rocketmq.endpoint)
    check(server, group_of("present"))
    with pytest.raises(NotFound, match="no topic absent"):
        check(server, group_of("absent", name="present"))
    with pytest.raises(NotFound, match="no consumer group absent"):
        check(server, group_of("present", name="absent"))


def test_offsets(rocketmq: Broker) -> None:
    rocketmq.create_topic("offsets", queues=1)
    with Sender(rocketmq.endpoint) as sender, Offsets(rocketmq.nameserver) as offsets:
        (queue,) = offsets.queues("offsets")
        for body in (b"0", b"1", b"2"):
            assert sender.send([message("offsets", body)])
        (reach,) = offsets.reach("offsets")
        assert (reach.oldest, reach.newest) == (0, 3)
        assert offsets.offset_at(queue, datetime(2020, 1, 1, tzinfo=UTC)) == 0
        assert "offsets" in offsets.topics()
        with pytest.raises(EventCenterError, match="no topic other"):
            offsets.queues("other")
