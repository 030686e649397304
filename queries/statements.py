"""The fixed SQL statements of queries.sql, by name."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import LiteralString, cast

_NAMED = re.compile(r"^-- name: (?P<name>\w+)\n-- .+\n(?P<sql>[^;]+);", re.MULTILINE)


def _load(text: str) -> Mapping[str, LiteralString]:
    # The text is part of the program: nothing was put into it.
    return MappingProxyType(
        {found["name"]: cast("LiteralString", found["sql"]) for found in _NAMED.finditer(text)}
    )


STATEMENTS: Mapping[str, LiteralString] = _load(Path(__file__).with_name("queries.sql").read_text("utf-8"))
