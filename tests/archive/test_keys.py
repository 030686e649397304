"""Keys of columns and of single events, and what they tell apart."""

import json

import duckdb
import pyarrow as pa
import pytest

from eventcenter.archive import keys

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def test_columns_have_the_keys_of_their_events_whatever_their_form() -> None:
    events = [("b", "/s", "1"), ("c", "/s", "1"), ("b", "/源", "1"), ("b", "/s", "é😀"), ("c", "/", "2")] * 3
    buses, sources, ids = (list(column) for column in zip(*events, strict=True))
    expected = [keys.key_of(*event) for event in events]
    parted = pa.chunked_array([sources[:4], sources[4:]], pa.string())
    assert keys.keys_of(pa.array(buses), pa.array(sources), pa.array(ids)).tolist() == expected
    assert keys.keys_of(pa.array(buses).dictionary_encode(), parted, pa.array(ids)).tolist() == expected
    assert [key >> 36 for key in expected] == [keys.id_prefix(one) for one in ids]


def test_subjects_have_hashes_where_they_are_there() -> None:
    subjects = ["4711", None, "", "源" * 100]
    hashes = keys.subject_hashes(pa.array(subjects, pa.string())).tolist()
    assert [hashes[row] for row in (0, 2, 3)] == [keys.subject_hash(subjects[row] or "") for row in (0, 2, 3)]


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
    assert keys.key_of("orders", "/shop", "A-1") == 4389207318685395289
    assert keys.subject_hash("4711") == 179868850
    assert keys.trace_hash(TRACE) == 0x211C80319C & 0xFFFFFFFF
