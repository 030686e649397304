"""A statement as data, and back: parsed by the engine itself, in an instance that holds nothing.

What is checked and changed is the engine's own view of a statement: no second grammar can disagree with it.
Bound length and nesting before you call `parse`: the engine's parser recurses.
"""

from functools import cache
from typing import Any, Final

import duckdb
import msgspec

Tree = dict[str, Any]
_PARSE: Final = "SELECT json_serialize_sql($1::VARCHAR)"
_WRITE: Final = "SELECT json_deserialize_sql($1::JSON)"


class NotParsed(ValueError):
    """The text is no statement that reads, or the engine could not take it. `position` counts characters."""

    def __init__(self, reason: str, position: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.position = position


def parse(sql: str) -> list[Tree]:
    """The statements of `sql`, each {"node": …, "named_param_map": […]}. Raises NotParsed."""
    try:
        found = msgspec.json.decode(_asked(_PARSE, sql), type=Tree)
    except (duckdb.Error, msgspec.DecodeError, ValueError, RecursionError) as error:
        raise NotParsed("it cannot be parsed") from error
    if found.get("error") is not False:
        raise NotParsed(str(found.get("error_message", "")).split("\n")[0], _position(found, sql))
    statements: list[Tree] = found["statements"]
    return statements


def write(statement: Tree) -> str:
    """The SQL text of one statement as `parse` gave it. Raises NotParsed."""
    tree = msgspec.json.encode({"error": False, "statements": [statement]}).decode()
    try:
        return _asked(_WRITE, tree)
    except duckdb.Error as error:
        raise NotParsed("it cannot be written") from error


def _asked(sql: str, text: str) -> str:
    with _engine().cursor() as cursor:
        [(answer,)] = cursor.execute(sql, [text]).fetchall()
    return str(answer)


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        config={
            "enable_external_access": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            "memory_limit": "256MB",
            "temp_directory": "",
            "threads": 1,
            "lock_configuration": True,
        }
    )


def _position(found: Tree, sql: str) -> int | None:
    try:
        offset = int(found["position"])
    except (KeyError, ValueError, TypeError):
        return None
    return len(sql.encode()[:offset].decode(errors="ignore"))
