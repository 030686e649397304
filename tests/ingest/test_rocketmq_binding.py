"""Every layout of RocketMQ messages, the odd ones too, ends in the lines that HTTP makes of these events."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from eventcenter.event import Event, decode_line
from ingest.bindings import Mode, read
from ingest.bindings.rocketmq import Decoded, Decoding, Layout, Message, Origin, decode
from ingest.bindings.rocketmq import properties as properties_module
from ingest.validation import Limits, Reject
from tests.support.ingest import event_json

LIMITS = Limits()
STRICT = Decoding(cluster="main")
PREFIXED_ONLY = replace(STRICT, accept_unprefixed_extensions=False)
WRAPPING = replace(STRICT, wrap_type="com.example.message")
STRUCTURED = {"CE_contenttype": "application/cloudevents+json"}
BATCHED = {"CE_contenttype": "application/cloudevents-batch+json"}
BINARY = {"CE_specversion": "1.0", "CE_id": "1", "CE_source": "/s", "CE_type": "t"}
JSON_BINARY = BINARY | {"CE_contenttype": "application/json"}
BRIDGE = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
PLAIN = Event(id="1", source="/s", type="t")
WITH_DATA = replace(PLAIN, data=b'{"n": 1}', data_kind="json")
EXACT = b'{"a":1.0,"b":1e2, "c":18446744073709551617,"d":0.10000000000000000001,"e":"\\u00e9\\/","f":1E+400}'
SENT = Message(
    topic="orders",
    body=b"",
    tag="paid",
    keys=("k1", "k2"),
    message_id="01A2",
    broker="broker-a",
    queue_id=3,
    queue_offset=18446744073709551617,
    born_at=1_793_520_000_123,
    stored_at=1_793_520_000_456,
    delivery_attempt=2,
)


@dataclass(frozen=True, kw_only=True)
class Good:
    """A message that carries one event."""

    properties: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"\x00"
    layout: Layout = Layout.BINARY
    event: Event = PLAIN
    decoding: Decoding = STRICT


@dataclass(frozen=True, kw_only=True)
class Bad:
    """A message that is refused, and how the detail begins."""

    properties: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"\x00"
    layout: Layout = Layout.BINARY
    detail: str
    value: str | None = None
    status: int = 400
    decoding: Decoding = STRICT


def with_extensions(**extensions: str | int | bool) -> Event:
    return replace(PLAIN, extensions=extensions)


def wrapped(**changes: Any) -> Event:
    """What SENT with wrapping becomes."""
    event = Event(
        id="01A2",
        source="rocketmq://main/orders",
        type="com.example.message",
        subject="paid",
        time="2026-11-01T08:00:00.123000Z",
        extensions={"keys": "k1 k2"},
    )
    return replace(event, **changes)


def bridge(extensions: str, **more: str) -> dict[str, str]:
    return BRIDGE | {"USEREXT_KEY": extensions} | more


def quoted(**more: str) -> dict[str, str]:
    """The draft's examples: all but the content type in quotes."""
    return {name: f'"{value}"' for name, value in BINARY.items()} | more


