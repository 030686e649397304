"""Takes events away for good, part by part: a retention's or a deletion's.

A part (fresh table or segment) that holds none of them stays as it is, one that holds nothing else goes, any
other segment is written anew without them. Counts change in the same transaction, so no reader ever sees one
that does not fit the events, and a crash at any point leaves a part as it was or done with. Removing goes on
where it stopped when it is begun again.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import duckdb

from eventcenter.archive import relation, rollup, settle
from eventcenter.archive.archive import Archive, Reader
from eventcenter.archive.instance import Also
from eventcenter.archive.manifest import Fresh, Layout, Segment, create_fresh
from eventcenter.archive.promotion import Plan
from eventcenter.archive.segment import Scratch
from eventcenter.clock import from_micros

_NEVER: Final = "false"
MakeScratch = Callable[[], Scratch]
Stop = Callable[[], bool]


class _Stopped(Exception):
    """Nothing more may go."""


def _go_on() -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What is to go. The conditions are SQL of our own making and never NULL."""

    events: str
    """Over `relation.COLUMNS`."""
    due: str = "true"
    """Which of these a part is written anew for; one that holds nothing else goes in any case."""
    rejects: str = _NEVER
    """Over the columns of `rejects`."""
    origins: str = _NEVER
    """Over the columns of `origins`: which go of those that belong to no event; the others go with theirs."""
    may_hold: Callable[[Segment], bool] = field(default=lambda _: True)
    """False where a look at a segment can be spared."""
    deletion: str | None = None
    """Of this id; what it takes away is counted in the archive for its report."""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Events of one bus and type."""

    bus: str
    type: str
    events: int
    first_received_at: datetime
    last_received_at: datetime


@dataclass(frozen=True, kw_only=True)
class Removed:
    """What went, or would go."""

    events: tuple[Tally, ...] = ()
    """By bus and type."""
    duplicates: int = 0
    """Notes of repeats of these events."""
    rejects: int = 0
    segments: int = 0
    """Settled stretches that were dropped or written anew."""

    @property
    def total(self) -> int:
        """Events, of whatever bus and type."""
        return sum(one.events for one in self.events)


@dataclass(frozen=True, kw_only=True)
class Done:
    """How far a removal came."""

    complete: bool
    """False where it was told to stop; then some of it may be gone."""
    events: int


def remove(archive: Archive, make_scratch: MakeScratch, removal: Removal, *, stop: Stop = _go_on) -> Done:
    """Take everything away.

    `stop` is asked again in each transaction: once it says yes, and what is written in the archive at that
    moment is done, nothing goes any more. Between two parts others may work on the archive: settling need not
    wait for the end of a long deletion.
    """
    looked_at: set[object] = set()
    gone = 0
    try:
        while True:
            _ask(stop)
            with archive.upkeep():
                part = next((one for one in _parts(archive.layout()) if _name(one) not in looked_at), None)
                if part is None:
                    break
                looked_at.add(_name(part))
                gone += _remove_of(archive, make_scratch, removal, part, stop)
        if removal.rejects != _NEVER:
            archive.write(lambda connection: _forget_rejects(connection, removal, stop))
        if removal.origins != _NEVER:
            archive.write(lambda connection: _forget_origins(connection, removal, stop))
    except _Stopped:
        return Done(complete=False, events=gone)
    return Done(complete=True, events=gone)


def look(reader: Reader, removal: Removal) -> Removed:
    """What would go now, if everything went at once."""
    parts = [one for one in _parts(reader.layout) if isinstance(one, Fresh) or removal.may_hold(one)]
    going = [_going(removal, one) for one in parts]
    if not going:
        return Removed(rejects=_count(reader, f"rejects WHERE {removal.rejects}"))
    touched = [
        one
        for one, sql in zip(parts, going, strict=True)
        if isinstance(one, Segment) and _count(reader, f"({sql})")
    ]
    sql = " UNION ALL ".join(going)
    return Removed(
        events=_tallies(reader.cursor, sql),
        duplicates=_count(reader, f"duplicates WHERE seq IN (SELECT seq FROM ({sql}))"),  # noqa: S608
        rejects=_count(reader, f"rejects WHERE {removal.rejects}"),
        segments=len(touched),
    )


def report(reader: Reader, deletion: str) -> Removed:
    """What a deletion took away until now."""
    rows = reader.rows(
        "SELECT what, bus, type, sum(counted)::BIGINT AS counted, min(first_received_at) AS first,"
        " max(last_received_at) AS last FROM removals WHERE deletion = ? GROUP BY ALL ORDER BY ALL",
        [deletion],
    )
    counted = {row["what"]: row["counted"] for row in rows if row["what"] != "events"}
    return Removed(
        events=tuple(
            Tally(
                bus=row["bus"],
                type=row["type"],
                events=row["counted"],
                first_received_at=row["first"],
                last_received_at=row["last"],
            )
            for row in rows
            if row["what"] == "events"
        ),
        duplicates=counted.get("duplicates", 0),
        rejects=counted.get("rejects", 0),
        segments=counted.get("segments", 0),
    )


def forget_report(archive: Archive, deletion: str) -> None:
    """Remove the counts of a deletion; for when its report is kept elsewhere."""

    def forget(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("DELETE FROM removals WHERE deletion = ?", [deletion])

    archive.write(forget)


def _parts(layout: Layout) -> Iterator[Fresh | Segment]:
    """The settled first: whatever is settled in between is looked at as a segment then."""
    yield from layout.segments
    yield from layout.fresh


def _name(part: Fresh | Segment) -> object:
    """What tells parts apart also where a number is used again after the archive slept."""
    if isinstance(part, Fresh):
        return "fresh", part.number, part.first_seq
    return part.number, part.first_seq, part.last_seq, part.events


def _remove_of(
    archive: Archive, make_scratch: MakeScratch, removal: Removal, part: Fresh | Segment, stop: Stop
) -> int:
    if isinstance(part, Segment) and not removal.may_hold(part):
        return 0
    of_part = _of(part)
    with archive.reader(timeout_s=math.inf) as reader:
        [found] = reader.rows(
            f"SELECT count(*) AS events, count(*) FILTER (WHERE {removal.events}) AS going,"  # noqa: S608
            f" count(*) FILTER (WHERE {removal.events} AND ({removal.due})) AS due"
            f" FROM ({of_part})"
        )
        current = part == reader.layout.current
    whole = found["going"] == found["events"]
    if not found["going"] or (not found["due"] and not whole):
        return 0
    # More may be written to the current table until then.
    whole = whole and not current
    going = of_part if whole else _going(removal, part)

    def change(connection: duckdb.DuckDBPyConnection) -> tuple[Fresh, ...]:
        _ask(stop)
        _uncount(connection, removal, going, part=part)
        return ()

    if isinstance(part, Segment) and not whole:
        plans = [
            Plan(path=path, number_type=promoted.number_type, sole=promoted.sole)
            for path, promoted in part.paths.items()
        ]
        work = settle.Work(
            parts=Layout(fresh=(), segments=(part,)), plans=tuple(plans), without=removal.events, also=change
        )
        settle.do(archive, make_scratch, work)
    elif isinstance(part, Segment):
        archive.swap(segments=[part], by=[], also=change)
    elif whole:
        archive.swap(fresh=[part], by=[], also=change)
    else:
        _thin_out(archive, removal, part, change, left=found["events"] - found["going"])
    return int(found["going"])


def _thin_out(archive: Archive, removal: Removal, part: Fresh, change: Also, *, left: int) -> None:
    """Take events out of a table, of which `left` stay.

    Deleted rows keep their place in DuckDB's file as long as the table is there. So a table of which little
    is left is copied, the others wait for their settling, which is soon.
    """

    def delete(connection: duckdb.DuckDBPyConnection) -> None:
        change(connection)
        connection.execute(f"DELETE FROM {part.table} WHERE {removal.events}")  # noqa: S608 our own text

    def copy(connection: duckdb.DuckDBPyConnection) -> list[Fresh]:
        change(connection)
        kept = create_fresh(connection, part.first_seq, part.paths)
        connection.execute(
            f"INSERT INTO {kept.table} SELECT * FROM {part.table} WHERE NOT ({removal.events})"  # noqa: S608
        )
        return [kept]

    if left <= settle.LEAST_SETTLED + settle.KEPT_FRESH:
        archive.swap(fresh=[part], by=[], also=copy)
    else:
        archive.write(delete)


def _of(part: Fresh | Segment) -> str:
    if isinstance(part, Fresh):
        return relation.events(Layout(fresh=(part,), segments=()))
    return relation.events(Layout(fresh=(), segments=(part,)))


def _going(removal: Removal, part: Fresh | Segment) -> str:
    return f"SELECT * FROM ({_of(part)}) WHERE {removal.events}"  # noqa: S608 our own text


def _uncount(
    connection: duckdb.DuckDBPyConnection, removal: Removal, going: str, *, part: Fresh | Segment
) -> None:
    """Change all that counts these events, in the transaction that takes them away."""
    tallies = _tallies(connection, going)
    rollup.subtract(connection, going)
    of_bus: dict[str, int] = {}
    for tally in tallies:
        of_bus[tally.bus] = of_bus.get(tally.bus, 0) + tally.events
    for bus, events in of_bus.items():
        connection.execute("UPDATE buses SET events = events - ? WHERE bus = ?", [events, bus])
    [(duplicates,)] = connection.execute(
        f"DELETE FROM duplicates WHERE seq IN (SELECT seq FROM ({going}))"  # noqa: S608 our own text
    ).fetchall()
    connection.execute(f"DELETE FROM origins WHERE seq IN (SELECT seq FROM ({going}))")  # noqa: S608
    if removal.deletion is None:
        return
    for tally in tallies:
        connection.execute(
            "INSERT INTO removals VALUES (?, 'events', ?, ?, ?, ?, ?)",
            [
                removal.deletion,
                tally.bus,
                tally.type,
                tally.events,
                tally.first_received_at,
                tally.last_received_at,
            ],
        )
    _note(connection, removal.deletion, "duplicates", duplicates)
    _note(connection, removal.deletion, "segments", int(isinstance(part, Segment)))


def _ask(stop: Stop) -> None:
    if stop():
        raise _Stopped


def _forget_rejects(connection: duckdb.DuckDBPyConnection, removal: Removal, stop: Stop) -> None:
    _ask(stop)
    [(rejects,)] = connection.execute(f"DELETE FROM rejects WHERE {removal.rejects}").fetchall()  # noqa: S608
    if removal.deletion is not None:
        _note(connection, removal.deletion, "rejects", rejects)


def _forget_origins(connection: duckdb.DuckDBPyConnection, removal: Removal, stop: Stop) -> None:
    _ask(stop)
    connection.execute(f"DELETE FROM origins WHERE seq IS NULL AND ({removal.origins})")  # noqa: S608


def _note(connection: duckdb.DuckDBPyConnection, deletion: str, what: str, counted: int) -> None:
    if counted:
        connection.execute(
            "INSERT INTO removals VALUES (?, ?, NULL, NULL, ?, NULL, NULL)", [deletion, what, counted]
        )


def _tallies(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Tally, ...]:
    rows = connection.execute(
        "SELECT bus, type, count(*), epoch_us(min(received_at)), epoch_us(max(received_at))"  # noqa: S608
        f" FROM ({sql}) GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return tuple(
        Tally(
            bus=bus,
            type=kind,
            events=events,
            first_received_at=from_micros(first),
            last_received_at=from_micros(last),
        )
        for bus, kind, events, first, last in rows
    )


def _count(reader: Reader, source: str) -> int:
    return int(reader.rows(f"SELECT count(*) AS n FROM {source}")[0]["n"])  # noqa: S608 our own text
