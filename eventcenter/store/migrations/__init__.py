"""Which schema a database has and which one this version of the program works with.

Migrating is a module of its own: Alembic takes a third of a second to import, and each process looks at the
schema when it starts, also after a crash.
"""

from typing import Final

from sqlalchemy import Connection, Engine, inspect, text

from eventcenter.errors import Unavailable

HEAD: Final = "0003"
"""The revision that this version of the program works with: the newest in `versions`."""
_TABLE: Final = "alembic_version"


def current(connection: Connection) -> str | None:
    """The revision that a database is at, None for an empty one."""
    if not inspect(connection).has_table(_TABLE):
        return None
    revision: str | None = connection.execute(text(f"SELECT version_num FROM {_TABLE}")).scalar()  # noqa: S608
    return revision


def upgrade(engine: Engine) -> None:
    """Bring the database to `HEAD` in one transaction; another process that does the same waits.

    Raises Unavailable for a database that a newer version wrote.
    """
    with engine.begin() as connection:
        if current(connection) != HEAD:
            refuse_newer(connection)
            from eventcenter.store.migrations import steps

            steps.upgrade(connection)


def refuse_newer(connection: Connection) -> None:
    """Raises Unavailable if the database is at a revision that this version does not know."""
    revision = current(connection)
    if revision in {None, HEAD}:
        return
    from eventcenter.store.migrations import steps

    if revision not in steps.known():
        raise Unavailable(
            "The store was written by a newer version of Event Center.",
            value=revision,
            rule=f"this version knows the schema up to {HEAD}",
            remedy="run the newer version, or restore a copy of the data folder made before the upgrade",
        )


def require_current(connection: Connection) -> None:
    """Raises Unavailable unless the database is at `HEAD`: for those who may not migrate."""
    refuse_newer(connection)
    revision = current(connection)
    if revision != HEAD:
        raise Unavailable(
            "The store is not ready yet.",
            value=revision or "empty",
            rule=f"the server brings it to schema {HEAD} when it starts",
            remedy="start the server; this process tries again",
        )
