"""Filters and patterns → SQL: text with named parameters, and their values. The only place that builds SQL.

What an event holds is never part of the text: values and JSON paths are bound. JSON paths are JSON pointers
(RFC 6901), which can name every key; `pointer` is the one function that quotes.

How a condition on `data` is compiled: DuckDB hands out a place in JSON as canonical text, which tells its
type by its first character (`"` string, `{` object, `[` array, digit or `-` number). All places from the top
down to the value are taken in one pass over the text; only where one of those above the value is an array
does the slower way run, which opens arrays level by level. The tests then see one list of scalar texts.
`EventPattern.match` says what all this has to mean; a property test holds the two together.

Where a part keeps the path in a column, that is asked. Nothing else is where no event of a segment has a
value there that reads alike and is of another kind (`PromotedPath.kinds`), or where a text can be of no other
kind; elsewhere the column leaves few events to look at in JSON.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from eventcenter.archive.manifest import Kind, Layout, PromotedPath
from eventcenter.archive.relation import COLUMNS, PathTest, promoted_text, quoted
from eventcenter.archive.rollup import MINUTE_US, hour_of
from eventcenter.pattern import (
    All,
    Any,
    AnythingBut,
    Condition,
    Contains,
    EventPattern,
    Exact,
    Exists,
    Node,
    Numeric,
    Path,
    Prefix,
    Suffix,
    Test,
    paths,
)
from queries import parts
from queries.histogram import Buckets
from queries.request import By, EventFilter, TimeField
from queries.stretches import HOUR_MINUTES, HOUR_US, Stretch

_COLUMNS = {
    "specversion": "'1.0'",
    "id": "id",
    "source": "source",
    "type": "type",
    "subject": "subject",
    "time": "time_text",
    "datacontenttype": "datacontenttype",
    "dataschema": "dataschema",
}
_DOUBLE_IS_EXACT = 2**53
_BIGINT = 2**63
_PLAIN_TEXT = re.compile(r"[A-Za-z0-9_.:@ -]{2,}")
"""Text that JSON can write only as it is, or by `_ESCAPE`."""
_ESCAPE = "\\u"
_FEW_UNITS = 6
_WORD = re.compile(r"\w+")
_PLACEHOLDER = re.compile(r"\$(p\d+)")
_FALSE = "FALSE"
_KINDS = frozenset({"type", "source", "specversion"})
_NESTED = frozenset({"array", "above"})
"""Values that the text of a place does not tell."""
_NO_STRING = r"^([-0-9\[{]|true$|false$)"
"""What all values that are no strings look like as text; RE2."""
_TRACE_PARENT = "json_extract_string(extensions, '$.traceparent')"

ROW = (
    "seq, bus, id, source, type, subject, time_text, datacontenttype, dataschema, extensions, data,"
    " data_kind, received_at"
)


@dataclass(kw_only=True)
class Statement:
    """SQL that grows by conditions, and the values it binds."""

    source: str = "events"
    """What is selected from: text of our own that yields the columns of events."""
    parameters: dict[str, object] = field(default_factory=dict)
    conditions: list[str] = field(default_factory=list)
    promoted: frozenset[str] = frozenset()
    """Payload paths (JSON pointers) that a part of the archive keeps in columns."""
    tests: list[PathTest] = field(default_factory=list)
    """Columns that conditions name and that `source` has to have, of paths in `promoted`."""

    @classmethod
    def over(cls, layout: Layout, which: EventFilter, *, read: str | None = None) -> Self:
        """The events of these parts that pass, with `part` and `row`.

        `read`: an expression; with the columns that it and the filter name, instead of all.
        """
        statement = cls(promoted=layout.paths)
        statement.where_filter(which)
        columns = COLUMNS if read is None else statement.columns_with(read)
        statement.source = parts.source(layout, which, columns=columns, paths=statement.tests)
        return statement

    def columns_with(self, expression: str) -> tuple[str, ...]:
        """The columns that it and the conditions name: the engine plans each that a relation has."""
        named = _WORD.findall(" ".join([expression, *self.conditions]))
        return tuple(name for name in COLUMNS if name in named)

    def bind(self, value: object) -> str:
        """The placeholder of a value."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"${name}"

    def where(self, condition: str) -> None:
        """One more condition that must hold."""
        self.conditions.append(condition)

    def where_in(self, column: str, values: Sequence[object]) -> None:
        """The column has one of the values; no values mean no condition."""
        if values:
            self.where(self._is_one_of(column, values))

    def where_filter(self, which: EventFilter) -> None:
        """The event passes the filter."""
        self.where_kind(which)
        self.where_in("subject", which.subjects)
        self.where_in("id", which.ids)
        self.where_traces(which.traces)
        self.where_range(which.time_field, which.from_, which.to)
        if which.pattern is not None:
            self.where_node(which.pattern.root)

    def where_kind(self, which: EventFilter) -> None:
        """Bus, type and source pass the filter."""
        self.where_in("bus", which.buses)
        self.where_in("type", which.types)
        self.where_in("source", which.sources)

    def where_traces(self, traces: Sequence[str]) -> None:
        """The extension attribute traceparent names one of these (hexadecimal) trace ids."""
        if traces:
            there = (f"contains(extensions, {self.bind(trace)})" for trace in traces)
            self.where(_joined(" OR ", there, _FALSE))
            parent = f"[0-9a-f]{{2}}-({'|'.join(traces)})-[0-9a-f]{{16}}-[0-9a-f]{{2}}(-.*)?"
            self.where(f"regexp_full_match({_TRACE_PARENT}, {self.bind(parent)})")

    def where_range(self, which: TimeField, from_: datetime | None, to: datetime | None) -> None:
        """The moment lies in the half-open range."""
        column = time_column(which)
        if from_ is not None:
            self.where(f"{column} >= {self.bind(from_)}")
        if to is not None:
            self.where(f"{column} < {self.bind(to)}")

    def where_node(self, node: Node) -> None:
        """The event satisfies the tree of a pattern."""
        if isinstance(node, All):
            for each in node.nodes:
                self.where_node(each)
        else:
            self.where(self._node(node))

    def where_micros(self, which: TimeField, stretch: Stretch) -> None:
        """The moment lies in the half-open stretch, in microseconds since 1970."""
        self.conditions += self._within_micros(which, stretch)

    def where_seqs(self, first: int, last: int) -> None:
        """The event's seq lies in first…last, both included."""
        self.where(f"seq BETWEEN {self.bind(first)} AND {self.bind(last)}")

    def where_row_is_one_of(self, rows: Sequence[int]) -> None:
        """The event stands in one of these rows of its part."""
        first, last = min(rows), max(rows)
        if first == last:
            self.where(f"row = {self.bind(first)}")
        elif last - first + 1 == len(rows):
            self.where(f"row BETWEEN {self.bind(first)} AND {self.bind(last)}")
        else:
            # A join, for which the engine reads the rows; with a list it would look through all of them.
            self.where(f"row IN (SELECT unnest({self.bind(list(rows))}::BIGINT[]))")

    def where_after(self, micros: int, seq: int, *, newest: bool) -> None:
        """The event comes after the one with this time (µs since 1970) and seq, ordered by time, then seq."""
        beyond = "<" if newest else ">"
        moment = f"make_timestamptz({self.bind(micros)}::BIGINT)"
        self.where(f"({time_column('time')}, seq) {beyond} ({moment}, {self.bind(seq)})")

    def select(self, what: str, tail: str = "") -> tuple[str, Mapping[str, object]]:
        """`SELECT what FROM source` under all conditions, and the parameters."""
        return self._with_its_parameters(f"SELECT {what} FROM {self.source} {self._under()} {tail}")  # noqa: S608 see the module

    def _with_its_parameters(self, sql: str) -> tuple[str, Mapping[str, object]]:
        used = _PLACEHOLDER.findall(sql)
        return sql, {name: self.parameters[name] for name in used}

    def _within_micros(self, which: TimeField, stretch: Stretch) -> list[str]:
        column = time_column(which)
        ends = [None if end is None else f"make_timestamptz({self.bind(end)}::BIGINT)" for end in stretch]
        return [f"{column} {sign} {end}" for sign, end in zip((">=", "<"), ends, strict=True) if end]

    def _under(self, *more: str) -> str:
        conditions = [*self.conditions, *more]
        return f"WHERE {' AND '.join(conditions)}" if conditions else ""

    # -- conditions of a pattern -------------------------------------------------------------------

    def _node(self, node: Node) -> str:
        match node:
            case All(nodes=nodes):
                return _joined(" AND ", (self._node(each) for each in nodes), "TRUE")
            case Any(nodes=nodes):
                return self._any(nodes)
            case Condition(path=path, test=test):
                return self._condition(path, [test])

    def _any(self, nodes: Iterable[Node]) -> str:
        """Conditions on the same path share one look at it."""
        together: dict[Path, list[Test]] = {}
        parts: list[str] = []
        for node in nodes:
            if isinstance(node, Condition) and node.test != Exists(present=False):
                together.setdefault(node.path, []).append(node.test)
            else:
                parts.append(self._node(node))
        return _joined(" OR ", [*(self._condition(*each) for each in together.items()), *parts], _FALSE)

    def _condition(self, path: Path, tests: Sequence[Test]) -> str:
        column = _COLUMNS.get(path.field)
        if column is not None:
            return _joined(" OR ", self._column_tests(column, tests), _FALSE)
        if path.field == "data" and len(path.readings) == 1:
            [keys] = path.readings
            if pointer(keys) in self.promoted:
                return self._promoted(path, pointer(keys), tests)
        return self._in_json(path, tests)

    def _promoted(self, path: Path, at: str, tests: Sequence[Test]) -> str:
        """The name of a column that tells, in each part by the best way that it has."""
        in_json = self._in_json(path, tests)

        def of(kept: PromotedPath | None) -> str:
            return in_json if kept is None else self._in_column(kept, tests, in_json)

        self.tests.append(PathTest(path=at, name=f"t{len(self.tests)}", of=of))
        return self.tests[-1].name

    def _in_column(self, kept: PromotedPath, tests: Sequence[Test], in_json: str) -> str:
        """The tests of a promoted column; with those in JSON where the column alone does not tell."""
        kinds = kept.kinds
        if kinds is not None and not kinds & _NESTED:
            tests = [test for test in tests if _wanted(test) in {None, *kinds}]
        wanted = {_wanted(test) for test in tests}
        exact = kinds is not None and (
            not tests
            or kinds in ({"string"}, {"number"})
            or (len(wanted) == 1 and kinds - {"null"} == wanted)
        )
        if None in wanted and not exact:
            return in_json
        found = self._kept_tests(kept, tests)
        if exact:
            return _joined(" OR ", found, _FALSE)
        text = promoted_text(kept)
        told = _FALSE
        if len(wanted) == 1:
            told = f"{_joined(' OR ', found, _FALSE)} AND {_is_no_other(text, kinds, *wanted)}"
        if kinds is None or "array" in kinds:
            found.append(_is_array(text))
        if kinds is None or "above" in kinds:
            found.append(f"{text} IS NULL")
        doubtful = _joined(" OR ", found, _FALSE)
        # First what names the column alone, for which the engine reads no payload. Nothing below an array is
        # found where there is no bracket.
        return (
            f"({doubtful} AND CASE WHEN {told} THEN TRUE"
            f" WHEN {text} IS NULL AND NOT contains(data, '[') THEN FALSE ELSE {in_json} END)"
        )

    def _kept_tests(self, kept: PromotedPath, tests: Sequence[Test]) -> list[str]:
        """Tests of what `data->>path` gives; a text and a number that read alike both pass."""
        text = promoted_text(kept)
        same = [test.value for test in tests if isinstance(test, Exact) and isinstance(test.value, str)]
        found = [self._is_one_of(text, same)] if same else []
        for test in tests:
            match test:
                case Exact(value=bool(value)):
                    found.append(f"{text} = '{str(value).lower()}'")
                case Exact(value=int() | float() as value):
                    found.append(self._kept_number(kept, "=", value))
                case Numeric(comparisons=comparisons):
                    found.append(
                        _joined(" AND ", (self._kept_number(kept, *each) for each in comparisons), "TRUE")
                    )
                case Prefix(text=part):
                    found.append(f"starts_with({text}, {self.bind(part)})")
                case Suffix(text=part):
                    found.append(f"suffix({text}, {self.bind(part)})")
                case Contains(text=part):
                    found.append(f"contains({text}, {self.bind(part)})")
                case AnythingBut(tests=excluded):
                    only = [each for each in excluded if _wanted(each) in (kept.kinds or ())]
                    inner = _joined(" OR ", self._kept_tests(kept, only), _FALSE)
                    found.append(f"({text} IS NOT NULL AND NOT coalesce({inner}, FALSE))")
                case Exists(present=present):
                    found.append(f"{text} IS NOT NULL" if present else f"{text} IS NULL")
        return found

    def _kept_number(self, kept: PromotedPath, operator: str, number: float) -> str:
        if not kept.clean or isinstance(number, float) or abs(number) >= _BIGINT:
            return self._compared(promoted_text(kept), operator, number)
        if kept.number_type == "DOUBLE" and abs(number) >= _DOUBLE_IS_EXACT:
            return self._compared(promoted_text(kept), operator, number)
        sign = "<>" if operator == "!=" else operator
        return f"{kept.number} {sign} {self.bind(number)}::{kept.number_type}"

    def _in_json(self, path: Path, tests: Sequence[Test]) -> str:
        nodes = self._nodes(path)
        if tests == [Exists(present=False)]:
            return f"len(list_filter({nodes}, lambda x: x IS NOT NULL)) = 0"
        texts = _joined(" OR ", self._text_tests("x", tests), _FALSE)
        looked_at = f"len(list_filter({_opened(nodes)}, lambda x: {texts})) > 0"
        hints = _hints(tests) if path.field == "data" else []
        if not hints:
            return looked_at
        # Most payloads do not hold the text at all, which is seen ten times as fast as a value is found.
        held = [f"contains(data, {self.bind(hint)})" for hint in [*hints, _ESCAPE]]
        return f"({_joined(' OR ', held, _FALSE)} AND {looked_at})"

    def _column_tests(self, column: str, tests: Sequence[Test]) -> list[str]:
        """Tests of an attribute, whose values are strings."""
        exact = [test.value for test in tests if isinstance(test, Exact) and isinstance(test.value, str)]
        found = [self._is_one_of(column, exact)] if exact else []
        for test in tests:
            match test:
                case Exact() | Numeric():
                    pass
                case Prefix(text=text):
                    found.append(f"starts_with({column}, {self.bind(text)})")
                case Suffix(text=text):
                    found.append(f"suffix({column}, {self.bind(text)})")
                case Contains(text=text):
                    found.append(f"contains({column}, {self.bind(text)})")
                case AnythingBut(tests=excluded):
                    inner = _joined(" OR ", self._column_tests(column, excluded), _FALSE)
                    found.append(f"({column} IS NOT NULL AND NOT {inner})")
                case Exists(present=present):
                    found.append(f"{column} IS NOT NULL" if present else f"{column} IS NULL")
        return found

    def _text_tests(self, x: str, tests: Sequence[Test]) -> list[str]:
        """Tests of one scalar in canonical JSON text; NULL, objects and arrays pass none."""
        same = [
            self._text_of(test.value) for test in tests if isinstance(test, Exact) and _has_one_text(test)
        ]
        found = [f"{x} IN ({', '.join(same)})"] if same else []
        for test in tests:
            match test:
                case Exact(value=value) if isinstance(value, int | float) and not isinstance(value, bool):
                    found.append(self._compared(x, "=", value))
                case Exact():
                    pass
                case Prefix(text=text):
                    # Escapes stand for single characters: an escaped prefix is a prefix of the escaped text.
                    found.append(f"starts_with({x}, left({self._text_of(text)}, -1))")
                case Suffix(text=text):
                    found.append(
                        f"({_is_string(x)} AND suffix(json_extract_string({x}, ''), {self.bind(text)}))"
                    )
                case Contains(text=text):
                    found.append(
                        f"({_is_string(x)} AND contains(json_extract_string({x}, ''), {self.bind(text)}))"
                    )
                case AnythingBut(tests=excluded):
                    inner = _joined(" OR ", self._text_tests(x, excluded), _FALSE)
                    found.append(f"({_is_scalar(x)} AND NOT coalesce({inner}, FALSE))")
                case Numeric(comparisons=comparisons):
                    found.append(_joined(" AND ", (self._compared(x, *each) for each in comparisons), "TRUE"))
                case Exists():
                    found.append(_is_scalar(x))
        return found

    def _text_of(self, value: object) -> str:
        """A string, boolean or null as the canonical JSON text that the engine itself writes."""
        if isinstance(value, str):
            return f"to_json({self.bind(value)}::VARCHAR)::VARCHAR"
        return {None: "'null'", True: "'true'", False: "'false'"}[bool(value) if value is not None else None]

    def _compared(self, x: str, operator: str, number: float) -> str:
        """A number by value (see `eventcenter.pattern.tree`); NULL for anything but a number."""
        sign = "<>" if operator == "!=" else operator
        double = f"TRY_CAST({x} AS DOUBLE) {sign} {self.bind(float(number))}::DOUBLE"
        if isinstance(number, float) or abs(number) < _DOUBLE_IS_EXACT:
            # Below 2^53 no two whole numbers share a double, and rounding keeps the order.
            return f"({double})"
        exact = f"TRY_CAST({x} AS HUGEINT) {sign} {self.bind(str(number))}::HUGEINT"
        return f"(CASE WHEN regexp_full_match({x}, '-?[0-9]{{1,38}}') THEN {exact} ELSE {double} END)"

    def _is_one_of(self, column: str, values: Sequence[object]) -> str:
        marks = [self.bind(value) for value in dict.fromkeys(values)]
        return f"{column} = {marks[0]}" if len(marks) == 1 else f"{column} IN ({', '.join(marks)})"

    # -- the way to a value ------------------------------------------------------------------------

    def _nodes(self, path: Path) -> str:
        """A list of canonical JSON texts: what lies at the path, with NULL for nothing."""
        if path.field != "data":
            return f"[json_extract(extensions, {self.bind(pointer((path.field,)))})::VARCHAR]"
        readings = [self._reading(keys) for keys in path.readings]
        return readings[0] if len(readings) == 1 else f"flatten([{', '.join(readings)}])"

    def _reading(self, keys: tuple[str, ...]) -> str:
        if not keys:
            return "[json_extract(data, '')::VARCHAR]"
        places = self.bind([pointer(keys[: depth + 1]) for depth in range(len(keys))])
        arrays = [_is_array("ltrim(data, chr(32) || chr(9) || chr(10) || chr(13))")]
        arrays += [_is_array(f"n[{depth}]") for depth in range(1, len(keys))]
        slow = "[json_extract(data, '')::VARCHAR]"
        for key in keys:
            there = f"json_extract(o, {self.bind(pointer((key,)))})::VARCHAR"
            inside = (
                f"list_transform({_opened(slow)}, lambda o: CASE WHEN {_is_object('o')} THEN {there} END)"
            )
            slow = inside
        return (
            f"flatten(list_transform([json_extract(data, {places}::VARCHAR[])::VARCHAR[]], lambda n:"
            f" CASE WHEN {' OR '.join(arrays)} THEN {slow} ELSE [n[{len(keys)}]] END))"
        )


