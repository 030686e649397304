"""Files as former versions wrote them."""

import struct
import zlib


def index_of_version_1(written: bytes) -> bytes:
    """The index file of version 1 with the same entries."""
    zones, shared = struct.unpack_from("<QQ", written, 56)
    behind = _parts(written) + 32 * zones + _padded(zones) + _padded(4 * shared)
    arrays = written[72 : len(written) - behind]
    return _file(1, struct.pack("<Q", 56 + len(arrays)) + written[24:56] + arrays)


def index_of_version_2(written: bytes) -> bytes:
    """The index file of version 2 with the same entries."""
    rest = written[24 : len(written) - _parts(written)]
    return _file(2, struct.pack("<Q", 24 + len(rest)) + rest)


def _parts(written: bytes) -> int:
    keys, zones = struct.unpack_from("<Q", written, 32)[0], struct.unpack_from("<Q", written, 56)[0]
    return 2 * _padded(keys) if zones else 0


def _padded(size: int) -> int:
    return -(-size // 8) * 8


def _file(version: int, rest: bytes) -> bytes:
    return struct.pack("<8sII", b"ECINDEX1", version, zlib.crc32(rest)) + rest
