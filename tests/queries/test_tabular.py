"""Answers as JSON: every value as it is, whatever column it stands in."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from queries.tabular import json_answer, rows_of

MOMENT = datetime(2026, 11, 1, 12, 0, 0, 250_000, tzinfo=UTC)
COLUMNS: list[tuple[str, pa.Array, list[Any]]] = [
    ("VARCHAR", pa.array(["a", None, '"\\\n\x00é😀', "a", ""]), ["a", None, '"\\\n\x00é😀', "a", ""]),
    ("BIGINT", pa.array([1, None, -(2**63), 2**63 - 1, 0]), [1, None, -(2**63), 2**63 - 1, 0]),
    ("UBIGINT", pa.array([2**64 - 1] * 5, pa.uint64()), [2**64 - 1] * 5),
    ("DOUBLE", pa.array([1.0, None, 0.1, 1e300, float("inf")]), [1.0, None, 0.1, 1e300, "Infinity"]),
    ("BOOLEAN", pa.array([True, None, False, True, True]), [True, None, False, True, True]),
    (
        "TIMESTAMP WITH TIME ZONE",
        pa.array([MOMENT, None, MOMENT, None, MOMENT], pa.timestamp("us", tz="UTC")),
        ["2026-11-01T12:00:00.250000Z", None] * 2 + ["2026-11-01T12:00:00.250000Z"],
    ),
    ("JSON", pa.array(['{"n":1e400}', None, "[1.50]", "no", "null"]), ["{}", None, "[]", "no", None]),
    ("DECIMAL(9,2)", pa.array([Decimal("1.50")] * 5), [1.5] * 5),
    ("VARCHAR[]", pa.array([["a"], None, [], [None], ["b"]]), [["a"], None, [], [None], ["b"]]),
]


@pytest.mark.parametrize("pieces", [1, 2])
def test_rows_hold_what_their_columns_hold(pieces: int) -> None:
    arrays = [pa.chunked_array([array] if pieces == 1 else [array[:2], array[2:]]) for _, array, _ in COLUMNS]
    table = pa.table(arrays, names=[str(place) for place in range(len(COLUMNS))])
    kinds = [kind for kind, _, _ in COLUMNS]
    answer = json_answer(table.column_names, kinds, table, truncated=False, elapsed_ms=1.5)
    read = json.loads(answer)
    assert [column["type"] for column in read["columns"]] == [kind for kind, _, _ in COLUMNS]
    assert (read["truncated"], read["elapsed_ms"]) == (False, 1.5)
    for place, (kind, _, expected) in enumerate(COLUMNS):
        if kind != "JSON":
            assert [row[place] for row in read["rows"]] == expected, kind
    assert b'{"n":1e400},' in answer
    assert b"[1.50]," in answer
    assert b"1.50,[" in answer


@pytest.mark.parametrize("names", [[], ["a", "b"]])
def test_no_rows(names: list[str]) -> None:
    table = pa.table({name: pa.array([], pa.string()) for name in names})
    answer = json.loads(json_answer(names, ["VARCHAR"] * len(names), table, truncated=True, elapsed_ms=0))
    assert answer["rows"] == []
    assert [column["name"] for column in answer["columns"]] == names


def test_one_column() -> None:
    assert rows_of([pa.array(["1", "null"])]) == b"[[1],[null]]"
