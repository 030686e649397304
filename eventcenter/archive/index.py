"""A segment's index file: which rows may hold an id, a subject, a trace; mapped, never read as a whole.

    header   magic "ECINDEX1" · version u32 · crc u32 of all that follows it · bytes u64 of the file ·
             Bloom words u64 · entries u64 of keys, of subjects, of traces · zones u64 · shared u64
    Bloom    u64 words, see bloom.py, over the keys' 64 bits
    tables   of keys (their upper 40 bits), of subjects and traces (32 bits), each sorted by hash and row
    zones    of 2,048 rows each: first seq, last seq, first moment, last moment (i64; µs since 1970),
             whether some event has no time (u8)
    shared   hashes that several subjects have (u32), ascending
    parts    of each row, where it lies in its zone's stretch of seq (u8), of moments (u8), in 256ths

All numbers are little-endian, each array begins at a multiple of eight bytes. A table is a directory by the
hash's upper 16 bits (u32 each: where the bucket begins), then per entry the rest of the hash (u16, and u8 for
keys) and the row in three bytes (u16 and u8). A table without entries has no directory.

Version 1 had no zones and nothing of shared hashes, version 2 no parts; they are read as they are.
"""

import mmap
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from eventcenter.archive import bloom
from eventcenter.archive.keys import ID_BITS, Keys, id_prefix, subject_hash, trace_hash

MAX_ROWS: Final = 1 << 24
_MAGIC: Final = b"ECINDEX1"
_VERSION: Final = 3
_HEADER: Final = struct.Struct("<8sIIQQQQQ")
_FURTHER: Final = struct.Struct("<QQ")
"""What follows the header from version 2 on."""
ZONE_ROWS: Final = 2048
"""A zone is what the engine unpacks at once."""
_PARTS: Final = 256
"""Of a zone's stretch: a number of eight bits tells in which of them a row lies."""
_CHECKED_FROM: Final = 16
_BLOOM_BITS: Final = 13.4
_KEY_BITS: Final = 40
_DIRECTORY_BITS: Final = 16
_BUCKETS: Final = 1 << _DIRECTORY_BITS
_ROW_BITS: Final = np.uint64(24)
_ROW: Final = np.uint64(MAX_ROWS - 1)

Order = Literal["seq", "at"]
ORDERS: Final[tuple[Order, ...]] = ("seq", "at")
Rows = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint32]
Array = npt.NDArray[Any]
_NO_ROWS: Final[Rows] = np.empty(0, np.int64)


