"""Few rows come as Python's values where that was asked for, and say the same as a table of Arrow."""

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from eventcenter.archive.untrusted import Found, select
from queries.tabular import json_answer
from tests.queries.filling import TENANT, Filling

PLAIN = """
    i, (i % 2 = 0) AS even, -i AS less, (i + 18446744073709550000)::UBIGINT AS large,
    (i % 100)::TINYINT AS tiny, i / 3 AS third,
    CASE WHEN i = 1 THEN NULL ELSE 'text ' || i || chr(34) || chr(233) || chr(0) END AS t,
    (CASE i % 3 WHEN 0 THEN '{"a":1e400}' WHEN 1 THEN '[1.50, null]' END)::JSON AS j,
    make_timestamptz(1793491200000000 + i * 500000) AS moment
"""
COLUMNS = 9
ROWS = 2048 // COLUMNS


@pytest.fixture(scope="module")
def filling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filling]:
    filled = Filling(tmp_path_factory.mktemp("untrusted"))
    yield filled
    filled.archives.close()


def found(
    filling: Filling, sql: str, *, values: bool, most_rows: int = 10_000, most_bytes: int = 1 << 24
) -> Found:
    archive = filling.archives.tenant(TENANT)
    with archive.reader() as reader:
        return select(
            reader,
            sql,
            most_rows=most_rows,
            most_bytes=most_bytes,
            limit_s=60,
            memory_bytes=archive.memory_bytes,
            values=values,
        )


def written(one: Found) -> bytes:
    return json_answer(one.names, one.types, one.rows, truncated=one.truncated, elapsed_ms=0)


@pytest.mark.parametrize("rows", [0, 1, 2, ROWS - 1, ROWS, ROWS + 1, 1000])
def test_the_same_however_many(filling: Filling, rows: int) -> None:
    sql = f"SELECT {PLAIN} FROM range({rows}) t(i)"
    few = found(filling, sql, values=True)
    assert len(few.types) == COLUMNS
    assert isinstance(few.rows, list) == (rows < ROWS)
    assert len(few.rows) == rows
    assert written(few) == written(found(filling, sql, values=False))


@pytest.mark.parametrize("most_rows", [1, ROWS - 1, ROWS, ROWS + 1, ROWS + 49, ROWS + 50, ROWS + 51])
def test_a_limit_cuts_at_the_same_row(filling: Filling, most_rows: int) -> None:
    sql = f"SELECT {PLAIN} FROM range({ROWS + 50}) t(i)"
    few = found(filling, sql, values=True, most_rows=most_rows)
    assert len(few.rows) == min(most_rows, ROWS + 50)
    assert few.truncated == (most_rows < ROWS + 50)
    assert written(few) == written(found(filling, sql, values=False, most_rows=most_rows))


@pytest.mark.parametrize("most_bytes", [500_000, 1 << 20, 2_000_000])
def test_long_values_are_bounded_by_bytes(filling: Filling, most_bytes: int) -> None:
    sql = "SELECT i, repeat('x', 100000) AS text FROM range(40) t(i)"
    few = found(filling, sql, values=True, most_bytes=most_bytes)
    assert isinstance(few.rows, pa.Table)
    assert few.truncated
    fitting = most_bytes // 100_030
    assert fitting // 2 <= len(few.rows) <= fitting
    assert few.rows["i"].to_pylist() == list(range(len(few.rows)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("'infinity'::TIMESTAMPTZ", '"infinity"'),
        ("'-infinity'::TIMESTAMPTZ", '"-infinity"'),
        ("make_timestamptz(253402300799999999)", '"9999-12-31T23:59:59.999999Z"'),
        ("make_timestamptz(253402300800000000)", '"10000-01-01T00:00:00.000000Z"'),
        ("make_timestamptz(-62135596800000000)", '"0001-01-01T00:00:00Z"'),
        ("make_timestamptz(-62135596800000001)", '"0000-12-31T23:59:59.999999Z"'),
        ("'NaN'::DOUBLE", '"NaN"'),
        ("'-infinity'::DOUBLE", '"-Infinity"'),
        ("-0.0::DOUBLE", "-0.0"),
        ("1e300::DOUBLE", "1e300"),
        ("0.1::FLOAT", "0.10000000149011612"),
        ("1.10::DECIMAL(9,2)", "1.10"),
        ("170141183460469231731687303715884105727::HUGEINT", "170141183460469231731687303715884105727"),
        ("INTERVAL '1 month 2 days'", '"P1M2D"'),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2500])
def test_values_that_python_does_not_hold(filling: Filling, value: str, text: str, place: int) -> None:
    sql = f"SELECT CASE WHEN i = {place} THEN {value} END AS v FROM range({place + 2}) t(i)"
    few = found(filling, sql, values=True)
    answer = written(few)
    assert answer == written(found(filling, sql, values=False))
    rows: list[Any] = json.loads(answer)["rows"]
    assert rows[place] == [json.loads(text)]
    assert f"[{text}]".encode() in answer
