"""Targets of kind `rocketmq`: a topic that events are sent to as they are, in the CloudEvents binding."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from alerts import shapes
from alerts.targets.kind import Answer, Code, Kept, Sent, Setup, Traits, row_of
from alerts.targets.topic_codes import ALL_CODES, CODES, NO_ANSWER, UNKNOWN
from alerts.text import visible
from eventcenter.access import Principal
from eventcenter.errors import EventCenterError, InvalidInput
from eventcenter.event import Event, decode_line
from eventcenter.rocketmq.outgoing import Content, Outgoing, Verdict, message_id
from eventcenter.rocketmq.server import Credentials, Server, Subscription, Tls
from eventcenter.store.models import OutboxItem, Target

BATCH: Final = 100
"""Events in one call at most; the outbox is asked and told once for all of them."""
BATCH_BYTES: Final = 1 << 20
"""About, and a larger event goes alone: brokers take 4 MiB in one call by default."""
TEST_PROPERTY: Final = "EVENTCENTER_TEST"
"""A property of messages that a test has sent; no attribute of the event."""
_SHOWN: Final = 18_000
_ANSWER_LIMIT: Final = 4_000
_IDLE_S: Final = 600.0

TRAITS: Final = Traits(
    name="rocketmq",
    codes=ALL_CODES,
    budget=None,
    batch=BATCH,
    forwards=True,
    sealed={
        "en": "Restore the installation's key, or enter the secret key again.",
        "zh": "请恢复系统密钥，或重新填写 Secret Key。",
    },
)
Encode = Callable[[Event, str], Content]
"""An event and a topic → the message that is decoded to exactly this event."""


class _Secrets(msgspec.Struct, frozen=True):
    secret_key: str = ""


class _Config(msgspec.Struct, frozen=True, kw_only=True):
    addresses: str
    topic: str
    namespace: str = ""
    access_key: str = ""
    tls: bool = False
    tls_ca: str = ""
    tls_name: str = ""

    def server(self, secret_key: str) -> Server:
        """The proxies. Raises InvalidInput for whatever is wrong with the settings."""
        if not self.tls and (self.tls_ca or self.tls_name):
            raise InvalidInput(
                "A certificate is given, but TLS is off.",
                rule="tls_ca and tls_name belong to TLS",
                remedy="turn TLS on, or leave both out",
            )
        return Server.at(
            self.addresses,
            namespace=self.namespace,
            credentials=Credentials.given(self.access_key, secret_key),
            tls=Tls.given(self.tls_ca, self.tls_name) if self.tls else None,
        )


@dataclass(frozen=True, kw_only=True)
class _Request:
    way: str
    server: Server
    topic: str
    messages: tuple[Outgoing, ...]
    shown: Sequence[dict[str, Any]]


@dataclass(kw_only=True)
class _Line:
    """A connection that is kept for the next request."""

    server: Server
    topic: str
    producer: Any
    used_at: float

    def serves(self, request: _Request) -> bool:
        """Whether the target's settings are still those of this connection."""
        return (self.server, self.topic) == (request.server, request.topic)


