"""Which parts of an archive, and which rows of them, a question has to look at."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial, reduce

import numpy as np

from eventcenter.archive.archive import Reader
from eventcenter.archive.index import Rows
from eventcenter.archive.manifest import Fresh, Layout, Segment
from eventcenter.archive.relation import COLUMNS, PathColumn, PathTest, events
from eventcenter.clock import to_micros
from queries.request import EventFilter, TimeField
from queries.stretches import Stretch, nearest

_EVENTS_PER_ROW = 20_000
"""A row by its number costs about as much as so many rows in a scan."""


def of_seqs(layout: Layout, first: int, last: int) -> Layout:
    """The parts that hold events of first…last, both included."""
    ends = [after.first_seq - 1 for after in layout.fresh[1:]] + [last]
    fresh = tuple(
        one for one, end in zip(layout.fresh, ends, strict=True) if one.first_seq <= last and end >= first
    )
    segments = tuple(one for one in layout.segments if one.first_seq <= last and one.last_seq >= first)
    return Layout(fresh=fresh or layout.fresh[-1:], segments=segments)


def filled(layout: Layout, last_seq: int) -> Layout:
    """Without tables of fresh events that are empty, but for one where there is nothing else."""
    fresh = tuple(one for one in layout.fresh if one.first_seq <= last_seq)
    return Layout(fresh=fresh if fresh or layout.segments else layout.fresh[-1:], segments=layout.segments)


def of_times(layout: Layout, field: TimeField, stretch: Stretch) -> Layout:
    """The parts that may hold events of the half-open stretch (µs since 1970); of fresh ones all may."""
    from_, to = (None if end is None else nearest(end) for end in stretch)

    def meets(one: Segment) -> bool:
        first, last = moments(one, field)
        return (to is None or first <= to) and (from_ is None or last >= from_)

    return Layout(fresh=layout.fresh, segments=tuple(filter(meets, layout.segments)))


def moments(segment: Segment, field: TimeField) -> tuple[datetime, datetime]:
    """Its first and its last one."""
    if field == "time":
        return segment.first_at, segment.last_at
    return segment.first_received_at, segment.last_received_at


def of_filter(layout: Layout, which: EventFilter) -> Layout:
    """The parts that may hold events which pass the filter."""
    stretch = (
        None if which.from_ is None else to_micros(which.from_),
        None if which.to is None else to_micros(which.to),
    )
    return of_times(layout, which.time_field, stretch)


def first_seq_of(layout: Layout, seq: int) -> int:
    """The first seq of the part that holds `seq`, or would."""
    return max((start for start in _starts(layout) if start <= seq), default=seq)


def last_seq_of(layout: Layout, seq: int) -> int:
    """The last seq of the part that holds `seq`, or would."""
    return min((start - 1 for start in _starts(layout) if start > seq), default=seq)


def fresh_of(layout: Layout, seq: int) -> Fresh:
    """The table of fresh events that would hold `seq`."""
    return next((one for one in reversed(layout.fresh) if one.first_seq <= seq), layout.fresh[0])


def is_picked(which: EventFilter) -> bool:
    """Whether indexes tell which rows may pass."""
    return bool(which.ids or which.subjects or which.traces)


def fresh_with(reader: Reader, fresh: Iterable[Fresh], which: EventFilter) -> tuple[Fresh, ...]:
    """Those of the reader's tables of fresh events that may hold an id of the filter; without ids, all."""
    return tuple(one for one in fresh if not which.ids or reader.may_hold(one, which.ids))


def rows_of(segment: Segment, which: EventFilter) -> Rows:
    """Rows that may pass a filter that `is_picked`; whoever takes them asks the whole filter all the same."""
    index = segment.index
    asked = (
        (which.ids, index.rows_of_id),
        (which.subjects, index.rows_of_subject),
        (which.traces, index.rows_of_trace),
    )
    found = [np.unique(np.concatenate([*map(look, values)])) for values, look in asked if values]
    return reduce(np.intersect1d, found)


def source(
    layout: Layout,
    which: EventFilter,
    *,
    columns: Sequence[str] = COLUMNS,
    paths: Sequence[PathColumn | PathTest] = (),
) -> str:
    """The relation to select from, with the columns `part` and `row`: what may pass the filter, and more.

    `columns` of the events, and `paths` as further ones.
    """
    select = partial(events, columns=columns, paths=paths, place=True)
    if not is_picked(which):
        return f"({select(layout)})"
    found = [(one, rows_of(one, which)) for one in layout.segments]
    many = tuple(one for one, rows in found if len(rows) * _EVENTS_PER_ROW > one.events)
    few = [(one, rows) for one, rows in found if len(rows) and one not in many]
    branches = []
    if layout.fresh or many:
        branches.append(select(Layout(fresh=layout.fresh, segments=many)))
    if few:
        rows_by_number = {one.number: rows.tolist() for one, rows in few}
        chosen = Layout(fresh=(), segments=tuple(one for one, _ in few))
        branches.append(select(chosen, rows=rows_by_number))
    return f"({' UNION ALL '.join(branches)})"


def at(
    layout: Layout, places: Iterable[tuple[int, int | None, int]]
) -> tuple[list[tuple[Fresh, list[int]]], list[tuple[Segment, list[int]]]]:
    """For (seq, part, row) of events: tables of fresh ones, and segments, with the rows to take from each."""
    settled = {one.number: one for one in layout.segments}
    of_fresh: dict[Fresh, list[int]] = {}
    of_segments: dict[int, list[int]] = {}
    for seq, number, row in places:
        if number is None:
            of_fresh.setdefault(fresh_of(layout, seq), []).append(row)
        else:
            of_segments.setdefault(number, []).append(row)
    return list(of_fresh.items()), [(settled[number], rows) for number, rows in of_segments.items()]


def _starts(layout: Layout) -> list[int]:
    return [one.first_seq for one in layout.segments] + [one.first_seq for one in layout.fresh]
