"""Random loads, repeats, settling, promotion, reopening and crashes against a plain model in memory.

A run prints its seed; EVENTCENTER_SEED replays it. `make soak` runs many.
"""

import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from eventcenter.archive import Archive, Archives, promotion, relation, rollup, settle
from eventcenter.archive import archive as opening
from eventcenter.archive.relation import PathColumn, Want
from eventcenter.archive.segment import Scratch
from eventcenter.event import Event, encode_line
from eventcenter.journal import Block, BlockKind, Position, ReadBlock
from tests.support.seeds import seeds

JOURNAL = b"j" * 16
START = 1_800_000_000_000_000
STEPS = 40
WANTED: tuple[tuple[str, Want], ...] = (("x", "text"), ("y", "TRY_DOUBLE"), ("z", "TRY_BIGINT"))
PATHS = ("/n", "/order/id", "/text", "/mixed", "/never")
TIMES = (
    None,
    "2026-11-01T00:00:00Z",
    "2026-11-01T00:00:00.5Z",
    "2026-11-01T00:00:00.123456Z",
    "2026-11-01T00:00:00.1234567Z",
    "2026-11-01T00:00:00+00:00",
    "2026-11-01T00:00:00.120000+00:00",
    "2026-11-01t08:00:00.1z",
    "2026-11-01T08:00:00+08:00",
    "2026-06-30T23:59:60Z",
    "0002-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999999Z",
)
DATAS = (
    None,
    b'{"n":1,"order":{"id":"4711"},"text":"a"}',
    b'{"n":1e2,"order":{"id":4711},"text":"\xe5\x80\xbc"}',
    b'{"n":18446744073709551617,"order":{"id":null},"mixed":1}',
    b'{"n":0.10000000000000000001,"mixed":"1.5"}',
    b'{"n":-0.0,"order":[{"id":"x"}],"mixed":{"a":1}}',
    b'{"n":"7","mixed":true,"text":""}',
    b'{"n":7,"mixed":12}',
    b"[1,2,3]",
    b'"just text"',
)


class Model:
    """What the archive has to answer."""

    def __init__(self) -> None:
        self.events: list[tuple[int, str, int, Event]] = []
        """seq, bus, received_at, event"""
        self.by_key: dict[tuple[str, str, str], Event] = {}
        self.next_seq = 1

    def load(self, bus: str, received_at: int, events: list[Event]) -> tuple[int, int, int]:
        """Stored, duplicates and rejects."""
        counts = [0, 0, 0]
        for event in events:
            key = (bus, event.source, event.id)
            known = self.by_key.get(key)
            if known is None:
                self.by_key[key] = event
                self.events.append((self.next_seq, bus, received_at, event))
                self.next_seq += 1
                counts[0] += 1
            else:
                counts[1 if known == event else 2] += 1
        return counts[0], counts[1], counts[2]


