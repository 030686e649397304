"""Journal blocks → a tenant's main file: each event once, in one transaction with the loader's position."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import duckdb
import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eventcenter.archive import origins, rollup
from eventcenter.archive.inserting import nothing
from eventcenter.archive.keys import Keys, keys_of
from eventcenter.archive.lines import COLUMNS, to_table
from eventcenter.archive.manifest import Fresh, Layout
from eventcenter.archive.relation import columns_of, texts_of
from eventcenter.archive.repeats import Decided, decide
from eventcenter.archive.seen import Seen
from eventcenter.archive.transaction import transaction
from eventcenter.event import decode_line
from eventcenter.journal import BlockKind, Outcome, Position, ReadBlock, lines_of, unpack

_UTC = pa.timestamp("us", tz="UTC")
_KEEP_BYTES = 256 << 10
_TIME: Final = """coalesce(
    try_cast(time_text AS TIMESTAMPTZ),
    try_cast(replace(upper(time_text), ':60', ':59') AS TIMESTAMPTZ))"""

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_NO_KEYS: Final[Keys] = np.empty(0, np.uint64)
_POISONOUS: Final = (
    pa.ArrowInvalid,
    duckdb.DataError,
    # What the engine says of text that is no JSON.
    duckdb.InvalidInputException,
    ValueError,
    msgspec.DecodeError,
)


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


@dataclass(kw_only=True, slots=True)
class _Batch:
    """What a transaction adds."""

    stored: int = 0
    keys: Keys = field(default_factory=lambda: _NO_KEYS)
    """Of what was stored."""
    rejects: list[Reject]
    counted: dict[Position, tuple[int, int, int]]
    """Stored, duplicates, rejected of each block."""
    fates: origins.Fates
    """Of the events in RECEIVED blocks."""


def load(
    connection: duckdb.DuckDBPyConnection,
    journal_id: bytes,
    writer: str,
    blocks: Sequence[ReadBlock],
    *,
    rejects: Sequence[Reject] = (),
    table: pa.Table | None = None,
    layout: Layout,
    seen: Seen,
) -> list[Outcome]:
    """Load blocks of one journal, in order, and keep `rejects` with them; outcomes of what was loaded.

    `table` is `table_of(blocks)` where that is at hand. Events go into the layout's current table; `seen` is
    the archive's and learns of them.

    Blocks at or before the position in `loaded` are skipped. Either everything is loaded and the
    position moved, or nothing. Raises Poison where the blocks themselves are at fault.
    """
    seen.follow(connection, layout)
    try:
        with transaction(connection):
            outcomes, keys = _load(
                connection,
                journal_id,
                writer,
                blocks,
                salvaged=rejects,
                table=table,
                layout=layout,
                seen=seen,
            )
            seen.extend(keys)
    except BaseException as error:
        seen.doubt()
        if isinstance(error, _POISONOUS):
            raise Poison(str(error)) from error
        raise
    return outcomes


def table_of(blocks: Sequence[ReadBlock]) -> pa.Table | None:
    """The blocks' events with buses and keys, which `load` takes: a part of its work that needs no archive.

    None where there are none, or where the blocks are poison, which `load` will say.
    """
    events = [block for block in blocks if _has_events(block)]
    try:
        return _named(events) if events else None
    except ValueError:
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
    """A poison block's lines that are events, and the others as rejects. Raises ValueError without lines."""
    good: list[bytes] = []
    bad: list[Reject] = []
    for index, line in enumerate(bytes(_lines(block)).splitlines(keepends=True)):
        try:
            event = decode_line(line)
            if event.data is not None:
                msgspec.json.decode(event.data)
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
    layout: Layout,
    seen: Seen,
) -> tuple[list[Outcome], Keys]:
    before = position(connection, journal_id)
    given, oldest_file = len(blocks), blocks[0].position.file if blocks else 0
    blocks = [block for block in blocks if before is None or block.position > before]
    if not blocks:
        return [], _NO_KEYS
    [(next_seq, last)] = connection.execute(
        "SELECT next_seq, coalesce(epoch_us(last_received_at), 0) FROM state"
    ).fetchall()
    events = [block for block in blocks if _has_events(block)]
    batch = _Batch(
        rejects=[
            *salvaged,
            *(_stored_reject(block, line, last) for block in blocks for line in _reject_lines_of(block)),
        ],
        counted={block.position: (0, 0, 0) for block in blocks},
        fates=origins.Fates(outcomes=np.empty(0, np.int64), seqs=np.empty(0, np.int64)),
    )
    if events:
        if table is None or len(blocks) < given:
            table = _named(events)
        _load_events(
            connection, writer, events, table, batch, next_seq=next_seq, last=last, layout=layout, seen=seen
        )
    _load_rejects(connection, batch.rejects)
    received = [block for block in blocks if block.block.kind is BlockKind.RECEIVED]
    if received:
        origins.note(connection, received, batch.fates, last)
    connection.execute(
        "UPDATE state SET next_seq = ?, last_received_at = make_timestamptz(?),"
        " fresh_bytes = fresh_bytes + ?",
        [
            next_seq + batch.stored,
            max(last, *(block.received_at for block in blocks)),
            sum(len(block.block.payload) for block in events),
        ],
    )
    connection.execute(
        "INSERT INTO loaded (file, start, journal) VALUES (?, ?, ?)"
        if before is None
        else "UPDATE loaded SET file = ?, start = ? WHERE journal = ?",
        [*blocks[-1].position, journal_id],
    )
    outcomes = [
        Outcome(position=place, stored=stored, duplicates=duplicates, rejected=rejected)
        for place, (stored, duplicates, rejected) in batch.counted.items()
    ]
    waited = {block.position for block in blocks if block.block.wants_outcome}
    if waited:
        # What stands in files before the first of these blocks was told.
        connection.execute("DELETE FROM outcomes WHERE journal = ? AND file < ?", [journal_id, oldest_file])
        _store_outcomes(connection, journal_id, [one for one in outcomes if one.position in waited])
    return outcomes, batch.keys


