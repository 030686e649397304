"""How segments grow together, and that an archive with nothing to do is left alone."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from eventcenter.archive import Archives, settle
from eventcenter.archive.index import SegmentIndex
from eventcenter.archive.manifest import Segment
from eventcenter.archive.settler import Settler
from eventcenter.event import Event, encode_line
from eventcenter.journal import Block, BlockKind, Position, ReadBlock

MOMENT = datetime(2026, 11, 1, tzinfo=UTC)


def segment(events: int, number: int = 1) -> Segment:
    return Segment(
        number=number,
        first_seq=1,
        last_seq=events,
        events=events,
        bytes=events * 140,
        first_received_at=MOMENT,
        last_received_at=MOMENT,
        first_at=MOMENT,
        last_at=MOMENT,
        form=1,
        index=cast("SegmentIndex", None),
    )


def merged(segments: list[Segment], chosen: tuple[Segment, ...]) -> list[Segment]:
    at = segments.index(chosen[0])
    assert segments[at : at + len(chosen)] == list(chosen)
    return [*segments[:at], segment(sum(one.events for one in chosen)), *segments[at + len(chosen) :]]


@pytest.mark.parametrize(("least", "most"), [(10_000, 10_000), (10_000, 500_000), (400_000, 600_000)])
@pytest.mark.parametrize("idle", [True, False])
def test_segments_stay_few_and_events_are_seldom_written(least: int, most: int, *, idle: bool) -> None:
    chance = random.Random(most)
    segments: list[Segment] = []
    arrived = written = 0
    while arrived < 10_000_000:
        events = chance.randint(least, most)
        arrived += events
        written += events
        segments.append(segment(events))
        while chosen := settle.mergeable(segments) or (settle.newest(segments) if idle else ()):
            written += sum(one.events for one in chosen)
            segments = merged(segments, chosen)
    assert sum(one.events for one in segments) == arrived
    if idle:
        assert len(segments) <= 7
        assert written < 18 * arrived
    elif least == most:
        assert len(segments) <= 18
        assert written < 7 * arrived
    else:
        assert written < 7 * arrived


def test_what_is_too_large_stays() -> None:
    assert settle.newest([segment(7_000_000), segment(6_000_000)]) == ()
    assert settle.newest([segment(6_000_000), segment(2_000_000)]) == ()
    small = [segment(2_000_000), segment(10_000)]
    assert settle.newest([segment(12_000_000), *small, segment(10_000)]) == (small[1], segment(10_000))
    assert settle.newest([segment(10)]) == ()
    assert settle.newest([]) == ()


@pytest.fixture
def archives(tmp_path: Path) -> Iterator[Archives]:
    pool = Archives(tmp_path)
    yield pool
    pool.close()


def load(archives: Archives, place: int) -> None:
    line = encode_line(Event(id=str(place), source="/s", type="t", data=b'{"a":1}', data_kind="json"))
    block = Block(
        kind=BlockKind.EVENTS, tenant="t", bus="default", payload=line, count=1, wants_outcome=False
    )
    archives.tenant("t").load(
        b"j" * 16,
        "main",
        [ReadBlock(position=Position(1, place), received_at=1_800_000_000_000_000, block=block)],
    )


def test_an_archive_is_looked_at_again_only_when_something_changed(
    archives: Archives, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    looked = settle.step

    def counted(*arguments: object, **named: object) -> bool:
        nonlocal looks
        looks += 1
        return looked(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(settle, "step", counted)
    settler = Settler(archives, memory_bytes=256 << 20)
    load(archives, 1)

    def settled() -> int:
        nonlocal looks
        looks = 0
        for _ in range(3):
            settler.step()
        return looks

    assert settled() == 1
    assert settled() == 0
    load(archives, 2)
    assert settled() == 1
    archives.tenant("t").note_paths(["/a"])
    assert settled() == 1
    archives.tenant("t").rotate()
    assert settled() == 1
    assert settled() == 0
    assert settler.progress["t"].waiting_events == 0


def test_events_that_still_come_go_first_until_many_tables_wait(
    archives: Archives, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "LEAST_SETTLED", 1)
    behind = True
    settler = Settler(archives, memory_bytes=256 << 20, loading=lambda: behind)
    archive = archives.tenant("t")

    def load_tables(places: range) -> None:
        for place in places:
            load(archives, place)
            archive.rotate()

    load_tables(range(1, 10))
    assert not settler.step()
    assert settler.progress["t"].waiting_events == 9
    behind = False
    assert settler.step()
    while settler.step():
        pass
    assert settler.progress["t"].waiting_events == 0
    behind = True
    load_tables(range(10, 50))
    assert settler.step()
