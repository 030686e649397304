"""Settling: fresh events become segments, segments grow together, paths that are asked for get columns.

Each step makes one segment of some parts of the archive and puts it in their place, in one transaction.
What readers see is the same before and after, and a crash at any point leaves the parts as they were and at
most files that nobody lists, which go when the archive is opened.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, TypeVar

import duckdb

from eventcenter.archive import promotion, relation, segment
from eventcenter.archive.archive import Archive, Reader
from eventcenter.archive.instance import Also, remove_files
from eventcenter.archive.manifest import Fresh, Layout, Segment, create_fresh
from eventcenter.archive.promotion import Plan
from eventcenter.archive.segment import Scratch
from eventcenter.priority import give_way, niceness

T = TypeVar("T")
NICE: Final = 19
"""Of what writes segments, which takes more than all else."""
_MANY_TABLES: Final = 32
"""Of fresh events: from so many on, settling no longer waits for a quiet moment."""
LEAST_SETTLED: Final = 10_000
"""A table that is not full is settled, once nothing comes any more, if it has so many events to settle."""
KEPT_FRESH: Final = 2_000
"""So many of the newest events stay in load order, because the newest are asked for most; few, because each
question about payloads may read them as JSON."""
MERGED: Final = 4
"""So many neighbours of a size become one."""
_TABLES_AT_ONCE: Final = MERGED**2
"""So many full tables become one segment, unless much waits: then `MERGED`, so that it soon waits no longer.
What is settled together need not grow together later, which costs as much each time."""
_BYTES_AT_ONCE: Final = 2 << 30
"""Of payloads that are settled together: each piece that is sorted takes a look at all of them."""
_IDLE_GROWTH: Final = 2
"""When nothing comes, a segment and all newer ones become one if it holds at most so many times as much."""
_MORE: Final = 0.2
"""Of a full table, which may be settled beside full ones."""
_SIZE: Final = 500_000
_LARGEST_BYTES: Final = 4 << 30
_SAMPLE: Final = 3_000
_LOOKED_AT: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class Work:
    """Parts that are to become one segment."""

    parts: Layout
    plans: tuple[Plan, ...] = ()
    leave: int = 0
    """Of the newest events so many stay fresh."""
    without: str = "false"
    """SQL condition, never NULL, for events that do not come along: those that are being removed."""
    also: Also | None = None
    """Changes more in the transaction, as for `Instance.swap`."""


def step(archive: Archive, make_scratch: Callable[[], Scratch], *, idle: bool) -> bool:
    """Do the most useful piece of work; whether there was any.

    `idle`: nothing was loaded for a while, so the table that was written is settled too.
    """
    archive.save_paths()
    with archive.upkeep():
        if idle and _fresh_events(archive, [archive.layout().current]) >= _least(archive):
            archive.rotate()
        work = _next(archive, idle=idle)
        if work is not None:
            do(archive, make_scratch, work)
    if work is None and idle:
        # Only after a checkpoint the file knows which of its blocks hold nothing.
        archive.checkpoint()
        return archive.shrink()
    return work is not None


def waiting_events(archive: Archive) -> int:
    """How many events could be settled and are not yet."""
    waiting = archive.layout().fresh[:-1]
    return _fresh_events(archive, waiting) if _can_settle(archive, waiting) else 0


def much_waits(layout: Layout) -> bool:
    """Whether settling can wait for a quiet moment no longer."""
    return len(layout.fresh) > _MANY_TABLES


def do(archive: Archive, make_scratch: Callable[[], Scratch], work: Work) -> None:
    """Replace the work's parts by a segment, within `archive.upkeep`."""
    number = archive.next_segment_number()

    def write() -> tuple[Segment | None, int]:
        scratch = make_scratch()
        try:
            with archive.reader(timeout_s=math.inf) as reader:
                cut = _cut(reader, work)
                made = segment.write(
                    scratch,
                    reader,
                    work.parts,
                    archive.folder,
                    number,
                    plans=work.plans or _plans(reader, work.parts),
                    keep=f"NOT ({work.without})" + (f" AND seq < {cut}" if work.leave else ""),
                )
            return made, cut
        finally:
            scratch.close()

    try:
        made, cut = _apart(write, nice=_niceness(archive))
    except BaseException:
        # Of the disk's space in particular: half a segment would hold it until the next opening.
        remove_files(archive.folder, number)
        raise

    def change(connection: duckdb.DuckDBPyConnection) -> list[Fresh]:
        tables = list(work.also(connection)) if work.also is not None else []
        if work.leave:
            tables.append(_leave_fresh(connection, work.parts.fresh, cut))
        return tables

    archive.swap(
        fresh=work.parts.fresh,
        segments=work.parts.segments,
        by=[made] if made is not None else [],
        also=change,
    )


def _apart(write: Callable[[], T], *, nice: int) -> T:
    """Call it in a thread of its own that gives way, as the engine's threads that it starts do.

    The thread that swaps holds up the loader meanwhile, so it must not be the one that gives way.
    """
    with ThreadPoolExecutor(1, "settling", initializer=lambda: give_way(nice)) as thread:
        return thread.submit(write).result()


def _niceness(archive: Archive) -> int:
    """Loading goes first, until much waits to be settled: then both get their share."""
    return niceness() if much_waits(archive.layout()) else NICE


