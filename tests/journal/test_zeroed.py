"""Files that are zeroed ahead: what they hold is what was written, whatever happens in between."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventcenter.clock import ManualClock
from eventcenter.errors import StorageFull
from eventcenter.journal import Block, BlockKind, Damage, JournalReader, JournalWriter, ReadBlock, used_bytes
from eventcenter.journal import writer as writer_module
from eventcenter.journal.format import BLOCK_HEADER_BYTES, FILE_HEADER, encode_block, file_numbers, file_path

ZEROED = 64 << 10


def block(payload: bytes) -> Block:
    return Block(kind=BlockKind.EVENTS, tenant="t", bus="b", payload=payload, count=1)


def opened(folder: Path, *, zeroed: int = ZEROED, **given: Any) -> JournalWriter:
    return JournalWriter(folder, clock=ManualClock(), zeroed_bytes=zeroed, **given)


def in_zeroed_file(folder: Path, *payloads: bytes, zeroed: int = ZEROED) -> JournalWriter:
    """A writer whose present file, number 2, was zeroed ahead and holds the payloads, a group each."""
    writer = opened(folder, zeroed=zeroed)
    writer.append([block(b"first")])
    writer._ahead.prepare()
    writer._ahead.wait()
    for payload in payloads:
        writer.append([block(payload)])
    assert writer._number == 2
    assert file_path(folder / "main", 2).stat().st_size == zeroed
    return writer


def crashed(folder: Path, copy: Path) -> Path:
    """The files as a crash at this moment leaves them."""
    shutil.copytree(folder, copy)
    return copy


def read_on(reader: JournalReader) -> tuple[list[ReadBlock], list[Damage]]:
    blocks: list[ReadBlock] = []
    damages: list[Damage] = []
    while True:
        found, damaged = reader.read(1 << 20)
        blocks += found
        damages += damaged
        if not found and not damaged:
            return blocks, damages


def payloads_of(folder: Path) -> list[bytes]:
    blocks, damages = read_on(JournalReader(folder))
    assert not damages
    return [read.block.payload for read in blocks]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    groups=st.lists(st.lists(st.binary(max_size=300), max_size=4), max_size=30),
    segment=st.integers(1, 3000),
    zeroed=st.integers(1, 1500),
    room=st.integers(1, 500),
    waits=st.integers(1, 5),
)
def test_everything_written_is_read_in_order(  # noqa: PLR0917 hypothesis gives them by name
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    groups: list[list[bytes]],
    segment: int,
    zeroed: int,
    room: int,
    waits: int,
) -> None:
    monkeypatch.setattr(writer_module, "_ZEROING_PAYS", 1)
    folder = tmp_path_factory.mktemp("journal")
    writer = opened(folder, zeroed=zeroed, segment_bytes=segment)
    reader = JournalReader(folder / "main")
    found: list[bytes] = []
    places = set()
    for number, group in enumerate(groups):
        places |= set(writer.append([block(payload) for payload in group]))
        if number % waits == 0:
            writer._ahead.wait()
        blocks, damages = reader.read(room)
        assert not damages
        found += [read.block.payload for read in blocks]
        writer._measured_at = -1.0
        assert writer.size() == used_bytes(folder / "main")
    writer.close()
    blocks, damages = read_on(reader)
    assert not damages
    wanted = [payload for group in groups for payload in group]
    assert found + [read.block.payload for read in blocks] == wanted
    assert len(places) == len(wanted)
    assert not (folder / "main" / "ahead").exists()


def test_small_groups_come_to_write_into_zeroed_files_and_large_ones_do_not(tmp_path: Path) -> None:
    small, large = opened(tmp_path / "small"), opened(tmp_path / "large")
    for _ in range(100):
        small.append([block(b"x" * 20)])
        large.append([block(b"x" * (300 << 10))])
        small._ahead.wait()
        large._ahead.wait()
    assert small._zeroed == ZEROED
    assert large._zeroed == 0
    assert not large._ahead.ready
    small.close()
    large.close()


def test_the_next_file_is_ready_when_one_is_full(tmp_path: Path) -> None:
    writer = in_zeroed_file(tmp_path, b"one")
    for number in range(1000):
        writer.append([block(b"%0100d" % number)])
        writer._ahead.wait()
        assert writer._offset <= writer._zeroed
    assert writer._number >= 3
    # A file is given up at its last block, not with a sync that has to lengthen it.
    assert all(file_path(tmp_path / "main", n).stat().st_size <= ZEROED for n in range(2, writer._number))
    writer.close()
    assert payloads_of(tmp_path / "main") == [b"first", b"one", *(b"%0100d" % n for n in range(1000))]


def test_zeros_do_not_count(tmp_path: Path) -> None:
    writer = in_zeroed_file(tmp_path, b"x" * 100)
    writer._measured_at = -1.0
    assert writer.size() == used_bytes(tmp_path / "main") < 400
    writer.close()
    assert sum(path.stat().st_size for path in (tmp_path / "main").glob("*.journal")) == writer.size()


def test_a_reader_waits_at_the_zeros_and_goes_on(tmp_path: Path) -> None:
    writer = in_zeroed_file(tmp_path, b"one")
    reader = JournalReader(tmp_path / "main")
    assert [read.block.payload for read in read_on(reader)[0]] == [b"first", b"one"]
    assert read_on(reader) == ([], [])
    writer.append([block(b"two"), block(b"three")])
    assert [read.block.payload for read in read_on(reader)[0]] == [b"two", b"three"]
    writer.close()


@pytest.mark.parametrize("done", [0, 3, 40, 90, 150])
def test_half_written_blocks_are_read_once_they_are_whole(tmp_path: Path, done: int) -> None:
    writer = in_zeroed_file(tmp_path, b"one")
    reader = JournalReader(tmp_path / "main")
    read_on(reader)
    at = writer._offset
    new = block(b"half" * 40)
    whole = encode_block(new, 1) + new.payload
    with file_path(tmp_path / "main", 2).open("r+b") as file:
        file.seek(at)
        file.write(whole[:done])
        file.flush()
        assert read_on(reader) == ([], [])
        file.write(whole[done:])
    assert [read.block for read in read_on(reader)[0]] == [new]
    writer.close()


def test_a_reader_races_the_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "_ZEROING_PAYS", 1)
    monkeypatch.setattr(os, "fdatasync", lambda _file: None)
    writer = opened(tmp_path)
    over = threading.Event()
    found: list[bytes] = []
    places: list[tuple[int, int]] = []
    damaged: list[Damage] = []

    def read() -> None:
        reader = JournalReader(tmp_path / "main")
        while True:
            last = over.is_set()
            blocks, damages = reader.read(100_000)
            found.extend(each.block.payload for each in blocks)
            places.extend(each.position for each in blocks)
            damaged.extend(damages)
            if last and not blocks:
                return

    thread = threading.Thread(target=read)
    thread.start()
    random_ = random.Random(5)
    wanted: list[bytes] = []
    try:
        for number in range(3000):
            group = [
                b"%d %d " % (number, n) + b"x" * random_.randrange(400) for n in range(random_.randrange(3))
            ]
            writer.append([block(payload) for payload in group])
            wanted += group
            if number % 50 == 0:
                # Zeroing keeps pace, however busy the disk is.
                writer._ahead.wait()
    finally:
        over.set()
        thread.join()
        writer.close()
    assert writer._number > 5
    assert not damaged
    assert found == wanted
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("seed", range(20))
def test_a_group_torn_by_a_crash_is_cut_with_the_zeros(tmp_path: Path, seed: int) -> None:
    print(f"seed {seed}")
    random_ = random.Random(seed)
    writer = in_zeroed_file(tmp_path / "a", b"one", b"two")
    end = writer._offset
    torn = block(bytes(random_.randrange(1, 256) for _ in range(20_000)))
    writer.append([torn])
    behind = writer._offset
    copy = crashed(tmp_path / "a", tmp_path / "b")
    writer.close()
    path = file_path(copy / "main", 2)
    data = bytearray(path.read_bytes())
    # Pages reach the disk in any order: at least one did not.
    pages = range(end // 4096, behind // 4096 + 1)
    for page in random_.sample(pages, random_.randrange(1, len(pages) + 1)):
        start, stop = max(page * 4096, end), min((page + 1) * 4096, behind)
        data[start:stop] = bytes(stop - start)
    path.write_bytes(data)

    reader = JournalReader(copy / "main")
    assert [read.block.payload for read in read_on(reader)[0]] == [b"first", b"one", b"two"]
    again = opened(copy)
    assert path.stat().st_size == end
    (place,) = again.append([block(b"after")])
    assert place.file == 3
    again.close()
    blocks, damages = read_on(reader)
    assert [read.block.payload for read in blocks] == [b"after"]
    assert not damages


def test_what_stands_behind_lost_bytes_is_kept(tmp_path: Path) -> None:
    writer = in_zeroed_file(tmp_path / "a", b"one", b"two" * 50, b"three", b"four")
    copy = crashed(tmp_path / "a", tmp_path / "b")
    writer.close()
    path = file_path(copy / "main", 2)
    data = bytearray(path.read_bytes())
    at = data.index(b"twotwo")
    # The block's header and all of its payload.
    start, end = at - BLOCK_HEADER_BYTES - len("tb"), at + 150
    data[start:end] = bytes(end - start)
    path.write_bytes(data)
    opened(copy).close()
    blocks, damages = read_on(JournalReader(copy / "main"))
    assert [read.block.payload for read in blocks] == [b"first", b"one", b"three", b"four"]
    assert [(damage.path, damage.start, damage.end) for damage in damages] == [(path, start, end)]


def test_zeros_that_were_not_cut_are_no_damage(tmp_path: Path) -> None:
    writer = in_zeroed_file(tmp_path / "a", b"one")
    copy = crashed(tmp_path / "a", tmp_path / "b")
    writer.close()
    reader = JournalReader(copy / "main")
    read_on(reader)
    # As if the newer file had become durable and the cut had not.
    shutil.copy(file_path(copy / "main", 1), file_path(copy / "main", 3))
    assert [read.block.payload for read in read_on(reader)[0]] == [b"first"]
    assert payloads_of(copy / "main") == [b"first", b"one", b"first"]


def test_a_file_left_over_from_zeroing_is_never_read(tmp_path: Path) -> None:
    writer = in_zeroed_file(tmp_path / "a", b"one")
    copy = crashed(tmp_path / "a", tmp_path / "b")
    writer.close()
    stale = file_path(copy / "main", 1).read_bytes()
    (copy / "main" / "ahead").write_bytes(stale + bytes(1000))
    assert payloads_of(copy / "main") == [b"first", b"one"]
    again = opened(copy)
    assert not again._ahead.ready
    again.append([block(b"two")])
    again._ahead.prepare()
    again._ahead.wait()
    again.append([block(b"three")])
    assert again._zeroed == ZEROED
    again.close()
    assert payloads_of(copy / "main") == [b"first", b"one", b"two", b"three"]


def test_a_failed_write_gives_up_a_zeroed_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = in_zeroed_file(tmp_path, b"one")
    end = writer._offset
    failing(monkeypatch, "fdatasync", errno.EIO, times=1)
    with pytest.raises(Exception, match="cannot be written"):
        writer.append([block(b"lost")])
    assert file_path(tmp_path / "main", 2).stat().st_size == end
    (place,) = writer.append([block(b"two")])
    assert place.file == 3
    writer.close()
    assert payloads_of(tmp_path / "main") == [b"first", b"one", b"two"]


@pytest.mark.parametrize(("call", "times"), [("pwrite", 1), ("fdatasync", 1), ("fsync", 1)])
def test_a_full_disk_while_zeroing_leaves_plain_appends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, times: int
) -> None:
    writer = opened(tmp_path)
    writer.append([block(b"one")])
    with monkeypatch.context() as patched:
        failing(patched, call, errno.ENOSPC, times=times)
        writer._ahead.prepare()
        writer._ahead.wait()
    assert not writer._ahead.ready
    assert not (tmp_path / "main" / "ahead").exists()
    writer.append([block(b"two")])
    assert file_numbers(tmp_path / "main") == [1]
    # It is not tried again at once, with each group.
    writer._ahead.prepare()
    writer._ahead.wait()
    assert not writer._ahead.ready
    writer.close()
    assert payloads_of(tmp_path / "main") == [b"one", b"two"]


def test_a_full_disk_behind_the_zeros_is_told_and_heals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = in_zeroed_file(tmp_path, b"one", zeroed=1000)
    with monkeypatch.context() as patched:
        failing(patched, "pwritev", errno.ENOSPC, times=1)
        with pytest.raises(StorageFull):
            writer.append([block(b"x" * 2000)])
    writer.append([block(b"two")])
    writer.close()
    assert payloads_of(tmp_path / "main") == [b"first", b"one", b"two"]


def test_nothing_is_zeroed_at_the_floor_or_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "_ZEROING_PAYS", 1)
    free = shutil.disk_usage(tmp_path).free
    # A file of a fifth of what is free would pass the floor.
    floor = opened(tmp_path / "floor", zeroed=free, segment_bytes=free, disk_floor_bytes=free // 8 * 7)
    bound = opened(tmp_path / "bound", max_bytes=ZEROED)
    for writer in (floor, bound):
        writer.append([block(b"one")])
        writer._ahead.wait()
        assert not writer._ahead.ready
        writer.append([block(b"two")])
        writer.close()
    assert payloads_of(tmp_path / "floor" / "main") == payloads_of(tmp_path / "bound" / "main")


_WRITES = """
import sys
from pathlib import Path
from typing import Any
from eventcenter.clock import SystemClock
from eventcenter.journal import Block, BlockKind, JournalWriter, writer

