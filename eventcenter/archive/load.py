"""Journal blocks → a tenant's main file: each event once, in one transaction with the loader's position."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eventcenter.archive.lines import COLUMNS, to_table
from eventcenter.archive.same import CONTENT, Content, same_content
from eventcenter.event import decode_line
from eventcenter.journal import BlockKind, Outcome, Position, ReadBlock

_UTC = pa.timestamp("us", tz="UTC")
_KEY = "md5_number_lower(bus || chr(31) || source || chr(31) || id)"
_KEEP_BYTES = 256 << 10
_TIME = """coalesce(
    try_cast(time_text AS TIMESTAMPTZ),
    try_cast(replace(upper(time_text), ':60', ':59') AS TIMESTAMPTZ))"""

Key = tuple[str, str, str]
Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]


class Poison(Exception):
    """These blocks cannot be loaded, however often it is tried."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    """An event that is kept as a reject."""

    bus: str
    received_at: int
    reason: str
    error: str
    bytes: bytes
    content_type: str | None = None
    event_index: int | None = None


class _RejectLine(msgspec.Struct):
    """One line of a REJECTS block."""

    reason: str
    error: str
    bytes: bytes
    content_type: str | None = None
    index: int | None = None


_reject_lines = msgspec.json.Decoder(_RejectLine)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Decided:
    """What becomes of a batch's rows."""

    keep: Mask
    originals: dict[int, int]
    """Row of a repeat → seq of its event, or −1−row where that event is in the same batch."""
    reused: dict[int, int]
    """Row with a used id and other content → the same."""


def load(
    connection: duckdb.DuckDBPyConnection,
    journal_id: bytes,
    writer: str,
    blocks: Sequence[ReadBlock],
    *,
    rejects: Sequence[Reject] = (),
    table: pa.Table | None = None,
) -> list[Outcome]:
    """Load blocks of one journal, in order, and keep `rejects` with them; outcomes of what was loaded.

    `table` is `table_of(blocks)` where that is at hand.

    Blocks at or before the position in `loaded` are skipped. Either everything is loaded and the
    position moved, or nothing. Raises Poison where the blocks themselves are at fault.
    """
    connection.execute("BEGIN TRANSACTION")
    try:
        outcomes = _load(connection, journal_id, writer, blocks, salvaged=rejects, table=table)
        connection.execute("COMMIT")
    except BaseException as error:
        connection.execute("ROLLBACK")
        if isinstance(error, pa.ArrowInvalid | duckdb.DataError | ValueError | msgspec.DecodeError):
            raise Poison(str(error)) from error
        raise
    return outcomes


def table_of(blocks: Sequence[ReadBlock]) -> pa.Table | None:
    """The blocks' events as a table, which `load` takes: a part of its work that needs no archive.

    None where there are none, or where the blocks are poison, which `load` will say.
    """
    payloads = [block.block.payload for block in blocks if _has_events(block)]
    try:
        return to_table(payloads) if payloads else None
    except pa.ArrowInvalid:
        return None


def position(connection: duckdb.DuckDBPyConnection, journal_id: bytes) -> Position | None:
    """How far a journal was loaded."""
    rows = connection.execute("SELECT file, start FROM loaded WHERE journal = ?", [journal_id]).fetchall()
    return Position(*rows[0]) if rows else None


def known_outcomes(
    connection: duckdb.DuckDBPyConnection, journal_id: bytes, positions: Sequence[Position]
) -> list[Outcome]:
    """Outcomes of blocks that were loaded before a crash, for those who may still wait."""
    wanted = set(positions)
    rows = connection.execute(
        "SELECT file, start, stored, duplicates, rejected FROM outcomes WHERE journal = ?", [journal_id]
    ).fetchall()
    return [
        Outcome(position=Position(f, b), stored=s, duplicates=d, rejected=r)
        for f, b, s, d, r in rows
        if (f, b) in wanted
    ]


def readable_lines(block: ReadBlock) -> tuple[list[bytes], list[Reject]]:
    """A poison block's lines that are events, and the others as rejects."""
    good: list[bytes] = []
    bad: list[Reject] = []
    for index, line in enumerate(block.block.payload.splitlines(keepends=True)):
        try:
            decode_line(line)
            to_table([line])
            good.append(line)
        except (ValueError, msgspec.DecodeError) as error:
            bad.append(
                Reject(
                    bus=block.block.bus,
                    received_at=block.received_at,
                    reason="unreadable",
                    error=f"the journal's line cannot be read: {error}",
                    bytes=line[:_KEEP_BYTES],
                    event_index=index,
                )
            )
    return good, bad


