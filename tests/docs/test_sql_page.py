"""docs/sql.md tells the tables, functions and limits as the program has them."""

from pathlib import Path

import pytest

from eventcenter.archive.relation import COLUMNS
from queries import functions, guard, walk
from queries.shapes import OriginShape
from queries.sql import DEFAULT_ROWS, DELIVERIES, MOST_DELIVERIES

PAGE = (Path(__file__).parents[2] / "docs" / "sql.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "names",
    [
        functions.FUNCTIONS,
        functions.WINDOWS,
        functions.TABLES,
        functions.TYPES,
        COLUMNS,
        DELIVERIES.names,
        OriginShape.model_fields,
        walk.TABLES,
    ],
)
def test_every_name_is_told(names: frozenset[str]) -> None:
    assert [name for name in names if f"`{name}`" not in PAGE] == []


def test_no_name_is_told_that_is_refused() -> None:
    told = PAGE.split("## Functions")[1].split("Lambdas")[0]
    named = {part for number, part in enumerate(told.replace("``", "").split("`")) if number % 2}
    known = functions.FUNCTIONS | functions.WINDOWS | functions.TABLES | functions.TYPES
    assert named - known == set()


def test_limits_are_told() -> None:
    for number in (
        f"{guard.DEEPEST} levels",
        f"{guard.MOST_BYTES // 1024} KiB",
        f"{walk.MOST_NODES:,} parts",
        f"{walk.MOST_RELATIONS} tables, {walk.MOST_EVENTS} of them",
        f"{walk.MOST_COLUMNS:,} columns",
        f"{DEFAULT_ROWS:,} if not given",
        f"newest {MOST_DELIVERIES:,}",
    ):
        assert number in PAGE, number
