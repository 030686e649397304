"""Which payload paths get columns of their own: those that are asked for, and those in most events."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from eventcenter.archive.manifest import Kind, Layout, NumberType, Segment
from eventcenter.archive.relation import pointer, quoted, texts_of

MOST_PATHS: Final = 20
MOST_FREQUENT: Final = 6
"""Of these, so many at most because they are frequent."""
USED_ENOUGH: Final = 3.0
"""A path that was asked for so often is promoted."""
HALF_LIFE_DAYS: Final = 14.0
_FADED: Final = f"uses * pow(0.5, date_diff('second', used_at, now()) / {HALF_LIFE_DAYS * 86400})"
_FREQUENT: Final = 0.4
_LONGEST_PATH: Final = 200
_MOST_DEPTH: Final = 8
_LONGEST_FREQUENT: Final = 64
"""A frequent path whose values are longer on average would cost more disk than it is worth unasked."""
_LONG_EVENT: Final = 4096
"""Of data on average: where a vector of longer ones is parsed at once, that takes much of a small memory."""
_LOOKED_AT: Final = 1_000
_NUMBERS: Final = 0.9
_FEW_NUMBERS: Final = 64
"""Texts of so few numbers are a dictionary, which takes no room and is the quicker to compare."""
_KINDS: Final[tuple[Kind, ...]] = ("string", "number", "boolean", "null", "object", "array", "above")
_ARRAY: Final = r"^[ \t\n\r]*\["
"""JSON whose top is an array; RE2."""
_TYPES: Final[dict[str, Kind]] = {
    "VARCHAR": "string",
    "BOOLEAN": "boolean",
    "NULL": "null",
    "OBJECT": "object",
    "ARRAY": "array",
}
"""As the engine calls them; all others are numbers."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A path to promote, and whether a column of numbers goes with it."""

    path: str
    number_type: NumberType | None
    sole: bool = False
    """The numbers' texts are not kept beside them; BIGINT only."""


def note(connection: duckdb.DuckDBPyConnection, uses: Mapping[str, int]) -> None:
    """Add to the uses of paths (JSON pointers), which halve in two weeks; within the caller's transaction."""
    for path, count in uses.items():
        if 0 < len(path) <= _LONGEST_PATH and _is_plain(path):
            connection.execute(
                "INSERT INTO path_uses VALUES (?, ?, now()) ON CONFLICT (path) DO UPDATE SET"  # noqa: S608
                f" uses = {_FADED} + excluded.uses, used_at = excluded.used_at",
                [path, float(count)],
            )