def _load_rejects(connection: duckdb.DuckDBPyConnection, rejects: Sequence[Reject]) -> None:
    if not rejects:
        return
    _insert(
        connection,
        "INSERT INTO rejects (bus, received_at, reason, error, content_type, bytes, event_index)"
        " SELECT bus, received_at, reason, error, content_type, bytes, event_index FROM incoming",
        pa.table(
            {
                "bus": pa.array([r.bus for r in rejects], pa.string()),
                "received_at": pa.array([r.received_at for r in rejects], _UTC),
                "reason": pa.array([r.reason for r in rejects], pa.string()),
                "error": pa.array([r.error for r in rejects], pa.string()),
                "content_type": pa.array([r.content_type for r in rejects], pa.string()),
                "bytes": pa.array([r.bytes for r in rejects], pa.binary()),
                "event_index": pa.array([r.event_index for r in rejects], pa.int32()),
            }
        ),
    )


def _load(
    connection: duckdb.DuckDBPyConnection,
    journal_id: bytes,
    writer: str,
    blocks: Sequence[ReadBlock],
    *,
    salvaged: Sequence[Reject],
    table: pa.Table | None,
) -> list[Outcome]:
    before = position(connection, journal_id)
    given = len(blocks)
    blocks = [block for block in blocks if before is None or block.position > before]
    if not blocks:
        return []
    [(next_seq, last)] = connection.execute(
        "SELECT next_seq, coalesce(epoch_us(last_received_at), 0) FROM state"
    ).fetchall()
    events = [block for block in blocks if _has_events(block)]
    rejects = [
        *salvaged,
        *(_stored_reject(block, line, last) for block in blocks for line in _reject_lines_of(block)),
    ]
    counted = {block.position: (0, 0, 0) for block in blocks}
    if events:
        if table is None or len(blocks) < given:
            table = to_table([block.block.payload for block in events])
        stored, more, of_block = _load_events(connection, writer, events, table, next_seq=next_seq, last=last)
        next_seq += stored
        rejects += more
        counted |= of_block
    _load_rejects(connection, rejects)
    latest = max(last, *(block.received_at for block in blocks))
    connection.execute(
        "UPDATE state SET next_seq = ?, last_received_at = make_timestamptz(?)", [next_seq, latest]
    )
    connection.execute(
        "INSERT INTO loaded VALUES (?, ?, ?) ON CONFLICT (journal) DO UPDATE"
        " SET file = excluded.file, start = excluded.start",
        [journal_id, *blocks[-1].position],
    )
    outcomes = [
        Outcome(position=place, stored=stored, duplicates=duplicates, rejected=rejected)
        for place, (stored, duplicates, rejected) in counted.items()
    ]
    waited = {block.position for block in blocks if block.block.wants_outcome}
    if waited:
        connection.execute(
            "DELETE FROM outcomes WHERE journal = ? AND file < ?", [journal_id, blocks[0].position.file]
        )
        connection.executemany(
            "INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?)",
            [
                [journal_id, *o.position, o.stored, o.duplicates, o.rejected]
                for o in outcomes
                if o.position in waited
            ],
        )
    return outcomes


def _load_events(
    connection: duckdb.DuckDBPyConnection,
    writer: str,
    blocks: Sequence[ReadBlock],
    table: pa.Table,
    *,
    next_seq: int,
    last: int,
) -> tuple[int, list[Reject], dict[Position, tuple[int, int, int]]]:
    """How many were stored, rejects for used ids, and (stored, duplicates, rejected) of each block."""
    counts = np.array([block.block.count for block in blocks])
    if table.num_rows != counts.sum():
        raise ValueError(f"{counts.sum()} events were announced, {table.num_rows} lines are there")
    of_block = np.repeat(np.arange(len(blocks)), counts)
    received = np.maximum(np.array([block.received_at for block in blocks]), last)[of_block]
    names = {name: index for index, name in enumerate(dict.fromkeys(b.block.bus for b in blocks))}
    bus_of = np.array([names[block.block.bus] for block in blocks], np.int32)[of_block]
    bus = pa.DictionaryArray.from_arrays(pa.array(bus_of), pa.array(list(names))).cast(pa.string())
    table = table.append_column("bus", bus).append_column("received_at", pa.array(received).cast(_UTC))

    connection.register("incoming", table)
    keys = _keys(connection, f"SELECT {_KEY} AS key FROM incoming")  # noqa: S608 a constant
    decided = _decide(connection, table, keys)
    seqs = next_seq + np.cumsum(decided.keep) - 1
    stored = int(decided.keep.sum())
    table = table.append_column("key", pa.array(keys)).append_column("seq", pa.array(seqs))
    _insert(
        connection,
        f"INSERT INTO fresh SELECT seq, key, bus, id, source, type, subject, {_TIME}, time_text,"  # noqa: S608 a constant
        " datacontenttype, dataschema, extensions, data_kind, data, received_at FROM incoming",
        table if stored == table.num_rows else table.filter(pa.array(decided.keep)),
    )
    connection.execute(
        "INSERT INTO buses SELECT bus, count(*), max(received_at) FROM incoming GROUP BY bus"
        " ON CONFLICT (bus) DO UPDATE SET events = events + excluded.events,"
        " last_received_at = excluded.last_received_at"
    )
    _note_duplicates(connection, table, decided, seqs, writer)
    rejects = [_reused(table, row, _seq(original, seqs)) for row, original in decided.reused.items()]

    kept = np.bincount(of_block, decided.keep, len(blocks)).astype(int)
    reused = np.bincount(of_block[list(decided.reused)], minlength=len(blocks))
    results = {
        block.position: (int(kept[i]), int(counts[i] - kept[i] - reused[i]), int(reused[i]))
        for i, block in enumerate(blocks)
    }
    return stored, rejects, results


