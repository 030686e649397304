"""Retention and deletion against a plain list of events, with crashes and with readers in between.

A run prints its seed; EVENTCENTER_SEED replays it. `make soak` runs many.
"""

import contextlib
import os
import random
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from eventcenter.archive import (
    Archive,
    Archives,
    keys,
    removal,
    retention,
    rollup,
    segment,
    settle,
    subject,
)
from eventcenter.archive.manifest import Layout
from eventcenter.archive.removal import Removal
from eventcenter.archive.retention import Policies, Policy
from eventcenter.archive.segment import Scratch
from eventcenter.clock import EPOCH, to_micros
from eventcenter.event import Event, encode_line
from eventcenter.journal import Block, BlockKind, Position, ReadBlock
from tests.support.product import wait_until
from tests.support.seeds import seeds

START = EPOCH + timedelta(days=20_000)
BUSES = ("default", "other", "it's")
SUBJECTS = (None, None, "user/1", "user/2", "o'neill", "对象", "")
TYPES = ("t.a", "t.b")
JOURNAL = b"j" * 16


@dataclass(frozen=True, kw_only=True)
class One:
    """An event as the model keeps it."""

    seq: int
    bus: str
    type: str
    subject: str | None
    received_at: datetime
    repeats: int = 0


class Stand:
    """An archive, and a list of what it has to hold."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.folder = folder
        self.archives = Archives(folder / "0")
        self.events: list[One] = []
        self.rejects: list[tuple[str, datetime, bytes]] = []
        self.next_seq = 1
        self.now = START
        self.copies = 0

    @property
    def archive(self) -> Archive:
        return self.archives.tenant("t1")

    def scratch(self) -> Scratch:
        return Scratch(self.folder / "scratch", memory_bytes=64 << 20)

    def load(self, count: int | None = None, *, every: timedelta = timedelta(minutes=7)) -> None:
        made = []
        for _ in range(self.random.randrange(1, 40) if count is None else count):
            self.now += every * self.random.random()
            made.append(
                One(
                    seq=self.next_seq,
                    bus=self.random.choice(BUSES),
                    type=self.random.choice(TYPES),
                    subject=self.random.choice(SUBJECTS),
                    received_at=self.now,
                    repeats=self.random.choice((0, 0, 0, 2)),
                )
            )
            self.next_seq += 1
        self.put(made)
        if self.random.random() < 0.3:
            named = self.random.choice(SUBJECTS) or ""
            self.reject(self.random.choice(BUSES), f'{{"subject": "{named}"}}'.encode())

    def put(self, made: list[One]) -> None:
        self.events += made
        table = pa.table(
            {
                "seq": [one.seq for one in made],
                "bus": [one.bus for one in made],
                "type": [one.type for one in made],
                "subject": pa.array([one.subject for one in made], pa.string()),
                "received_at": pa.array([one.received_at for one in made], pa.timestamp("us", "UTC")),
                "key": pa.array([keys.key_of(one.bus, "/s", str(one.seq)) for one in made], pa.uint64()),
                "repeats": [one.repeats for one in made],
                "data": [f'{{"n": 1, "noise": "{self.random.getrandbits(120):030x}"}}' for _ in made],
            }
        )
        fresh = self.archive.layout().current
        paths = "".join(f", data->>'{path}'" for path in fresh.paths)

        def insert(connection: duckdb.DuckDBPyConnection) -> None:
            connection.register("made", table)
            connection.execute(
                f"INSERT INTO {fresh.table} SELECT seq, key, bus, id, source, type, subject, NULL, NULL,"
                f" NULL, NULL, NULL, 'json', data, received_at{paths}"
                " FROM (SELECT *, seq::VARCHAR AS id, '/s' AS source FROM made)"
            )
            connection.execute("UPDATE state SET next_seq = ?", [self.next_seq])
            connection.execute(
                "INSERT INTO buses SELECT bus, count(*), max(received_at) FROM made GROUP BY bus"
                " ON CONFLICT (bus) DO UPDATE SET events = events + excluded.events"
            )
            connection.execute(
                "INSERT INTO duplicates SELECT seq, bus, received_at, 'main' FROM made, range(repeats)"
            )
            rollup.add(
                connection,
                "SELECT *, '/s' AS source, NULL::TIMESTAMPTZ AS time FROM made",
                first_seq=made[0].seq,
                events=len(made),
            )
            connection.unregister("made")

        self.archive.write(insert)

    def reject(self, bus: str, kept: bytes) -> None:
        self.rejects.append((bus, self.now, kept))

        def insert(connection: duckdb.DuckDBPyConnection) -> None:
            connection.execute(
                "INSERT INTO rejects (bus, received_at, reason, error, bytes)"
                " VALUES (?, make_timestamptz(?), 'invalid', 'x', ?)",
                [bus, to_micros(self.now), kept],
            )

        self.archive.write(insert)

    def rotate(self) -> None:
        self.archive.rotate()

    def settle(self) -> None:
        settle.step(self.archive, self.scratch, idle=self.random.random() < 0.7)

    def settle_all(self) -> None:
        self.archive.rotate()
        while settle.step(self.archive, self.scratch, idle=False):
            pass

    def settle_as_one(self) -> None:
        """What is fresh becomes one segment."""
        parts = Layout(fresh=self.archive.layout().fresh, segments=())
        self.archive.rotate()
        with self.archive.upkeep():
            settle.do(self.archive, self.scratch, settle.Work(parts=parts))

    def usage(self) -> dict[str, retention.Usage]:
        with self.archive.reader() as reader:
            return retention.usage(reader)

    def reopen(self) -> None:
        self.archive.sleep()

    def crash(self) -> None:
        """Go on with the files as they are at this moment, whatever the open instance has not written yet."""
        self.copies += 1
        copy = self.folder / str(self.copies)
        # Its folder is made when it is first asked for.
        self.archive.layout()
        shutil.copytree(self.folder / str(self.copies - 1), copy)
        self.archives.close()
        self.archives = Archives(copy)

    def remove(self, what: Removal) -> bool:
        return removal.remove(self.archive, self.scratch, what).complete

    def expire(self, policies: Policies) -> Removal | None:
        with self.archive.reader() as reader:
            return retention.expired(reader, policies, self.now)

    def of_subject(self, name: str, bus: str | None = None, deletion: str | None = None) -> Removal:
        with self.archive.reader() as reader:
            return subject.of_subject(reader, name, bus=bus, deletion=deletion)

    def kept_rejects(self) -> list[tuple[str, datetime, bytes]]:
        rows = self.archive.query("SELECT bus, received_at, bytes FROM rejects ORDER BY id")
        return [(row["bus"], row["received_at"], row["bytes"]) for row in rows]

    def seqs(self) -> list[int]:
        return [row["seq"] for row in self.archive.query("SELECT seq FROM events ORDER BY seq")]

    def keep(self, stays: Callable[[One], bool]) -> list[One]:
        """Let the model forget what does not stay; what it forgot."""
        gone = [one for one in self.events if not stays(one)]
        self.events = [one for one in self.events if stays(one)]
        return gone

    def check(self) -> None:
        check(self.archive, self.events, self.rejects)


def check(archive: Archive, events: list[One], rejects: list[tuple[str, datetime, bytes]]) -> None:
    with archive.reader() as reader:
        rows = reader.rows("SELECT seq, bus, type, subject, received_at FROM events ORDER BY seq")
        assert [tuple(row.values()) for row in rows] == [
            (one.seq, one.bus, one.type, one.subject, one.received_at) for one in events
        ]
        counted = {row["bus"]: row["events"] for row in reader.rows("SELECT bus, events FROM buses")}
        assert +Counter(counted) == Counter(one.bus for one in events)
        repeated = reader.rows("SELECT seq, count(*) AS n FROM duplicates GROUP BY seq ORDER BY seq")
        assert [(row["seq"], row["n"]) for row in repeated] == [
            (one.seq, one.repeats) for one in events if one.repeats
        ]
        kept = reader.rows("SELECT bus, received_at, bytes FROM rejects ORDER BY id")
        assert [tuple(row.values()) for row in kept] == rejects
        assert rollup.check(reader.cursor, "SELECT bus, source, type, time, received_at FROM events") == []
        for table in reader.layout.fresh:
            for path, promoted in table.paths.items():
                differs = f"{promoted.text} IS DISTINCT FROM json_extract_string(data, '{path}')"
                assert reader.rows(f"SELECT seq FROM {table.table} WHERE {differs}") == []
        assert sum(one.events for one in reader.layout.segments) == sum(
            reader.rows(f"SELECT count(*) AS n FROM {one.catalog}.events")[0]["n"]
            for one in reader.layout.segments
        )


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes at which some tens of events are settled and merged."""
    monkeypatch.setattr(settle, "LEAST_SETTLED", 10)
    monkeypatch.setattr(settle, "KEPT_FRESH", 7)
    monkeypatch.setattr(settle, "_SIZE", 40)


