"""Reads a request's body within its bound, unpacking gzip."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from eventcenter.errors import InvalidInput, TooLarge, UnsupportedMediaType

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_GZIP = 31
_PLAIN = frozenset({"", "identity"})
_PACKED = frozenset({"gzip", "x-gzip"})
_INLINE = 4 << 10
_STEP = 1 << 20


class Disconnected(Exception):
    """The client went away in the middle of its body."""


def is_packed(content_encoding: str) -> bool:
    """Whether the body is gzip. Raises UnsupportedMediaType for other encodings."""
    name = content_encoding.strip().lower()
    if name in _PLAIN:
        return False
    if name in _PACKED:
        return True
    raise UnsupportedMediaType(
        "The body has an encoding that is not taken.",
        value=content_encoding,
        rule="Content-Encoding is gzip, or not there",
        remedy="send it as gzip, or as it is",
    )


def announced_size(content_length: str, max_bytes: int) -> int:
    """The bytes that a Content-Length header announces, 0 without one. Raises TooLarge beyond `max_bytes`."""
    size = int(content_length[:20]) if content_length.isdecimal() else 0
    if size > max_bytes:
        raise too_large(max_bytes, size)
    return size


async def read_body(receive: Receive, *, packed: bool, max_bytes: int) -> bytes:
    """The whole body, unpacked.

    Raises TooLarge beyond `max_bytes` (packed or unpacked), InvalidInput for gzip that is none, Disconnected.
    """
    message = await receive()
    if message["type"] != "http.request":
        raise Disconnected
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        parts, size = [body], len(body)
        while message.get("more_body", False):
            message = await receive()
            if message["type"] != "http.request":
                raise Disconnected
            part = message.get("body", b"")
            size += len(part)
            if size > max_bytes:
                raise too_large(max_bytes, size)
            parts.append(part)
        body = b"".join(parts)
    if not packed:
        return body
    if len(body) <= _INLINE:
        return unpack(body, max_bytes)
    return await asyncio.get_running_loop().run_in_executor(None, unpack, body, max_bytes)


def unpack(packed: bytes, max_bytes: int) -> bytes:
    """The content of gzip, of one member or several; never more than a little over `max_bytes` in memory.

    Raises TooLarge, InvalidInput.
    """
    parts: list[bytes] = []
    size = 0
    rest = packed
    try:
        while rest:
            member = zlib.decompressobj(_GZIP)
            while not member.eof:
                part = member.decompress(rest, min(_STEP, max_bytes + 1 - size))
                size += len(part)
                if size > max_bytes:
                    raise too_large(max_bytes, size)
                parts.append(part)
                rest = member.unconsumed_tail
                if not part and not rest and not member.eof:
                    raise _not_gzip("it ends in the middle", packed)
            rest = member.unused_data
    except zlib.error as error:
        raise _not_gzip(str(error), packed) from error
    return b"".join(parts)


def _not_gzip(why: str, packed: bytes) -> InvalidInput:
    return InvalidInput(
        f"The body is not gzip: {why}.",
        value=packed[:8].hex(" "),
        rule="with Content-Encoding: gzip the body is whole gzip (RFC 1952)",
        remedy="pack the whole body, or send it without Content-Encoding",
    )


def too_large(max_bytes: int, size: int) -> TooLarge:
    """The refusal of a body over the bound."""
    return TooLarge(
        "The body is too large.",
        value=f"{size} bytes or more",
        rule=f"at most {max_bytes} bytes, packed or not (EVENTCENTER_MAX_BODY_BYTES)",
        remedy="send the events in several requests",
    )