@dataclass(kw_only=True)
class Counting(Statement):
    """SQL over the archive's counts (eventcenter/archive/rollup.py), and over events where they do not tell.

    It grows by pieces of rows (name, bucket, n) and of cells (kind, bucket, n), each under the filter; the
    range is the pieces' business. Rows and cells repeat.
    """

    by: By | None
    """Whose values are told apart."""
    time_field: TimeField
    buckets: Buckets | None = None
    """What is counted separately; None: all in one."""
    pieces: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of events that `add_events` reads."""
        return self.columns_with(f"{self.by} {time_column(self.time_field)}")

    def add_all(self) -> None:
        """Everything, whenever it was."""
        for table in ("rollup_kinds", "rollup_loose"):
            columns = f"{self._name} AS name, 0 AS bucket, events AS n"
            self.pieces.append(f"SELECT {columns} FROM {table} {self._under()}")  # noqa: S608

    def add_hours(self, hours: Stretch) -> None:
        """Whole hours since 1970, of what is not loose."""
        self._add_cells("rollup_hours", hours, HOUR_US)

    def add_minutes(self, minutes: Stretch) -> None:
        """Whole minutes since 1970, of what is not loose."""
        self._add_cells("rollup_minutes", minutes, MINUTE_US)

    def add_loose(self, minutes: Stretch) -> None:
        """Whole minutes since 1970, of what is loose."""
        where = self._under(*self._within(self._axis, minutes))
        self._add("rollup_loose", self._bucket(self._axis, MINUTE_US), "sum(events)", where)

    def add_events(self, source: str, micros: Stretch) -> None:
        """Events of the range in microseconds since 1970, from a relation."""
        moment = f"epoch_us({time_column(self.time_field)})"
        where = self._under(*self._within_micros(self.time_field, micros))
        self._add(source, self._bucket(moment, 1), "count(*)", where)

    def total(self) -> tuple[str, Mapping[str, object]]:
        """One row (n)."""
        return self._with_its_parameters(f"SELECT coalesce(sum(n), 0)::BIGINT AS n FROM ({self._rows()})")  # noqa: S608

    def top(self, limit: int) -> tuple[str, Mapping[str, object]]:
        """Rows (value, n), the most frequent first."""
        return self._with_its_parameters(
            f"SELECT name AS value, sum(n)::BIGINT AS n FROM ({self._rows()}) WHERE name IS NOT NULL"  # noqa: S608
            f" GROUP BY name ORDER BY n DESC, name LIMIT {self.bind(limit)}"
        )

    def rows(self) -> tuple[str, Mapping[str, object]]:
        """Rows (name, bucket, n) of what is not in cells."""
        return self._with_its_parameters(f"SELECT name, bucket, n FROM ({' UNION ALL '.join(self.pieces)})")  # noqa: S608

    def kinds(self) -> tuple[str, Mapping[str, object]]:
        """Rows (kind, name): what the cells' kinds stand for."""
        return self._with_its_parameters(
            f"SELECT kind, {self._name} AS name FROM rollup_kinds {self._under()}"  # noqa: S608
        )

    def of_kinds(self) -> tuple[str, Mapping[str, object]]:
        """The cells: rows (kind, bucket, n)."""
        cells = " UNION ALL ".join(self.cells)
        return self._with_its_parameters(f"SELECT kind, bucket, n::BIGINT AS n FROM ({cells})")  # noqa: S608

    def ends(self) -> tuple[str, Mapping[str, object]]:
        """One row (first, last): the first and the last hour since 1970 that has events, NULL without any."""
        cells = self._hours(None, None)
        return f"SELECT min(hour) AS first, max(hour) AS last FROM ({cells})", self.parameters  # noqa: S608

    def hours_with(
        self, events: int, *, newest: bool, edge: int | None, partial: bool, far: int | None
    ) -> tuple[str, Mapping[str, object]]:
        """One row (hour): how far to go, from the hour `edge` (None: the end), to meet `events` events.

        `newest`: back in time. The edge itself does not count where it is `partial`. Not beyond `far`. NULL
        where there are none at all.
        """
        order, furthest = ("DESC", "min") if newest else ("ASC", "max")
        low, high = (far, edge) if newest else (edge, far)
        counted = (
            "n" if edge is None or not partial else f"CASE WHEN hour = {self.bind(edge)} THEN 0 ELSE n END"
        )
        by_hour = f"SELECT hour, sum({counted}) AS n FROM ({self._hours(low, high)}) GROUP BY hour"  # noqa: S608
        running = (
            f"SELECT hour, sum(n) OVER (ORDER BY hour {order} ROWS UNBOUNDED PRECEDING) - n AS before"  # noqa: S608
            f" FROM ({by_hour})"
        )
        return (
            f"SELECT {furthest}(hour) AS hour FROM ({running}) WHERE before < {self.bind(events)}",  # noqa: S608
            self.parameters,
        )

    @property
    def _axis(self) -> str:
        return "happened" if self.time_field == "time" else "received"

    @property
    def _name(self) -> str:
        return self.by or "NULL::VARCHAR"

    def _rows(self) -> str:
        named = [
            f"SELECT {self._name} AS name, bucket, n FROM ({cells}) JOIN rollup_kinds USING (kind)"  # noqa: S608
            for cells in self.cells
        ]
        return " UNION ALL ".join([*self.pieces, *named])

    def _hours(self, first: int | None, last: int | None) -> str:
        """Rows (hour, n) of first…last, both included."""
        end = None if last is None else last + 1
        hours = self._within(self._axis, (first, end))
        minutes = self._within(
            self._axis, (first and first * HOUR_MINUTES, end if end is None else end * HOUR_MINUTES)
        )
        return (
            f"SELECT {self._axis} AS hour, events AS n FROM rollup_hours {self._of_kinds(hours)} UNION ALL"  # noqa: S608
            f" SELECT {hour_of(self._axis)}, events FROM rollup_loose {self._under(*minutes)}"
        )

    def _add(self, source: str, bucket: str, n: str, where: str) -> None:
        columns = f"{self._name} AS name, {bucket} AS bucket, {n} AS n"
        self.pieces.append(f"SELECT {columns} FROM {source} {where} GROUP BY ALL")  # noqa: S608

    def _add_cells(self, table: str, stretch: Stretch, unit_us: int) -> None:
        where = self._of_kinds(self._within(self._axis, stretch))
        bucket = self._bucket(self._axis, unit_us)
        if self.buckets is not None and self.buckets.step_s * 1_000_000 <= _FEW_UNITS * unit_us:
            # To group cells that differ mostly anyway costs more than to hand them out.
            self.cells.append(f"SELECT kind, {bucket} AS bucket, events AS n FROM {table} {where}")  # noqa: S608
        else:
            columns = f"kind, {bucket} AS bucket, sum(events) AS n"
            self.cells.append(f"SELECT {columns} FROM {table} {where} GROUP BY ALL")  # noqa: S608

    def _of_kinds(self, conditions: Sequence[str]) -> str:
        """Conditions on cells, with the filter's on their kinds."""
        kinds = f"kind IN (SELECT kind FROM rollup_kinds {self._under()})"  # noqa: S608
        every = [*conditions, kinds] if self.conditions else list(conditions)
        return f"WHERE {' AND '.join(every)}" if every else ""

    def _within(self, column: str, stretch: Stretch) -> list[str]:
        return [
            f"{column} {sign} {self.bind(end)}"
            for sign, end in zip((">=", "<"), stretch, strict=True)
            if end is not None
        ]

    def _bucket(self, unit: str, unit_us: int) -> str:
        if self.buckets is None:
            return "0"
        start, step = self.buckets.start_us, self.buckets.step_s * 1_000_000
        return f"({unit} * {unit_us} - {self.bind(start)}::BIGINT) // {self.bind(step)}::BIGINT"


