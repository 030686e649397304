"""Repeats are told exactly, wherever their events lie and however hashes collide."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventcenter.archive import hashing, keys
from eventcenter.archive.index import SegmentIndex, Zones
from eventcenter.archive.manifest import Fresh, Layout, Segment
from eventcenter.archive.repeats import decide
from eventcenter.archive.seen import Seen

NONE = (np.empty(0, np.uint32), np.empty(0, np.uint32))
AT = datetime(2026, 11, 1, tzinfo=UTC)
Name = tuple[str, str, str]
Event = tuple[Name, str]
_FRESH_SQL = (Path(keys.__file__).parent / "fresh.sql").read_text()

NAME = st.tuples(
    st.sampled_from(["b", "c"]), st.sampled_from(["/s", "/源"]), st.sampled_from(["1", "2", "é", "😀"])
)
EVENT = st.tuples(NAME, st.sampled_from(['{"a":1}', '{ "a": 1}', '{"a":2}']))
PARTS = st.lists(st.lists(EVENT, max_size=8), max_size=4)


class House:
    """An archive's parts, made by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        self.layout = Layout(fresh=(), segments=())
        self.seqs: dict[Name, tuple[int, str]] = {}

    def settled(self, number: int, events: Sequence[Event]) -> None:
        path = self.folder / f"{number}.index"
        SegmentIndex.build(
            path,
            keys=np.array([keys.key_of(*name) for name, _ in events], np.uint64),
            subjects=NONE,
            traces=NONE,
            zones=Zones.none(),
            shared=NONE[0],
            parts={},
        )
        self._incoming(events)
        self.connection.execute(f"ATTACH ':memory:' AS s{number}")
        self.connection.execute(
            f"CREATE TABLE s{number}.events AS SELECT seq, bus, id, source, type, subject, time,"
            " NULL::VARCHAR AS time_text, 1::UTINYINT AS time_form, datacontenttype, dataschema, extensions,"
            " data_kind, data FROM incoming"
        )
        segment = Segment(
            number=number,
            first_seq=1,
            last_seq=1,
            events=len(events),
            bytes=0,
            first_received_at=AT,
            last_received_at=AT,
            first_at=AT,
            last_at=AT,
            form=1,
            index=SegmentIndex.open(path),
        )
        self.layout = Layout(fresh=self.layout.fresh, segments=(*self.layout.segments, segment))

    def fresh(self, number: int, events: Sequence[Event]) -> None:
        self.connection.execute(_FRESH_SQL.format(number=number, paths=""))
        self._incoming(events)
        self.connection.execute(
            f"INSERT INTO fresh_{number} BY NAME SELECT *, time AS received_at FROM incoming"
        )
        fresh = Fresh(number=number, first_seq=1)
        self.layout = Layout(fresh=(*self.layout.fresh, fresh), segments=self.layout.segments)

    def _incoming(self, events: Sequence[Event]) -> None:
        first = len(self.seqs) + 1
        for seq, (name, data) in enumerate(events, first):
            self.seqs[name] = (seq, data)
        self.connection.register("incoming", table(events, first))


def table(events: Sequence[Event], first: int = 1) -> pa.Table:
    names = [name for name, _ in events]
    count = len(events)
    text = pa.string()
    none = pa.nulls(count, text)
    return pa.table(
        {
            "seq": pa.array(range(first, first + count), pa.int64()),
            "key": pa.array([keys.key_of(*name) for name in names], pa.uint64()),
            "bus": pa.array([bus for bus, _, _ in names], text).dictionary_encode(),
            "source": pa.array([source for _, source, _ in names], text),
            "id": pa.array([one for _, _, one in names], text),
            "type": pa.array(["t"] * count, text),
            "subject": none,
            "time": pa.array([AT] * count, pa.timestamp("us", tz="UTC")),
            "time_text": pa.array(["2026-11-01T00:00:00Z"] * count, text),
            "datacontenttype": none,
            "dataschema": none,
            "extensions": none,
            "data_kind": pa.array(["json"] * count, text),
            "data": pa.array([data for _, data in events], text),
        }
    )


def plain(text: str) -> str:
    return text.replace(" ", "")