writer._ZEROING_PAYS = 1
made = JournalWriter(Path(sys.argv[1]), clock=SystemClock(), zeroed_bytes=1 << 20)
number = 0
while True:
    block = Block(kind=BlockKind.EVENTS, tenant="t", bus="b", payload=b"%d " % number + b"x" * 9000, count=1)
    made.append([block])
    print(number, flush=True)
    number += 1
"""


@pytest.mark.parametrize("acknowledged", [1, 2, 120, 240])
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, acknowledged: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITES, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stdout is not None
    for _ in range(acknowledged):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    told = acknowledged + len(process.stdout.read().splitlines())
    process.wait()
    process.stdout.close()
    writer = opened(tmp_path)
    writer.append([block(b"after x")])
    writer.close()
    found = [int(payload.split()[0]) for payload in payloads_of(tmp_path / "main")[:-1]]
    assert found == list(range(len(found)))
    assert len(found) >= told
    assert not (tmp_path / "main" / "ahead").exists()


def test_the_header_of_a_zeroed_file_is_there_before_its_name(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    writer._ahead.prepare()
    writer._ahead.wait()
    held = (tmp_path / "main" / "ahead").read_bytes()
    assert held[: FILE_HEADER.size] == file_path(tmp_path / "main", 1).read_bytes()
    assert held[FILE_HEADER.size :] == bytes(ZEROED - FILE_HEADER.size)
    writer.close()


def failing(patched: pytest.MonkeyPatch, name: str, code: int, *, times: int) -> None:
    """Let the first calls of a function of `os` fail."""
    real: Callable[..., object] = getattr(os, name)
    left = [times]

    def call(*given: Sequence[object]) -> object:
        if left[0]:
            left[0] -= 1
            raise OSError(code, os.strerror(code))
        return real(*given)

    patched.setattr(os, name, call)
