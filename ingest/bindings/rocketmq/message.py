"""A RocketMQ message as plain values, and what it tells about where an event comes from."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

import msgspec

_NONE: Mapping[str, str] = MappingProxyType({})


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message. What the broker adds is None where it is unknown, and on a message to be sent.

    Texts are Unicode without lone surrogates, as protobuf's always are.
    """

    topic: str
    body: bytes
    """Unpacked, its digest verified."""
    properties: Mapping[str, str] = msgspec.field(default_factory=lambda: _NONE)
    """The user properties."""
    tag: str | None = None
    keys: tuple[str, ...] = ()
    message_id: str | None = None
    broker: str | None = None
    queue_id: int | None = None
    queue_offset: int | None = None
    born_at: int | None = None
    """When the producer made it, ms since 1970."""
    stored_at: int | None = None
    """When the broker stored it, ms since 1970."""
    delivery_attempt: int | None = None
    """1 for the first."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where events came from: all of a message but its content, see Message.

    It stands beside the events and is no part of them: the attempt, and after a retry also queue and offset,
    differ each time that the same event is delivered.
    """

    topic: str
    tag: str | None
    keys: tuple[str, ...]
    message_id: str | None
    broker: str | None
    queue_id: int | None
    queue_offset: int | None
    born_at: int | None
    stored_at: int | None
    delivery_attempt: int | None

    @classmethod
    def of(cls, message: Message) -> Self:
        """The origin of what `message` carries."""
        return cls(
            topic=message.topic,
            tag=message.tag,
            keys=message.keys,
            message_id=message.message_id,
            broker=message.broker,
            queue_id=message.queue_id,
            queue_offset=message.queue_offset,
            born_at=message.born_at,
            stored_at=message.stored_at,
            delivery_attempt=message.delivery_attempt,
        )


def shown_message(origin: Origin, properties: Mapping[str, str] | None, body: bytes) -> bytes:
    """A message, or an event of it, as a reject keeps it: an indented JSON object, an empty line, the body.

    The object is the origin with `properties`, where they are given. It holds no empty line, so that the two
    can be told apart again: all is there, to the byte.
    """
    head: dict[str, object] = msgspec.structs.asdict(origin)
    if properties is not None:
        head["properties"] = dict(properties)
    return b"%b\n\n%b" % (json.dumps(head, ensure_ascii=False, indent=2).encode(), body)
