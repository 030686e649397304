"""Counts of events by bus, source, type, minute and hour, so that overviews need not look at events.

Tables (schema.sql): `rollup_kinds` numbers what (bus, source, type) occurs and counts its events;
`rollup_minutes` and `rollup_hours` count a kind's events by when they were received and when they happened,
both in one cell, because the two belong together mostly: a table for each would hold as many cells. The cells
of small batches gather in `rollup_loose` first. A count is the sum over tables and loose cells.

All that changes something runs in its caller's transaction, together with the change of the events.
"""

from collections.abc import Sequence
from typing import Final

import duckdb

_FEW_EVENTS: Final = 64
_MANY_EVENTS: Final = 8_192
_LOOSE_CELLS: Final = 2_048
_SHOWN: Final = 20

MINUTE_US: Final = 60_000_000
"""Microseconds a minute."""
_FIRST_MINUTE: Final = 1_000_000 * 24 * 60
"""Before 1970; `//` rounds towards zero, so what is divided must not be negative."""
_SAME: Final = "e.type = k.type AND e.source = k.source AND e.bus = k.bus"


def hour_of(minute: str) -> str:
    """The expression for the hour since 1970 of a minute since 1970, also before 1970."""
    return f"({minute} + {_FIRST_MINUTE}) // 60 - {_FIRST_MINUTE // 60}"


def _minute_of(moment: str) -> str:
    return f"(epoch_us({moment}) + {_FIRST_MINUTE * MINUTE_US}) // {MINUTE_US} - {_FIRST_MINUTE}"


_MINUTES: Final = (
    f"{_minute_of('e.received_at')} AS received, {_minute_of('coalesce(e.time, e.received_at)')} AS happened"
)
_AS_HOURS: Final = f"{hour_of('c.received')} AS received, {hour_of('c.happened')} AS happened"


def add(connection: duckdb.DuckDBPyConnection, events_sql: str, *, first_seq: int, events: int) -> None:
    """Count `events` events more, in the loader's transaction.

    `events_sql` is a SELECT of them (or a relation) with bus, source, type, time and received_at; `first_seq`
    is the first one's seq.
    """
    if events > _MANY_EVENTS:
        _gather(connection, _counted(events_sql, "count(*)"))
        [(gathered,)] = connection.execute("SELECT sum(events) FROM rollup_cells").fetchall()
        if gathered != events:
            _number_kinds(connection, events_sql)
            _gather(connection, _counted(events_sql, "count(*)"))
        _keep(connection)
        _let_go(connection)
        return
    if events:
        counted, grouped = ("1", "") if events <= _FEW_EVENTS else ("count(*)", "GROUP BY ALL")
        connection.execute(
            f"INSERT INTO rollup_loose SELECT e.bus, e.source, e.type, {_MINUTES}, {counted}"  # noqa: S608
            f" FROM ({events_sql}) e {grouped}"
        )
    # A cell counts an event at least, so there are not more loose ones than events since.
    if first_seq // _LOOSE_CELLS != (first_seq + events) // _LOOSE_CELLS:
        tidy(connection, most_loose=_LOOSE_CELLS)


def subtract(
    connection: duckdb.DuckDBPyConnection, events_sql: str, parameters: Sequence[object] = ()
) -> None:
    """Count these events no more, in the transaction that deletes them; `events_sql` as for `add`."""
    tidy(connection, most_loose=0)
    _gather(connection, _counted(events_sql, "-count(*)"), parameters)
    _keep(connection)
    for table, units in (("rollup_minutes", "c.received, c.happened"), ("rollup_hours", _AS_HOURS)):
        # Cells that cancel each other out go; only those that were touched can.
        touched = f"SELECT DISTINCT c.kind, {units} FROM rollup_cells c"  # noqa: S608 constants
        connection.execute(
            f"DELETE FROM {table} WHERE (kind, received, happened) IN (SELECT kind, received, happened"  # noqa: S608
            f" FROM {table} JOIN ({touched}) USING (kind, received, happened) GROUP BY ALL"
            f" HAVING sum(events) = 0)"
        )
    connection.execute(
        "DELETE FROM rollup_kinds WHERE events = 0 AND kind NOT IN (SELECT kind FROM rollup_hours)"
    )
    _let_go(connection)


def tidy(connection: duckdb.DuckDBPyConnection, *, most_loose: int = _LOOSE_CELLS) -> None:
    """Put loose cells in their place, if there are more than `most_loose`. A fraction of a ms otherwise."""
    [(loose,)] = connection.execute("SELECT count(*) FROM rollup_loose").fetchall()
    if loose <= most_loose:
        return
    _number_kinds(connection, "rollup_loose")
    _gather(
        connection,
        "SELECT k.kind, e.received, e.happened, sum(e.events)::BIGINT AS events"  # noqa: S608 a constant
        f" FROM rollup_loose e JOIN rollup_kinds k ON {_SAME} GROUP BY ALL",
    )
    _keep(connection)
    _let_go(connection)
    connection.execute("DELETE FROM rollup_loose")


