"""An import: files in their order, parts ahead of the answers, marks behind them."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from eventcenter.errors import InvalidInput
from eventcenter.importing.files import Source
from eventcenter.importing.memory import Mark, Memory
from eventcenter.importing.part import Part, Reader
from eventcenter.importing.posting import Posted
from eventcenter.importing.rejects import RejectsFile

_AHEAD = 3
"""Parts that are read while all connections are busy."""


class Door(Protocol):
    """Takes a part to the service (see posting.Poster)."""

    def post(self, part: Part) -> Posted:
        """What became of its events."""
        ...

    def stop(self) -> None:
        """Wait for nothing any more."""
        ...


@dataclass(frozen=True, kw_only=True)
class Reject:
    """A refused event, with its place."""

    path: Path
    unit: str
    """line or row."""
    number: int
    error: str


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an import is; what an earlier run did counts too, except in `events`."""

    path: Path
    read: int
    """Bytes of all files, as they lie on disk, that are acknowledged."""
    events: int
    """Accepted or refused in this run."""


@dataclass(kw_only=True)
class Result:
    """What became of all files; what an interrupted earlier run did is counted in."""

    files: int = 0
    accepted: int = 0
    rejected: int = 0
    stored: int = 0
    duplicates: int = 0
    not_stored: int = 0
    not_archived: int = 0
    events: int = 0
    """Accepted or refused in this run."""
    earlier: int = 0
    """Accepted or refused in the earlier run that this one went on with."""
    broken: int = 0
    """Files that could not be read to their end."""

    @property
    def good(self) -> bool:
        """Whether every event of every file was accepted (and archived, as far as that was waited for)."""
        return not (self.rejected or self.not_stored or self.not_archived or self.broken)


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Who hears what happens meanwhile."""

    progress: Callable[[Progress], None] = lambda _: None
    reject: Callable[[Reject], None] = lambda _: None
    resumed: Callable[[int], None] = lambda _: None
    """An earlier run was interrupted; it brought so many events, which this run leaves out."""
    broken: Callable[[InvalidInput], None] = lambda _: None
    """A file cannot be read further; the import goes on with the next one."""


class Import:
    """Brings files to a service. Parts are posted several at a time and settled in the order of the files.

    After each settled part the file's mark moves on; a new run of the same import begins at the marks. What
    was posted behind a mark when a run was cut off is posted again, and the events' ids make that harmless.
    """

    def __init__(
        self,
        files: Sequence[Source],
        *,
        reader: Callable[[Source], Reader],
        door: Door,
        memory: Memory,
        connections: int = 2,
        rejects: Path | None = None,
        listener: Listener | None = None,
    ) -> None:
        """`rejects` gets the lines that are refused."""
        self._files = files
        self._reader = reader
        self._door = door
        self._memory = memory
        self._connections = connections
        self._rejects = RejectsFile(rejects)
        self._listener = listener or Listener()
        self._result = Result(files=len(files))
        self._read = 0

    def run(self, *, restart: bool = False) -> Result:
        """Import all files; with `restart` from their beginning, whatever an earlier run did.

        A broken file is told to the listener and left behind; whatever the service refuses as a whole is
        raised, and the marks stay for the next run.
        """
        recall = self._memory.fresh if restart else self._memory.recall
        files = [_File(source=source, mark=recall(source)) for source in self._files]
        for file in files:
            self._result.accepted += file.mark.accepted
            self._result.rejected += file.mark.rejected
            self._result.earlier += file.mark.accepted + file.mark.rejected
        if self._result.earlier:
            self._listener.resumed(self._result.earlier)
        pool = ThreadPoolExecutor(self._connections, "import")
        with self._rejects.opened(max((file.mark.rejects_bytes for file in files), default=0)), pool:
            waiting: deque[tuple[_File, _Step, Future[Posted] | None]] = deque()
            try:
                for file, step in self._steps(files):
                    posting = pool.submit(self._door.post, step) if isinstance(step, Part) else None
                    waiting.append((file, step, posting))
                    while len(waiting) >= self._connections + _AHEAD:
                        self._settle(*waiting.popleft())
                while waiting:
                    self._settle(*waiting.popleft())
            except BaseException:
                self._door.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if not self._result.broken:
            for file in files:
                self._memory.forget(file.mark)
        return self._result

    def _steps(self, files: Sequence["_File"]) -> Iterator[tuple["_File", "_Step"]]:
        for file in files:
            if file.mark.done:
                yield file, None
                continue
            try:
                reader = self._reader(file.source)
                file.unit = reader.unit
                for part in reader.parts(file.mark.place):
                    yield file, part
            except InvalidInput as error:
                yield file, error
            else:
                yield file, None

    def _settle(self, file: "_File", step: "_Step", posting: Future[Posted] | None) -> None:
        if isinstance(step, InvalidInput):
            self._result.broken += 1
            self._listener.broken(step)
        elif step is None or posting is None:
            file.mark = msgspec.structs.replace(file.mark, done=True, rejects_bytes=self._rejects.size)
            self._memory.keep(file.mark)
            self._read += file.source.size
            self._listener.progress(
                Progress(path=file.source.path, read=self._read, events=self._result.events)
            )
        else:
            self._count(file, step, posting.result())

    def _count(self, file: "_File", part: Part, posted: Posted) -> None:
        result = self._result
        result.accepted += posted.accepted
        result.rejected += posted.rejected
        result.events += posted.accepted + posted.rejected
        result.stored += posted.stored
        result.duplicates += posted.duplicates
        result.not_stored += posted.not_stored
        result.not_archived += posted.not_archived
        for refused in posted.refused:
            self._listener.reject(
                Reject(path=file.source.path, unit=file.unit, number=refused.number, error=refused.error)
            )
        self._rejects.write([refused.line for refused in posted.refused])
        file.mark = msgspec.structs.replace(
            file.mark,
            offset=part.place.offset,
            lines=part.place.lines,
            accepted=file.mark.accepted + posted.accepted,
            rejected=file.mark.rejected + posted.rejected,
            rejects_bytes=self._rejects.size,
        )
        self._memory.keep(file.mark)
        self._listener.progress(
            Progress(path=file.source.path, read=self._read + part.read, events=result.events)
        )


@dataclass(kw_only=True)
class _File:
    source: Source
    mark: Mark
    unit: str = "line"


_Step = Part | InvalidInput | None
"""What comes next of a file: a part, what is wrong with the file, or its end."""
