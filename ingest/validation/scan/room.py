"""Calls the scan: gives it arrays to work in, and reads what it found out of them."""

import threading
from functools import lru_cache
from typing import Final

import numpy as np

from ingest.validation.attributes import MAX_MEDIA_TYPE_LENGTH, MAX_SCHEMA_LENGTH, MAX_TIME_LENGTH
from ingest.validation.limits import MAX_EVENTS_PER_BODY, Limits
from ingest.validation.scan import places
from ingest.validation.scan.body import scan
from ingest.validation.scan.machine import Numbers
from ingest.validation.scanned import Body, Doubt, Scanned

_LEAST: Final = 1 << 20


class _Room(threading.local):
    """A thread's arrays, kept from one body to the next; they grow with the largest body."""

    def __init__(self) -> None:
        self.work = np.zeros(places.work_size(MAX_EVENTS_PER_BODY), np.int64)
        self.grow(_LEAST)

    def grow(self, size: int) -> None:
        # What is not used of it takes no memory: the system gives pages as they are written.
        self.body = np.zeros(size + places.PADDING, np.uint8)
        self.lines = np.empty(size + places.PADDING, np.uint8)
        self.scratch = np.empty(size + places.PADDING, np.uint8)


_room: Final = _Room()


def room(size: int) -> memoryview:
    """Memory of `size` bytes for this thread's next body: `scan_body` does not copy it."""
    if len(_room.body) < size + places.PADDING:
        _room.grow(size + size // 4)
    return _room.body.data[:size]


def scan_body(body: Body, form: int, limits: Limits) -> Scanned | None:
    """As `ingest.validation.scanner.scan`."""
    size = len(body)
    if not isinstance(body, memoryview) or body.obj is not _room.body.data.obj:
        room(size)[:] = body
    _room.body[size : size + places.PADDING] = 0
    work = _room.work
    written = scan(_room.body, size, form, _numbers(limits), _room.lines, _room.scratch, work)
    if written < 0:
        return None
    found = work[places.DOUBT : places.DOUBT + places.DOUBT_SIZE * int(work[places.DOUBTS])]
    doubts = [Doubt(*numbers) for numbers in found.reshape(-1, places.DOUBT_SIZE).tolist()]
    return Scanned(int(work[places.COUNT]), _room.lines.data[:written], doubts)


@lru_cache(maxsize=8)
def _numbers(limits: Limits) -> Numbers:
    numbers = np.zeros(places.LIMITS, np.int64)
    numbers[places.MAX_EVENT_BYTES] = limits.max_event_bytes
    numbers[places.MAX_NESTING] = limits.max_nesting
    numbers[places.MAX_EXTENSION_NAME] = limits.max_extension_name_length
    numbers[places.MAX_EVENTS] = MAX_EVENTS_PER_BODY
    for attribute, length in (
        (places.ID, limits.max_id_length),
        (places.SOURCE, limits.max_source_length),
        (places.TYPE, limits.max_type_length),
        (places.SUBJECT, limits.max_subject_length),
        (places.TIME, MAX_TIME_LENGTH),
        (places.MEDIA_TYPE, MAX_MEDIA_TYPE_LENGTH),
        (places.SCHEMA, MAX_SCHEMA_LENGTH),
    ):
        numbers[places.MAX_LENGTH + attribute] = length
    return numbers
