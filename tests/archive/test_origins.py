"""Where events came from, and the ledger of what was received, against a plain model."""

import random
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventcenter.archive import Archive, Archives, Poison, entries, examine, ledger, removal
from eventcenter.archive.ledger import LedgerRange
from eventcenter.archive.removal import Removal
from eventcenter.archive.segment import Scratch
from eventcenter.event import Event, encode_line
from eventcenter.journal import Block, BlockKind, Position, ReadBlock, Received, ReceivedMessage, pack, unpack
from tests.archive.test_load import JOURNAL, archive, archives, event

__all__ = ["archive", "archives"]

START = 1_800_000_000_000


def message(
    offset: int | None, *, events: int = 1, rejected: int = 0, queue: int = 0, attempt: int = 1
) -> ReceivedMessage:
    return ReceivedMessage(
        events=events,
        rejected=rejected,
        topic="orders",
        broker="broker-a",
        queue_id=queue,
        queue_offset=offset,
        message_id=f"m{offset}",
        keys=("k1", "k2"),
        tag="t",
        born_at=START - 5,
        stored_at=None if offset is None else START + offset,
        delivery_attempt=attempt,
    )


def received(
    number: int, messages: Sequence[ReceivedMessage], events: Sequence[Event], *, input_id: str = "in1"
) -> ReadBlock:
    return ReadBlock(
        position=Position(1, number),
        received_at=START * 1000 + number,
        block=Block(
            kind=BlockKind.RECEIVED,
            tenant="t1",
            bus="default",
            payload=pack(
                Received(input=input_id, messages=tuple(messages)), b"".join(map(encode_line, events))
            ),
            count=len(events),
        ),
    )


def ranges(archive: Archive, input_id: str = "in1") -> list[LedgerRange]:
    with archive.reader() as reader:
        return ledger.ranges(reader, input_id)


def spans(archive: Archive) -> list[tuple[int, int]]:
    return [(one.first_offset, one.last_offset) for one in ranges(archive)]


def test_all_that_a_message_tells_is_kept_with_its_event(archive: Archive) -> None:
    archive.load(JOURNAL, "main", [received(1, [message(7)], [event(1)])])
    [row] = archive.query("SELECT * FROM origins JOIN events USING (seq)")
    assert row["id"] == event(1).id
    assert (row["outcome"], row["bus"], row["input"], row["topic"]) == ("stored", "default", "in1", "orders")
    assert (row["broker"], row["queue_id"], row["queue_offset"]) == ("broker-a", 0, 7)
    assert (row["message_id"], row["keys"], row["tag"], row["delivery_attempt"]) == ("m7", "k1 k2", "t", 1)
    moment = datetime.fromtimestamp(START / 1000, UTC)
    assert row["born_at"] == moment - timedelta(milliseconds=5)
    assert row["stored_at"] == moment + timedelta(milliseconds=7)
    [found] = ranges(archive)
    assert found == LedgerRange(
        topic="orders",
        broker="broker-a",
        queue_id=0,
        first_offset=7,
        last_offset=7,
        stored=1,
        duplicates=0,
        rejected=0,
        empty=0,
        first_stored_at=row["stored_at"],
        last_stored_at=row["stored_at"],
    )


def test_each_message_has_one_outcome(archive: Archive) -> None:
    known, changed = event(1), Event(id=event(1).id, source=event(1).source, type="other")
    archive.load(JOURNAL, "main", [received(1, [message(0)], [known])])
    messages = [
        message(1),
        message(2),
        message(3, events=0, rejected=1),
        message(4, events=0),
        message(5, events=3, rejected=1),
        message(6, events=2),
    ]
    events = [known, changed, event(2), known, event(3), known, event(2)]
    [outcome] = archive.load(JOURNAL, "main", [received(2, messages, events)])
    assert (outcome.stored, outcome.duplicates, outcome.rejected) == (2, 4, 1)
    rows = archive.query("SELECT queue_offset, outcome, seq FROM origins ORDER BY queue_offset, seq")
    assert [(row["queue_offset"], row["outcome"], row["seq"]) for row in rows] == [
        (0, "stored", 1),
        (1, "duplicate", 1),
        (2, "rejected", None),
        (3, "rejected", None),
        (4, "empty", None),
        (5, "duplicate", 1),
        (5, "stored", 2),
        (5, "stored", 3),
        (6, "duplicate", 1),
        (6, "duplicate", 2),
    ]
    [found] = ranges(archive)
    assert (found.stored, found.duplicates, found.rejected, found.empty) == (2, 2, 2, 1)
    assert (found.messages, found.missing) == (7, 0)
    noted = archive.query("SELECT DISTINCT input FROM duplicates")
    assert noted == [{"input": "in1"}]


def test_a_message_that_is_read_again_is_counted_once(archive: Archive) -> None:
    archive.load(JOURNAL, "main", [received(1, [message(0), message(1)], [event(0), event(1)])])
    again = [message(1), message(2), message(2)]
    archive.load(JOURNAL, "main", [received(2, again, [event(1), event(2), event(2)])])
    [found] = ranges(archive)
    assert (found.first_offset, found.last_offset, found.stored, found.duplicates) == (0, 2, 3, 0)
    assert archive.query("SELECT count(*) AS n FROM origins") == [{"n": 3}]
    # Where its place is not known, nobody can tell that it was there before.
    archive.load(JOURNAL, "main", [received(3, [message(None, attempt=2)], [event(2)])])
    [row] = archive.query("SELECT outcome, delivery_attempt FROM origins WHERE queue_offset IS NULL")
    assert row == {"outcome": "duplicate", "delivery_attempt": 2}
    assert spans(archive) == [(0, 2)]


