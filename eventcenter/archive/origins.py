"""Where events of inputs came from: `origins`, and entries in the ledger, for what is being loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eventcenter.archive.entries import OUTCOMES, Entries, Mask, Numbers, Queue, enter
from eventcenter.journal import ReadBlock, ReceivedMessage, unpack

STORED, DUPLICATE, REJECTED, EMPTY = range(len(OUTCOMES))
_UTC: Final = pa.timestamp("us", tz="UTC")
_MILLIS: Final = pa.timestamp("ms", tz="UTC")
_INSERT: Final = """INSERT INTO origins
    SELECT seq, outcome, bus, received_at, input, topic, broker, queue_id, queue_offset, message_id, keys,
        tag, born_at, stored_at, delivery_attempt
    FROM incoming"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fates:
    """What became of events, in their order."""

    outcomes: Numbers
    """STORED, DUPLICATE or REJECTED."""
    seqs: Numbers
    """Of the event that was stored, or that was known; -1 where it was refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Messages:
    """All messages of some blocks, in order, one entry each."""

    all: Sequence[ReceivedMessage]
    inputs: Sequence[str]
    buses: Sequence[str]
    received_at: Numbers
    events: Numbers


def note(
    connection: duckdb.DuckDBPyConnection, blocks: Sequence[ReadBlock], fates: Fates, last_received_at: int
) -> None:
    """Keep where the events of RECEIVED blocks came from; `fates` are those of all their events.

    Raises ValueError where a block's head does not fit its events.
    """
    messages = _messages(blocks, last_received_at)
    of_event = np.repeat(np.arange(len(messages.all)), messages.events)
    new = _enter(connection, messages, _outcomes(messages, of_event, fates))
    kept = new[of_event]
    without = np.flatnonzero(new & (messages.events == 0))
    refused = np.array([one.rejected > 0 for one in messages.all], np.bool_)
    of_row = np.concatenate([of_event[kept], without])
    if not of_row.size:
        return
    seqs = np.concatenate([fates.seqs[kept], np.full(len(without), -1)])
    outcomes = np.concatenate([fates.outcomes[kept], np.where(refused[without], REJECTED, EMPTY)])
    _insert(connection, messages, of_row, seqs, outcomes)


def _messages(blocks: Sequence[ReadBlock], last_received_at: int) -> _Messages:
    heads = [unpack(block.block.payload).received for block in blocks]
    for block, head in zip(blocks, heads, strict=True):
        told = sum(message.events for message in head.messages)
        if told != block.block.count:
            raise ValueError(f"{block.block.count} events were announced, the messages have {told}")
    of_block = np.repeat(np.arange(len(blocks)), [len(head.messages) for head in heads]).tolist()
    received_at = np.maximum(np.array([block.received_at for block in blocks], np.int64), last_received_at)
    everything = [message for head in heads for message in head.messages]
    return _Messages(
        all=everything,
        inputs=[heads[place].input for place in of_block],
        buses=[blocks[place].block.bus for place in of_block],
        received_at=received_at[of_block],
        events=np.array([message.events for message in everything], np.int64),
    )


def _outcomes(messages: _Messages, of_event: npt.NDArray[np.int64], fates: Fates) -> Numbers:
    """Of each message, from those of its events."""
    count = len(messages.all)

    def has(outcome: int) -> Mask:
        return np.bincount(of_event[fates.outcomes == outcome], minlength=count) > 0

    refused = np.array([message.rejected > 0 for message in messages.all], np.bool_)
    conditions = [has(STORED), has(DUPLICATE), has(REJECTED) | refused]
    return np.select(conditions, [STORED, DUPLICATE, REJECTED], EMPTY).astype(np.int64)


def _enter(connection: duckdb.DuckDBPyConnection, messages: _Messages, outcomes: Numbers) -> Mask:
    """Enter into the ledger what has a place there; which messages have no place, or a new one."""
    new = np.ones(len(messages.all), np.bool_)
    by_queue: dict[Queue, list[int]] = {}
    for place, message in enumerate(messages.all):
        if message.broker is not None and message.queue_id is not None and message.queue_offset is not None:
            queue = Queue(messages.inputs[place], message.topic, message.broker, message.queue_id)
            by_queue.setdefault(queue, []).append(place)
    entries = {
        queue: Entries(
            offsets=np.array([messages.all[place].queue_offset for place in places], np.int64),
            outcomes=outcomes[places],
            stored_at=[messages.all[place].stored_at for place in places],
        )
        for queue, places in by_queue.items()
    }
    for queue, of_queue in enter(connection, entries).items():
        new[by_queue[queue]] = of_queue
    return new


def _insert(
    connection: duckdb.DuckDBPyConnection,
    messages: _Messages,
    of_row: npt.NDArray[np.int64],
    seqs: Numbers,
    outcomes: Numbers,
) -> None:
    rows = [messages.all[place] for place in of_row]
    table = pa.table(
        {
            "seq": pa.array(seqs, mask=seqs < 0),
            "outcome": pa.array([OUTCOMES[outcome] for outcome in outcomes], pa.string()),
            "bus": pa.array([messages.buses[place] for place in of_row], pa.string()),
            "received_at": pa.array(messages.received_at[of_row]).cast(_UTC),
            "input": pa.array([messages.inputs[place] for place in of_row], pa.string()),
            "topic": pa.array([row.topic for row in rows], pa.string()),
            "broker": pa.array([row.broker for row in rows], pa.string()),
            "queue_id": pa.array([row.queue_id for row in rows], pa.int32()),
            "queue_offset": pa.array([row.queue_offset for row in rows], pa.int64()),
            "message_id": pa.array([row.message_id for row in rows], pa.string()),
            "keys": pa.array([" ".join(row.keys) or None for row in rows], pa.string()),
            "tag": pa.array([row.tag for row in rows], pa.string()),
            "born_at": pa.array([row.born_at for row in rows], pa.int64()).cast(_MILLIS),
            "stored_at": pa.array([row.stored_at for row in rows], pa.int64()).cast(_MILLIS),
            "delivery_attempt": pa.array([row.delivery_attempt for row in rows], pa.int32()),
        }
    )
    connection.register("incoming", table)
    connection.execute(_INSERT)
