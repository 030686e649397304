"""The third wall around people's SQL: what the engine itself enforces, whatever the statement says.

The instance is locked down (instance.py): no file but this tenant's segments, no settings, no extensions.
The statement must be one SELECT for the engine, runs in the reader's read-only transaction, and is stopped by
time, by rows, by the bytes of its result, and where it takes the memory that loading needs.
"""

import contextlib
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Final

import duckdb
import pyarrow as pa

from eventcenter.archive.alarm import Alarm
from eventcenter.archive.archive import Reader, readable_errors
from eventcenter.archive.statement import read
from eventcenter.errors import InvalidInput, Unavailable
from eventcenter.priority import give_way

warnings.filterwarnings("ignore", message="Arrow output on a DB-API result", category=UserWarning)

_BATCH_ROWS: Final = 1024
_AGAIN_S: Final = 0.05
_LOOK_S: Final = 0.1
_QUICK_S: Final = 0.5
_NICE: Final = 15
_NOT_EVICTABLE: Final = (
    "SELECT sum(memory_usage_bytes)::BIGINT FROM duckdb_memory() WHERE tag IN ('ALLOCATOR')"
)
_MOST_MEMORY: Final = 0.5
"""Part of the memory limit that what cannot be written to disk may take."""
_SHOWN: Final = 300
_TIME: Final = "TIMESTAMP WITH TIME ZONE"
_WHOLE: Final = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_VALUES: Final = frozenset({"VARCHAR", "JSON", "BOOLEAN", "DOUBLE", _TIME, *_WHOLE})
"""Types whose values are the very same in Python, but for times that it does not know."""
_FEW_VALUES: Final = 2048
"""So many values take less time one by one than a table of Arrow."""
_FEW_BYTES: Final = 1 << 20
_NUMBER_BYTES: Final = 8
Row = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a statement answered."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    """DuckDB's names of the columns' types."""
    rows: pa.Table | list[Row]
    """A list of Python's values where these were asked for, are few, and are the very same."""
    truncated: bool
    """There is more than was asked for, or than may be answered."""


class _OtherValue(Exception):
    """A value that is another one in Python."""


class NotRun(InvalidInput):
    """The engine refused the statement itself: unknown column, wrong type, a value that cannot be cast."""


