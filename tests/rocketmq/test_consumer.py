import hashlib
import hmac
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from eventcenter.errors import Busy, Forbidden, InvalidInput, NotFound, Unavailable
from eventcenter.rocketmq.server import (
    Credentials,
    FilterKind,
    Group,
    Options,
    Server,
    Subscription,
)
from eventcenter.rocketmq.stubs import definition, service
from ingest.inputs.rocketmq.consumer import Consumer
from tests.rocketmq.inbox import Inbox, wait
from tests.rocketmq.standin import Proxy

QUICK = Options(poll_s=5, threads=1, unacked_batches=2, request_s=1.0, heartbeat_s=0.2, route_s=0.5)


def status(code: int, message: str = "") -> Any:
    return definition.Status(code=code, message=message)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy("events") as standin:
        yield standin


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@contextmanager
def consuming(
    proxy: Proxy,
    inbox: Inbox,
    *subscriptions: Subscription,
    options: Options = QUICK,
    grace_s: float = 2.0,
    **server: Any,
) -> Iterator[Consumer]:
    consumer = Consumer(
        Server(addresses=(proxy.address,), **server),
        Group(name="group", subscriptions=subscriptions or (Subscription(topic="events"),)),
        store=inbox.store,
        reject=inbox.reject,
        options=options,
    )
    consumer.start()
    try:
        yield consumer
    finally:
        consumer.stop(grace_s)


def test_a_message_arrives_as_it_was_sent_and_is_acknowledged(proxy: Proxy, inbox: Inbox) -> None:
    sent = proxy.put(
        "events",
        b"\x00body",
        tag="t",
        keys=["k1", "k2"],
        queue_id=3,
        queue_offset=41,
        born_timestamp={"seconds": 1, "nanos": 2_000_000},
        store_timestamp={"seconds": 2, "nanos": 999_999},
    )
    with consuming(proxy, inbox) as consumer:
        proxy.wait(lambda: proxy.acked == [sent])
        wait(lambda: consumer.health().counts.acknowledged == 1)
        assert consumer.health().receiving
        assert consumer.health().brokers == ("broker-a",)
        assert not consumer.health().problems
    (message,) = inbox.messages
    assert (message.topic, message.body, message.tag, message.keys) == (
        "events",
        b"\x00body",
        "t",
        ("k1", "k2"),
    )
    assert (message.broker, message.queue_id, message.queue_offset) == ("broker-a", 3, 41)
    assert (message.born_at, message.stored_at, message.delivery_attempt) == (1002, 2000, 1)
    assert message.message_id == sent
    assert len(proxy.goodbyes) == 1


def test_a_batch_is_acknowledged_in_one_call_and_only_when_it_is_durable(proxy: Proxy, inbox: Inbox) -> None:
    inbox.held = []
    for number in range(32):
        proxy.put("events", b"%d" % number)
    with consuming(proxy, inbox):
        wait(lambda: len(inbox.held or ()) == 1)
        assert not proxy.acked
        inbox.held[0].set_result(None)
        proxy.wait(lambda: len(proxy.acked) == 32)
    assert proxy.ack_calls == [32]


def test_no_more_is_received_than_may_be_unacknowledged(proxy: Proxy, inbox: Inbox) -> None:
    inbox.held = []
    with consuming(proxy, inbox, options=QUICK):
        for number in range(3):
            proxy.put("events", b"%d" % number)
            wait(partial(_holds, inbox, min(number + 1, 2)))
        polls = proxy.polls
        assert len(proxy.waiting["events"]) == 1
        inbox.held[0].set_result(None)
        wait(lambda: _holds(inbox, 3))
        assert proxy.polls == polls + 1
        for future in inbox.held[1:]:
            future.set_result(None)
        proxy.wait(lambda: len(proxy.acked) == 3)


