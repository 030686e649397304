"""Statements as the engine has read them: to read one takes as long as to answer it, where it asks little."""

from functools import lru_cache
from typing import Final

import duckdb

_REMEMBERED: Final = 4096
"""Characters of a statement that is worth remembering."""


def read(sql: str) -> duckdb.Statement:
    """What to execute in the place of `sql`, by any number of threads and for any tenant.

    It hangs on the text alone: no catalogue is asked for it, and parameters are bound later.
    Raises ValueError unless it is exactly one statement, and what the engine raises for what it cannot read.
    """
    return _remembered(sql) if len(sql) <= _REMEMBERED else _read(sql)


def _read(sql: str) -> duckdb.Statement:
    [statement] = duckdb.extract_statements(sql)
    return statement


_remembered: Final = lru_cache(maxsize=256)(_read)
"""What raises is not remembered."""
