"""One tenant's archive: opened when needed, read by many, written by the loader."""

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from eventcenter.archive import load as loading
from eventcenter.errors import Conflict, Unavailable
from eventcenter.journal import Outcome, Position, ReadBlock

FORMAT = 1
_SCHEMA = Path(__file__).with_name("schema.sql")
Parameters = Sequence[object] | Mapping[str, object]


class Archive:
    """A tenant's folder: a main DuckDB file. Thread-safe; loads are one at a time."""

    def __init__(self, folder: Path, *, memory_bytes: int, timeout_s: float) -> None:
        self._folder = folder
        self._memory_bytes = memory_bytes
        self._timeout_s = timeout_s
        self._condition = threading.Condition()
        self._users = 0
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._load_mutex = threading.Lock()
        self._unsaved = False

    def query(
        self, sql: str, parameters: Parameters = (), *, timeout_s: float | None = None
    ) -> list[dict[str, Any]]:
        """Rows of one of our own SELECTs, times as aware UTC datetimes.

        Raises Unavailable after `timeout_s` seconds (default: the setting).
        """
        rows: list[dict[str, Any]] = self.query_arrow(sql, parameters, timeout_s=timeout_s).to_pylist()
        return rows

    def query_arrow(
        self, sql: str, parameters: Parameters = (), *, timeout_s: float | None = None
    ) -> pa.Table:
        """The same as an Arrow table."""
        limit = timeout_s or self._timeout_s
        with self._use() as connection:
            cursor = connection.cursor()
            timer = threading.Timer(limit, cursor.interrupt)
            timer.daemon = True
            timer.start()
            try:
                cursor.execute("BEGIN TRANSACTION READ ONLY")
                return cursor.sql(sql, params=parameters or None).to_arrow_table()
            except duckdb.InterruptException as error:
                raise Unavailable(
                    "The query took too long and was stopped.",
                    rule=f"at most {limit:g} s (EVENTCENTER_QUERY_TIMEOUT_S)",
                    remedy="narrow the time range or add a filter on type, source or bus",
                ) from error
            except duckdb.OutOfMemoryException as error:
                raise Unavailable(
                    "The query needs more memory than the archive may use.",
                    rule="EVENTCENTER_ARCHIVE_MEMORY_BYTES, shared by the open archives",
                    remedy="narrow the time range or add a filter on type, source or bus",
                ) from error
            finally:
                timer.cancel()
                cursor.close()

    def load(
        self,
        journal_id: bytes,
        writer: str,
        blocks: Sequence[ReadBlock],
        *,
        rejects: Sequence[loading.Reject] = (),
        table: pa.Table | None = None,
    ) -> list[Outcome]:
        """See `eventcenter.archive.load.load`."""
        with self._load_mutex, self._use() as connection:
            outcomes = loading.load(connection, journal_id, writer, blocks, rejects=rejects, table=table)
            self._unsaved = True
            return outcomes

    def readable(self, block: ReadBlock) -> tuple[list[bytes], list[loading.Reject]]:
        """A poison block's good lines, and its bad ones as rejects."""
        return loading.readable_lines(block)

    def position(self, journal_id: bytes) -> Position | None:
        """How far the journal with this id was loaded."""
        with self._load_mutex, self._use() as connection:
            return loading.position(connection, journal_id)

    def known_outcomes(self, journal_id: bytes, positions: Sequence[Position]) -> list[Outcome]:
        """Outcomes that were stored and perhaps not told."""
        with self._load_mutex, self._use() as connection:
            return loading.known_outcomes(connection, journal_id, positions)

    def last_seq(self) -> int:
        """The newest event's seq, 0 where there is none."""
        return int(self.query("SELECT next_seq - 1 AS seq FROM state")[0]["seq"])

    def checkpoint(self) -> None:
        """Move what the write-ahead log holds into the main file; for idle moments."""
        if self._unsaved and self._load_mutex.acquire(blocking=False):
            try:
                with self._use() as connection, contextlib.suppress(duckdb.TransactionException):
                    connection.execute("CHECKPOINT")
                    self._unsaved = False
            finally:
                self._load_mutex.release()

    def set_memory(self, memory_bytes: int) -> None:
        """Change the memory limit, also of the open instance."""
        self._memory_bytes = memory_bytes
        with self._condition:
            if self._connection is not None:
                self._connection.cursor().execute(f"SET memory_limit = '{memory_bytes}B'")

    @property
    def is_open(self) -> bool:
        """Whether the instance holds memory at the moment."""
        return self._connection is not None

    def sleep(self) -> bool:
        """Close the instance unless somebody uses it; it opens again by itself."""
        with self._condition:
            if self._users or self._connection is None:
                return False
            self._connection.close()
            self._connection = None
            return True

    def close(self) -> None:
        """Wait for those who use it, then close."""
        with self._condition:
            self._condition.wait_for(lambda: self._users == 0, timeout=self._timeout_s)
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextlib.contextmanager
    def _use(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._condition:
            if self._connection is None:
                self._connection = self._open()
            self._users += 1
            connection = self._connection
        try:
            yield connection
        finally:
            with self._condition:
                self._users -= 1
                self._condition.notify_all()

    def _open(self) -> duckdb.DuckDBPyConnection:
        # Level by level: with `parents` alone the mode would count for the last one only.
        self._folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder.mkdir(exist_ok=True, mode=0o700)
        temporary = self._folder / "tmp"
        path = self._folder / "main.duckdb"
        try:
            connection = duckdb.connect(
                str(path),
                config={
                    "threads": os.cpu_count() or 1,
                    "memory_limit": f"{self._memory_bytes}B",
                    "temp_directory": str(temporary),
                    "autoinstall_known_extensions": False,
                    "autoload_known_extensions": False,
                    "python_enable_replacements": False,
                    "wal_autocheckpoint": "256MB",
                },
            )
        except duckdb.IOException as error:
            raise Unavailable(
                "The archive cannot be opened.",
                value=path,
                remedy="see that no other process has it open and that the disk has room",
            ) from error
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_external_access = false")
        _migrate(connection, path)
        return connection


def _migrate(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    if ("format",) not in tables:
        connection.execute("BEGIN TRANSACTION")
        connection.execute(_SCHEMA.read_text())
        connection.execute("COMMIT")
        return
    [(version,)] = connection.execute("SELECT version FROM format").fetchall()
    if version != FORMAT:
        connection.close()
        raise Conflict(
            "The archive was written by another version of Event Center.",
            value=f"{path}: format {version}",
            rule=f"this program reads format {FORMAT}",
            remedy="start the version that wrote it, or a newer one",
        )
