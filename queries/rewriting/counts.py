"""Counts that the archive keeps anyway: by bus, source, type and time, without looking at events.

A SELECT of counts reads cells in the place of events: each cell has its bus, source and type, the beginning
of its hour or minute as `received_at` and `time`, and how many events it counts.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from weakref import WeakKeyDictionary

from eventcenter.archive.archive import Reader
from eventcenter.archive.index import SegmentIndex
from eventcenter.archive.manifest import Layout
from eventcenter.archive.relation import COLUMNS, events
from eventcenter.archive.rollup import MINUTE_US, hour_of
from eventcenter.archive.syntax import Tree
from queries.functions import AGGREGATES
from queries.rewriting import tree
from queries.rewriting.tree import From

_PLAIN: Final = frozenset({"bus", "source", "type"})
_TIMES: Final = frozenset({"received_at", "time"})
_HOURS: Final = frozenset({"hour", "day", "week", "month", "quarter", "year"})
_UNITS: Final = _HOURS | {"minute"}
_COUNTED: Final = _PLAIN | {"seq", "id", "received_at"}
"""Columns that every event has."""
_FORBIDDEN: Final = frozenset({"WINDOW", "SUBQUERY", "STAR", "LAMBDA", "POSITIONAL_REFERENCE"})
_RANDOM: Final = frozenset({"random", "uuid", "gen_random_uuid", "uuidv4", "uuidv7"})
_LOOSE_HOURS: Final = {f"{axis}_hour": hour_of(axis) for axis in ("received", "happened")}
_CELLS: Final = {
    "kinds": "SELECT bus, source, type, NULL::TIMESTAMPTZ AS received_at, NULL::TIMESTAMPTZ AS time,"
    " events AS {n} FROM main.rollup_kinds"
    " UNION ALL SELECT bus, source, type, NULL, NULL, events FROM main.rollup_loose",
    "hours": "SELECT bus, source, type, make_timestamptz(received * {hour}) AS received_at,"
    " make_timestamptz(happened * {hour}) AS time, h.events AS {n}"
    " FROM main.rollup_hours h JOIN main.rollup_kinds USING (kind)"
    " UNION ALL SELECT bus, source, type, make_timestamptz(({received_hour}) * {hour}),"
    " make_timestamptz(({happened_hour}) * {hour}), events FROM main.rollup_loose",
    "minutes": "SELECT bus, source, type, make_timestamptz(received * {minute}) AS received_at,"
    " make_timestamptz(happened * {minute}) AS time, m.events AS {n}"
    " FROM main.rollup_minutes m JOIN main.rollup_kinds USING (kind)"
    " UNION ALL SELECT bus, source, type, make_timestamptz(received * {minute}),"
    " make_timestamptz(happened * {minute}), events FROM main.rollup_loose",
}


_SEGMENTS: Final[WeakKeyDictionary[SegmentIndex, bool]] = WeakKeyDictionary()
"""Of segments that are open, which never change: whether an event in them has no time."""


class _Other(Exception):
    """The SELECT asks for something that cells cannot tell."""


def relation(
    select: Tree, source: From, reader: Reader, parameters: Mapping[str, Any], name: str
) -> str | None:
    """Change the SELECT so that it adds up cells; the relation of these. None where it is left as it is.

    `name` is that of the cells' column of counts, which nothing else has.
    """
    if not source.alone:
        return None
    try:
        asked = _Asked(select, source, parameters)
    except _Other:
        return None
    # An event without a time is counted at its receipt: its cell tells no time of its own.
    if "time" in asked.times and _lacks_time(reader):
        return None
    asked.change(name)
    cells = "kinds" if not asked.times else "hours" if asked.by_hours else "minutes"
    return _CELLS[cells].format(n=name, minute=MINUTE_US, hour=60 * MINUTE_US, **_LOOSE_HOURS)


class _Asked:
    """What a SELECT asks of events. Raises _Other where that is more than counts."""

    def __init__(self, select: Tree, source: From, parameters: Mapping[str, Any]) -> None:
        self._select = select
        self._source = source
        self._parameters = parameters
        self._aliases = tree.aliases(select)
        self.times: set[str] = set()
        self.by_hours = True
        self._units: set[str] = set()
        self._counts = 0
        self._check()

    def change(self, name: str) -> None:
        """Add up the column `name` where events were counted."""
        select = self._select

        # A cell's time is one of whole hours or minutes already, and to cut it off again takes as long as all
        # the rest; but another unit beside it must not find more columns in the groups than it had.
        cut = self._units == {"hour" if self.by_hours else "minute"}

        def count(node: Tree) -> Tree | None:
            if cut and node["class"] == "FUNCTION" and self._is_truncated(node):
                return {**node["arguments"][1]["expression"], "alias": node["alias"]}
            if not _is_count(node):
                return None
            added = tree.expression(f"CAST(coalesce(sum({name}), 0) AS BIGINT)")
            added["child"]["children"][0]["filter"] = node["filter"]
            return {**added, "alias": node["alias"]}

        for part in tree.OWN:
            select[part] = tree.changed(select[part], count)
        if self._grouped():
            # Cells may cancel each other out after deletions; a group without events is none.
            some = tree.expression(f"sum({name}) > 0")
            having = select["having"]
            select["having"] = some if having is None else _both(having, some)

    def _grouped(self) -> bool:
        return (
            bool(self._select["group_expressions"])
            or self._select["aggregate_handling"] != "STANDARD_HANDLING"
        )

    def _check(self) -> None:
        select = self._select
        by_all = select["aggregate_handling"] == "FORCE_AGGREGATES"
        if (
            select["qualify"] is not None
            # The engine then groups by the columns that HAVING names as well, and a cell lacks their values.
            or (by_all and select["having"] is not None)
            or select["sample"] is not None
            or len(select["group_sets"]) > 1
            or select["aggregate_handling"] not in {"STANDARD_HANDLING", "FORCE_AGGREGATES"}
            or self._aliases.intersection(COLUMNS) - self._same_names()
        ):
            raise _Other
        for each in tree.conjuncts(select["where_clause"]):
            if not self._is_bound(each):
                self._look(each, counting=False)
        for name in tree.OWN:
            if name != "where_clause":
                self._look(select[name], counting=name != "group_expressions")
        if not self._counts:
            raise _Other

    def _same_names(self) -> set[str]:
        """Aliases that mean the very column: `type AS type`."""
        return {
            each["alias"].lower()
            for each in self._select["select_list"]
            if each["alias"] and tree.column(each, self._source) == each["alias"].lower()
        }

    def _look(self, node: Any, *, counting: bool) -> None:
        if isinstance(node, list):
            for each in node:
                self._look(each, counting=counting)
            return
        if not isinstance(node, dict):
            return
        if "class" in node and self._understood(node, counting=counting):
            return
        for name, value in node.items():
            if name != "type_expr":
                self._look(value, counting=counting)

    def _understood(self, node: Tree, *, counting: bool) -> bool:
        """Whether the node is done with; otherwise what it holds is looked at."""
        kind = node["class"]
        if kind in _FORBIDDEN and not self._is_order_by_all(node):
            raise _Other
        if kind == "COLUMN_REF":
            self._look_at_column(node)
            return True
        if kind != "FUNCTION":
            return False
        if _is_count(node):
            self._look_at_count(node, counting=counting)
            return True
        name = node["function_name"].lower()
        if name in _RANDOM or name in AGGREGATES:
            raise _Other
        return name in {"date_trunc", "datetrunc"} and self._is_truncated(node)

    def _is_order_by_all(self, node: Tree) -> bool:
        return bool(node["class"] == "STAR" and node["columns"] and node["expr"] is None)

    def _look_at_column(self, node: Tree) -> None:
        name = tree.column(node, self._source)
        own = len(node["column_names"]) == 1 and node["column_names"][0].lower() in self._aliases
        if name not in _PLAIN and not own:
            raise _Other

    def _look_at_count(self, node: Tree, *, counting: bool) -> None:
        arguments = [each["expression"] for each in node["arguments"]]
        if (
            not counting
            or node["distinct"]
            or node["order_bys"]["orders"]
            or not all(tree.column(each, self._source) in _COUNTED for each in arguments)
        ):
            raise _Other
        self._counts += 1
        if node["filter"] is not None:
            self._look(node["filter"], counting=False)

    def _is_truncated(self, node: Tree) -> bool:
        """Whether it is `date_trunc` of a time to whole minutes, or more."""
        arguments = [each["expression"] for each in node["arguments"]]
        unit = (tree.constant_text(arguments[0]) or "").lower() if len(arguments) == 2 else ""
        name = tree.column(arguments[1], self._source) if len(arguments) == 2 else None
        if unit not in _UNITS or name not in _TIMES:
            return False
        self.times.add(str(name))
        self.by_hours = self.by_hours and unit in _HOURS
        self._units.add(unit)
        return True

    def _is_bound(self, node: Tree) -> bool:
        """Whether it bounds a time by a whole minute: from, included, or to, not included."""
        if node["class"] != "COMPARISON":
            return False
        for kinds, column, bound in (
            ({"COMPARE_GREATERTHANOREQUALTO", "COMPARE_LESSTHAN"}, node["left"], node["right"]),
            ({"COMPARE_LESSTHANOREQUALTO", "COMPARE_GREATERTHAN"}, node["right"], node["left"]),
        ):
            name = tree.column(column, self._source)
            moment = self._moment(bound)
            if node["type"] in kinds and name in _TIMES and moment is not None:
                if moment.second or moment.microsecond:
                    return False
                self.times.add(str(name))
                self.by_hours = self.by_hours and not moment.minute
                return True
        return False

    def _moment(self, node: Tree) -> datetime | None:
        """The moment that a constant, or a cast of one, stands for."""
        if node["class"] == "CAST" and not node["type_expr"]["children"]:
            if node["type_expr"]["type_name"].lower() in {"timestamptz", "timestamp with time zone"}:
                return self._moment(node["child"])
            return None
        text: Any = tree.constant_text(node)
        if node["class"] == "PARAMETER":
            text = self._parameters.get(node["identifier"])
        if not isinstance(text, str):
            return None
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            return None
        # Without an offset the engine takes its own time zone, which is UTC.
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _is_count(node: Tree) -> bool:
    return bool(node["class"] == "FUNCTION" and node["function_name"].lower() in {"count", "count_star"})


def _both(one: Tree, other: Tree) -> Tree:
    return {"class": "CONJUNCTION", "type": "CONJUNCTION_AND", "alias": "", "children": [one, other]}


def _lacks_time(reader: Reader) -> bool:
    """Whether an event has no time."""
    for segment in reader.layout.segments:
        known = _SEGMENTS.get(segment.index)
        if known is None:
            known = _SEGMENTS[segment.index] = _has_none(reader, Layout(fresh=(), segments=(segment,)))
        if known:
            return True
    return _has_none(reader, Layout(fresh=reader.layout.fresh, segments=()))


def _has_none(reader: Reader, layout: Layout) -> bool:
    sql = f"SELECT 1 AS one FROM ({events(layout, columns=['time'])}) WHERE time IS NULL LIMIT 1"  # noqa: S608
    return bool(reader.rows(sql))
