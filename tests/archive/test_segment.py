"""A segment holds its events in order, and single rows of it can be asked for in any way."""

import random
from collections.abc import Iterator

import pytest

from eventcenter.archive import Archive, Archives, relation, settle
from eventcenter.archive.manifest import Layout
from eventcenter.archive.segment import Scratch
from eventcenter.event import Event, encode_line
from eventcenter.journal import Block, BlockKind, Position, ReadBlock

EVENTS = 150_000
"""More than DuckDB puts into one group of rows."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    folder = tmp_path_factory.mktemp("archive")
    pool = Archives(folder)
    archive = pool.tenant("t")
    archive.load(b"j" * 16, "main", [block()])
    archive.rotate()
    work = settle.Work(parts=Layout(fresh=archive.layout().fresh[:1], segments=()))
    with archive.upkeep():
        settle.do(archive, lambda: Scratch(folder / "scratch", memory_bytes=256 << 20), work)
    yield archive
    pool.close()


def block() -> ReadBlock:
    chance = random.Random(7)
    times = ["2026-11-01T00:00:{:02d}Z", "2026-11-01T01:00:{:02d}+01:00", None]
    lines = []
    for number in range(EVENTS):
        form = chance.choice(times)
        event = Event(
            id=str(number),
            source="/s",
            type=chance.choice("abc"),
            time=form and form.format(chance.randrange(60)),
            data=b'{"n":%d}' % number,
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


def test_rows_are_in_order_of_type_time_and_seq(archive: Archive) -> None:
    [one] = archive.layout().segments
    with archive.reader() as reader:
        rows = reader.rows(
            "SELECT type, coalesce(time, received_at) AS at, seq, id, time_text, data"
            f" FROM ({relation.events(Layout(fresh=(), segments=(one,)), place=True)}) ORDER BY row"
        )
    assert len(rows) == EVENTS
    order = [(row["type"], row["at"], row["seq"]) for row in rows]
    assert order == sorted(order)
    lines = block().block.payload.splitlines()
    for row in rows[::101]:
        assert row["data"] == f'{{"n":{row["id"]}}}'
        assert (row["time_text"] or "") == lines[int(row["id"])].split(b"\t")[4].decode()


def test_one_row_is_found_whatever_is_done_with_it(archive: Archive) -> None:
    [one] = archive.layout().segments
    for event_id in ("0", "149999"):
        rows = one.index.rows_of_id(event_id).tolist()
        assert len(rows) == 1
        found = relation.events(Layout(fresh=(), segments=(one,)), rows={one.number: rows})
        with archive.reader() as reader:
            assert [row["id"] for row in reader.rows(found)] == [event_id]
            assert [row["id"] for row in reader.rows(f"{found} ORDER BY seq DESC LIMIT 10")] == [event_id]


def test_many_rows_are_found(archive: Archive) -> None:
    [one] = archive.layout().segments
    rows = list(range(0, EVENTS, 1000))
    found = relation.events(Layout(fresh=(), segments=(one,)), rows={one.number: rows}, place=True)
    with archive.reader() as reader:
        assert sorted(row["row"] for row in reader.rows(f"SELECT row FROM ({found})")) == rows
