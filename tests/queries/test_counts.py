"""Counts, pages and look-ups against the events themselves, wherever they lie: fresh, settled, removed.

Rounds are told by their seeds. `make soak` runs many.
"""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventcenter.archive import Archive, removal, rollup, settle
from eventcenter.archive.manifest import Layout
from eventcenter.archive.removal import Removal
from eventcenter.archive.segment import Scratch
from eventcenter.clock import to_micros
from eventcenter.errors import InvalidInput, NotFound
from eventcenter.event import StoredEvent
from eventcenter.pattern import EventPattern
from queries import counting, pages, parts
from queries.request import EventFilter, SearchRequest
from queries.search import is_counted
from queries.stretches import Stretch, split
from tests.queries.filling import TENANT, Filling
from tests.support.seeds import seeds

TYPES = ("made", "gone", "it's")
SOURCES = ("/a", "/b")
BUSES = ("default", "two")
SUBJECTS = (None, "s1", "s2", "o'neill")
TRACES = ("0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736")
TIMES = (
    "0002-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999999Z",
    "1970-01-01T00:00:00Z",
    "2016-12-31T23:59:60Z",
    "2026-11-01T07:59:59.9999999+08:00",
    "9998-12-31T23:59:59.999999Z",
)
PATTERNS = (
    '{"type":[{"prefix":"m"}]}',
    '{"type":[{"anything-but":["gone"]}],"source":["/a"]}',
    '{"data":{"n":[{"numeric":[">",5]}]}}',
    '{"subject":[{"exists":true}]}',
)


@dataclass(frozen=True)
class Told:
    """An event as it was read back from the whole archive, and its moments."""

    stored: StoredEvent
    time: datetime | None

    def moment(self, field: str) -> datetime:
        return self.time if field == "time" and self.time is not None else self.stored.received_at


