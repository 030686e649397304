"""How much of each file is acknowledged, so that the next run goes on there."""

import hashlib
import os
from pathlib import Path

import msgspec

from eventcenter.errors import InvalidInput
from eventcenter.importing.files import Source
from eventcenter.importing.part import Place


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far one file is: everything before `offset` and `lines` (see Place) is acknowledged."""

    path: str
    size: int
    modified_ns: int
    offset: int = 0
    lines: int = 0
    accepted: int = 0
    rejected: int = 0
    rejects_bytes: int = 0
    """Length of the file of rejects when this was written."""
    done: bool = False

    @property
    def place(self) -> Place:
        return Place(offset=self.offset, lines=self.lines)


class Memory:
    """Keeps one small file for each file of an import that is not finished.

    A mark counts for the same file (path, size, time of change), service, bus and token only: any other of
    these is another import.
    """

    def __init__(self, folder: Path, *, url: str, bus: str | None, token: str) -> None:
        self._folder = folder
        self._target = "\0".join((url, "\0" if bus is None else bus, token))

    def recall(self, source: Source) -> Mark:
        """The mark of the file; that of the beginning where there is none, or the file has changed."""
        fresh = self.fresh(source)
        try:
            found = msgspec.json.decode(self._file(fresh.path).read_bytes(), type=Mark)
        except (OSError, msgspec.DecodeError):
            return fresh
        same = (found.path, found.size, found.modified_ns) == (fresh.path, fresh.size, fresh.modified_ns)
        return found if same else fresh

    def fresh(self, source: Source) -> Mark:
        """The mark of the file's beginning."""
        return Mark(path=str(source.path.resolve()), size=source.size, modified_ns=source.modified_ns)

    def keep(self, mark: Mark) -> None:
        """Write a mark in place of the file's earlier one, whole or not at all. Raises InvalidInput."""
        path = self._file(mark.path)
        new = path.with_suffix(".new")
        try:
            try:
                new.write_bytes(msgspec.json.encode(mark))
            except FileNotFoundError:
                self._folder.mkdir(parents=True, mode=0o700, exist_ok=True)
                new.write_bytes(msgspec.json.encode(mark))
            new.replace(path)
        except OSError as error:
            raise InvalidInput(
                f"cannot write down how far the import is: {error.strerror}",
                value=path,
                remedy="make the folder writable, or name another place for it: XDG_STATE_HOME=…",
            ) from error

    def forget(self, mark: Mark) -> None:
        """Remove the file's mark."""
        self._file(mark.path).unlink(missing_ok=True)

    def _file(self, path: str) -> Path:
        name = hashlib.sha256(f"{self._target}\0{path}".encode()).hexdigest()[:32]
        return self._folder / f"{name}.json"


def default_folder() -> Path:
    """The folder for marks in this user's state folder (XDG base directories)."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return base / "eventcenter" / "imports"
