"""The newest or oldest N: first where they stand, from the end that is asked for, then these rows alone.

A whole row costs the engine far more than its key, and most parts of an archive hold none of the asked ones.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from eventcenter.archive.manifest import Fresh, Layout, Segment
from eventcenter.archive.relation import COLUMNS
from eventcenter.archive.syntax import Tree, parse
from queries.functions import AGGREGATES
from queries.rewriting import tree
from queries.rewriting.tree import From

_ORDERS: Final = frozenset({"seq", "received_at", "time"})
_MOST: Final = 1_000
_OTHER_EACH_TIME: Final = frozenset({"random", "uuid", "gen_random_uuid", "uuidv4", "uuidv7"})
_MAKES_ROWS: Final = frozenset({"unnest"})
Part = Fresh | Segment
Rows = dict[tuple[bool, int], list[int]]
"""Row numbers by part: whether it is fresh, and its number."""


class Keyed(NamedTuple):
    """A row of a part, and what it has in the column that is ordered by."""

    fresh: bool
    number: int
    row: int
    key: Any


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The first `count` events by `column`."""

    column: Literal["seq", "time"]
    descending: bool
    count: int
    where: Tree | None
    source: From

    def statement(self, token: str) -> Tree:
        """The statement that finds the rows in a relation with `row`, which stands for `token`."""
        direction = "DESC" if self.descending else "ASC"
        [found] = parse(
            f"SELECT row, {self.column} AS key FROM {token}"  # noqa: S608 our own names
            f" ORDER BY {self.column} {direction} LIMIT {self.count}"
        )
        node = found["node"]
        node["from_table"]["alias"] = self.source.alias
        node["where_clause"] = self.where
        return found


def wanted(
    select: Tree, source: From, parameters: Mapping[str, Any], further: Iterable[str]
) -> Wanted | None:
    """What a SELECT asks for, where it is the first events by seq, received_at or time and nothing more.

    `further`: columns that the source has besides.
    """
    own = {*COLUMNS, *further}
    modifiers = {each["type"]: each for each in select["modifiers"]}
    if (
        not source.alone
        or set(modifiers) != {"ORDER_MODIFIER", "LIMIT_MODIFIER"}
        or len(select["modifiers"]) != 2
    ):
        return None
    plain = (
        not select["group_expressions"]
        and not select["group_sets"]
        and select["having"] is None
        and select["qualify"] is None
        and select["sample"] is None
        and select["aggregate_handling"] == "STANDARD_HANDLING"
    )
    if not plain or any(map(_is_more, tree.own(select))):
        return None
    # A name of the select list means nothing where the keys are looked for.
    where = [each for each in tree.expressions(select["where_clause"]) if each["class"] == "COLUMN_REF"]
    if not all(tree.column(each, source) in own for each in where):
        return None
    [*orders] = modifiers["ORDER_MODIFIER"]["orders"]
    limit = modifiers["LIMIT_MODIFIER"]
    name = tree.column(orders[0]["expression"], source) if len(orders) == 1 else None
    if (
        name not in _ORDERS
        or orders[0]["null_order"] != "ORDER_DEFAULT"
        or limit["limit_type"] != "ROW_COUNT"
    ):
        return None
    if name in tree.aliases(select) and not _is_itself(select, str(name), source):
        return None
    count = _number(limit["limit"], parameters)
    offset = 0 if limit["offset"] is None else _number(limit["offset"], parameters)
    if count is None or offset is None or not 0 < count + offset <= _MOST:
        return None
    return Wanted(
        # received_at never decreases with seq.
        column="time" if name == "time" else "seq",
        descending=orders[0]["type"] == "DESCENDING",
        count=count + offset,
        where=select["where_clause"],
        source=source,
    )


def find(asked: Wanted, layout: Layout, rows_of: Callable[[Part], list[tuple[int, Any]]]) -> list[Keyed]:
    """The first rows in the asked order, those without a key last.

    `rows_of` gives (row, key) of a part's first ones in that order.
    """
    found: list[Keyed] = []
    for part in _ordered(asked, layout):
        if len(found) >= asked.count and _lies_behind(asked, part, found[-1].key):
            break
        found += [Keyed(isinstance(part, Fresh), part.number, row, key) for row, key in rows_of(part)]
        known = [each for each in found if each.key is not None]
        known.sort(key=lambda each: each.key, reverse=asked.descending)
        found = (known + [each for each in found if each.key is None])[: asked.count]
    return found


def by_part(found: Iterable[Keyed]) -> Rows:
    """Their numbers."""
    rows: Rows = {}
    for each in found:
        rows.setdefault((each.fresh, each.number), []).append(each.row)
    return rows


def _ordered(asked: Wanted, layout: Layout) -> list[Part]:
    """The parts from the asked end: what cannot be told of fresh ones' times comes first."""
    if asked.column != "time":
        # Stretches do not overlap.
        parts: list[Part] = [*layout.fresh, *layout.segments]
        return sorted(parts, key=lambda one: one.first_seq, reverse=asked.descending)
    settled = sorted(layout.segments, key=lambda one: _end(asked, one), reverse=asked.descending)
    return [*layout.fresh, *settled]


def _end(asked: Wanted, one: Segment) -> datetime:
    """The first time that a segment may have, from the asked end."""
    return one.last_at if asked.descending else one.first_at


def _lies_behind(asked: Wanted, part: Part, last: datetime | None) -> bool:
    """Whether this part and those after it hold nothing that comes before the last one found."""
    if asked.column != "time":
        return True
    if last is None or isinstance(part, Fresh):
        return False
    end = _end(asked, part)
    return end < last if asked.descending else end > last


def _is_more(node: Tree) -> bool:
    if node["class"] in {"WINDOW", "SUBQUERY", "POSITIONAL_REFERENCE"}:
        return True
    name = node["function_name"].lower() if node["class"] == "FUNCTION" else ""
    return name in AGGREGATES or name in _OTHER_EACH_TIME or name in _MAKES_ROWS


def _is_itself(select: Tree, name: str, source: From) -> bool:
    named = [each for each in select["select_list"] if each["alias"].lower() == name]
    return bool(named) and all(tree.column(each, source) == name for each in named)


def _number(node: Tree, parameters: Mapping[str, Any]) -> int | None:
    value: Any = None
    if node["class"] == "CONSTANT" and node["literal"]["kind"] == "INTEGER":
        value = int(node["literal"]["text"].replace("_", ""))
    elif node["class"] == "PARAMETER":
        value = parameters.get(node["identifier"])
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