def test_inputs_and_queues_have_ledgers_of_their_own(archive: Archive) -> None:
    archive.load(
        JOURNAL,
        "main",
        [
            received(1, [message(0), message(5, queue=1)], [event(0), event(1)]),
            received(2, [message(0)], [event(0)], input_id="in2"),
        ],
    )
    assert [(one.queue_id, one.first_offset) for one in ranges(archive)] == [(0, 0), (1, 5)]
    assert [(one.queue_id, one.duplicates) for one in ranges(archive, "in2")] == [(0, 1)]
    assert ranges(archive, "in3") == []


def test_posted_and_received_events_in_one_batch(archive: Archive) -> None:
    lines = encode_line(event(1)) + encode_line(event(2))
    posted = ReadBlock(
        position=Position(1, 2),
        received_at=START * 1000 + 2,
        block=Block(kind=BlockKind.EVENTS, tenant="t1", bus="default", payload=lines, count=2),
    )
    blocks = [
        received(1, [message(0)], [event(0)]),
        posted,
        received(3, [message(1), message(2)], [event(2), event(3)]),
    ]
    archive.load(JOURNAL, "main", blocks)
    rows = archive.query("SELECT queue_offset, outcome, seq FROM origins ORDER BY queue_offset")
    assert [(row["queue_offset"], row["outcome"], row["seq"]) for row in rows] == [
        (0, "stored", 1),
        (1, "duplicate", 3),
        (2, "stored", 4),
    ]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_ranges_hold_what_was_received(seed: int) -> None:
    chance = random.Random(seed)
    model: set[int] = set()
    with Scene() as archive:
        for number in range(chance.randint(1, 12)):
            start = chance.randint(0, 60)
            offsets = [start + chance.randint(0, 25) for _ in range(chance.randint(1, 20))]
            model |= set(offsets)
            archive.load(
                JOURNAL,
                "main",
                [received(number + 1, [message(one) for one in offsets], [event(one) for one in offsets])],
            )
            found = ranges(archive)
            held = [offset for one in found for offset in range(one.first_offset, one.last_offset + 1)]
            assert held == sorted(model)
            assert sum(one.messages for one in found) == len(model)
            assert all(later.first_offset > one.last_offset + 1 for one, later in pairwise(found))
            for one in found:
                assert one.missing == 0
                stamps = (one.first_stored_at, one.last_stored_at)
                assert stamps == tuple(
                    datetime.fromtimestamp((START + at) / 1000, UTC)
                    for at in (one.first_offset, one.last_offset)
                )


class Scene:
    """An archive in a folder of its own, for one example."""

    def __enter__(self) -> Archive:
        self._folder = tempfile.TemporaryDirectory()
        self._pool = Archives(Path(self._folder.name))
        return self._pool.tenant("t1")

    def __exit__(self, *_: object) -> None:
        self._pool.close()
        self._folder.cleanup()


def test_ranges_stay_few_and_still_tell_what_is_missing(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "MOST_RANGES", 10)
    offsets = [*range(0, 40, 2), 1000]
    for number, offset in enumerate(offsets):
        archive.load(JOURNAL, "main", [received(number + 1, [message(offset)], [event(offset)])])
    found = ranges(archive)
    assert len(found) <= 10
    assert found[-1].first_offset == 1000
    assert sum(one.messages for one in found) == len(offsets)
    assert sum(one.missing for one in found) > 0
    # What is missing within such a range is known for new when it comes, and only once.
    for number in (101, 102):
        archive.load(
            JOURNAL,
            "main",
            [received(number, [message(one) for one in range(40)], [event(one) for one in range(40)])],
        )
        found = ranges(archive)
        assert [(one.first_offset, one.last_offset, one.missing) for one in found] == [
            (0, 39, 0),
            (1000, 1000, 0),
        ]
    assert archive.query("SELECT count(*) AS n FROM origins") == [{"n": 41}]


def test_origins_go_with_their_events(archive: Archive, tmp_path: Path) -> None:
    messages = [message(0), message(1), message(2, events=0, rejected=1)]
    archive.load(JOURNAL, "main", [received(1, messages, [event(0), event(1)])])

    def scratch() -> Scratch:
        return Scratch(tmp_path / "scratch", memory_bytes=256 << 20)

    removal.remove(archive, scratch, Removal(events="seq = 1"))
    assert archive.query("SELECT seq FROM origins ORDER BY seq") == [{"seq": 2}, {"seq": None}]
    removal.remove(archive, scratch, Removal(events="false", origins="bus = 'default'"))
    assert archive.query("SELECT seq FROM origins") == [{"seq": 2}]
    # That it was received stays known.
    assert spans(archive) == [(0, 2)]


def test_the_doctor_finds_what_does_not_fit(archive: Archive) -> None:
    archive.load(JOURNAL, "main", [received(1, [message(0), message(1)], [event(0), event(1)])])
    assert list(examine(archive)) == []

    def damage(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("UPDATE origins SET seq = 99 WHERE seq = 2")
        connection.execute("INSERT INTO ledger SELECT * FROM ledger")

    archive.write(damage)
    assert list(examine(archive)) == [
        "1 origins belong to no event",
        "the ledger tells what was received twice over: orders, broker-a, queue 0, offset 0",
    ]


def test_a_block_whose_head_does_not_fit_is_poison(archive: Archive) -> None:
    with pytest.raises(Poison):
        archive.load(JOURNAL, "main", [received(1, [message(0, events=2)], [event(0)])])
    assert archive.query("SELECT count(*) AS n FROM events") == [{"n": 0}]


@given(st.binary(max_size=60))
def test_other_bytes_are_no_payload(data: bytes) -> None:
    try:
        parts = unpack(data)
    except ValueError:
        return
    assert bytes(parts.lines) in data