def _next(archive: Archive, *, idle: bool) -> Work | None:
    layout = archive.layout()
    waiting = layout.fresh[:-1]
    if _can_settle(archive, waiting):
        chosen = tuple(_first(archive, waiting, MERGED if much_waits(layout) else _TABLES_AT_ONCE))
        newer = _fresh_events(archive, layout.fresh[-1:])
        return Work(
            parts=Layout(fresh=chosen, segments=()),
            leave=max(0, _kept(archive) - newer) if len(chosen) == len(waiting) else 0,
        )
    with archive.reader() as reader:
        asked_for = promotion.used(reader.cursor)
    for one in reversed(layout.segments):
        if promotion.lacks(one, asked_for):
            return Work(parts=Layout(fresh=(), segments=(one,)))
    neighbours = mergeable(layout.segments) or (newest(layout.segments) if idle else ())
    return Work(parts=Layout(fresh=(), segments=neighbours)) if neighbours else None


def _can_settle(archive: Archive, waiting: Sequence[Fresh]) -> bool:
    """Whether tables that are not written any more hold more than the newest events that stay fresh.

    A full table may hold few events, if they are large.
    """
    return len(waiting) > 1 or _fresh_events(archive, waiting) > _kept(archive)


def _kept(archive: Archive) -> int:
    return min(KEPT_FRESH, archive.fresh_events // 25)


def _least(archive: Archive) -> int:
    return min(LEAST_SETTLED, archive.fresh_events // 10) + _kept(archive)


def mergeable(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """`MERGED` neighbours of about the same size that may become one; empty where there are none."""
    for _, group in groupby(segments, key=_size_class):
        row = list(group)
        for start in range(len(row) - MERGED + 1):
            chosen = tuple(row[start : start + MERGED])
            if _fit(chosen):
                return chosen
    return ()


def newest(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """As many of the newest segments as may become one while there is time; empty where there are none.

    Each costs every question time to plan. One that is much larger than all newer ones together stays, so
    that an event is written again only as often as what it lies in grows by half.
    """
    for start, one in enumerate(segments[:-1]):
        newer = sum(each.events for each in segments[start + 1 :])
        if one.events <= _IDLE_GROWTH * newer and _fit(segments[start:]):
            return tuple(segments[start:])
    return ()


def _fit(segments: Sequence[Segment]) -> bool:
    events = sum(one.events for one in segments)
    return events <= segment.MOST_EVENTS and sum(one.bytes for one in segments) <= _LARGEST_BYTES


def _size_class(one: Segment) -> int:
    return round(math.log(max(1, one.events) / _SIZE, MERGED))


def _first(archive: Archive, waiting: Sequence[Fresh], full: int) -> Iterator[Fresh]:
    """The oldest tables that together are not larger than so many full ones; at least one."""
    events = size = 0
    for index, table in enumerate(waiting):
        held = _fresh_events(archive, [table])
        events += held
        size += held * _bytes_of_one(archive, table)
        if index and (events > archive.fresh_events * (full + _MORE) or size > _BYTES_AT_ONCE):
            return
        yield table


def _bytes_of_one(archive: Archive, table: Fresh) -> int:
    """Of an event, about: as the first ones are."""
    sql = f"SELECT avg(strlen(data)) AS bytes FROM (SELECT data FROM {table.table} LIMIT {_LOOKED_AT})"  # noqa: S608
    return int(archive.query(sql)[0]["bytes"] or 0)


def _fresh_events(archive: Archive, tables: Iterable[Fresh]) -> int:
    named = [table.table for table in tables]
    if not named:
        return 0
    counts = " + ".join(f"(SELECT count(*) FROM {name})" for name in named)  # noqa: S608
    return int(archive.query(f"SELECT {counts} AS n")[0]["n"])


def _cut(reader: Reader, work: Work) -> int:
    """The first seq of what stays fresh."""
    if not work.leave:
        return 0
    [found] = reader.rows(
        f"SELECT min(seq) AS seq FROM (SELECT seq FROM ({relation.events(work.parts)})"  # noqa: S608
        f" ORDER BY seq DESC LIMIT {work.leave})"
    )
    # All of them may have been deleted.
    return int(found["seq"] or work.parts.fresh[-1].first_seq)


def _leave_fresh(connection: duckdb.DuckDBPyConnection, tables: Sequence[Fresh], cut: int) -> Fresh:
    """Copy what stays fresh into a table of its own."""
    left = create_fresh(connection, cut, tables[-1].paths)
    columns = relation.columns_of(left)
    for table in tables:
        values = {each.text: relation.text_in(table, path) for path, each in left.paths.items()}
        selected = ", ".join(values.get(name, name) for name in columns)
        connection.execute(
            f"INSERT INTO {left.table} ({', '.join(columns)})"  # noqa: S608 our own text
            f" SELECT {selected} FROM {table.table} WHERE seq >= {cut}"
        )
    return left


def _plans(reader: Reader, parts: Layout) -> tuple[Plan, ...]:
    asked_for = promotion.used(reader.cursor)
    events = relation.events(parts)
    total = sum(one.events for one in parts.segments)
    total += sum(int(reader.rows(f"SELECT count(*) AS n FROM {one.table}")[0]["n"]) for one in parts.fresh)  # noqa: S608
    every = max(1, total // _SAMPLE)
    rows: list[dict[str, Any]] = reader.rows(
        f"SELECT data FROM ({events}) WHERE data_kind = 'json' AND hash(seq) % {every} = 0"  # noqa: S608
    )
    return tuple(promotion.choose(asked_for, [row["data"] for row in rows]))