GOOD: dict[str, Good] = {
    # Structured.
    "structured": Good(properties=STRUCTURED, body=event_json(), layout=Layout.STRUCTURED, event=WITH_DATA),
    "structured: case and parameters": Good(
        properties={"ce_ContentType": "Application/CloudEvents+JSON; charset=UTF-8"},
        body=event_json(),
        layout=Layout.STRUCTURED,
        event=WITH_DATA,
    ),
    "structured: no format": Good(
        properties={"CE_contenttype": "application/CloudEvents ; charset=utf-8"},
        body=event_json(),
        layout=Layout.STRUCTURED,
        event=WITH_DATA,
    ),
    "structured: in quotes": Good(
        properties={"CE_contenttype": '"application/cloudevents+json"'},
        body=event_json(),
        layout=Layout.STRUCTURED,
        event=WITH_DATA,
    ),
    "structured: the draft's own SDK": Good(
        properties={"CE_datacontenttype": "application/cloudevents+json"},
        body=event_json(),
        layout=Layout.STRUCTURED,
        event=WITH_DATA,
    ),
    "structured: attributes repeated in properties": Good(
        properties=BINARY | STRUCTURED | {"CE_id": "other", "CE_datacontenttype": "application/json"},
        body=event_json(),
        layout=Layout.STRUCTURED,
        event=WITH_DATA,
    ),
    "structured: exact": Good(
        properties=STRUCTURED,
        body=b'{"specversion":"1.0","id":"1","source":"/s","type":"t","ext":7,"yes":true,"data":%b}' % EXACT,
        layout=Layout.STRUCTURED,
        event=replace(with_extensions(ext=7, yes=True), data=EXACT, data_kind="json"),
    ),
    "unmarked": Good(body=b" \n" + event_json(), layout=Layout.UNMARKED, event=WITH_DATA),
    "unmarked: of a type that says nothing": Good(
        properties={"CE_contenttype": "application/json", "traceid": "x"},
        body=event_json(),
        layout=Layout.UNMARKED,
        event=WITH_DATA,
    ),
    "unmarked though it could be wrapped": Good(
        body=event_json(), layout=Layout.UNMARKED, event=WITH_DATA, decoding=WRAPPING
    ),
    # Binary.
    "binary": Good(
        properties=JSON_BINARY
        | {
            "CE_subject": "名 %41 \\u0041",
            "CE_time": "2026-11-01t08:00:00.123456789z",
            "CE_dataschema": "urn:x",
            "CE_traceparent": "00-ab",
        },
        body=b" " + EXACT + b"\n",
        event=replace(
            with_extensions(traceparent="00-ab"),
            subject="名 %41 \\u0041",
            time="2026-11-01t08:00:00.123456789z",
            dataschema="urn:x",
            datacontenttype="application/json",
            data=EXACT,
            data_kind="json",
        ),
    ),
    "binary: prefixes of any kind and case": Good(
        properties={
            "ce_specversion": "1.0",
            "cloudEvents:id": "1",
            "CLOUDEVENTS_Source": "/s",
            "cE_TYPE": "t",
            "CloudEvents_Ext": "x",
        },
        event=with_extensions(ext="x"),
    ),
    "binary: a prefix that only looks like one": Good(properties=BINARY | {"cloudevent\u017f_id": "2"}),
    "binary: the same said twice": Good(
        properties=BINARY
        | {"ce_id": "1", "CE_contenttype": "text/plain", "CE_datacontenttype": "text/plain"},
        body=b"x",
        event=replace(PLAIN, datacontenttype="text/plain", data=b'"x"', data_kind="text"),
    ),
    "binary: in quotes": Good(
        properties=quoted(CE_contenttype="text/plain", CE_ext='"a \\"b\\" \\u00e9"', CE_plain='1"'),
        body=b"x",
        event=replace(
            with_extensions(ext='a "b" é', plain='1"'),
            datacontenttype="text/plain",
            data=b'"x"',
            data_kind="text",
        ),
    ),
    "binary: quotes that are no JSON string": Good(
        properties=quoted(CE_ext='"C:\\dir"', CE_one='"', CE_half='"\\ud800"'),
        event=with_extensions(ext='"C:\\dir"', one='"', half='"\\ud800"'),
    ),
    "binary: quotes that belong to the value": Good(
        properties=BINARY | {"CE_ext": '"x"', "CE_subject": '"'},
        event=replace(with_extensions(ext='"x"'), subject='"'),
    ),
    "binary: numbers and booleans are texts": Good(
        properties=BINARY | {"CE_a": "1e2", "CE_b": "18446744073709551617", "CE_c": "true"},
        event=with_extensions(a="1e2", b="18446744073709551617", c="true"),
    ),
    "binary: empty body": Good(
        properties=JSON_BINARY, body=b"", event=replace(PLAIN, datacontenttype="application/json")
    ),
    "binary: body of one zero": Good(
        properties=BINARY | {"CE_contenttype": "application/octet-stream"},
        event=replace(PLAIN, datacontenttype="application/octet-stream"),
    ),
    "binary: body of two zeros": Good(
        properties=BINARY | {"CE_contenttype": "application/octet-stream"},
        body=b"\x00\x00",
        event=replace(PLAIN, datacontenttype="application/octet-stream", data=b'"AAA="', data_kind="binary"),
    ),
    "binary: body not UTF-8": Good(
        properties=BINARY | {"CE_contenttype": "text/plain"},
        body=b"\xff",
        event=replace(PLAIN, datacontenttype="text/plain", data=b'"/w=="', data_kind="binary"),
    ),
    "binary: JSON that is none": Good(
        properties=JSON_BINARY,
        body=b"{broken",
        event=replace(PLAIN, datacontenttype="application/json", data=b'"{broken"', data_kind="text"),
    ),
    "binary: JSON without a type": Good(properties=BINARY, body=b'{"n": 1}', event=WITH_DATA),
    "binary: bytes without a type": Good(
        properties=BINARY, body=b"text", event=replace(PLAIN, data=b'"dGV4dA=="', data_kind="binary")
    ),
    "binary: an event as data": Good(
        properties=JSON_BINARY,
        body=event_json(id="inner"),
        event=replace(
            PLAIN, datacontenttype="application/json", data=event_json(id="inner"), data_kind="json"
        ),
    ),
    "binary: of many lines": Good(
        properties=BINARY | {"CE_contenttype": "application/x-ndjson"},
        body=b"{}\n{}\n",
        event=replace(PLAIN, datacontenttype="application/x-ndjson", data=b'"e30Ke30K"', data_kind="binary"),
    ),
    # Extension attributes without a prefix.
    "unprefixed": Good(
        properties=BINARY | {"traceparent": "00-ab", "a" * 20: "", "1": "x"},
        event=with_extensions(**{"traceparent": "00-ab", "a" * 20: "", "1": "x"}),
    ),
    "unprefixed: not accepted": Good(
        properties=BINARY | {"traceparent": "00-ab", "CE_kept": "x"},
        event=with_extensions(kept="x"),
        decoding=PREFIXED_ONLY,
    ),
    "unprefixed: a clash is the prefixed one's": Good(
        properties={"ext": "unprefixed", "id": "2", "time": "now", "data": "x"}
        | BINARY
        | {"CE_Ext": "prefixed"},
        event=with_extensions(ext="prefixed"),
    ),
    "unprefixed: no name of an extension": Good(
        properties=BINARY
        | {
            "a" * 21: "x",
            "userId": "x",
            "a-b": "x",
            "a_b": "x",
            "": "x",
            "名": "x",
            "TAGS": "a",
            "KEYS": "b",
            "UNIQ_KEY": "c",
            "__SHARDINGKEY": "d",
            "1ST_POP_TIME": "e",
            "USEREXT_KEY": '{"f":1}',
        },
        event=PLAIN,
    ),
    # rocketmq-eventbridge.
    "eventbridge": Good(
        properties=bridge(
            '{"region":"cn","num":-2147483648,"yes":true,"unset":null}',
            subject="s",
            time="2026-11-01T08:00:00+08:00",
            datacontenttype="application/json",
            dataschema="urn:x",
            aliyunoriginalaccountid="123",
            TAGS="x",
        ),
        body=EXACT,
        layout=Layout.EVENTBRIDGE,
        event=Event(
            id="1",
            source="/s",
            type="t",
            subject="s",
            time="2026-11-01T08:00:00+08:00",
            datacontenttype="application/json",
            dataschema="urn:x",
            extensions={"aliyunoriginalaccountid": "123", "num": -2147483648, "region": "cn", "yes": True},
            data=EXACT,
            data_kind="json",
        ),
    ),
    "eventbridge: no extensions": Good(
        properties=bridge("{}"), layout=Layout.EVENTBRIDGE, decoding=PREFIXED_ONLY
    ),
    "eventbridge: an extension of its own name stays where unprefixed ones are not accepted": Good(
        properties=BRIDGE | {"region": "cn"},
        layout=Layout.EVENTBRIDGE,
        event=with_extensions(region="cn"),
        decoding=PREFIXED_ONLY,
    ),
    "eventbridge: the same said twice": Good(
        properties=bridge('{"region":"cn","id":"1"}', region="cn"),
        layout=Layout.EVENTBRIDGE,
        event=with_extensions(region="cn"),
    ),
    "eventbridge: prefixed ones go before": Good(
        properties=BRIDGE | {"id": "2"} | BINARY, event=PLAIN, layout=Layout.BINARY
    ),
    "eventbridge: null is not sent": Good(
        properties=bridge('{"region":null}', region="cn"),
        layout=Layout.EVENTBRIDGE,
        event=with_extensions(region="cn"),
    ),
    "eventbridge: data is no extension": Good(properties=BRIDGE | {"data": "x"}, layout=Layout.EVENTBRIDGE),
    # Plain messages, wrapped.
    "wrapped: JSON": Good(
        body=EXACT, layout=Layout.PLAIN, event=wrapped(data=EXACT, data_kind="json"), decoding=WRAPPING
    ),
    "wrapped: text": Good(
        body="naïve\n".encode(),
        layout=Layout.PLAIN,
        event=wrapped(datacontenttype="text/plain", data='"naïve\\n"'.encode(), data_kind="text"),
        decoding=WRAPPING,
    ),
    "wrapped: JSON that readers disagree about": Good(
        body=b'{"a":1,"a":2}',
        layout=Layout.PLAIN,
        event=wrapped(datacontenttype="text/plain", data=b'"{\\"a\\":1,\\"a\\":2}"', data_kind="text"),
        decoding=WRAPPING,
    ),
    "wrapped: bytes": Good(
        body=b"\x08\x01x",
        layout=Layout.PLAIN,
        event=wrapped(data=b'"CAF4"', data_kind="binary"),
        decoding=WRAPPING,
    ),
    "wrapped: not UTF-8": Good(
        body=b"\xff",
        layout=Layout.PLAIN,
        event=wrapped(data=b'"/w=="', data_kind="binary"),
        decoding=WRAPPING,
    ),
    "wrapped: one zero is data": Good(
        body=b"\x00",
        layout=Layout.PLAIN,
        event=wrapped(data=b'"AA=="', data_kind="binary"),
        decoding=WRAPPING,
    ),
    "wrapped: nothing": Good(body=b"", layout=Layout.PLAIN, event=wrapped(), decoding=WRAPPING),
    "wrapped: of a type": Good(
        properties={"CE_contenttype": "application/xml"},
        body=b"<a/>",
        layout=Layout.PLAIN,
        event=wrapped(
            datacontenttype="application/xml",
            data=b'"<a/>"',
            data_kind="text",
            extensions={"keys": "k1 k2", "properties": '{"CE_contenttype":"application/xml"}'},
        ),
        decoding=WRAPPING,
    ),
    "wrapped: properties are kept": Good(
        properties={"userId": "名\t\x7f", "id": "7", "RECONSUME_TIME": "1", "__BORNHOST": "h", "POP_CK": "x"},
        body=b"1",
        layout=Layout.PLAIN,
        event=wrapped(
            data=b"1",
            data_kind="json",
            extensions={"keys": "k1 k2", "properties": '{"id":"7","userId":"名\\t\\u007f"}'},
        ),
        decoding=WRAPPING,
    ),
    "wrapped: an object that lacks an attribute": Good(
        body=b'{"specversion":"1.0","id":"1","source":"/s"}',
        layout=Layout.PLAIN,
        event=wrapped(data=b'{"specversion":"1.0","id":"1","source":"/s"}', data_kind="json"),
        decoding=WRAPPING,
    ),
}

