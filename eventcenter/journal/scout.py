"""Looks ahead in a journal for the blocks of some tenants, reading little but headers of all others."""

import os
from pathlib import Path
from typing import Final

from eventcenter.journal import format as fmt
from eventcenter.journal.format import Position, ReadBlock

_WINDOW: Final = 64 << 10
_MOST_BLOCKS: Final = 20_000


class JournalScout:
    """Goes ahead of a `JournalReader`, which comes to the same blocks later; not thread-safe.

    It stops at damage, which is the reader's to deal with.
    """

    def __init__(self, folder: Path, after: Position) -> None:
        """Begin behind the block at `after`."""
        self._folder = folder
        self._number = after.file
        self._offset = after.start
        self._begun = False

    @property
    def position(self) -> Position:
        """Everything before it was looked at."""
        return Position(self._number, self._offset)

    def look(self, passed: set[str], most_bytes: int) -> list[ReadBlock]:
        """The next blocks, in order, but for those of the tenants in `passed`.

        A tenant with more than `most_bytes` is added to `passed`, with the block that would be too much: its
        blocks are to be loaded in order, so nothing behind that one may be taken either. Looks at some
        thousand blocks at most; the next call goes on.
        """
        found: list[ReadBlock] = []
        taken: dict[str, int] = {}
        left = _MOST_BLOCKS
        while left > 0:
            looked = self._look_in_file(passed, most_bytes, found, taken, left)
            left -= looked
            if looked == 0 and not self._next_file():
                break
        return found

    def _look_in_file(
        self,
        passed: set[str],
        most_bytes: int,
        found: list[ReadBlock],
        taken: dict[str, int],
        most_blocks: int,
    ) -> int:
        try:
            file = os.open(fmt.file_path(self._folder, self._number), os.O_RDONLY)
        except FileNotFoundError:
            return 0
        looked = 0
        try:
            window, begins = b"", self._offset
            while looked < most_blocks:
                at = self._offset - begins
                if at + fmt.LONGEST_HEADER_BYTES > len(window):
                    window, begins, at = os.pread(file, _WINDOW, self._offset), self._offset, 0
                header = window[at : at + fmt.LONGEST_HEADER_BYTES]
                length = fmt.claimed_bytes(header)
                tenant = fmt.claimed_tenant(header)
                if not length or tenant is None or os.fstat(file).st_size < self._offset + length:
                    break
                if self._begun and tenant not in passed:
                    taken[tenant] = taken.get(tenant, 0) + length
                    if taken[tenant] > most_bytes:
                        passed.add(tenant)
                    else:
                        data = os.pread(file, length, self._offset)
                        block = fmt.decode_block(memoryview(data), 0, self.position)
                        if block is None:
                            break
                        found.append(block[0])
                self._begun = True
                self._offset += length
                looked += 1
        finally:
            os.close(file)
        return looked

    def _next_file(self) -> bool:
        """Go on where a closed file ends and nothing but zeros follows."""
        path = fmt.file_path(self._folder, self._number)
        later = [number for number in fmt.file_numbers(self._folder) if number > self._number]
        if not later:
            return False
        if path.exists():
            with path.open("rb") as file:
                file.seek(self._offset)
                if file.read(_WINDOW).strip(b"\0"):
                    return False
        self._number, self._offset = later[0], fmt.FILE_HEADER.size
        self._begun = True
        return True
