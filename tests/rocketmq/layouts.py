"""Numbered events as messages in every layout, and what each must become."""

import base64
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.rocketmq.sending import message

LAYOUTS = ("binary", "structured", "batched", "eventbridge", "java", "unmarked", "plain")
SOURCE = "/shop"
NUMBERS = ("1.0", "1e2", "18446744073709551617", "0.10000000000000000001", "-0", "7")


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A message, and the events that it must become: (id, source, type, subject, data's text, extensions)."""

    message: Any
    events: list[tuple[str | None, str, str, str | None, str | None, dict[str, object]]] = field(
        default_factory=list
    )


def messages(topic: str, plain_topic: str, count: int, seed: int) -> Iterator[Sent]:
    """`count` events or some more, in all layouts in turn; plain ones go to `plain_topic`."""
    chance = random.Random(seed)
    made = 0
    while made < count:
        layout = LAYOUTS[made % len(LAYOUTS)] if made % 50 else "batched"
        size = chance.randint(1, 20) if layout == "batched" else 1
        events = [_event(made + n, chance) for n in range(size)]
        made += size
        yield _sent(layout, plain_topic if layout == "plain" else topic, events)


def _event(number: int, chance: random.Random) -> dict[str, Any]:
    data = f'{{"n":{number},"exact":{chance.choice(NUMBERS)},"text":"é☃ {chance.random()}"}}'
    return {
        "id": f"o-{number}",
        "source": SOURCE,
        "type": f"order.{chance.choice(('paid', 'lost'))}",
        "subject": f"order/{number % 97}",
        "region": chance.choice(("eu", "cn")),
        "data": data,
    }


def _json(event: dict[str, Any]) -> str:
    head = {name: value for name, value in event.items() if name != "data"}
    text = json.dumps({"specversion": "1.0", **head}, ensure_ascii=False)
    return f'{text[:-1]},"data":{event["data"]}}}'


def _sent(layout: str, topic: str, events: list[dict[str, Any]]) -> Sent:
    event = events[0]
    attributes = {name: event[name] for name in ("id", "source", "type", "subject")}
    data = event["data"].encode()
    expected = [
        (one["id"], one["source"], one["type"], one["subject"], one["data"], {"region": one["region"]})
        for one in events
    ]
    if layout == "binary":
        given = {f"CE_{name}": value for name, value in attributes.items()}
        made = message(
            topic,
            data,
            CE_specversion="1.0",
            CE_region=event["region"],
            CE_contenttype="application/json",
            **given,
        )
    elif layout == "java":
        given = {f"CE_{name}": value for name, value in attributes.items()}
        made = message(
            topic,
            data,
            CE_specversion="1.0",
            region=event["region"],
            CE_contenttype="application/json",
            **given,
        )
    elif layout == "eventbridge":
        made = message(
            topic,
            data,
            specversion="1.0",
            datacontenttype="application/json",
            USEREXT_KEY=json.dumps({"region": event["region"]}),
            **attributes,
        )
    elif layout == "structured":
        made = message(topic, _json(event).encode(), CE_contenttype="application/cloudevents+json")
    elif layout == "batched":
        body = "[" + ",".join(map(_json, events)) + "]"
        made = message(topic, body.encode(), CE_contenttype="application/cloudevents-batch+json")
    elif layout == "unmarked":
        made = message(topic, _json(event).encode())
    else:
        made = message(topic, data, tag="plain")
        # Its id is the message's.
        name = made.system_properties.message_id
        expected = [(name, f"rocketmq://*/{topic}", "plain.message", "plain", event["data"], {})]
    return Sent(message=made, events=expected)


def official(number: int) -> dict[str, Any]:
    """A message in binary mode for the official producer."""
    return {
        "body": f'{{"n":{number}.0}}',
        "keys": [f"official-{number}"],
        "properties": {
            "CE_specversion": "1.0",
            "CE_id": f"official-{number}",
            "CE_source": SOURCE,
            "CE_type": "order.paid",
            "CE_contenttype": "application/json",
        },
    }


def with_java(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """An event for Send.java, binary and structured by turns, and its extensions as they must be archived."""
    structured = bool(number % 2)
    extensions = {"region": "eu-西", "shard": number}
    line = {
        "id": f"java-{number}",
        "source": SOURCE,
        "type": "order.paid",
        "subject": f"☃-{number}",
        "datacontenttype": "application/json",
        "data": base64.b64encode(b'{"n":%d.10}' % number).decode(),
        "extensions": extensions,
        "structured": structured,
    }
    # Properties are texts: nothing in binary mode tells that a value was a number.
    return line, extensions if structured else {**extensions, "shard": str(number)}