class Run:
    """One archive and its model, changed alike."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.folder = folder
        self.model = Model()
        self.copies = 0
        self.blocks = 0
        self.archives = Archives(folder / "0")

    @property
    def archive(self) -> Archive:
        return self.archives.tenant("t1")

    def event(self) -> Event:
        choose = self.random.choice
        data = choose(DATAS)
        return Event(
            id=choose(("值", "4711", *map(str, range(60)))),
            source=choose(("/a", "/b")),
            type=choose(("t.a", "t.b", "it's", "t.c")),
            subject=choose((None, "s/1", "s/2", "对象")),
            time=choose(TIMES),
            extensions=choose(
                ({}, {}, {"traceparent": f"00-{'a' * 31}{self.random.randrange(3)}-{'b' * 16}-01"})
            ),
            data=data,
            data_kind=None if data is None else "json",
        )

    def load(self) -> None:
        batch, expected = [], []
        for _ in range(self.random.randrange(1, 4)):
            self.blocks += 1
            bus = self.random.choice(("default", "other"))
            events = [self.event() for _ in range(self.random.randrange(1, 25))]
            if events and self.random.random() < 0.5:
                events.append(self.random.choice(events))
            received_at = START + self.blocks * 40_000_000
            expected.append(self.model.load(bus, received_at, events))
            batch.append(
                ReadBlock(
                    position=Position(1, self.blocks),
                    received_at=received_at,
                    block=Block(
                        kind=BlockKind.EVENTS,
                        tenant="t1",
                        bus=bus,
                        payload=b"".join(map(encode_line, events)),
                        count=len(events),
                        wants_outcome=True,
                    ),
                )
            )
        outcomes = self.archive.load(JOURNAL, "main", batch)
        assert [(o.stored, o.duplicates, o.rejected) for o in outcomes] == expected
        assert self.archive.load(JOURNAL, "main", batch) == [], "what is loaded is passed over"

    def settle(self) -> None:
        settle.step(self.archive, self.scratch, idle=self.random.random() < 0.7)

    def settle_and_fail(self) -> None:
        """The step ends before its swap: its files are there, and nobody lists them."""
        broken = pytest.MonkeyPatch()
        broken.setattr(Archive, "swap", _refuse)
        try:
            settle.step(self.archive, self.scratch, idle=True)
        except _Refused:
            pass
        finally:
            broken.undo()

    def promote(self) -> None:
        self.archive.note_paths([self.random.choice(PATHS)] * 3)

    def reopen(self) -> None:
        self.archive.sleep()

    def crash(self) -> None:
        """Go on with the files as they are at this moment, whatever the open instance has not written yet."""
        self.archive.last_seq()
        self.copies += 1
        copy = self.folder / str(self.copies)
        shutil.copytree(self.folder / str(self.copies - 1), copy)
        self.archives.close()
        self.archives = Archives(copy)

    def scratch(self) -> Scratch:
        return Scratch(self.folder / "scratch", memory_bytes=64 << 20)

    def check(self) -> None:
        rows = self.archive.query("SELECT *, epoch_us(received_at) AS received FROM events ORDER BY seq")
        assert [_of_row(row) for row in rows] == [_of_model(*one) for one in self.model.events]
        with self.archive.reader() as reader:
            columns = [
                PathColumn(path=path, want=want, name=f"{name}{index}", always=index % 3 > 0)
                for index, path in enumerate(PATHS)
                for name, want in WANTED
            ]
            promoted = relation.events(reader.layout, paths=columns)
            wrong = " OR ".join(
                f"x{index} IS DISTINCT FROM {text} OR y{index} IS DISTINCT FROM TRY_CAST({text} AS DOUBLE)"
                f" OR z{index} IS DISTINCT FROM TRY_CAST({text} AS BIGINT)"
                for index, text in ((i, relation.text_of(path)) for i, path in enumerate(PATHS))
            )
            assert reader.rows(f"SELECT seq, data FROM ({promoted}) WHERE {wrong}") == []
            source = "SELECT bus, source, type, time, received_at FROM events"
            assert rollup.check(reader.cursor, source) == []
            self._check_index(reader)

    def _check_index(self, reader: Any) -> None:
        for one in reader.layout.segments:
            rows = reader.rows(f"SELECT rowid AS row, id, subject FROM {one.catalog}.events")
            for row in rows[:5]:
                assert row["row"] in one.index.rows_of_id(row["id"])
                if row["subject"] is not None:
                    assert row["row"] in one.index.rows_of_subject(row["subject"])


class _Refused(Exception):
    pass


def _refuse(*_given: object, **_named: object) -> None:
    raise _Refused


def _of_row(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        row["seq"],
        row["bus"],
        row["received"],
        row["id"],
        row["source"],
        row["type"],
        row["subject"],
        row["time_text"],
        row["extensions"],
        row["data"],
    )


def _of_model(seq: int, bus: str, received_at: int, event: Event) -> tuple[Any, ...]:
    extensions = None
    if event.extensions:
        extensions = "{" + ",".join(f'"{k}":"{v}"' for k, v in event.extensions.items()) + "}"
    data = None if event.data is None else event.data.decode()
    return (
        seq,
        bus,
        received_at,
        event.id,
        event.source,
        event.type,
        event.subject,
        event.time,
        extensions,
        data,
    )


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes at which some tens of events are settled, merged and promoted."""
    monkeypatch.setattr(opening, "FRESH_EVENTS", 60)
    monkeypatch.setattr(settle, "LEAST_SETTLED", 10)
    monkeypatch.setattr(settle, "KEPT_FRESH", 7)
    monkeypatch.setattr(settle, "_SIZE", 40)
    monkeypatch.setattr(promotion, "_FEW_NUMBERS", 0)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("number", seeds(3, 60))
def test_the_archive_answers_as_a_plain_model_does(tmp_path: Path, number: int) -> None:
    seed = int(os.environ.get("EVENTCENTER_SEED", random.randrange(1 << 32))) + number
    print(f"EVENTCENTER_SEED={seed - number}, round {number}")
    run = Run(tmp_path, seed)
    steps = (
        *[run.load] * 6,
        *[run.settle] * 6,
        run.settle_and_fail,
        run.promote,
        run.reopen,
        run.crash,
    )
    for _ in range(STEPS):
        run.random.choice(steps)()
        if run.random.random() < 0.3:
            run.check()
    while settle.step(run.archive, run.scratch, idle=True):
        run.check()
    run.reopen()
    run.check()
    run.archives.close()
