"""The file of refused lines."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from eventcenter.errors import InvalidInput


class RejectsFile:
    """Gets refused lines as they were; without a path they go nowhere."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self.size = 0
        """Bytes written, to be kept in the marks."""

    @contextmanager
    def opened(self, size: int) -> Iterator[None]:
        """Open the file, keep its first `size` bytes (an earlier run's) and go on behind them.

        Raises InvalidInput where it cannot be written.
        """
        if self._path is None:
            self.size = size
            yield
            return
        try:
            self._file = self._path.open("r+b" if size and self._path.exists() else "wb")
        except OSError as error:
            raise InvalidInput(
                f"cannot write the rejects: {error.strerror}",
                value=self._path,
                remedy="name a file that can be written: --rejects FILE",
            ) from error
        with self._file as file:
            file.truncate(min(size, file.seek(0, 2)))
            self.size = file.seek(0, 2)
            yield
        self._file = None

    def write(self, lines: Sequence[bytes]) -> None:
        """Add lines; they are with the system when this returns."""
        if self._file is None or not lines:
            return
        self.size += self._file.write(b"".join(line.rstrip(b"\r\n") + b"\n" for line in lines))
        self._file.flush()
