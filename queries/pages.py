"""Where the events of a page stand: keys first, and whole rows of these alone.

A part of an archive is looked at only where it may hold what is missing, from the asked end on. Where bus,
source and type say which events pass, the archive's counts tell how far back the page reaches.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventcenter.archive.archive import Reader
from eventcenter.archive.manifest import Fresh, Layout
from eventcenter.archive.relation import COLUMNS, events
from eventcenter.archive.whole import events_at
from eventcenter.clock import to_micros
from queries import parts
from queries.picked import Picked
from queries.request import EventFilter, SearchRequest
from queries.search import ROW, Counting, Statement, is_counted, reads_json, time_column
from queries.stretches import HOUR_US, hours_of

_FIRST_WINDOW = 65_536
_FIRST_WINDOW_OF_JSON = 8_192
_GROWTH = 4
_KEYS = frozenset({"seq", "time", "received_at"})
_MOST_PICKED = 2_000
"""Rows that indexes picked are looked at one by one, up to so many."""
_FEW_ROWS = 16
"""So many whole rows more than a page needs are read rather than looked through for the right ones."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """An event's seq, and where it stands."""

    seq: int
    part: int | None
    """Number of the segment; None: a table of fresh events."""
    row: int
    micros: int
    """Its moment in what the page is ordered by, in microseconds since 1970."""
    whole: Mapping[str, Any] | None = None
    """Its row, where that has been read."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where a page begins: behind this event."""

    seq: int
    micros: int | None


def by_seq(
    reader: Reader, which: EventFilter, *, first: int, last: int, newest: bool, limit: int
) -> list[Found]:
    """Events that pass with a seq in first…last, from the asked end, at most `limit`.

    Looks at windows that grow: what is wanted mostly lies near the end, and then nothing else is read.
    """
    found: list[Found] = []
    for low, high in _windows(reader, which, first, last, newest=newest, limit=limit):
        found += _of_window(reader, which, low, high, newest=newest, limit=limit - len(found))
        if len(found) >= limit:
            break
    return found


def of_search(reader: Reader, request: SearchRequest, bound: int, start: Start | None) -> list[Found]:
    """A page of a search and one more, of the events with a seq up to `bound`, in the search's order."""
    limit = request.limit + 1
    if parts.is_picked(request):
        found = _picked(reader, request, bound, start, limit)
        if found is not None:
            return found
    if request.time_field == "time":
        return _by_hours(reader, request, bound, start, limit)
    newest = request.order == "newest"
    first, last = 1, bound
    if start is not None:
        first, last = (1, start.seq - 1) if newest else (start.seq + 1, bound)
    if not is_counted(request):
        return by_seq(reader, request, first=first, last=last, newest=newest, limit=limit)
    # The newest lie in load order; counts tell where to look for the rest.
    if newest and start is None and request.to is None:
        low = _low_end(reader, first, last, _FIRST_WINDOW, limit)
        found = _of_window(reader, request, low, last, newest=True, limit=limit)
        if len(found) >= limit or low == first:
            return found
    return _by_hours(reader, request, bound, start, limit)


def rows(reader: Reader, places: Sequence[Found]) -> dict[int, dict[str, Any]]:
    """Whole rows by seq. Raises Unavailable."""
    found = {each.seq: dict(each.whole) for each in places if each.whole is not None}
    missing = [(each.seq, each.part, each.row) for each in places if each.whole is None]
    of_fresh, of_segments = parts.at(reader.layout, missing)
    found.update({row["seq"]: row for row in events_at(reader, of_segments)})
    for table, taken in of_fresh:
        statement = Statement(source=f"({events(Layout(fresh=(table,), segments=()), place=True)})")
        statement.where_row_is_one_of(taken)
        found.update({row["seq"]: row for row in reader.rows(*statement.select(ROW))})
    return found