def pointer(keys: Sequence[str]) -> str:
    """The JSON pointer (RFC 6901) of a place in data. The one function that quotes."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def payload_paths(pattern: EventPattern | None) -> list[str]:
    """JSON pointers of the places in data that a pattern looks at."""
    looked_at = paths(pattern) if pattern is not None else ()
    return [pointer(keys) for path in looked_at if path.field == "data" for keys in path.readings]


def is_counted(which: EventFilter) -> bool:
    """Whether the archive's counts tell how many events pass: bus, source and type alone decide."""
    if which.subjects or which.ids or which.traces:
        return False
    return which.pattern is None or _fields(which.pattern.root) <= _KINDS


def reads_json(which: EventFilter) -> bool:
    """Whether each event's JSON must be read to tell if it passes."""
    return which.pattern is not None and not _fields(which.pattern.root) <= _COLUMNS.keys()


def time_column(which: TimeField) -> str:
    """What a time range is about: an event without a time happened, as far as we know, when it came."""
    return "coalesce(time, received_at)" if which == "time" else "received_at"


def _fields(node: Node) -> frozenset[str]:
    if isinstance(node, Condition):
        return frozenset({node.path.field})
    return frozenset().union(*map(_fields, node.nodes))


def _opened(nodes: str) -> str:
    """A list of JSON texts with the elements of its arrays in their place."""
    elements = "json_extract(a, '$[*]')::VARCHAR[]"
    return (
        f"flatten(list_transform({nodes}, lambda a: CASE WHEN {_is_array('a')} THEN {elements} ELSE [a] END))"
    )


