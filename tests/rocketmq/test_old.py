"""A RocketMQ 4, which has no proxy: what is said of it, by name server, broker and a proxy before them."""

import pytest

from eventcenter.errors import InvalidInput, NotFound
from eventcenter.rocketmq.check import check
from eventcenter.rocketmq.remoting import Offsets
from eventcenter.rocketmq.server import Group, Server, Subscription
from ingest.inputs.rocketmq.consumer import Consumer
from tests.rocketmq.inbox import Inbox, wait
from tests.support.rocketmq import Broker, ask, remoting

pytestmark = [pytest.mark.rocketmq, pytest.mark.long]

GROUP = Group(name="old", subscriptions=(Subscription(topic="old"),))
WHO = {"nameserver": "a name server", "broker": "a broker's remoting port (V4_9_7)"}


@pytest.mark.parametrize("process", WHO)
def test_its_ports_are_told_from_a_proxys(old: Broker, process: str) -> None:
    address = f"127.0.0.1:{getattr(old.ports, process)}"
    with pytest.raises(InvalidInput) as refused:
        check(Server.at(address), GROUP)
    assert refused.value.detail.startswith(f"At {address} {WHO[process]}")
    assert "upgrade brokers of RocketMQ 4 to 5" in str(refused.value.remedy)


def test_an_input_that_was_not_tried_says_the_same(old: Broker) -> None:
    inbox = Inbox()
    server = Server.at(f"127.0.0.1:{old.ports.broker}")
    consumer = Consumer(server, GROUP, store=inbox.store, reject=inbox.reject)
    consumer.start()
    try:
        wait(lambda: consumer.health().problems, 20)
        assert WHO["broker"] in consumer.health().problems[0].detail
    finally:
        consumer.stop()


def test_a_proxy_before_it_finds_no_group(old: Broker) -> None:
    old.create_topic("old")
    old.create_group("old")
    assert b'"old"' in ask(old.ports.broker, remoting.GROUPS).body
    with Offsets(old.nameserver) as offsets:
        assert len(offsets.reach("old")) == 4
    with pytest.raises(NotFound, match="no consumer group old") as refused:
        check(Server.at(old.endpoint), GROUP)
    assert "at brokers of RocketMQ 4" in str(refused.value.rule)
