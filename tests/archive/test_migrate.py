"""Main files that former versions wrote are brought up to date and lose nothing."""

import gzip
import shutil
import tarfile
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

import pytest

from eventcenter.archive import Archives, rollup, settle
from eventcenter.archive.manifest import Layout
from eventcenter.archive.segment import Scratch
from eventcenter.archive.whole import events_at
from eventcenter.event import Event, encode_line
from eventcenter.journal import Block, BlockKind, Position, ReadBlock, Received, ReceivedMessage, pack

FORMER = Path(__file__).with_name("former")
JOURNAL = b"j" * 16
START = 1_800_000_000_000_000


def unpack(folder: Path) -> Path:
    """The stored file of format 1 as tenant t1 below `folder`: 23 events of two buses, a repeat, a reject."""
    (folder / "t1").mkdir(parents=True)
    path = folder / "t1" / "main.duckdb"
    with gzip.open(FORMER / "format-1.duckdb.gz") as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return path


def block(number: int, *events: Event) -> ReadBlock:
    return ReadBlock(
        position=Position(1, number),
        received_at=START + number * 1_000_000,
        block=Block(
            kind=BlockKind.EVENTS,
            tenant="t1",
            bus="default",
            payload=b"".join(map(encode_line, events)),
            count=len(events),
            wants_outcome=True,
        ),
    )


def test_a_file_of_format_1_answers_as_before(tmp_path: Path) -> None:
    unpack(tmp_path)
    pool = Archives(tmp_path)
    archive = pool.tenant("t1")
    rows = archive.query("SELECT seq, bus, id, subject, time_text, data FROM events ORDER BY seq")
    assert [row["seq"] for row in rows] == list(range(1, 24))
    assert rows[7] == {
        "seq": 8,
        "bus": "default",
        "id": "7",
        "subject": "s/7",
        "time_text": "2026-11-01T00:00:07Z",
        "data": '{"n":1e2,"big":18446744073709551617,"i":7}',
    }
    assert archive.last_seq() == 23
    assert archive.position(JOURNAL) == Position(1, 3)
    assert archive.query("SELECT bus, events FROM buses ORDER BY bus") == [
        {"bus": "default", "events": 21},
        {"bus": "other", "events": 2},
    ]
    [reject] = archive.query("SELECT id, reason FROM rejects")
    assert reject["reason"] == "id_reused"
    with archive.reader() as reader:
        source = "SELECT bus, source, type, time, received_at FROM events"
        assert rollup.check(reader.cursor, source) == []
    pool.close()


def test_an_archive_of_format_2_answers_as_before_and_keeps_origins_from_now_on(tmp_path: Path) -> None:
    """23 events of two buses, 20 of them settled, a repeat, a reject."""
    with tarfile.open(FORMER / "format-2.tar.gz") as packed:
        packed.extractall(tmp_path, filter="data")
    pool = Archives(tmp_path)
    archive = pool.tenant("t1")
    rows = archive.query("SELECT seq, bus, id, subject, time_text, data FROM events ORDER BY seq")
    assert [row["seq"] for row in rows] == list(range(1, 24))
    assert rows[7]["data"] == '{"n":1e2,"big":18446744073709551617,"i":7}'
    assert archive.query("SELECT * FROM origins") == []
    assert archive.query("SELECT version FROM format") == [{"version": 5}]
    new = Event(id="new", source="/s", type="t")
    message = ReceivedMessage(
        events=1, rejected=0, topic="orders", broker="b", queue_id=0, queue_offset=7, message_id="m"
    )
    payload = pack(Received(input="i1", messages=(message,)), encode_line(new))
    before = block(4, new)
    archive.load(
        JOURNAL,
        "main",
        [replace(before, block=replace(before.block, kind=BlockKind.RECEIVED, payload=payload))],
    )
    assert archive.query("SELECT seq, input, queue_offset FROM origins") == [
        {"seq": 24, "input": "i1", "queue_offset": 7}
    ]
    pool.close()


