"""How the loader tells those who wait (`?wait=archived`) what became of their block.

A file of fixed records beside the journal files; the loader replaces it when it has grown.
"""

import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from eventcenter.journal.format import Position

_RECORD = struct.Struct("<QQIII")
_NAME = "outcomes"
_REPLACE_AT = 4 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of the block at `position`, in events."""

    position: Position
    stored: int
    duplicates: int
    rejected: int


class OutcomeWriter:
    """The loader's side, for one writer's folder. Begins a new file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        self._file = -1
        self._replace()

    def write(self, outcomes: Iterable[Outcome]) -> None:
        """Append; not synced, because after a crash the loader tells it again."""
        data = b"".join(_RECORD.pack(*o.position, o.stored, o.duplicates, o.rejected) for o in outcomes)
        if self._file < 0 or self._size + len(data) > _REPLACE_AT:
            self._replace()
        os.write(self._file, data)
        self._size += len(data)

    def close(self) -> None:
        """Close the file."""
        # Never twice: the number may be another file's by then.
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _replace(self) -> None:
        self.close()
        fresh = self._path.with_suffix(".new")
        self._file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
        self._size = 0
        fresh.rename(self._path)


class OutcomeReader:
    """The ingest service's side; what was written before it was made is not told."""

    def __init__(self, folder: Path, writer: str = "main") -> None:
        self._path = folder / writer / _NAME
        self._file = -1
        self._offset = 0
        if self._open():
            self._offset = os.fstat(self._file).st_size

    def poll(self) -> list[Outcome]:
        """The outcomes since the last call."""
        found: list[Outcome] = []
        if self._file < 0 and not self._open():
            return found
        found.extend(self._read())
        if self._replaced():
            found.extend(self._read())
            self.close()
            if self._open():
                found.extend(self._read())
        return found

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> bool:
        try:
            self._file = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        self._offset = 0
        return True

    def _read(self) -> list[Outcome]:
        size = os.fstat(self._file).st_size - self._offset
        data = os.pread(self._file, size - size % _RECORD.size, self._offset)
        self._offset += len(data)
        return [
            Outcome(position=Position(file, start), stored=stored, duplicates=duplicates, rejected=rejected)
            for file, start, stored, duplicates, rejected in _RECORD.iter_unpack(data)
        ]

    def _replaced(self) -> bool:
        try:
            return self._path.stat().st_ino != os.fstat(self._file).st_ino
        except FileNotFoundError:
            return False