BAD: dict[str, Bad] = {
    "plain": Bad(
        body=b"text",
        layout=Layout.PLAIN,
        detail="There is no event in the message.",
        value="topic orders, message 01A2",
    ),
    "an array of events without a mark": Bad(
        body=b"[" + event_json() + b"]", layout=Layout.PLAIN, detail="There is no event in the message."
    ),
    "nested 100,000 levels without a mark": Bad(
        body=b'{"a":' * 100_000, layout=Layout.PLAIN, detail="There is no event in the message."
    ),
    # Binary.
    "specversion 0.1, as in the draft's examples": Bad(
        properties=quoted(CE_specversion='"0.1"'), detail="`specversion` is not one", value="0.1"
    ),
    "no specversion": Bad(
        properties={"CE_id": "1", "CE_source": "/s", "CE_type": "t"}, detail="`specversion` is missing."
    ),
    "no specversion, though it could be wrapped": Bad(
        properties={"CE_id": "1"}, detail="`source` is missing.", decoding=WRAPPING
    ),
    "no id": Bad(properties={k: v for k, v in BINARY.items() if k != "CE_id"}, detail="`id` is missing."),
    "an unprefixed id is none": Bad(
        properties={k: v for k, v in BINARY.items() if k != "CE_id"} | {"id": "1"}, detail="`id` is missing."
    ),
    "one attribute in two cases": Bad(
        properties=BINARY | {"ce_ID": "2"}, detail="`id` is there twice, with different values.", value="2"
    ),
    "one extension under two prefixes": Bad(
        properties=BINARY | {"CE_a": "1", "cloudEvents:a": "2"}, detail="`a` is there twice"
    ),
    "two content types": Bad(
        properties=JSON_BINARY | {"CE_datacontenttype": "text/plain"},
        body=b"1",
        detail="`datacontenttype` is there twice",
    ),
    "data as a property": Bad(
        properties=BINARY | {"CE_data": "1"}, detail="The property CE_data is not allowed."
    ),
    "data_base64 as a property": Bad(
        properties=BINARY | {"CE_data_base64": "AA=="}, detail="The property CE_data_base64 is not allowed."
    ),
    "control character": Bad(
        properties=BINARY | {"CE_subject": "a\x01b"},
        detail="`subject` holds a control character.",
        value="U+0001 at character 1",
    ),
    "control character without a prefix": Bad(
        properties=BINARY | {"ext": "\x85"}, detail="`ext` holds a control character."
    ),
    "control character in quotes": Bad(
        properties=quoted(CE_subject='"a\\nb"'), detail="`subject` holds a control character."
    ),
    "name with a hyphen": Bad(
        properties=BINARY | {"CE_a-b": "x"}, detail="An attribute's name is not allowed."
    ),
    "no name": Bad(properties=BINARY | {"CE_": "x"}, detail="An attribute's name is not allowed."),
    "name that only looks like ASCII": Bad(
        properties=BINARY | {"CE_\u212a": "x"}, detail="An attribute's name is not allowed.", value="\u212a"
    ),
    "name of 65": Bad(properties=BINARY | {"CE_" + "x" * 65: "x"}, detail="An attribute's name is too long."),
    "name of 16,000": Bad(
        properties=BINARY | {"CE_" + "x" * 16_000: ""}, detail="An attribute's name is too"
    ),
    "content type": Bad(
        properties=BINARY | {"CE_contenttype": "json"}, detail="`datacontenttype` is not a media type."
    ),
    "duplicate key": Bad(
        properties=JSON_BINARY,
        body=b'{"a":1,"a":2}',
        detail="A JSON object has the same key twice.",
        value="a",
    ),
    "JSON not UTF-8": Bad(properties=JSON_BINARY, body=b'"\xff"', detail="Byte 1 is not UTF-8."),
    "NaN": Bad(properties=JSON_BINARY, body=b"[NaN]", detail="NaN is not JSON."),
    "nested 64 levels in data": Bad(
        properties=JSON_BINARY, body=b"[" * 64 + b"]" * 64, detail="The JSON is nested too deeply."
    ),
    "huge": Bad(
        properties=JSON_BINARY,
        body=b'"%b"' % (b"x" * (4 << 20)),
        status=413,
        detail="The event is too large.",
    ),
    "huge once it is base64": Bad(
        properties=BINARY, body=b"\xff" * (200 << 10), status=413, detail="The event is too large."
    ),
    "huge, wrapped": Bad(
        body=b"x" * (1 << 20),
        status=413,
        layout=Layout.PLAIN,
        detail="The event is too large.",
        decoding=WRAPPING,
    ),
    "beyond every body": Bad(
        properties=BATCHED,
        body=b" " * ((16 << 20) + 1),
        status=413,
        layout=Layout.BATCHED,
        detail="The body is too large.",
    ),
    # Structured.
    "avro": Bad(
        properties={"CE_contenttype": "application/cloudevents+avro"},
        body=b"Obj\x01",
        status=415,
        layout=Layout.STRUCTURED,
        detail="Events are not taken in this format.",
        value="application/cloudevents+avro",
    ),
    "batch in Latin-1": Bad(
        properties={"CE_contenttype": "application/cloudevents-batch; charset=ISO-8859-1"},
        body=b"[]",
        status=415,
        layout=Layout.BATCHED,
        detail="Events are not taken in this format.",
    ),
    "structured: no id": Bad(
        properties=STRUCTURED | BINARY,
        body=event_json(id=None),
        layout=Layout.STRUCTURED,
        detail="`id` is missing.",
    ),
    "structured: an array": Bad(
        properties=STRUCTURED,
        body=b"[" + event_json() + b"]",
        layout=Layout.STRUCTURED,
        detail="The event is not a JSON object.",
    ),
    "structured: huge": Bad(
        properties=STRUCTURED,
        body=event_json(data="x" * (4 << 20)),
        status=413,
        layout=Layout.STRUCTURED,
        detail="The event is too large.",
    ),
    "structured: one zero": Bad(properties=STRUCTURED, layout=Layout.STRUCTURED, detail="Not JSON: "),
    "unmarked: duplicate attribute": Bad(
        body=event_json()[:-1] + b',"id":"2"}',
        layout=Layout.UNMARKED,
        detail="A JSON object has the same key twice.",
        decoding=WRAPPING,
    ),
    "unmarked: id null": Bad(
        body=b'{"specversion":"1.0","id":null,"source":"/s","type":"t"}',
        layout=Layout.UNMARKED,
        detail="`id` is missing.",
    ),
    "unmarked: NaN": Bad(
        body=event_json()[:-1] + b',"a":NaN}', layout=Layout.UNMARKED, detail="NaN is not JSON."
    ),
    "batch of no array": Bad(
        properties=BATCHED, body=event_json(), layout=Layout.BATCHED, detail="The body is not a JSON array."
    ),
    # rocketmq-eventbridge.
    "USEREXT_KEY is not JSON": Bad(
        properties=bridge("{region:cn}"),
        layout=Layout.EVENTBRIDGE,
        detail="The property USEREXT_KEY: Not JSON: expecting property name",
    ),
    "USEREXT_KEY is no object": Bad(
        properties=bridge("[1]"),
        layout=Layout.EVENTBRIDGE,
        detail="The property USEREXT_KEY is not a JSON object.",
        value="[1]",
    ),
    "USEREXT_KEY has a key twice": Bad(
        properties=bridge('{"a":"1","a":"2"}'),
        layout=Layout.EVENTBRIDGE,
        detail="The property USEREXT_KEY: A JSON object has the same key twice.",
    ),
    "USEREXT_KEY says something else": Bad(
        properties=bridge('{"region":"us","id":"2"}', region="cn"),
        layout=Layout.EVENTBRIDGE,
        detail="`region` is there twice, with different values. `id` is there twice",
    ),
    "USEREXT_KEY has data": Bad(
        properties=bridge('{"data":"x"}'),
        layout=Layout.EVENTBRIDGE,
        detail="The property USEREXT_KEY has the member data.",
    ),
    "USEREXT_KEY has an object": Bad(
        properties=bridge('{"a":{}}'),
        layout=Layout.EVENTBRIDGE,
        detail="The extension attribute `a` has a value of no allowed type.",
    ),
    "USEREXT_KEY has a large number": Bad(
        properties=bridge('{"a":18446744073709551617}'),
        layout=Layout.EVENTBRIDGE,
        detail="The extension attribute `a` has a value of no allowed type.",
        value="18446744073709551617",
    ),
    "USEREXT_KEY has a name in capitals": Bad(
        properties=bridge('{"Region":"cn"}'),
        layout=Layout.EVENTBRIDGE,
        detail="An attribute's name is not allowed.",
    ),
    "eventbridge: id empty": Bad(
        properties=BRIDGE | {"id": ""}, layout=Layout.EVENTBRIDGE, detail="`id` is empty."
    ),
}