def _windows(
    reader: Reader, which: EventFilter, first: int, last: int, *, newest: bool, limit: int
) -> Iterator[tuple[int, int]]:
    layout = reader.layout
    json = reads_json(which)
    size = _FIRST_WINDOW_OF_JSON if json else _FIRST_WINDOW
    whole = False
    while first <= last:
        low, high = _low_end(reader, first, last, size, limit), min(last, first + size - 1)
        if whole:
            # To begin a part costs more than to read some columns of all of it.
            low, high = (
                max(first, parts.first_seq_of(layout, low)),
                min(last, parts.last_seq_of(layout, high)),
            )
        yield (low, last) if newest else (first, high)
        first, last = (first, low - 1) if newest else (high + 1, last)
        size *= _GROWTH
        whole = not json


def _low_end(reader: Reader, first: int, last: int, size: int, limit: int) -> int:
    """Where a window of the newest events begins: with the fresh ones where they may do.

    A segment is not in the order of seq: all of it is looked through for a few of its newest.
    """
    low = max(first, last - size + 1)
    fresh = reader.layout.fresh[0].first_seq
    return max(low, fresh) if last - fresh + 1 >= limit else low


def _of_window(
    reader: Reader, which: EventFilter, low: int, high: int, *, newest: bool, limit: int
) -> list[Found]:
    layout = parts.of_filter(parts.of_seqs(reader.layout, low, high), which)
    statement = Statement.over(layout, which)
    statement.where_seqs(low, high)
    return _select(reader, statement, which, newest=newest, limit=limit)


def _picked(
    reader: Reader, request: SearchRequest, bound: int, start: Start | None, limit: int
) -> list[Found] | None:
    """Of an id, a subject, a trace: indexes tell the rows. None where that would be too many."""
    newest = request.order == "newest"
    by_time = request.time_field == "time"
    sign = 1 if newest else -1

    def key(one: Found | Start) -> tuple[int, int]:
        return sign * ((one.micros or 0) if by_time else one.seq), sign * one.seq

    layout = parts.of_filter(parts.of_seqs(reader.layout, 1, bound), request)
    left = Picked.of(layout, request, "at" if by_time else "seq", newest=newest)
    if start is not None:
        left = left.behind(key(start)[0])
    left = left.told(reader, request)

    def look(taken: Picked, fresh: tuple[Fresh, ...] = (), *, whole: bool = False) -> list[Found]:
        statement = Statement(promoted=layout.paths)
        statement.where_seqs(1, bound)
        statement.where_filter(request)
        _where_behind(statement, request, start)
        columns = COLUMNS if whole else _named(statement.conditions)
        statement.source = f"({taken.source(fresh, columns=columns, paths=statement.tests)})"
        return _select(reader, statement, request, newest=newest, limit=limit, whole=whole)

    # How many fresh events pass cannot be told, so their keys alone are read.
    fresh = parts.fresh_with(reader, (one for one in layout.fresh if one.first_seq <= bound), request)
    found = look(left.none(), fresh) if fresh else []
    enough = limit
    while len(left) and (len(found) < limit or key(found[-1])[0] <= left.best):
        taken, left = left.foremost(enough, [key(each)[0] for each in found])
        if len(taken) > _MOST_PICKED:
            return None
        few = len(taken) <= limit + _FEW_ROWS
        if few and _is_names_alone(request):
            # Without conditions, for which the engine would read more than these rows.
            picked = [(one, rows.tolist()) for one, rows in taken.by_segment()]
            read = events_at(reader, picked, subjects=taken.subjects)
            more = [_settled(row, request) for row in read if _has_name(row, request)]
            found += [one for one in more if one.seq <= bound and (start is None or key(one) < key(start))]
        else:
            found += look(taken, whole=few)
        found = sorted(found, key=key, reverse=True)[:limit]
        enough *= _GROWTH
    return found


