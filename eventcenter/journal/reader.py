"""Reads blocks from a writer's folder, also while they are being written."""

import os
from dataclasses import dataclass
from pathlib import Path

from eventcenter.journal import format as fmt
from eventcenter.journal.format import Position, ReadBlock

_FIRST_STEP = 256 << 10
_LONGEST_STEP = 8 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Damage:
    """A stretch of a closed file that holds no whole block: bytes [start, end)."""

    path: Path
    start: int
    end: int


class JournalReader:
    """Goes through a folder's blocks in order, once; not thread-safe.

    What stands at the end of the newest file and is not a whole block is taken for a write in progress
    and read again later. In an older file it is damage, unless it is zeros up to the end, where nothing was
    ever written: reported, and the search goes on behind it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._offset = 0
        self._header_seen = False
        self.journal_id: bytes | None = None

    @property
    def name(self) -> str:
        """The writer's name."""
        return self._folder.name

    @property
    def next_position(self) -> Position:
        """Where the next block to be read stands."""
        return Position(self._number, self._offset)

    def read(self, max_bytes: int) -> tuple[list[ReadBlock], list[Damage]]:
        """The next whole blocks, until there are `max_bytes` of them (at least one), and damage passed."""
        blocks: list[ReadBlock] = []
        damages: list[Damage] = []
        room = max_bytes
        while room > 0:
            taken = self._read_file(room, blocks, damages) if self._number else 0
            room -= taken
            if taken == 0 and not self._advance():
                break
        return blocks, damages

    def release(self, through: Position) -> None:
        """Remove the files whose every block stands at or before `through`; the newest always stays."""
        for number in fmt.file_numbers(self._folder):
            if number < min(through.file, self._number):
                fmt.file_path(self._folder, number).unlink(missing_ok=True)

    def _unread(self) -> bool:
        path = fmt.file_path(self._folder, self._number)
        return path.exists() and path.stat().st_size > self._offset

    def _advance(self) -> bool:
        """Whether there is more to read now; goes to the next file at the present one's end."""
        later = [number for number in fmt.file_numbers(self._folder) if number > self._number]
        if not later:
            return False
        if self._number and self._unread():
            return True
        self._number, self._offset, self._header_seen = later[0], 0, False
        return True

    def _closed(self) -> bool:
        return any(number > self._number for number in fmt.file_numbers(self._folder))

    def _read_file(self, room: int, blocks: list[ReadBlock], damages: list[Damage]) -> int:
        path = fmt.file_path(self._folder, self._number)
        # Asked before reading: what a closed file holds by then will not grow.
        closed = self._closed()
        try:
            file = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return 0
        try:
            if not self._header_seen and not self._read_header(file, path, closed, damages):
                return 0
            taken, step = 0, _FIRST_STEP
            while taken < room:
                found = self._read_step(file, min(step, room - taken), blocks)
                if found == 0:
                    break
                taken += found
                step = min(2 * step, _LONGEST_STEP)
            if taken == 0 and closed:
                taken = self._pass_damage(file, path, damages)
            return taken
        finally:
            os.close(file)

    def _read_step(self, file: int, length: int, blocks: list[ReadBlock]) -> int:
        """Take the whole blocks in the next `length` bytes, at least the first one; the bytes they fill."""
        claimed = fmt.claimed_bytes(_read_at(file, self._offset, fmt.BLOCK_HEADER_BYTES))
        if claimed == 0:
            # Also the usual case of zeros that were written ahead: they are not read each time.
            return 0
        left = os.fstat(file).st_size - self._offset
        taken = self._take(memoryview(_read_at(file, self._offset, min(left, max(length, claimed)))), blocks)
        self._offset += taken
        return taken

    def _pass_damage(self, file: int, path: Path, damages: list[Damage]) -> int:
        """Go to the next whole block of a closed file, or to its end; the bytes that are passed."""
        rest = _read_at(file, self._offset, os.fstat(file).st_size - self._offset)
        passed = _resync(memoryview(rest)) if rest else 0
        end = passed if passed < len(rest) else len(rest.rstrip(b"\0"))
        if end:
            damages.append(Damage(path=path, start=self._offset, end=self._offset + end))
        self._offset += passed
        return passed

    def _read_header(self, file: int, path: Path, closed: bool, damages: list[Damage]) -> bool:
        header = _read_at(file, 0, fmt.FILE_HEADER.size)
        if len(header) < fmt.FILE_HEADER.size and not closed:
            return False
        try:
            self.journal_id = fmt.decode_file_header(header)
            self._offset = fmt.FILE_HEADER.size
        except ValueError:
            size = os.fstat(file).st_size
            if size:
                damages.append(Damage(path=path, start=0, end=size))
            self._offset = size
        self._header_seen = True
        return True

    def _take(self, data: memoryview, blocks: list[ReadBlock]) -> int:
        offset = 0
        while found := fmt.decode_block(data, offset, Position(self._number, self._offset + offset)):
            block, offset = found
            blocks.append(block)
        return offset


def used_bytes(folder: Path) -> int:
    """Bytes of a writer's folder that are written; what is zeroed ahead does not count."""
    numbers = fmt.file_numbers(folder)
    total = 0
    for number in numbers:
        try:
            path = fmt.file_path(folder, number)
            total += path.stat().st_size if number != numbers[-1] else _written(path)
        except FileNotFoundError:
            continue
    return total


def _written(path: Path) -> int:
    """Where the blocks of the newest file end, from one header to the next."""
    with path.open("rb") as file:
        end = min(fmt.FILE_HEADER.size, os.fstat(file.fileno()).st_size)
        while claimed := fmt.claimed_bytes(_read_at(file.fileno(), end, fmt.BLOCK_HEADER_BYTES)):
            end += claimed
        return end


def scan_file(path: Path) -> tuple[int, ReadBlock | None]:
    """Where a file's last whole block ends, and that block; the header's end where there is none."""
    data = memoryview(path.read_bytes())
    end = offset = min(len(data), fmt.FILE_HEADER.size)
    last = None
    while offset < len(data):
        found = fmt.decode_block(data, offset, Position(int(path.stem), offset))
        if found is None:
            # Damage in the middle is the reader's to report: what stands behind it was acknowledged.
            offset += _resync(data[offset:])
        else:
            last, offset = found
            end = offset
    return end, last


def _read_at(file: int, offset: int, length: int) -> bytes:
    return os.pread(file, length, offset) if length > 0 else b""


def _resync(data: memoryview) -> int:
    """How far to go to the next block that is whole, or to the end."""
    raw = bytes(data)
    at = raw.find(fmt.BLOCK_MAGIC, 1)
    while at != -1:
        if fmt.decode_block(data, at, Position(0, 0)) is not None:
            return at
        at = raw.find(fmt.BLOCK_MAGIC, at + 1)
    return len(raw)
