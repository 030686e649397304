"""Readers: one snapshot each, from their beginning to their end, and no longer than they may."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from eventcenter.archive import Archive, Archives, settle
from eventcenter.archive.manifest import Layout
from eventcenter.archive.segment import Scratch
from eventcenter.errors import Unavailable
from tests.archive.test_load import JOURNAL, archive, archives, block, event

__all__ = ["archive", "archives"]

LONG = "SELECT count(*) AS n FROM range(10_000_000_000) a(i) WHERE i % 7 = 8"
COUNT = "SELECT count(*) AS n, coalesce(max(seq), 0) AS last FROM events"


def load(archive: Archive, first: int, count: int = 10) -> None:
    archive.load(JOURNAL, "ingest", [block(first, *(event(first + n) for n in range(count)))])


def settled(archive: Archive, folder: Path) -> None:
    archive.rotate()
    work = settle.Work(parts=Layout(fresh=archive.layout().fresh[:1], segments=()))
    with archive.upkeep():
        settle.do(archive, lambda: Scratch(folder / "scratch", memory_bytes=256 << 20), work)


def test_a_snapshot_is_fixed_before_the_first_statement(archive: Archive, tmp_path: Path) -> None:
    load(archive, 1)
    with archive.reader() as first:
        load(archive, 100)
        with archive.reader() as second:
            settled(archive, tmp_path)
            load(archive, 200)
            for reader, seen in ((first, 10), (second, 20)):
                assert reader.rows(COUNT) == [{"n": seen, "last": seen}]
                assert reader.last_seq == seen
                assert not reader.layout.segments
    with archive.reader() as reader:
        assert reader.rows(COUNT) == [{"n": 30, "last": 30}]
        assert reader.last_seq == 30
        assert len(reader.layout.segments) == 1


def test_the_newest_seq_is_never_newer_than_the_snapshot(archive: Archive) -> None:
    load(archive, 1)

    def write() -> None:
        for number in range(40):
            load(archive, 100 * (number + 1))

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        seen = 0
        while not writing.done():
            told = archive.last_seq()
            with archive.reader() as reader:
                [found] = reader.rows(COUNT)
                assert seen <= told <= reader.last_seq <= found["last"]
                seen = reader.last_seq
        writing.result()
    assert archive.last_seq() == 410


def test_the_newest_seq_is_known_when_outcomes_are_told_and_after_an_opening(archive: Archive) -> None:
    assert archive.last_seq() == 0
    load(archive, 1)
    assert archive.last_seq() == 10
    load(archive, 1)
    assert archive.last_seq() == 10
    archive.rotate()
    assert archive.sleep()
    assert archive.last_seq() == 10


def test_a_table_is_full_by_its_events_also_after_an_opening(tmp_path: Path) -> None:
    pool = Archives(tmp_path / "tenants", fresh_events=15)
    archive = pool.tenant("t1")
    tables = []
    for number in range(5):
        load(archive, 100 * number + 1)
        tables.append(len(archive.layout().fresh))
        archive.sleep()
    pool.close()
    assert tables == [1, 1, 2, 2, 3]


def test_a_reader_is_stopped_in_what_it_begins_too_late(archive: Archive) -> None:
    load(archive, 1)
    began = time.monotonic()
    with archive.reader(timeout_s=0.1) as reader:
        threading.Event().wait(0.3)
        with pytest.raises(Unavailable) as stopped:
            reader.rows(LONG)
    assert "too long" in stopped.value.detail
    assert time.monotonic() - began < 5
    assert archive.query(COUNT) == [{"n": 10, "last": 10}]


def test_many_readers_are_stopped_each_in_its_time(archive: Archive) -> None:
    load(archive, 1)

    def ask(timeout_s: float) -> float:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            archive.query(LONG, timeout_s=timeout_s)
        return time.monotonic() - began

    with ThreadPoolExecutor(4) as pool:
        took = list(pool.map(ask, (0.8, 0.2, 0.4, 0.6)))
    for limit, each in zip((0.8, 0.2, 0.4, 0.6), took, strict=True):
        assert limit <= each < limit + 2


def test_a_reader_that_ended_is_not_stopped(archive: Archive) -> None:
    load(archive, 1)
    with archive.reader(timeout_s=0.1) as reader:
        cursor = reader.cursor
    with archive.reader() as other:
        assert other.rows("SELECT count(*) AS n FROM range(300_000_000)")
    with pytest.raises(duckdb.ConnectionException):
        cursor.execute("SELECT 1")
