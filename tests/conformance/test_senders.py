"""The SDKs of Python and JavaScript and curl send in every mode; the journal has what they sent."""

import base64
import gzip
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from eventcenter.event import Event
from tests.support import javascript
from tests.support.ingest import Ingest

ACCEPTED = {"accepted": 1, "rejected": []}


@dataclass(frozen=True, kw_only=True)
class Case:
    """Data as an SDK takes it, and what must be in the journal."""

    data: Any
    datacontenttype: str | None
    kind: str | None
    expected: Any
    """Parsed JSON for JSON data, text, or bytes."""


CASES = {
    "json": Case(
        data={"a": 1.5, "名": ["值", None, True]},
        datacontenttype="application/json",
        kind="json",
        expected={"a": 1.5, "名": ["值", None, True]},
    ),
    "json without a type": Case(data={"a": 1}, datacontenttype=None, kind="json", expected={"a": 1}),
    "text": Case(data="grüße\n名", datacontenttype="text/plain", kind="text", expected="grüße\n名"),
    "bytes": Case(
        data=b"\x00\xff", datacontenttype="application/octet-stream", kind="binary", expected=b"\x00\xff"
    ),
    "nothing": Case(data=None, datacontenttype=None, kind=None, expected=None),
}
TIME = "2026-11-01T08:30:00.123Z"


def found(ingest: Ingest, event_id: str, mode: str) -> Event:
    """The one event of that id, after its attributes were compared."""
    (event,) = [event for event in ingest.events() if event.id == event_id]
    # The JavaScript SDK does not percent-encode, so that it cannot send a percent sign in a header.
    subject = "a b" if event_id.startswith("javascript") else "a b%名"
    assert (event.source, event.type, event.subject) == ("/tests/senders", "com.example.sent", subject)
    assert event.time is not None
    assert datetime.fromisoformat(event.time) == datetime(2026, 11, 1, 8, 30, 0, 123000, tzinfo=UTC)
    assert event.dataschema == "https://example.com/schema"
    number: str | int = "7" if mode.endswith("binary") else 7
    assert event.extensions == {"traceparent": "00-1", "num": number}
    return event


def check_data(event: Event, case: Case) -> None:
    assert event.data_kind == case.kind
    data = event.data_bytes()
    if case.kind == "json":
        assert data is not None
        assert json.loads(data) == case.expected
    elif case.kind == "text":
        assert data is not None
        assert data.decode() == case.expected
    else:
        assert data == case.expected


def attributes(event_id: str, case: Case) -> dict[str, Any]:
    named: dict[str, Any] = {
        "specversion": "1.0",
        "id": event_id,
        "source": "/tests/senders",
        "type": "com.example.sent",
        "subject": "a b" if event_id.startswith("javascript") else "a b%名",
        "time": TIME,
        "dataschema": "https://example.com/schema",
        "traceparent": "00-1",
        "num": 7,
    }
    return named if case.datacontenttype is None else named | {"datacontenttype": case.datacontenttype}


@pytest.mark.parametrize("mode", ["binary", "structured", "batched", "lines"])
@pytest.mark.parametrize("name", CASES)
def test_python_sdk(ingest: Ingest, name: str, mode: str) -> None:
    case = CASES[name]
    event_id = f"python {name} {mode}"
    given = attributes(event_id, case) | {"time": datetime.fromisoformat(TIME)}
    event = CloudEvent(given, case.data)
    message: HTTPMessage = to_binary_event(event) if mode == "binary" else to_structured_event(event)
    headers: Mapping[str, str] = message.headers
    body: bytes = message.body
    if mode == "batched":
        # The SDK has no batch mode to send in: a batch is an array of what it sends one by one.
        headers, body = {"content-type": "application/cloudevents-batch+json"}, b"[" + body + b"]"
    if mode == "lines":
        headers, body = {"content-type": "application/x-ndjson"}, body + b"\n"
    answer = ingest.post(body, None, headers=headers)
    assert answer.json() == ACCEPTED, answer.text
    check_data(found(ingest, event_id, mode), case)


@pytest.mark.javascript
@pytest.mark.parametrize(
    "mode", ["binary", "structured", "batched", "lines", "emitter-binary", "emitter-structured"]
)
@pytest.mark.parametrize("name", CASES)
def test_javascript_sdk(ingest: Ingest, name: str, mode: str) -> None:
    case = CASES[name]
    if mode.startswith("emitter") and case.data is None:
        pytest.skip("the SDK's own transport cannot send an event without data")
    event_id = f"javascript {name} {mode}"
    event = attributes(event_id, case)
    if isinstance(case.data, bytes):
        event["bytes"] = base64.b64encode(case.data).decode()
    elif case.data is not None:
        event["data"] = case.data
    url = f"{ingest.url}/v1/buses/default/events"
    answer = javascript.send(url=url, token=ingest.tokens["default", "writer"], mode=mode, event=event)
    assert answer == ACCEPTED
    check_data(found(ingest, event_id, mode), case)


def curl(ingest: Ingest, body: bytes, *options: str, query: str = "") -> dict[str, Any]:
    done = subprocess.run(
        [
            "curl",
            "--silent",
            "--show-error",
            "--max-time",
            "20",
            "--header",
            f"Authorization: Bearer {ingest.tokens['default', 'writer']}",
            *options,
            "--data-binary",
            "@-",
            f"{ingest.url}/v1/buses/default/events{query}",
        ],
        input=body,
        capture_output=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.curl
@pytest.mark.parametrize("mode", ["structured", "batched", "lines"])
def test_curl(ingest: Ingest, mode: str) -> None:
    case = CASES["json"]
    event_id = f"curl {mode}"
    body = json.dumps(attributes(event_id, case) | {"data": case.data}).encode()
    types = {"structured": "cloudevents+json", "batched": "cloudevents-batch+json", "lines": "x-ndjson"}
    if mode == "batched":
        body = b"[" + body + b"]"
    assert curl(ingest, body, "--header", f"Content-Type: application/{types[mode]}") == ACCEPTED
    check_data(found(ingest, event_id, mode), case)


@pytest.mark.curl
def test_curl_binary(ingest: Ingest) -> None:
    case = CASES["text"]
    options = ["--header", "Content-Type: text/plain"]
    for name, value in attributes("curl-binary", case).items():
        if name != "datacontenttype":
            options += ["--header", f"ce-{name}: {quote(str(value))}"]
    assert curl(ingest, case.data.encode(), *options) == ACCEPTED
    check_data(found(ingest, "curl-binary", "binary"), case)


@pytest.mark.curl
def test_curl_sends_a_large_packed_file(ingest: Ingest) -> None:
    event = attributes("curl large", CASES["nothing"])
    lines = "\n".join(json.dumps(event | {"id": f"curl large {n}", "data": "x" * 400}) for n in range(5000))
    body = gzip.compress(lines.encode(), 1)
    answer = curl(
        ingest, body, "--header", "Content-Type: application/x-ndjson", "--header", "Content-Encoding: gzip"
    )
    assert answer == {"accepted": 5000, "rejected": []}