def _wanted(test: Test) -> Kind | None:
    """What alone passes the test; None where several kinds of values may, or nothing."""
    match test:
        case Exact(value=bool()):
            return "boolean"
        case Exact(value=str()) | Prefix() | Suffix() | Contains():
            return "string"
        case Exact(value=int() | float()) | Numeric():
            return "number"
        case _:
            return None


def _hints(tests: Sequence[Test]) -> list[str]:
    """Texts of which JSON text that passes holds one, or else an escape; empty where that cannot be said."""
    found = []
    for test in tests:
        match test:
            case Exact(value=str(text)) | Prefix(text=text) | Suffix(text=text) | Contains(text=text):
                if _PLAIN_TEXT.fullmatch(text) is None:
                    return []
                found.append(text)
            case _:
                return []
    return found


def _is_array(x: str) -> str:
    return f"starts_with({x}, '[')"


def _is_object(x: str) -> str:
    return f"starts_with({x}, '{{')"


def _is_string(x: str) -> str:
    return f"starts_with({x}, '\"')"


def _is_scalar(x: str) -> str:
    return f"({x} IS NOT NULL AND NOT {_is_array(x)} AND NOT {_is_object(x)})"


def _is_no_other(text: str, kinds: frozenset[Kind] | None, kind: Kind | None) -> str:
    """Whether a text that passes tests of `kind` can be no value of another one of `kinds` that reads alike.

    What is no string begins in a way of its own. A number or boolean is written with quotes where it is a
    string, unless its characters are escaped.
    """
    if kind == "string":
        return f"NOT regexp_matches({text}, {quoted(_NO_STRING)})"
    if kinds is not None and "string" not in kinds:
        return "TRUE"
    return f"NOT contains(data, '\"' || {text} || '\"') AND NOT contains(data, '\\')"


def _has_one_text(test: Exact) -> bool:
    return test.value is None or isinstance(test.value, str | bool)


def _joined(operator: str, parts: Iterable[str], none: str) -> str:
    """The parts in brackets; `none` where there are no parts."""
    found = list(parts)
    return f"({operator.join(found)})" if found else none
