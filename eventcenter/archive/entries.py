"""Entries in the ledger, which ledger.py reads: what was received of a queue, as ranges of offsets.

A range has no gap as long as its messages are as many as its offsets. Where a queue comes to more than
`MOST_RANGES`, those with the smallest gaps between them become one; what is missing in it is still counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

MOST_RANGES: Final = 1_000
"""Of one queue."""
OUTCOMES: Final = ("stored", "duplicate", "rejected", "empty")
"""What becomes of a message: an event of it was stored; else one was known; else one was refused; else it
held none. Told by their place here."""
_RANGE: Final = (
    "first_offset, last_offset, stored, duplicates, rejected, empty, epoch_ms(first_stored_at),"
    " epoch_ms(last_stored_at)"
)
_MILLIS: Final = pa.timestamp("ms", tz="UTC")
_OF_QUEUE: Final = "input = ? AND topic = ? AND broker = ? AND queue_id = ?"

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Queue(NamedTuple):
    """One queue as an input reads it."""

    input: str
    topic: str
    broker: str
    queue_id: int


@dataclass(slots=True)
class _Piece:
    """A range on its way into the table."""

    first: int
    last: int
    counts: list[int]
    """By outcome."""
    first_stored_at: int | None
    """ms since 1970"""
    last_stored_at: int | None
    rows: list[int]
    """Of the table, that it stands for."""
    is_changed: bool = False

    @property
    def is_whole(self) -> bool:
        return sum(self.counts) == self.last - self.first + 1

    def take(self, later: "_Piece") -> None:
        """Become one with a piece that stands behind."""
        self.last, self.last_stored_at = later.last, later.last_stored_at
        self.counts = [one + other for one, other in zip(self.counts, later.counts, strict=True)]
        self.rows += later.rows
        self.is_changed = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Entries:
    """Messages of one queue, in any order."""

    offsets: Numbers
    outcomes: Numbers
    """Places in OUTCOMES."""
    stored_at: Sequence[int | None]
    """ms since 1970"""


def enter(connection: duckdb.DuckDBPyConnection, entries: Mapping[Queue, Entries]) -> dict[Queue, Mask]:
    """Enter what was received; by queue, which of the messages are there for the first time."""
    if not entries:
        return {}
    near = _near(connection, entries)
    changed: list[tuple[Queue, _Piece]] = []
    gone: list[int] = []
    new: dict[Queue, Mask] = {}
    for queue, these in entries.items():
        found = near.get(queue, [])
        new[queue] = _first_of_each(these.offsets) & ~_known(connection, queue, these.offsets, found)
        for piece in _merged([*found, *_pieces(these, new[queue], found)]):
            if piece.is_changed:
                changed.append((queue, piece))
                gone += piece.rows[1:]
    _write(connection, changed, gone)
    return new


def _pieces(entries: Entries, new: Mask, found: Sequence[_Piece]) -> list[_Piece]:
    """What is new, as ranges without gaps; what lies within one that misses offsets is counted there."""
    places = np.flatnonzero(new)
    if not places.size:
        return []
    offsets = entries.offsets
    places = places[np.argsort(offsets[places])]
    pieces: list[_Piece] = []
    for run in np.split(places, np.flatnonzero(np.diff(offsets[places]) > 1) + 1):
        piece = _Piece(
            first=int(offsets[run[0]]),
            last=int(offsets[run[-1]]),
            counts=np.bincount(entries.outcomes[run], minlength=len(OUTCOMES)).tolist(),
            first_stored_at=entries.stored_at[run[0]],
            last_stored_at=entries.stored_at[run[-1]],
            rows=[],
            is_changed=True,
        )
        around = next((one for one in found if one.first <= piece.first and piece.last <= one.last), None)
        if around is None:
            pieces.append(piece)
        else:
            around.counts = [one + other for one, other in zip(around.counts, piece.counts, strict=True)]
            around.is_changed = True
    return pieces


def _first_of_each(offsets: Numbers) -> Mask:
    """Where each offset stands for the first time."""
    first = np.zeros(len(offsets), np.bool_)
    first[np.unique(offsets, return_index=True)[1]] = True
    return first


def _near(
    connection: duckdb.DuckDBPyConnection, entries: Mapping[Queue, Entries]
) -> dict[Queue, list[_Piece]]:
    """By queue the ranges that these offsets fall into, or stand beside, in order."""
    wanted = {name: [queue[place] for queue in entries] for place, name in enumerate(Queue._fields)}
    first = [int(these.offsets.min()) - 1 for these in entries.values()]
    last = [int(these.offsets.max()) + 1 for these in entries.values()]
    connection.register("incoming", pa.table({**wanted, "first": first, "last": last}))
    rows = connection.execute(
        f"SELECT input, topic, broker, queue_id, {_RANGE}, ledger.rowid FROM ledger"  # noqa: S608
        " JOIN incoming USING (input, topic, broker, queue_id)"
        " WHERE last_offset >= first AND first_offset <= last ORDER BY first_offset"
    ).fetchall()
    found: dict[Queue, list[_Piece]] = {}
    for row in rows:
        found.setdefault(Queue(*row[:4]), []).append(_piece(row[4:]))
    return found


def _piece(row: Sequence[Any]) -> _Piece:
    first, last, *counts, first_stored_at, last_stored_at, number = row
    return _Piece(
        first=first,
        last=last,
        counts=counts,
        first_stored_at=first_stored_at,
        last_stored_at=last_stored_at,
        rows=[number],
    )


def _known(
    connection: duckdb.DuckDBPyConnection, queue: Queue, offsets: Numbers, found: Sequence[_Piece]
) -> Mask:
    """Which offsets were received before."""
    known = np.zeros(len(offsets), np.bool_)
    for piece in found:
        inside = (offsets >= piece.first) & (offsets <= piece.last)
        if inside.any() and not piece.is_whole:
            rows = connection.execute(
                f"SELECT DISTINCT queue_offset FROM origins WHERE {_OF_QUEUE}"  # noqa: S608
                " AND queue_offset IN (SELECT unnest(?::BIGINT[]))",
                [*queue, offsets[inside].tolist()],
            ).fetchall()
            inside &= np.isin(offsets, np.array([offset for (offset,) in rows], np.int64))
        known |= inside
    return known


def _merged(pieces: Iterable[_Piece]) -> list[_Piece]:
    """Those that stand beside each other made one."""
    merged: list[_Piece] = []
    for piece in sorted(pieces, key=lambda one: one.first):
        if merged and merged[-1].last + 1 == piece.first:
            merged[-1].take(piece)
        else:
            merged.append(piece)
    return merged


def _write(
    connection: duckdb.DuckDBPyConnection, changed: Sequence[tuple[Queue, _Piece]], gone: Sequence[int]
) -> None:
    known = [piece for _, piece in changed if piece.rows]
    if known:
        counts = zip(*(piece.counts for piece in known), strict=True)
        columns = {
            "row": pa.array([piece.rows[0] for piece in known], pa.int64()),
            "first": pa.array([piece.first for piece in known], pa.int64()),
            "last": pa.array([piece.last for piece in known], pa.int64()),
            **{f"n{place}": pa.array(count, pa.int64()) for place, count in enumerate(counts)},
            "first_at": pa.array([piece.first_stored_at for piece in known], _MILLIS),
            "last_at": pa.array([piece.last_stored_at for piece in known], _MILLIS),
        }
        connection.register("incoming", pa.table(columns))
        # In place: rows that are deleted and made again leave holes in the file.
        connection.execute(
            "UPDATE ledger SET first_offset = first, last_offset = last, stored = n0, duplicates = n1,"
            " rejected = n2, empty = n3, first_stored_at = first_at, last_stored_at = last_at"
            " FROM incoming WHERE ledger.rowid = incoming.row"
        )
    if gone:
        connection.execute("DELETE FROM ledger WHERE rowid IN (SELECT unnest(?::BIGINT[]))", [gone])
    fresh = [(queue, piece) for queue, piece in changed if not piece.rows]
    for queue, piece in fresh:
        _insert(connection, queue, piece)
    for queue in dict.fromkeys(queue for queue, _ in fresh):
        _bound(connection, queue)


def _insert(connection: duckdb.DuckDBPyConnection, queue: Queue, piece: _Piece) -> None:
    connection.execute(
        "INSERT INTO ledger VALUES"
        " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, make_timestamptz(? * 1000), make_timestamptz(? * 1000))",
        [*queue, piece.first, piece.last, *piece.counts, piece.first_stored_at, piece.last_stored_at],
    )


def _bound(connection: duckdb.DuckDBPyConnection, queue: Queue) -> None:
    """Make ranges one over the smallest gaps where there are too many."""
    [(count,)] = connection.execute(f"SELECT count(*) FROM ledger WHERE {_OF_QUEUE}", [*queue]).fetchall()  # noqa: S608
    if count <= MOST_RANGES:
        return
    rows = connection.execute(
        f"SELECT {_RANGE}, rowid FROM ledger WHERE {_OF_QUEUE} ORDER BY first_offset",  # noqa: S608
        [*queue],
    ).fetchall()
    pieces = [_piece(row) for row in rows]
    gaps = np.array([later.first - former.last for former, later in pairwise(pieces)])
    closed = set(np.argsort(gaps, kind="stable")[: count - MOST_RANGES // 2].tolist())
    bounded = [pieces[0]]
    for place, piece in enumerate(pieces[1:]):
        if place in closed:
            bounded[-1].take(piece)
        else:
            bounded.append(piece)
    connection.execute(f"DELETE FROM ledger WHERE {_OF_QUEUE}", [*queue])  # noqa: S608
    for piece in bounded:
        _insert(connection, queue, piece)
