"""Filters and patterns → SQL: text with named parameters, and their values. The only place that builds SQL.

What an event holds is never part of the text: values and JSON paths are bound. JSON paths are JSON pointers
(RFC 6901), which can name every key; `pointer` is the one function that quotes.

How a condition on `data` is compiled: DuckDB hands out a place in JSON as canonical text, which tells its
type by its first character (`"` string, `{` object, `[` array, digit or `-` number). All places from the top
down to the value are taken in one pass over the text; only where one of those above the value is an array
does the slower way run, which opens arrays level by level. The tests then see one list of scalar texts.
`EventPattern.match` says what all this has to mean; a property test holds the two together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from eventcenter.pattern import (
    All,
    Any,
    AnythingBut,
    Condition,
    Contains,
    Exact,
    Exists,
    Node,
    Numeric,
    Path,
    Prefix,
    Suffix,
    Test,
)
from queries.request import EventFilter, TimeField

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
_FALSE = "FALSE"

ROW = (
    "seq, bus, id, source, type, subject, time_text, datacontenttype, dataschema, extensions, data,"
    " data_kind, received_at"
)


@dataclass(kw_only=True)
class Statement:
    """SQL that grows by conditions, and the values it binds."""

    parameters: dict[str, object] = field(default_factory=dict)
    conditions: list[str] = field(default_factory=list)

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
        self.where_in("bus", which.buses)
        self.where_in("type", which.types)
        self.where_in("source", which.sources)
        self.where_in("subject", which.subjects)
        self.where_in("id", which.ids)
        column = time_column(which.time_field)
        if which.from_ is not None:
            self.where(f"{column} >= {self.bind(which.from_)}")
        if which.to is not None:
            self.where(f"{column} < {self.bind(which.to)}")
        if which.pattern is not None:
            self.where_node(which.pattern.root)

    def where_node(self, node: Node) -> None:
        """The event satisfies the tree of a pattern."""
        if isinstance(node, All):
            for each in node.nodes:
                self.where_node(each)
        else:
            self.where(self._node(node))

    def where_seqs(self, first: int, last: int) -> None:
        """The event's seq lies in first…last, both included."""
        self.where(f"seq BETWEEN {self.bind(first)} AND {self.bind(last)}")

    def where_seq_is_one_of(self, seqs: Sequence[int]) -> None:
        """The event is one of these. A join, for which the engine reads other columns of the hits only."""
        self.where_seqs(min(seqs), max(seqs))
        self.where(f"seq IN (SELECT unnest({self.bind(list(seqs))}::BIGINT[]))")

    def where_after(self, micros: int, seq: int, *, newest: bool) -> None:
        """The event comes after the one with this time (µs since 1970) and seq, ordered by time, then seq."""
        beyond = "<" if newest else ">"
        moment = f"make_timestamptz({self.bind(micros)}::BIGINT)"
        self.where(f"({time_column('time')}, seq) {beyond} ({moment}, {self.bind(seq)})")

    def select(self, what: str, tail: str = "") -> tuple[str, Mapping[str, object]]:
        """`SELECT what FROM events` under all conditions, and the parameters."""
        where = f"WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        return f"SELECT {what} FROM events {where} {tail}", self.parameters  # noqa: S608 see the module

    def histogram(
        self, by: str | None, column: str, start_us: int, step_s: int, top: int
    ) -> tuple[str, Mapping[str, object]]:
        """Rows (name, bucket, n): the `top` most frequent values of the column `by`, the others as NULL."""
        bucket = (
            f"(epoch_us({column}) - {self.bind(start_us)}::BIGINT) // {self.bind(step_s * 1_000_000)}::BIGINT"
        )
        sql, parameters = self.select(
            f"{by or 'NULL::VARCHAR'} AS name, {bucket} AS bucket, count(*) AS n", "GROUP BY ALL"
        )
        # What is put into the text here and below are names of columns and placeholders, see the module.
        best = f"SELECT name FROM counted GROUP BY name ORDER BY sum(n) DESC, name LIMIT {self.bind(top)}"  # noqa: S608
        named = "CASE WHEN name IN (SELECT name FROM best) THEN name END"
        tables = f"counted AS MATERIALIZED ({sql}), best AS MATERIALIZED ({best})"
        rows = f"SELECT {named} AS name, bucket, sum(n)::BIGINT AS n FROM counted GROUP BY ALL"  # noqa: S608
        return f"WITH {tables} {rows}", parameters

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
        nodes = self._nodes(path)
        if tests == [Exists(present=False)]:
            return f"len(list_filter({nodes}, lambda x: x IS NOT NULL)) = 0"
        texts = _joined(" OR ", self._text_tests("x", tests), _FALSE)
        return f"len(list_filter({_opened(nodes)}, lambda x: {texts})) > 0"

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


def pointer(keys: Sequence[str]) -> str:
    """The JSON pointer (RFC 6901) of a place in data. The one function that quotes."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def time_column(which: TimeField) -> str:
    """What a time range is about: an event without a time happened, as far as we know, when it came."""
    return "coalesce(time, received_at)" if which == "time" else "received_at"


def _opened(nodes: str) -> str:
    """A list of JSON texts with the elements of its arrays in their place."""
    elements = "json_extract(a, '$[*]')::VARCHAR[]"
    return (
        f"flatten(list_transform({nodes}, lambda a: CASE WHEN {_is_array('a')} THEN {elements} ELSE [a] END))"
    )


def _is_array(x: str) -> str:
    return f"starts_with({x}, '[')"


def _is_object(x: str) -> str:
    return f"starts_with({x}, '{{')"


def _is_string(x: str) -> str:
    return f"starts_with({x}, '\"')"


def _is_scalar(x: str) -> str:
    return f"({x} IS NOT NULL AND NOT {_is_array(x)} AND NOT {_is_object(x)})"


def _has_one_text(test: Exact) -> bool:
    return test.value is None or isinstance(test.value, str | bool)


def _joined(operator: str, parts: Iterable[str], none: str) -> str:
    """The parts in brackets; `none` where there are no parts."""
    found = list(parts)
    return f"({operator.join(found)})" if found else none
