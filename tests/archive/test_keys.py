"""SQL and Python compute the same hashes."""

import json

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventcenter.archive import keys
from eventcenter.archive.repeats import keys_of

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
EVENTS = st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=20)
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@settings(max_examples=50, deadline=None)
@given(events=EVENTS)
def test_keys_are_those_of_python(
    connection: duckdb.DuckDBPyConnection, events: list[tuple[str, str, str]]
) -> None:
    buses, sources, ids = (list(column) for column in zip(*events, strict=True))
    connection.register("events", pa.table({"bus": buses, "source": sources, "id": ids, "subject": ids}))
    rows = connection.execute(f"SELECT {keys.KEY}, {keys.ID_HASH}, {keys.SUBJECT} FROM events").fetchall()
    assert [key for key, _, _ in rows] == [keys.key_of(*event) for event in events]
    assert [hashed for _, hashed, _ in rows] == [keys.id_hash(one) for one in ids]
    assert [key >> 36 for key, _, _ in rows] == [keys.id_prefix(one) for one in ids]
    assert [subject for _, _, subject in rows] == [keys.subject_hash(one) for one in ids]


@pytest.mark.parametrize("copies", [1, 400])
def test_a_batch_gets_the_same_keys_however_many_it_has(
    connection: duckdb.DuckDBPyConnection, copies: int
) -> None:
    events = [
        ("b", "/s", "1"),
        ("c", "/s", "1"),
        ("b", "/源", "1"),
        ("b", "/s", "é😀"),
        ("c", "/", "2"),
    ] * copies
    buses, sources, ids = (list(column) for column in zip(*events, strict=True))
    half = len(events) // 2
    table = pa.table(
        {
            "bus": pa.array(buses).dictionary_encode(),
            "source": pa.chunked_array([sources[:half], sources[half:]], pa.string()),
            "id": ids,
        }
    )
    assert keys_of(connection, table).tolist() == [keys.key_of(*event) for event in events]


def test_keys_tell_bus_and_source_apart() -> None:
    assert keys.key_of("a", "bc", "1") != keys.key_of("ab", "c", "1")
    assert keys.key_of("a", "b", "1") != keys.key_of("b", "a", "1")


@pytest.mark.parametrize(
    ("extensions", "trace"),
    [
        ({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}, TRACE),
        ({"traceparent": f"01-{TRACE}-b7ad6b7169203331-01-more"}, TRACE),
        ({"x": "1", "traceparent": f"00-{TRACE}-b7ad6b7169203331-00"}, TRACE),
        ({"traceparent": f"00-{TRACE.upper()}-b7ad6b7169203331-01"}, None),
        ({"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"}, None),
        ({"traceparent": f"00-{TRACE}-b7ad6b7169203331"}, None),
        ({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01x"}, None),
        ({"traceparent": f"00-{TRACE[:-1]}g-b7ad6b7169203331-01"}, None),
        ({"traceparent": ""}, None),
        ({"traceparent": 7}, None),
        ({"traceparents": f"00-{TRACE}-b7ad6b7169203331-01"}, None),
        ({"x": "traceparent"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_traces_are_those_of_well_formed_parents(
    connection: duckdb.DuckDBPyConnection, extensions: dict[str, object] | None, trace: str | None
) -> None:
    text = None if extensions is None else json.dumps(extensions, separators=(",", ":"))
    connection.register("events", pa.table({"extensions": pa.array([text], pa.string())}))
    [(found,)] = connection.execute(f"SELECT {keys.TRACE} FROM events").fetchall()
    assert found == (None if trace is None else keys.trace_hash(trace))


def test_hashes_stay_the_same_for_good() -> None:
    """They are on disk."""
    assert keys.key_of("orders", "/shop", "A-1") == 4389686912778747892
    assert keys.subject_hash("4711") == 176736516
    assert keys.trace_hash(TRACE) == 0x211C80319C & 0xFFFFFFFF
