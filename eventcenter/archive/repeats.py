"""Which events of a batch are new: exact over all that the archive holds, and within the batch.

Filters and hashes only narrow the search (seen.py); here bus, source and id are compared, and then content.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eventcenter.archive.index import Rows
from eventcenter.archive.keys import Keys
from eventcenter.archive.relation import settled
from eventcenter.archive.same import CONTENT, Content, same_content
from eventcenter.archive.seen import Seen

_NAME: Final = ("bus", "source", "id")

Name = tuple[str, str, str]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """What becomes of a batch's rows."""

    keep: Mask
    originals: dict[int, int]
    """Row of a repeat → seq of its event, or −1−row where that event is in the same batch."""
    reused: dict[int, int]
    """Row with a used id and other content → the same."""


def decide(connection: duckdb.DuckDBPyConnection, table: pa.Table, keys: Keys, seen: Seen) -> Decided:
    """Which rows are new. Only rows that repeat in the batch, or may be in the archive, are compared.

    Several rows with one key: the first one that is not in the archive is kept.
    """
    decided = Decided(keep=np.ones(len(keys), np.bool_), originals={}, reused={})
    order = np.argsort((keys << np.uint64(32)) | (keys >> np.uint64(32)))
    ordered = keys[order]
    again = np.flatnonzero(ordered[1:] == ordered[:-1])
    suspects = seen.suspects(ordered)
    rows = np.unique(order[np.concatenate([suspects.positions, again, again + 1])])
    if not rows.size:
        return decided
    compared = table.select([*_NAME, *CONTENT]).take(pa.array(rows))
    names = _names(compared)
    known: dict[Name, tuple[int, Content]] = {}
    wanted = set(names)
    for fresh, looked_for in suspects.fresh:
        _register(connection, key=looked_for)
        part = f"main.{fresh.table}"
        found = _column(
            connection,
            f"SELECT rowid AS row FROM {part} WHERE key IN (SELECT key FROM incoming)",  # noqa: S608
            "row",
        )
        known |= _archived(connection, part, str, found, wanted)
    for segment, found in suspects.segments:
        part = f"{segment.catalog}.events"
        known |= _archived(connection, part, partial(settled, segment), found, wanted)
    for row, name, content in zip(rows.tolist(), names, _contents(compared, CONTENT), strict=True):
        first = known.get(name)
        if first is None:
            known[name] = (-1 - row, content)
            continue
        decided.keep[row] = False
        (decided.originals if same_content(first[1], content) else decided.reused)[row] = first[0]
    return decided


def _archived(
    connection: duckdb.DuckDBPyConnection,
    part: str,
    kept: Callable[[str], str],
    rows: Rows,
    wanted: set[Name],
) -> dict[Name, tuple[int, Content]]:
    """Where `rows` of a part have a name that is wanted: seq and content. `kept`: how it keeps a column."""
    if not rows.size:
        return {}
    # A join reads rows by their numbers many times quicker than a list in the statement.
    where = "WHERE rowid IN (SELECT row FROM incoming)"
    _register(connection, row=rows)
    columns = ", ".join(f"{kept(name)} AS {name}" for name in _NAME)
    named = _arrow(connection, f"SELECT rowid AS row, {columns} FROM {part} {where}")  # noqa: S608
    theirs = [
        row for row, name in zip(named["row"].to_pylist(), _names(named), strict=True) if name in wanted
    ]
    if not theirs:
        return {}
    _register(connection, row=np.array(theirs, np.int64))
    columns += ", seq, " + ", ".join(f"{kept(name)} AS {name}_" for name in CONTENT)
    found = _arrow(connection, f"SELECT {columns} FROM {part} {where}")  # noqa: S608
    contents = _contents(found, found.column_names[4:])
    return dict(zip(_names(found), zip(found["seq"].to_pylist(), contents, strict=True), strict=True))


def _names(table: pa.Table) -> list[Name]:
    return list(zip(*(table[name].to_pylist() for name in _NAME), strict=True))


def _contents(table: pa.Table, columns: Iterable[str]) -> list[Content]:
    return list(zip(*(table[name].to_pylist() for name in columns), strict=True))


def _register(connection: duckdb.DuckDBPyConnection, **columns: npt.NDArray[Any]) -> None:
    connection.register("incoming", pa.table(columns))


def _column(connection: duckdb.DuckDBPyConnection, sql: str, name: str) -> npt.NDArray[Any]:
    return np.asarray(connection.execute(sql).fetchnumpy()[name])


def _arrow(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    return connection.sql(sql).to_arrow_table()
