"""The newest and oldest of a subject are those of a plain model, whatever indexes tell of their rows."""

import random
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from eventcenter.archive import index, keys, segment, settle
from eventcenter.archive import order as archive_order
from eventcenter.archive.manifest import Layout, index_path
from eventcenter.archive.segment import Scratch
from eventcenter.archive.untrusted import select
from eventcenter.event import StoredEvent
from queries import pages, parts, picked
from queries.guard import check
from queries.picked import Picked
from queries.request import EventFilter, SearchRequest
from queries.rewriting import rewrite
from tests.archive.former import index_of_version_1, index_of_version_2
from tests.queries.filling import TENANT, Filling
from tests.support.seeds import seeds

SUBJECTS = ("s0", "s1", "s2", "it's $p1", None)
START = datetime(2026, 11, 1, tzinfo=UTC)


class World:
    """A random archive whose subjects share hashes, and its events as plain values."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.filling = Filling(folder / "archives")
        self.archive = self.filling.archives.tenant(TENANT)
        self.folder = folder
        self.dice = dice
        for number in range(dice.randint(2, 4)):
            self._load()
            if number:
                self._settle()
        if dice.random() < 0.5:
            self._load()
        if dice.random() < 0.3:
            self._make_old()
        rows = self.archive.query("SELECT seq, time FROM events ORDER BY seq")
        self.times = {row["seq"]: row["time"] for row in rows}
        self.events = [self.filling.queries.get(TENANT, row["seq"]) for row in rows]

    def at(self, one: StoredEvent, field: str) -> datetime:
        time: datetime | None = self.times[one.seq] if field == "time" else None
        return time or one.received_at

    def _load(self) -> None:
        dice = self.dice
        lacking = dice.choice([0, 0.2])
        for _ in range(dice.randint(1, 3)):
            self.filling.clock.advance(dice.choice([0, 1, 600]))
            made = [
                self.filling.event(
                    '{"n":1}',
                    type=dice.choice("ab"),
                    subject=dice.choice(SUBJECTS),
                    time=None
                    if dice.random() < lacking
                    else (START + timedelta(minutes=dice.randint(0, 40))).isoformat(),
                )
                for _ in range(dice.randint(1, 40))
            ]
            self.filling.add(made)

    def _settle(self) -> None:
        self.archive.rotate()
        work = settle.Work(parts=Layout(fresh=self.archive.layout().fresh[:-1], segments=()))
        with self.archive.upkeep():
            settle.do(self.archive, lambda: Scratch(self.folder / "s", memory_bytes=64 << 20), work)

    def _make_old(self) -> None:
        one = self.archive.layout().segments[0]
        assert self.archive.sleep()
        path = index_path(self.archive.folder, one.number)
        former = self.dice.choice([index_of_version_1, index_of_version_2])
        path.write_bytes(former(path.read_bytes()))


@pytest.fixture(scope="module", params=seeds(3))
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    dice = random.Random(request.param)
    hashes, one_hash = keys.subject_hashes, keys.subject_hash
    kinds, zone = dice.choice([1, 2, 1 << 31]), dice.choice([1, 3, 2048])
    changes: list[tuple[Any, str, Any]] = [
        (keys, "subject_hashes", lambda texts: hashes(texts) % kinds),
        (index, "subject_hash", lambda text: one_hash(text) % kinds),
        *((module, "ZONE_ROWS", zone) for module in (index, segment)),
        (archive_order, "STRETCH", dice.choice([2, 10, 122_880])),
        (archive_order, "_LOOKED_AT", dice.choice([1, 2])),
        (picked, "_FEW", dice.choice([1, 4])),
        (pages, "_FEW_ROWS", dice.choice([0, 16])),
        (pages, "_MOST_PICKED", dice.choice([5, 2_000])),
        (parts, "_EVENTS_PER_ROW", dice.choice([0, 20_000])),
        (sys.modules["queries.rewriting.rewrite"], "_MOST_FRESH", dice.choice([0, 50_000])),
        (sys.modules["queries.rewriting.rewrite"], "_MOST_MORE", dice.choice([0, 64])),
    ]
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in changes:
            patch.setattr(module, name, value)
        made = World(tmp_path_factory.mktemp("picked"), dice)
        yield made
        made.filling.archives.close()


@pytest.mark.parametrize("time_field", ["received_at", "time"])
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_of_a_subject(world: World, time_field: Any, order: Any) -> None:
    for subject in SUBJECTS[:-1]:
        for limit in (1, 3, 50):
            types = world.dice.choice([(), ("a",)])
            expected = [
                one
                for one in world.events
                if one.event.subject == subject and (not types or one.event.type in types)
            ]
            expected.sort(key=lambda one: (world.at(one, time_field), one.seq), reverse=order == "newest")
            found: list[StoredEvent] = []
            cursor = None
            while cursor is not None or not found:
                page = world.filling.queries.search(
                    TENANT,
                    SearchRequest(
                        subjects=(str(subject),),
                        types=types,
                        time_field=time_field,
                        order=order,
                        limit=limit,
                        cursor=cursor,
                    ),
                )
                found += page.events
                cursor = page.next
                if cursor is None:
                    break
            assert found == expected


@pytest.mark.parametrize("column", ["seq", "received_at", "time"])
@pytest.mark.parametrize("direction", ["DESC", "ASC"])
def test_statements_about_a_subject(world: World, column: str, direction: str) -> None:
    for subject in SUBJECTS[:-1]:
        for tail in ("LIMIT 1", "LIMIT 4 OFFSET 2", "LIMIT 60"):
            also = world.dice.choice(["", " AND type = 'a'"])
            sql = (
                f"SELECT {column}, id, type, subject FROM events"
                f" WHERE subject = $s{also} ORDER BY {column} {direction} {tail}"
            )
            rows = answers(world, sql, {"s": subject})
            assert [row[column] for row in rows[0]] == [row[column] for row in rows[1]]
            assert len({row["id"] for row in rows[1]}) == len(rows[1])
            assert {row["subject"] for row in rows[1]} <= {subject}
            assert not also or {row["type"] for row in rows[1]} <= {"a"}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM events WHERE id = 'e7'",
        "SELECT id, data FROM events WHERE id IN ('e7', 'e9', 'e300')",
        "SELECT count(*) FROM events WHERE subject = 's1'",
        "SELECT e.id FROM events e WHERE e.subject = 's1' AND e.id <> 'e1'",
        "SELECT events FROM events WHERE id = 'e3'",
        "SELECT #1 FROM events WHERE id = 'e3'",
        "SELECT COLUMNS('^t') FROM events WHERE id = 'e3'",
        "SELECT (SELECT count(*) FROM events b WHERE b.type = a.type) FROM events a WHERE a.id = 'e3'",
        "SELECT seq FROM events WHERE subject = 'nobody' ORDER BY seq LIMIT 3",
        "SELECT type AS subject, time FROM events WHERE id = 'e3' ORDER BY time LIMIT 3",
    ],
)
def test_statements_about_names(world: World, sql: str) -> None:
    plain, rewritten = answers(world, sql, {})
    assert sorted(map(repr, plain)) == sorted(map(repr, rewritten))


def answers(world: World, sql: str, parameters: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """As it was written, and rewritten."""
    statement = check(sql, parameters)
    with world.archive.reader() as reader:
        other = rewrite(statement.tree, parameters, reader)

        def run(text: str) -> list[Any]:
            found = select(
                reader,
                text,
                parameters,
                most_rows=1_000,
                most_bytes=1 << 20,
                limit_s=60,
                memory_bytes=1 << 30,
            )
            assert isinstance(found.rows, pa.Table)
            rows: list[Any] = found.rows.to_pylist()
            return rows

        return run(sql), run(other.sql or sql)


def test_few_rows_are_read(filling: Filling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (index, segment):
        monkeypatch.setattr(module, "ZONE_ROWS", 2)
    filling.add(
        [filling.event(subject="s", type=f"t{number % 7}", time=START.isoformat()) for number in range(300)]
    )
    archive = filling.archives.tenant(TENANT)
    archive.rotate()
    with archive.upkeep():
        work = settle.Work(parts=Layout(fresh=archive.layout().fresh[:1], segments=()))
        settle.do(archive, lambda: Scratch(tmp_path / "s", memory_bytes=64 << 20), work)
    which = EventFilter(subjects=("s",))
    with archive.reader() as reader:
        rows = Picked.of(reader.layout, which, "seq", newest=True).told(reader, which)
        assert len(rows) == 300
        taken, rest = rows.sure().foremost(10, ())
        assert 10 <= len(taken) <= 26
        assert len(taken) + len(rest) == 300
        found = reader.rows(f"SELECT seq FROM ({taken.source()}) ORDER BY seq DESC LIMIT 10")
        assert [row["seq"] for row in found] == list(range(300, 290, -1))


@pytest.mark.parametrize("column", ["seq", "received_at", "time"])
@pytest.mark.parametrize("direction", ["ASC", "DESC"])
def test_of_many_fresh_events_a_subjects_first_are_read(
    filling: Filling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str, direction: str
) -> None:
    """Also where some have no time, and fewer have one than are asked for."""
    for name, value in (("_MOST_FRESH", 0), ("_MOST_MORE", 64)):
        monkeypatch.setattr(sys.modules["queries.rewriting.rewrite"], name, value)
    archive = filling.archives.tenant(TENANT)
    for part in range(5):
        moments = [START + timedelta(minutes=(7 * part + 3 * number) % 40) for number in range(6)]
        filling.add(
            [
                filling.event(subject="s", time=moment.isoformat() if number % 3 else None)
                for number, moment in enumerate(moments)
            ]
            + [filling.event(subject=f"other{number}") for number in range(20)]
        )
        filling.clock.advance(60)
        archive.rotate()
    with archive.upkeep():
        for _ in range(2):
            work = settle.Work(parts=Layout(fresh=archive.layout().fresh[:1], segments=()))
            settle.do(archive, lambda: Scratch(tmp_path / "s", memory_bytes=64 << 20), work)
    for count in (1, 4, 13, 25):
        sql = (
            f"SELECT {column}, id FROM events WHERE subject = 's' ORDER BY {column} {direction} LIMIT {count}"
        )
        with archive.reader() as reader:
            other = rewrite(check(sql).tree, {}, reader).sql
            assert other is not None
            assert re.search(r"FROM main\.fresh_\d+ WHERE rowid IN", other)
            rows = [reader.rows(text) for text in (sql, other)]
        assert len(rows[0]) == count
        assert [row[column] for row in rows[0]] == [row[column] for row in rows[1]]
        assert len({row["id"] for row in rows[1]}) == count


def test_an_id_is_looked_for_in_the_fresh_tables_that_may_hold_it(filling: Filling) -> None:
    archive = filling.archives.tenant(TENANT)
    for table in range(4):
        filling.add([filling.event(id=f"{table}-{number}") for number in range(50)])
        if table < 3:
            archive.rotate()
    with archive.reader() as reader:
        [first, second, third, current] = reader.layout.fresh
        which = EventFilter(ids=("1-7", "nowhere"))
        assert parts.fresh_with(reader, reader.layout.fresh, which) == (second,)
        assert parts.fresh_with(reader, reader.layout.fresh, EventFilter(ids=("3-7",))) == (current,)
        assert parts.fresh_with(reader, (first, third), EventFilter()) == (first, third)
        filling.add([filling.event(id="late")])
        assert parts.fresh_with(reader, (current,), EventFilter(ids=("late",))) == (current,)
    for table in range(4):
        asked = SearchRequest(ids=(f"{table}-49",))
        assert [one.event.id for one in filling.queries.search(TENANT, asked).events] == [f"{table}-49"]
        statement = check("SELECT id FROM events WHERE id = $p", {"p": f"{table}-49"})
        with archive.reader() as reader:
            other = rewrite(statement.tree, {"p": f"{table}-49"}, reader).sql
            assert other is not None
            assert other.count("main.fresh_") == 1
            assert reader.rows(other, {"p": f"{table}-49"}) == [{"id": f"{table}-49"}]


def test_a_single_row_is_read_in_every_shape_of_statement(
    filling: Filling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`rowid =` below what the engine reads late would be an internal error, and close the archive."""
    # So few events would be looked through.
    monkeypatch.setattr(sys.modules["queries.rewriting.rewrite"], "_EVENTS_PER_ROW", 1)
    filling.add([filling.event(id=f"e-{number}", type=f"t{number % 3}") for number in range(3000)])
    archive = filling.archives.tenant(TENANT)
    archive.rotate()
    with archive.upkeep():
        work = settle.Work(parts=Layout(fresh=archive.layout().fresh[:1], segments=()))
        settle.do(archive, lambda: Scratch(tmp_path / "s", memory_bytes=64 << 20), work)
    one = "FROM events WHERE id = 'e-77'"
    plain = [f"SELECT * {one}", f"SELECT max(seq), arg_max(type, seq) {one}"]
    plain += [
        f"SELECT * {one} QUALIFY row_number() OVER (PARTITION BY type ORDER BY seq DESC) <= 1",
        f"SELECT 1 WHERE EXISTS (SELECT * {one})",
        f"SELECT (SELECT type {one})",
        f"WITH c AS (SELECT * {one}) SELECT a.* FROM c a JOIN c b USING (seq)",
        f"SELECT list(type ORDER BY seq) {one}",
    ]
    cut = [
        f"SELECT * {one} LIMIT 1",
        f"(SELECT * {one}) ORDER BY 1 LIMIT 1",
        f"SELECT DISTINCT ON (type) * {one}",
        f"SELECT * FROM (SELECT * {one}) q USING SAMPLE 100% (bernoulli)",
    ]
    for sql in (*plain, *cut):
        with archive.reader() as reader:
            other = rewrite(check(sql).tree, {}, reader).sql
            assert other is not None, sql
            assert ("rowid = " in other) == (sql in plain), sql
            assert len(reader.rows(other)) == 1, sql
    assert archive.last_seq() == 3000
