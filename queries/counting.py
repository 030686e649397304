"""How many events there are: from the archive's counts, and from events only where counts do not tell."""

from dataclasses import replace
from datetime import datetime

from eventcenter.archive.archive import Reader
from eventcenter.clock import from_micros, to_micros
from queries import parts
from queries.histogram import Buckets
from queries.request import By, EventFilter
from queries.search import Counting, Statement, is_counted, time_column
from queries.stretches import HOUR_US, Stretches, all_of, split

_MINUTE_S = 60
_HOUR_S = 3600


def count(reader: Reader, which: EventFilter) -> int:
    """How many events pass."""
    return int(reader.rows(*_counting(reader, which, None).total())[0]["n"])


def top(reader: Reader, which: EventFilter, by: By, limit: int) -> list[tuple[str, int]]:
    """The most frequent values of `by` with their counts."""
    found = reader.arrow(*_counting(reader, which, by).top(limit))
    return list(zip(found["value"].to_pylist(), found["n"].to_pylist(), strict=True))


def series(
    reader: Reader, which: EventFilter, by: By | None, buckets: Buckets, most: int
) -> list[tuple[str | None, int, int]]:
    """Rows (name, bucket, n): the `most` most frequent values of `by`, the others as None."""
    found = reader.arrow(*_counting(reader, which, by, buckets).series(most))
    return list(zip(*(found[name].to_pylist() for name in ("name", "bucket", "n")), strict=True))


def ends(reader: Reader, which: EventFilter) -> tuple[datetime | None, datetime | None]:
    """The first and the last moment of the events that pass, None without any."""
    if not is_counted(which):
        return _ends(reader, which)
    counting = Counting(by=None, time_field=which.time_field)
    counting.where_kind(which)
    [hours] = reader.rows(*counting.ends())
    if hours["first"] is None:
        return None, None
    first, _ = _ends(reader, _within(which, hours["first"]))
    _, last = _ends(reader, _within(which, hours["last"]))
    return first, last


def _ends(reader: Reader, which: EventFilter) -> tuple[datetime | None, datetime | None]:
    statement = Statement(source=parts.source(parts.of_filter(reader.layout, which), which))
    statement.where_filter(which)
    column = time_column(which.time_field)
    [row] = reader.rows(*statement.select(f"min({column}) AS first, max({column}) AS last"))
    return row["first"], row["last"]


def _within(which: EventFilter, hour: int) -> EventFilter:
    return replace(which, from_=from_micros(hour * HOUR_US), to=from_micros((hour + 1) * HOUR_US))


def _counting(reader: Reader, which: EventFilter, by: By | None, buckets: Buckets | None = None) -> Counting:
    counting = Counting(by=by, time_field=which.time_field, buckets=buckets)
    counting.where_filter(replace(which, from_=None, to=None))
    pieces = _pieces(which, by, buckets)
    if pieces.hours == (None, None):
        counting.add_all()
        return counting
    if pieces.hours is not None:
        counting.add_hours(pieces.hours)
    for minutes in pieces.minutes:
        counting.add_minutes(minutes)
    if pieces.whole is not None:
        counting.add_loose(pieces.whole)
    for micros in pieces.ragged:
        from_, to = (None if end is None else from_micros(end) for end in micros)
        layout = parts.of_times(reader.layout, which.time_field, from_, to)
        counting.add_events(parts.source(layout, which), micros)
    return counting


def _pieces(which: EventFilter, by: By | None, buckets: Buckets | None) -> Stretches:
    first, last = (None if end is None else to_micros(end) for end in (which.from_, which.to))
    if by == "subject" or not is_counted(which) or (buckets is not None and buckets.step_s % _MINUTE_S):
        return all_of(first, last)
    return split(first, last, hours=buckets is None or buckets.step_s % _HOUR_S == 0)
