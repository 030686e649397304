"""How many events there are: from the archive's counts, and from events only where counts do not tell."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from eventcenter.archive.archive import Reader
from eventcenter.archive.manifest import Layout
from eventcenter.clock import to_micros
from queries import parts
from queries.histogram import Buckets, Numbers, Series, complete
from queries.request import By, EventFilter
from queries.search import Counting, Statement, is_counted, time_column
from queries.stretches import Stretch, Stretches, all_of, hours_of, split

_MINUTE_S = 60
_HOUR_S = 3600


def count(reader: Reader, which: EventFilter) -> int:
    """How many events pass."""
    return int(reader.rows(*_counting(reader, which, None).total())[0]["n"])


def top(reader: Reader, which: EventFilter, by: By, limit: int) -> list[tuple[str, int]]:
    """The most frequent values of `by` with their counts."""
    rows = reader.rows(*_counting(reader, which, by).top(limit))
    return [(row["value"], row["n"]) for row in rows]


def series(
    reader: Reader, which: EventFilter, by: By | None, buckets: Buckets, most: int
) -> tuple[Series, ...]:
    """Complete series of the `most` most frequent values of `by`, and one of all others.

    `which` may be without an end of the range where no event that passes lies beyond that of `buckets`.
    """
    counting = _counting(reader, which, by, buckets)
    names: dict[str | None, int] = {None: 0} if by is None else {}
    columns = []
    if counting.pieces:
        rows = reader.arrow(*counting.rows())
        columns.append((_codes(rows["name"], names), *_numbers(rows, "bucket", "n")))
    if counting.cells:
        kinds = reader.arrow(*counting.kinds())
        [numbers] = _numbers(kinds, "kind")
        code_of = np.zeros(int(numbers.max(initial=0)) + 1, np.int64)
        code_of[numbers] = _codes(kinds["name"], names)
        kind, bucket, n = _numbers(reader.arrow(*counting.of_kinds()), "kind", "bucket", "n")
        columns.append((code_of[kind], bucket, n))
    code, bucket, n = (np.concatenate(each) for each in zip(*columns, strict=True))
    return complete(buckets, list(names), code, bucket, n, most=most)


def _codes(column: pa.ChunkedArray, names: dict[str | None, int]) -> Numbers:
    """Each value's number in `names`, which grows."""
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    numbers = [names.setdefault(name, len(names)) for name in encoded.dictionary.to_pylist()]
    return np.asarray(np.array(numbers, np.int64)[encoded.indices.to_numpy()], np.int64)


def _numbers(table: pa.Table, *columns: str) -> list[Numbers]:
    return [table[name].to_numpy().astype(np.int64) for name in columns]


def ends(reader: Reader, which: EventFilter) -> Stretch:
    """The first and the last moment of the events that pass, in microseconds since 1970; None without any."""
    if which == EventFilter(time_field=which.time_field):
        return _ends_of_all(reader, which)
    if not is_counted(which):
        return _ends(reader, which, (None, None))
    counting = Counting(by=None, time_field=which.time_field)
    counting.where_kind(which)
    [hours] = reader.rows(*counting.ends())
    if hours["first"] is None:
        return None, None
    first, _ = _ends(reader, which, hours_of(hours["first"], hours["first"]))
    _, last = _ends(reader, which, hours_of(hours["last"], hours["last"]))
    return first, last


def _ends_of_all(reader: Reader, which: EventFilter) -> Stretch:
    """Each segment tells its own; fresh events are few."""
    fresh = Layout(fresh=reader.layout.fresh, segments=())
    found = [_ends_in(reader, fresh, which, (None, None))]
    for one in reader.layout.segments:
        first, last = parts.moments(one, which.time_field)
        found.append((to_micros(first), to_micros(last)))
    firsts, lasts = ([end for end in each if end is not None] for each in zip(*found, strict=True))
    return min(firsts, default=None), max(lasts, default=None)


def _ends(reader: Reader, which: EventFilter, stretch: Stretch) -> Stretch:
    layout = parts.of_times(parts.of_filter(reader.layout, which), which.time_field, stretch)
    return _ends_in(reader, layout, which, stretch)


def _ends_in(reader: Reader, layout: Layout, which: EventFilter, stretch: Stretch) -> Stretch:
    moment = f"epoch_us({time_column(which.time_field)})"
    statement = Statement.over(layout, which, read=moment)
    statement.where_micros(which.time_field, stretch)
    [row] = reader.rows(*statement.select(f"min({moment}) AS first, max({moment}) AS last"))
    return row["first"], row["last"]


def _counting(reader: Reader, which: EventFilter, by: By | None, buckets: Buckets | None = None) -> Counting:
    counting = Counting(by=by, time_field=which.time_field, buckets=buckets, promoted=reader.layout.paths)
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
        layout = parts.of_times(parts.of_seqs(reader.layout, 1, reader.last_seq), which.time_field, micros)
        source = parts.source(layout, which, columns=counting.columns, paths=counting.tests)
        counting.add_events(source, micros)
    return counting


def _pieces(which: EventFilter, by: By | None, buckets: Buckets | None) -> Stretches:
    first, last = (None if end is None else to_micros(end) for end in (which.from_, which.to))
    if by == "subject" or not is_counted(which) or (buckets is not None and buckets.step_s % _MINUTE_S):
        return all_of(first, last)
    return split(first, last, hours=buckets is None or buckets.step_s % _HOUR_S == 0)