def _store_outcomes(
    connection: duckdb.DuckDBPyConnection, journal_id: bytes, outcomes: Sequence[Outcome]
) -> None:
    """Keep them, to tell them again after a crash."""
    connection.execute(
        "INSERT INTO outcomes SELECT ?, unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)",
        [
            journal_id,
            [one.position.file for one in outcomes],
            [one.position.start for one in outcomes],
            [one.stored for one in outcomes],
            [one.duplicates for one in outcomes],
            [one.rejected for one in outcomes],
        ],
    )


def _load_events(
    connection: duckdb.DuckDBPyConnection,
    writer: str,
    blocks: Sequence[ReadBlock],
    table: pa.Table,
    batch: _Batch,
    *,
    next_seq: int,
    last: int,
    layout: Layout,
    seen: Seen,
) -> None:
    """Store a batch's new events; complete `batch`."""
    of_block = _of_block(blocks)
    received = np.maximum(np.array([block.received_at for block in blocks]), last)[of_block]
    table = table.append_column("received_at", pa.array(received).cast(_UTC))
    keys = table["key"].to_numpy()
    decided = decide(connection, table, keys, seen)
    keep = decided.keep
    seqs = next_seq + np.cumsum(keep) - 1
    batch.stored, batch.keys = int(keep.sum()), keys[keep]
    if batch.stored:
        current = layout.current.table
        added = table.append_column("seq", pa.array(seqs))
        _insert(
            connection,
            _insert_into(layout.current),
            added if batch.stored == table.num_rows else added.filter(pa.array(keep)),
        )
        buses = table["bus"].combine_chunks()
        _count_buses(connection, buses.dictionary.to_pylist(), buses.indices.to_numpy()[keep], received[keep])
        rollup.add(
            connection,
            f"SELECT bus, source, type, time, received_at FROM main.{current} WHERE seq >= {next_seq}",  # noqa: S608
            first_seq=next_seq,
            events=batch.stored,
        )
    came_by = {block: _input_of(blocks[block], writer) for block in set(of_block[list(decided.originals)])}
    inputs = [came_by[of_block[row]] for row in decided.originals]
    _note_duplicates(connection, table, decided, seqs, inputs)
    batch.rejects += [_reused(table, row, _seq(original, seqs)) for row, original in decided.reused.items()]

    is_received = np.array([block.block.kind is BlockKind.RECEIVED for block in blocks])
    if is_received.any():
        batch.fates = _fates(decided, seqs, is_received[of_block])

    counts = np.bincount(of_block, minlength=len(blocks))
    kept = np.bincount(of_block, keep, len(blocks)).astype(int)
    reused = np.bincount(of_block[list(decided.reused)], minlength=len(blocks))
    for i, block in enumerate(blocks):
        batch.counted[block.position] = (int(kept[i]), int(counts[i] - kept[i] - reused[i]), int(reused[i]))


