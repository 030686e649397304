"""One tenant's archive: opened when needed, read by many, written by the loader."""

import contextlib
import math
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from eventcenter.archive import load as loading
from eventcenter.archive import promotion
from eventcenter.archive.alarm import Alarm
from eventcenter.archive.instance import Also, Instance
from eventcenter.archive.manifest import Fresh, Layout, Segment, index_path, segment_path
from eventcenter.archive.statement import read
from eventcenter.archive.transaction import transaction
from eventcenter.durable import sync
from eventcenter.errors import Unavailable
from eventcenter.journal import Outcome, Position, ReadBlock

FRESH_EVENTS = 300_000
"""A table of fresh events is full with so many, if no other number is given."""
FRESH_BYTES = 256 << 20
"""It is also full with so many bytes of journal lines."""
_AGAIN_S = 0.05
_ALONE_S = 0.5
"""So long readers and the loader wait for an archive that would be opened anew."""
Parameters = Sequence[object] | Mapping[str, object]


class Reader:
    """One snapshot of an archive; for one thread, inside `Archive.reader`."""

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        layout: Layout,
        last_seq: int,
        *,
        limit_s: float,
        may_hold: Callable[[Fresh, Sequence[str]], bool],
    ) -> None:
        self.may_hold = may_hold
        """Whether a table of fresh events may hold one of these ids; True where nobody knows."""
        self.cursor = cursor
        """In a read-only transaction."""
        self.layout = layout
        self.last_seq = last_seq
        """Of the newest event, 0 where there is none."""
        self.deadline = time.monotonic() + limit_s
        self._limit_s = limit_s

    def arrow(self, sql: str, parameters: Parameters = ()) -> pa.Table:
        """The result as an Arrow table. Raises Unavailable where time or memory run out."""
        with readable_errors(self._limit_s):
            return self.cursor.sql(read(sql), params=parameters or None).to_arrow_table()

    def rows(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """The result's rows, times as aware UTC datetimes."""
        with readable_errors(self._limit_s):
            # For few rows: a relation, which Arrow is made from, would plan the statement twice.
            found = self.cursor.execute(read(sql), parameters or None)
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@dataclass(frozen=True, kw_only=True)
class Copied:
    """What a copy of an archive holds."""

    events: int
    last_seq: int


@contextlib.contextmanager
def readable_errors(limit_s: float) -> Iterator[None]:
    """DuckDB's interrupt and lack of memory as errors that say what to do."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise Unavailable(
            "The query took too long and was stopped.",
            rule=f"at most {limit_s:g} s (EVENTCENTER_QUERY_TIMEOUT_S)",
            remedy="narrow the time range or add a filter on type, source or bus",
        ) from error
    except duckdb.OutOfMemoryException as error:
        raise Unavailable(
            "The query needs more memory than the archive may use.",
            rule="EVENTCENTER_ARCHIVE_MEMORY_BYTES, shared by the open archives",
            remedy="narrow the time range or add a filter on type, source or bus",
        ) from error
    except duckdb.Error as error:
        if not _is_final(error):
            raise
        raise Unavailable(
            "The archive has to be opened again after an error.",
            remedy="try again in a moment; if it lasts, see the server's log: the disk may be full",
        ) from error


def _is_final(error: BaseException) -> bool:
    """Whether the engine wants to be opened anew after this.

    It has a class for that of its own, but of an attached file, which the main file is, only a text says so.
    """
    if isinstance(error, duckdb.IOException):
        return "has been invalidated" in str(error)
    return isinstance(error, duckdb.FatalException)


class Archive:
    """A tenant's folder. Thread-safe; what writes is one at a time."""

    def __init__(
        self, folder: Path, *, memory_bytes: int, timeout_s: float, fresh_events: int | None = None
    ) -> None:
        self.folder = folder
        self._fresh_events = fresh_events
        self._memory_bytes = memory_bytes
        self._timeout_s = timeout_s
        self._condition = threading.Condition()
        self._users = 0
        self._lets_nobody_in = False
        self._instance: Instance | None = None
        self._is_invalid = False
        """The engine met an error after which it wants to be opened anew, such as a full disk."""
        self._write_mutex = threading.Lock()
        self._upkeep_mutex = threading.Lock()
        self._unsaved = False
        self._paths: Counter[str] = Counter()
        self.loaded_at = time.monotonic()
        """When something was loaded last, on the monotonic clock."""

    # -- reading ---------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def reader(self, *, timeout_s: float | None = None) -> Iterator[Reader]:
        """One read-only transaction; what runs in it longer than `timeout_s` is stopped."""
        limit = timeout_s or self._timeout_s
        with self._use() as instance:
            cursor = instance.connection.cursor()
            with readable_errors(limit), instance.snapshot(cursor) as (layout, last_seq):
                reader = Reader(cursor, layout, last_seq, limit_s=limit, may_hold=instance.may_hold)

                def stop() -> float:
                    # Again and again: one interrupt may fall between two statements.
                    cursor.interrupt()
                    return time.monotonic() + _AGAIN_S

                with Alarm(reader.deadline, stop):
                    yield reader

    def query(
        self, sql: str, parameters: Parameters = (), *, timeout_s: float | None = None
    ) -> list[dict[str, Any]]:
        """Rows of one of our own SELECTs, times as aware UTC datetimes.

        Raises Unavailable after `timeout_s` seconds (default: the setting).
        """
        with self.reader(timeout_s=timeout_s) as reader:
            return reader.rows(sql, parameters)

    def query_arrow(
        self, sql: str, parameters: Parameters = (), *, timeout_s: float | None = None
    ) -> pa.Table:
        """The same as an Arrow table."""
        with self.reader(timeout_s=timeout_s) as reader:
            return reader.arrow(sql, parameters)

    def last_seq(self) -> int:
        """The newest event's seq, 0 where there is none."""
        with self._use() as instance:
            return instance.last_seq

    def layout(self) -> Layout:
        """What the archive consists of at this moment."""
        with self._use() as instance:
            return instance.layout

    def note_paths(self, pointers: Iterable[str]) -> None:
        """Payload paths (JSON pointers) that somebody asked for; what is asked for often is promoted."""
        self._paths.update(pointers)

    # -- writing ---------------------------------------------------------------------------------------

    def load(
        self,
        journal_id: bytes,
        writer: str,
        blocks: Sequence[ReadBlock],
        *,
        rejects: Sequence[loading.Reject] = (),
        table: pa.Table | None = None,
        behind: bool = False,
    ) -> list[Outcome]:
        """See `eventcenter.archive.load.load`.

        `behind`: more waits than one load takes, and is loaded sooner into a table that promotes nothing.
        """
        with self._write() as instance:
            if self._has_full_table(instance) or (behind and self._has_promoting_table(instance)):
                instance.rotate(promote=not behind)
            outcomes = loading.load(
                instance.connection,
                journal_id,
                writer,
                blocks,
                rejects=rejects,
                table=table,
                layout=instance.layout,
                seen=instance.seen,
            )
            instance.note_state()
            self._unsaved = True
            self.loaded_at = time.monotonic()
            return outcomes

    def readable(self, block: ReadBlock) -> tuple[list[bytes], list[loading.Reject]]:
        """A poison block's good lines, and its bad ones as rejects."""
        return loading.readable_lines(block)

    def position(self, journal_id: bytes) -> Position | None:
        """How far the journal with this id was loaded."""
        with self._write() as instance:
            return loading.position(instance.connection, journal_id)

    def known_outcomes(self, journal_id: bytes, positions: Sequence[Position]) -> list[Outcome]:
        """Outcomes that were stored and perhaps not told."""
        with self._write() as instance:
            return loading.known_outcomes(instance.connection, journal_id, positions)

    @contextlib.contextmanager
    def upkeep(self) -> Iterator[None]:
        """For whoever replaces parts: no other does so meanwhile, and the archive stays open.

        Between a look at the parts and their swap nothing else may change what they hold, and an opening
        would remove files that are made but not listed yet.
        """
        with self._upkeep_mutex, self._use():
            yield

    def swap(
        self,
        *,
        fresh: Sequence[Fresh] = (),
        segments: Sequence[Segment] = (),
        by: Sequence[Segment],
        also: Also | None = None,
    ) -> None:
        """See `Instance.swap`. What the log holds is checkpointed first, so that no reader waits for it."""
        with self._write() as instance:
            with contextlib.suppress(duckdb.TransactionException):
                instance.connection.execute("CHECKPOINT")
            instance.swap(fresh=tuple(fresh), segments=tuple(segments), by=tuple(by), also=also)
            self._unsaved = True

    def rotate(self) -> None:
        """See `Instance.rotate`."""
        with self._write() as instance:
            instance.rotate()

    def next_segment_number(self) -> int:
        """See `Instance.next_segment_number`."""
        with self._write() as instance:
            return instance.next_segment_number()

    def write(self, change: Callable[[duckdb.DuckDBPyConnection], None]) -> None:
        """Run `change` in a transaction of the main file."""
        with self._write() as instance:
            with transaction(instance.connection):
                change(instance.connection)
            instance.note_state()
            self._unsaved = True

    def shrink(self, *, thoroughly: bool = False) -> bool:
        """Give back what the main file no longer needs, if it is much and readers soon end; whether it did.

        A file cannot lose blocks in its middle, so it is copied and the copy takes its name. `thoroughly`:
        however little it is, since free blocks still hold what was deleted.
        """
        with self._write_mutex:
            with self._use() as instance:
                if not instance.wasted_bytes(thoroughly=thoroughly):
                    return False
                copy = instance.copy_main()
            with self._condition:
                if not self._left_alone() or self._instance is None:
                    copy.unlink()
                    return False
                self._instance.close()
                self._instance = None
                main = self.folder / "main.duckdb"
                if main.with_name("main.duckdb.wal").exists():
                    copy.unlink()
                    return False
                copy.rename(main)
                sync(self.folder)
                return True

    def copy_to(self, target: Path) -> Copied:
        """Copy the archive as it is at this moment to the new folder `target`, durably.

        Loading waits while the main file is copied, which holds the newest events; segments never change.
        """
        (target / "segments").mkdir(parents=True, mode=0o700)
        with contextlib.ExitStack() as stack:
            with self._write() as instance:
                main = instance.copy_main()
                reader = stack.enter_context(self.reader(timeout_s=math.inf))
                shutil.move(main, target / "main.duckdb")
            for segment in reader.layout.segments:
                for path in (segment_path, index_path):
                    shutil.copyfile(path(self.folder, segment.number), path(target, segment.number))
            [counted] = reader.rows("SELECT count(*) AS events FROM events")
            copied = Copied(events=counted["events"], last_seq=reader.last_seq)
        for made in (*target.glob("segments/*"), target / "main.duckdb", target / "segments", target):
            sync(made)
        return copied

    def save_paths(self) -> bool:
        """Write down what `note_paths` gathered; whether there was any."""
        gathered, self._paths = self._paths, Counter()
        if gathered:
            self.write(lambda connection: promotion.note(connection, gathered))
        return bool(gathered)

    def checkpoint(self) -> None:
        """Move what the write-ahead log holds into the main file; for idle moments."""
        if self._unsaved and self._write_mutex.acquire(blocking=False):
            try:
                with self._use() as instance, contextlib.suppress(duckdb.TransactionException):
                    instance.connection.execute("CHECKPOINT")
                    self._unsaved = False
            finally:
                self._write_mutex.release()

    # -- being open ------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether the instance holds memory at the moment."""
        return self._instance is not None

    @property
    def memory_bytes(self) -> int:
        """What the instance may use from its next opening on; an open one keeps what it was given."""
        return self._memory_bytes

    def set_memory(self, memory_bytes: int) -> None:
        """Change the memory limit. An open instance, whose settings are locked, is opened again."""
        if memory_bytes != self._memory_bytes:
            self._memory_bytes = memory_bytes
            self.sleep()

    def sleep(self) -> bool:
        """Close the instance unless somebody uses it; it opens again by itself."""
        with self._condition:
            if self._users or self._instance is None:
                return False
            self._instance.close()
            self._instance = None
            return True

    def close(self) -> None:
        """Wait for those who use it, then close."""
        with self._condition:
            self._condition.wait_for(lambda: self._users == 0, timeout=self._timeout_s)
            if self._instance is not None:
                self._instance.close()
                self._instance = None

    def _left_alone(self) -> bool:
        """Let nobody in for a moment, within the condition; whether all others have left by then.

        Somebody asks all the time where a dashboard is open: nobody would wait for a moment without.
        """
        self._lets_nobody_in = True
        try:
            return self._condition.wait_for(lambda: not self._users, timeout=_ALONE_S)
        finally:
            self._lets_nobody_in = False
            self._condition.notify_all()

    @contextlib.contextmanager
    def _write(self) -> Iterator[Instance]:
        with self._write_mutex, self._use() as instance:
            yield instance

    @contextlib.contextmanager
    def _use(self) -> Iterator[Instance]:
        with self._condition:
            # Who is in already, and comes in again, is waited for in vain: only for a moment.
            self._condition.wait_for(lambda: not self._lets_nobody_in, timeout=_ALONE_S)
            if self._is_invalid and not self._users:
                self._discard()
            if self._instance is None:
                self._instance = Instance(self.folder, memory_bytes=self._memory_bytes)
            self._users += 1
            instance = self._instance
        try:
            yield instance
        except Exception as error:
            if _is_final(error.__cause__ or error):
                self._is_invalid = True
            raise
        finally:
            with self._condition:
                self._users -= 1
                self._condition.notify_all()

    def _discard(self) -> None:
        """Give up an instance that answers nothing any more; what is on disk is as after a crash."""
        instance, self._instance, self._is_invalid = self._instance, None, False
        if instance is not None:
            with contextlib.suppress(duckdb.Error):
                instance.close()

    @property
    def fresh_events(self) -> int:
        """A table of fresh events is full with so many."""
        return self._fresh_events or FRESH_EVENTS

    def _has_full_table(self, instance: Instance) -> bool:
        return _held(instance) >= self.fresh_events or instance.fresh_bytes >= FRESH_BYTES

    def _has_promoting_table(self, instance: Instance) -> bool:
        """Whether the current table promotes paths; an empty one is not worth another."""
        return bool(instance.layout.current.paths) and _held(instance) > 0


def _held(instance: Instance) -> int:
    """How many events the current table has taken."""
    return instance.last_seq + 1 - instance.layout.current.first_seq
