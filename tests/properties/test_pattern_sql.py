"""What a pattern means in Python and what its SQL finds are the same, whatever the event and the pattern."""

import duckdb
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventcenter.event import Event
from eventcenter.pattern import EventPattern
from queries.search import Statement
from tests.properties.json_texts import events, patterns, patterns_about

COLUMNS = (
    "seq BIGINT, id VARCHAR, source VARCHAR, type VARCHAR, subject VARCHAR, time_text VARCHAR, "
    "datacontenttype VARCHAR, dataschema VARCHAR, extensions VARCHAR, data VARCHAR"
)
several_events = st.lists(events(), min_size=1, max_size=6)


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


def found(engine: duckdb.DuckDBPyConnection, stored: list[Event], pattern: EventPattern) -> list[bool]:
    engine.execute("DELETE FROM events")
    marks = ", ".join("?" * 10)
    engine.executemany(f"INSERT INTO events VALUES ({marks})", [row(*each) for each in enumerate(stored)])
    statement = Statement()
    statement.where_node(pattern.root)
    sql, parameters = statement.select("seq")
    seqs = {seq for (seq,) in engine.execute(sql, parameters or None).fetchall()}
    return [seq in seqs for seq in range(len(stored))]


def agree(engine: duckdb.DuckDBPyConnection, stored: list[Event], text: str) -> None:
    pattern = EventPattern.parse(text)
    assert [pattern.match(event) for event in stored] == found(engine, stored, pattern)


any_speed = settings(
    deadline=None, max_examples=300, suppress_health_check=list(HealthCheck), print_blob=True
)


@any_speed
@given(several_events, patterns)
def test_any_pattern_matches_what_its_sql_finds(
    engine: duckdb.DuckDBPyConnection, stored: list[Event], text: str
) -> None:
    agree(engine, stored, text)


@any_speed
@given(several_events.flatmap(lambda stored: st.tuples(st.just(stored), patterns_about(stored))))
def test_a_pattern_about_the_events_matches_what_its_sql_finds(
    engine: duckdb.DuckDBPyConnection, both: tuple[list[Event], str]
) -> None:
    agree(engine, *both)
