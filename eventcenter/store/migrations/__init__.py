"""Brings a database to the schema of this version, with Alembic driven from code."""

from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from eventcenter.errors import Unavailable


def head() -> str:
    """The revision that this version of the program works with."""
    revision = _scripts()[1].get_current_head()
    if revision is None:
        raise RuntimeError("the package holds no migrations")
    return revision


def current(connection: Connection) -> str | None:
    """The revision that a database is at, None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine) -> None:
    """Bring the database to `head()` in one transaction; another process that does the same waits.

    Raises Unavailable for a database that a newer version wrote.
    """
    with engine.begin() as connection:
        refuse_newer(connection)
        if current(connection) == head():
            return
        config, scripts = _scripts()

        def steps(revision: object, _context: object) -> object:
            return scripts._upgrade_revs("head", revision)  # type: ignore[arg-type]  # noqa: SLF001 what alembic.command does

        with EnvironmentContext(config, scripts, fn=steps, destination_rev="head") as environment:
            environment.configure(connection=connection, transactional_ddl=True)
            environment.run_migrations()


def refuse_newer(connection: Connection) -> None:
    """Raises Unavailable if the database is at a revision that this version does not know."""
    revision = current(connection)
    if revision is None:
        return
    known = {script.revision for script in _scripts()[1].walk_revisions()}
    if revision not in known:
        raise Unavailable(
            "The store was written by a newer version of Event Center.",
            value=revision,
            rule=f"this version knows the schema up to {head()}",
            remedy="run the newer version, or restore a copy of the data folder made before the upgrade",
        )


def require_current(connection: Connection) -> None:
    """Raises Unavailable unless the database is at `head()`: for those who may not migrate."""
    refuse_newer(connection)
    revision = current(connection)
    if revision != head():
        raise Unavailable(
            "The store is not ready yet.",
            value=revision or "empty",
            rule=f"the server brings it to schema {head()} when it starts",
            remedy="start the server; this process tries again",
        )


def _scripts() -> tuple[Config, ScriptDirectory]:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config, ScriptDirectory.from_config(config)
