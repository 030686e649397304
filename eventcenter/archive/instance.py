"""One tenant's open DuckDB instance: locked down, with its segments attached."""

import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb

from eventcenter.archive import manifest, promotion
from eventcenter.archive.manifest import Fresh, Layout, Segment
from eventcenter.archive.migrate import migrate
from eventcenter.archive.relation import events, quoted
from eventcenter.archive.seen import Seen
from eventcenter.archive.transaction import transaction
from eventcenter.durable import sync
from eventcenter.errors import Unavailable

_THREADS = 2
_SPILL = "4GB"
"""What does not fit into memory may take so much disk, no more: a query must not fill it."""
_WASTE_BYTES = 64 << 20
_ROW_GROUP = 4096
"""What a transaction adds in row groups of its own goes into the file at once, instead of first into the log,
then, by a checkpoint, into the file. So row groups are smaller than the loader's batches."""
Also = Callable[[duckdb.DuckDBPyConnection], Iterable[Fresh]]


class Instance:
    """The main file, open for writing, and the segments, attached read-only. The caller serialises writes."""

    def __init__(self, folder: Path, *, memory_bytes: int) -> None:
        """Open, migrate and tidy up. Raises Unavailable or Conflict."""
        self.folder = folder
        self.connection = _connect(folder, memory_bytes)
        try:
            migrate(self.connection, folder / "main.duckdb")
            self.layout = manifest.read_layout(self.connection, folder)
            _remove_orphans(folder, self.layout)
            _lock_down(self.connection, folder)
            for segment in self.layout.segments:
                self._attach(segment)
            self._write_view()
            self.note_state()
        except BaseException:
            self.connection.close()
            raise
        self._mutex = threading.Lock()
        self._readers: list[Layout] = []
        self._retired: list[Segment] = []
        self._seen: Seen | None = None
        self._newest_number = max((one.number for one in self.layout.segments), default=0)

    @property
    def seen(self) -> Seen:
        """What tells repeats; built by the first load, since who only asks needs none."""
        if self._seen is None:
            self._seen = Seen(self.connection, self.layout)
        return self._seen

    def may_hold(self, fresh: Fresh, event_ids: Sequence[str]) -> bool:
        """Whether a reader's table may hold one of these ids; True where nobody knows. For any thread."""
        seen = self._seen
        return seen is None or seen.may_hold(fresh, event_ids)

    def note_state(self) -> None:
        """Look at what a load, or another change, has left; before anybody is told of it."""
        [(next_seq, self.fresh_bytes)] = self.connection.execute(
            "SELECT next_seq, fresh_bytes FROM state"
        ).fetchall()
        self.last_seq: int = next_seq - 1

    @contextmanager
    def snapshot(self, cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Layout, int]]:
        """Begin a read-only transaction on `cursor`; its layout, and the newest seq.

        While a batch is being committed the transaction may see it and the seq not count it yet.
        """
        with self._mutex:
            # Before the transaction: it sees all that the seq counts.
            last = self.last_seq
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            # The first look at the main file fixes the snapshot; a SELECT would take ten times as long.
            cursor.get_table_names("FROM state")
            layout = self.layout
            self._readers.append(layout)
        try:
            yield layout, last
        finally:
            cursor.close()
            with self._mutex:
                self._readers.remove(layout)
                self._dispose()

    def rotate(self, *, promote: bool = True) -> None:
        """Begin another table of fresh events; the former one can be settled from now on.

        `promote`: it has columns for payload paths, which takes 0.5 µs an event and 0.1 more for each.
        """

        def change(connection: duckdb.DuckDBPyConnection) -> Layout:
            [(next_seq,)] = connection.execute("SELECT next_seq FROM state").fetchall()
            connection.execute("UPDATE state SET fresh_bytes = 0")
            paths = promotion.of_fresh(connection, self.layout) if promote else ()
            begun = manifest.create_fresh(connection, next_seq, paths)
            return Layout(fresh=(*self.layout.fresh, begun), segments=self.layout.segments)

        self._change(change)
        self.note_state()

    def swap(
        self,
        *,
        fresh: tuple[Fresh, ...] = (),
        segments: tuple[Segment, ...] = (),
        by: tuple[Segment, ...],
        also: Also | None = None,
    ) -> None:
        """Replace these parts by segments whose files are complete, in one transaction.

        `also` changes more in it, before the replaced tables go, and returns tables of fresh events that it
        made. Files of replaced segments go when nobody reads them any more.
        """

        def change(connection: duckdb.DuckDBPyConnection) -> Layout:
            made = also(connection) if also is not None else ()
            manifest.drop_fresh(connection, fresh)
            manifest.remove_segments(connection, [segment.number for segment in segments])
            for segment in by:
                manifest.add_segment(connection, segment)
            left = [one for one in self.layout.fresh if one not in fresh]
            kept = [one for one in self.layout.segments if one not in segments]
            return Layout(
                fresh=tuple(sorted((*left, *made), key=lambda one: (one.first_seq, one.number))),
                segments=tuple(sorted((*kept, *by), key=lambda one: one.first_seq)),
            )

        try:
            for segment in by:
                self._attach(segment)
            self._change(change)
        except BaseException:
            for segment in by:
                self.connection.execute(f"DETACH DATABASE IF EXISTS {segment.catalog}")
            raise
        with self._mutex:
            self._retired += segments
            self._dispose()

    def next_segment_number(self) -> int:
        """A number that no segment has, or had while this instance was open."""
        self._newest_number += 1
        return self._newest_number

    def wasted_bytes(self, *, thoroughly: bool = False) -> int:
        """Bytes of the main file that hold nothing and that DuckDB cannot give back.

        0 if they do not matter, unless `thoroughly`.
        """
        [(free, total)] = self.connection.execute(
            "SELECT free_blocks * block_size, total_blocks * block_size FROM pragma_database_size()"
            " WHERE database_name = current_database()"
        ).fetchall()
        return int(free) if thoroughly or (free >= _WASTE_BYTES and 2 * free >= total) else 0

    def copy_main(self) -> Path:
        """Copy the main file without its holes; where it is, complete and synced."""
        path = self.folder / "segments" / "main.new"
        path.unlink(missing_ok=True)
        [(catalog,)] = self.connection.execute("SELECT current_database()").fetchall()
        self.connection.execute(f"ATTACH {quoted(str(path))} AS copied")
        try:
            self.connection.execute(f'COPY FROM DATABASE "{catalog}" TO copied')
            self.connection.execute("CHECKPOINT copied")
        finally:
            self.connection.execute("DETACH copied")
        sync(path)
        return path

    def close(self) -> None:
        """Close; nobody may be reading."""
        for segment in self.layout.segments:
            segment.index.close()
        self.connection.close()

    def _change(self, change: Callable[[duckdb.DuckDBPyConnection], Layout]) -> None:
        """Change tables and view in one transaction, which counts from between two readers' beginnings."""
        with ExitStack() as held:
            with transaction(self.connection):
                layout = change(self.connection)
                self.connection.execute(f"CREATE OR REPLACE VIEW events AS {events(layout)}")
                # From before the commit until the layout is the new one.
                held.enter_context(self._mutex)
            self.layout = layout
        # Built anew by the next load if this fails: a filter that lacks a table would let repeats through.
        seen, self._seen = self._seen, None
        if seen is not None:
            seen.follow(self.connection, layout)
            self._seen = seen

    def _write_view(self) -> None:
        """Let the view be as this program wants it; the one that is there does where the disk is full."""
        found = self.connection.execute("SELECT 1 FROM duckdb_views() WHERE view_name = 'events'").fetchall()
        try:
            self.connection.execute(f"CREATE OR REPLACE VIEW events AS {events(self.layout)}")
        except duckdb.TransactionException:
            if not found:
                raise

    def _attach(self, segment: Segment) -> None:
        path = manifest.segment_path(self.folder, segment.number)
        self.connection.execute(f"ATTACH {quoted(str(path))} AS {segment.catalog} (READ_ONLY)")

    def _dispose(self) -> None:
        """Remove retired segments that no reader's layout names."""
        read = {segment.number for layout in self._readers for segment in layout.segments}
        for segment in [one for one in self._retired if one.number not in read]:
            self._retired.remove(segment)
            cursor = self.connection.cursor()
            cursor.execute(f"DETACH {segment.catalog}")
            cursor.close()
            segment.index.close()
            remove_files(self.folder, segment.number)