def message(properties: Mapping[str, str], body: bytes) -> Message:
    return msgspec.structs.replace(SENT, properties=properties, body=body)


def events(decoded: Decoded) -> list[Event]:
    lines = decoded.checked.payload.split(b"\n")[:-1]
    assert len(lines) == decoded.checked.count
    return [decode_line(line) for line in lines]


def taken_apart(reject: Reject) -> tuple[dict[str, Any], bytes]:
    """The head and the body that a reject keeps."""
    head, body = reject.data.split(b"\n\n", 1)
    return json.loads(head), body


@pytest.mark.parametrize("name", GOOD)
def test_taken(name: str) -> None:
    row = GOOD[name]
    decoded = decode(message(row.properties, row.body), LIMITS, row.decoding)
    assert decoded.checked.rejects == ()
    assert decoded.layout is row.layout
    assert events(decoded) == [row.event]
    assert decoded.origin == Origin.of(SENT)


@pytest.mark.parametrize("name", BAD)
def test_refused(name: str) -> None:
    row = BAD[name]
    decoded = decode(message(row.properties, row.body), LIMITS, row.decoding)
    assert (decoded.checked.payload, decoded.checked.count) == (b"", 0)
    assert decoded.layout is row.layout
    (reject,) = decoded.checked.rejects
    assert reject.index == 0
    assert reject.problem["status"] == row.status
    detail = reject.problem["detail"]
    assert isinstance(detail, str)
    assert detail.startswith(row.detail), detail
    assert reject.error.startswith(row.detail)
    assert reject.problem["rule"]
    assert reject.problem["remedy"]
    if row.value is not None:
        assert reject.problem["value"] == row.value
    head, body = taken_apart(reject)
    assert head["properties"] == row.properties
    assert head["message_id"] == "01A2"
    assert len(reject.data) <= LIMITS.max_event_bytes
    assert row.body.startswith(body)
    assert body == row.body or len(reject.data) == LIMITS.max_event_bytes


