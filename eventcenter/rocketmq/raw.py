"""Messages in the form in which brokers keep them, as the remoting protocol hands them out.

The layout is that of MessageDecoder and MessageSysFlag of RocketMQ 5; all numbers are big-endian.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eventcenter.rocketmq.inflating import MAX_UNPACKED_BYTES, inflated

_HEAD = struct.Struct(">iiIiiqqiq")
_AFTER_BORN = struct.Struct(">q")
_BODY = struct.Struct(">iqi")
_MAGIC, _MAGIC_2 = -626843481, -626843477
_COMPRESSED, _COMPRESSION, _IPV6_BORN, _IPV6_STORE = 1, 0x700, 1 << 4, 1 << 5
_CODECS = {0x100: "lz4", 0x200: "zstd"}
_CRC_BITS = 0x7FFFFFFF


@dataclass(frozen=True, kw_only=True, slots=True)
class RawMessage:
    """One message; moments are ms since 1970."""

    topic: str
    queue_id: int
    queue_offset: int
    born_at: int
    stored_at: int
    attempts: int
    """How often it was handed out before."""
    properties: Mapping[str, str]
    """With those of clients and brokers."""
    body: bytes
    """Unpacked."""
    broken: str | None
    """Why the body is not what was stored; it is then as it came."""


def parse_messages(data: bytes) -> Iterator[RawMessage]:
    """The messages that stand one behind the other. Raises ValueError for other bytes."""
    view = memoryview(data)
    at = 0
    while at < len(view):
        try:
            (size,) = struct.unpack_from(">i", view, at)
            if not _HEAD.size <= size <= len(view) - at:
                raise ValueError(f"a message of {size} bytes where {len(view) - at} are there")
            yield _message(view[at : at + size])
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise ValueError(f"a message is not whole ({error})") from error
        at += size


def _message(view: memoryview) -> RawMessage:
    _, magic, crc, queue_id, _, queue_offset, _, flags, born_at = _HEAD.unpack_from(view, 0)
    if magic not in {_MAGIC, _MAGIC_2}:
        raise ValueError(f"{magic} is no mark of a message")
    at = _HEAD.size + (20 if flags & _IPV6_BORN else 8)
    (stored_at,) = _AFTER_BORN.unpack_from(view, at)
    at += _AFTER_BORN.size + (20 if flags & _IPV6_STORE else 8)
    attempts, _, length = _BODY.unpack_from(view, at)
    at += _BODY.size
    body, at = bytes(view[at : at + length]), at + length
    size = struct.Struct(">H" if magic == _MAGIC_2 else ">B")
    (length,) = size.unpack_from(view, at)
    at += size.size
    topic, at = str(view[at : at + length], "utf-8"), at + length
    (length,) = struct.unpack_from(">H", view, at)
    properties = str(view[at + 2 : at + 2 + length], "utf-8")
    body, broken = _unpacked(body, flags, crc)
    return RawMessage(
        topic=topic,
        queue_id=queue_id,
        queue_offset=queue_offset,
        born_at=born_at,
        stored_at=stored_at,
        attempts=attempts,
        properties=_properties(properties),
        body=body,
        broken=broken,
    )


def _properties(text: str) -> dict[str, str]:
    pairs = (pair.partition("\x01") for pair in text.split("\x02") if pair)
    return {name: value for name, _, value in pairs}


def _unpacked(body: bytes, flags: int, crc: int) -> tuple[bytes, str | None]:
    """The body, and why it is not what was stored. Brokers need not tell a checksum: 0 is none."""
    if crc and zlib.crc32(body) & _CRC_BITS != crc & _CRC_BITS:
        return body, "its checksum is another"
    if not flags & _COMPRESSED:
        return body, None
    try:
        codec = _CODECS.get(flags & _COMPRESSION)
        return (inflated(body) if codec is None else _streamed(body, codec)), None
    except ValueError as error:
        return body, str(error)


def _streamed(body: bytes, codec: str) -> bytes:
    # Rarely needed, and large.
    import pyarrow as pa

    try:
        with pa.CompressedInputStream(pa.BufferReader(body), codec) as stream:
            plain: bytes = stream.read(MAX_UNPACKED_BYTES + 1)
    except OSError as error:
        raise ValueError(f"the body is marked as compressed and cannot be unpacked ({error})") from error
    if len(plain) > MAX_UNPACKED_BYTES:
        raise ValueError(f"the body is larger than {MAX_UNPACKED_BYTES >> 20} MiB when it is unpacked")
    return plain
