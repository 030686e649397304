"""The loader between a real journal and real archives."""

import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from eventcenter.archive import Archive, Archives
from eventcenter.archive import archive as archive_module
from eventcenter.clock import ManualClock
from eventcenter.event import Event, encode_line
from eventcenter.journal import (
    Block,
    BlockKind,
    JournalReader,
    JournalWriter,
    Outcome,
    OutcomeReader,
    OutcomeWriter,
    ReadBlock,
)
from eventcenter.journal.format import file_numbers, file_path
from ingest import loader as loader_module
from ingest.loader import Loader


class House:
    """A journal, archives and a loader below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.writer = JournalWriter(folder / "journal", clock=self.clock, segment_bytes=2000)
        self.archives = Archives(folder / "tenants")
        self.loaded: list[str] = []
        self.loader = self.new_loader()

    def new_loader(self) -> Loader:
        return Loader(self.folder / "journal", self.archives, clock=self.clock, on_loaded=self.loaded.append)

    def send(self, tenant: str, *numbers: int, wants_outcome: bool = False) -> None:
        lines = [encode_line(Event(id=str(number), source="/s", type="t")) for number in numbers]
        self.send_raw(tenant, b"".join(lines), len(lines), wants_outcome=wants_outcome)

    def send_raw(
        self,
        tenant: str,
        payload: bytes,
        count: int,
        *,
        kind: BlockKind = BlockKind.EVENTS,
        wants_outcome: bool = False,
    ) -> None:
        self.writer.append(
            [
                Block(
                    kind=kind,
                    tenant=tenant,
                    bus="b",
                    payload=payload,
                    count=count,
                    wants_outcome=wants_outcome,
                )
            ]
        )

    def ids(self, tenant: str) -> list[str]:
        rows = self.archives.tenant(tenant).query("SELECT id FROM events ORDER BY seq")
        return [row["id"] for row in rows]

    def drain(self) -> None:
        while self.loader.step():
            pass

    def close(self) -> None:
        self.writer.close()
        self.archives.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def test_each_tenant_gets_its_own_events(house: House) -> None:
    house.send("a", 1, 2)
    house.send("b", 3)
    house.send("a", 4)
    house.drain()
    assert house.ids("a") == ["1", "2", "4"]
    assert house.ids("b") == ["3"]
    assert set(house.loaded) == {"a", "b"}


def test_loaded_files_go_and_the_newest_stays(house: House) -> None:
    for number in range(100):
        house.send("a", number)
        if number % 10 == 0:
            house.loader.step()
    house.drain()
    folder = house.folder / "journal" / "main"
    assert len(file_numbers(folder)) == 1
    assert len(house.ids("a")) == 100


def test_a_new_loader_loads_nothing_twice(house: House) -> None:
    house.send("a", 1)
    house.drain()
    house.send("a", 2)
    house.loader = house.new_loader()
    house.drain()
    assert house.ids("a") == ["1", "2"]


def test_outcomes_are_told_and_told_again_after_a_crash(house: House) -> None:
    house.loader.step()
    reader = OutcomeReader(house.folder / "journal")
    house.send("a", 1, 1, 2, wants_outcome=True)
    house.drain()
    [outcome] = reader.poll()
    assert (outcome.stored, outcome.duplicates) == (2, 1)
    house.loader = house.new_loader()
    house.drain()
    assert reader.poll() == [outcome]


def test_a_poison_line_is_kept_as_a_reject_and_stands_in_nobodys_way(house: House) -> None:
    good = encode_line(Event(id="good", source="/s", type="t"))
    house.send("a", 1)
    house.send_raw(
        "a", good + b"poison \xff line\n" + encode_line(Event(id="last", source="/s", type="t")), 3
    )
    house.send("b", 9)
    house.send("a", 2)
    house.drain()
    assert house.ids("a") == ["1", "good", "last", "2"]
    assert house.ids("b") == ["9"]
    [reject] = house.archives.tenant("a").query("SELECT * FROM rejects")
    assert reject["reason"] == "unreadable"
    assert reject["bytes"] == b"poison \xff line\n"
    assert reject["event_index"] == 1


def test_data_that_is_no_json_is_poison_where_paths_are_promoted(house: House) -> None:
    def line(event_id: str, data: bytes) -> bytes:
        return encode_line(Event(id=event_id, source="/s", type="t", data=b"1", data_kind="json")).replace(
            b"\t1\n", b"\t" + data + b"\n"
        )

    archive = house.archives.tenant("a")
    archive.note_paths(["/n"] * 5)
    archive.save_paths()
    archive.rotate()
    assert archive.layout().current.paths
    house.send_raw("a", line("1", b'{"n":1}') + line("2", b"{") + line("3", b'{"n":3}'), 3)
    house.send("a", 4)
    house.drain()
    assert house.loader.stuck() == []
    assert house.ids("a") == ["1", "3", "4"]
    [reject] = archive.query("SELECT * FROM rejects")
    assert (reject["reason"], reject["bytes"]) == ("unreadable", line("2", b"{"))


def test_of_a_flood_nothing_is_promoted_and_of_others_it_is(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "FRESH_EVENTS", 2)
    monkeypatch.setattr(loader_module, "_LIGHT_BYTES", 500)
    for tenant in "ab":
        archive = house.archives.tenant(tenant)
        archive.note_paths(["/n"] * 5)
        archive.save_paths()
        house.send(tenant, 1, 2)
    house.drain()
    house.loader = Loader(house.folder / "journal", house.archives, clock=house.clock, batch_bytes=1500)
    house.send("b", 3)
    house.send("a", *range(3, 100))
    house.drain()
    assert house.ids("a") == [str(number) for number in range(1, 100)]
    assert not house.archives.tenant("a").layout().current.paths
    assert set(house.archives.tenant("b").layout().current.paths) == {"/n"}
    house.send("a", 100)
    house.drain()
    assert set(house.archives.tenant("a").layout().current.paths) == {"/n"}


def test_a_rejects_block_that_cannot_be_read_is_kept_whole(house: House) -> None:
    house.send_raw("a", b"{not json\n", 1, kind=BlockKind.REJECTS)
    house.send("a", 1)
    house.drain()
    assert house.ids("a") == ["1"]
    [reject] = house.archives.tenant("a").query("SELECT * FROM rejects")
    assert reject["bytes"] == b"{not json\n"


def test_a_wrong_count_loses_no_event(house: House) -> None:
    house.send_raw("a", encode_line(Event(id="1", source="/s", type="t")), 7)
    house.drain()
    assert house.ids("a") == ["1"]


def test_a_tenant_whose_archive_fails_delays_nobody_and_loses_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = True
    real = Archive.load

    def load(
        self: Archive, journal: bytes, writer: str, blocks: Sequence[ReadBlock], **given: Any
    ) -> list[Outcome]:
        if broken and blocks[0].block.tenant == "a":
            raise OSError(28, "No space left on device")
        return real(self, journal, writer, blocks, **given)

    monkeypatch.setattr(Archive, "load", load)
    monkeypatch.setattr(loader_module, "_RETRY_S", 0.0)
    for number in range(15):
        house.send("a", number)
        house.send("b", number)
        house.loader.step()
    assert len(house.ids("b")) == 15
    assert house.ids("a") == []
    assert house.loader.stuck() == ["a"]
    house.clock.advance(60)
    assert house.loader.lag_s("a") == 60
    assert house.loader.lag_s("b") == 0
    broken = False
    house.drain()
    assert house.ids("a") == [str(number) for number in range(15)]
    assert house.loader.stuck() == []
    house.send("a", 99)
    house.drain()
    assert house.ids("a")[-1] == "99"


def test_damage_is_kept_aside_and_the_rest_is_loaded(house: House) -> None:
    house.send("a", 1)
    house.send("a", 2)
    house.writer.close()
    path = file_path(house.folder / "journal" / "main", 1)
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    house.writer = JournalWriter(house.folder / "journal", clock=house.clock)
    house.drain()
    assert house.ids("a") == ["2"]
    assert house.loader.damages == 1
    kept = list((house.folder / "journal" / "main" / "damaged").iterdir())
    assert len(kept) == 1


def test_a_journal_that_was_deleted_and_begun_anew_is_loaded(house: House) -> None:
    house.send("a", 1)
    house.drain()
    house.writer.close()
    shutil.rmtree(house.folder / "journal")
    house.writer = JournalWriter(house.folder / "journal", clock=house.clock)
    house.loader = house.new_loader()
    house.send("a", 2)
    house.drain()
    assert house.ids("a") == ["1", "2"]


def test_a_backlog_is_read_ahead_and_stays_in_order(house: House) -> None:
    loader = Loader(house.folder / "journal", house.archives, clock=house.clock, batch_bytes=200)
    for number in range(60):
        house.send("a" if number % 3 else "b", number, number)
        if number == 30:
            house.send_raw("a", b"poison\n", 1)
    assert not loader.behind()
    assert loader.step()
    assert loader.behind()
    while loader.step():
        pass
    assert not loader.behind()
    assert house.ids("a") == [str(number) for number in range(60) if number % 3]
    assert house.ids("b") == [str(number) for number in range(60) if number % 3 == 0]
    assert len(house.archives.tenant("a").query("SELECT * FROM rejects")) == 1
    assert house.archives.tenant("a").query("SELECT count(*) AS n FROM duplicates") == [{"n": 40}]


def test_a_flood_of_one_tenant_does_not_delay_another(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.loader._LIGHT_BYTES", 250)
    loader = Loader(house.folder / "journal", house.archives, clock=house.clock, batch_bytes=400)
    for number in range(0, 200, 4):
        house.send("flood", *range(number, number + 4))
    house.send("small", 1, wants_outcome=True)
    house.send("flood", 200)
    house.send("small", 2)
    assert loader.step()
    assert house.ids("small") == ["1", "2"]
    assert 0 < len(house.ids("flood")) < 100
    house.send("small", 3)
    assert loader.step()
    assert house.ids("small") == ["1", "2", "3"]
    while loader.step():
        pass
    assert house.ids("flood") == [str(number) for number in range(201)]
    assert house.ids("small") == ["1", "2", "3"]
    assert house.archives.tenant("small").query("SELECT * FROM duplicates") == []
    assert loader.loaded_events == 204


def test_tenants_that_all_flood_are_each_loaded_in_order(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.loader._LIGHT_BYTES", 250)
    loader = Loader(house.folder / "journal", house.archives, clock=house.clock, batch_bytes=400)
    sent: dict[str, list[str]] = {"a": [], "b": [], "c": []}
    choose = random.Random(4)
    for number in range(120):
        tenant = choose.choice("aaabbc") if number < 80 else choose.choice("abcccc")
        house.send(tenant, number)
        sent[tenant].append(str(number))
        if number % 24 == 23:
            loader.step()
    while loader.step():
        pass
    assert {tenant: house.ids(tenant) for tenant in sent} == sent


@pytest.mark.parametrize("broken", ["telling", "splitting ahead", "reading the second file"])
def test_a_step_that_fails_anywhere_loses_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    loader = Loader(house.folder / "journal", house.archives, clock=house.clock, batch_bytes=4000)
    failures = 0
    where, name = {
        "telling": (OutcomeWriter, "write"),
        "splitting ahead": (loader_module, "table_of"),
        "reading the second file": (JournalReader, "_read_header"),
    }[broken]
    real = getattr(where, name)

    def fail_now_and_then(*given: Any) -> Any:
        nonlocal failures
        failures += 1
        if failures in {2, 3, 5}:
            raise OSError(28, "No space left on device")
        return real(*given)

    monkeypatch.setattr(where, name, fail_now_and_then)
    for number in range(200):
        house.send("ab"[number % 2], *range(number * 10, number * 10 + 10), wants_outcome=True)
    quiet = 0
    while quiet < 3:
        try:
            quiet = 0 if loader.step() else quiet + 1
        except OSError:
            quiet = 0
    assert failures >= 5
    for tenant, rest in (("a", 0), ("b", 1)):
        assert house.ids(tenant) == [str(number) for number in range(2000) if number // 10 % 2 == rest]
    assert house.archives.tenant("a").query("SELECT count(*) AS n FROM duplicates") == [{"n": 0}]