def _insert_into(fresh: Fresh) -> str:
    """The statement that adds `incoming` to a table of fresh events."""
    columns = columns_of(fresh)
    values = {"time": _TIME}
    values |= {each.text: f"found[{place}]" for place, each in enumerate(fresh.paths.values(), 1)}
    selected = ", ".join(values.get(name, name) for name in columns)
    found = f", {texts_of(fresh.paths)} AS found" if fresh.paths else ""
    return (
        f"INSERT INTO main.{fresh.table} ({', '.join(columns)})"  # noqa: S608 our own text
        f" SELECT {selected} FROM (SELECT *{found} FROM incoming) UNION ALL {nothing(len(columns))}"
    )


def _fates(decided: Decided, seqs: Numbers, of: Mask) -> origins.Fates:
    """What became of those rows of a batch that `of` tells."""
    outcomes = np.where(decided.keep, origins.STORED, origins.DUPLICATE)
    found = seqs.copy()
    for row, original in decided.originals.items():
        found[row] = _seq(original, seqs)
    for row in decided.reused:
        outcomes[row], found[row] = origins.REJECTED, -1
    return origins.Fates(outcomes=outcomes[of], seqs=found[of])


def _lines(block: ReadBlock) -> bytes | memoryview:
    """The journal lines of a block with events. Raises ValueError where it has none."""
    payload = block.block.payload
    return lines_of(payload) if block.block.kind is BlockKind.RECEIVED else payload


def _input_of(block: ReadBlock, writer: str) -> str:
    """By which input the block's events came; those that were posted, by the ingest service."""
    if block.block.kind is not BlockKind.RECEIVED:
        return writer
    return unpack(block.block.payload).received.input


def _named(blocks: Sequence[ReadBlock]) -> pa.Table:
    """The lines of these blocks with `bus` (a dictionary) and `key`. Raises ValueError for other bytes."""
    table = to_table([_lines(block) for block in blocks])
    of_block = _of_block(blocks)
    if table.num_rows != len(of_block):
        raise ValueError(f"{len(of_block)} events were announced, {table.num_rows} lines are there")
    names = {name: index for index, name in enumerate(dict.fromkeys(b.block.bus for b in blocks))}
    of_bus = np.array([names[block.block.bus] for block in blocks], np.int32)[of_block]
    bus = pa.DictionaryArray.from_arrays(pa.array(of_bus), pa.array(list(names), pa.string()))
    table = table.append_column("bus", bus)
    return table.append_column("key", pa.array(keys_of(table["bus"], table["source"], table["id"])))


def _of_block(blocks: Sequence[ReadBlock]) -> Numbers:
    """For each event of these blocks, the place of its block among them."""
    return np.repeat(np.arange(len(blocks)), [block.block.count for block in blocks])


def _count_buses(
    connection: duckdb.DuckDBPyConnection, names: list[str], of_bus: npt.NDArray[np.int32], received: Numbers
) -> None:
    """Add to each bus's count what was stored: `of_bus` tells each event's place in `names`."""
    events = np.bincount(of_bus, minlength=len(names)).tolist()
    latest = np.zeros(len(names), np.int64)
    np.maximum.at(latest, of_bus, received)
    counted = [
        (name, count, at) for name, count, at in zip(names, events, latest.tolist(), strict=True) if count
    ]
    if len(counted) == 1:
        [(name, count, at)] = counted
        # The usual case, for a third of the price.
        [(known,)] = connection.execute(
            "UPDATE buses SET events = events + ?, last_received_at = make_timestamptz(?) WHERE bus = ?",
            [count, at, name],
        ).fetchall()
        if known:
            return
    connection.execute(
        "INSERT INTO buses SELECT unnest(?), unnest(?), make_timestamptz(unnest(?))"
        " ON CONFLICT (bus) DO UPDATE SET events = events + excluded.events,"
        " last_received_at = excluded.last_received_at",
        [list(column) for column in zip(*counted, strict=True)],
    )


def _note_duplicates(
    connection: duckdb.DuckDBPyConnection,
    table: pa.Table,
    decided: Decided,
    seqs: Numbers,
    inputs: Sequence[str],
) -> None:
    """`inputs`: what each of `decided.originals` came by."""
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
                "input": pa.array(inputs, pa.string()),
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
    return block.block.kind is not BlockKind.REJECTS and block.block.count > 0


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


def _insert(connection: duckdb.DuckDBPyConnection, sql: str, table: Any) -> None:
    connection.register("incoming", table)
    connection.execute(sql)
