"""The payload of a RECEIVED block: what messages of an input were, and the journal lines of their events.

    payload  head length u32, little-endian · head (MessagePack of `Received`) · journal lines

Both stand in one block, so that what became of a message is known in the transaction that loads its events.
"""

import struct
from typing import NamedTuple

import msgspec

_LENGTH = struct.Struct("<I")


class ReceivedMessage(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """A message, without its content."""

    events: int
    """How many of the lines are its events."""
    rejected: int
    """How many of its events were refused before the journal."""
    topic: str
    broker: str | None
    queue_id: int | None
    """With `queue_offset` its place in the topic; None where that is not known, as after a redelivery."""
    queue_offset: int | None
    message_id: str | None
    keys: tuple[str, ...] = ()
    tag: str | None = None
    born_at: int | None = None
    """ms since 1970, as told by the producer."""
    stored_at: int | None = None
    """ms since 1970, as told by the broker."""
    delivery_attempt: int | None = None


class Received(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """What an input received together."""

    input: str
    """The input's id."""
    messages: tuple[ReceivedMessage, ...]


class Parts(NamedTuple):
    """A payload's two parts."""

    received: Received
    lines: memoryview


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Received).decode


def pack(received: Received, lines: bytes) -> bytes:
    """The payload; `lines` are the messages' events in their order."""
    head = _encode(received)
    return b"".join((_LENGTH.pack(len(head)), head, lines))


def lines_of(payload: bytes) -> memoryview:
    """The journal lines of a payload. Raises ValueError where it has no head."""
    if len(payload) < _LENGTH.size:
        raise ValueError("a block of received messages has no head")
    end = _LENGTH.size + _LENGTH.unpack_from(payload)[0]
    if end > len(payload):
        raise ValueError("the head of a block of received messages is not whole")
    return memoryview(payload)[end:]


def unpack(payload: bytes) -> Parts:
    """The parts of a payload. Raises ValueError for other bytes."""
    lines = lines_of(payload)
    try:
        return Parts(_decode(memoryview(payload)[_LENGTH.size : len(payload) - len(lines)]), lines)
    except msgspec.DecodeError as error:
        raise ValueError(f"the head of a block of received messages cannot be read: {error}") from error
