"""Every mode ends in the journal with its events exactly as sent."""

import gzip
import json
import zlib

import pytest

from eventcenter.event import Event
from eventcenter.journal import BlockKind
from tests.support.ingest import Ingest, event_json


def found(ingest: Ingest, event_id: str) -> Event:
    """The one event of that id in the journal."""
    (event,) = [event for event in ingest.events() if event.id == event_id]
    return event


def test_structured(ingest: Ingest) -> None:
    body = (
        '{"specversion":"1.0","id":"structured","source":"/s","type":"t","subject":"名","time":"2026-11-01T08:00:00Z",'
        '"datacontenttype":"application/json","dataschema":"https://example.com/a","ext":"a","num":7,"yes":true,'
        '"data":{"a":1.0,"b":1e2, "c":18446744073709551617,"d":0.10000000000000000001,"e":"\\u00e9\\/"}}'
    ).encode()
    answer = ingest.post(body)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "rejected": []})
    event = found(ingest, "structured")
    assert event.data == (
        b'{"a":1.0,"b":1e2, "c":18446744073709551617,"d":0.10000000000000000001,"e":"\\u00e9\\/"}'
    )
    assert (event.data_kind, event.subject, event.extensions) == (
        "json",
        "名",
        {"ext": "a", "num": 7, "yes": True},
    )


def test_batched_keeps_order_and_indexes(ingest: Ingest) -> None:
    good = [event_json(id=f"batched-{n}") for n in range(3)]
    body = b"[" + b" , ".join([good[0], b'{"id":"batched-bad"}', good[1], b"7", good[2]]) + b"]\n"
    answer = ingest.post(body, "Application/CloudEvents-Batch+JSON; charset=utf-8")
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 3
    assert [reject["index"] for reject in answer.json()["rejected"]] == [1, 3]
    assert [e.id for e in ingest.events() if e.id.startswith("batched-")] == [
        "batched-0",
        "batched-1",
        "batched-2",
    ]


@pytest.mark.parametrize("content_type", ["application/cloudevents-batch+json", "application/x-ndjson"])
def test_empty_body_of_many_is_accepted(ingest: Ingest, content_type: str) -> None:
    body = b"[ ]" if "batch" in content_type else b"\n"
    answer = ingest.post(body, content_type)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 0, "rejected": []})


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\n\n"])
def test_lines(ingest: Ingest, ending: bytes) -> None:
    ids = [f"lines-{ending.hex()}-{n}" for n in range(4)]
    answer = ingest.post(ending.join(event_json(id=i) for i in ids), "application/x-ndjson")
    assert answer.json() == {"accepted": 4, "rejected": []}
    assert [event.id for event in ingest.events() if event.id in ids] == ids


def test_binary(ingest: Ingest) -> None:
    headers = {
        "ce-specversion": "1.0",
        "CE-Id": "binary",
        "ce-source": "/s%20%E5%90%8D",
        "ce-type": "t",
        "ce-quoted": '"a \\"b\\" %25"',
        "ce-time": "2026-11-01t08:00:00.123456789z",
    }
    assert ingest.post(b' {"a" : 1.0}\n', "application/json", headers=headers).status_code == 200
    event = found(ingest, "binary")
    assert event.source == "/s 名"
    assert event.extensions == {"quoted": 'a "b" %'}
    assert (event.time, event.datacontenttype) == ("2026-11-01t08:00:00.123456789z", "application/json")
    assert (event.data, event.data_kind) == (b'{"a" : 1.0}', "json")


