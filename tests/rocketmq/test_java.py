"""What the official Java client and the CloudEvents SDK for Java send is decoded to exactly what was sent."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from eventcenter.event import Event, decode_line
from eventcenter.rocketmq.server import Group, Server, Subscription
from ingest.bindings.rocketmq import Decoding, decode
from ingest.inputs.rocketmq.consumer import Consumer
from ingest.validation.limits import Limits
from tests.rocketmq.inbox import Inbox, wait
from tests.rocketmq.sending import send_with_java
from tests.support.rocketmq import Broker

pytestmark = [pytest.mark.rocketmq, pytest.mark.long]

_EXTENSIONS = {"region": "eu-西", "shard": 7, "hot": True, "traceparent": "00-ab-cd-01"}
_JSON = b'{"amount": 12345678901234567890.10, "n": 1e400, "text": "\xe2\x98\x83"}'
# What is in an event, and the data and kind as they must be archived.
_EVENTS: tuple[tuple[dict[str, Any], bytes | None, bytes | None, str | None], ...] = (
    ({"datacontenttype": "application/json", "subject": "☃ a b"}, _JSON, _JSON, "json"),
    ({"datacontenttype": "text/plain"}, "plain\nwords ☃".encode(), '"plain\\nwords ☃"'.encode(), "text"),
    ({"datacontenttype": "application/octet-stream"}, b"\x00\x01\xff", b'"AAH/"', "binary"),
    ({"time": "2026-02-03T04:05:06.789Z", "dataschema": "https://example.com/s?a=b"}, None, None, None),
)


def test_binary_and_structured_with_extensions(rocketmq: Broker, jars: Path, tmp_path: Path) -> None:
    rocketmq.create_topic("java")
    rocketmq.create_group("java")
    inbox = Inbox()
    group = Group(name="java", subscriptions=(Subscription(topic="java"),))
    consumer = Consumer(Server.at(rocketmq.endpoint), group, store=inbox.store, reject=inbox.reject)
    lines: list[dict[str, Any]] = []
    wanted: dict[str, Event] = {}
    for structured in (False, True):
        for attributes, sent, data, kind in _EVENTS:
            event = {
                "id": f"e{len(lines)}",
                "source": "/java/tests",
                "type": "com.example.sent",
                **attributes,
            }
            # Properties are texts, and nothing in binary mode tells that a value was a number.
            told = _EXTENSIONS if structured else {name: _text(value) for name, value in _EXTENSIONS.items()}
            held, of_kind = data, kind
            if structured and kind == "text":
                # So the SDK writes what is no JSON.
                held, of_kind = json.dumps(base64.b64encode(sent or b"").decode()).encode(), "binary"
            wanted[event["id"]] = Event(**event, extensions=told, data=held, data_kind=of_kind)  # type: ignore[arg-type]
            body = {} if sent is None else {"data": base64.b64encode(sent).decode()}
            lines.append({**event, **body, "extensions": _EXTENSIONS, "structured": structured})
    consumer.start()
    try:
        wait(lambda: consumer.health().counts.polls > 0, 20)
        ids = send_with_java(rocketmq.endpoint, "java", jars, lines, tmp_path)
        wait(lambda: len(inbox.messages) >= len(lines), 30)
    finally:
        consumer.stop()
    assert {each.message_id for each in inbox.messages} == set(ids)
    found: dict[str, Event] = {}
    for message in inbox.messages:
        decoded = decode(message, Limits(), Decoding(cluster="c"))
        assert not decoded.checked.rejects
        assert decoded.checked.count == 1
        event_ = decode_line(bytes(decoded.checked.payload))
        found[event_.id] = event_
    assert found == wanted


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