def test_segments_of_format_3_are_read_and_settled_again_beside_those_of_now(tmp_path: Path) -> None:
    """23 events, 20 of them settled; every other id a UUID, every third one with a trace."""
    with tarfile.open(FORMER / "format-3.tar.gz") as packed:
        packed.extractall(tmp_path, filter="data")
    pool = Archives(tmp_path)
    archive = pool.tenant("t1")

    def settle_from(first: int) -> None:
        layout = archive.layout()
        chosen = Layout(fresh=layout.fresh[:-1], segments=layout.segments[first:])
        with archive.upkeep():
            settle.do(
                archive, lambda: Scratch(tmp_path / "s", memory_bytes=64 << 20), settle.Work(parts=chosen)
            )

    def seen() -> list[tuple[str, str | None]]:
        rows = archive.query("SELECT id, extensions FROM events ORDER BY seq")
        return [(row["id"], row["extensions"]) for row in rows]

    def seen_whole() -> list[tuple[str, str | None]]:
        """What `whole` says of the settled ones, which come first."""
        with archive.reader() as reader:
            rows = events_at(reader, [(one, list(range(one.events))) for one in reader.layout.segments])
        return [(row["id"], row["extensions"]) for row in sorted(rows, key=itemgetter("seq"))]

    uuid, trace = "0000000f-0000-4000-8000-000000000000", f"{15:032x}"
    before = seen()
    assert before[15] == (uuid, f'{{"traceparent":"00-{trace}-{15:016x}-01","region":"cn"}}')
    assert archive.query("SELECT version FROM format") == [{"version": 5}]
    archive.rotate()
    settle_from(1)
    assert [one.form for one in archive.layout().segments] == [1, 2]
    assert seen() == seen_whole() == before
    settle_from(0)
    [one] = archive.layout().segments
    assert one.form == 2
    assert seen() == seen_whole() == before
    assert len(one.index.rows_of_id(uuid)) == len(one.index.rows_of_trace(trace)) == 1
    pool.close()


def test_fresh_tables_of_format_4_promote_nothing_and_the_next_one_does(tmp_path: Path) -> None:
    """23 events, 20 of them in a segment that promotes /i."""
    with tarfile.open(FORMER / "format-4.tar.gz") as packed:
        packed.extractall(tmp_path, filter="data")
    pool = Archives(tmp_path)
    archive = pool.tenant("t1")
    assert archive.query("SELECT version FROM format") == [{"version": 5}]
    assert [dict(one.paths) for one in archive.layout().fresh] == [{}]
    rows = archive.query("SELECT seq, data FROM events ORDER BY seq")
    assert [row["seq"] for row in rows] == list(range(1, 24))
    assert rows[22]["data"] == '{"n":1e2,"big":18446744073709551617,"i":22}'
    archive.rotate()
    new = Event(id="new", source="/s", type="t", data=b'{"i":7}', data_kind="json")
    archive.load(JOURNAL, "main", [block(4, new)])
    current = archive.layout().current
    assert set(current.paths) == {"/i"}
    assert archive.query(f"SELECT {current.paths['/i'].text} AS i FROM {current.table}") == [{"i": "7"}]
    pool.close()


def test_a_migrated_file_goes_on_where_it_was(tmp_path: Path) -> None:
    unpack(tmp_path)
    pool = Archives(tmp_path)
    archive = pool.tenant("t1")
    known = Event(
        id="4",
        source="/s",
        type="t1",
        subject="s/4",
        time="2026-11-01T00:00:04Z",
        data=b'{"n":1e2,"big":18446744073709551617,"i":4}',
        data_kind="json",
    )
    changed = Event(id="4", source="/s", type="t1")
    new = Event(id="new", source="/s", type="t")
    [outcome] = archive.load(JOURNAL, "main", [block(4, known, changed, new)])
    assert (outcome.stored, outcome.duplicates, outcome.rejected) == (1, 1, 1)
    assert archive.query("SELECT seq FROM events WHERE id = 'new'") == [{"seq": 24}]
    assert [row["id"] for row in archive.query("SELECT id FROM rejects ORDER BY id")] == [1, 2]
    pool.close()


def test_a_crash_in_the_middle_of_a_migration_leaves_the_former_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack(tmp_path)

    def crash(*_given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rollup, "rebuild", crash)
    pool = Archives(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        pool.tenant("t1").last_seq()
    monkeypatch.undo()
    assert pool.tenant("t1").last_seq() == 23
    pool.close()