def test_binary_is_to_the_byte_what_http_makes_of_it() -> None:
    for body in (EXACT, b"", b"{broken", b'{"a":\t1}'):
        extensions = {"subject": "名", "b": "2", "a": "1", "time": "2026-11-01T08:00:00Z"}
        prefixed = JSON_BINARY | {f"CE_{name}": value for name, value in extensions.items()}
        headers = [
            (b"content-type" if name == "CE_contenttype" else f"ce-{name[3:]}".encode(), value.encode())
            for name, value in prefixed.items()
        ]
        ours = decode(message(prefixed, body), LIMITS, STRICT).checked
        assert ours == read(Mode.BINARY, headers, body, LIMITS)
        assert ours.count == 1


def test_batch_keeps_the_good_ones() -> None:
    good = [event_json(id=f"{n}", data={"n": n}) for n in range(3)]
    body = b"[" + b" , ".join([good[0], b'{"id":"bad"}', good[1], b"7", good[2]]) + b"]\n"
    sent = message({"CE_contenttype": "Application/CloudEvents-BATCH; charset=utf-8", "other": "x"}, body)
    decoded = decode(sent, LIMITS, STRICT)
    assert decoded.layout is Layout.BATCHED
    assert [event.id for event in events(decoded)] == ["0", "1", "2"]
    assert [reject.index for reject in decoded.checked.rejects] == [1, 3]
    assert "`source` is missing." in decoded.checked.rejects[0].error
    head, element = taken_apart(decoded.checked.rejects[0])
    assert element == b'{"id":"bad"}'
    assert head == json.loads(msgspec.json.encode(Origin.of(SENT)))
    assert head["queue_offset"] == 18446744073709551617
    http = read(Mode.BATCHED, [], body, LIMITS)
    assert decoded.checked.payload == http.payload
    assert [reject.error for reject in decoded.checked.rejects] == [reject.error for reject in http.rejects]


