"""A page of the newest events looks at settled ones only where fresh ones do not fill it."""

from pathlib import Path
from typing import Any

import pytest

from eventcenter.archive import settle
from eventcenter.archive.archive import Reader
from eventcenter.archive.manifest import Layout
from eventcenter.archive.segment import Scratch
from eventcenter.pattern import EventPattern
from queries.request import SearchRequest
from tests.queries.filling import TENANT, Filling

SETTLED, FRESH = 20, 10


@pytest.fixture
def archive(filling: Filling, tmp_path: Path) -> Filling:
    archive = filling.archives.tenant(TENANT)
    filling.add([filling.event('{"n":1}', type=f"t{number % 2}") for number in range(SETTLED)])
    archive.rotate()
    with archive.upkeep():
        work = settle.Work(parts=Layout(fresh=archive.layout().fresh[:-1], segments=()))
        settle.do(archive, lambda: Scratch(tmp_path / "scratch", memory_bytes=64 << 20), work)
    filling.add([filling.event('{"n":1}', type=f"t{number % 2}") for number in range(FRESH)])
    assert archive.layout().segments
    return filling


@pytest.mark.parametrize("pattern", [None, '{"data":{"n":[1]}}'])
@pytest.mark.parametrize(
    ("limit", "looks_at_segments"), [(1, False), (FRESH - 1, False), (FRESH, True), (SETTLED + FRESH, True)]
)
def test_segments_are_left_alone_where_fresh_events_do(
    archive: Filling,
    monkeypatch: pytest.MonkeyPatch,
    pattern: str | None,
    limit: int,
    looks_at_segments: bool,
) -> None:
    [segment] = archive.archives.tenant(TENANT).layout().segments
    asked: list[str] = []
    rows = Reader.rows

    def noted(reader: Reader, sql: str, parameters: Any = ()) -> list[dict[str, Any]]:
        asked.append(sql)
        return rows(reader, sql, parameters)

    monkeypatch.setattr(Reader, "rows", noted)
    wanted = None if pattern is None else EventPattern.parse(pattern)
    found = archive.queries.search(TENANT, SearchRequest(limit=limit, pattern=wanted)).events
    assert [each.seq for each in found] == list(range(SETTLED + FRESH, SETTLED + FRESH - limit, -1))
    assert any(f" {segment.catalog}." in sql for sql in asked) == looks_at_segments


def test_a_page_goes_on_from_fresh_events_into_segments(archive: Filling) -> None:
    seqs, cursor = [], None
    while True:
        page = archive.queries.search(TENANT, SearchRequest(limit=7, types=("t1",), cursor=cursor))
        seqs += [each.seq for each in page.events]
        cursor = page.next
        if cursor is None:
            break
    assert seqs == list(range(SETTLED + FRESH, 0, -2))