def test_what_becomes_durable_during_a_call_shares_the_next(proxy: Proxy, inbox: Inbox) -> None:
    inbox.held = []
    with consuming(proxy, inbox, options=replace(QUICK, unacked_batches=4)) as consumer:
        for number in range(3):
            proxy.put("events", b"%d" % number)
            wait(partial(_holds, inbox, number + 1))
        with proxy.changed:
            inbox.held[0].set_result(None)
            wait(lambda: "AckMessage" in proxy.metadata)
            for future in inbox.held[1:]:
                future.set_result(None)
        wait(lambda: consumer.health().counts.acknowledged == 3)
    assert proxy.ack_calls == [1, 2]


def test_what_is_refused_is_offered_again_and_nothing_received_meanwhile(proxy: Proxy, inbox: Inbox) -> None:
    inbox.refusals = [Busy("The journal is full.", retry_after=1), Unavailable("Not now.")]
    proxy.put("events", b"first")
    with consuming(proxy, inbox) as consumer:
        wait(lambda: len(inbox.refusals) == 1)
        polls = proxy.polls
        proxy.put("events", b"second")
        assert [problem.code for problem in consumer.health().problems] == ["busy"]
        proxy.wait(lambda: len(proxy.acked) == 2)
        assert inbox.bodies == [b"first", b"second"]
        assert proxy.polls >= polls + 1
        assert consumer.health().counts.refused == 2


def test_what_did_not_become_durable_is_not_acknowledged_but_offered_again(
    proxy: Proxy, inbox: Inbox
) -> None:
    inbox.failures = [Unavailable("The disk failed.")]
    sent = proxy.put("events", b"body")
    with consuming(proxy, inbox):
        # The poll that is under way ends with this one.
        wait(lambda: not inbox.failures)
        other = proxy.put("events", b"other")
        proxy.wait(lambda: set(proxy.acked) == {sent, other})
    assert sorted(inbox.bodies) == [b"body", b"other"]