def _by_hours(
    reader: Reader, request: SearchRequest, bound: int, start: Start | None, limit: int
) -> list[Found]:
    """Hours of so many events that they should do, then more."""
    newest = request.order == "newest"
    counted = is_counted(request)
    enough = limit if counted else _FIRST_WINDOW_OF_JSON
    ends = [start.micros] if start is not None and start.micros is not None else []
    ends += [to_micros(each) for each in ((request.to,) if newest else (request.from_,)) if each is not None]
    edge = None if not ends else (min(ends) if newest else max(ends)) // HOUR_US
    partial = True
    limit_of_range = request.from_ if newest else request.to
    far = None if limit_of_range is None else to_micros(limit_of_range) // HOUR_US
    found: list[Found] = []
    while len(found) < limit:
        counting = Counting(by=None, time_field=request.time_field)
        counting.where_kind(request)
        if counted and request.pattern is not None:
            counting.where_node(request.pattern.root)
        [row] = reader.rows(*counting.hours_with(enough, newest=newest, edge=edge, partial=partial, far=far))
        hour = row["hour"]
        if hour is None:
            break
        within = hours_of(*((hour, edge) if newest else (edge, hour)))
        layout = parts.of_filter(parts.of_seqs(reader.layout, 1, bound), request)
        layout = parts.of_times(layout, request.time_field, within)
        statement = Statement.over(layout, request)
        statement.where_seqs(1, bound)
        statement.where_micros(request.time_field, within)
        _where_behind(statement, request, start)
        found += _select(reader, statement, request, newest=newest, limit=limit - len(found))
        edge, partial = (hour - 1 if newest else hour + 1), False
        enough *= _GROWTH
    return found


def _where_behind(statement: Statement, request: SearchRequest, start: Start | None) -> None:
    if start is None:
        return
    newest = request.order == "newest"
    if request.time_field == "time":
        statement.where_after(start.micros or 0, start.seq, newest=newest)
    else:
        statement.where_seqs(*((1, start.seq - 1) if newest else (start.seq + 1, 2**63 - 1)))


def _select(
    reader: Reader,
    statement: Statement,
    which: EventFilter,
    *,
    newest: bool,
    limit: int,
    whole: bool = False,
) -> list[Found]:
    direction = "DESC" if newest else "ASC"
    order = f"seq {direction}"
    if which.time_field == "time":
        order = f"micros {direction}, {order}"
    sql, parameters = statement.select(
        f"{ROW if whole else 'seq'}, {_place(which)}", f"ORDER BY {order} LIMIT {statement.bind(limit)}"
    )
    return [_found(row, whole=whole) for row in reader.rows(sql, parameters)]


def _place(which: EventFilter) -> str:
    return f"part, row, epoch_us({time_column(which.time_field)}) AS micros"


def _found(row: Mapping[str, Any], *, whole: bool) -> Found:
    return Found(
        seq=row["seq"],
        part=row["part"],
        row=row["row"],
        micros=row["micros"],
        whole=row if whole else None,
    )


def _settled(row: Mapping[str, Any], which: EventFilter) -> Found:
    at = row["time_us"] if which.time_field == "time" else None
    micros = row["received_us"] if at is None else at
    return Found(seq=row["seq"], part=row["part"], row=row["row"], micros=micros, whole=row)


def _is_names_alone(which: EventFilter) -> bool:
    """Whether ids and subjects decide alone."""
    names = EventFilter(ids=which.ids, subjects=which.subjects, time_field=which.time_field)
    return names.fingerprint() == EventFilter.fingerprint(which)


def _has_name(row: Mapping[str, Any], which: EventFilter) -> bool:
    return (not which.ids or row["id"] in which.ids) and (
        not which.subjects or row["subject"] in which.subjects
    )


def _named(conditions: Sequence[str]) -> list[str]:
    """The columns that the conditions name, and those of keys."""
    words = frozenset(re.findall(r"\w+", " ".join(conditions)))
    return [name for name in COLUMNS if name in words or name in _KEYS]
