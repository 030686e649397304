"""A proxy in cluster mode before a broker that runs without one, as docs/rocketmq.md says."""

from pathlib import Path

import pytest

from eventcenter.errors import InvalidInput
from eventcenter.rocketmq.check import check
from eventcenter.rocketmq.server import Group, Server, Subscription
from ingest.inputs.rocketmq.consumer import Consumer
from tests.rocketmq.inbox import Inbox, wait
from tests.rocketmq.sending import Sender, message
from tests.support.rocketmq import running

pytestmark = [pytest.mark.rocketmq, pytest.mark.long]

GROUP = Group(name="behind", subscriptions=(Subscription(topic="behind"),))


def test_messages_come_through_it(tmp_path: Path) -> None:
    with running(tmp_path, mode="cluster") as broker:
        assert broker.alive == {"nameserver", "broker", "proxy"}
        broker.create_topic("behind")
        broker.create_group("behind")
        with pytest.raises(InvalidInput, match="not a proxy") as refused:
            check(Server.at(f"127.0.0.1:{broker.ports.broker}"), GROUP)
        assert "mqproxy -n NAMESERVER:9876" in (refused.value.remedy or "")
        server = Server.at(broker.endpoint)
        check(server, GROUP)
        # By the broker's autoCreateSubscriptionGroup, which is on unless it is turned off.
        check(server, Group(name="made-by-asking", subscriptions=GROUP.subscriptions))
        inbox = Inbox()
        consumer = Consumer(server, GROUP, store=inbox.store, reject=inbox.reject)
        consumer.start()
        try:
            wait(lambda: consumer.health().counts.polls > 0, 20)
            with Sender(broker.endpoint) as sender:
                assert sender.send([message("behind", b"before")])
            wait(lambda: inbox.bodies == [b"before"], 20)
            # The broker keeps what it has: only the proxy is killed.
            pid = broker.pid("broker")
            broker.kill()
            assert broker.alive == {"nameserver", "broker"}
            broker.start()
            assert broker.pid("broker") == pid
            with Sender(broker.endpoint) as sender:
                wait(lambda: sender.send([message("behind", b"after")]), 20)
            wait(lambda: inbox.bodies[-1] == b"after", 20)
        finally:
            consumer.stop()