def test_what_can_never_be_stored_is_left_to_the_broker(
    proxy: Proxy, inbox: Inbox, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox.refusals = [RuntimeError("a bug")]
    proxy.put("events", b"bad")
    with consuming(proxy, inbox):
        wait(lambda: not inbox.refusals)
        good = proxy.put("events", b"good")
        proxy.wait(lambda: proxy.acked == [good])
        proxy.hand_out_again()
        proxy.wait(lambda: len(proxy.acked) == 2)
    assert inbox.messages[-1].delivery_attempt == 2


def test_a_clean_stop_acknowledges_what_becomes_durable(proxy: Proxy, inbox: Inbox) -> None:
    inbox.held = []
    sent = proxy.put("events", b"body")
    with consuming(proxy, inbox) as consumer:
        wait(lambda: inbox.held)
        consumer.stop(grace_s=0.0)
        assert not proxy.acked
        assert proxy.goodbyes
    proxy.hand_out_again()
    inbox.held = None
    with consuming(proxy, inbox):
        proxy.wait(lambda: proxy.acked == [sent])


def test_several_topics_with_their_filters(inbox: Inbox) -> None:
    subscriptions = (
        Subscription(topic="a", expression="x || y"),
        Subscription(topic="b", expression="n > 3", kind=FilterKind.SQL),
    )
    with Proxy("a", "b") as proxy, consuming(proxy, inbox, *subscriptions):
        proxy.put("a", b"of a")
        proxy.put("b", b"of b")
        proxy.wait(lambda: len(proxy.acked) == 2)
        asked = {
            each.topic.name: (each.expression.type, each.expression.expression)
            for each in proxy.settings[0].subscription.subscriptions
        }
    assert asked == {"a": (definition.TAG, "x || y"), "b": (definition.SQL, "n > 3")}
    assert {message.topic for message in inbox.messages} == {"a", "b"}


def test_every_call_says_who_calls_and_is_signed(proxy: Proxy, inbox: Inbox) -> None:
    credentials = Credentials(access_key="key", secret_key="secret")
    proxy.put("events", b"body")
    with consuming(proxy, inbox, credentials=credentials, namespace="space"):
        proxy.wait(lambda: proxy.acked and proxy.heartbeats)
    assert set(proxy.metadata) == {"QueryRoute", "Telemetry", "Heartbeat", "ReceiveMessage", "AckMessage"}
    assert len({metadata["x-mq-client-id"] for metadata in proxy.metadata.values()}) == 1
    assert len({metadata["x-mq-request-id"] for metadata in proxy.metadata.values()}) == 5
    for metadata in proxy.metadata.values():
        moment = metadata["x-mq-date-time"]
        signature = hmac.new(b"secret", moment.encode(), hashlib.sha1).hexdigest()
        assert metadata["authorization"] == (
            f"MQv2-HMAC-SHA1 Credential=key, SignedHeaders=x-mq-date-time, Signature={signature}"
        )
        assert metadata["x-mq-language"] == "PYTHON"
        assert metadata["x-mq-namespace"] == "space"
    assert "secret" not in repr(credentials)


def test_too_many_requests_are_waited_for(proxy: Proxy, inbox: Inbox) -> None:
    proxy.answers["ReceiveMessage"] = deque([status(definition.TOO_MANY_REQUESTS)])
    proxy.put("events", b"body")
    with consuming(proxy, inbox) as consumer:
        wait(lambda: [problem.code for problem in consumer.health().problems] == ["busy"])
        proxy.wait(lambda: proxy.acked)
        wait(lambda: consumer.health().counts.polls == 2)


@pytest.mark.parametrize(
    "digest",
    [
        (definition.MD5, hashlib.md5(b"body").hexdigest().upper()),
        (definition.SHA1, hashlib.sha1(b"body").hexdigest().upper()),
        (definition.CRC32, f"{zlib.crc32(b'body'):08X}"),
        (definition.CRC32, f"{zlib.crc32(b'body'):x}"),
        (definition.DIGEST_TYPE_UNSPECIFIED, ""),
    ],
)
def test_a_right_digest(proxy: Proxy, inbox: Inbox, digest: tuple[int, str]) -> None:
    proxy.put("events", b"body", body_digest=definition.Digest(type=digest[0], checksum=digest[1]))
    with consuming(proxy, inbox):
        proxy.wait(lambda: proxy.acked)
    assert inbox.bodies == [b"body"]


@pytest.mark.parametrize("kind", [definition.MD5, definition.SHA1, definition.CRC32])
def test_a_message_that_stays_broken_is_rejected_and_holds_up_no_other(
    proxy: Proxy, inbox: Inbox, kind: int
) -> None:
    broken = proxy.put("events", b"other", body_digest=definition.Digest(type=kind, checksum="AB12"))
    good = proxy.put("events", b"good")
    with consuming(proxy, inbox) as consumer:
        proxy.wait(lambda: proxy.acked == [good])
        for attempt in (1, 2):
            assert not inbox.rejected
            wait(partial(_has_broken, consumer, attempt))
            proxy.hand_out_again()
        proxy.wait(lambda: proxy.acked == [good, broken])
        wait(lambda: consumer.health().counts.rejected == 1)
    ((message, why),) = inbox.rejected
    assert (message.body, message.delivery_attempt) == (b"other", 3)
    assert "digest" in why
    assert inbox.bodies == [b"good"]


@pytest.mark.parametrize("wbits", [31, 15], ids=["gzip", "zlib"])
def test_a_packed_body_is_unpacked(proxy: Proxy, inbox: Inbox, wbits: int) -> None:
    body = b"many words " * 1000
    proxy.put_packed("events", body, wbits)
    with consuming(proxy, inbox):
        proxy.wait(lambda: proxy.acked)
    assert inbox.bodies == [body]


@pytest.mark.parametrize(
    "body", [b"no gzip", zlib.compress(b"cut off" * 99)[:-9], zlib.compress(bytes((64 << 20) + 1))]
)
def test_a_body_that_cannot_be_unpacked_is_rejected(proxy: Proxy, inbox: Inbox, body: bytes) -> None:
    proxy.put("events", body, body_encoding=definition.GZIP, delivery_attempt=3)
    with consuming(proxy, inbox):
        proxy.wait(lambda: proxy.acked)
    assert inbox.rejected[0][0].body == body


def test_a_slow_stream_brings_what_came_before_its_deadline(proxy: Proxy, inbox: Inbox) -> None:
    proxy.pause_s = 0.3
    for number in range(5):
        proxy.put("events", b"%d" % number)
    with consuming(proxy, inbox):
        proxy.wait(lambda: len(proxy.acked) == 5)
    assert proxy.ack_calls == [5]


def test_a_stream_that_breaks_off_keeps_what_it_brought(proxy: Proxy, inbox: Inbox) -> None:
    proxy.pause_s = 4.0
    first = proxy.put("events", b"first")
    proxy.put("events", b"second")
    with consuming(proxy, inbox, options=Options(poll_s=5, threads=1, request_s=0.5, heartbeat_s=0.2)):
        proxy.wait(lambda: len(proxy.out) == 2)
        proxy.wait(lambda: first in proxy.acked, 20)


def test_an_expired_handle_is_no_error(proxy: Proxy, inbox: Inbox) -> None:
    inbox.held = []
    proxy.put("events", b"body")
    with consuming(proxy, inbox) as consumer:
        wait(lambda: inbox.held)
        proxy.hand_out_again()
        wait(lambda: _holds(inbox, 2))
        inbox.held[0].set_result(None)
        wait(lambda: consumer.health().counts.expired == 1)
        assert not proxy.acked
        inbox.held[1].set_result(None)
        proxy.wait(lambda: proxy.acked)
    assert [message.delivery_attempt for message in inbox.messages] == [1, 2]


def test_one_word_for_all_expired_handles(proxy: Proxy, inbox: Inbox) -> None:
    proxy.answers["AckMessage"] = deque([status(definition.INVALID_RECEIPT_HANDLE)])
    proxy.put("events", b"body")
    with consuming(proxy, inbox) as consumer:
        wait(lambda: consumer.health().counts.expired == 1)
        assert consumer.health().counts.acknowledged == 0


def test_unknown_commands_are_ignored(proxy: Proxy, inbox: Inbox) -> None:
    unknown = service.TelemetryCommand.FromString(b"\xa2\x06\x03abc")
    other = service.TelemetryCommand(print_thread_stack_trace_command={"nonce": "1"})
    proxy.commands.extend([unknown, other, service.TelemetryCommand()])
    proxy.put("events", b"body")
    with consuming(proxy, inbox):
        proxy.wait(lambda: proxy.acked)
    assert len(proxy.settings) == 1


def test_a_huge_message(proxy: Proxy, inbox: Inbox) -> None:
    body = bytes(20 << 20)
    proxy.put("events", body)
    with consuming(proxy, inbox):
        proxy.wait(lambda: proxy.acked)
    assert inbox.bodies == [body]


def test_telemetry_that_breaks_is_opened_again_at_once(proxy: Proxy, inbox: Inbox) -> None:
    with consuming(proxy, inbox) as consumer:
        for times in (1, 2, 3):
            proxy.wait(lambda times=times: len(proxy.settings) == times, 2)
            wait(lambda: consumer.health().receiving)
            proxy.forget_clients()
            proxy.break_telemetry()
        proxy.wait(lambda: len(proxy.settings) == 4, 2)
        proxy.put("events", b"body")
        proxy.wait(lambda: proxy.acked, 2)


def test_settings_that_the_proxy_lost_are_sent_again_after_a_poll(proxy: Proxy, inbox: Inbox) -> None:
    proxy.put("events", b"first")
    with consuming(proxy, inbox, options=Options(poll_s=5, heartbeat_s=60, threads=2)):
        proxy.wait(lambda: len(proxy.acked) == 1)
        proxy.forget_clients()
        # Polls that wait at the proxy already are answered.
        for number in range(4):
            proxy.put("events", b"%d" % number)
            proxy.wait(lambda number=number: len(proxy.acked) == number + 2, 2)
    assert len(proxy.settings) == 2


def test_settings_that_the_proxy_lost_are_sent_again_after_a_heartbeat(proxy: Proxy, inbox: Inbox) -> None:
    with consuming(proxy, inbox):
        wait(lambda: proxy.polls)
        proxy.forget_clients()
        proxy.wait(lambda: len(proxy.settings) == 2, 3)


def test_settings_without_an_answer_are_sent_again(proxy: Proxy, inbox: Inbox) -> None:
    proxy.mute_settings = 1
    proxy.put("events", b"body")
    with consuming(proxy, inbox):
        proxy.wait(lambda: proxy.acked, 5)
    assert len(proxy.settings) == 2


def test_a_proxy_that_restarts_is_back_at_once(proxy: Proxy, inbox: Inbox) -> None:
    proxy.put("events", b"before")
    with consuming(proxy, inbox) as consumer:
        proxy.wait(lambda: len(proxy.acked) == 1)
        proxy.stop()
        wait(lambda: not consumer.health().receiving)
        assert consumer.health().problems
        proxy.put("events", b"after")
        proxy.start()
        proxy.wait(lambda: len(proxy.acked) == 2, 5)
        wait(lambda: consumer.health().receiving)
        assert not consumer.health().problems


def test_it_may_start_before_the_proxy(inbox: Inbox) -> None:
    with Proxy("events") as proxy:
        proxy.stop()
        with consuming(proxy, inbox) as consumer:
            wait(lambda: consumer.health().problems)
            assert "Nothing listens at" in str(consumer.health().problems[0])
            proxy.put("events", b"body")
            proxy.start()
            proxy.wait(lambda: proxy.acked, 5)


def test_another_proxy_takes_over(inbox: Inbox) -> None:
    with Proxy("events") as first, Proxy("events") as second:
        consumer = Consumer(
            Server(addresses=(first.address, second.address)),
            Group(name="group", subscriptions=(Subscription(topic="events"),)),
            store=inbox.store,
            reject=inbox.reject,
            options=QUICK,
        )
        consumer.start()
        try:
            first.put("events", b"of the first")
            first.wait(lambda: first.acked)
            first.stop()
            second.put("events", b"of the second")
            second.wait(lambda: second.acked, 8)
            first.start()
        finally:
            consumer.stop()


def test_a_topic_that_is_made_later_is_received(inbox: Inbox) -> None:
    with Proxy("a", "b") as proxy:
        proxy.topics = ("a",)
        proxy.put("a", b"1")
        proxy.put("b", b"2")
        topics = (Subscription(topic="a"), Subscription(topic="b"))
        with consuming(proxy, inbox, *topics) as consumer:
            proxy.wait(lambda: len(proxy.acked) == 1)
            (problem,) = consumer.health().problems
            assert isinstance(problem, NotFound)
            proxy.topics = ("a", "b")
            proxy.wait(lambda: len(proxy.acked) == 2)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (definition.FORBIDDEN, Forbidden),
        (definition.ILLEGAL_FILTER_EXPRESSION, InvalidInput),
        (definition.INTERNAL_SERVER_ERROR, Unavailable),
    ],
)
def test_what_the_proxy_refuses_is_said_and_tried_again(
    proxy: Proxy, inbox: Inbox, code: int, error: type[Exception]
) -> None:
    proxy.answers["ReceiveMessage"] = deque([status(code, "not\nthis")])
    proxy.put("events", b"body")
    with consuming(proxy, inbox) as consumer:
        wait(lambda: consumer.health().problems)
        (problem,) = consumer.health().problems
        assert isinstance(problem, error)
        assert "(it says: not this)" in problem.detail
        proxy.wait(lambda: proxy.acked)


def test_an_acknowledgement_that_fails_is_tried_again(proxy: Proxy, inbox: Inbox) -> None:
    proxy.answers["AckMessage"] = deque([status(definition.PROXY_TIMEOUT), status(definition.PROXY_TIMEOUT)])
    sent = proxy.put("events", b"body")
    with consuming(proxy, inbox):
        proxy.wait(lambda: proxy.acked == [sent])
    assert len(inbox.messages) == 1


def _holds(inbox: Inbox, count: int) -> bool:
    return inbox.held is not None and len(inbox.held) == count


def _has_broken(consumer: Consumer, count: int) -> bool:
    return consumer.health().counts.broken == count