def used(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The paths that were asked for often enough, most wanted first."""
    rows = connection.execute(
        f"SELECT path FROM (SELECT path, {_FADED} AS faded FROM path_uses)"  # noqa: S608 constants
        f" WHERE faded >= {USED_ENOUGH - 0.1} ORDER BY faded DESC, path LIMIT {MOST_PATHS}"
    ).fetchall()
    return [path for (path,) in rows]


def of_fresh(connection: duckdb.DuckDBPyConnection, layout: Layout) -> list[str]:
    """The paths that a new table of fresh events promotes: those asked for, and the newest segment's.

    Not those that are long in the table before: nothing is compressed there. None where events are long.
    """
    known = layout.segments[-1].paths if layout.segments else ()
    paths = list(dict.fromkeys([*used(connection), *known]))[:MOST_PATHS]
    if not paths:
        return []
    lengths = "".join(f", avg(strlen(found[{place}]))" for place in range(1, len(paths) + 1))
    sample = f"SELECT data, {texts_of(paths)} AS found FROM main.{layout.current.table} LIMIT {_LOOKED_AT}"  # noqa: S608 our own text
    [(event, *each)] = connection.execute(f"SELECT avg(strlen(data)){lengths} FROM ({sample})").fetchall()  # noqa: S608
    if (event or 0) > _LONG_EVENT:
        return []
    return [path for path, length in zip(paths, each, strict=True) if (length or 0) <= _LONGEST_FREQUENT]


def choose(asked_for: Sequence[str], sample: Sequence[str]) -> list[Plan]:
    """The paths to promote: those asked for, then what is frequent in `sample` (JSON texts of data)."""
    values: defaultdict[str, list[Any]] = defaultdict(list)
    for text in sample:
        for path, value in _leaves(json.loads(text), (), 0):
            values[path].append(value)
    counts = Counter({path: len(found) for path, found in values.items()})
    frequent = [
        path
        for path, count in counts.most_common()
        if count >= _FREQUENT * len(sample) and path not in asked_for and _is_short(values[path])
    ]
    chosen = [*asked_for, *frequent[:MOST_FREQUENT]][:MOST_PATHS]
    return [_plan(path, values[path]) for path in chosen]


def lacks(segment: Segment, asked_for: Iterable[str]) -> bool:
    """Whether a path that is asked for has no column in the segment, or nobody knows what lies there."""
    return any(path not in segment.paths or segment.paths[path].kinds is None for path in asked_for)


def kinds(connection: duckdb.DuckDBPyConnection, events: str, paths: Sequence[str]) -> list[frozenset[Kind]]:
    """What lies at each of these paths in `events`, a relation with `data`."""
    if not paths:
        return []
    bits = {kind: 1 << place for place, kind in enumerate(_KINDS)}
    cases = " ".join(f"WHEN '{name}' THEN {bits[kind]}" for name, kind in _TYPES.items())
    found = [
        f"bit_or(CASE types[{place}] {cases} ELSE CASE WHEN types[{place}] IS NOT NULL THEN {bits['number']}"
        f" WHEN {_below_array(path)} THEN {bits['above']} ELSE 0 END END)"
        for place, path in enumerate(paths, 1)
    ]
    types = f"json_type(data, [{', '.join(map(quoted, paths))}])"
    # Looked at once and without a copy of the text: of long events one for each path takes much memory.
    looks = f"SELECT data, {types} AS types, regexp_matches(data, {quoted(_ARRAY)}) AS is_array FROM {events}"  # noqa: S608
    sql = f"SELECT {', '.join(found)} FROM ({looks})"  # noqa: S608
    [row] = connection.execute(sql).fetchall()
    return [frozenset(kind for kind, bit in bits.items() if (each or 0) & bit) for each in row]


def _below_array(path: str) -> str:
    """The condition that an array lies above the path, where nothing is found at it."""
    keys = path.split("/")
    above = [quoted("/".join(keys[:depth])) for depth in range(2, len(keys))]
    if not above:
        return "is_array"
    return f"is_array OR list_contains(json_type(data, [{', '.join(above)}]), 'ARRAY')"


def _leaves(value: Any, keys: tuple[str, ...], depth: int) -> Iterator[tuple[str, Any]]:
    """Paths through objects to scalars."""
    if isinstance(value, dict):
        if depth < _MOST_DEPTH:
            for key, inner in value.items():
                yield from _leaves(inner, (*keys, key), depth + 1)
    elif keys and value is not None and not isinstance(value, list):
        path = pointer(keys)
        if len(path) <= _LONGEST_PATH and _is_plain(path):
            yield path, value


def _is_plain(path: str) -> bool:
    """Keys that could be taken for an array's index, or are empty, are left alone."""
    return path.startswith("/") and all(
        part and not part.isdigit() and part != "-" for part in path[1:].split("/")
    )


def _is_short(values: Sequence[Any]) -> bool:
    return sum(len(str(value)) for value in values) <= _LONGEST_FREQUENT * len(values)


def _plan(path: str, values: Sequence[Any]) -> Plan:
    kind = _number_type(values)
    many = kind == "BIGINT" and len(set(values)) > _FEW_NUMBERS
    return Plan(path=path, number_type=kind, sole=many)


def _number_type(values: Sequence[Any]) -> NumberType | None:
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if not values or len(numbers) < _NUMBERS * len(values):
        return None
    whole = all(isinstance(value, int) and abs(value) < 2**63 for value in numbers)
    if whole and len(numbers) == len(values):
        return "BIGINT"
    return "DOUBLE" if all(math.isfinite(value) for value in numbers if isinstance(value, float)) else None