def test_empty_batch_is_nothing_at_all() -> None:
    decoded = decode(message(BATCHED, b"[]"), LIMITS, STRICT)
    assert (decoded.checked.payload, decoded.checked.count, decoded.checked.rejects) == (b"", 0, ())


def test_a_batch_of_many_bad_ones_stays_small() -> None:
    sent = message(BATCHED | {"large": "x" * 16_000}, b"[" + b"1," * 9_999 + b"1]")
    rejects = decode(sent, LIMITS, STRICT).checked.rejects
    assert len(rejects) == 10_000
    assert sum(len(reject.data) for reject in rejects) < 5_000_000


@pytest.mark.parametrize("name", GOOD)
def test_delivered_again_is_the_same_content(name: str) -> None:
    row = GOOD[name]
    sent = message(row.properties, row.body)
    again = msgspec.structs.replace(
        sent,
        queue_id=0,
        queue_offset=7,
        broker="broker-b",
        stored_at=1,
        delivery_attempt=9,
        properties={**row.properties, "RECONSUME_TIME": "3", "POP_CK": "7", "1ST_POP_TIME": "1"},
    )
    first, second = (decode(one, LIMITS, row.decoding) for one in (sent, again))
    assert first.checked == second.checked
    assert (first.origin.delivery_attempt, second.origin.delivery_attempt) == (2, 9)
    assert (first.origin.queue_offset, second.origin.queue_offset) == (18446744073709551617, 7)


