"""Connections to the database: one that writes, others that read."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import ConnectionPoolEntry

from eventcenter.errors import EventCenterError, InvalidInput, StorageFull, Unavailable

BUSY_TIMEOUT_S = 15
_READERS = 8
_READERS_AT_MOST = 64


def parse_url(text: str) -> URL:
    """The store's URL. Raises InvalidInput if no supported database is named; never shows the URL."""
    try:
        url = make_url(text)
    except Exception:  # noqa: BLE001 SQLAlchemy's own error repeats the URL, password and all
        raise InvalidInput(
            "The setting EVENTCENTER_DATABASE_URL is not a database URL.",
            rule="sqlite:////absolute/path or postgresql+psycopg://user:password@host/database",
            remedy="correct it, or remove it to use SQLite in the data folder",
        ) from None
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise InvalidInput(
            "The store does not work on this kind of database.",
            value=url.get_backend_name(),
            rule="sqlite or postgresql",
            remedy="correct EVENTCENTER_DATABASE_URL, or remove it to use SQLite in the data folder",
        )
    if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
        raise InvalidInput(
            "The store cannot live in memory.",
            rule="several processes share the store, so it is a file",
            remedy="name a file in EVENTCENTER_DATABASE_URL, or remove the setting",
        )
    return url


def database_file(url: URL) -> Path | None:
    """SQLite's file, None for a server."""
    if url.get_backend_name() != "sqlite" or url.database is None:
        return None
    return Path(url.database)


def writer_engine(url: URL) -> Engine:
    """An engine of one connection, whose transactions take SQLite's write lock at once."""
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_size=1, max_overflow=2)
    return _sqlite(url, begin="BEGIN IMMEDIATE", pool_size=1, max_overflow=2)


def reader_engine(url: URL) -> Engine:
    """An engine whose connections cannot write and see one snapshot per transaction."""
    if url.get_backend_name() != "sqlite":
        return create_engine(
            url,
            pool_size=_READERS,
            max_overflow=_READERS_AT_MOST - _READERS,
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
        )
    return _sqlite(
        url,
        begin="BEGIN",
        pool_size=_READERS,
        max_overflow=_READERS_AT_MOST - _READERS,
        read_only=True,
    )


def _sqlite(url: URL, *, begin: str, pool_size: int, max_overflow: int, read_only: bool = False) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=max_overflow,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        # Python's driver would begin transactions by itself, but not before a SAVEPOINT or a SELECT.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if read_only:
            connection.execute("PRAGMA query_only = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def in_transaction(connection: Connection) -> bool:
    """Whether the database still holds the transaction: SQLite drops it by itself when the disk is full."""
    raw: Any = connection.connection.dbapi_connection
    return raw.in_transaction if isinstance(raw, sqlite3.Connection) else connection.in_transaction()


def is_contradiction(error: IntegrityError) -> bool:
    """Whether a name is taken or something named is missing; anything else refused by a rule is a defect."""
    if getattr(error.orig, "sqlstate", None) in {"23503", "23505"}:
        return True
    return any(rule in str(error.orig) for rule in ("UNIQUE", "FOREIGN KEY"))


def translate(error: DBAPIError) -> EventCenterError:
    """A database's failure in our words; the text of a statement or its values is never repeated."""
    cause = str(error.orig)
    if "full" in cause:
        return StorageFull(
            "The store could not write: the disk is full.",
            rule="the store needs free space for every change",
            remedy="free space on the disk of the data folder",
        )
    if "locked" in cause or "busy" in cause:
        return Unavailable(
            "The store is held by another process.",
            rule=f"a change waits {BUSY_TIMEOUT_S} s for other processes at most",
            remedy="try again; if it lasts, find the process that holds the store's file",
        )
    return Unavailable(
        "The store does not answer.",
        value=type(error.orig).__name__ if error.orig is not None else None,
        rule="the database of the store is reachable and intact",
        remedy="look at the server's log; the change was not made",
    )
