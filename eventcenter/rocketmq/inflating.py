"""Compressed bodies → what was sent."""

import zlib

MAX_UNPACKED_BYTES = 64 << 20
_EITHER = 32 + zlib.MAX_WBITS
"""gzip and zlib, told apart by their first bytes."""


def inflated(body: bytes) -> bytes:
    """The body without its gzip or zlib. Raises ValueError, which says why not."""
    unpacker = zlib.decompressobj(_EITHER)
    try:
        plain = unpacker.decompress(body, MAX_UNPACKED_BYTES)
    except zlib.error as error:
        raise ValueError(f"the body is marked as compressed and cannot be unpacked ({error})") from error
    if unpacker.unconsumed_tail or (not unpacker.eof and len(plain) >= MAX_UNPACKED_BYTES):
        raise ValueError(f"the body is larger than {MAX_UNPACKED_BYTES >> 20} MiB when it is unpacked")
    if not unpacker.eof:
        raise ValueError("the body is marked as compressed and ends too early")
    return plain