def remove_files(folder: Path, number: int) -> None:
    """Remove a segment's files, also half-written ones."""
    path = manifest.segment_path(folder, number)
    for each in (path, path.with_name(path.name + ".wal"), manifest.index_path(folder, number)):
        each.unlink(missing_ok=True)


def _connect(folder: Path, memory_bytes: int) -> duckdb.DuckDBPyConnection:
    # Level by level: with `parents` alone the mode would count for the last one only.
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)
    (folder / "segments").mkdir(exist_ok=True, mode=0o700)
    path = folder / "main.duckdb"
    connection = None
    try:
        connection = duckdb.connect(
            config={
                "threads": _THREADS,
                "memory_limit": f"{memory_bytes}B",
                "temp_directory": str(folder / "tmp"),
                "max_temp_directory_size": _SPILL,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "python_enable_replacements": False,
                "wal_autocheckpoint": "256MB",
            },
        )
        # The file takes the place of the instance's own database: only an attached one has a choice of
        # row groups, and only what bears this name is what every cursor asks.
        connection.execute(f"ATTACH OR REPLACE {quoted(str(path))} AS memory (ROW_GROUP_SIZE {_ROW_GROUP})")
    except duckdb.IOException as error:
        if connection is not None:
            connection.close()
        raise Unavailable(
            "The archive cannot be opened.",
            value=path,
            remedy="see that no other process has it open and that the disk has room",
        ) from error
    return connection


def _lock_down(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """From here on no statement reaches another file, or changes a setting. Only segments may be attached."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET allowed_directories = [{quoted(str(folder / 'segments'))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _remove_orphans(folder: Path, layout: Layout) -> None:
    """Remove files of segments that are not listed: what a crash left, or what was replaced."""
    listed = {str(segment.number) for segment in layout.segments}
    for path in (folder / "segments").iterdir():
        if path.name.split(".")[0] not in listed:
            path.unlink(missing_ok=True) if path.is_file() else shutil.rmtree(path)
