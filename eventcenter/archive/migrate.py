"""The main file's format: made, checked and brought up to date when it is opened.

Each step is one transaction, so a crash in the middle leaves the former format, which the next start
migrates.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
from duckdb.func import PythonUDFType

from eventcenter.archive import rollup
from eventcenter.archive.keys import keys_of
from eventcenter.archive.manifest import create_fresh
from eventcenter.archive.transaction import transaction
from eventcenter.errors import Conflict

FORMAT: Final = 5
_SCHEMA: Final = Path(__file__).with_name("schema.sql")
_ORIGINS: Final = Path(__file__).with_name("origins.sql")
_COLUMNS_OF_1: Final = (
    "bus, id, source, type, subject, time, time_text, datacontenttype, dataschema, extensions, data_kind,"
    " data, received_at"
)


def migrate(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Bring the main file at `path` to `FORMAT`. Raises Conflict for one of a newer program."""
    tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    if ("format",) not in tables:
        with transaction(connection):
            _create(connection)
        return
    while (version := _version(connection)) in _STEPS:
        with transaction(connection):
            _STEPS[version](connection)
    if version != FORMAT:
        raise Conflict(
            "The archive was written by another version of Event Center.",
            value=f"{path}: format {version}",
            rule=f"this program reads formats up to {FORMAT}",
            remedy="start the version that wrote it, or a newer one",
        )


def _version(connection: duckdb.DuckDBPyConnection) -> int:
    [(version,)] = connection.execute("SELECT version FROM format").fetchall()
    return int(version)


def _create(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(_SCHEMA.read_text("utf-8"))
    connection.execute(_ORIGINS.read_text("utf-8"))
    create_fresh(connection, 1)


def _from_1(connection: duckdb.DuckDBPyConnection) -> None:
    """Format 1 had one table `fresh`, with another key, and neither segments nor roll-ups."""
    connection.execute("DROP VIEW events")
    for table in ("format", "state"):
        connection.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    kept = ("buses", "loaded", "outcomes", "duplicates", "rejects")
    for table in kept:
        connection.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    [(next_reject,)] = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM old_rejects").fetchall()
    connection.execute("ALTER TABLE old_rejects ALTER COLUMN id DROP DEFAULT")
    connection.execute("DROP SEQUENCE reject_id")
    connection.execute(
        _SCHEMA.read_text("utf-8").replace(
            "CREATE SEQUENCE reject_id;", f"CREATE SEQUENCE reject_id START {next_reject};"
        )
    )
    connection.execute(_ORIGINS.read_text("utf-8"))
    [(first,)] = connection.execute("SELECT coalesce(min(seq), 1) FROM fresh").fetchall()
    table = create_fresh(connection, first).table
    connection.create_function("key_of", _key_of, ["VARCHAR"] * 3, "UBIGINT", type=PythonUDFType.ARROW)
    connection.execute(
        f"INSERT INTO {table} (seq, key, {_COLUMNS_OF_1})"  # noqa: S608 constants
        f" SELECT seq, key_of(bus, source, id), {_COLUMNS_OF_1} FROM fresh ORDER BY seq"
    )
    connection.remove_function("key_of")
    for name in kept:
        connection.execute(f"INSERT INTO {name} SELECT * FROM old_{name}")  # noqa: S608 a constant
    connection.execute(
        "UPDATE state SET next_seq = o.next_seq, last_received_at = o.last_received_at FROM old_state o"
    )
    rollup.rebuild(connection, f"SELECT bus, source, type, time, received_at FROM {table}")  # noqa: S608
    for name in ("format", "state", *kept):
        connection.execute(f"DROP TABLE old_{name}")
    connection.execute("DROP TABLE fresh")


def _from_2(connection: duckdb.DuckDBPyConnection) -> None:
    """Format 2 knew no origins."""
    connection.execute(_ORIGINS.read_text("utf-8"))
    connection.execute("UPDATE format SET version = 3")


def _from_3(connection: duckdb.DuckDBPyConnection) -> None:
    """In format 3 all segments had the same columns."""
    connection.execute("ALTER TABLE segments ADD COLUMN form INTEGER DEFAULT 1")
    connection.execute("UPDATE format SET version = 4")


def _from_4(connection: duckdb.DuckDBPyConnection) -> None:
    """In format 4 only segments had promoted paths."""
    connection.execute("ALTER TABLE fresh_tables ADD COLUMN paths VARCHAR DEFAULT '{}'")
    connection.execute("UPDATE format SET version = 5")


def _key_of(bus: pa.ChunkedArray, source: pa.ChunkedArray, event_id: pa.ChunkedArray) -> pa.Array:
    return pa.array(keys_of(bus, source, event_id))


_STEPS: Mapping[int, Callable[[duckdb.DuckDBPyConnection], None]] = {
    1: _from_1,
    2: _from_2,
    3: _from_3,
    4: _from_4,
}
