"""The way through a body: each event is written as its line or put on the list of doubts."""

import hashlib
from pathlib import Path
from typing import Final, Protocol, cast

import numba

from ingest.validation.scan import places, signs
from ingest.validation.scan.event import read_event, start_event
from ingest.validation.scan.line import write_line
from ingest.validation.scan.machine import ByteArray, Bytes, NumberArray, Numbers, compiled, inlined, njit
from ingest.validation.scan.tokens import space
from ingest.validation.scan.value import read_value


class Scan(Protocol):
    """The scan itself."""

    def __call__(
        self, body: Bytes, size: int, form: int, limits: Numbers, out: Bytes, scratch: Bytes, work: Numbers, /
    ) -> int:
        """Write the lines of the body's events to `out`; their bytes, or `BROKEN`, or `TOO_MANY`.

        `body` holds `size` bytes and `PADDING` zeros. What was found besides is in `work`, which is zeros at
        first and may be used again and again, by one thread at a time. Raises ValueError for short arrays.
        """
        ...


@inlined
def note_doubt(work: Numbers, index: int, start: int, end: int, at: int) -> None:
    """Put an event on the list."""
    place = places.DOUBT + places.DOUBT_SIZE * work[places.DOUBTS]
    work[place] = index
    work[place + 1] = start
    work[place + 2] = end
    work[place + 3] = at
    work[places.DOUBTS] += 1


@compiled
def scan_lines(
    body: Bytes, size: int, lines: bool, limits: Numbers, out: Bytes, scratch: Bytes, work: Numbers
) -> int:
    """Write the lines of a body with one event a line; their bytes, or `TOO_MANY`."""
    at, written, count, feeds = 0, 0, 0, 0
    while at < size:
        start = at
        at = space(body, at, lines)
        if at < size and body[at] != signs.LF:
            end = -1
            if body[at] == signs.OPEN:
                end = read_event(body, at, lines, limits, scratch, work)
                if end >= 0:
                    at = space(body, end, lines)
                    if at < size and body[at] != signs.LF:
                        end = -1
            if end < 0:
                while at < size and body[at] != signs.LF:
                    at += 1
            if end < 0 or work[places.DOUBTFUL] or at - start > limits[places.MAX_EVENT_BYTES]:
                note_doubt(work, count, start, at, written)
            else:
                written = write_line(body, scratch, out, written, work)
            count += 1
        if at < size:
            feeds += 1
            if feeds >= limits[places.MAX_EVENTS]:
                return places.TOO_MANY
        at += 1
    work[places.COUNT] = count
    return written


@compiled
def scan_array(
    body: Bytes, size: int, lines: bool, limits: Numbers, out: Bytes, scratch: Bytes, work: Numbers
) -> int:
    """Write the lines of an array of events; their bytes, or `BROKEN`, or `TOO_MANY`."""
    at = space(body, 0, lines)
    if body[at] != signs.OPEN_ARRAY:
        return places.BROKEN
    written, count = 0, 0
    at = space(body, at + 1, lines)
    if body[at] != signs.CLOSE_ARRAY:
        while True:
            if count >= limits[places.MAX_EVENTS]:
                return places.TOO_MANY
            start = at
            if body[at] == signs.OPEN:
                at = read_event(body, at, lines, limits, scratch, work)
            else:
                start_event(work)
                at = read_value(body, at, lines, work)
                work[places.DOUBTFUL] = 1
            if at < 0:
                return places.BROKEN
            if work[places.DOUBTFUL] or at - start > limits[places.MAX_EVENT_BYTES]:
                note_doubt(work, count, start, at, written)
            else:
                written = write_line(body, scratch, out, written, work)
            count += 1
            at = space(body, at, lines)
            if body[at] == signs.CLOSE_ARRAY:
                break
            if body[at] != signs.COMMA:
                return places.BROKEN
            at = space(body, at + 1, lines)
    if space(body, at + 1, lines) != size:
        return places.BROKEN
    work[places.COUNT] = count
    return written


@compiled
def scan_one(
    body: Bytes, size: int, lines: bool, limits: Numbers, out: Bytes, scratch: Bytes, work: Numbers
) -> int:
    """Write the line of a body that is one event; its bytes."""
    work[places.COUNT] = 1
    at = space(body, 0, lines)
    if size <= limits[places.MAX_EVENT_BYTES] and body[at] == signs.OPEN:
        at = read_event(body, at, lines, limits, scratch, work)
        if at >= 0 and not work[places.DOUBTFUL] and space(body, at, lines) == size:
            return write_line(body, scratch, out, 0, work)
    note_doubt(work, 0, 0, size, 0)
    return 0


def _compile(sources: int) -> Scan:
    def scan(
        body: Bytes, size: int, form: int, limits: Numbers, out: Bytes, scratch: Bytes, work: Numbers
    ) -> int:
        if (
            size < 0
            or min(len(body), len(out), len(scratch)) < size + places.PADDING
            or len(limits) < places.LIMITS
            or len(work) < places.DOUBT + places.DOUBT_SIZE * (limits[places.MAX_EVENTS] + 1)
        ):
            raise ValueError("an array is too short")
        work[places.SOURCES] = sources
        work[places.DOUBTS] = 0
        # A number is no type of its own then, for which all would be compiled again.
        lines = form == places.LINES
        if form == places.LINES:
            return scan_lines(body, size, lines, limits, out, scratch, work)
        if form == places.ARRAY:
            return scan_array(body, size, lines, limits, out, scratch, work)
        return scan_one(body, size, lines, limits, out, scratch, work)

    integer = numba.types.int64
    signature = integer(ByteArray, integer, integer, NumberArray, ByteArray, ByteArray, NumberArray)
    options = {"nogil": True, "error_model": "numpy", "_nrt": False}
    try:
        return cast(Scan, njit(signature, cache=True, **options)(scan))
    except RuntimeError:
        # There is no folder that a cache could be written to.
        return cast(Scan, njit(signature, **options)(scan))


def _sources() -> int:
    """A number that changes with the package's source: of the files, numba's cache knows only this one.

    It knows the values that the function finds outside of itself, too, and `sources` is such a value.
    """
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return int.from_bytes(digest.digest()[:7], "little")


scan: Final = _compile(_sources())
"""Compiled, or read from the cache on disk, when this module is imported."""