class IndexDamaged(Exception):
    """The file is not what was written; it can be built again from the segment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Zones:
    """The ends of what each ZONE_ROWS rows after another hold; arrays of the same length, i64 and u8."""

    first_seq: Array
    last_seq: Array
    first_at: Array
    """The earliest `time`, or received_at where an event has none, in µs since 1970."""
    last_at: Array
    timeless: Array
    """1 where some event has no `time`."""

    @classmethod
    def none(cls) -> Self:
        """Nothing known."""
        return cls(
            first_seq=_NO_ROWS,
            last_seq=_NO_ROWS,
            first_at=_NO_ROWS,
            last_at=_NO_ROWS,
            timeless=np.empty(0, np.uint8),
        )

    def arrays(self) -> list[Array]:
        """In the order in which they are written."""
        return [self.first_seq, self.last_seq, self.first_at, self.last_at, self.timeless]

    def ends(self, rows: Rows, order: Order) -> tuple[Rows, Rows]:
        """The ends of the zones in which the rows lie."""
        zone = rows // ZONE_ROWS
        if order == "seq":
            return self.first_seq[zone], self.last_seq[zone]
        return self.first_at[zone], self.last_at[zone]

    def parts(self, rows: Rows, values: Rows, order: Order) -> Array:
        """Where the rows, which have these values, lie in their zones' stretches (u8)."""
        first, last = self.ends(rows, order)
        return ((values - first) // _width(first, last)).astype(np.uint8)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Table:
    """Hashes of `16 + 8 × (1 or 2)` further bits and their rows, sorted by both."""

    starts: Array
    rest: Array
    """u16: the 16 bits of the hash below the directory's."""
    tail: Array | None
    """u8: the lowest bits of a key; None for hashes of 32 bits."""
    row: Array
    row_tail: Array

    @staticmethod
    def arrays(hashes: Array, rows: Array, bits: int) -> list[Array]:
        """The arrays to write, in the order in which `read` takes them."""
        if not len(hashes):
            return []
        packed = (hashes.astype(np.uint64) << _ROW_BITS) | rows.astype(np.uint64)
        packed.sort()
        row, hashes = packed & _ROW, packed >> _ROW_BITS
        below = bits - _DIRECTORY_BITS
        buckets = np.bincount((hashes >> np.uint64(below)).astype(np.int64), minlength=_BUCKETS)
        starts = np.zeros(_BUCKETS + 1, np.uint32)
        np.cumsum(buckets, out=starts[1:])
        arrays: list[Array] = [starts, (hashes >> np.uint64(below - 16)).astype(np.uint16)]
        if below > 16:
            arrays.append(hashes.astype(np.uint8))
        return [*arrays, row.astype(np.uint16), (row >> np.uint64(16)).astype(np.uint8)]

    @classmethod
    def read(cls, data: memoryview, start: int, entries: int, bits: int) -> tuple[Self | None, int]:
        """The table that begins at `start`, and where it ends."""
        if not entries:
            return None, start
        kinds: list[tuple[Any, int]] = [(np.uint32, _BUCKETS + 1), (np.uint16, entries)]
        kinds += [(np.uint8, entries)] if bits - _DIRECTORY_BITS > 16 else []
        kinds += [(np.uint16, entries), (np.uint8, entries)]
        arrays = []
        for kind, count in kinds:
            arrays.append(np.frombuffer(data, kind, count, start))
            start += _padded(count * np.dtype(kind).itemsize)
        return cls(
            starts=arrays[0],
            rest=arrays[1],
            tail=arrays[2] if len(arrays) == 5 else None,
            row=arrays[-2],
            row_tail=arrays[-1],
        ), start

    def equal(self, bucket: int, low: int, high: int) -> Rows:
        """Rows of the bucket's entries whose `rest` is from `low` to `high`, ascending."""
        start, end = int(self.starts[bucket]), int(self.starts[bucket + 1])
        rest = self.rest[start:end]
        first, last = start + int(rest.searchsorted(low)), start + int(rest.searchsorted(high, "right"))
        if first == last:
            return _NO_ROWS
        return np.sort(self.rows(slice(first, last)))

    def rows(self, at: Any) -> Rows:
        """Rows of the entries at these places."""
        rows: Rows = self.row_tail[at].astype(np.int64)
        rows <<= 16
        rows |= self.row[at]
        return rows

    def find(self, keys: Keys) -> tuple[Rows, Rows]:
        """(position in `keys`, row) of each entry with one of these keys (40 bits)."""
        below = _KEY_BITS - _DIRECTORY_BITS
        buckets = (keys >> np.uint64(below)).astype(np.int64)
        wanted = keys.astype(np.int64) & ((1 << below) - 1)
        ends = self.starts.take(buckets + 1).astype(np.int64)
        first = self._bound(self.starts.take(buckets).astype(np.int64), ends, wanted)
        positions = np.flatnonzero((first < ends) & (self._entries(first) == wanted))
        if not positions.size:
            return _NO_ROWS, _NO_ROWS
        first = first[positions]
        counts = self._bound(first, ends[positions], wanted[positions] + 1) - first
        behind = np.cumsum(counts)
        places = np.arange(behind[-1]) + np.repeat(first - (behind - counts), counts)
        return np.repeat(positions, counts), self.rows(places)

    def _bound(self, low: Rows, high: Rows, wanted: Rows) -> Rows:
        """Per element the first entry in low…high that is at least `wanted`; all are halved together."""
        for _ in range(int((high - low).max(initial=0)).bit_length()):
            middle = (low + high) >> 1
            right = (self._entries(middle) < wanted) & (middle < high)
            low = np.where(right, middle + 1, low)
            high = np.where(right, high, middle)
        return low

    def _entries(self, at: Rows) -> Rows:
        """The lower 24 bits of the keys at these places; a place behind the last one counts as the last."""
        assert self.tail is not None  # noqa: S101 only tables of keys are searched so
        entries = self.rest.take(at, mode="clip").astype(np.int64)
        entries <<= 8
        entries |= self.tail.take(at, mode="clip")
        return entries


class SegmentIndex:
    """An open index file; thread-safe, it never changes."""

    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self._data: mmap.mmap | None = data
        self._path = path
        _, version, _, _, words, keys, subjects, traces = _HEADER.unpack_from(data)
        start = _HEADER.size
        zones, shared = 0, None
        if version > 1:
            zones, shared = _FURTHER.unpack_from(data, start)
            start += _FURTHER.size
        view = memoryview(data)
        self._bloom = np.frombuffer(view, np.uint64, words, start)
        start += self._bloom.nbytes
        self._keys, start = _Table.read(view, start, keys, _KEY_BITS)
        self._subjects, start = _Table.read(view, start, subjects, 32)
        self._traces, start = _Table.read(view, start, traces, 32)
        ends = []
        for kind in (np.int64, np.int64, np.int64, np.int64, np.uint8):
            # A copy, as it outlives the file: 33 bytes for 2,048 rows.
            ends.append(np.frombuffer(view, kind, zones, start).copy())
            start += _padded(ends[-1].nbytes)
        first_seq, last_seq, first_at, last_at, timeless = ends
        self.zones: Zones | None = None
        """None where the file does not tell."""
        if zones:
            self.zones = Zones(
                first_seq=first_seq, last_seq=last_seq, first_at=first_at, last_at=last_at, timeless=timeless
            )
        self._shared: Hashes | None = None
        if shared is not None:
            self._shared = np.frombuffer(view, np.uint32, shared, start).copy()
            start += _padded(self._shared.nbytes)
        self._parts: dict[Order, Array] | None = None
        if version > 2 and zones:
            self._parts = {
                order: np.frombuffer(view, np.uint8, keys, start + place * _padded(keys))
                for place, order in enumerate(ORDERS)
            }

    @staticmethod
    def build(
        path: Path,
        *,
        keys: Keys,
        subjects: tuple[Hashes, npt.NDArray[np.uint32]],
        traces: tuple[Hashes, npt.NDArray[np.uint32]],
        zones: Zones,
        shared: Hashes,
        parts: Mapping[Order, Array],
    ) -> int:
        """Write the index of a segment, durably; how many bytes it has.

        `keys`: of each row, in order. `subjects` and `traces`: hashes and the rows that have them. `shared`:
        hashes that several subjects have, ascending. `parts`: of each row, see `Zones.parts`; empty where
        there are no zones.
        """
        if len(keys) >= MAX_ROWS:
            raise ValueError(f"a segment holds fewer than {MAX_ROWS} rows, not {len(keys)}")
        words = np.zeros(bloom.words_for(len(keys), _BLOOM_BITS), np.uint64)
        bloom.add(words, bloom.Probes.of(keys))
        arrays = [
            words,
            *_Table.arrays(keys >> np.uint64(64 - _KEY_BITS), np.arange(len(keys)), _KEY_BITS),
            *_Table.arrays(*subjects, 32),
            *_Table.arrays(*traces, 32),
            *zones.arrays(),
            shared,
            *(parts[order] for order in ORDERS if parts),
        ]
        size = _HEADER.size + _FURTHER.size + sum(_padded(array.nbytes) for array in arrays)
        counts = struct.pack("<QQQQQ", size, len(words), len(keys), len(subjects[0]), len(traces[0]))
        counts += _FURTHER.pack(len(zones.timeless), len(shared))
        crc = isal_zlib.crc32(counts)
        for part in _parts(arrays):
            crc = isal_zlib.crc32(part, crc)
        with path.open("wb") as file:
            file.write(struct.pack("<8sII", _MAGIC, _VERSION, crc) + counts)
            for part in _parts(arrays):
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        return size

    @classmethod
    def open(cls, path: Path) -> Self:
        """Map the file. Raises IndexDamaged where magic, version or length are not right."""
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < _HEADER.size:
                raise IndexDamaged(f"{path} has {size} bytes, fewer than an index's header")
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, version, _, written, *_ = _HEADER.unpack_from(data)
        if magic != _MAGIC or not 1 <= version <= _VERSION:
            raise IndexDamaged(f"{path} is no index of a version up to {_VERSION}")
        if written != size:
            raise IndexDamaged(f"{path} has {size} bytes, {written} were written")
        return cls(data, path)

    def close(self) -> None:
        """Let the file go. For when nobody looks anything up any more: from here on that is a ValueError."""
        self._bloom = np.zeros(1, np.uint64)
        self._keys = self._subjects = self._traces = self._parts = None
        self._data = None

    def verify(self) -> None:
        """Read all of it. Raises IndexDamaged where the checksum is another."""
        data = memoryview(self._open())
        _, _, crc, *_ = _HEADER.unpack_from(data)
        if isal_zlib.crc32(data[_CHECKED_FROM:]) != crc:
            raise IndexDamaged(f"{self._path}: the checksum is not that of what was written")

    def candidates(self, keys: Keys, probes: bloom.Probes | None = None) -> tuple[Rows, Rows]:
        """(positions in `keys`, rows): each row whose key agrees in its upper 40 bits and may be the same.

        Positions ascend. `probes` are those of `keys`, where they are at hand.
        """
        self._open()
        table = self._keys
        if table is None:
            return _NO_ROWS, _NO_ROWS
        maybe = bloom.hits(self._bloom, probes or bloom.Probes.of(keys))
        if not maybe.size:
            return _NO_ROWS, _NO_ROWS
        found, rows = table.find(keys[maybe] >> np.uint64(64 - _KEY_BITS))
        return maybe[found], rows

    def rows_of_id(self, event_id: str) -> Rows:
        """Rows that may have this id, ascending."""
        prefix = id_prefix(event_id)
        below = ID_BITS - _DIRECTORY_BITS
        low = (prefix << (16 - below)) & 0xFFFF
        self._open()
        return _equal(self._keys, prefix >> below, low, low + (1 << (16 - below)) - 1)

    def rows_of_subject(self, subject: str) -> Rows:
        """Rows that may have this subject, ascending."""
        self._open()
        return _equal_hash(self._subjects, subject_hash(subject))

    def tells(self, subject: str) -> bool:
        """Whether all of `rows_of_subject` have the same subject, which may be another one."""
        return self._shared is not None and not np.isin(subject_hash(subject), self._shared).any()

    def rows_of_trace(self, trace_id: str) -> Rows:
        """Rows that may have this trace id (32 hexadecimal digits in lower case), ascending."""
        self._open()
        value = trace_hash(trace_id)
        return _NO_ROWS if value is None else _equal_hash(self._traces, value)

    def ends(self, rows: Rows, order: Order) -> tuple[Rows, Rows] | None:
        """Between which ends (included) each row's seq or moment lies; None where the file does not tell."""
        self._open()
        if self.zones is None:
            return None
        first, last = self.zones.ends(rows, order)
        if self._parts is None:
            return first, last
        width = _width(first, last)
        low = first + self._parts[order][rows].astype(np.int64) * width
        return low, np.minimum(low + width - 1, last)

    def may_lack_time(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Of each row, whether its event may have no `time`."""
        if self.zones is None:
            return np.ones(len(rows), np.bool_)
        return np.asarray(self.zones.timeless[rows // ZONE_ROWS], np.bool_)

    def _open(self) -> mmap.mmap:
        # Nothing found in a closed index would pass for nothing there.
        if self._data is None:
            raise ValueError(f"{self._path} is closed")
        return self._data


def _width(first: Rows, last: Rows) -> Rows:
    return (last - first) // _PARTS + 1


def _equal(table: _Table | None, bucket: int, low: int, high: int) -> Rows:
    return _NO_ROWS if table is None else table.equal(bucket, low, high)


def _equal_hash(table: _Table | None, value: int) -> Rows:
    rest = value & 0xFFFF
    return _equal(table, value >> 16, rest, rest)


def _padded(size: int) -> int:
    return -(-size // 8) * 8


def _parts(arrays: Iterable[Array]) -> Iterable[Any]:
    for array in arrays:
        yield np.ascontiguousarray(array).data.cast("B")
        if padding := _padded(array.nbytes) - array.nbytes:
            yield bytes(padding)
