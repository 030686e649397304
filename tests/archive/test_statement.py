"""Statements that the engine has read."""

from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest

from eventcenter.archive.statement import read


@pytest.mark.parametrize("comment", ["", "-- " + "long" * 2_000])
def test_one_that_was_read_runs_in_many_threads_with_values_of_their_own(comment: str) -> None:
    sql = f"SELECT $n::BIGINT + 1 {comment}"
    with duckdb.connect() as connection, ThreadPoolExecutor(4) as pool:

        def ask(n: int) -> int:
            with connection.cursor() as cursor:
                [(found,)] = cursor.execute(read(sql), {"n": n}).fetchall()
            return int(found)

        assert list(pool.map(ask, range(400))) == list(range(1, 401))


@pytest.mark.parametrize("sql", ["SELECT 1; SELECT 2", ""])
def test_not_exactly_one(sql: str) -> None:
    with pytest.raises(ValueError, match="values to unpack"):
        read(sql)


def test_what_cannot_be_read() -> None:
    with pytest.raises(duckdb.ParserException, match="syntax error"):
        read("SELEC 1")
