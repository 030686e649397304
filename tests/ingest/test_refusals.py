"""Every bad input has a row here with its exact answer."""

import base64
import gzip
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.ingest import Ingest, event_json

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"
BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}
BASE = '"specversion":"1.0","id":"1","source":"/s","type":"t"'


@dataclass(frozen=True, kw_only=True)
class Bad:
    """A body that is refused, the status, and how the detail begins."""

    body: bytes
    detail: str
    status: int = 400
    content_type: str | None = STRUCTURED
    headers: dict[str, str] = field(default_factory=dict)
    value: str | None = None
    kept: bool = True
    """Whether it is kept as a reject."""


def nested(levels: int) -> bytes:
    """An event nested that deep: itself is the first level."""
    return b'{%b,"data":%b1%b}' % (BASE.encode(), b"[" * (levels - 1), b"]" * (levels - 1))


def members(text: str) -> bytes:
    return f"{{{BASE},{text}}}".encode()


def without(name: str) -> bytes:
    return event_json(**{name: None})


def in_headers(**changes: str | None) -> dict[str, str]:
    headers = dict(BINARY) | {f"ce-{name}": value for name, value in changes.items() if value is not None}
    return {name: value for name, value in headers.items() if changes.get(name[3:], "") is not None}


ROWS: dict[str, Bad] = {
    # What receivers are known to let through (specs of the field, section 7.2).
    "no id": Bad(body=without("id"), detail="`id` is missing."),
    "no source": Bad(body=without("source"), detail="`source` is missing."),
    "no type": Bad(body=without("type"), detail="`type` is missing."),
    "no specversion": Bad(body=without("specversion"), detail="`specversion` is missing."),
    "id null": Bad(
        body=b'{"specversion":"1.0","id":null,"source":"/s","type":"t"}', detail="`id` is missing."
    ),
    "binary: no id": Bad(
        body=b"x", content_type="text/plain", headers=in_headers(id=None), detail="`id` is missing."
    ),
    "binary: no specversion": Bad(
        body=b"x",
        content_type="text/plain",
        headers=in_headers(specversion=None),
        detail="`specversion` is missing.",
    ),
    "byte order mark": Bad(
        body=b"\xef\xbb\xbf" + event_json(),
        detail="The JSON begins with a byte order mark.",
        value="EF BB BF",
    ),
    "not an object: array": Bad(body=b"[1]", detail="The event is not a JSON object.", value="[1]"),
    "not an object: string": Bad(body=b'"x"', detail="The event is not a JSON object."),
    "not an object: number": Bad(body=b"1", detail="The event is not a JSON object."),
    "not an object: null": Bad(body=b"null", detail="The event is not a JSON object."),
    "avro": Bad(
        body=b"Obj\x01",
        content_type="application/cloudevents+avro",
        status=415,
        detail="Events are not taken in this format.",
        value="application/cloudevents+avro",
        kept=False,
    ),
    "batch in protobuf": Bad(
        body=b"x",
        content_type="application/cloudevents-batch+protobuf",
        status=415,
        detail="Events are not taken in this format.",
        kept=False,
    ),
    "no format": Bad(
        body=event_json(),
        content_type="application/cloudevents",
        status=415,
        detail="Events are not taken in this format.",
        kept=False,
    ),
    "JSON in Latin-1": Bad(
        body=event_json(),
        content_type="application/cloudevents+json; charset=ISO-8859-1",
        status=415,
        detail="Events are not taken in this format.",
        kept=False,
    ),
    # Grammar and what JSON readers disagree about.
    "empty body": Bad(body=b"", detail="Not JSON: expecting value, line 1 column 1."),
    "cut off": Bad(body=event_json()[:-3], detail="Not JSON: "),
    "two values": Bad(body=event_json() + event_json(), detail="Not JSON: extra data"),
    "trailing comma": Bad(body=members('"data":{},'), detail="Not JSON: "),
    "comment": Bad(body=members('"data":{/*x*/}'), detail="Not JSON: "),
    "single quotes": Bad(body=b"{'id':1}", detail="Not JSON: "),
    "raw newline in a string": Bad(
        body=members('"data":"a\nb"'), detail="Not JSON: invalid control character"
    ),
    "leading zero": Bad(body=members('"data":01'), detail="Not JSON: "),
    "not UTF-8": Bad(body=members('"data":"') + b'\xff"}', detail="Byte ", value="ff 22 7d"),
    "UTF-8 of a surrogate": Bad(body=b'{"data":"\xed\xa0\x80"}', detail="Byte 9 is not UTF-8."),
    "UTF-16": Bad(body=event_json().decode().encode("utf-16"), detail="Byte 0 is not UTF-8."),
    "lone surrogate in data": Bad(
        body=members('"data":["\\ud800"]'), detail="A string holds a lone surrogate", value="\\ud800"
    ),
    "lone surrogate as key": Bad(
        body=members('"data":{"\\uDFFF":1}'), detail="A string holds a lone surrogate"
    ),
    "lone surrogate in an attribute": Bad(
        body=members('"ext":"\\ud800x"'), detail="A string holds a lone surrogate"
    ),
    "NaN": Bad(body=members('"data":{"a":NaN}'), detail="NaN is not JSON.", value="NaN"),
    "Infinity": Bad(body=members('"data":[Infinity]'), detail="Infinity is not JSON."),
    "-Infinity": Bad(body=members('"data":-Infinity'), detail="-Infinity is not JSON."),
    "duplicate attribute": Bad(
        body=members('"id":"2"'), detail="A JSON object has the same key twice.", value="id"
    ),
    "duplicate key in data": Bad(
        body=members('"data":{"a":1,"a":1}'), detail="A JSON object has the same key twice."
    ),
    "duplicate key deep": Bad(
        body=members('"data":[{"a":{"b":1,"c":2,"b":3}}]'),
        detail="A JSON object has the same key twice.",
        value="b",
    ),
    "duplicate key by escape": Bad(
        body=members('"data":{"a":1,"\\u0061":2}'), detail="A JSON object has the same key twice.", value="a"
    ),
    "data twice": Bad(body=members('"data":1,"data":2'), detail="A JSON object has the same key twice."),
    "nested 65 levels": Bad(body=nested(65), detail="The JSON is nested too deeply.", value="65 levels"),
    "nested 100,000 levels": Bad(body=nested(100_000), detail="The JSON is nested too deeply."),
    "event of more than 256 KiB": Bad(
        body=event_json(data="x" * (256 << 10)), status=413, detail="The event is too large."
    ),
    "binary: more than 256 KiB": Bad(
        body=b"x" * ((256 << 10) + 1),
        content_type="text/plain",
        headers=BINARY,
        status=413,
        detail="The event is too large.",
    ),
    "binary: more than 256 KiB once it is base64": Bad(
        body=b"\x00" * (200 << 10),
        content_type="application/octet-stream",
        headers=BINARY,
        status=413,
        detail="The event is too large.",
    ),
    # Attributes.
    "id a number": Bad(body=event_json(id=1), detail="`id` is not a string.", value="1"),
    "id empty": Bad(body=event_json(id=""), detail="`id` is empty."),
    "id of 129 characters": Bad(body=event_json(id="x" * 129), detail="`id` is too long."),
    "source empty": Bad(body=event_json(source=""), detail="`source` is empty."),
    "source of 129 characters": Bad(body=event_json(source="x" * 129), detail="`source` is too long."),
    "type an object": Bad(body=event_json(type={}), detail="`type` is not a string.", value="an object"),
    "type of 65 characters": Bad(body=event_json(type="名" * 65), detail="`type` is too long."),
    "subject empty": Bad(body=event_json(subject=""), detail="`subject` is empty."),
    "subject of 513 characters": Bad(body=event_json(subject="x" * 513), detail="`subject` is too long."),
    "specversion 0.3": Bad(body=event_json(specversion="0.3"), detail="`specversion` is not", value="0.3"),
    "specversion a number": Bad(body=event_json(specversion=1.0), detail="`specversion` is not", value="1.0"),
    "specversion 1.0.2": Bad(body=event_json(specversion="1.0.2"), detail="`specversion` is not"),
    "control character": Bad(
        body=event_json(subject="a\tb"),
        detail="`subject` holds a control character.",
        value="U+0009 at character 1",
    ),
    "null character": Bad(body=event_json(id="\0"), detail="`id` holds a control character."),
    "C1 control character": Bad(
        body=event_json(source="a\x85"), detail="`source` holds a control character."
    ),
    "control character in an extension": Bad(
        body=event_json(ext="\x7f"), detail="`ext` holds a control character."
    ),
    "extension in upper case": Bad(
        body=event_json(traceParent="x"), detail="An attribute's name is not allowed."
    ),
    "extension with a hyphen": Bad(
        body=event_json(**{"a-b": "x"}), detail="An attribute's name is not allowed."
    ),
    "extension without a name": Bad(
        body=event_json(**{"": "x"}), detail="An attribute's name is not allowed."
    ),
    "extension not ASCII": Bad(
        body=event_json(名="x"), detail="An attribute's name is not allowed.", value="名"
    ),
    "extension name of 65": Bad(
        body=event_json(**{"x" * 65: "x"}), detail="An attribute's name is too long."
    ),
    "extension an object": Bad(
        body=event_json(ext={"a": 1}), detail="The extension attribute `ext` has a value"
    ),
    "extension an array": Bad(body=event_json(ext=[]), detail="The extension attribute `ext` has a value"),
    "extension a fraction": Bad(
        body=members('"ext":1.0'), detail="The extension attribute `ext`", value="1.0"
    ),
    "extension over 32 bits": Bad(
        body=members('"ext":2147483648'), detail="The extension attribute `ext` has a"
    ),
    "several things": Bad(
        body=b'{"id":"","specversion":"1.0","Bad":1,"type":"t"}',
        detail="`source` is missing. `id` is empty. An attribute's name is not allowed.",
    ),
    # Time, types, schemas.
    "time without an offset": Bad(
        body=event_json(time="2026-11-01T08:00:00"), detail="`time` is not a moment"
    ),
    "time of no such day": Bad(body=event_json(time="2026-02-29T08:00:00Z"), detail="`time` is not a moment"),
    "time of no such month": Bad(
        body=event_json(time="2026-13-01T08:00:00Z"), detail="`time` is not a moment"
    ),
    "time 24:00": Bad(body=event_json(time="2026-11-01T24:00:00Z"), detail="`time` is not a moment"),
    "time with a space": Bad(body=event_json(time="2026-11-01 08:00:00Z"), detail="`time` is not a moment"),
    "offset without a colon": Bad(
        body=event_json(time="2026-11-01T08:00:00+0800"), detail="`time` is not a moment"
    ),
    "offset of 24 hours": Bad(
        body=event_json(time="2026-11-01T08:00:00+24:00"), detail="`time` is not a moment"
    ),
    "leap second at noon": Bad(body=event_json(time="2026-11-01T12:00:60Z"), detail="`time` is not a moment"),
    "61st second": Bad(body=event_json(time="2026-12-31T23:59:61Z"), detail="`time` is not a moment"),
    "year 0": Bad(body=event_json(time="0000-11-01T12:00:00Z"), detail="`time` is not a moment"),
    "before year 1 in UTC": Bad(
        body=event_json(time="0001-01-01T00:00:00+01:00"), detail="`time` is not a moment"
    ),
    "after year 9999 in UTC": Bad(
        body=event_json(time="9999-12-31T23:59:59-01:00"), detail="`time` is not a moment"
    ),
    "time in other digits": Bad(
        body=event_json(time="２０26-11-01T08:00:00Z"), detail="`time` is not a moment"
    ),
    "time a number": Bad(body=event_json(time=1), detail="`time` is not a string."),
    "datacontenttype": Bad(
        body=event_json(datacontenttype="json"), detail="`datacontenttype` is not a media type."
    ),
    "dataschema relative": Bad(body=event_json(dataschema="a/b"), detail="`dataschema` is not a URI."),
    "dataschema with a space": Bad(
        body=event_json(dataschema="http://a b"), detail="`dataschema` is not a URI."
    ),
    # Data.
    "data and data_base64": Bad(
        body=members('"data":1,"data_base64":"AAE="'), detail="The event has both `data` and `data_base64`."
    ),
    "data_base64 a number": Bad(body=members('"data_base64":1'), detail="`data_base64` is not base64."),
    "data_base64 without padding": Bad(
        body=members('"data_base64":"AAE"'), detail="`data_base64` is not base64."
    ),
    "data_base64 URL-safe": Bad(body=members('"data_base64":"__8="'), detail="`data_base64` is not base64."),
    "binary: duplicate key": Bad(
        body=b'{"a":1,"a":2}',
        content_type="application/json",
        headers=BINARY,
        detail="A JSON object has the same key twice.",
    ),
    "binary: nested 64 levels in data": Bad(
        body=b"[" * 64 + b"]" * 64,
        content_type="application/json",
        headers=BINARY,
        detail="The JSON is nested too deeply.",
    ),
    "binary: JSON not UTF-8": Bad(
        body=b'"\xff"', content_type="application/json", headers=BINARY, detail="Byte 1 is not UTF-8."
    ),
    # Binary mode's headers.
    "binary: no ce- header": Bad(
        body=event_json(), content_type="application/json", detail="There is no event: no ce- header"
    ),
    "nothing at all": Bad(body=b"", content_type=None, detail="There is no event: no ce- header"),
    "binary: bad percent": Bad(
        body=b"",
        content_type=None,
        headers=in_headers(subject="50%"),
        detail="The header ce-subject: a percent sign",
    ),
    "binary: bad UTF-8": Bad(
        body=b"",
        content_type=None,
        headers=in_headers(subject="%FF"),
        detail="The header ce-subject: the value is not",
    ),
    "binary: control character": Bad(
        body=b"",
        content_type=None,
        headers=in_headers(subject="a%0Ab"),
        detail="`subject` holds a control character.",
    ),
    "binary: name with a hyphen": Bad(
        body=b"",
        content_type=None,
        headers=in_headers(**{"a-b": "x"}),
        detail="An attribute's name is not allowed.",
    ),
    "binary: datacontenttype": Bad(
        body=b"x",
        content_type="text/plain",
        headers=in_headers(datacontenttype="text/html"),
        detail="The header ce-datacontenttype is not allowed.",
    ),
    "binary: content type": Bad(
        body=b"x", content_type="plain", headers=BINARY, detail="`datacontenttype` is not a media type."
    ),
    # Bodies of many.
    "batch of no array": Bad(body=event_json(), content_type=BATCHED, detail="The body is not a JSON array."),
    "batch cut off": Bad(
        body=b"[" + event_json() + b",", content_type=BATCHED, detail="Not JSON: expecting value"
    ),
    "batch with something behind": Bad(body=b"[]x", content_type=BATCHED, detail="Not JSON: extra data"),
    "batch without a comma": Bad(
        body=b"[1 2]", content_type=BATCHED, detail="Not JSON: expecting ',' delimiter"
    ),
    "batch nested 100,000 levels": Bad(
        body=b"[" * 100_000 + b"]" * 100_000, content_type=BATCHED, detail="The JSON is nested too deeply."
    ),
    "batch of one bad": Bad(
        body=b"[{}]", content_type=BATCHED, detail="`id` is missing. `source` is missing."
    ),
    "batch of two bad": Bad(
        body=b"[{},1]", content_type=BATCHED, detail="None of 2 events was accepted. The first: "
    ),
    "lines of one bad": Bad(body=b"{}\n", content_type=LINES, detail="`id` is missing."),
    "an event over two lines": Bad(
        body=b'{"id":\n"1"}', content_type=LINES, detail="None of 2 events was accepted."
    ),
    "two events on a line": Bad(
        body=event_json() + event_json(), content_type=LINES, detail="Not JSON: extra data"
    ),
    "more than 100,000 lines": Bad(
        body=b"{}\n" * 100_001, content_type=LINES, status=413, detail="The body holds too many events."
    ),
    "more than 100,000 in a batch": Bad(
        body=b"[" + b"1," * 100_001 + b"1]",
        content_type=BATCHED,
        status=413,
        detail="The body holds too many",
    ),
    "body of more than 16 MiB": Bad(
        body=b" " * ((16 << 20) + 1),
        content_type=LINES,
        status=413,
        detail="The body is too large.",
        kept=False,
    ),
    # Encodings.
    "brotli": Bad(
        body=b"x",
        headers={"Content-Encoding": "br"},
        status=415,
        detail="The body has an encoding that is not taken.",
        value="br",
        kept=False,
    ),
    "gzip that is none": Bad(
        body=event_json(), headers={"Content-Encoding": "gzip"}, detail="The body is not gzip", kept=False
    ),
    "gzip cut off": Bad(
        body=gzip.compress(event_json())[:-9],
        headers={"Content-Encoding": "gzip"},
        detail="The body is not gzip: it ends in the middle.",
        kept=False,
    ),
    "gzip bomb": Bad(
        body=gzip.compress(bytes(64 << 20)),
        headers={"Content-Encoding": "gzip"},
        status=413,
        detail="The body is too large.",
        kept=False,
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_refused(ingest: Ingest, name: str) -> None:
    row = ROWS[name]
    before = len(ingest.rejects())
    events = len(ingest.events())
    answer = ingest.post(row.body, row.content_type, headers=row.headers)
    problem: dict[str, Any] = answer.json()
    assert answer.status_code == row.status, problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == row.status
    assert problem["detail"].startswith(row.detail), problem["detail"]
    assert problem["rule"]
    assert problem["remedy"]
    if row.value is not None:
        assert problem["value"] == row.value
    kept = ingest.rejects()[before:]
    assert bool(kept) == row.kept
    if row.kept:
        assert problem["accepted"] == 0
        assert [told["index"] for told in problem["rejected"]] == [reject["index"] for reject in kept][:1000]
    assert len(ingest.events()) == events


def test_many_rejects_are_counted_beyond_the_bound(ingest: Ingest) -> None:
    answer = ingest.post(b"[" + b"1," * 1500 + event_json(id="among") + b"]", BATCHED)
    assert answer.json()["accepted"] == 1
    assert len(answer.json()["rejected"]) == 1000
    assert answer.json()["rejected_more"] == 500


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-01T08:00:00Z",
        "2026-11-01t08:00:00z",
        "2026-11-01T08:00:00.123456789012+08:00",
        "2016-12-31T23:59:60Z",
        "2017-01-01T05:29:60.5+05:30",
        "2024-02-29T00:00:00-23:59",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ],
)
def test_times_that_are_taken_are_kept_as_sent(ingest: Ingest, time: str) -> None:
    assert ingest.post(event_json(id=f"time {time}", time=time)).status_code == 200
    assert [event.time for event in ingest.events() if event.id == f"time {time}"] == [time]


def test_the_largest_and_the_deepest_are_taken(ingest: Ingest) -> None:
    body = event_json(id="large", data="")
    body = event_json(id="large", data="x" * ((256 << 10) - len(body)))
    assert len(body) == 256 << 10
    assert ingest.post(body).status_code == 200
    assert ingest.post(nested(64)).status_code == 200
    assert ingest.post(b"[" * 63 + b"]" * 63, "application/json", headers=BINARY).status_code == 200


def test_lengths_at_their_limits_are_taken(ingest: Ingest) -> None:
    longest = {"id": "i" * 128, "source": "名" * 128, "type": "t" * 64, "subject": "s" * 512, "x" * 64: ""}
    assert ingest.post(event_json(**longest, ext=-2147483648)).status_code == 200


def test_reject_of_binary_mode_shows_its_headers(ingest: Ingest) -> None:
    before = len(ingest.rejects())
    ingest.post(b"body", "text/plain", headers={"ce-id": "only"})
    (reject,) = ingest.rejects()[before:]
    shown = base64.b64decode(reject["bytes"])
    assert b"ce-id: only\r\n" in shown
    assert shown.endswith(b"\r\n\r\nbody")
