"""The ledger: which messages of a queue were received, as ranges of offsets.

A range has no gap as long as its messages are as many as its offsets. Where a queue comes to more than
`MOST_RANGES`, those with the smallest gaps between them become one; what is missing in it is still counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    # Its archive loads by way of this module.
    from eventcenter.archive.archive import Reader

MOST_RANGES: Final = 1_000
"""Of one queue."""
OUTCOMES: Final = ("stored", "duplicate", "rejected", "empty")
"""What becomes of a message: an event of it was stored; else one was known; else one was refused; else it
held none. Told by their place here."""
_RANGE: Final = (
    "first_offset, last_offset, stored, duplicates, rejected, empty, epoch_ms(first_stored_at),"
    " epoch_ms(last_stored_at)"
)
_OF_QUEUE: Final = "input = ? AND topic = ? AND broker = ? AND queue_id = ?"

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Queue(NamedTuple):
    """One queue as an input reads it."""

    input: str
    topic: str
    broker: str
    queue_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerRange:
    """Offsets from `first_offset` up to and with `last_offset`, and how many messages had which outcome."""

    topic: str
    broker: str
    queue_id: int
    first_offset: int
    last_offset: int
    stored: int
    duplicates: int
    rejected: int
    empty: int
    first_stored_at: datetime | None
    """When the broker stored the first of these messages; None where it did not tell."""
    last_stored_at: datetime | None

    @property
    def messages(self) -> int:
        """How many messages were received."""
        return self.stored + self.duplicates + self.rejected + self.empty

    @property
    def missing(self) -> int:
        """How many offsets of it were not received."""
        return self.last_offset - self.first_offset + 1 - self.messages


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

    @property
    def is_whole(self) -> bool:
        return sum(self.counts) == self.last - self.first + 1

    def take(self, later: "_Piece") -> None:
        """Become one with a piece that stands behind."""
        self.last, self.last_stored_at = later.last, later.last_stored_at
        self.counts = [one + other for one, other in zip(self.counts, later.counts, strict=True)]
        self.rows += later.rows


def ranges(reader: "Reader", input_id: str) -> list[LedgerRange]:
    """What was received by an input, by topic, broker, queue and offset."""
    rows = reader.rows(
        "SELECT topic, broker, queue_id, first_offset, last_offset, stored, duplicates, rejected, empty,"
        " first_stored_at, last_stored_at FROM ledger WHERE input = ?"
        " ORDER BY topic, broker, queue_id, first_offset",
        [input_id],
    )
    return [LedgerRange(**row) for row in rows]


def add(
    connection: duckdb.DuckDBPyConnection,
    queue: Queue,
    offsets: Numbers,
    outcomes: Numbers,
    stored_at: Sequence[int | None],
) -> Mask:
    """Enter messages of one queue, in any order; which of them are there for the first time.

    `outcomes` are places in OUTCOMES, `stored_at` ms since 1970.
    """
    found = _near(connection, queue, int(offsets.min()), int(offsets.max()))
    new = _first_of_each(offsets) & ~_known(connection, queue, offsets, found)
    places = np.flatnonzero(new)
    if not places.size:
        return new
    places = places[np.argsort(offsets[places])]
    pieces: list[_Piece] = []
    touched = False
    for run in np.split(places, np.flatnonzero(np.diff(offsets[places]) > 1) + 1):
        piece = _Piece(
            first=int(offsets[run[0]]),
            last=int(offsets[run[-1]]),
            counts=np.bincount(outcomes[run], minlength=len(OUTCOMES)).tolist(),
            first_stored_at=stored_at[run[0]],
            last_stored_at=stored_at[run[-1]],
            rows=[],
        )
        around = next((one for one in found if one.first <= piece.first and piece.last <= one.last), None)
        if around is None:
            pieces.append(piece)
        else:
            around.counts = [one + other for one, other in zip(around.counts, piece.counts, strict=True)]
            touched = True
    if pieces or touched:
        _write(connection, queue, _merged([*found, *pieces]))
    return new


def _first_of_each(offsets: Numbers) -> Mask:
    """Where each offset stands for the first time."""
    first = np.zeros(len(offsets), np.bool_)
    first[np.unique(offsets, return_index=True)[1]] = True
    return first


def _near(connection: duckdb.DuckDBPyConnection, queue: Queue, first: int, last: int) -> list[_Piece]:
    """The ranges that offsets from `first` to `last` fall into, or stand beside, in order."""
    rows = connection.execute(
        f"SELECT {_RANGE}, rowid FROM ledger WHERE {_OF_QUEUE} AND last_offset >= ? AND first_offset <= ?"  # noqa: S608
        " ORDER BY first_offset",
        [*queue, first - 1, last + 1],
    ).fetchall()
    return [_piece(row) for row in rows]


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


def _write(connection: duckdb.DuckDBPyConnection, queue: Queue, pieces: Sequence[_Piece]) -> None:
    new = 0
    for piece in pieces:
        values = [piece.first, piece.last, *piece.counts, piece.first_stored_at, piece.last_stored_at]
        if not piece.rows:
            _insert(connection, queue, piece)
            new += 1
            continue
        # In place: rows that are deleted and made again leave holes in the file.
        connection.execute(
            "UPDATE ledger SET first_offset = ?, last_offset = ?, stored = ?, duplicates = ?, rejected = ?,"
            " empty = ?, first_stored_at = make_timestamptz(? * 1000),"
            " last_stored_at = make_timestamptz(? * 1000) WHERE rowid = ?",
            [*values, piece.rows[0]],
        )
        if piece.rows[1:]:
            connection.execute(
                "DELETE FROM ledger WHERE rowid IN (SELECT unnest(?::BIGINT[]))", [piece.rows[1:]]
            )
    if new:
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
