"""Questions to a running product whose answers are wanted to the byte, and what tests ask again and again."""

import http.client
import io
import json
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from tests.support.product import Product, wait_until

NDJSON = "application/x-ndjson"
BATCH = "application/cloudevents-batch+json"
ONE = "application/cloudevents+json"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back; `content` is the body as sent."""

    status: int
    content: bytes

    @property
    def text(self) -> str:
        """The body; of a Parquet file what it holds, which its compression would hide."""
        if self.content.startswith(b"PAR1"):
            return str(pq.read_table(io.BytesIO(self.content)).to_pylist())
        return self.content.decode()

    def json(self) -> Any:
        return json.loads(self.content)


def ask(
    product: Product,
    method: str,
    path: str,
    credential: str | None,
    body: Any = None,
    *,
    ingest: bool = False,
    content_type: str = "application/json",
) -> Answer:
    """One request to the API, or to the ingest service; bytes go out as they are, all else as JSON."""
    port = product.settings.ingest_port if ingest else product.settings.api_port
    headers = {"content-type": content_type}
    if credential is not None:
        headers["authorization"] = f"Bearer {credential}"
    sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body=sent, headers=headers)
        answer = connection.getresponse()
        return Answer(status=answer.status, content=answer.read())
    finally:
        connection.close()


def done(
    product: Product, method: str, path: str, credential: str | None, body: Any = None, **options: Any
) -> Any:
    """The same, where anything but success fails the test; the answer's JSON, None without a body."""
    answer = ask(product, method, path, credential, body, **options)
    assert 200 <= answer.status < 300, f"{method} {path}: {answer.status} {answer.content[:2000]!r}"
    return answer.json() if answer.content else None


def event(event_id: str, event_type: str = "com.example.plain", **members: Any) -> dict[str, Any]:
    """A CloudEvent of source `/shared`."""
    return {"specversion": "1.0", "id": event_id, "source": "/shared", "type": event_type} | members


def post(product: Product, bus: str, token: str, *events: dict[str, Any]) -> Any:
    """Send events and wait until they can be seen; the ingest service's answer."""
    body = json.dumps(list(events)).encode()
    path = f"/v1/buses/{bus}/events?wait=archived"
    return done(product, "POST", path, token, body, ingest=True, content_type=BATCH)


def make_target(product: Product, admin: str, robot: str, secret: str, *, name: str = "robot") -> str:
    """A DingTalk target that speaks to a robot of the stand-in; its id."""
    webhook = f"{product.settings.dingtalk_base_url}/robot/send?access_token={robot}"
    body = {"name": name, "kind": "dingtalk", "webhook": webhook, "secret": secret}
    target: str = done(product, "POST", "/v1/targets", admin, body)["id"]
    return target


def rule_body(target: str, **changes: Any) -> dict[str, Any]:
    """A rule on events of type com.example.alarm."""
    return {
        "name": "alarms",
        "buses": ["default"],
        "pattern": {"type": ["com.example.alarm"]},
        "template": {"title": "alarm ${id}", "text": "alarm ${id}: ${data.text}"},
        "cooldown_s": 0,
        "target_id": target,
        "enabled": True,
    } | changes


def delivered(product: Product, reader: str, count: int, query: str = "") -> list[Any]:
    """The deliveries, newest first, once `count` of them arrived."""
    found: list[Any] = []

    def all_there() -> bool:
        found[:] = done(product, "GET", f"/v1/deliveries?limit=500{query}", reader)["deliveries"]
        return len([each for each in found if each["state"] == "delivered"]) >= count

    wait_until(all_there, 30, lambda: f"{count} deliveries did not arrive: {found}")
    return found
