"""What the product is compared with: DuckDB's `read_json` into a table, and chDB with its JSON type.

Each runs in a process of its own on two threads, and times statements with the fetching of their rows.
"""

import gc
import importlib
import importlib.util
import json
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import duckdb

THREADS = 2
Result = TypeVar("Result")
Rows = list[dict[str, Any]]

_DUCKDB_TABLE = """
CREATE TABLE t AS SELECT * FROM read_json(?, format = 'newline_delimited', columns = {
    specversion: 'VARCHAR', id: 'VARCHAR', source: 'VARCHAR', type: 'VARCHAR', subject: 'VARCHAR',
    time: 'TIMESTAMPTZ', datacontenttype: 'VARCHAR', traceparent: 'VARCHAR', aliyunregionid: 'VARCHAR',
    data: 'JSON'})
"""
_CHDB_TABLE = """
CREATE TABLE t (
    specversion LowCardinality(String), id String, source LowCardinality(String), type LowCardinality(String),
    subject String, time DateTime64(6, 'UTC'), datacontenttype LowCardinality(String), traceparent String,
    aliyunregionid LowCardinality(String), data JSON
) ENGINE = MergeTree ORDER BY (type, time)
"""
_CHDB_COMPACT = "SETTINGS min_bytes_for_wide_part = 1000000000000, min_rows_for_wide_part = 1000000000"
_CHDB_SETTINGS = (
    f"SET max_threads = {THREADS}",
    f"SET max_insert_threads = {THREADS}",
    "SET date_time_input_format = 'best_effort'",
    "SET input_format_skip_unknown_fields = 1",
    "SET output_format_json_quote_64bit_integers = 0",
)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement, once for each of its lists of parameters."""

    sql: str
    parameters: Sequence[Sequence[str]] = ((), (), (), ())


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """How loading went, and the best time and the last rows of each statement."""

    seconds: float
    bytes: int
    best_s: Mapping[str, float] = field(default_factory=dict)
    rows: Mapping[str, Rows] = field(default_factory=dict)


@contextmanager
def no_collection() -> Iterator[None]:
    """Measure without Python's garbage collection, as timeit does: it depends on all else that there is."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def isolated(function: Callable[..., Result], *arguments: object) -> Result:
    """Call it in a new process: its memory, threads and open files end with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def duckdb_load(
    files: Sequence[Path], folder: Path, statements: Mapping[str, Statement] | None = None
) -> Loaded:
    """Load the files in their order into a table of a new file in `folder`, ask, remove it."""
    return isolated(_duckdb, [str(file) for file in files], folder, statements or {})


def chdb_load(
    files: Sequence[Path], folder: Path, statements: Mapping[str, Statement] | None = None
) -> Loaded:
    """The same in chDB. Raises where chDB is not installed."""
    return isolated(_chdb, [str(file) for file in files], folder, statements or {})


def chdb_missing() -> str | None:
    """Why there is no comparison with chDB."""
    if importlib.util.find_spec("chdb") is not None:
        return None
    return "chDB is not installed (pip install --require-hashes -r requirements/bench.txt)"


def _duckdb(files: list[str], folder: Path, statements: Mapping[str, Statement]) -> Loaded:
    path = folder / f"reference-{time.monotonic_ns()}.duckdb"
    connection = duckdb.connect(str(path), config={"threads": THREADS})
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET TimeZone = 'UTC'")

    def ask(sql: str, parameters: Sequence[object]) -> tuple[float, Rows]:
        with no_collection():
            start = time.perf_counter()
            cursor = connection.execute(sql, list(parameters))
            found = cursor.fetchall()
            seconds = time.perf_counter() - start
        names = [column[0] for column in cursor.description]
        return seconds, [dict(zip(names, row, strict=True)) for row in found]

    seconds, _ = ask(_DUCKDB_TABLE, [files])
    connection.execute("CHECKPOINT")
    size = path.stat().st_size
    best, rows = _best(ask, statements)
    connection.close()
    path.unlink()
    return Loaded(seconds=seconds, bytes=size, best_s=best, rows=rows)


def _chdb(files: list[str], folder: Path, statements: Mapping[str, Statement]) -> Loaded:
    # Parts of wide JSON are many files.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # Named by text, because it need not be there.
    session: Any = importlib.import_module("chdb.session").Session(
        str(folder / f"chdb-{time.monotonic_ns()}")
    )

    def ask(sql: str, parameters: Sequence[str]) -> tuple[float, Rows]:
        for value in parameters:
            sql = sql.replace("?", f"'{value}'", 1)
        with no_collection():
            start = time.perf_counter()
            answer = session.query(sql, "JSONEachRow")
            lines = bytes(answer.bytes()).splitlines()
            seconds = time.perf_counter() - start
        return seconds, [json.loads(line) for line in lines]

    def load() -> float:
        return sum(ask("INSERT INTO t SELECT * FROM file(?, 'JSONEachRow')", [file])[0] for file in files)

    for sql in (*_CHDB_SETTINGS, "CREATE DATABASE b ENGINE = Atomic", "USE b", _CHDB_TABLE):
        session.query(sql)
    try:
        seconds = load()
    except Exception as error:
        if "Too many open files" not in str(error):
            raise
        # Mixed payloads make more files of a part than may be open: then a part is one file.
        for sql in ("DROP TABLE t SYNC", _CHDB_TABLE + _CHDB_COMPACT):
            session.query(sql)
        seconds = load()
    size = json.loads(
        bytes(
            session.query(
                "SELECT sum(bytes_on_disk) AS n FROM system.parts WHERE active", "JSONEachRow"
            ).bytes()
        )
    )["n"]
    best, rows = _best(ask, statements)
    session.close()
    return Loaded(seconds=seconds, bytes=size, best_s=best, rows=rows)


def _best(
    ask: Callable[[str, Sequence[str]], tuple[float, Rows]], statements: Mapping[str, Statement]
) -> tuple[dict[str, float], dict[str, Rows]]:
    best: dict[str, float] = {}
    rows: dict[str, Rows] = {}
    for name, statement in statements.items():
        for parameters in statement.parameters:
            seconds, rows[name] = ask(statement.sql, parameters)
            best[name] = min(seconds, best.get(name, seconds))
    return best, rows