class RocketMq:
    """The kind `rocketmq`."""

    traits = TRAITS

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._lines: dict[str, _Line] = {}
        self._lock = threading.Lock()

    def set_up(
        self,
        who: Principal,  # noqa: ARG002 any admin may; it is part of the protocol
        body: shapes.NewTarget | shapes.ChangeTarget,
        kept: Kept | None,
    ) -> Setup | None:
        for name in ("webhook", "secret", "keyword", "base_url"):
            if getattr(body, name) is not None:
                raise InvalidInput(
                    f"A topic has no {name}.",
                    rule=f"{name} belongs to a target of kind dingtalk",
                    remedy="leave it out, or make a target of that kind",
                )
        given = body.rocketmq
        if given is None:
            if kept is not None:
                return None
            raise InvalidInput(
                "The target has no topic.",
                rule="a target of kind rocketmq has addresses and topic",
                remedy='give rocketmq, such as {"addresses": "127.0.0.1:8081", "topic": "events"}',
            )
        changes = {
            name: value.strip() if isinstance(value, str) else value
            for name, value in given.model_dump(exclude={"secret_key"}, exclude_unset=True).items()
            if value is not None
        }
        before = {} if kept is None else {name: kept.config[name] for name in _Config.__struct_fields__}
        config = msgspec.convert({**before, **changes}, _Config)
        if given.secret_key is not None:
            secret_key = given.secret_key.get_secret_value().strip()
        elif kept is None or not config.access_key:
            secret_key = ""
        else:
            secret_key = _opened(kept.opened())
        config.server(secret_key)
        Subscription(topic=config.topic)  # whose name is checked there
        return Setup(
            config={**msgspec.to_builtins(config), "has_secret": bool(secret_key)},
            secrets=msgspec.json.encode(_Secrets(secret_key=secret_key)),
            way=None,
            told={"addresses": config.addresses, "topic": config.topic},
        )

    def prepare(self, target: Target, items: Sequence[OutboxItem], secrets: bytes, now: datetime) -> _Request:
        config = _config(target)
        messages = tuple(self._message(item, config.topic, now) for item in items)
        return _Request(
            way=target.robot_hash,
            server=config.server(_opened(secrets)),
            topic=config.topic,
            messages=messages,
            shown=[_shown(config, message, len(messages)) for message in messages],
        )

    def send(self, request: _Request) -> Sent:
        begun = time.monotonic()
        try:
            verdicts = self._producer(request).send(request.messages)
        except EventCenterError as error:
            verdicts = [Verdict(code=None, text=error.detail)] * len(request.messages)
        answers = tuple(_answer(verdict) for verdict in verdicts)
        return Sent(status=None, answers=answers, latency_ms=round((time.monotonic() - begun) * 1000))

    def said(self, item: OutboxItem, target: Target | None) -> shapes.Said:
        return said(_event(item), "" if target is None else target.config["topic"])

    def close(self) -> None:
        with self._lock:
            lines, self._lines = list(self._lines.values()), {}
        for line in lines:
            line.producer.close()

    def _message(self, item: OutboxItem, topic: str, now: datetime) -> Outgoing:
        content = self._encode(_event(item), topic)
        if item.kind == "test":
            content = _Marked(content=content)
        return Outgoing(message_id=message_id(item.id), content=content, born_at=now)

    def _producer(self, request: _Request) -> Any:
        """The way's connection; of another one where its settings have changed. Raises Unavailable."""
        # Not before it is needed: gRPC takes 40 MB.
        from eventcenter.rocketmq.producer import Producer

        now = time.monotonic()
        with self._lock:
            ended = [
                self._lines.pop(way)
                for way, line in list(self._lines.items())
                if (not line.serves(request) if way == request.way else line.used_at < now - _IDLE_S)
            ]
            line = self._lines.get(request.way) or _Line(
                server=request.server,
                topic=request.topic,
                producer=Producer(request.server, request.topic),
                used_at=now,
            )
            self._lines[request.way] = line
            line.used_at = now
        for held in ended:
            held.producer.close()
        return line.producer


@dataclass(frozen=True, kw_only=True)
class _Marked:
    """A message that says of itself that a test has sent it."""

    content: Content

    @property
    def body(self) -> bytes:
        return self.content.body

    @property
    def properties(self) -> dict[str, str]:
        return {**self.content.properties, TEST_PROPERTY: "true"}

    @property
    def tag(self) -> str | None:
        return self.content.tag

    @property
    def keys(self) -> Sequence[str]:
        return self.content.keys


def said(event: Event, topic: str) -> shapes.Said:
    """The event as JSON, every number as it was sent; the end of a long one is left out."""
    text = event.to_json().decode()
    return shapes.Said(form="event", title=topic, text=text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _event(item: OutboxItem) -> Event:
    return decode_line(item.payload["line"].encode())


def _config(target: Target) -> _Config:
    return msgspec.convert(
        {name: target.config[name] for name in _Config.__struct_fields__ if name in target.config}, _Config
    )


def _shown(config: _Config, message: Outgoing, together: int) -> dict[str, Any]:
    content = message.content
    return {
        "kind": TRAITS.name,
        "call": "SendMessage",
        "address": config.addresses,
        "topic": config.topic,
        "message_id": message.message_id,
        "tag": content.tag,
        "keys": list(content.keys),
        "properties": dict(content.properties),
        "body_bytes": len(content.body),
        "messages_in_call": together,
    }


def _answer(verdict: Verdict) -> Answer:
    row: Code | None = row_of(CODES, verdict.code, verdict.text)
    if row is None:
        row = NO_ANSWER if verdict.code is None else UNKNOWN
    return Answer(code=row, errcode=verdict.code, text=visible(verdict.text)[:_ANSWER_LIMIT])


def _opened(secrets: bytes) -> str:
    return msgspec.json.decode(secrets, type=_Secrets).secret_key
