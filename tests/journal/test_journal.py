"""The journal under crashes, torn tails and damage."""

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventcenter.clock import ManualClock
from eventcenter.errors import Busy, Conflict, StorageFull
from eventcenter.journal import (
    Block,
    BlockKind,
    JournalReader,
    JournalWriter,
    Outcome,
    OutcomeReader,
    OutcomeWriter,
    Position,
)
from eventcenter.journal.format import FILE_HEADER, file_numbers, file_path


def block(payload: bytes = b"line\n", *, tenant: str = "t", bus: str = "b") -> Block:
    return Block(kind=BlockKind.EVENTS, tenant=tenant, bus=bus, payload=payload, count=payload.count(b"\n"))


def read_all(folder: Path, max_bytes: int = 1 << 20) -> list[bytes]:
    reader = JournalReader(folder)
    found: list[bytes] = []
    while True:
        blocks, damages = reader.read(max_bytes)
        assert not damages
        if not blocks:
            return found
        found.extend(read.block.payload for read in blocks)


@settings(max_examples=40, deadline=None)
@given(
    groups=st.lists(st.lists(st.binary(max_size=300), max_size=4), max_size=12),
    segment=st.integers(1, 600),
    room=st.integers(1, 500),
)
def test_everything_written_is_read_in_order(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[bytes]], segment: int, room: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    writer = JournalWriter(folder, clock=ManualClock(), segment_bytes=segment)
    for group in groups:
        writer.append([block(payload) for payload in group])
    writer.close()
    assert read_all(folder / "main", room) == [payload for group in groups for payload in group]


def test_received_at_never_goes_back_even_when_the_clock_does(tmp_path: Path) -> None:
    clock = ManualClock()
    writer = JournalWriter(tmp_path, clock=clock)
    writer.append([block()])
    clock.advance(-3600)
    writer.append([block()])
    writer.close()
    again = JournalWriter(tmp_path, clock=clock)
    again.append([block()])
    again.close()
    blocks, _ = JournalReader(tmp_path / "main").read(1 << 20)
    stamps = [read.received_at for read in blocks]
    assert len(stamps) == 3
    assert stamps == sorted(stamps)


@pytest.mark.parametrize("seed", range(20))
def test_a_torn_tail_is_cut_and_no_position_is_used_twice(tmp_path: Path, seed: int) -> None:
    print(f"seed {seed}")
    random_ = random.Random(seed)
    writer = JournalWriter(tmp_path, clock=ManualClock())
    positions = [writer.append([block(b"whole %d\n" % i)])[0] for i in range(3)]
    writer.append([block(b"torn " * 50 + b"\n")])
    writer.close()
    path = file_path(tmp_path / "main", 1)
    whole = path.stat().st_size
    os.truncate(path, whole - random_.randrange(1, 290))

    reader = JournalReader(tmp_path / "main")
    blocks, damages = reader.read(1 << 20)
    assert [read.position for read in blocks] == positions
    assert not damages, "the newest file's tail may still be being written"

    again = JournalWriter(tmp_path, clock=ManualClock())
    new = again.append([block(b"after\n")])
    again.close()
    assert new == [Position(2, FILE_HEADER.size)]
    blocks, damages = reader.read(1 << 20)
    assert [read.block.payload for read in blocks] == [b"after\n"]
    assert not damages


def test_damage_in_a_closed_file_is_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, clock=ManualClock())
    positions = [writer.append([block(b"number %d\n" % index)])[0] for index in range(5)]
    writer.close()
    JournalWriter(tmp_path, clock=ManualClock()).close()
    path = file_path(tmp_path / "main", 1)
    data = bytearray(path.read_bytes())
    data[data.index(b"number 2")] ^= 0xFF
    path.write_bytes(data)
    blocks, damages = JournalReader(tmp_path / "main").read(1 << 20)
    assert [read.block.payload for read in blocks] == [b"number %d\n" % i for i in (0, 1, 3, 4)]
    assert [read.position for read in blocks] == [positions[i] for i in (0, 1, 3, 4)]
    assert len(damages) == 1
    assert damages[0].path == path


def test_a_block_larger_than_the_room_is_read_whole(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, clock=ManualClock())
    writer.append([block(b"x" * 100_000), block(b"y")])
    writer.close()
    assert read_all(tmp_path / "main", 10) == [b"x" * 100_000, b"y"]


