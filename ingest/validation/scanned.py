"""What the scan of a body finds."""

from dataclasses import dataclass

Body = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Doubt:
    """An event that the exact check is to decide."""

    index: int
    """Its place among the body's events, from 0."""
    start: int
    end: int
    """Its bytes in the body."""
    at: int
    """Its line's place among the lines that were written."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """A body after the scan."""

    count: int
    """Events, the doubtful ones included."""
    lines: memoryview
    """The lines of all others; valid until this thread scans again."""
    doubts: list[Doubt]