def rebuild(connection: duckdb.DuckDBPyConnection, events_sql: str) -> None:
    """Count anew, in one transaction; `events_sql` is a SELECT of all events, as for `add`."""
    for table in ("rollup_kinds", "rollup_minutes", "rollup_hours", "rollup_loose"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 a constant
    _number_kinds(connection, events_sql)
    _gather(connection, _counted(events_sql, "count(*)"))
    _keep(connection)
    _let_go(connection)


def check(connection: duckdb.DuckDBPyConnection, events_sql: str) -> list[str]:
    """What does not agree with the events (`events_sql`: a SELECT of all, as for `add`), a sentence each.

    Empty where all is well; at most 60 differences are told.
    """
    kept = (
        "SELECT bus, source, type, received, happened, m.events FROM rollup_minutes m"
        " JOIN rollup_kinds USING (kind) UNION ALL SELECT * FROM rollup_loose"
    )
    counted = f"SELECT e.bus, e.source, e.type, {_MINUTES}, 1 AS events FROM ({events_sql}) e"  # noqa: S608
    as_hours = f"SELECT kind, {_AS_HOURS}, events FROM rollup_minutes c"  # noqa: S608
    pairs = (
        ("minute", "bus, source, type, received, happened", kept, counted),
        ("hour", "kind, received, happened", "FROM rollup_hours", as_hours),
        ("kind", "kind", "FROM rollup_kinds", "FROM rollup_hours"),
    )
    found = []
    for name, cell, ours, theirs in pairs:
        rows = connection.execute(
            f"SELECT sum(ours), sum(theirs), {cell} FROM (SELECT {cell}, events AS ours, 0 AS theirs"  # noqa: S608
            f" FROM ({ours}) UNION ALL SELECT {cell}, 0, events FROM ({theirs}))"
            f" GROUP BY {cell} HAVING sum(ours) <> sum(theirs) ORDER BY ALL LIMIT {_SHOWN}"
        ).fetchall()
        found += [
            f"the {name} {', '.join(map(repr, where))} counts {ours} events, {theirs} are there"
            for ours, theirs, *where in rows
        ]
    return found


def _counted(events_sql: str, events: str) -> str:
    return (
        f"SELECT k.kind, {_MINUTES}, {events} AS events"  # noqa: S608 our own text
        f" FROM ({events_sql}) e JOIN rollup_kinds k ON {_SAME} GROUP BY ALL"
    )


def _number_kinds(connection: duckdb.DuckDBPyConnection, events_sql: str) -> None:
    connection.execute(
        "INSERT INTO rollup_kinds SELECT (SELECT coalesce(max(kind), 0) FROM rollup_kinds)"  # noqa: S608
        " + row_number() OVER (), e.bus, e.source, e.type, 0"
        f" FROM (SELECT DISTINCT bus, source, type FROM ({events_sql})) e ANTI JOIN rollup_kinds k ON {_SAME}"
    )


def _gather(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[object] = ()) -> None:
    connection.execute(f"CREATE OR REPLACE TEMP TABLE rollup_cells AS {sql}", list(parameters))


def _let_go(connection: duckdb.DuckDBPyConnection) -> None:
    """Of what was gathered, which is in memory."""
    connection.execute("DROP TABLE temp.rollup_cells")


def _keep(connection: duckdb.DuckDBPyConnection) -> None:
    """Add what is gathered to the three tables."""
    connection.execute(
        "INSERT INTO rollup_minutes SELECT kind, received, happened, events FROM rollup_cells"
        " ORDER BY received, happened"
    )
    # Received hours only grow, so that the join looks at the newest rows alone.
    connection.execute(
        f"MERGE INTO rollup_hours h USING (SELECT c.kind, {_AS_HOURS}, sum(c.events)::BIGINT AS events"  # noqa: S608
        " FROM rollup_cells c GROUP BY ALL) c"
        " ON h.received = c.received AND h.happened = c.happened AND h.kind = c.kind"
        " WHEN MATCHED THEN UPDATE SET events = h.events + c.events"
        " WHEN NOT MATCHED THEN INSERT (kind, received, happened, events)"
        " VALUES (c.kind, c.received, c.happened, c.events)"
    )
    connection.execute(
        "UPDATE rollup_kinds SET events = rollup_kinds.events + c.events"
        " FROM (SELECT kind, sum(events)::BIGINT AS events FROM rollup_cells GROUP BY kind) c"
        " WHERE c.kind = rollup_kinds.kind"
    )
