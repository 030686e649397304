"""An event sent as a RocketMQ message is the same event in the journal; no message makes the binding fail."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eventcenter.event import Event, decode_line
from ingest.bindings.rocketmq import Decoding, Layout, Message, decode, encode
from ingest.validation import Limits
from tests.ingest.test_round_trips import ATTRIBUTE, NAMES, sent_events

LIMITS = Limits()
STRICT = Decoding(cluster="main")
WRAPPING = replace(STRICT, wrap_type="message")
PLAIN = Event(id="1", source="/s", type="t")
INTEGERS = st.integers(-(1 << 31), (1 << 31) - 1)
ODD_TEXTS = st.sampled_from(
    [" ", "\u3000", '"', '"x"', '"\\u0041"', "a b", "|", "*", "1.0", "application/json"]
)
TEXTS = ATTRIBUTE | ODD_TEXTS


@st.composite
def odd_events(draw: st.DrawFn) -> Event:
    """Events that meet the borders between binary and structured mode."""
    event = draw(sent_events(TEXTS | INTEGERS | st.booleans() | st.just("")))
    names = st.sampled_from(["id", "source", "type", "subject"])
    changes: dict[str, Any] = draw(st.dictionaries(names, TEXTS, max_size=2))
    if draw(st.booleans()):
        name = draw(st.sampled_from(["contenttype", "keys", "x" * 20, "x" * 64]) | NAMES)
        changes["extensions"] = {**event.extensions, name: draw(TEXTS)}
    odd = st.sampled_from(
        [
            (b'""', "text", "text/plain"),
            (b'"\\u0000"', "text", "text/plain"),
            (b'"\\u00e9"', "text", "text/plain; charset=utf-8"),
            (b'"x"', "text", "application/octet-stream"),
            (b'{"a":1.0}', "json", "application/xml"),
            (b'"x"', "json", None),
            (b"null", "json", "text/plain"),
            (b'"AA=="', "binary", "application/octet-stream"),
            (b'""', "binary", None),
            (b'"AAE="', "binary", "application/json"),
            (b'"/w=="', "binary", "text/plain"),
            (
                b'{"specversion":"1.0","id":"2","source":"/s","type":"t"}',
                "json",
                "application/cloudevents+json",
            ),
            (b'"[]"', "text", "Application/CloudEvents-batch"),
            (b'{"a":1}', "json", "Application/CloudEvents+JSON"),
            (None, None, "application/cloudevents+json"),
        ]
    )
    if draw(st.booleans()):
        changes["data"], changes["data_kind"], changes["datacontenttype"] = draw(odd)
    return replace(event, **changes)


def decoded_event(message: Message) -> Event:
    decoded = decode(message, LIMITS, STRICT)
    assert not decoded.checked.rejects, decoded.checked.rejects
    return decode_line(decoded.checked.payload)


def assert_can_be_sent(message: Message) -> None:
    """What proxy and clients of RocketMQ 5 take."""
    texts = [*message.properties, *message.properties.values(), *message.keys, message.tag or "t"]
    assert all(text.strip() for text in texts)
    assert not any(ord(sign) < 32 or 127 <= ord(sign) < 160 for text in texts for sign in text)
    assert sum(len(text.encode()) for text in texts) <= 16 << 10
    assert len(message.properties) <= 128
    assert message.body
    assert "|" not in (message.tag or "")
    assert not any(key.split() != [key] for key in message.keys)


@settings(deadline=None, max_examples=300)
@given(sent_events(ATTRIBUTE) | odd_events())
def test_sent_and_received_is_the_same_event(event: Event) -> None:
    message = encode(event, "orders")
    assert_can_be_sent(message)
    assert message.topic == "orders"
    assert decoded_event(message) == event


@settings(deadline=None, max_examples=100)
@given(odd_events())
def test_received_in_json_is_the_same_event(event: Event) -> None:
    one = Message(topic="orders", body=event.to_json())
    assert decoded_event(one) == event
    body = b"[" + one.body + b"," + one.body + b"]"
    batch = msgspec.structs.replace(
        one, body=body, properties={"CE_contenttype": "application/cloudevents-batch"}
    )
    lines = decode(batch, LIMITS, STRICT).checked.payload.splitlines()
    assert [decode_line(line) for line in lines] == [event, event]


def test_what_properties_carry_goes_in_binary_mode() -> None:
    event = Event(
        id="a-1",
        source="/名",
        type="order.paid",
        subject='"s"',
        time="2026-11-01T08:00:00Z",
        datacontenttype="application/json",
        dataschema="urn:x",
        extensions={"traceparent": "00-ab"},
        data=b'{"a":1e2}',
        data_kind="json",
    )
    assert encode(event, "orders") == Message(
        topic="orders",
        body=b'{"a":1e2}',
        properties={
            "CE_specversion": "1.0",
            "CE_id": "a-1",
            "CE_source": "/名",
            "CE_type": "order.paid",
            "CE_subject": '"s"',
            "CE_time": "2026-11-01T08:00:00Z",
            "CE_dataschema": "urn:x",
            "CE_traceparent": "00-ab",
            "CE_contenttype": "application/json",
        },
        tag="order.paid",
        keys=("a-1",),
    )
    assert encode(PLAIN, "orders").body == b"\x00"


@pytest.mark.parametrize(
    "event",
    [
        replace(PLAIN, extensions={"n": 1}),
        replace(PLAIN, extensions={"yes": True}),
        replace(PLAIN, extensions={"blank": " "}),
        replace(PLAIN, extensions={"contenttype": "x"}),
        replace(PLAIN, extensions={f"x{n}": "x" for n in range(125)}),
        replace(PLAIN, extensions={"large": "x" * (16 << 10)}),
        replace(PLAIN, data=b'""', data_kind="text", datacontenttype="text/plain"),
        replace(PLAIN, data=b'"AA=="', data_kind="binary"),
        replace(PLAIN, data=b"1", data_kind="json", datacontenttype="application/cloudevents+json"),
        replace(PLAIN, data=b"1", data_kind="json", datacontenttype="Application/CloudEvents+JSON"),
        replace(PLAIN, data=b'"\\u00e9"', data_kind="text", datacontenttype="text/plain"),
    ],
)
def test_what_properties_cannot_carry_goes_structured(event: Event) -> None:
    message = encode(event, "orders")
    assert message.properties == {"CE_contenttype": "application/cloudevents+json"}
    assert (message.tag, message.keys) == ("t", ("1",))
    assert_can_be_sent(message)
    assert decode(message, LIMITS, STRICT).layout is Layout.STRUCTURED
    assert decoded_event(message) == event


def test_what_is_beyond_the_usual_limits_goes_structured() -> None:
    deep = replace(PLAIN, data=b"[" * 100 + b"]" * 100, data_kind="json", datacontenttype="application/json")
    decoded = decode(encode(deep, "orders"), replace(LIMITS, max_nesting=200), STRICT)
    assert decoded.layout is Layout.STRUCTURED
    assert decode_line(decoded.checked.payload) == deep
    long = replace(PLAIN, id="x" * (17 << 10))
    assert_can_be_sent(encode(long, "orders"))
    decoded = decode(encode(long, "orders"), replace(LIMITS, max_id_length=1 << 20), STRICT)
    assert decode_line(decoded.checked.payload) == long


@pytest.mark.parametrize(("event_id", "kept"), [("a", ("a",)), ("a b", ()), ("\u3000", ()), ("a ", ())])
def test_an_id_that_would_come_back_split_is_no_key(event_id: str, kept: tuple[str, ...]) -> None:
    assert encode(replace(PLAIN, id=event_id), "orders").keys == kept


@pytest.mark.parametrize(("type_", "tag"), [("a.b", "a.b"), ("a||b", None), (" ", None)])
def test_a_type_that_is_no_tag_is_none(type_: str, tag: str | None) -> None:
    assert encode(replace(PLAIN, type=type_), "orders").tag == tag


NAMES_SENT = (
    "specversion", "id", "source", "type", "time", "contenttype", "datacontenttype", "data", "ext", "",
)  # fmt: skip
PREFIXES = ("CE_", "ce_", "cloudEvents:", "CLOUDEVENTS_", "")
NAMED = st.sampled_from(
    [*(prefix + name for prefix in PREFIXES for name in NAMES_SENT), "USEREXT_KEY", "KEYS"]
)
VALUES = st.sampled_from(
    ["1.0", '"1.0"', "1", "2026-11-01T00:00:00Z", "application/json", "application/cloudevents", "text/plain",
     "application/cloudevents-batch+json", "application/cloudevents+json;charset=latin-1", '"', '"\\ud800"',
     '{"ext":1}', '{"ext":"\\ud800"}', "{", "", " ", "\x00", "名"]
) | st.text(max_size=5)  # fmt: skip
BODIES = st.sampled_from(
    [b"", b"\x00", b"{}", b"[]", b"[{},1]", b"{", b"\xef\xbb\xbf{}", b'{"a":"\\ud800"}', b"NaN", b'"\xff"',
     b"{" * 5000, b"[" * 5000, b'[{"a":' * 5000, PLAIN.to_json(), b"[" + PLAIN.to_json() + b"]"]
) | st.binary(max_size=20)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(
    st.builds(
        Message,
        topic=st.text(min_size=1, max_size=5),
        body=BODIES,
        properties=st.dictionaries(NAMED | st.text(max_size=5), VALUES, max_size=6),
        tag=st.none() | st.text(max_size=3),
        keys=st.lists(st.text(max_size=3), max_size=2).map(tuple),
        message_id=st.none() | st.text(max_size=3),
        born_at=st.none() | st.integers(),
    ),
    st.sampled_from([STRICT, WRAPPING, replace(WRAPPING, accept_unprefixed_extensions=False)]),
)
@example(Message(topic="t", body=b"x", born_at=-62135596800001, message_id="1"), WRAPPING)
def test_nothing_makes_it_fail(message: Message, decoding: Decoding) -> None:
    decoded = decode(message, LIMITS, decoding)
    lines = decoded.checked.payload.split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == decoded.checked.count
    for line in lines:
        decode_line(line)
    assert lines or decoded.checked.rejects or decoded.layout is Layout.BATCHED
    for reject in decoded.checked.rejects:
        head, _, body = reject.data.partition(b"\n\n")
        assert json.loads(head)["topic"] == message.topic
        assert decoded.layout is Layout.BATCHED or body == message.body
        json.dumps(reject.problem, ensure_ascii=False).encode()
