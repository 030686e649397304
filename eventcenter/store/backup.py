"""A copy of the store's database, taken while it is in use."""

import sqlite3
from pathlib import Path

from eventcenter.durable import sync
from eventcenter.settings import Settings
from eventcenter.store.engine import database_file, parse_url

_PAGES_AT_ONCE = 4096


def copy_database(settings: Settings, target: Path) -> bool:
    """Copy SQLite's database to `target`, consistent and durable; False for a database server.

    A database server has tools of its own for that.
    """
    source = settings.data_dir / "store.db"
    if settings.database_url is not None:
        file = database_file(parse_url(settings.database_url))
        if file is None:
            return False
        source = file
    reading = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
    writing = sqlite3.connect(target)
    try:
        reading.backup(writing, pages=_PAGES_AT_ONCE)
    finally:
        writing.close()
        reading.close()
    target.chmod(0o600)
    sync(target)
    return True
