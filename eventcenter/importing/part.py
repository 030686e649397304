"""The events of one request, with their place in the file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from eventcenter.sender import BATCH_BYTES

PART_BYTES = BATCH_BYTES
"""Most bytes of events in one part, except for a single larger event."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where reading goes on: `offset` in bytes of (unpacked) text or in rows, and the lines before it."""

    offset: int = 0
    lines: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Single:
    """An event that only the binary mode can carry as it was."""

    headers: Mapping[str, str]
    body: bytes
    number: int
    """Its row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Events of one bus, one a line."""

    bus: str
    body: bytes
    first: int
    """Number of the first line or row, from 1."""
    place: Place
    """Where reading goes on once this part and all before it are acknowledged."""
    read: int
    """Bytes of the file read so far, as they lie on disk."""
    numbers: Sequence[int] | None = None
    """The row of each line, where they do not follow each other."""
    singles: Sequence[Single] = field(default=())

    def number(self, index: int) -> int:
        """The number in the file of the line at `index` of the body."""
        return self.first + index if self.numbers is None else int(self.numbers[index])


class Reader(Protocol):
    """Reads one file as parts, from a place on; raises InvalidInput where the file is broken."""

    @property
    def unit(self) -> str:
        """What its numbers count: line or row."""
        ...

    def parts(self, start: Place) -> Iterator[Part]:
        """The parts from `start` to the end, in order."""
        ...
