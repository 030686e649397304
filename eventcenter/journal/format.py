"""The journal's bytes: pure functions between blocks and what stands in a file.

A file is a header of 32 bytes and then blocks, each of which stands for itself:

    file    magic "ECJOURNL" · version u16 · 6 zero bytes · journal id, 16 bytes
    block   magic "ECB1" · header crc u32 · received_at i64 (µs since 1970) · payload length u32 ·
            payload crc u32 · events u32 · kind u8 · flags u8 · tenant length u8 · bus length u8 ·
            tenant · bus · payload

All numbers are little-endian, both checksums CRC-32; the header's covers all that follows it up to the
payload. The payload of an EVENTS block is journal lines (`eventcenter.event.encode_line`), that of a
REJECTS block one JSON object a line, that of a RECEIVED block what received.py says.

Since version 2 a file may be longer than what is written: where zeros stand instead of a block's header,
nothing is written yet, or nothing ever was. In version 1 a file ends with its last block.
"""

import os
import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from isal import isal_zlib

VERSION = 2
_READ_VERSIONS = frozenset({1, 2})
FILE_MAGIC = b"ECJOURNL"
BLOCK_MAGIC = b"ECB1"
FILE_HEADER = struct.Struct("<8sH6x16s")
_START = struct.Struct("<4sI")
_REST = struct.Struct("<qIIIBBBB")
BLOCK_HEADER_BYTES = _START.size + _REST.size
LONGEST_HEADER_BYTES = BLOCK_HEADER_BYTES + 2 * 255
"""With the names of tenant and bus."""
_WANTS_OUTCOME = 1
_SUFFIX = ".journal"


class BlockKind(IntEnum):
    """What a block's payload is."""

    EVENTS = 1
    REJECTS = 2
    RECEIVED = 3
    """Messages of an input with their events (received.py)."""


class Position(NamedTuple):
    """Where a block stands: its file's number and the byte at which it starts there. Never used twice."""

    file: int
    start: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One request's events (or rejects) for one bus of one tenant."""

    kind: BlockKind
    tenant: str
    bus: str
    payload: bytes
    count: int
    """Lines in the payload."""
    wants_outcome: bool = False
    """Whether somebody waits to hear how many were stored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadBlock:
    """A block with its place and the moment (µs since 1970) at which it was journalled."""

    position: Position
    received_at: int
    block: Block


def file_path(folder: Path, number: int) -> Path:
    """The path of the folder's file `number`."""
    return folder / f"{number:012d}{_SUFFIX}"


def file_numbers(folder: Path) -> list[int]:
    """Numbers of the journal files in a folder, ascending."""
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except FileNotFoundError:
        return []
    # The loader looks all the time: `glob`, and paths, would take ten times as long.
    stems = (name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))
    return sorted(int(stem) for stem in stems if stem.isdigit())


def encode_file_header(journal_id: bytes) -> bytes:
    """The first 32 bytes of a file; `journal_id` has 16."""
    return FILE_HEADER.pack(FILE_MAGIC, VERSION, journal_id)


def decode_file_header(header: bytes) -> bytes:
    """The journal's id; ValueError where this is no journal file of a version that we read."""
    if len(header) < FILE_HEADER.size:
        raise ValueError("the file's header is not whole")
    magic, version, journal_id = FILE_HEADER.unpack_from(header)
    if magic != FILE_MAGIC:
        raise ValueError("not a journal file")
    if version not in _READ_VERSIONS:
        raise ValueError(f"journal format {version}; this program reads formats up to {VERSION}")
    return bytes(journal_id)


def encode_block(block: Block, received_at: int) -> bytes:
    """The block's header, tenant and bus; the payload is to follow as it is."""
    tenant, bus = block.tenant.encode(), block.bus.encode()
    rest = (
        _REST.pack(
            received_at,
            len(block.payload),
            isal_zlib.crc32(block.payload),
            block.count,
            block.kind,
            _WANTS_OUTCOME if block.wants_outcome else 0,
            len(tenant),
            len(bus),
        )
        + tenant
        + bus
    )
    return _START.pack(BLOCK_MAGIC, isal_zlib.crc32(rest)) + rest


def claimed_bytes(header: bytes) -> int:
    """The length of the whole block that begins with `header`, unchecked; 0 where that is no block's."""
    if len(header) < BLOCK_HEADER_BYTES or not header.startswith(BLOCK_MAGIC):
        return 0
    _, length, _, _, _, _, tenant_length, bus_length = _REST.unpack_from(header, _START.size)
    return int(BLOCK_HEADER_BYTES + tenant_length + bus_length + length)


def claimed_tenant(header: bytes) -> str | None:
    """The tenant of the block that begins with `header`; None where the header is not whole and right."""
    if not claimed_bytes(header):
        return None
    _, crc = _START.unpack_from(header)
    *_, tenant_length, bus_length = _REST.unpack_from(header, _START.size)
    end = BLOCK_HEADER_BYTES + tenant_length + bus_length
    if len(header) < end or isal_zlib.crc32(header[_START.size : end]) != crc:
        return None
    return header[BLOCK_HEADER_BYTES : BLOCK_HEADER_BYTES + tenant_length].decode()


def decode_block(data: memoryview, offset: int, position: Position) -> tuple[ReadBlock, int] | None:
    """The block at `offset` and the offset behind it; None where no whole, undamaged block stands there."""
    start = offset + _START.size
    if len(data) < offset + BLOCK_HEADER_BYTES:
        return None
    magic, header_crc = _START.unpack_from(data, offset)
    if magic != BLOCK_MAGIC:
        return None
    received_at, length, payload_crc, count, kind, flags, tenant_length, bus_length = _REST.unpack_from(
        data, start
    )
    names = start + _REST.size
    body = names + tenant_length + bus_length
    end = body + length
    if len(data) < end or isal_zlib.crc32(data[start:body]) != header_crc:
        return None
    payload = data[body:end]
    if isal_zlib.crc32(payload) != payload_crc:
        return None
    block = Block(
        kind=BlockKind(kind),
        tenant=str(data[names : names + tenant_length], "utf-8"),
        bus=str(data[names + tenant_length : body], "utf-8"),
        payload=bytes(payload),
        count=count,
        wants_outcome=bool(flags & _WANTS_OUTCOME),
    )
    return ReadBlock(position=position, received_at=received_at, block=block), end
