"""A journal file that is zeroed before it is needed: syncs of bytes that are there already are cheaper.

A sync behind the end of a file has to make its new length durable too, which in most file systems is a
transaction of its own.
"""

import contextlib
import errno
import os
import threading
import time
from pathlib import Path

_NAME = "ahead"
_STEP = 1 << 20
_ZEROS = bytes(_STEP)
_RETRY_S = 30.0


class Ahead:
    """At most one file of zeros in a writer's folder, under a name that no reader looks for.

    It is made by a thread of its own and never used twice: a file that is left over from a crash is removed,
    whatever is in it.
    """

    def __init__(self, folder: Path, *, header: bytes, size: int, disk_floor_bytes: int) -> None:
        """The file will have `size` bytes, `header` at its begin."""
        self._path = folder / _NAME
        self._folder = folder
        self._header = header
        self._size = max(size, len(header))
        self._floor = disk_floor_bytes
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._file = -1
        self._not_before = 0.0
        self._path.unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """Bytes of the file that `take` gives."""
        return self._size

    @property
    def ready(self) -> bool:
        """Whether there is a file to take."""
        return self._file >= 0

    def prepare(self) -> None:
        """See to it that there will be a file; returns at once. On a full disk there is none, no error."""
        if self._thread is not None:
            if self._thread.is_alive():
                return
            self._thread = None
        if self._file >= 0 or time.monotonic() < self._not_before:
            return
        self._thread = threading.Thread(target=self._make, name="journal-ahead")
        self._thread.start()

    def take(self, path: Path) -> int:
        """Give the file its name; its descriptor, which is the caller's from now on. Raises OSError."""
        self._path.rename(path)
        file, self._file = self._file, -1
        return file

    def wait(self) -> None:
        """Until `prepare` is done."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def close(self) -> None:
        """Stop what is under way and remove the file."""
        self._stop.set()
        self.wait()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._path.unlink(missing_ok=True)

    def _make(self) -> None:
        file = -1
        try:
            stats = os.statvfs(self._folder)
            if stats.f_bavail * stats.f_frsize - self._size < self._floor:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301 one way out for all
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            self._fill(file)
        except OSError:
            self._not_before = time.monotonic() + _RETRY_S
            if file >= 0:
                os.close(file)
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            return
        self._file = file

    def _fill(self, file: int) -> None:
        written = 0
        while written < self._size and not self._stop.is_set():
            written += os.pwrite(file, _ZEROS[: self._size - written], written)
            # Step by step, so that no sync of the journal has to wait behind all of it.
            os.fdatasync(file)
        os.pwrite(file, self._header, 0)
        os.fsync(file)
