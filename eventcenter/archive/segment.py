"""Writes one segment: a settled stretch of events, in its order (`order.py`), with its index.

The files are complete and synced when `write` returns; nobody knows of them until the manifest lists them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa

from eventcenter.archive import keys, order, promotion, relation
from eventcenter.archive.archive import Reader
from eventcenter.archive.chunks import chunks
from eventcenter.archive.index import ORDERS, ZONE_ROWS, Hashes, Rows, SegmentIndex, Zones
from eventcenter.archive.inserting import nothing
from eventcenter.archive.instance import remove_files
from eventcenter.archive.manifest import (
    FORM_OF_UUIDS,
    Kind,
    Layout,
    PromotedPath,
    Segment,
    index_path,
    segment_path,
)
from eventcenter.archive.order import AT
from eventcenter.archive.promotion import Plan
from eventcenter.archive.relation import quoted
from eventcenter.archive.transaction import transaction
from eventcenter.durable import sync

FORMAT: Final = FORM_OF_UUIDS
MOST_EVENTS: Final = 12_000_000
"""An index numbers rows with 24 bits."""
_BATCH_ROWS: Final = 2_048
"""One vector: of long rows more would take much of the memory."""
_ZSTD: Final = "VARCHAR USING COMPRESSION zstd"
"""For what is long: it takes 4 bytes for each row, also where there is nothing."""
_KEPT: Final = {
    "seq": "BIGINT",
    "bus": "VARCHAR",
    "id": "VARCHAR",
    "id_uuid": "UUID",
    "source": "VARCHAR",
    "type": "VARCHAR",
    "subject": "VARCHAR",
    "time": "TIMESTAMPTZ",
    "time_form": "UTINYINT",
    "time_text": "VARCHAR",
    "datacontenttype": "VARCHAR",
    "dataschema": "VARCHAR",
    "extensions": "VARCHAR",
    "extended": "VARCHAR",
    "trace": "UUID",
    "span": "UBIGINT",
    "data_kind": "VARCHAR",
    "data": _ZSTD,
    "received_at": "TIMESTAMPTZ",
}
_TRACE_OF_NUMBER: Final = "CAST('0x' || right(CAST(trace AS VARCHAR), 8) AS UINTEGER)"
"""As `keys.TRACE`, of a trace that is kept as a number."""
_INSTEAD: Final = {
    "time_text": "CASE WHEN time_form IS NULL THEN time_text END",
    "id": "CASE WHEN id_uuid IS NULL THEN id END",
    "extensions": "CASE WHEN trace IS NULL THEN extensions END",
    "extended": "CASE WHEN trace IS NOT NULL THEN extended END",
    "span": "CASE WHEN trace IS NOT NULL THEN span END",
}
"""What other columns tell is not kept."""
_FORM: Final = r"""CASE WHEN length(time_text) = 20 AND ends_with(time_text, 'Z') THEN 1
    WHEN length(time_text) BETWEEN 22 AND 27 AND ends_with(time_text, 'Z') THEN length(time_text) - 20
    WHEN length(time_text) = 25 AND ends_with(time_text, '+00:00') THEN 11
    WHEN length(time_text) BETWEEN 27 AND 32 AND ends_with(time_text, '+00:00') THEN length(time_text) - 15
    END"""


class Scratch:
    """An instance of its own in which segments are made, so that this has its own memory.

    Its threads take the priority of the thread that makes it.
    """

    def __init__(
        self, folder: Path, *, memory_bytes: int, on_close: Callable[[], None] = lambda: None
    ) -> None:
        """`folder` is where sorting may spill; it is emptied by DuckDB. `on_close` is called once."""
        self._on_close = on_close
        self.memory_bytes = memory_bytes
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.connection = duckdb.connect(
            config={
                "threads": 2,
                "memory_limit": f"{memory_bytes}B",
                "temp_directory": str(folder),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "python_enable_replacements": False,
            }
        )
        self.connection.execute("SET TimeZone = 'UTC'")

    def make_room(self, memory_bytes: int) -> None:
        """Take so much memory, and one thread, if this is more than was given: for very long rows."""
        if memory_bytes > self.memory_bytes:
            self.memory_bytes = memory_bytes
            self.connection.execute(f"SET memory_limit = '{memory_bytes}B'")
            self.connection.execute("SET threads = 1")

    def share(self, memory_bytes: int) -> None:
        """From here on take one thread, if two that need so much each do not fit: for long rows."""
        if 2 * memory_bytes > self.memory_bytes:
            self.connection.execute("SET threads = 1")

    def close(self) -> None:
        """Free its memory."""
        try:
            self.connection.close()
        finally:
            self._on_close()


def write(
    scratch: Scratch,
    reader: Reader,
    parts: Layout,
    folder: Path,
    number: int,
    *,
    plans: Sequence[Plan] = (),
    keep: str = "true",
) -> Segment | None:
    """Write `parts` of the reader's layout as segment `number` below the tenant's `folder`.

    Only events for which the SQL condition `keep` holds; None where there are none, and then no file stays.
    """
    remove_files(folder, number)
    path = segment_path(folder, number)
    connection = scratch.connection
    found = chunks(reader, parts, keep)
    scratch.make_room(found.least_memory)
    connection.execute(f"ATTACH {quoted(str(path))} AS made")
    try:
        paths = _columns(plans)
        _create(connection, number, paths)
        # In one transaction: else the last rows are written anew each time, and much of the file is empty.
        begins = order.bounds(reader, found.events, keep, found.count_of)
        with transaction(connection):
            for sql, parameters in found.within(scratch.memory_bytes):
                _insert(connection, reader.cursor.sql(sql, params=parameters or None), paths, begins)
        connection.execute("CHECKPOINT made")
        # Each thread that looks what lies at paths holds whole rows: with two of them memory ran out.
        scratch.share(found.least_memory)
        segment = _describe(connection, folder, number, _with_kinds(connection, parts, paths))
    finally:
        connection.execute("DETACH made")
    if segment is None:
        remove_files(folder, number)
        return None
    sync(path)
    sync(path.parent)
    return segment


def _columns(plans: Sequence[Plan]) -> dict[str, PromotedPath]:
    return {
        plan.path: PromotedPath(
            text=f"p{index}",
            number=None if plan.number_type is None else f"n{index}",
            number_type=plan.number_type,
            sole=plan.sole,
        )
        for index, plan in enumerate(plans, 1)
    }


def _create(connection: duckdb.DuckDBPyConnection, number: int, paths: dict[str, PromotedPath]) -> None:
    columns = [f"{name} {kind}" for name, kind in _KEPT.items()]
    for promoted in paths.values():
        columns.append(f"{promoted.text} VARCHAR")
        if promoted.number is not None:
            columns.append(f"{promoted.number} {promoted.number_type}")
    connection.execute("CREATE TABLE made.format (version INTEGER NOT NULL, number BIGINT NOT NULL)")
    connection.execute("INSERT INTO made.format VALUES (?, ?)", [FORMAT, number])
    connection.execute(f"CREATE TABLE made.events ({', '.join(columns)})")


def _insert(
    connection: duckdb.DuckDBPyConnection,
    found: duckdb.DuckDBPyRelation,
    paths: dict[str, PromotedPath],
    begins: order.Bounds,
) -> None:
    connection.register("incoming", found.to_arrow_reader(_BATCH_ROWS))
    # Forms are tried out here: where the text would come back otherwise, it is kept. Before the sorting, as
    # most texts are not; what paths hold is taken out after it, so that it need not be sorted either.
    numbers = (
        "SELECT *, TRY_CAST(substr(traced, 1, 32) AS UUID) AS trace,"  # noqa: S608 constants
        " TRY_CAST('0x' || substr(traced, 34) AS UBIGINT) AS span,"
        f" replace(extensions, traced, {relation.TRACE_MARK}) AS extended"
        f" FROM (SELECT *, {keys.TRACED} AS traced, {_FORM} AS time_form, TRY_CAST(id AS UUID) AS id_uuid"
        " FROM incoming)"
    )
    formed = (
        f"SELECT * REPLACE (CASE WHEN ({relation.TIME_TEXT}) = time_text THEN time_form END AS time_form,"  # noqa: S608
        " CASE WHEN CAST(id_uuid AS VARCHAR) = id THEN id_uuid END AS id_uuid,"
        f" CASE WHEN ({relation.TRACE_TEXT}) = traced AND NOT contains(extensions, {relation.TRACE_MARK})"
        f" THEN trace END AS trace) FROM ({numbers})"
    )
    kept = ", ".join(f"{_INSTEAD[name]} AS {name}" if name in _INSTEAD else name for name in _KEPT)
    ordered, parameters = order.in_order(f"SELECT {kept} FROM ({formed})", begins)  # noqa: S608 constants
    values = list(_KEPT)
    for index, promoted in enumerate(paths.values(), 1):
        text = f"found[{index}]"
        number = None if promoted.number is None else _number(text, promoted)
        values.append(f"CASE WHEN ({number}) IS NULL THEN {text} END" if promoted.sole else text)
        if number is not None:
            values.append(number)
    taken = f", {relation.texts_of(paths)} AS found" if paths else ""
    connection.execute(
        f"INSERT INTO made.events SELECT {', '.join(values)} FROM (SELECT *{taken} FROM ({ordered}))"  # noqa: S608
        f" UNION ALL {nothing(len(values))}",
        parameters or None,
    )
    connection.unregister("incoming")


def _number(text: str, promoted: PromotedPath) -> str:
    if promoted.number_type == "DOUBLE":
        return f"TRY_CAST({text} AS DOUBLE)"
    # A cast takes 1.5 for 2: only what prints back the same is this whole number.
    whole = f"TRY_CAST({text} AS BIGINT)"
    return f"CASE WHEN CAST({whole} AS VARCHAR) = {text} THEN {whole} END"


def _with_kinds(
    connection: duckdb.DuckDBPyConnection, parts: Layout, paths: dict[str, PromotedPath]
) -> dict[str, PromotedPath]:
    """The same with what lies there: as the segments knew it that all of it comes from, or by a look."""
    known: dict[str, frozenset[Kind]] = {}
    for path in paths if not parts.fresh else ():
        before = [segment.paths[path].kinds if path in segment.paths else None for segment in parts.segments]
        if None not in before:
            known[path] = frozenset(kind for kinds in before for kind in kinds or ())
    looked = [path for path in paths if path not in known]
    known.update(zip(looked, promotion.kinds(connection, "made.events", looked), strict=True))
    return {path: replace(promoted, kinds=known[path]) for path, promoted in paths.items()}


def _describe(
    connection: duckdb.DuckDBPyConnection, folder: Path, number: int, paths: dict[str, PromotedPath]
) -> Segment | None:
    numbers = [
        f"count({promoted.text}) = {0 if promoted.sole else f'count({promoted.number})'} AS {promoted.number}"
        for promoted in paths.values()
        if promoted.number is not None
    ]
    [row] = (
        connection.sql(
            "SELECT count(*) AS events, min(seq) AS first_seq, max(seq) AS last_seq,"  # noqa: S608
            " min(received_at) AS first_received_at, max(received_at) AS last_received_at,"
            f" min({AT}) AS first_at, max({AT}) AS last_at{''.join(f', {n}' for n in numbers)}"
            " FROM made.events"
        )
        .to_arrow_table()
        .to_pylist()
    )
    if not row["events"]:
        return None
    described = {
        path: replace(promoted, clean=promoted.number is not None and row[promoted.number])
        for path, promoted in paths.items()
    }
    _build_index(connection, index_path(folder, number), row["events"])
    stretch: dict[str, int | datetime] = {
        name: row[name]
        for name in (
            "first_seq",
            "last_seq",
            "events",
            "first_received_at",
            "last_received_at",
            "first_at",
            "last_at",
        )
    }
    size = segment_path(folder, number).stat().st_size + index_path(folder, number).stat().st_size
    fields: dict[str, Any] = {**stretch, "number": number, "bytes": size, "paths": described, "form": FORMAT}
    return Segment(**fields, index=SegmentIndex.open(index_path(folder, number)))


def _build_index(connection: duckdb.DuckDBPyConnection, path: Path, events: int) -> None:
    hashes = np.empty(events, np.uint64)
    subjects, traces = _Entries(), _Entries()
    zones = _zones(connection)
    parts = {name: np.empty(events, np.uint8) for name in ORDERS}
    found = connection.sql(
        f"SELECT rowid AS row, bus, source, {relation.ID} AS id, subject, seq, epoch_us({AT}) AS at,"  # noqa: S608 constants
        f" coalesce({_TRACE_OF_NUMBER}, {keys.TRACE}) AS trace FROM made.events"
    )
    for batch in found.to_arrow_reader(_BATCH_ROWS):
        rows = np.asarray(batch["row"])
        hashes[rows] = keys.keys_of(batch["bus"], batch["source"], batch["id"])
        subjects.add(batch["subject"], keys.subject_hashes(batch["subject"]), rows)
        traces.add(batch["trace"], np.asarray(batch["trace"].fill_null(0)), rows)
        for name in ORDERS:
            parts[name][rows] = zones.parts(rows, np.asarray(batch[name]), name)
    SegmentIndex.build(
        path,
        keys=hashes,
        subjects=subjects.all(),
        traces=traces.all(),
        zones=zones,
        shared=_shared(connection),
        parts=parts,
    )


def _zones(connection: duckdb.DuckDBPyConnection) -> Zones:
    at = f"epoch_us({AT})"
    found = connection.sql(
        "SELECT min(seq) AS first_seq, max(seq) AS last_seq,"  # noqa: S608
        f" min({at}) AS first_at, max({at}) AS last_at, bool_or(time IS NULL)::UTINYINT AS timeless"
        f" FROM made.events GROUP BY rowid // {ZONE_ROWS} ORDER BY rowid // {ZONE_ROWS}"
    )
    return Zones(**found.fetchnumpy())


def _shared(connection: duckdb.DuckDBPyConnection) -> Hashes:
    """Hashes that several subjects have."""
    found = connection.sql("SELECT DISTINCT subject FROM made.events WHERE subject IS NOT NULL")
    batches = [keys.subject_hashes(each["subject"]) for each in found.to_arrow_reader(_BATCH_ROWS)]
    hashes = np.concatenate([np.empty(0, np.uint32), *batches])
    hashes.sort()
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])


class _Entries:
    """Hashes and the rows that have them, gathered batch by batch."""

    def __init__(self) -> None:
        self._hashes: list[Hashes] = [np.empty(0, np.uint32)]
        self._rows: list[Hashes] = [np.empty(0, np.uint32)]

    def add(self, column: pa.Array, hashes: Hashes, rows: Rows) -> None:
        """Take in the rows where `column` is not null."""
        present = np.asarray(column.is_valid())
        self._hashes.append(hashes[present])
        self._rows.append(rows[present].astype(np.uint32))

    def all(self) -> tuple[Hashes, Hashes]:
        return np.concatenate(self._hashes), np.concatenate(self._rows)
