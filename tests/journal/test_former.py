"""Files that were written by the writer of format 1 (stored in `former/`) are still read."""

import shutil
from pathlib import Path

from eventcenter.clock import ManualClock
from eventcenter.journal import Block, BlockKind, JournalReader, JournalWriter, Position, used_bytes
from eventcenter.journal.format import FILE_HEADER, decode_file_header, file_path

FORMER = Path(__file__).parent / "former" / "main"


def former(folder: Path) -> Path:
    shutil.copytree(FORMER, folder / "main")
    return folder / "main"


def test_all_blocks_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = former(tmp_path)
    assert file_path(folder, 1).read_bytes()[:10] == b"ECJOURNL\x01\x00"
    reader = JournalReader(folder)
    blocks, damages = reader.read(1 << 20)
    assert not damages
    assert reader.journal_id == (folder / "id").read_bytes()
    assert [read.block.payload for read in blocks] == [
        b'id-%d\t/former\tt\t\t\tapplication/json\t\t\tjson\t{"n":%d}\n' % (n, n) for n in range(18)
    ]
    assert [read.block.tenant for read in blocks[:3]] == ["acme", "other", "acme"]
    assert {read.block.kind for read in blocks[2::3]} == {BlockKind.REJECTS}
    assert [n for n, read in enumerate(blocks) if read.block.wants_outcome] == [7]
    assert blocks[0].position == Position(1, FILE_HEADER.size)
    assert len({read.position for read in blocks}) == 18


def test_the_writer_of_today_goes_on_behind_them(tmp_path: Path) -> None:
    folder = former(tmp_path)
    before = used_bytes(folder)
    writer = JournalWriter(tmp_path, clock=ManualClock())
    new = Block(kind=BlockKind.EVENTS, tenant="acme", bus="orders", payload=b"new\n", count=1)
    assert writer.append([new]) == [Position(4, FILE_HEADER.size)]
    writer.close()
    assert decode_file_header(file_path(folder, 4).read_bytes()) == (FORMER / "id").read_bytes()
    blocks, damages = JournalReader(folder).read(1 << 20)
    assert not damages
    assert len(blocks) == 19
    assert blocks[-1].block.payload == b"new\n"
    assert used_bytes(folder) > before


def test_a_torn_tail_of_theirs_is_cut(tmp_path: Path) -> None:
    folder = former(tmp_path)
    last = file_path(folder, 3)
    last.write_bytes(last.read_bytes()[:-5])
    JournalWriter(tmp_path, clock=ManualClock()).close()
    blocks, damages = JournalReader(folder).read(1 << 20)
    assert not damages
    assert len(blocks) == 17