def _decide(connection: duckdb.DuckDBPyConnection, table: pa.Table, keys: Keys) -> _Decided:
    """Which rows are new. Only rows whose key is in the archive or repeats in the batch are compared."""
    keep = np.ones(len(keys), np.bool_)
    order = np.sort(keys)
    repeated = np.unique(order[1:][order[1:] == order[:-1]])
    _register(connection, pa.table({"key": keys}))
    archived = _keys(connection, "SELECT DISTINCT key FROM fresh WHERE key IN (SELECT key FROM incoming)")
    suspects = np.flatnonzero(np.isin(keys, np.concatenate([repeated, archived])))
    originals: dict[int, int] = {}
    reused: dict[int, int] = {}
    if not suspects.size:
        return _Decided(keep=keep, originals=originals, reused=reused)
    seen = _archived_events(connection, archived) if archived.size else {}
    columns = [table[name].take(pa.array(suspects)).to_pylist() for name in ("bus", "source", "id", *CONTENT)]
    for row, (bus, source, event_id, *content) in zip(
        suspects.tolist(), zip(*columns, strict=True), strict=True
    ):
        key = (bus, source, event_id)
        known = seen.get(key)
        if known is None:
            seen[key] = (-1 - row, tuple(content))
            continue
        keep[row] = False
        (originals if same_content(known[1], tuple(content)) else reused)[row] = known[0]
    return _Decided(keep=keep, originals=originals, reused=reused)


def _archived_events(connection: duckdb.DuckDBPyConnection, keys: Keys) -> dict[Key, tuple[int, Content]]:
    _register(connection, pa.table({"key": keys}))
    rows = connection.execute(
        f"SELECT bus, source, id, seq, {', '.join(CONTENT)} FROM fresh"  # noqa: S608 constants
        " WHERE key IN (SELECT key FROM incoming)"
    ).fetchall()
    return {(bus, source, event_id): (seq, tuple(rest)) for bus, source, event_id, seq, *rest in rows}


def _note_duplicates(
    connection: duckdb.DuckDBPyConnection, table: pa.Table, decided: _Decided, seqs: Numbers, writer: str
) -> None:
    if not decided.originals:
        return
    rows = pa.array(list(decided.originals))
    _insert(
        connection,
        "INSERT INTO duplicates SELECT seq, bus, received_at, input FROM incoming",
        pa.table(
            {
                "seq": pa.array([_seq(original, seqs) for original in decided.originals.values()]),
                "bus": table["bus"].take(rows),
                "received_at": table["received_at"].take(rows),
                "input": pa.array([writer] * len(rows)),
            }
        ),
    )


def _seq(original: int, seqs: Numbers) -> int:
    return original if original >= 0 else int(seqs[-1 - original])


def _reused(table: pa.Table, row: int, original: int) -> Reject:
    [values] = table.slice(row, 1).to_pylist()
    line = "\t".join(values[name] or "" for name in COLUMNS).encode()
    return Reject(
        bus=values["bus"],
        received_at=int(table["received_at"][row].value),
        reason="id_reused",
        error=f"source and id are those of event {original}, its content is another; "
        "send a changed event with an id of its own",
        bytes=decode_line(line).to_json()[:_KEEP_BYTES],
        content_type="application/cloudevents+json",
    )


def _has_events(block: ReadBlock) -> bool:
    return block.block.kind is BlockKind.EVENTS and block.block.count > 0


def _reject_lines_of(block: ReadBlock) -> list[_RejectLine]:
    if block.block.kind is not BlockKind.REJECTS:
        return []
    return _reject_lines.decode_lines(block.block.payload)  # type: ignore[no-any-return, unused-ignore]


def _stored_reject(block: ReadBlock, line: _RejectLine, last: int) -> Reject:
    return Reject(
        bus=block.block.bus,
        received_at=max(block.received_at, last),
        reason=line.reason,
        error=line.error,
        bytes=line.bytes[:_KEEP_BYTES],
        content_type=line.content_type,
        event_index=line.index,
    )


def _keys(connection: duckdb.DuckDBPyConnection, sql: str) -> Keys:
    return np.asarray(connection.execute(sql).fetchnumpy()["key"], np.uint64)


def _register(connection: duckdb.DuckDBPyConnection, table: Any) -> None:
    connection.register("incoming", table)


def _insert(connection: duckdb.DuckDBPyConnection, sql: str, table: Any) -> None:
    _register(connection, table)
    connection.execute(sql)
