"""A message of the protocol → `Message`, unpacked and verified."""

import hashlib
import zlib
from typing import Any

import msgspec

from eventcenter.rocketmq.inflating import inflated
from eventcenter.rocketmq.stubs import definition
from ingest.bindings.rocketmq import Message

_RETRY = 4
"""Which of a handle's fields, from 0, tells the retry topic."""


class Received(msgspec.Struct, frozen=True):
    """A message, and what its acknowledgement needs."""

    message: Message
    handle: str
    broken: str | None
    """Why the body is not what was sent; it is then as it came."""


def received(wire: Any, broker: str) -> Received:
    """The message that a broker handed out (protocol's Message)."""
    system = wire.system_properties
    body: bytes = wire.body
    broken = _digest_problem(body, system.body_digest)
    if broken is None and system.body_encoding == definition.GZIP:
        try:
            body = inflated(body)
        except ValueError as error:
            broken = str(error)
    place = _place(system)
    return Received(
        Message(
            topic=wire.topic.name,
            body=body,
            properties=dict(wire.user_properties),
            tag=system.tag or None,
            keys=tuple(system.keys),
            message_id=system.message_id or None,
            broker=broker,
            queue_id=None if place is None else place[0],
            queue_offset=None if place is None else place[1],
            born_at=_millis(system.born_timestamp) if system.HasField("born_timestamp") else None,
            stored_at=_millis(system.store_timestamp) if system.HasField("store_timestamp") else None,
            delivery_attempt=system.delivery_attempt if system.HasField("delivery_attempt") else None,
        ),
        system.receipt_handle,
        broken,
    )


def _place(system: Any) -> tuple[int, int] | None:
    """Queue and offset of the message in its topic; None where it comes out of the group's retry topic.

    There the broker tells queue and offset of that topic. The receipt handle says so: its fifth field is 0
    for the topic itself (ExtraInfoUtil of RocketMQ 5).
    """
    if not system.HasField("queue_offset"):
        return None
    parts = system.receipt_handle.split(" ")
    is_again = parts[_RETRY] != "0" if len(parts) > _RETRY else system.delivery_attempt > 1
    return None if is_again else (system.queue_id, system.queue_offset)


def _digest_problem(body: bytes, digest: Any) -> str | None:
    """Why the body is not the one that the digest was made of; None where it is, or cannot be told."""
    kind = digest.type
    if kind == definition.MD5:
        found = hashlib.md5(body, usedforsecurity=False).hexdigest()
    elif kind == definition.CRC32:
        found = f"{zlib.crc32(body):x}"
    elif kind == definition.SHA1:
        found = hashlib.sha1(body, usedforsecurity=False).hexdigest()
    else:
        return None
    said: str = digest.checksum
    if found.upper() == said or found == said.lower() or (kind == definition.CRC32 and _same(found, said)):
        return None
    return f"the body's {definition.DigestType.Name(kind)} digest is {found.upper()}, it was sent with {said}"


def _same(found: str, said: str) -> bool:
    """Whether two hexadecimal numbers are the same; some leave out zeros at the front."""
    return found.lstrip("0") == said.lower().lstrip("0")


def _millis(timestamp: Any) -> int:
    return int(timestamp.seconds * 1000 + timestamp.nanos // 1_000_000)
