"""The first two walls around people's SQL.

First: the text is short and shallow, or the engine never sees it. Second: the engine parses it into data, and
every node of that must be one that is listed here: exactly one SELECT, on the tables that people may read and
names of its own, calling listed functions, with a bounded size of plan and of values. What this does not know
is refused, also a member that a later version of the engine adds. The third wall, the locked instance, knows
nothing of this one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from eventcenter.archive.syntax import NotParsed, Tree, parse
from eventcenter.errors import InvalidInput
from queries.growth import Value
from queries.walk import Walk

MOST_BYTES: Final = 32_768
DEEPEST: Final = 60
MOST_OPENED: Final = 1_000
"""Opening brackets, also in texts and comments: what a mistake of `depth` costs at most."""
MOST_PARAMETER_BYTES: Final = 262_144
MOST_ELEMENTS: Final = 10_000

_STARTS: Final = re.compile(r"""[eE]?'|"|\$(?:[^\W\d]\w*)?\$|--|/\*|[(\[{)\]}]""")
_ENDS: Final = {
    "'": re.compile(r"(?:[^']|'')*'"),
    "e'": re.compile(r"(?:[^'\\]|\\.|'')*'", re.DOTALL),
    '"': re.compile(r'(?:[^"]|"")*"'),
    "--": re.compile(r"[^\r\n]*"),
    "/*": re.compile(r".*?\*/", re.DOTALL),
}
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SHOWN: Final = 120
_REMEMBERED_BYTES: Final = 4_096

Parameters = Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement that passed, as text and as the engine's tree."""

    sql: str
    tree: Tree
    """Shared by all who ask the same: to be changed in a copy."""
    tables: frozenset[str]
    """Those of TABLES that it reads."""


def check(sql: str, parameters: Parameters = ()) -> Statement:
    """The statement, when both walls let it pass. Raises InvalidInput: what is refused, where and why."""
    _bounded(sql)
    given = _parameters(parameters)
    if sum(value.size for value in given.values()) > _REMEMBERED_BYTES:
        return _checked(sql, tuple(given.items()))
    return _remembered(sql, tuple(given.items()))


def _checked(sql: str, items: tuple[tuple[str, Value], ...]) -> Statement:
    given = dict(items)
    try:
        statements = parse(sql)
    except NotParsed as error:
        raise _unparsed(sql, error) from error
    if len(statements) != 1:
        raise InvalidInput(
            "A query is exactly one statement.",
            value=f"{len(statements)} statements",
            rule="one SELECT, with or without a semicolon at its end",
            remedy="send the statements one by one",
        )
    walk = Walk(sql, given)
    try:
        walk.statement(statements[0])
    # Whatever goes wrong while looking at it: it was not found to be fine.
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise InvalidInput(
            "The statement has a part that is not known here.",
            rule="one SELECT of what docs/sql.md describes",
            remedy="write it in a plainer way",
        ) from error
    _check_given(walk.used, given)
    return Statement(sql=sql, tree=statements[0], tables=frozenset(walk.tables))


_remembered: Final = lru_cache(256)(_checked)
"""Dashboards ask the same again and again."""


# -- the first wall ---------------------------------------------------------------------------------


def _bounded(sql: str) -> None:
    try:
        size = len(sql.encode())
    except UnicodeEncodeError:
        raise InvalidInput(
            "The statement holds half of a character.",
            rule="a statement is text in UTF-8",
            remedy="write characters as they are",
        ) from None
    if size > MOST_BYTES:
        raise InvalidInput(
            "The statement is too long.",
            value=f"{size} bytes",
            rule=f"at most {MOST_BYTES} bytes",
            remedy="give long lists and texts as parameters",
        )
    unseen = _UNSEEN.search(sql)
    if unseen:
        raise InvalidInput(
            "The statement holds a control character.",
            value=f"U+{ord(unseen[0]):04X} at character {unseen.start() + 1}",
            rule="characters that can be seen, spaces, tabs and line ends",
            remedy="take it out, or give the text as a parameter",
        )
    deepest, opened = depth(sql), sum(map(sql.count, "([{"))
    if deepest > DEEPEST or opened > MOST_OPENED:
        raise InvalidInput(
            "The statement has too many brackets.",
            value=f"{deepest} levels, {opened} brackets",
            rule=f"at most {DEEPEST} levels and {MOST_OPENED} brackets",
            remedy="write it flatter; give lists as parameters",
        )


