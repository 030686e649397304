"""Whatever the events' length, a segment is made of them within the memory that settling has."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventcenter.archive import Archive, Archives, relation, settle
from eventcenter.archive.chunks import chunks
from eventcenter.archive.manifest import Layout
from eventcenter.archive.segment import Scratch
from eventcenter.event import Event, encode_line
from eventcenter.journal import Block, BlockKind, Position, ReadBlock

EVENTS = 900
LONG = 90_000
MEMORY = 48 << 20
"""Less than the long events take together."""


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    pool = Archives(tmp_path)
    archive = pool.tenant("t")
    archive.load(b"j" * 16, "main", [block()])
    archive.rotate()
    yield archive
    pool.close()


def block() -> ReadBlock:
    lines = []
    for number in range(EVENTS):
        # Long texts that are not the same, and a type of short ones.
        kind = "abcd"[number % 4]
        text = "" if kind == "d" else (f"{number:07d}" * (LONG // 7))
        event = Event(
            id=str(number),
            source="/s",
            type=kind,
            time=f"2026-11-01T00:{number % 60:02d}:00Z",
            data=b'{"n":%d,"text":"%s"}' % (number, text.encode()),
            data_kind="json",
        )
        lines.append(encode_line(event))
    return ReadBlock(
        position=Position(1, 1),
        received_at=1_800_000_000_000_000,
        block=Block(
            kind=BlockKind.EVENTS,
            tenant="t",
            bus="default",
            payload=b"".join(lines),
            count=EVENTS,
            wants_outcome=False,
        ),
    )


def test_long_events_settle_in_little_memory(archive: Archive, tmp_path: Path) -> None:
    work = settle.Work(parts=Layout(fresh=archive.layout().fresh[:1], segments=()))
    with archive.upkeep():
        settle.do(archive, lambda: Scratch(tmp_path / "scratch", memory_bytes=MEMORY), work)
    [one] = archive.layout().segments
    with archive.reader() as reader:
        found = relation.events(Layout(fresh=(), segments=(one,)), place=True)
        rows = reader.rows(f"SELECT type, time, seq, id, data FROM ({found}) ORDER BY row")
    assert len(rows) == EVENTS
    order = [(row["type"], row["time"], row["seq"]) for row in rows]
    assert order == sorted(order)
    texts = {row["id"]: row["data"] for row in rows}
    for line in block().block.payload.splitlines()[::50]:
        fields = line.split(b"\t")
        number = fields[0].decode() if fields[0].isdigit() else fields[1].decode()
        assert texts[number].encode() in line


def test_pieces_hold_every_event_once_in_order_and_are_small(archive: Archive) -> None:
    memory = 15_000_000
    with archive.reader() as reader:
        found = chunks(reader, archive.layout(), "seq % 10 <> 0")
        pieces = [
            reader.rows(f"SELECT type, time, seq, strlen(data) AS bytes FROM ({sql}) ORDER BY ALL", given)
            for sql, given in found.within(memory)
        ]
    assert len(pieces) > 5
    assert all(sum(row["bytes"] for row in piece) < 0.8 * memory for piece in pieces)
    order = [(row["type"], row["time"], row["seq"]) for row in itertools.chain(*pieces)]
    assert order == sorted(order)
    assert sorted(seq for _, _, seq in order) == [seq for seq in range(1, EVENTS + 1) if seq % 10]


@pytest.mark.parametrize(("each", "threads"), [(40 << 20, 2), (60 << 20, 1)])
def test_two_threads_where_both_have_memory_for_their_rows(tmp_path: Path, each: int, threads: int) -> None:
    scratch = Scratch(tmp_path / "scratch", memory_bytes=100 << 20)
    scratch.share(each)
    assert scratch.connection.execute("SELECT current_setting('threads')").fetchall() == [(threads,)]
    scratch.close()
