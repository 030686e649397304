"""Within a stretch of time a segment's events lie by subject, and stretches follow each other."""

import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from eventcenter.archive import order, relation, settle
from eventcenter.archive.manifest import Layout
from eventcenter.archive.segment import Scratch
from eventcenter.event import Event
from tests.queries.filling import TENANT, Filling
from tests.support.seeds import seeds

STRETCH = 500


def event(filling: Filling, chance: random.Random, number: int, burst: bool) -> Event:
    second = chance.randrange(60) if burst and chance.random() < 0.8 else chance.randrange(60 * 60)
    # A clock that is wrong by half a century must not make one stretch of all others.
    year = 1970 if chance.random() < 0.01 else 2026
    return filling.event(
        type=chance.choice("aaaaaabbbc"),
        subject=chance.choice(["s1", "s2", "s3", "s4", None]),
        time=f"{year}-11-01T00:{second // 60:02d}:{second % 60:02d}.{number % 1000:03d}Z",
    )


@pytest.mark.parametrize("seed", seeds(2))
def test_stretches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(order, "STRETCH", STRETCH)
    monkeypatch.setattr(order, "_LOOKED_AT", STRETCH // 2)
    chance = random.Random(seed)
    burst = chance.random() < 0.5
    filling = Filling(tmp_path / "archives")
    events = [event(filling, chance, number, burst) for number in range(chance.randrange(3_000, 6_000))]
    filling.add(events)
    archive = filling.archives.tenant(TENANT)
    archive.rotate()
    work = settle.Work(parts=Layout(fresh=archive.layout().fresh[:1], segments=()))
    with archive.upkeep():
        settle.do(archive, lambda: Scratch(tmp_path / "scratch", memory_bytes=256 << 20), work)
    [one] = archive.layout().segments
    with archive.reader() as reader:
        found = relation.events(Layout(fresh=(), segments=(one,)), place=True)
        rows = reader.rows(f"SELECT type, subject, time, seq FROM ({found}) ORDER BY row")
    filling.archives.close()
    assert sorted(row["seq"] for row in rows) == list(range(1, len(events) + 1))
    types = [kind for kind, _ in itertools.groupby(row["type"] for row in rows)]
    assert types == ["a", "b", "c"]
    for kind in types:
        of_type = [row for row in rows if row["type"] == kind]
        stretches = cut(of_type)
        assert [len(runs(each)) for each in stretches] == [len(subjects(each)) for each in stretches]
        for former, later in itertools.pairwise(stretches):
            assert max(row["time"] for row in former) < min(row["time"] for row in later)
        for run in itertools.chain.from_iterable(map(runs, stretches)):
            assert run == sorted(run, key=lambda row: (row["time"], row["seq"]))
        wanted = -(-len(of_type) // STRETCH)
        assert wanted * 0.5 <= len(stretches) <= wanted * 1.5
        assert max(map(len, stretches)) < 2 * STRETCH


def cut(rows: list[Any]) -> list[list[Any]]:
    """Rows of a type, cut where all that follow are later than all before, and subjects begin anew."""
    latest = list(itertools.accumulate((row["time"] for row in rows), max))
    earliest = list(itertools.accumulate((row["time"] for row in reversed(rows)), min))[::-1]
    ends = [
        at
        for at in range(1, len(rows))
        if latest[at - 1] < earliest[at]
        and rows[at]["subject"] != rows[at - 1]["subject"]
        and min(at, len(rows) - at) > STRETCH // 4
    ]
    return [rows[start:end] for start, end in itertools.pairwise([0, *ends, len(rows)])]


def runs(rows: list[Any]) -> list[list[Any]]:
    return [list(run) for _, run in itertools.groupby(rows, key=lambda row: str(row["subject"]))]


def subjects(rows: list[Any]) -> set[str]:
    return {str(row["subject"]) for row in rows}
