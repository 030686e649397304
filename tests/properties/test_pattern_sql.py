"""What a pattern means in Python and what its SQL finds are the same, whatever the event and the pattern."""

import duckdb
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventcenter.event import Event
from eventcenter.pattern import EventPattern
from queries.search import Statement
from tests.properties.about import Dice
from tests.properties.json_texts import events, patterns

COLUMNS = (
    "seq BIGINT, id VARCHAR, source VARCHAR, type VARCHAR, subject VARCHAR, time_text VARCHAR, "
    "datacontenttype VARCHAR, dataschema VARCHAR, extensions VARCHAR, data VARCHAR"
)


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE events ({COLUMNS})")
    return connection


def row(seq: int, event: Event) -> list[object]:
    return [
        seq,
        event.id,
        event.source,
        event.type,
        event.subject,
        event.time,
        event.datacontenttype,
        event.dataschema,
        msgspec.json.encode(dict(event.extensions)).decode() if event.extensions else None,
        None if event.data is None else event.data.decode(),
    ]


def store(engine: duckdb.DuckDBPyConnection, stored: list[Event]) -> None:
    engine.execute("DELETE FROM events")
    marks = ", ".join("?" * 10)
    engine.executemany(f"INSERT INTO events VALUES ({marks})", [row(*each) for each in enumerate(stored)])


def found(engine: duckdb.DuckDBPyConnection, pattern: EventPattern) -> set[int]:
    statement = Statement()
    statement.where_node(pattern.root)
    sql, parameters = statement.select("seq")
    return {seq for (seq,) in engine.execute(sql, parameters or None).fetchall()}


def matched(stored: list[Event], pattern: EventPattern) -> set[int]:
    return {seq for seq, event in enumerate(stored) if pattern.match(event)}


any_speed = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


@settings(any_speed, max_examples=200)
@given(st.lists(events(), min_size=1, max_size=4), patterns)
def test_any_pattern_matches_what_its_sql_finds(
    engine: duckdb.DuckDBPyConnection, stored: list[Event], text: str
) -> None:
    pattern = EventPattern.parse(text)
    store(engine, stored)
    assert matched(stored, pattern) == found(engine, pattern)


@pytest.mark.long
@settings(any_speed, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_patterns_about_the_events_match_what_their_sql_finds(
    engine: duckdb.DuckDBPyConnection, seed: int
) -> None:
    """Fifty events and forty patterns about them for each seed."""
    dice = Dice(seed)
    stored = [dice.event() for _ in range(50)]
    store(engine, stored)
    for _ in range(40):
        pattern = dice.pattern(stored)
        expected = matched(stored, pattern)
        actual = found(engine, pattern)
        differing = [stored[seq].data for seq in sorted(expected ^ actual)]
        assert not differing, f"seed {seed}, {pattern.text}"
