"""Files as former versions wrote them."""

import struct
import zlib


def index_of_version_1(written: bytes) -> bytes:
    """The index file of version 1 with the same entries."""
    zones, shared = struct.unpack_from("<QQ", written, 56)
    behind = 32 * zones + -(-zones // 8) * 8 + -(-4 * shared // 8) * 8
    arrays = written[72 : len(written) - behind]
    counts = struct.pack("<Q", 56 + len(arrays)) + written[24:56]
    return struct.pack("<8sII", b"ECINDEX1", 1, zlib.crc32(counts + arrays)) + counts + arrays
