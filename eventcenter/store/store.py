"""The doors of the store: `Store` reads and writes, `ReadOnlyStore` serves processes that only ask."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import URL, Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from eventcenter.clock import Clock, SystemClock
from eventcenter.errors import InvalidInput, Unavailable
from eventcenter.settings import Settings
from eventcenter.store import migrations
from eventcenter.store.engine import database_file, parse_url, reader_engine, translate, writer_engine
from eventcenter.store.writer import GroupWriter

T = TypeVar("T")


class ReadOnlyStore:
    """Answers questions; each `read` sees one snapshot. Safe to use from many threads."""

    def __init__(self, url: URL, *, clock: Clock) -> None:
        self.clock = clock
        self._readers: Engine = reader_engine(url)
        self._sentinel: Connection | None = None
        self._sentinel_lock = threading.Lock()

    def read(self, ask: Callable[[Session], T]) -> T:
        """What `ask` returns, seen in one snapshot. Rows it returns stay readable, but are detached.

        Raises Unavailable when the database does not answer, and whatever `ask` raises.
        """
        try:
            with (
                self._readers.connect() as connection,
                Session(connection, expire_on_commit=False) as session,
            ):
                return ask(session)
        except DBAPIError as error:
            raise translate(error) from error

    def require_current(self) -> None:
        """Raises Unavailable unless the schema is the one that this version works with."""
        with self._readers.connect() as connection:
            migrations.require_current(connection)

    def data_version(self) -> int | str:
        """What differs from the one before if any process committed in between; cheap to ask."""
        with self._sentinel_lock:
            try:
                if self._readers.dialect.name == "sqlite":
                    # SQLite counts per connection, so it must always be the same one, outside a transaction.
                    if self._sentinel is None:
                        self._sentinel = self._readers.connect()
                    raw = self._sentinel.connection.dbapi_connection
                    if raw is None:
                        raise Unavailable("The store is closed.", remedy="try again when the server is up")
                    row = raw.cursor().execute("PRAGMA data_version").fetchone()
                    return int(row[0])
                with self._readers.connect() as connection:
                    # The whole of it: a transaction that began before the newest may commit after it.
                    snapshot = text("SELECT CAST(txid_current_snapshot() AS text)")
                    return str(connection.execute(snapshot).scalar_one())
            except DBAPIError as error:
                raise translate(error) from error

    def version_at_hand(self) -> int | str | None:
        """`data_version` where it takes microseconds; None where it would be a way to a server and back."""
        return self.data_version() if self._readers.dialect.name == "sqlite" else None

    def close(self) -> None:
        """Give all connections back."""
        with self._sentinel_lock:
            if self._sentinel is not None:
                self._sentinel.close()
                self._sentinel = None
        self._readers.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Store(ReadOnlyStore):
    """The store of the server and the command line. Use `Store.open`."""

    def __init__(self, url: URL, *, clock: Clock) -> None:
        super().__init__(url, clock=clock)
        self._writers = writer_engine(url)
        self._writer = GroupWriter(self._writers, clock=clock)

    @classmethod
    def open(cls, settings: Settings, *, clock: Clock | None = None) -> "Store":
        """Open the store and bring its schema up to date; makes an empty one where there is none.

        Raises Unavailable for a store that a newer version wrote or that does not answer.
        """
        url = parse_url(settings.store_url)
        file = database_file(url)
        if file is not None:
            _make_private(file)
        store = cls(url, clock=clock or SystemClock())
        try:
            migrations.upgrade(store._writers)
        except DBAPIError as error:
            store.close()
            raise translate(error) from error
        except BaseException:
            store.close()
            raise
        return store

    @staticmethod
    def open_readonly(settings: Settings, *, clock: Clock | None = None) -> ReadOnlyStore:
        """Open the store for questions only: for the ingest process, which never migrates.

        Raises Unavailable (retryable) until the server has made the store and brought it up to date.
        """
        url = parse_url(settings.store_url)
        file = database_file(url)
        if file is not None and not file.exists():
            raise Unavailable(
                "There is no store yet.",
                value=file,
                rule="the server makes the store when it starts for the first time",
                remedy="start the server; this process tries again",
            )
        store = ReadOnlyStore(url, clock=clock or SystemClock())
        try:
            store.require_current()
        except DBAPIError as error:
            store.close()
            raise translate(error) from error
        except BaseException:
            store.close()
            raise
        return store

    def write(self, change: Callable[[Session], T]) -> T:
        """Run `change` and return its result once it is durable.

        Changes of many threads share one transaction and one sync, each in a savepoint of its own, so
        `change` must be short and do nothing but use its session. Raises what `change` raised (then nothing
        of it stays), Conflict where it contradicts what is stored, StorageFull or Unavailable where the
        commit failed.
        """
        return self._writer.write(change)

    def submit(self, change: Callable[[Session], T]) -> "Future[T]":
        """Queue `change` without waiting; the future is done when it is durable."""
        return self._writer.submit(change)

    def close(self) -> None:
        """Finish the queued changes and give all connections back."""
        self._writer.close()
        self._writers.dispose()
        super().close()


def _make_private(file: Path) -> None:
    """The database and its folder are for their owner alone; SQLite gives its side files the same mode."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError as error:
        raise InvalidInput(
            "The store's folder cannot be used.",
            value=f"{file.parent}: {error.strerror}",
            rule="the data folder is writable for the server",
            remedy="correct its owner, or set EVENTCENTER_DATA_DIR",
        ) from error
