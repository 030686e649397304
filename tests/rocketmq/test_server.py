from collections.abc import Callable

import pytest

from eventcenter.errors import InvalidInput
from eventcenter.rocketmq.server import (
    Credentials,
    FilterKind,
    Group,
    Options,
    Server,
    Subscription,
)

TOPIC = Subscription(topic="events")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Server(addresses=()), "No address"),
        (lambda: Server.at("proxy"), "port is missing"),
        (lambda: Credentials(access_key="key", secret_key=""), "belong together"),
        (lambda: Credentials(access_key="k,y", secret_key="s"), "cannot be sent"),
        (lambda: Subscription(topic="my.topic"), "no name of a topic"),
        (lambda: Subscription(topic="t" * 128), "no name of a topic"),
        (lambda: Subscription(topic="t", expression=" "), "filter of the topic t is empty"),
        (lambda: Group(name="a b", subscriptions=(TOPIC,)), "no name of a consumer group"),
        (lambda: Group(name="group", subscriptions=()), "No topic"),
        (lambda: Group(name="group", subscriptions=(TOPIC, TOPIC)), "twice"),
        (lambda: Options(batch_size=33), "batch_size"),
        (lambda: Options(invisible_s=9), "invisible_s"),
        (lambda: Options(poll_s=21), "poll_s"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make()
    assert words in caught.value.detail
    assert caught.value.rule
    assert caught.value.remedy


def test_only_a_subscription_to_all_is_whole() -> None:
    assert TOPIC.is_whole
    assert not Subscription(topic="t", expression="a").is_whole
    assert not Subscription(topic="t", expression="n > 1", kind=FilterKind.SQL).is_whole


def test_a_secret_is_not_shown() -> None:
    server = Server.at("a:1", credentials=Credentials(access_key="key", secret_key="hidden"))
    assert "hidden" not in repr(server)
    assert "key" in repr(server)
