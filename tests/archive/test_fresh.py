"""Promoted paths of fresh events: which tables have them, and that they say what the data says."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from eventcenter.archive import Archive, Archives, settle
from eventcenter.archive import archive as opening
from eventcenter.archive.manifest import Fresh, Layout
from eventcenter.archive.promotion import Plan
from eventcenter.archive.segment import Scratch
from eventcenter.event import DataKind, Event, encode_line
from eventcenter.journal import Block, BlockKind, Position, ReadBlock

START = 1_800_000_000_000_000
DATAS: tuple[tuple[DataKind | None, bytes | None], ...] = (
    ("json", b'{"a":1,"b":{"c":"x"},"it\'s \\"~/":2}'),
    ("json", b'{"a":"1e2","b":{"c":null}}'),
    ("json", b'{"a":18446744073709551617,"b":{"c":[1, "y"]}}'),
    ("json", b'{"a":"\\u0000\\n\\ud83d\\ude00","b":[{"c":1}]}'),
    ("json", b'{"a":true,"a":false,"{}\\n$p1":3,"a\\u0000b":4}'),
    ("json", b'["a"]'),
    ("json", b'"a"'),
    ("json", b"17"),
    ("text", b'"{\\"a\\":1}"'),
    ("binary", b'"eyJhIjoxfQ=="'),
    (None, None),
)
PATHS = ("/a", "/b/c", "/it's \"~0~1", "/{}\n$p1", "/a\0b")


@pytest.fixture
def archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archives]:
    monkeypatch.setattr(opening, "FRESH_EVENTS", len(DATAS))
    pool = Archives(tmp_path / "tenants")
    yield pool
    pool.close()


def load(
    archive: Archive,
    number: int,
    datas: Sequence[tuple[DataKind | None, bytes | None]] = DATAS,
    *,
    behind: bool = False,
) -> None:
    """One event for each of `datas`."""
    lines = [
        encode_line(Event(id=f"{number}-{place}", source="/s", type="t", data=data, data_kind=kind))
        for place, (kind, data) in enumerate(datas)
    ]
    payload = b"".join(lines)
    block = Block(kind=BlockKind.EVENTS, tenant="t", bus="default", payload=payload, count=len(lines))
    read = ReadBlock(position=Position(1, number), received_at=START + number, block=block)
    archive.load(b"j" * 16, "main", [read], behind=behind)


def ask_for(archive: Archive, *paths: str) -> None:
    archive.note_paths(paths * 5)
    archive.save_paths()


def agree(archive: Archive, fresh: Fresh) -> None:
    """Every promoted column is what the path gives."""
    for path, promoted in fresh.paths.items():
        rows = archive.query(
            f"SELECT {promoted.text} AS kept, json_extract_string(data, $path) AS given FROM {fresh.table}",
            {"path": path},
        )
        assert rows
        assert [row["kept"] for row in rows] == [row["given"] for row in rows]


def test_paths_that_are_asked_for_get_columns_in_the_next_table(archives: Archives) -> None:
    archive = archives.tenant("t")
    load(archive, 1)
    ask_for(archive, *PATHS)
    load(archive, 2)
    former, current = archive.layout().fresh
    assert not former.paths
    assert set(current.paths) == set(PATHS)
    agree(archive, current)
    assert archive.layout().paths == set(PATHS)


def test_what_is_long_gets_none(archives: Archives) -> None:
    """Nothing is compressed there."""
    archive = archives.tenant("t")
    ask_for(archive, "/a", "/long", "/never")
    long = b'{"a":1,"long":"%s"}' % (b"x" * 100)
    load(archive, 1, (("json", long),) * len(DATAS))
    load(archive, 2)
    assert set(archive.layout().current.paths) == {"/a", "/never"}
    load(archive, 3, (("json", b'{"a":"%s"}' % (b"x" * 5000)),) * len(DATAS))
    load(archive, 4)
    assert not archive.layout().current.paths


def test_they_are_known_when_it_is_opened_again(archives: Archives) -> None:
    archive = archives.tenant("t")
    ask_for(archive, *PATHS)
    archive.rotate()
    load(archive, 1)
    before = archive.layout().current
    assert archive.sleep()
    after = archive.layout().current
    assert (after, after.paths) == (before, before.paths)
    agree(archive, after)


def test_what_comes_faster_than_it_is_loaded_promotes_nothing(archives: Archives) -> None:
    archive = archives.tenant("t")
    ask_for(archive, *PATHS)
    load(archive, 1)
    load(archive, 2, behind=True)
    assert not archive.layout().current.paths
    load(archive, 3, behind=False)
    assert archive.layout().current.paths


def test_a_flood_leaves_a_table_that_promotes_once(archives: Archives) -> None:
    archive = archives.tenant("t")
    ask_for(archive, *PATHS)
    archive.rotate()
    # Into an empty table, since another one would be as empty.
    load(archive, 1, DATAS[:2], behind=True)
    assert len(archive.layout().fresh) == 2
    for number in (2, 3, 4):
        load(archive, number, DATAS[:2], behind=True)
    _, promoting, current = archive.layout().fresh
    assert (len(promoting.paths), len(current.paths)) == (len(PATHS), 0)
    agree(archive, promoting)
    load(archive, 5, DATAS[:2])
    assert archive.layout().current == current
    assert archive.query("SELECT count(*) AS n FROM events") == [{"n": 10}]


def test_the_newest_that_stay_fresh_keep_them(
    archives: Archives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the tables that they come from do not have the same ones."""
    monkeypatch.setattr(settle, "LEAST_SETTLED", 1)
    archive = archives.tenant("t")
    load(archive, 1)
    ask_for(archive, *PATHS[:2])
    load(archive, 2)
    ask_for(archive, *PATHS[2:])
    load(archive, 3)
    archive.rotate()
    first, second, third, _ = archive.layout().fresh
    assert [len(one.paths) for one in (first, second, third)] == [0, 2, len(PATHS)]
    with archive.upkeep():
        settle.do(
            archive,
            lambda: Scratch(tmp_path / "scratch", memory_bytes=64 << 20),
            settle.Work(
                parts=Layout(fresh=(first, second, third), segments=()),
                plans=(Plan(path="/b/c", number_type=None),),
                leave=2 * len(DATAS) + 3,
            ),
        )
    left, _ = archive.layout().fresh
    assert set(left.paths) == set(PATHS)
    agree(archive, left)
    found = archive.query("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM events")
    assert found == [{"n": 3 * len(DATAS), "ids": 3 * len(DATAS)}]


def test_a_table_takes_on_what_the_newest_segment_has(archives: Archives, tmp_path: Path) -> None:
    archive = archives.tenant("t")
    load(archive, 1)
    archive.rotate()
    with archive.upkeep():
        settle.do(
            archive,
            lambda: Scratch(tmp_path / "scratch", memory_bytes=64 << 20),
            settle.Work(
                parts=Layout(fresh=archive.layout().fresh[:-1], segments=()),
                plans=(Plan(path="/a", number_type="BIGINT", sole=True),),
            ),
        )
    ask_for(archive, "/b/c")
    archive.rotate()
    load(archive, 2)
    assert list(archive.layout().current.paths) == ["/b/c", "/a"]
    agree(archive, archive.layout().current)