@pytest.fixture
def stand(tmp_path: Path, small: None) -> Iterator[Stand]:
    made = Stand(tmp_path)
    yield made
    made.archives.close()


class Refused(Exception):
    pass


@contextlib.contextmanager
def failing(name: str) -> Iterator[None]:
    """What changes the archive fails at its last step."""

    def refuse(*_given: object, **_named: object) -> None:
        raise Refused

    broken = pytest.MonkeyPatch()
    broken.setattr(
        *{"swap": (Archive, "swap"), "uncount": (rollup, "subtract"), "write": (segment, "sync")}[name],
        refuse,
    )
    try:
        yield
    finally:
        broken.undo()


def policies(chance: random.Random) -> Policies:
    def policy() -> Policy:
        return Policy(
            max_age=chance.choice((None, timedelta(hours=3), timedelta(hours=12), timedelta(days=2))),
            max_bytes=chance.choice((None, None, None, 2_000, 600_000)),
        )

    named = [bus for bus in BUSES if chance.random() < 0.4]
    held = [bus for bus in BUSES if chance.random() < 0.15]
    return Policies(tenant=policy(), buses={bus: policy() for bus in named}, held=frozenset(held))


class Chance:
    """One run of random steps; the stand's list is held against the archive after each."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.stand = Stand(folder, seed)
        self.random = self.stand.random

    def retain(self) -> None:
        by = policies(self.random)
        what = self.stand.expire(by)
        if what is None:
            return
        before = self.stand.usage()
        complete = False
        if self.random.random() < 0.3:
            with failing(self.random.choice(("swap", "uncount", "write"))), contextlib.suppress(Refused):
                complete = self.stand.remove(what)
        else:
            complete = self.stand.remove(what)
            assert complete
        self._forget(by, before, complete=complete)

    def _forget(self, by: Policies, before: dict[str, retention.Usage], *, complete: bool) -> None:
        """Take what went from the list, if it was right that it went, and nothing else had to."""
        stand = self.stand
        left = set(stand.seqs())
        gone = stand.keep(lambda one: one.seq in left)
        for bus in BUSES:
            age, limit, group = age_of(bus, by), limit_of(bus, by), group_of(bus, by)
            cut = 0
            if limit is not None and sum(before[one].bytes for one in group & before.keys()) > limit:
                cut = max((one.seq for one in gone if one.bus in group), default=0)
            for one in gone:
                if one.bus == bus:
                    assert bus not in by.held
                    assert (age is not None and one.received_at < stand.now - age) or one.seq <= cut
            if complete and age is not None:
                slack = max(timedelta(hours=1), age / 20)
                assert all(
                    one.received_at >= stand.now - age - slack for one in stand.events if one.bus == bus
                )
        kept = stand.kept_rejects()
        for named, received_at, _ in (one for one in stand.rejects if one not in kept):
            age = age_of(named, by)
            assert age is not None
            assert received_at < stand.now - age
        stand.rejects = kept

    def delete(self) -> None:
        stand = self.stand
        name, bus = self.random.choice(SUBJECTS), self.random.choice((None, *BUSES))
        if not name:
            return
        last = stand.next_seq - 1
        rejects = [
            one for one in stand.rejects if subject.names_subject(one[2], name) and bus in {None, one[0]}
        ]
        what = stand.of_subject(name, bus, deletion=f"d{last}")
        stand.load()
        stand.settle()
        with stand.archive.reader() as reader:
            foreseen = removal.look(reader, what)
        assert stand.remove(what)
        gone = stand.keep(lambda one: one.seq > last or one.subject != name or bus not in {None, one.bus})
        for one in rejects:
            stand.rejects.remove(one)
        with stand.archive.reader() as reader:
            said = removal.report(reader, what.deletion or "")
        assert {(one.bus, one.type): one.events for one in said.events} == Counter(
            (one.bus, one.type) for one in gone
        )
        assert (said.duplicates, said.rejects) == (sum(one.repeats for one in gone), len(rejects))
        assert said == foreseen
        removal.forget_report(stand.archive, what.deletion or "")


def age_of(bus: str, by: Policies) -> timedelta | None:
    return None if bus in by.held else by.buses.get(bus, by.tenant).max_age


def limit_of(bus: str, by: Policies) -> int | None:
    return by.buses.get(bus, by.tenant).max_bytes


def group_of(bus: str, by: Policies) -> set[str]:
    """The buses that share its limit."""
    return {bus} if bus in by.buses else set(BUSES) - by.buses.keys()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("number", seeds(2, 60))
def test_random_policies_deletions_and_crashes_leave_what_a_list_holds(tmp_path: Path, number: int) -> None:
    seed = int(os.environ.get("EVENTCENTER_SEED", random.randrange(1 << 32))) + number
    print(f"EVENTCENTER_SEED={seed - number}, round {number}")
    run = Chance(tmp_path, seed)
    stand = run.stand
    often = (stand.load, stand.load, stand.settle, stand.settle, run.retain)
    steps = (*often * 3, stand.rotate, run.delete, run.delete, stand.reopen, stand.crash)
    for _ in range(30):
        run.random.choice(steps)()
        stand.check()
    stand.archives.close()


def test_nothing_goes_without_a_policy(stand: Stand) -> None:
    stand.load(50)
    assert stand.expire(Policies()) is None
    assert stand.expire(Policies(held=frozenset(BUSES))) is None


def test_a_segment_is_written_anew_only_when_it_pays(stand: Stand) -> None:
    stand.load(60, every=timedelta(hours=4))
    stand.settle_all()
    [one] = stand.archive.layout().segments
    by = Policies(tenant=Policy(max_age=timedelta(days=2)))
    stand.now = one.first_received_at + timedelta(days=2, hours=2)
    assert stand.remove(stand.expire(by) or pytest.fail())
    assert stand.archive.layout().segments[0].number == one.number, "less than age / 20 too old"
    stand.now += timedelta(hours=1)
    assert stand.remove(stand.expire(by) or pytest.fail())
    assert stand.archive.layout().segments[0].number != one.number
    stand.keep(lambda event: event.received_at >= stand.now - timedelta(days=2))
    stand.check()


def test_what_holds_only_old_events_goes_at_once_and_its_files_with_the_last_reader(stand: Stand) -> None:
    stand.load(60)
    stand.settle_all()
    stand.load(5)
    stand.now += timedelta(days=2, minutes=1)
    by = Policies(tenant=Policy(max_age=timedelta(days=2)))
    files = set((stand.archive.folder / "segments").iterdir())
    assert files
    with stand.archive.reader() as reader:
        assert stand.remove(stand.expire(by) or pytest.fail())
        assert len(reader.rows("SELECT seq FROM events")) == 65, "a reader goes on seeing what it saw"
        assert files <= set((stand.archive.folder / "segments").iterdir())
    assert not files & set((stand.archive.folder / "segments").iterdir())
    stand.keep(lambda _: False)
    stand.rejects = []
    stand.check()


@pytest.mark.long
def test_the_largest_go_from_their_oldest_end(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    for _ in range(3):
        stand.load(12_000, every=timedelta(seconds=2))
        stand.settle_as_one()
    before = stand.usage()
    most = before["other"].bytes * 2 // 3
    assert stand.remove(stand.expire(Policies(buses={"other": Policy(max_bytes=most)})) or pytest.fail())
    left = set(stand.seqs())
    gone = [one.seq for one in stand.keep(lambda one: one.seq in left)]
    assert gone
    assert max(gone) < min(one.seq for one in stand.events if one.bus == "other")
    after = stand.usage()
    assert most * 0.9 < after["other"].bytes <= most
    assert {bus: one.events for bus, one in before.items() if bus != "other"} == {
        bus: one.events for bus, one in after.items() if bus != "other"
    }
    assert stand.expire(Policies(buses={"other": Policy(max_bytes=most)})) is not None
    stand.check()
    stand.archives.close()


def test_a_removal_that_is_stopped_in_a_transaction_takes_nothing_more(stand: Stand) -> None:
    stand.load(40)
    stand.settle_all()
    stand.load(40)
    what = stand.of_subject("user/1", deletion="d")
    asked = iter([False, True])
    assert not removal.remove(stand.archive, stand.scratch, what, stop=lambda: next(asked)).complete
    stand.check()
    asked = iter([False, False, False, True])
    assert not removal.remove(stand.archive, stand.scratch, what, stop=lambda: next(asked)).complete
    left = set(stand.seqs())
    gone = stand.keep(lambda one: one.seq in left)
    stand.check()
    assert {one.subject for one in gone} == {"user/1"}
    assert stand.remove(what)
    gone += stand.keep(lambda one: one.subject != "user/1")
    stand.check()
    with stand.archive.reader() as reader:
        assert removal.report(reader, "d").total == len(gone), "counted over both runs"


@pytest.mark.parametrize("step", ["write", "swap", "uncount"])
def test_a_crash_before_the_swap_leaves_all_as_it_was(stand: Stand, step: str) -> None:
    stand.load(60)
    stand.settle_all()
    what = stand.of_subject("user/1", deletion="d")
    files = {path.name for path in (stand.archive.folder / "segments").iterdir()}
    with failing(step), pytest.raises(Refused):
        stand.remove(what)
    stand.check()
    stand.crash()
    stand.check()
    assert {path.name for path in (stand.archive.folder / "segments").iterdir()} == files
    with stand.archive.reader() as reader:
        assert removal.report(reader, "d").total == 0
    assert stand.remove(stand.of_subject("user/1"))
    stand.keep(lambda one: one.subject != "user/1")
    stand.check()


def test_a_deletion_reaches_what_is_settled_in_between(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    stand.load(80)
    what = stand.of_subject("user/1")
    look_at = removal._remove_of

    def settling(*given: Any) -> int:
        gone = look_at(*given)
        monkeypatch.setattr(removal, "_remove_of", look_at)
        stand.archive._upkeep_mutex.release()
        stand.archive.rotate()
        settle.step(stand.archive, stand.scratch, idle=True)
        stand.archive._upkeep_mutex.acquire()
        return gone

    stand.settle_all()
    stand.load(80)
    monkeypatch.setattr(removal, "_remove_of", settling)
    what = stand.of_subject("user/1")
    assert stand.remove(what)
    stand.keep(lambda one: one.subject != "user/1")
    stand.check()


def test_an_event_that_was_removed_may_come_again(stand: Stand) -> None:
    def post(start: int) -> tuple[int, int]:
        events = [Event(id=str(n), source="/s", type="t", subject=f"user/{n % 2}") for n in range(40)]
        block = Block(
            kind=BlockKind.EVENTS,
            tenant="t1",
            bus="default",
            payload=b"".join(map(encode_line, events)),
            count=len(events),
            wants_outcome=True,
        )
        read = ReadBlock(position=Position(1, start), received_at=to_micros(START), block=block)
        [outcome] = stand.archive.load(JOURNAL, "main", [read])
        return outcome.stored, outcome.duplicates

    assert post(1) == (40, 0)
    assert stand.remove(stand.of_subject("user/1"))
    assert post(2) == (20, 20)
    stand.settle_all()
    assert stand.remove(stand.of_subject("user/0"))
    assert post(3) == (20, 20)
    assert stand.archive.query("SELECT count(*) AS n FROM events") == [{"n": 40}]


@pytest.mark.parametrize(
    ("kept", "named"),
    [
        (b'{"id":1,"subject":"user/1"}', "user/1"),
        (b'[{"subject" : "\\u5bf9\\u8c61"}]', "对象"),
        ('{"subject":"对象"'.encode(), "对象"),
        (b"ce-id: 1\r\nCE-Subject: user%2F1 \r\n\r\n{}", "user/1"),
        ("ce-subject: 对象\r\n\r\n".encode(), "对象"),
    ],
)
def test_a_refused_event_that_names_the_subject_is_found(kept: bytes, named: str) -> None:
    assert subject.names_subject(kept, named)
    assert not subject.names_subject(kept, named[:-1])
    assert not subject.names_subject(kept.replace(b"ubject", b"abject"), named)


@pytest.mark.long
def test_the_disk_gets_the_space_back(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    for _ in range(3):
        stand.load(8_000, every=timedelta(seconds=8))
        stand.settle_as_one()
    stand.load(8_000, every=timedelta(seconds=8))
    stand.archive.sleep()
    segments, whole = taken(stand.archive.folder / "segments"), taken(stand.archive.folder)
    stand.now += timedelta(hours=6)
    by = Policies(tenant=Policy(max_age=timedelta(hours=10)))
    assert stand.remove(stand.expire(by) or pytest.fail())
    left = len(stand.keep(lambda one: one.received_at < stand.now - timedelta(hours=10)))
    assert len(stand.seqs()) == left
    assert 0 < left < 32_000 / 5
    assert taken(stand.archive.folder / "segments") == 0 < segments
    stand.archive.checkpoint()
    assert not stand.archive.shrink(), "so little is left to be used again"
    assert stand.archive.shrink(thoroughly=True)
    assert taken(stand.archive.folder) < whole / 3
    stand.archives.close()


def test_the_disk_gets_the_space_back_also_where_somebody_always_asks(stand: Stand) -> None:
    stand.load(200)
    stand.settle_all()
    stand.archive.checkpoint()
    stop, asked = threading.Event(), 0

    def ask() -> None:
        nonlocal asked
        while not stop.is_set():
            with stand.archive.reader() as reader:
                reader.rows("SELECT count(*) AS n FROM events")
            asked += 1

    # Two who take turns: there is always one.
    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        try:
            wait_until(lambda: asked > 5, 20)
            assert stand.archive.shrink(thoroughly=True)
            before = asked
            wait_until(lambda: asked > before + 5, 20, "nobody is let in again")
        finally:
            stop.set()
        for each in asking:
            each.result()
    stand.check()


def test_a_reader_that_stays_is_left_in_peace(stand: Stand) -> None:
    stand.load(200)
    stand.settle_all()
    stand.archive.checkpoint()
    with stand.archive.reader() as reader:
        before = stand.archive.last_seq()
        assert not stand.archive.shrink(thoroughly=True)
        [found] = reader.rows("SELECT count(*) AS n FROM events")
        assert stand.archive.last_seq() == before
    assert found["n"] == len(stand.seqs())
    assert stand.archive.shrink(thoroughly=True)


def taken(folder: Path) -> int:
    """Bytes of disk, as `du` counts them."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def test_no_file_of_the_archive_holds_what_was_deleted(stand: Stand) -> None:
    """Not even a free block: a subject's name is looked for in the bytes."""
    name = "somebody-who-asked"
    for _ in range(2):
        stand.load(60)
        stand.put([replace_seq(stand, name) for _ in range(5)])
        stand.settle_all()
    stand.put([replace_seq(stand, name) for _ in range(5)])
    stand.reject("default", b'{"subject": "somebody-who-asked", "id": ""}')
    stand.reopen()
    stand.load(1)
    assert holds(stand.archive.folder, name)
    assert stand.remove(stand.of_subject(name))
    stand.archive.checkpoint()
    assert stand.archive.shrink(thoroughly=True)
    assert not holds(stand.archive.folder, name)
    stand.keep(lambda one: one.subject != name)
    stand.rejects = stand.kept_rejects()
    stand.check()


def replace_seq(stand: Stand, name: str) -> One:
    stand.next_seq += 1
    return One(seq=stand.next_seq - 1, bus="default", type="t.a", subject=name, received_at=stand.now)


def holds(folder: Path, name: str) -> bool:
    return any(name.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())
