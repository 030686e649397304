"""Appends blocks to the journal and makes them durable."""

import contextlib
import errno
import fcntl
import os
import secrets
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from eventcenter.clock import Clock, to_micros
from eventcenter.errors import Busy, Conflict, StorageFull, Unavailable
from eventcenter.journal import format as fmt
from eventcenter.journal.ahead import Ahead
from eventcenter.journal.format import Block, Position
from eventcenter.journal.reader import scan_file

_FULL = {errno.ENOSPC, errno.EDQUOT}
_MEASURE_EVERY_S = 0.25
_WORTH_A_FILE = 1 << 20
_LEAST_FILE = 4 << 20
_FILES_IN_FLOOR = 4
"""A file goes when all of it is archived: what it holds must find room in the archive beside it."""
_PARTS_AT_ONCE = 512
"""Less than the least IOV_MAX of Linux (1024)."""
_SMALL_GROUP = 256 << 10
"""Beyond this a sync takes its time for the bytes, not for the file's length."""
_ZEROING_PAYS = 64
"""Small groups in one file, from which on the next file is zeroed ahead."""


class JournalWriter:
    """One writer's folder. Thread-safe, but meant to be given whole groups by one committer.

    After a crash it begins a new file, so that a position is never used twice, and cuts the torn tail of
    the old one, which nobody was told to be durable.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock,
        writer: str = "main",
        max_bytes: int = 4 << 30,
        segment_bytes: int = 64 << 20,
        quiet_s: float = 10.0,
        zeroed_bytes: int = 16 << 20,
        disk_floor_bytes: int = 0,
    ) -> None:
        """Open (and make) the folder `folder/writer`.

        Files have `segment_bytes`, or less where little disk is left to the loader below the floor.
        Where groups are small, files of `zeroed_bytes` (at most a segment) are zeroed ahead. `rest` leaves a
        file in which nothing was written for `quiet_s` seconds.

        Raises Conflict where another process writes to it already.
        """
        self._folder = folder / writer
        # Level by level: with `parents` alone the mode would count for the last one only.
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder.mkdir(exist_ok=True, mode=0o700)
        self._clock = clock
        self._max_bytes = max_bytes
        if disk_floor_bytes:
            segment_bytes = min(segment_bytes, max(disk_floor_bytes // _FILES_IN_FLOOR, _LEAST_FILE))
        self._segment_bytes = segment_bytes
        self._quiet_s = quiet_s
        self._disk_floor = disk_floor_bytes
        self._mutex = threading.Lock()
        self._lock_file = self._lock()
        self.journal_id = journal_id(self._folder)
        self._measured_at = -_MEASURE_EVERY_S
        self._size = 0
        self._last_received = 0
        self._offset = 0
        self._zeroed = 0
        self._small_groups = 0
        self._appended_at = time.monotonic()
        self._header = fmt.encode_file_header(self.journal_id)
        self._ahead = Ahead(
            self._folder,
            header=self._header,
            size=min(zeroed_bytes, segment_bytes),
            disk_floor_bytes=disk_floor_bytes,
        )
        numbers = fmt.file_numbers(self._folder)
        self._number = numbers[-1] if numbers else 0
        if numbers:
            self._recover(fmt.file_path(self._folder, self._number))
        self._file = -1
        self._next_file()

    def append(self, blocks: Sequence[Block]) -> list[Position]:
        """Append the blocks, sync once, and return their positions; blocks the caller.

        All have the same `received_at`, which never decreases. Raises Busy where the journal is at its
        bound, StorageFull at the disk's floor or where the disk is full, Unavailable where it fails
        otherwise; then none of the blocks is journalled.
        """
        with self._mutex:
            size = sum(len(block.payload) + 128 for block in blocks)
            self._check_room(size)
            self._choose_file(size)
            self._last_received = max(self._last_received, to_micros(self._clock.now()))
            parts: list[bytes] = []
            positions: list[Position] = []
            end = self._offset
            for block in blocks:
                header = fmt.encode_block(block, self._last_received)
                parts += (header, block.payload)
                positions.append(Position(self._number, end))
                end += len(header) + len(block.payload)
            self._write(parts)
            self._size += end - self._offset
            self._offset = end
            self._appended_at = time.monotonic()
            self._look_ahead(size)
            return positions

    def rest(self) -> None:
        """Begin another file if nothing came for a while: what is loaded goes away by whole files only."""
        quiet = time.monotonic() - self._appended_at >= self._quiet_s
        if quiet and self._offset >= _WORTH_A_FILE and self._mutex.acquire(blocking=False):
            try:
                self._next_file()
            finally:
                self._mutex.release()

    def size(self) -> int:
        """Bytes written in the writer's folder, without zeros; at most a quarter of a second old."""
        now = time.monotonic()
        if now - self._measured_at >= _MEASURE_EVERY_S:
            self._measure()
        return self._size

    def close(self) -> None:
        """Give the folder free."""
        with self._mutex:
            self._ahead.close()
            self._close_file()
            if self._lock_file >= 0:
                os.close(self._lock_file)
                self._lock_file = -1

    def _choose_file(self, size: int) -> None:
        """See to it that the group of about `size` bytes goes where it should."""
        if self._file < 0 or self._offset >= self._segment_bytes:
            self._next_file(zeroed=size <= _SMALL_GROUP and self._ahead.ready)
        elif size <= _SMALL_GROUP and self._offset + size > self._zeroed and self._ahead.ready:
            self._next_file(zeroed=True)

    def _look_ahead(self, size: int) -> None:
        """Have the next file zeroed, in time, where that pays."""
        self._small_groups += size <= _SMALL_GROUP
        if (
            self._small_groups >= _ZEROING_PAYS
            and self._offset >= self._zeroed // 2
            and not self._ahead.ready
            and self._size + self._ahead.size <= self._max_bytes
        ):
            self._ahead.prepare()

    def _write(self, parts: Sequence[bytes]) -> None:
        try:
            offset = self._offset
            for start in range(0, len(parts), _PARTS_AT_ONCE):
                offset = self._write_all(parts[start : start + _PARTS_AT_ONCE], offset)
            os.fdatasync(self._file)
        except OSError as error:
            self._give_up_file()
            if error.errno in _FULL:
                raise StorageFull(
                    "The disk is full; nothing of this request was kept.",
                    remedy="free disk space; ingest goes on by itself",
                ) from error
            raise Unavailable(
                f"The journal cannot be written: {error.strerror}.",
                value=self._folder,
                remedy="look at the disk; the request can be sent again",
            ) from error

    def _write_all(self, parts: Sequence[bytes], offset: int) -> int:
        """Write at `offset`; the offset behind it."""
        length = sum(map(len, parts))
        written = os.pwritev(self._file, parts, offset)
        if written < length:
            view = memoryview(b"".join(parts))
            while written < length:
                written += os.pwrite(self._file, view[written:], offset + written)
        return offset + length

    def _give_up_file(self) -> None:
        """After a failed write or sync what stands behind the last good offset is not to be trusted."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self._offset)
        os.close(self._file)
        self._file = -1

    def _close_file(self) -> None:
        """Close the present file, without the zeros that are left."""
        if self._file < 0:
            return
        if self._offset < self._zeroed:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._offset)
        os.close(self._file)
        self._file = -1

    def _check_room(self, wanted: int) -> None:
        if self.size() + wanted > self._max_bytes:
            self._measure()
            if self._size + wanted > self._max_bytes:
                raise Busy(
                    "The journal is at its bound because the loader is behind.",
                    value=f"{self._size} bytes",
                    rule=f"at most {self._max_bytes} bytes (EVENTCENTER_JOURNAL_MAX_BYTES)",
                    remedy="send it again later; if this lasts, see whether the server runs",
                    retry_after=5,
                )
        if self._disk_floor:
            stats = os.statvfs(self._folder)
            free = stats.f_bavail * stats.f_frsize
            if free - wanted < self._disk_floor:
                raise StorageFull(
                    "Free disk space is at its floor; nothing of this request was kept.",
                    value=f"{free} bytes free",
                    rule=f"at least {self._disk_floor} bytes stay free (EVENTCENTER_DISK_FLOOR_BYTES)",
                    remedy="free disk space; ingest goes on by itself",
                )

    def _measure(self) -> None:
        total = 0
        for number in fmt.file_numbers(self._folder):
            with contextlib.suppress(FileNotFoundError):
                # Of the present file only what is written counts, not the zeros behind.
                present = number == self._number and self._file >= 0
                total += self._offset if present else fmt.file_path(self._folder, number).stat().st_size
        self._size = total
        self._measured_at = time.monotonic()

    def _next_file(self, *, zeroed: bool = False) -> None:
        """Begin the next file; `zeroed` takes the one that is ready."""
        try:
            self._close_file()
            number = self._number + 1
            path = fmt.file_path(self._folder, number)
            file = self._ahead.take(path) if zeroed else _begin(path, self._header)
            try:
                sync_folder(self._folder)
            except OSError:
                os.close(file)
                path.unlink(missing_ok=True)
                raise
        except OSError as error:
            kind = StorageFull if error.errno in _FULL else Unavailable
            raise kind(
                f"No new journal file can be begun: {error.strerror}.",
                value=self._folder,
                remedy="look at the disk; ingest goes on by itself",
            ) from error
        self._file, self._number = file, number
        self._offset = len(self._header)
        self._zeroed = self._ahead.size if zeroed else 0
        self._small_groups = 0

    def _recover(self, path: Path) -> None:
        """Cut what a crash tore from the last file, and go on from its clock."""
        end, last = scan_file(path)
        if last is not None:
            self._last_received = last.received_at
        with path.open("r+b") as file:
            file.truncate(end)
            os.fsync(file.fileno())

    def _lock(self) -> int:
        file = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(file)
            raise Conflict(
                "Another ingest service of this name writes to the journal.",
                value=self._folder,
                rule="each ingest service has a folder of its own in the journal, by its name",
                remedy="stop the other one, or give this one another name (EVENTCENTER_INGEST_NAME)",
            ) from error
        return file


def journal_id(folder: Path) -> bytes:
    """The folder's id, 16 random bytes, made on first use.

    A loader remembers how far it came by this id: a journal that was deleted and begun anew is another.
    """
    path = folder / "id"
    if not path.exists():
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(secrets.token_bytes(16))
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
        sync_folder(folder)
    return path.read_bytes()


def _begin(path: Path, header: bytes) -> int:
    """A new file with its header, durable but for its name."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.pwrite(file, header, 0)
        os.fdatasync(file)
    except OSError:
        os.close(file)
        path.unlink(missing_ok=True)
        raise
    return file


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
