"""Ids and traces that a segment keeps as numbers come back as they were sent, whatever they are like."""

import json
import random
from collections.abc import Callable, Iterator
from operator import itemgetter
from pathlib import Path

import pytest

from eventcenter.archive import Archive, Archives, relation, settle
from eventcenter.archive.manifest import Layout
from eventcenter.archive.segment import Scratch
from eventcenter.archive.whole import events_at
from eventcenter.event import Event, encode_line
from eventcenter.journal import Block, BlockKind, Position, ReadBlock

UUID = "c1c225e5-443e-9f7a-2f69-12b816cf6013"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
IDS = [
    UUID,
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    UUID.upper(),
    UUID.replace("-", ""),
    f"{{{UUID}}}",
    f"urn:uuid:{UUID}",
    f" {UUID}",
    f"{UUID}0",
    "4711",
    "订单-1",
    "",
]
PARENTS = [
    f"00-{TRACE}-{SPAN}-01",
    f"00-{TRACE}-0000000000000000-00",
    f"00-{TRACE}-ffffffffffffffff-00",
    f"ff-{'f' * 32}-{SPAN}-ff-more-{TRACE}-{SPAN}",
    f"00-{'0' * 32}-{SPAN}-01",
    f"00-{TRACE.upper()}-{SPAN}-01",
    f"00-{TRACE}-{SPAN}",
    f"00-{TRACE}-{SPAN[:-1]}-01",
    "none",
    "",
]
TIMES = [
    None,
    "2026-11-01T00:00:00Z",
    *(
        f"2026-11-01T23:59:59.{'1234567890'[:digits]}{zone}"
        for digits in range(1, 11)
        for zone in ("Z", "+00:00")
    ),
    "2026-11-01T00:00:00+00:00",
    "2026-11-01T00:00:00-00:00",
    "2026-11-01T08:00:00+08:00",
    "2026-11-01T00:00:00.500z",
    "2026-11-01t00:00:00Z",
    "0001-01-01T00:00:00.5Z",
    "1969-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59.999999Z",
]
OTHERS: list[dict[str, str | int | bool]] = [
    {},
    {"region": "cn"},
    {"again": f"{TRACE}-{SPAN}", "before": PARENTS[0]},
    {"quoted": 'a "quote" \\ and \x01 or \x7f', "number": 7, "flag": True},
    {"tracestate": f"vendor={TRACE}", "zone": "杭州 é 😀"},
]
Settle = Callable[[Layout], None]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    pool = Archives(tmp_path)
    yield pool.tenant("t")
    pool.close()


@pytest.fixture
def settled(archive: Archive, tmp_path: Path) -> Settle:
    def work(parts: Layout) -> None:
        with archive.upkeep():
            scratch = tmp_path / "scratch"
            settle.do(archive, lambda: Scratch(scratch, memory_bytes=64 << 20), settle.Work(parts=parts))

    return work


def made() -> list[Event]:
    chance = random.Random(4711)
    ids = [*filter(None, IDS), *(f"{chance.getrandbits(128):032x}" for _ in range(20))]
    ids += ["-".join((one[:8], one[8:12], one[12:16], one[16:20], one[20:])) for one in ids[-20:]]
    events = []
    for number, event_id in enumerate(ids):
        for place, parent in enumerate([None, *PARENTS]):
            extensions = dict(OTHERS[(number + place) % len(OTHERS)])
            if parent is not None:
                extensions["traceparent"] = parent
            events.append(Event(id=event_id, source=f"/s/{place}", type="t", extensions=extensions))
    return events


def load(archive: Archive, number: int, events: list[Event]) -> tuple[int, int, int]:
    payload = b"".join(map(encode_line, events))
    block = Block(
        kind=BlockKind.EVENTS,
        tenant="t",
        bus="default",
        payload=payload,
        count=len(events),
        wants_outcome=True,
    )
    at = 1_800_000_000_000_000
    [told] = archive.load(
        b"j" * 16, "main", [ReadBlock(position=Position(1, number), received_at=at, block=block)]
    )
    return told.stored, told.duplicates, told.rejected


def seen(archive: Archive) -> list[tuple[str, str, object]]:
    rows = archive.query("SELECT id, source, extensions FROM events ORDER BY seq")
    return [(row["id"], row["source"], row["extensions"]) for row in rows]


def test_they_come_back_from_segments_of_fresh_events_and_of_segments(
    archive: Archive, settled: Settle
) -> None:
    events = made()
    assert load(archive, 1, events) == (len(events), 0, 0)
    sent = seen(archive)
    assert [(one, source, json.loads(str(extensions or "{}"))) for one, source, extensions in sent] == [
        (event.id, event.source, dict(event.extensions)) for event in events
    ]
    archive.rotate()
    for _ in range(2):
        layout = archive.layout()
        settled(Layout(fresh=layout.fresh[:-1], segments=layout.segments))
        assert seen(archive) == sent
    [one] = archive.layout().segments
    kept = archive.query(
        f"SELECT count(id_uuid) AS uuids, count(id) AS ids, count(trace) AS traces,"
        f" count(extensions) AS texts FROM {one.catalog}.events"
    )
    alike = [event for event in events if len(event.id) == 36 and event.id == event.id.lower()]
    traced = [event for event in events if event.extensions.get("traceparent") in PARENTS[:4]]
    assert kept == [
        {
            "uuids": len(alike),
            "ids": len(events) - len(alike),
            "traces": len(traced),
            "texts": sum(bool(event.extensions) for event in events) - len(traced),
        }
    ]


def test_whole_events_are_put_together_as_the_relation_tells_them(archive: Archive, settled: Settle) -> None:
    events = made()
    events += [Event(id=f"at {time}", source="/s", type="t", subject="s", time=time) for time in TIMES]
    load(archive, 1, events)
    archive.rotate()
    settled(Layout(fresh=archive.layout().fresh[:1], segments=()))
    with archive.reader() as reader:
        [one] = reader.layout.segments
        columns = [name for name in relation.COLUMNS if name != "time"]
        micros = "epoch_us(time) AS time_us, epoch_us(received_at) AS received_us, part, row"
        events_of = relation.events(Layout(fresh=(), segments=(one,)), place=True)
        told = reader.rows(f"SELECT {', '.join(columns)}, {micros} FROM ({events_of}) ORDER BY row")
        read = events_at(reader, [(one, list(range(one.events)))])
        assert len(told) == len(events)
        assert [{name: row[name] for name in told[0]} for row in sorted(read, key=itemgetter("row"))] == told
        [known] = events_at(reader, [(one, [7])], subjects={one.number: "it's"})
        assert known["subject"] == "it's"
        assert events_at(reader, []) == events_at(reader, [(one, [])]) == []


def test_indexes_and_repeats_know_them(archive: Archive, settled: Settle) -> None:
    events = made()
    load(archive, 1, events)
    archive.rotate()
    settled(Layout(fresh=archive.layout().fresh[:1], segments=()))
    [one] = archive.layout().segments
    for event_id in {event.id for event in events}:
        assert len(one.index.rows_of_id(event_id)) >= len(PARENTS) + 1
    of_trace = sum(event.extensions.get("traceparent") in PARENTS[:3] for event in events)
    assert len(one.index.rows_of_trace(TRACE)) == of_trace
    assert load(archive, 2, events) == (0, len(events), 0)
    changed = [
        Event(id=event.id, source=event.source, type="t", extensions={**event.extensions, "new": "x"})
        for event in events
    ]
    assert load(archive, 3, changed) == (0, 0, len(events))