def test_reject_shows_all_that_was_sent() -> None:
    odd = {"a\r\n\r\n": "\x00\n\n", "名": '"', "": ""}
    body = b"\x00\r\n\r\n\n\n\xff"
    sent = msgspec.structs.replace(
        message(odd, body), topic="t\n\nopic", keys=("a b", "名"), tag=None, broker=None
    )
    (reject,) = decode(sent, LIMITS, STRICT).checked.rejects
    head, kept = taken_apart(reject)
    assert kept == body
    assert head.pop("properties") == odd
    assert Message(body=kept, properties=odd, **{**head, "keys": tuple(head["keys"])}) == sent
    assert b'"\xe5\x90\x8d": ' in reject.data


def test_wrapping_without_what_the_broker_adds() -> None:
    bare = Message(topic="eventbridge%12%orders", body=b"1")
    (reject,) = decode(bare, LIMITS, WRAPPING).checked.rejects
    assert reject.problem["detail"] == "`id` is missing."
    (event,) = events(
        decode(msgspec.structs.replace(bare, message_id="7", born_at=1 << 62), LIMITS, WRAPPING)
    )
    assert event == Event(
        id="7",
        source="rocketmq://main/eventbridge%2512%25orders",
        type="com.example.message",
        data=b"1",
        data_kind="json",
    )


def test_no_property_of_the_broker_passes_for_an_extension() -> None:
    names = properties_module._OF_THE_BROKER
    assert {"KEYS", "TAGS", "UNIQ_KEY", "WAIT"} <= names
    decoded = decode(message(BINARY | dict.fromkeys(names, "x"), b"\x00"), LIMITS, STRICT)
    assert events(decoded) == [PLAIN]