@pytest.mark.parametrize(
    ("content_type", "body", "kind", "data"),
    [
        ("application/json", b"[1.0]", "json", b"[1.0]"),
        ("text/json; charset=utf-8", b'"x"', "json", b'"x"'),
        ("application/vnd.x+JSON", b"null", "json", b"null"),
        ("application/json", b"{broken\xe5\x90\x8d", "text", '"{broken名"'.encode()),
        ("text/plain", "na\tïve".encode(), "text", '"na\\tïve"'.encode()),
        ("text/plain", b"\xff", "binary", b'"/w=="'),
        ("text/plain; charset=iso-8859-1", b"abc", "binary", b'"YWJj"'),
        ("application/xml", b"<a/>", "text", b'"<a/>"'),
        ("application/octet-stream", b"\x00\x01", "binary", b'"AAE="'),
        (None, b'{"a":1}', "json", b'{"a":1}'),
        (None, b'{"a":1,"a":1}', "binary", b'"eyJhIjoxLCJhIjoxfQ=="'),
        (None, b"text", "binary", b'"dGV4dA=="'),
        ("text/plain", b"", None, None),
        ("application/json", b"", None, None),
    ],
)
def test_binary_data(
    ingest: Ingest, content_type: str | None, body: bytes, kind: str | None, data: bytes | None
) -> None:
    event_id = f"binary-data-{content_type}-{body.hex()}"
    headers = {"ce-specversion": "1.0", "ce-id": event_id, "ce-source": "/s", "ce-type": "t"}
    answer = ingest.post(body, content_type, headers=headers)
    assert answer.status_code == 200, answer.text
    event = found(ingest, event_id)
    assert (event.data_kind, event.data, event.datacontenttype) == (kind, data, content_type)


@pytest.mark.parametrize(
    ("members", "kind", "data"),
    [
        ('"data":"x"', "json", b'"x"'),
        ('"datacontenttype":"text/plain","data":"x\\u00e9"', "text", b'"x\\u00e9"'),
        ('"datacontenttype":"application/xml","data":{"a":1}', "json", b'{"a":1}'),
        ('"datacontenttype":"application/x+json","data":"x"', "json", b'"x"'),
        ('"data":null', "json", b"null"),
        ('"data_base64":"AAE="', "binary", b'"AAE="'),
        ('"data_base64":"\\/w=="', "binary", b'"/w=="'),
        ('"data_base64":null', None, None),
        ('"subject":null,"time":null,"ext":null', None, None),
        ('"data":{"a":\t[1,\n\r2]}', "json", b'{"a":[1,2]}'),
    ],
)
def test_structured_data(ingest: Ingest, members: str, kind: str | None, data: bytes | None) -> None:
    event_id = f"structured-data-{zlib.crc32(members.encode())}"
    body = f'{{"specversion":"1.0","id":"{event_id}","source":"/s","type":"t",{members}}}'.encode()
    assert ingest.post(body).status_code == 200
    event = found(ingest, event_id)
    assert (event.data_kind, event.data, event.subject, event.extensions) == (kind, data, None, {})


def test_content_type_decides_over_ce_headers(ingest: Ingest) -> None:
    headers = {"ce-id": "from-header", "ce-type": "h", "ce-source": "/h", "ce-specversion": "1.0"}
    assert ingest.post(event_json(id="from-body"), headers=headers).status_code == 200
    assert found(ingest, "from-body").type == "t"
    assert "from-header" not in {event.id for event in ingest.events()}


def test_gzip_of_several_members(ingest: Ingest) -> None:
    body = gzip.compress(event_json(id="zip-1") + b"\n") + gzip.compress(event_json(id="zip-2"))
    answer = ingest.post(body, "application/x-ndjson", headers={"Content-Encoding": "gzip"})
    assert answer.json()["accepted"] == 2


def test_large_body_goes_through_a_worker_with_the_same_result(ingest: Ingest) -> None:
    lines = [event_json(id=f"large-{n}", data={"text": "名" * 50}) for n in range(2000)]
    lines[777] = b'{"id":"large-bad"}'
    answer = ingest.post(b"\n".join(lines), "application/x-ndjson")
    assert answer.json()["accepted"] == 1999
    assert [reject["index"] for reject in answer.json()["rejected"]] == [777]
    assert sum(event.id.startswith("large-") for event in ingest.events()) == 1999


def test_one_sync_for_many_requests_and_a_reject_beside(ingest: Ingest) -> None:
    answer = ingest.post(
        b"[" + event_json(id="kept") + b',{"x":1}]', "application/cloudevents-batch+json", bus="orders"
    )
    assert answer.json()["accepted"] == 1
    kinds = {read.block.kind for read in ingest.blocks() if read.block.bus == "orders"}
    assert kinds == {BlockKind.EVENTS, BlockKind.REJECTS}
    (reject,) = [r for r in ingest.rejects() if r["bytes"] == "eyJ4IjoxfQ=="]
    assert (reject["reason"], reject["index"]) == ("invalid", 1)
    assert reject["content_type"] == "application/cloudevents-batch+json"
    assert json.loads(answer.text)["rejected"][0]["error"] == reject["error"]