def select(
    reader: Reader,
    sql: str,
    parameters: Sequence[object] | Mapping[str, object] = (),
    *,
    most_rows: int,
    most_bytes: int,
    limit_s: float,
    memory_bytes: int,
    tables: Mapping[str, pa.Table] | None = None,
    values: bool = False,
) -> Found:
    """Run one SELECT that a person wrote. `tables` are further ones, seen by this statement alone.

    With `values` few rows come as Python's values: a table of Arrow takes the engine a second statement.

    It is stopped at the reader's deadline (`limit_s` is for the message), and where it takes more than half
    of `memory_bytes`, the instance's limit, for what cannot be written to disk. The calling thread gives way
    to all others, for good, once that has taken half a second: call it in a thread of its own.

    Raises NotRun for what the engine refuses, Unavailable when time or memory run out.
    """
    statement = _select_of(sql)
    cursor = reader.cursor
    for name, table in (tables or {}).items():
        cursor.register(name, table)
    stopper = _Stopper(reader, round(_MOST_MEMORY * memory_bytes))
    try:
        with _explained(limit_s, stopper), stopper:
            # A relation would be bound twice, which takes as long as most questions.
            cursor.execute(statement, parameters or None)
            described = cursor.description
            if described is None:
                raise NotRun("The statement answers nothing.", rule="exactly one SELECT")
            names = tuple(column[0] for column in described)
            types = tuple(str(column[1]).strip('"') for column in described)
            begun: list[Row] = []
            if values and _VALUES.issuperset(types):
                most = min(most_rows, _FEW_VALUES // len(types))
                try:
                    begun, whole = _begin(cursor, types, most, most_bytes)
                except _OtherValue:
                    cursor.execute(statement, parameters or None)
                else:
                    if whole:
                        return Found(names=names, types=types, rows=begun, truncated=False)
            stream: Any = cursor.to_arrow_reader(_BATCH_ROWS)
            try:
                rows, truncated = _gathered(begun, stream, most_rows, most_bytes)
            finally:
                stream.close()
    finally:
        for name in tables or {}:
            cursor.unregister(name)
    return Found(names=names, types=types, rows=rows, truncated=truncated)


def peek(reader: Reader, sql: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
    """Rows of a small statement of our own that holds a person's condition. Raises NotRun, Unavailable."""
    try:
        return reader.rows(sql, parameters)
    except duckdb.Error as error:
        raise _refused(str(error)) from error
    except OSError as error:
        raise _refused(str(error)) from error
    except OverflowError as error:
        raise NotRun("A time lies beyond the year 9999.", rule="times that a program can tell") from error


def _select_of(sql: str) -> duckdb.Statement:
    try:
        statement = read(sql)
        fine = statement.type == duckdb.StatementType.SELECT
    # Some kinds of statement have no name in Python and raise what is no error of the engine.
    except Exception as error:
        raise NotRun("The statement cannot be read.", rule="exactly one SELECT") from error
    if not fine:
        raise NotRun("The statement is not allowed.", rule="exactly one SELECT")
    return statement


def _begin(
    cursor: duckdb.DuckDBPyConnection, types: Sequence[str], most_rows: int, most_bytes: int
) -> tuple[list[Row], bool]:
    """The first rows, few and short ones, and whether these are all. Raises _OtherValue."""
    times = [place for place, kind in enumerate(types) if kind == _TIME]
    rows: list[Row] = []
    size = 0
    while len(rows) < most_rows and size < min(_FEW_BYTES, most_bytes):
        row = cursor.fetchone()
        if row is None:
            return rows, True
        for place in times:
            moment = row[place]
            # Infinite ones come without a time zone, those beyond the year 9999 as texts.
            if moment is not None and (not isinstance(moment, datetime) or moment.tzinfo is None):
                raise _OtherValue
        size += sum(len(value.encode()) if isinstance(value, str) else _NUMBER_BYTES for value in row)
        rows.append(row)
    return rows, False


def _gathered(
    begun: Sequence[Row], stream: pa.RecordBatchReader, most_rows: int, most_bytes: int
) -> tuple[pa.Table, bool]:
    """Rows up to the limits, the ones that were fetched first, and whether there are more."""
    batches: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in chain(_batches(begun, stream.schema), stream):
        room = most_rows - rows
        if batch.num_rows > room:
            batches.append(batch.slice(0, room))
            return pa.Table.from_batches(batches, stream.schema), True
        size += batch.nbytes
        if size > most_bytes:
            fitting = _fitting(batch, most_bytes - (size - batch.nbytes))
            if not batches and not fitting.num_rows:
                raise NotRun(
                    "One row is larger than an answer may be.",
                    value=f"{size} bytes",
                    rule=f"at most {most_bytes} bytes (EVENTCENTER_QUERY_RESULT_BYTES)",
                    remedy="select less of it",
                )
            batches.append(fitting)
            return pa.Table.from_batches(batches, stream.schema), True
        batches.append(batch)
        rows += batch.num_rows
    return pa.Table.from_batches(batches, stream.schema), False


def _batches(rows: Sequence[Row], schema: pa.Schema) -> list[pa.RecordBatch]:
    if not rows:
        return []
    columns = zip(zip(*rows, strict=True), schema.types, strict=True)
    return [pa.record_batch([pa.array(values, kind) for values, kind in columns], schema=schema)]


def _fitting(batch: pa.RecordBatch, most_bytes: int) -> pa.RecordBatch:
    rows = batch.num_rows
    while rows and batch.slice(0, rows).nbytes > most_bytes:
        rows //= 2
    return batch.slice(0, rows)


class _Stopper:
    """Interrupts a statement at its deadline or where it takes too much memory, again until it has ended.

    What it looks with may itself take its time, so each statement that is not quick has a thread for it.
    """

    def __init__(self, reader: Reader, most_memory: int) -> None:
        self._reader = reader
        self._most_memory = most_memory
        self._ended = threading.Event()
        self._caller = threading.get_native_id()
        self._began = time.monotonic()
        self._alarm = Alarm(min(self._began + _LOOK_S, reader.deadline), self._start)
        self._thread: threading.Thread | None = None
        self.took_memory = False

    def __enter__(self) -> None:
        self._alarm.__enter__()

    def __exit__(self, *_: object) -> None:
        self._alarm.__exit__()
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        thread = threading.Thread(target=self._watch, daemon=True, name="query stopper")
        thread.start()
        self._thread = thread

    def _watch(self) -> None:
        look: duckdb.DuckDBPyConnection | None = None
        gives_way = False
        pause = 0.0
        while not self._ended.wait(pause):
            if time.monotonic() >= self._reader.deadline:
                break
            if not gives_way and time.monotonic() - self._began >= _QUICK_S:
                gives_way = True
                give_way(_NICE, thread=self._caller)
            look = look or self._reader.cursor.cursor()
            if self._takes_too_much(look):
                self.took_memory = True
                break
            pause = max(0.0, min(_LOOK_S, self._reader.deadline - time.monotonic()))
        if look is not None:
            look.close()
        # One interrupt may fall between two steps of the same statement.
        while not self._ended.is_set():
            self._reader.cursor.interrupt()
            self._ended.wait(_AGAIN_S)

    def _takes_too_much(self, look: duckdb.DuckDBPyConnection) -> bool:
        with contextlib.suppress(duckdb.Error):
            [(used,)] = look.execute(_NOT_EVICTABLE).fetchall()
            return used is not None and used > self._most_memory
        return False


@contextlib.contextmanager
def _explained(limit_s: float, stopper: _Stopper) -> Iterator[None]:
    """The engine's refusals as errors that say what to do, without anything of the inside."""
    try:
        with readable_errors(limit_s):
            yield
    except Unavailable as error:
        if stopper.took_memory:
            raise _memory() from error
        raise
    except (duckdb.FatalException, duckdb.InternalException) as error:
        raise Unavailable(
            "The query engine failed on this statement.",
            remedy="write it in another way; others are not affected",
        ) from error
    except duckdb.Error as error:
        raise _refused(str(error)) from error
    except OSError as error:
        # What goes wrong while rows are fetched comes through Arrow, without its class.
        said = str(error)
        if said.startswith(("INTERRUPT", "Out of Memory")):
            late = said.startswith("INTERRUPT") and not stopper.took_memory
            raise (_late(limit_s) if late else _memory()) from error
        raise _refused(said) from error
    except (pa.ArrowException, OverflowError) as error:
        raise NotRun(
            "The result holds a value that no answer can carry.",
            rule="the types of docs/sql.md",
            remedy="cast it to VARCHAR",
        ) from error


def _refused(said: str) -> NotRun:
    """What the engine says, without what follows: the statement as rewritten, or what views are made of."""
    text = said.split("\n\nLINE", maxsplit=1)[0]
    return NotRun(
        f"The query engine refuses: {text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}",
        rule="tables, columns and functions of docs/sql.md, with values of their types",
        remedy="TRY_CAST gives NULL where CAST fails",
    )


def _memory() -> Unavailable:
    return Unavailable(
        "The query needs more memory than the archive may use.",
        rule="EVENTCENTER_ARCHIVE_MEMORY_BYTES, shared by the open archives; a query gets a part of it",
        remedy="narrow the time range, or collect less: list() and string_agg() keep everything",
    )


def _late(limit_s: float) -> Unavailable:
    return Unavailable(
        "The query took too long and was stopped.",
        rule=f"at most {limit_s:g} s (EVENTCENTER_QUERY_TIMEOUT_S)",
        remedy="narrow the time range or add a filter on type, source or bus",
    )