@pytest.fixture(params=[0, 0x1000000001, 0xFFFFFFFFFF000000, 0xFFFFFFFFFFFFFFFF])
def collisions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes of which only some bits differ, from none to all."""
    real, kept = hashing.hash_texts, np.uint64(request.param)
    monkeypatch.setattr(keys, "hash_texts", lambda texts: real(texts) & kept)
    monkeypatch.setattr(keys, "hash_text", lambda text: hashing.hash_text(text) & int(kept))


@settings(max_examples=15, deadline=None)
@given(settled=PARTS, fresh=PARTS, batch=st.lists(EVENT, min_size=1, max_size=12))
@pytest.mark.usefixtures("collisions")
def test_what_is_new_agrees_with_a_plain_model(
    tmp_path_factory: pytest.TempPathFactory,
    settled: list[list[Event]],
    fresh: list[list[Event]],
    batch: list[Event],
) -> None:
    house = House(tmp_path_factory.mktemp("house"))
    taken: set[Name] = set()

    def once(events: list[Event]) -> list[Event]:
        kept = {name: data for name, data in events if name not in taken}
        taken.update(kept)
        return list(kept.items())

    for number, events in enumerate(settled, 1):
        house.settled(number, once(events))
    for number, events in enumerate([*fresh, []], 1):
        house.fresh(number, once(events))
    seen = Seen(house.connection, house.layout)
    incoming = table(batch)
    decided = decide(
        house.connection, incoming, keys.keys_of(incoming["bus"], incoming["source"], incoming["id"]), seen
    )

    known = dict(house.seqs)
    for row, (name, data) in enumerate(batch):
        assert decided.keep[row] == (name not in known)
        seq, there = known.setdefault(name, (-1 - row, data))
        same = None if seq == -1 - row else plain(there) == plain(data)
        assert (decided.originals.get(row), decided.reused.get(row)) == (
            seq if same else None,
            seq if same is False else None,
        )


def test_what_was_stored_is_seen_from_then_on_over_generations(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.fresh(1, [])
    seen = Seen(house.connection, house.layout)
    random = np.random.default_rng(3)
    stored = random.integers(0, 1 << 64, 300_000, np.uint64)
    small = seen.nbytes
    for stretch in np.array_split(stored, 100):
        assert len(seen.suspects(stretch).positions) <= len(stretch) // 50
        seen.extend(stretch)
    assert len(seen.suspects(stored).positions) == len(stored)
    assert small < seen.nbytes < 24 * len(stored)


def test_only_new_tables_are_read_and_dropped_ones_forgotten(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.fresh(1, [(("b", "/s", "1"), "1")])
    seen = Seen(house.connection, house.layout)
    house.fresh(2, [(("b", "/s", "2"), "1")])
    seen.follow(house.connection, house.layout)
    both = np.sort(np.array([keys.key_of("b", "/s", one) for one in ("1", "2")], np.uint64))
    assert [one.number for one, _ in seen.suspects(both).fresh] == [1, 2]
    house.connection.execute("DROP TABLE fresh_1")
    seen.follow(house.connection, Layout(fresh=house.layout.fresh[1:], segments=()))
    assert [one.number for one, _ in seen.suspects(both).fresh] == [2]


def test_after_a_failed_extension_the_table_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path)
    house.fresh(1, [(("b", "/s", "1"), "1")])
    seen = Seen(house.connection, house.layout)
    key = np.array([keys.key_of("b", "/s", "1")], np.uint64)

    def full(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("eventcenter.archive.bloom.add", full)
        with pytest.raises(MemoryError):
            seen.extend(key)
    seen.follow(house.connection, house.layout)
    assert seen.suspects(key).positions.tolist() == [0]


def test_tables_come_and_go_behind_the_filter_in_front(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventcenter.archive.seen._FIRST_KEYS", 256)
    house = House(tmp_path)
    seen = Seen(house.connection, house.layout)
    names = {
        number: [("b", "/s", f"{number}-{row}") for row in range(900 if number == 3 else 100)]
        for number in range(1, 9)
    }
    for number, held in names.items():
        house.fresh(number, [(name, "1") for name in held])
        seen.follow(house.connection, house.layout)
    tables = {one.number: one for one in house.layout.fresh}
    for left in ((1, 2, 3, 4, 5, 6, 7, 8), (3, 5, 8), (5, 8), (5,)):
        seen.follow(house.connection, Layout(fresh=tuple(tables[number] for number in left), segments=()))
        for number, held in names.items():
            asked = np.array([keys.key_of(*name) for name in held[:100]], np.uint64)
            found = {one.number: len(hits) for one, hits in seen.suspects(np.sort(asked)).fresh}
            assert found.get(number, 0) == (100 if number in left else 0)
            assert sum(found.values()) <= 100 + len(left)
    assert seen.nbytes < 8_000


@given(tables=PARTS, asked=NAME)
@settings(max_examples=30, deadline=None)
@pytest.mark.usefixtures("collisions")
def test_a_table_tells_of_ids_that_it_may_hold(
    tmp_path_factory: pytest.TempPathFactory, tables: Sequence[Sequence[Event]], asked: Name
) -> None:
    house = House(tmp_path_factory.mktemp("house"))
    for number, events in enumerate(tables, 1):
        house.fresh(number, events)
    seen = Seen(house.connection, house.layout)
    for fresh, events in zip(house.layout.fresh, tables, strict=True):
        held = {event_id for (_, _, event_id), _ in events}
        if asked[2] in held:
            assert seen.may_hold(fresh, ["elsewhere", asked[2]])
    assert seen.may_hold(Fresh(number=99, first_seq=1), [asked[2]])


def test_a_table_without_an_id_is_passed_over(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.fresh(1, [(("b", "/s", str(number)), "1") for number in range(1000)])
    seen = Seen(house.connection, house.layout)
    [fresh] = house.layout.fresh
    assert seen.may_hold(fresh, ["999"])
    assert not any(seen.may_hold(fresh, [str(number)]) for number in range(1000, 1500))
    former = Fresh(number=fresh.number, first_seq=fresh.first_seq + 1)
    assert seen.may_hold(former, ["1000"])