class World:
    """A random archive, and all of its events as plain values."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.filling = Filling(folder / "archives")
        self.folder = folder
        self.dice = dice
        self.archive: Archive = self.filling.archives.tenant(TENANT)

    def step(self) -> None:
        self.dice.choice([self.load, self.load, self.load, self.settle, self.remove, self.tidy])()

    def load(self) -> None:
        for _ in range(self.dice.randint(1, 4)):
            self.filling.clock.advance(self.dice.choice([0, 0.000001, 3, 50, 61, 3000, 4000]))
            events = [self._event() for _ in range(self.dice.randint(1, 12))]
            self.filling.add(events, bus=self.dice.choice(BUSES))

    def settle(self) -> None:
        self.archive.rotate()
        layout = self.archive.layout()
        segments = layout.segments[-self.dice.randint(0, 2) :] if self.dice.random() < 0.3 else ()
        chosen = Layout(fresh=layout.fresh[:-1], segments=segments)
        with self.archive.upkeep():
            settle.do(self.archive, self._scratch, settle.Work(parts=chosen))

    def remove(self) -> None:
        condition = self.dice.choice(["type = 'gone'", "seq % 7 = 0", "source = '/b' AND bus = 'two'"])
        removal.remove(self.archive, self._scratch, Removal(events=condition))

    def tidy(self) -> None:
        self.archive.write(lambda connection: rollup.tidy(connection, most_loose=0))

    def told(self) -> list[Told]:
        """Everything, by seq, each looked up by its seq."""
        rows = self.archive.query("SELECT seq, time FROM events ORDER BY seq")
        return [Told(self.filling.queries.get(TENANT, row["seq"]), row["time"]) for row in rows]

    def filter(self, *, indexed: bool = True) -> dict[str, Any]:
        dice = self.dice
        some: dict[str, Any] = {}
        for name, values in (("buses", BUSES), ("types", TYPES), ("sources", SOURCES)):
            if dice.random() < 0.25:
                some[name] = tuple(dice.sample(values, dice.randint(1, 2)))
        if indexed and dice.random() < 0.4:
            name = dice.choice(["subjects", "ids", "traces"])
            some[name] = {
                "subjects": ("s1", dice.choice(["s2", "nobody"])),
                "ids": tuple(f"e{dice.randint(1, 60)}" for _ in range(3)),
                "traces": (dice.choice(TRACES),),
            }[name]
        if dice.random() < 0.3:
            some["pattern"] = EventPattern.parse(dice.choice(PATTERNS))
        some["time_field"] = dice.choice(["received_at", "time"])
        if dice.random() < 0.6:
            low, high = sorted(self._moment() for _ in range(2))
            some["from_"] = low if dice.random() < 0.7 else None
            some["to"] = high if dice.random() < 0.7 and low < high else None
        return some

    def _event(self) -> Any:
        dice = self.dice
        time: str | None = dice.choice(TIMES)
        if dice.random() < 0.85:
            time = None if dice.random() < 0.3 else self._moment().isoformat()
        extensions = {}
        if dice.random() < 0.5:
            extensions["traceparent"] = dice.choice(
                [f"00-{dice.choice(TRACES)}-b7ad6b7169203331-01", f"00-{TRACES[0]}-short-01", TRACES[0]]
            )
        return self.filling.event(
            f'{{"n":{dice.randint(0, 9)}}}',
            type=dice.choice(TYPES),
            source=dice.choice(SOURCES),
            subject=dice.choice(SUBJECTS),
            time=time,
            extensions=extensions,
        )

    def _moment(self) -> datetime:
        dice = self.dice
        now = self.filling.clock.now()
        moment = now - timedelta(seconds=dice.choice([0, 60, 3600, 9000]) * dice.random())
        unit = dice.choice([1, 1_000_000, 60_000_000, 3_600_000_000])
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=to_micros(moment) // unit * unit)

    def _scratch(self) -> Scratch:
        return Scratch(self.folder / "scratch", memory_bytes=128 << 20)


def passes(which: EventFilter, told: Told) -> bool:
    event = told.stored.event
    trace = str(event.extensions.get("traceparent", "")).split("-")
    moment = told.moment(which.time_field)
    return (
        (not which.buses or told.stored.bus in which.buses)
        and (not which.types or event.type in which.types)
        and (not which.sources or event.source in which.sources)
        and (not which.subjects or event.subject in which.subjects)
        and (not which.ids or event.id in which.ids)
        and (not which.traces or (len(trace) == 4 and len(trace[2]) == 16 and trace[1] in which.traces))
        and (which.from_ is None or moment >= which.from_)
        and (which.to is None or moment < which.to)
        and (which.pattern is None or which.pattern.match(event))
    )


@contextmanager
def world(dice: random.Random) -> Iterator[World]:
    """Everything that is decided by size is decided at small sizes."""
    with (
        TemporaryDirectory() as folder,
        patch.object(rollup, "_MANY_EVENTS", dice.choice([5, 9, 8_192])),
        patch.object(rollup, "_LOOSE_CELLS", dice.choice([3, 16_384])),
        patch.object(pages, "_FIRST_WINDOW", dice.choice([4, 65_536])),
        patch.object(pages, "_FIRST_WINDOW_OF_JSON", dice.choice([2, 8_192])),
        patch.object(pages, "_MOST_PICKED", dice.choice([0, 2_000])),
        patch.object(parts, "_EVENTS_PER_ROW", dice.choice([0, 2, 20_000])),
    ):
        made = World(Path(folder), dice)
        yield made
        made.filling.archives.close()


def check_counts(world: World, told: list[Told]) -> None:
    queries, dice = world.filling.queries, world.dice
    which = EventFilter(**world.filter())
    expected = [each for each in told if passes(which, each)]
    by = dice.choice(["type", "source", "bus", "subject"])
    values = Counter(each.stored.bus if by == "bus" else getattr(each.stored.event, by) for each in expected)
    values.pop(None, None)
    ranked = sorted(values.items(), key=lambda item: (-item[1], item[0]))
    assert queries.top(TENANT, which, by=by, limit=500) == ranked  # type: ignore[arg-type]
    with world.archive.reader() as reader:
        assert counting.count(reader, which) == len(expected)
        [row] = rollup_rows(world)
        assert row["events"] == len(told)
    if by == "subject":
        return
    step = dice.choice([None, 1, 60, 900, 3600, 86_400])
    found = queries.histogram(TENANT, which, by=by, step=step, top=50)  # type: ignore[arg-type]
    counted = [
        each for each in expected if found.buckets.from_ <= each.moment(which.time_field) < found.buckets.to
    ]
    if which.to is None and which.time_field == "time":
        assert len(counted) == len(expected)
    cells = Counter(
        (
            each.stored.bus if by == "bus" else getattr(each.stored.event, by),
            (to_micros(each.moment(which.time_field)) - found.buckets.start_us)
            // (found.buckets.step_s * 1_000_000),
        )
        for each in counted
    )
    assert cells == Counter(
        {(series.name, bucket): n for series in found.series for bucket, n in enumerate(series.counts) if n}
    )
    if which.from_ is None and is_counted(which) and which.pattern is None and expected:
        assert found.buckets.from_ == min(each.moment(which.time_field) for each in expected)


def rollup_rows(world: World) -> list[dict[str, Any]]:
    return [world.filling.queries.statistics(TENANT)]


def check_pages(world: World, told: list[Told]) -> None:
    queries, dice = world.filling.queries, world.dice
    request = SearchRequest(
        **world.filter(), order=dice.choice(["newest", "oldest"]), limit=dice.choice([1, 3, 10, 500])
    )
    expected = [each for each in told if passes(request, each)]
    expected.sort(
        key=lambda each: (
            each.moment("time") if request.time_field == "time" else each.stored.received_at,
            each.stored.seq,
        ),
        reverse=request.order == "newest",
    )
    seen: list[StoredEvent] = []
    for _ in range(6):
        page = queries.search(TENANT, request)
        seen += page.events
        if page.next is None:
            assert len(seen) == len(expected)
            break
        request = SearchRequest(**{**vars(request), "cursor": page.next})
    assert seen == [each.stored for each in expected[: len(seen)]]


def check_matches(world: World, told: list[Told]) -> None:
    dice = world.dice
    pattern = EventPattern.parse(dice.choice(PATTERNS))
    last = told[-1].stored.seq if told else 5
    after, up_to = sorted(dice.randint(0, last + 3) for _ in range(2))
    limit = dice.choice([1, 4, 500])
    found = world.filling.queries.matches(
        TENANT, buses=["two"], pattern=pattern, after_seq=after, up_to_seq=up_to, limit=limit
    )
    which = EventFilter(buses=("two",), pattern=pattern)
    expected = [each.stored for each in told if passes(which, each) and after < each.stored.seq <= up_to]
    assert found == expected[:limit]


@pytest.mark.parametrize("seed", seeds(4))
def test_answers_are_those_of_the_events(seed: int) -> None:
    dice = random.Random(seed)
    with world(dice) as made:
        for _ in range(3):
            for _ in range(dice.randint(1, 4)):
                made.step()
            told = made.told()
            for _ in range(4):
                check_counts(made, told)
                check_pages(made, told)
                check_matches(made, told)


def test_a_removed_event_is_not_found(filling: Filling, tmp_path: Path) -> None:
    filling.add([filling.event(type=name) for name in ("kept", "gone")])
    archive = filling.archives.tenant(TENANT)
    removal.remove(
        archive, lambda: Scratch(tmp_path / "s", memory_bytes=64 << 20), Removal(events="type = 'gone'")
    )
    assert filling.queries.top(TENANT, EventFilter()) == [("kept", 1)]
    assert filling.queries.statistics(TENANT)["events"] == 1
    with pytest.raises(NotFound):
        filling.queries.get(TENANT, 2)


@pytest.mark.parametrize(
    "trace", ["", "0" * 32, TRACES[0].upper(), TRACES[0] + "0", "x" * 32, TRACES[0] + "\n"]
)
def test_a_trace_is_32_hexadecimal_digits(trace: str) -> None:
    with pytest.raises(InvalidInput, match="trace id"):
        EventFilter(traces=(trace,))


def test_what_an_index_finds_is_found_in_segments(filling: Filling, tmp_path: Path) -> None:
    """A segment in which no row is picked is not looked at; one row is looked at alone."""
    parent = f"00-{TRACES[0]}-b7ad6b7169203331-01"
    for number in range(2):
        filling.add(
            [filling.event(id=f"{number}", subject=f"s{number}", extensions={"traceparent": parent})]
            + [filling.event() for _ in range(10)]
        )
        archive = filling.archives.tenant(TENANT)
        archive.rotate()
        with archive.upkeep():
            settle.do(
                archive,
                lambda: Scratch(tmp_path / "s", memory_bytes=64 << 20),
                settle.Work(parts=Layout(fresh=archive.layout().fresh[:-1], segments=())),
            )
    with patch.object(parts, "_EVENTS_PER_ROW", 1), archive.reader() as reader:
        for which, seqs in (
            (EventFilter(ids=("1",)), [12]),
            (EventFilter(subjects=("s0",)), [1]),
            (EventFilter(traces=(TRACES[0],)), [1, 12]),
            (EventFilter(traces=(TRACES[0],), ids=("0",)), [1]),
            (EventFilter(subjects=("nobody",)), []),
        ):
            rows = [parts.rows_of(segment, which).tolist() for segment in reader.layout.segments]
            assert sum(map(len, rows)) == len(seqs)
            source = parts.source(reader.layout, which)
            assert source.count(".events") == sum(map(bool, rows))
            request = SearchRequest(**vars(which), order="oldest")
            found = filling.queries.search(TENANT, request)
            assert [each.seq for each in found.events] == seqs


ends = st.none() | st.integers(-(10**10), 10**10) | st.builds(lambda n: n * 3_600_000_000, st.integers(-5, 5))


@given(ends, ends, st.booleans())
def test_pieces_of_a_range_are_the_range(first: int | None, last: int | None, hours: bool) -> None:
    if first is not None and last is not None and first >= last:
        first, last = last, first + 1
    pieces = split(first, last, hours=hours)

    def micros(stretch: Stretch, unit: int) -> tuple[float, float]:
        low, high = stretch
        return (
            float("-inf") if low is None else low * unit,
            float("inf") if high is None else high * unit,
        )

    every = [micros(each, 1) for each in pieces.ragged]
    every += [micros(each, 60_000_000) for each in pieces.minutes]
    every += [micros(pieces.hours, 3_600_000_000)] if pieces.hours is not None else []
    every.sort()
    assert all(low < high for low, high in every)
    assert all(before[1] == after[0] for before, after in pairwise(every))
    assert (every[0][0], every[-1][1]) == micros((first, last), 1)
    whole = [each for each in every if each not in {micros(ragged, 1) for ragged in pieces.ragged}]
    if whole:
        assert pieces.whole is not None
        assert micros(pieces.whole, 60_000_000) == (whole[0][0], whole[-1][1])
    else:
        assert pieces.whole is None
    if whole:
        assert sum(high - low for low, high in (micros(each, 1) for each in pieces.ragged)) < 120_000_000