def depth(sql: str) -> int:
    """How deep brackets are nested, outside of texts, quoted names and comments."""
    level = deepest = at = 0
    while found := _STARTS.search(sql, at):
        start, at = found[0].lower(), found.end()
        if start in "([{":
            level += 1
            deepest = max(deepest, level)
        elif start in ")]}":
            level -= 1
        elif start.startswith("$"):
            end = sql.find(found[0], at)
            at = end + len(found[0]) if end >= 0 else len(sql)
        else:
            before = sql[found.start() - 1 : found.start()]
            if start == "e'" and (before.isalnum() or before == "_"):
                start = "'"
            ending = _ENDS[start].match(sql, at)
            at = ending.end() if ending else len(sql)
    return deepest


def _unparsed(sql: str, error: NotParsed) -> InvalidInput:
    if "Only SELECT" in error.reason:
        return InvalidInput(
            "Only SELECT can be asked.",
            value=sql.strip()[:_SHOWN],
            rule="exactly one SELECT, which may begin with WITH, FROM or VALUES",
            remedy="docs/sql.md shows what can be asked",
        )
    place = (
        "" if error.position is None else f"character {error.position + 1}: {sql[error.position :][:_SHOWN]}"
    )
    return InvalidInput(
        f"The statement cannot be read: {error.reason}",
        value=place or sql.strip()[:_SHOWN],
        rule="one SELECT in DuckDB's SQL",
        remedy="correct it there",
    )


def _parameters(parameters: Parameters) -> dict[str, Value]:
    """Values by the names that the engine gives them."""
    items = parameters.items() if isinstance(parameters, Mapping) else enumerate(parameters, 1)
    found = {str(name): _given_value(str(name), value) for name, value in items}
    size = sum(value.size for value in found.values())
    if size > MOST_PARAMETER_BYTES:
        raise InvalidInput(
            "The parameters are too large.",
            value=f"{size:.0f} bytes",
            rule=f"together at most {MOST_PARAMETER_BYTES} bytes",
            remedy="ask for less at once",
        )
    return found


def _given_value(name: str, value: Any) -> Value:
    if isinstance(value, list | tuple):
        if len(value) > MOST_ELEMENTS or any(isinstance(each, list | tuple | dict) for each in value):
            raise InvalidInput(
                f"The parameter {name} is not a plain list.",
                value=f"{len(value)} elements",
                rule=f"at most {MOST_ELEMENTS} numbers, texts, booleans or nulls",
                remedy="give nested data as its JSON text",
            )
        return Value(size=sum(_given_value(name, each).size for each in value))
    if value is None or isinstance(value, bool | int | float | str):
        text = str(value)
        return Value(size=max(8, len(text)), text=text)
    raise InvalidInput(
        f"The parameter {name} is of a kind that no value has.",
        value=type(value).__name__,
        rule="a number, a text, a boolean, null, or a list of these",
        remedy="give objects as their JSON text",
    )


def _check_given(used: set[str], given: Mapping[str, Value]) -> None:
    if used != set(given):
        missing = ", ".join(sorted(used - set(given))) or "none"
        extra = ", ".join(sorted(set(given) - used)) or "none"
        raise InvalidInput(
            "The parameters are not those of the statement.",
            value=f"missing: {missing}; not used: {extra}",
            rule="a list for ? and $1, an object for $name; each is given and used",
            remedy="give the missing ones and leave out the others",
        )
