"""What a tenant's archive consists of: tables of fresh events and settled segments.

The truth is in the main file's tables `fresh_tables` and `segments`, which change in one transaction with
what they name. A `Layout` is one state of it in memory, immutable, as readers of one moment see it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import duckdb
import msgspec

from eventcenter.archive.index import SegmentIndex

NumberType = Literal["BIGINT", "DOUBLE"]
Kind = Literal["string", "number", "boolean", "null", "object", "array", "above"]
"""What lies at a payload path; `above`: an array above it, so that the path alone does not tell."""
FORM_OF_UUIDS: Final = 2
"""From this form of segments on, ids and traces that are hexadecimal numbers are kept as numbers."""
_FRESH_SQL: Final = Path(__file__).with_name("fresh.sql").read_text("utf-8")
_NO_PATHS: Mapping[str, "PromotedPath"] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class PromotedPath:
    """A payload path that a part of an archive keeps as columns of its own."""

    text: str
    """Column with what `data->>path` gives."""
    number: str | None = None
    """Column with the same as numbers, NULL where the text is none; None where there is no such column."""
    number_type: NumberType | None = None
    """BIGINT: only whole numbers as DuckDB prints them count as numbers."""
    sole: bool = False
    """`text` is NULL where `number` (BIGINT) says the same: of many different numbers texts are long."""
    clean: bool = False
    """Every text is a number: the column says all that the text says."""
    kinds: frozenset[Kind] | None = None
    """All that may lie there in a segment, besides nothing; None where nobody looked, as in fresh tables."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A settled stretch: an immutable file, attached read-only as `catalog`, and its index."""

    number: int
    first_seq: int
    last_seq: int
    events: int
    bytes: int
    """Of both files."""
    first_received_at: datetime
    last_received_at: datetime
    first_at: datetime
    """By `time`, or received_at where an event has none."""
    last_at: datetime
    paths: Mapping[str, PromotedPath] = field(default_factory=lambda: _NO_PATHS)
    """By JSON pointer."""
    form: int
    """Which columns its file has."""
    index: SegmentIndex

    @property
    def catalog(self) -> str:
        """The name it is attached by."""
        return catalog_of(self.number)


@dataclass(frozen=True, kw_only=True)
class Fresh:
    """A table of fresh events in the main file."""

    number: int
    first_seq: int
    paths: Mapping[str, PromotedPath] = field(default_factory=lambda: _NO_PATHS, compare=False)
    """By JSON pointer; as text only."""

    @property
    def table(self) -> str:
        """Its name in SQL."""
        return f"fresh_{self.number}"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """All parts that hold events, each oldest first; stretches never overlap."""

    fresh: tuple[Fresh, ...]
    """At least one; the last one is written to."""
    segments: tuple[Segment, ...]

    @property
    def current(self) -> Fresh:
        """The table that the loader writes to."""
        return self.fresh[-1]

    @property
    def paths(self) -> frozenset[str]:
        """Payload paths that some part keeps in columns, as JSON pointers."""
        parts: tuple[Fresh | Segment, ...] = (*self.segments, *self.fresh)
        return frozenset(path for part in parts for path in part.paths)


def catalog_of(number: int) -> str:
    """The name that segment `number` is attached by."""
    return f"s{number}"


def segment_path(folder: Path, number: int) -> Path:
    """The segment's DuckDB file below a tenant's folder."""
    return folder / "segments" / f"{number}.duckdb"


def index_path(folder: Path, number: int) -> Path:
    """The segment's index file below a tenant's folder."""
    return folder / "segments" / f"{number}.index"


def create_fresh(connection: duckdb.DuckDBPyConnection, first_seq: int, paths: Iterable[str] = ()) -> Fresh:
    """Make and list a table of fresh events that promotes `paths`; within the caller's transaction."""
    promoted = {path: PromotedPath(text=f"p{place}") for place, path in enumerate(paths, 1)}
    kind = "VARCHAR USING COMPRESSION uncompressed"
    columns = "".join(f",\n    {each.text} {kind}" for each in promoted.values())
    [(number,)] = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM fresh_tables").fetchall()
    connection.execute(_FRESH_SQL.format(number=number, paths=columns))
    connection.execute("INSERT INTO fresh_tables VALUES (?, ?, ?)", [number, first_seq, _written(promoted)])
    return Fresh(number=number, first_seq=first_seq, paths=MappingProxyType(promoted))


def drop_fresh(connection: duckdb.DuckDBPyConnection, fresh: Sequence[Fresh]) -> None:
    """Drop tables and take them off the list; within the caller's transaction."""
    for one in fresh:
        connection.execute(f"DROP TABLE {one.table}")
        connection.execute("DELETE FROM fresh_tables WHERE number = ?", [one.number])


def add_segment(connection: duckdb.DuckDBPyConnection, segment: Segment) -> None:
    """List a segment; within the caller's transaction."""
    connection.execute(
        "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            segment.number,
            segment.first_seq,
            segment.last_seq,
            segment.events,
            segment.bytes,
            segment.first_received_at,
            segment.last_received_at,
            segment.first_at,
            segment.last_at,
            _written(segment.paths),
            segment.form,
        ],
    )


def remove_segments(connection: duckdb.DuckDBPyConnection, numbers: Sequence[int]) -> None:
    """Take segments off the list; within the caller's transaction."""
    connection.execute("DELETE FROM segments WHERE number IN (SELECT unnest(?))", [list(numbers)])


def read_layout(connection: duckdb.DuckDBPyConnection, folder: Path) -> Layout:
    """The listed parts, with the segments' indexes opened."""
    fresh = connection.execute(
        "SELECT number, first_seq, paths FROM fresh_tables ORDER BY first_seq, number"
    ).fetchall()
    return Layout(
        fresh=tuple(
            Fresh(number=number, first_seq=first, paths=_read(paths)) for number, first, paths in fresh
        ),
        segments=tuple(_segment(folder, row) for row in _rows(connection)),
    )


def _rows(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    found = connection.sql("SELECT * FROM segments ORDER BY first_seq")
    rows: list[dict[str, Any]] = found.to_arrow_table().to_pylist()
    return rows


def _segment(folder: Path, row: dict[str, Any]) -> Segment:
    return Segment(
        **{**row, "paths": _read(row["paths"])},
        index=SegmentIndex.open(index_path(folder, row["number"])),
    )


def _written(paths: Mapping[str, PromotedPath]) -> str:
    return msgspec.json.encode(dict(paths)).decode()


def _read(paths: str) -> Mapping[str, PromotedPath]:
    return MappingProxyType(msgspec.json.decode(paths, type=dict[str, PromotedPath]))
