"""Counts are those of the events, whatever is added, taken away and tidied."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventcenter.archive import rollup

SCHEMA = Path(rollup.__file__).with_name("schema.sql").read_text("utf-8")
START = datetime(2026, 11, 1, 11, 58, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
UTC_US = pa.timestamp("us", tz="UTC")
ALL = "SELECT * FROM happened"

far = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
edges = st.builds(
    lambda base, minutes, micros: base + timedelta(minutes=minutes, microseconds=micros),
    st.sampled_from([START, EPOCH]),
    st.integers(-62, 62),
    st.sampled_from([-1, 0, 1]),
)


@dataclass(frozen=True)
class Row:
    bus: str
    source: str
    type: str
    time: datetime | None
    delay: int


rows = st.builds(
    Row,
    st.sampled_from(["default", "ñ"]),
    st.sampled_from(["/a", "/b", ""]),
    st.sampled_from(["made", "gone", "it's"]),
    st.none() | edges | edges | far,
    st.integers(0, 70),
)


@contextmanager
def opened(*, many_events: int = 8_192, loose_cells: int = 16_384) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty archive of one connection, in a transaction."""
    with (
        patch.object(rollup, "_MANY_EVENTS", many_events),
        patch.object(rollup, "_LOOSE_CELLS", loose_cells),
        duckdb.connect() as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("BEGIN TRANSACTION")
        connection.execute(SCHEMA)
        connection.execute(
            "CREATE TABLE happened (seq BIGINT, bus VARCHAR, source VARCHAR, type VARCHAR,"
            " time TIMESTAMPTZ, received_at TIMESTAMPTZ)"
        )
        yield connection


class Model:
    """Events in a table, their counts kept by the roll-ups, and the same events in Python."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.events: dict[int, tuple[Row, datetime]] = {}
        self.now = START
        self.seq = 1

    def add(self, batch: list[Row]) -> None:
        first = self.seq
        for row in batch:
            self.now += timedelta(seconds=row.delay)
            self.events[self.seq] = (row, self.now)
            self.seq += 1
        made = range(first, self.seq)
        incoming = pa.table(
            {
                "seq": pa.array(made, pa.int64()),
                **{name: [getattr(row, name) for row in batch] for name in ("bus", "source", "type")},
                "time": pa.array([row.time for row in batch], UTC_US),
                "received_at": pa.array([self.events[seq][1] for seq in made], UTC_US),
            }
        )
        self.connection.register("incoming", incoming)
        self.connection.execute("INSERT INTO happened SELECT * FROM incoming")
        sql = f"SELECT * FROM happened WHERE seq >= {first}"
        rollup.add(self.connection, sql, first_seq=first, events=len(batch))

    def remove(self, seqs: list[int]) -> None:
        condition = "seq IN (SELECT unnest(?::BIGINT[]))"
        rollup.subtract(self.connection, f"SELECT * FROM happened WHERE {condition}", [seqs])
        self.connection.execute(f"DELETE FROM happened WHERE {condition}", [seqs])
        for seq in seqs:
            self.events.pop(seq, None)

    def expected(self, minutes: int) -> Counter[tuple[object, ...]]:
        width = minutes * MINUTE
        return Counter(
            (
                row.bus,
                row.source,
                row.type,
                (received - EPOCH) // width,
                ((row.time or received) - EPOCH) // width,
            )
            for row, received in self.events.values()
        )

    def kept(self, table: str) -> Counter[tuple[object, ...]]:
        rows = self.connection.execute(
            f"SELECT bus, source, type, received, happened, sum(c.events)::BIGINT FROM {table} c"
            " JOIN rollup_kinds USING (kind) GROUP BY ALL"
        ).fetchall()
        return Counter({tuple(where): events for *where, events in rows if events})

    def loose(self) -> Counter[tuple[object, ...]]:
        rows = self.connection.execute("SELECT * FROM rollup_loose").fetchall()
        found: Counter[tuple[object, ...]] = Counter()
        for *where, events in rows:
            found[tuple(where)] += events
        return found

    def agrees(self) -> None:
        loose = self.loose()
        by_hour: Counter[tuple[object, ...]] = Counter()
        for (bus, source, name, received, happened), events in loose.items():
            by_hour[bus, source, name, int(str(received)) // 60, int(str(happened)) // 60] += events
        assert self.kept("rollup_minutes") + loose == self.expected(1)
        assert self.kept("rollup_hours") + by_hour == self.expected(60)
        totals = self.connection.execute("SELECT sum(events)::BIGINT FROM rollup_kinds").fetchall()[0][0] or 0
        assert totals + loose.total() == len(self.events)
        assert rollup.check(self.connection, ALL) == []


steps = st.lists(
    st.lists(rows, max_size=12)
    | st.sampled_from(["tidy", "rebuild"])
    | st.lists(st.integers(1, 60), min_size=1, max_size=30),
    max_size=8,
)


@pytest.mark.parametrize(("many_events", "loose_cells"), [(3, 2), (8, 5), (8_192, 16_384)])
@settings(max_examples=12, deadline=None)
@given(todo=steps)
def test_counts_are_those_of_the_events(
    many_events: int, loose_cells: int, todo: list[list[Row] | str | list[int]]
) -> None:
    with opened(many_events=many_events, loose_cells=loose_cells) as connection:
        model = Model(connection)
        for step in todo:
            if step == "tidy":
                rollup.tidy(connection, most_loose=0)
                assert not model.loose()
            elif step == "rebuild":
                rollup.rebuild(connection, ALL)
            elif step and isinstance(step[0], int):
                model.remove([seq for seq in step if isinstance(seq, int)])
            else:
                model.add([row for row in step if isinstance(row, Row)])
            model.agrees()


def test_small_batches_are_tidied_by_themselves() -> None:
    with opened(many_events=10, loose_cells=20) as connection:
        model = Model(connection)
        most = 0
        for _ in range(40):
            model.add([Row("b", "s", "t", None, 1)] * 3)
            most = max(most, sum(model.loose().values()))
        assert most < 40
        assert model.kept("rollup_minutes")
        model.agrees()


def test_what_is_deleted_leaves_no_cells_behind() -> None:
    with opened(many_events=3, loose_cells=0) as connection:
        model = Model(connection)
        for name in ("kept", "gone"):
            model.add([Row("b", "s", name, None, delay) for delay in (1, 5, 100, 4000)])
        model.remove([5, 6, 7, 8])
        cells = connection.execute(
            "SELECT 'minutes', count(*) FROM rollup_minutes"
            " UNION ALL SELECT 'hours', count(*) FROM rollup_hours"
            " UNION ALL SELECT type, events FROM rollup_kinds ORDER BY ALL"
        ).fetchall()
        assert cells == [("hours", 2), ("kept", 4), ("minutes", 3)]
        model.agrees()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ("UPDATE rollup_minutes SET events = events + 1", "minute"),
        ("UPDATE rollup_hours SET events = 7", "hour"),
        ("UPDATE rollup_kinds SET events = 0", "kind"),
        ("DELETE FROM rollup_hours", "hour"),
        ("DELETE FROM happened", "minute"),
    ],
)
def test_check_finds_what_is_wrong(spoil: str, told: str) -> None:
    with opened(many_events=1) as connection:
        Model(connection).add([Row("b", "s", "t", None, 1)] * 2)
        connection.execute(spoil)
        found = rollup.check(connection, ALL)
        assert any(each.startswith(f"the {told} ") for each in found)
        rollup.rebuild(connection, ALL)
        assert rollup.check(connection, ALL) == []