def test_release_keeps_the_newest_file_and_what_was_not_read(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, clock=ManualClock(), segment_bytes=1)
    for _ in range(4):
        writer.append([block()])
    reader = JournalReader(tmp_path / "main")
    reader.release(Position(99, 0))
    assert file_numbers(tmp_path / "main") == [1, 2, 3, 4, 5]
    reader.read(1 << 20)
    reader.release(Position(3, 0))
    assert file_numbers(tmp_path / "main") == [3, 4, 5]
    writer.close()


def test_a_file_that_rests_goes_away_when_it_is_read(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, clock=ManualClock(), quiet_s=0)
    writer.append([block(b"little\n")])
    writer.rest()
    assert len(file_numbers(tmp_path / "main")) == 1, "little is not worth a file"
    writer.append([block(b"x" * (1 << 20) + b"\n")])
    writer.rest()
    writer.rest()
    assert len(file_numbers(tmp_path / "main")) == 2
    reader = JournalReader(tmp_path / "main")
    assert len(reader.read(1 << 30)[0]) == 2
    assert not reader.read(1 << 30)[0]
    reader.release(reader.next_position)
    assert file_numbers(tmp_path / "main") == [2]
    writer.append([block(b"after\n")])
    writer.close()
    assert read_all(tmp_path / "main") == [b"after\n"]


def test_a_busy_file_does_not_rest(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, clock=ManualClock(), quiet_s=60)
    writer.append([block(b"x" * (1 << 20) + b"\n")])
    writer.rest()
    writer.close()
    assert len(file_numbers(tmp_path / "main")) == 1


def test_the_bound_answers_busy_and_heals(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, clock=ManualClock(), max_bytes=5000, segment_bytes=1000)
    with pytest.raises(Busy) as caught:
        for _ in range(100):
            writer.append([block(b"z" * 400)])
    assert caught.value.retry_after > 0
    reader = JournalReader(tmp_path / "main")
    while reader.read(1 << 20)[0]:
        pass
    reader.release(Position(10**6, 0))
    writer.append([block(b"z" * 400)])
    writer.close()


def test_the_disk_floor_answers_storage_full(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, clock=ManualClock(), disk_floor_bytes=1 << 60)
    with pytest.raises(StorageFull, match="floor"):
        writer.append([block()])
    writer.close()


def test_files_are_small_against_the_disk_floor(tmp_path: Path) -> None:
    # One goes when all of it is archived: until then the archive needs its room beside it.
    writer = JournalWriter(tmp_path, clock=ManualClock(), disk_floor_bytes=20 << 20)
    for _ in range(12):
        writer.append([block(b"x" * (1 << 20))])
    writer.close()
    sizes = [path.stat().st_size for path in sorted((tmp_path / "main").glob("*.journal"))]
    assert len(sizes) >= 3
    assert max(sizes) <= (5 << 20) + 4096


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_keeps_nothing_of_the_group_and_goes_on(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, clock=ManualClock())
    writer.append([block(b"kept\n")])
    real, writer._file = writer._file, os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(StorageFull):
        writer.append([block(b"lost\n")])
    os.close(real)
    writer.append([block(b"after\n")])
    writer.close()
    assert read_all(tmp_path / "main") == [b"kept\n", b"after\n"]


def test_two_writers_cannot_share_a_folder(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, clock=ManualClock())
    with pytest.raises(Conflict, match="Another ingest service"):
        JournalWriter(tmp_path, clock=ManualClock())
    writer.close()


def test_a_journal_begun_anew_has_another_id(tmp_path: Path) -> None:
    first = JournalWriter(tmp_path / "a", clock=ManualClock())
    second = JournalWriter(tmp_path / "b", clock=ManualClock())
    assert first.journal_id != second.journal_id
    first.close()
    again = JournalWriter(tmp_path / "a", clock=ManualClock())
    assert again.journal_id == first.journal_id
    again.close()
    second.close()


def test_outcomes_are_told_across_replacement(tmp_path: Path) -> None:
    (tmp_path / "main").mkdir()
    reader = OutcomeReader(tmp_path)
    assert reader.poll() == []
    writer = OutcomeWriter(tmp_path / "main")
    one = Outcome(position=Position(1, 2), stored=3, duplicates=4, rejected=5)
    two = Outcome(position=Position(2, 0), stored=1, duplicates=0, rejected=0)
    writer.write([one])
    assert reader.poll() == [one]
    writer.write([one])
    writer.close()
    replaced = OutcomeWriter(tmp_path / "main")
    replaced.write([two])
    assert reader.poll() == [one, two]
    assert reader.poll() == []
    replaced.close()
    reader.close()
