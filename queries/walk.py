"""The second wall around people's SQL: one pass over the engine's own tree of the statement.

Every kind of node and every member has its place here; what has none is refused. Beside names it bounds the
plan (tables and columns with each WITH query and star written out) and values (queries/growth.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, NoReturn

from eventcenter.archive.syntax import Tree
from eventcenter.errors import InvalidInput
from queries import functions, growth
from queries.growth import TooMuch, Value

MOST_NODES: Final = 5_000
DEEPEST_TREE: Final = 200
MOST_RELATIONS: Final = 32
"""Tables in the plan, each use of a WITH query written out."""
MOST_EVENTS: Final = 8
"""`events` among them."""
MOST_COLUMNS: Final = 1_000
MOST_GROUPINGS: Final = 64
TABLES: Final = ("events", "rejects", "origins", "deliveries")

_EVENT_COLUMNS: Final = 16
_SHOWN: Final = 120
_UNPLACED: Final = 2**64 - 1
_ALLOWED_TABLES: Final = ", ".join(TABLES)

_ANY: Final = frozenset({"query_location", "query_location_length", "alias"})
_QUERY: Final = frozenset({"type", "modifiers", "cte_map"})
_SELECT: Final = _QUERY | {
    "select_list", "from_table", "where_clause", "group_expressions", "group_sets", "aggregate_handling",
    "having", "sample", "qualify",
}  # fmt: skip
_SET: Final = _QUERY | {"setop_type", "left", "right", "setop_all", "children"}
_TABLE: Final = _ANY | {"type", "sample"}
_JOIN: Final = _TABLE | {
    "left", "right", "condition", "join_type", "ref_type", "using_columns", "delim_flipped",
    "duplicate_eliminated_columns", "is_implicit", "ranking_expression", "nearest_count",
    "nearest_order_type", "nearest_approx",
}  # fmt: skip
_BASE: Final = _TABLE | {
    "schema_name", "table_name", "column_name_alias", "catalog_name", "at_clause", "qualified_name",
}  # fmt: skip
_SHOW: Final = _TABLE | {"table_name", "query", "show_type", "catalog_name", "schema_name", "qualified_name"}
_EXPRESSION: Final = _ANY | {"class", "type"}
_STAR: Final = _EXPRESSION | {
    "relation_name", "exclude_list", "replace_list", "columns", "expr", "qualified_exclude_list",
    "rename_list",
}  # fmt: skip
_REFERENCED: Final = _EXPRESSION | {"subquery_type", "subquery", "child", "comparison_type"}
_CALL: Final = _EXPRESSION | {
    "function_name", "schema", "catalog", "qualified_name", "arguments", "filter", "order_bys", "distinct",
    "is_operator", "export_state",
}  # fmt: skip
_WINDOW: Final = _EXPRESSION | {
    "function_name", "schema", "catalog", "qualified_name", "arguments", "partitions", "orders", "start",
    "end", "start_expr", "end_expr", "offset_expr", "default_expr", "ignore_nulls", "filter_expr",
    "exclude_clause", "distinct", "arg_orders", "has_ignore_nulls",
}  # fmt: skip
_OPERATORS: Final = frozenset({
    "ARRAY_EXTRACT", "ARRAY_SLICE", "ARRAY_CONSTRUCTOR", "STRUCT_EXTRACT", "COMPARE_IN", "COMPARE_NOT_IN",
    "OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_COALESCE", "OPERATOR_NULLIF",
    "GROUPING_FUNCTION", "OPERATOR_TRY", "OPERATOR_UNPACK",
})  # fmt: skip
_LITERALS: Final = frozenset({"INTEGER", "NUMERIC", "STRING", "BOOLEAN", "NULL_LITERAL", "HEX"})


@dataclass(frozen=True, kw_only=True)
class _Relation:
    """A table, or what stands for one."""

    columns: int = 1
    size: float = growth.COLUMN
    """Of its largest value."""
    tables: int = 1
    """Tables in its plan."""
    events: int = 0


@dataclass(frozen=True, kw_only=True)
class _Scope:
    """What names mean at a place of the statement."""

    queries: Mapping[str, _Relation] = field(default_factory=lambda: MappingProxyType({}))
    """WITH queries by lower-case name."""
    size: float = 0
    """Of the largest value that a column here can have."""
    aliases: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    """Names that the select list gives."""
    elements: frozenset[str] = frozenset()
    """Names that stand for an element in a lambda."""


class Walk:
    """One pass over a statement's tree."""

    def __init__(self, sql: str, given: Mapping[str, Value]) -> None:
        self._sql = sql
        self._given = given
        self._nodes = 0
        self._depth = 0
        self._counted = _Relation(tables=0)
        self.tables: set[str] = set()
        self.used: set[str] = set()

    def refuse(self, node: Tree | None, detail: str, *, rule: str, remedy: str = "") -> NoReturn:
        """Raise the refusal, naming the place where the engine says it."""
        value = None
        at = _UNPLACED if node is None else node.get("query_location", _UNPLACED)
        if at != _UNPLACED:
            before, after = self._sql.encode()[:at], self._sql.encode()[at:]
            found = after.decode(errors="ignore").split("\n")[0][:_SHOWN]
            value = f"character {len(before.decode(errors='ignore')) + 1}: {found}"
        raise InvalidInput(
            detail, value=value, rule=rule, remedy=remedy or "docs/sql.md shows what can be asked"
        )

    def statement(self, tree: Tree) -> None:
        self._known(tree, frozenset({"node", "named_param_map"}), None)
        self._query(tree["node"], _Scope())

    # -- queries -----------------------------------------------------------------------------------

    def _query(self, node: Tree, scope: _Scope) -> _Relation:
        outer, self._counted = self._counted, _Relation(tables=0)
        with _Level(self, node):
            scope = self._with(node["cte_map"], scope)
            if node["type"] == "SELECT_NODE":
                found, inner = self._select(node, scope)
            elif node["type"] == "SET_OPERATION_NODE":
                found, inner = self._set(node, scope)
            else:
                kind = "recursive" if "RECURSIVE" in str(node["type"]) else "this kind of"
                self.refuse(
                    node, f"A {kind} query is not allowed.", rule="SELECT, UNION, INTERSECT, EXCEPT, VALUES"
                )
            for modifier in node["modifiers"]:
                self._modifier(modifier, inner)
            if found.columns > MOST_COLUMNS:
                self.refuse(node, "The query has too many columns.", rule=f"at most {MOST_COLUMNS}")
            inside = self._counted
            self._counted = _Relation(
                tables=outer.tables + inside.tables, events=outer.events + inside.events
            )
            if inside.tables > MOST_RELATIONS or inside.events > MOST_EVENTS:
                self.refuse(
                    node,
                    "The query joins too many tables.",
                    rule=f"at most {MOST_RELATIONS} tables, {MOST_EVENTS} times events (WITH written out)",
                )
        return replace(found, tables=inside.tables, events=inside.events)

    def _with(self, map_: Tree, scope: _Scope) -> _Scope:
        self._known(map_, frozenset({"map"}), None)
        queries = dict(scope.queries)
        for item in map_["map"]:
            given = item["value"]
            self._known(
                given,
                frozenset({"aliases", "materialized", "key_targets", "payload_aggregates", "query_node"}),
                None,
            )
            if given["key_targets"] or given["payload_aggregates"]:
                self.refuse(None, "A recursive query is not allowed.", rule="WITH without USING KEY")
            # What is counted within is counted where the name is used.
            outer = self._counted
            found = self._query(given["query_node"], replace(scope, queries=MappingProxyType(dict(queries))))
            self._counted = outer
            queries[_lower(item["key"])] = found
        return replace(scope, queries=MappingProxyType(queries))

    def _select(self, node: Tree, scope: _Scope) -> tuple[_Relation, _Scope]:
        self._known(node, _SELECT, None)
        source = self._table(node["from_table"], scope)
        self._sample(node["sample"])
        size = max(source.size, scope.size) if source.columns else scope.size
        inner = replace(scope, size=size)
        columns, largest = 0, growth.Value().size
        aliases = dict(scope.aliases)
        for each in node["select_list"]:
            value = self._expression(each, inner)
            if each["alias"]:
                aliases[_lower(each["alias"])] = value
                inner = replace(inner, aliases=MappingProxyType(dict(aliases)))
            # A star within an expression makes that expression once for each column.
            stars = sum(1 for found in _walked(each) if found.get("class") == "STAR")
            columns += source.columns**stars if stars < 3 else MOST_COLUMNS + 1
            largest = max(largest, value.size)
        for name in ("where_clause", "having", "qualify"):
            if node[name] is not None:
                self._expression(node[name], inner)
        for each in node["group_expressions"]:
            self._expression(each, inner)
        if len(node["group_sets"]) > MOST_GROUPINGS:
            self.refuse(node, "There are too many groupings.", rule=f"at most {MOST_GROUPINGS} (CUBE of six)")
        return _Relation(columns=columns, size=largest), inner

    def _set(self, node: Tree, scope: _Scope) -> tuple[_Relation, _Scope]:
        self._known(node, _SET, None)
        parts = [part for part in (node["left"], node["right"], *node["children"]) if part is not None]
        found = [self._query(part, scope) for part in parts]
        for each in found:
            if not each.tables:
                self._count(each)
        size = max(each.size for each in found)
        return _Relation(columns=max(each.columns for each in found), size=size), replace(
            scope, size=max(size, scope.size)
        )

    def _modifier(self, modifier: Tree, scope: _Scope) -> None:
        kind = modifier["type"]
        if kind == "ORDER_MODIFIER":
            self._known(modifier, frozenset({"type", "orders"}), None)
            self._orders(modifier["orders"], scope)
        elif kind == "DISTINCT_MODIFIER":
            self._known(modifier, frozenset({"type", "distinct_on_targets"}), None)
            for each in modifier["distinct_on_targets"]:
                self._expression(each, scope)
        elif kind == "LIMIT_MODIFIER":
            self._known(modifier, frozenset({"type", "limit", "offset", "limit_type"}), None)
            for each in (modifier["limit"], modifier["offset"]):
                if each is not None:
                    self._expression(each, scope)
        else:
            self.refuse(
                None, "This part of a query is not allowed.", rule="ORDER BY, DISTINCT, LIMIT, OFFSET"
            )

    def _orders(self, orders: list[Tree], scope: _Scope) -> None:
        for order in orders:
            self._known(order, frozenset({"type", "null_order", "expression"}), None)
            self._expression(order["expression"], scope)

    # -- tables ------------------------------------------------------------------------------------

    def _table(self, node: Tree, scope: _Scope) -> _Relation:
        with _Level(self, node):
            self._sample(node.get("sample"))
            way = {
                "EMPTY": self._no_table,
                "BASE_TABLE": self._base_table,
                "SUBQUERY": self._subquery_table,
                "JOIN": self._join,
                "TABLE_FUNCTION": self._table_function,
                "EXPRESSION_LIST": self._values,
                "SHOW_REF": self._described,
            }.get(node["type"])
            if way is None:
                self.refuse(
                    node,
                    f"{str(node['type']).replace('_', ' ').capitalize()} is not allowed in FROM.",
                    rule="tables, joins, subqueries, VALUES and the table functions of docs/sql.md",
                    remedy="count(*) FILTER (WHERE …) turns rows into columns",
                )
            return way(node, scope)

    def _no_table(self, node: Tree, _scope: _Scope) -> _Relation:
        self._known(node, _TABLE, node)
        return _Relation(columns=0, size=0, tables=0)

    def _base_table(self, node: Tree, scope: _Scope) -> _Relation:
        self._known(
            node,
            _TABLE
            | {
                "schema_name",
                "table_name",
                "column_name_alias",
                "catalog_name",
                "at_clause",
                "qualified_name",
            },
            node,
        )
        name = _lower(node["table_name"])
        plain = node["qualified_name"]["path"] == [node["table_name"]]
        if node["schema_name"] or node["catalog_name"] or node["at_clause"] is not None or not plain:
            self.refuse(
                node,
                f"The table {'.'.join(node['qualified_name']['path'])} is not allowed.",
                rule=f"tables are {_ALLOWED_TABLES}, without a schema or a version",
                remedy="leave out what stands before the name",
            )
        found = scope.queries.get(name)
        if found is None:
            if name not in TABLES:
                self.refuse(
                    node,
                    f"The table {node['table_name']} is not allowed.",
                    rule=f"tables are {_ALLOWED_TABLES}, and the names of the statement's own WITH queries",
                    remedy="files, other tables and the engine's own cannot be read",
                )
            self.tables.add(name)
            found = _Relation(columns=_EVENT_COLUMNS, events=int(name == "events"))
        self._count(found)
        return found

    def _subquery_table(self, node: Tree, scope: _Scope) -> _Relation:
        self._known(node, _TABLE | {"subquery", "column_name_alias"}, node)
        self._known(node["subquery"], frozenset({"node", "named_param_map"}), node)
        return self._query(node["subquery"]["node"], scope)

    def _join(self, node: Tree, scope: _Scope) -> _Relation:
        self._known(node, _JOIN, node)
        if (
            node["ranking_expression"] is not None
            or node["nearest_approx"]
            or node["duplicate_eliminated_columns"]
        ):
            self.refuse(node, "This kind of join is not allowed.", rule="the joins of docs/sql.md")
        left = self._table(node["left"], scope)
        beside = replace(scope, size=max(scope.size, left.size))
        right = self._table(node["right"], beside)
        size = max(left.size, right.size)
        if node["condition"] is not None:
            self._expression(node["condition"], replace(scope, size=max(scope.size, size)))
        return _Relation(columns=left.columns + right.columns, size=size)

    def _table_function(self, node: Tree, scope: _Scope) -> _Relation:
        self._known(node, _TABLE | {"function", "column_name_alias", "with_ordinality"}, node)
        call = node["function"]
        self._known(call, _CALL, node)
        name = self._name(call, node)
        if name not in functions.TABLES:
            self.refuse(
                node,
                f"The table function {call['function_name']} is not allowed.",
                rule=f"table functions are {', '.join(sorted(functions.TABLES))}",
                remedy="files, settings and the catalogue cannot be read",
            )
        sizes = [self._expression(each, scope).size for each in self._arguments(call, node)]
        found = _Relation(columns=_EVENT_COLUMNS, size=max([growth.Value().size, *sizes]))
        self._count(found)
        return found

    def _values(self, node: Tree, scope: _Scope) -> _Relation:
        self._known(node, _TABLE | {"expected_names", "expected_types", "values", "column_name_alias"}, node)
        if node["expected_types"]:
            self.refuse(node, "Types cannot be given here.", rule="VALUES (…), (…)")
        rows = node["values"]
        sizes = [self._expression(each, scope).size for row in rows for each in row]
        found = _Relation(columns=max((len(row) for row in rows), default=0), size=max(sizes, default=0))
        self._count(found)
        return found

    def _described(self, node: Tree, scope: _Scope) -> _Relation:
        self._known(node, _SHOW, node)
        named = (
            node["table_name"]
            or node["catalog_name"]
            or node["schema_name"]
            or node["qualified_name"]["path"]
        )
        if named or node["query"] is None or node["show_type"] not in {"DESCRIBE", "SUMMARY"}:
            self.refuse(
                node,
                "The catalogue cannot be shown.",
                rule=f"DESCRIBE or SUMMARIZE of a query or of {_ALLOWED_TABLES}",
                remedy="docs/sql.md lists all tables and columns",
            )
        self._query(node["query"], scope)
        return _Relation(columns=_EVENT_COLUMNS)

    def _sample(self, sample: Tree | None) -> None:
        if sample is not None and not (
            sample["is_percentage"] and str(sample["method"]).lower() in {"system", "bernoulli"}
        ):
            self.refuse(
                None,
                "This kind of sample is not allowed.",
                rule="TABLESAMPLE with a percentage, system or bernoulli",
            )

    def _count(self, found: _Relation) -> None:
        self._counted = _Relation(
            tables=self._counted.tables + max(1, found.tables), events=self._counted.events + found.events
        )

    # -- expressions -------------------------------------------------------------------------------

    def _expression(self, node: Tree, scope: _Scope) -> Value:
        with _Level(self, node):
            way = {
                "COLUMN_REF": self._column,
                "CONSTANT": self._constant,
                "PARAMETER": self._parameter,
                "FUNCTION": self._call,
                "WINDOW": self._window,
                "CAST": self._cast,
                "CASE": self._case,
                "COMPARISON": self._comparison,
                "CONJUNCTION": self._conjunction,
                "BETWEEN": self._between,
                "OPERATOR": self._operator,
                "SUBQUERY": self._subquery,
                "STAR": self._star,
                "LAMBDA": self._arrow,
                "COLLATE": self._collate,
                "POSITIONAL_REFERENCE": self._positional,
            }.get(node["class"])
            if way is None:
                self.refuse(
                    node,
                    f"This is not allowed: {str(node['class']).lower()}.",
                    rule="the expressions of docs/sql.md",
                )
            found = way(node, scope)
            if found.size > growth.LARGEST:
                self.refuse(
                    node,
                    "The values of this expression could become too large.",
                    rule=f"about {growth.LARGEST:.0f} bytes, counting a column as {growth.COLUMN:.0f}",
                    remedy="make shorter texts and lists; aggregates that collect rows are exempt",
                )
            if found.work > growth.MOST_WORK:
                self.refuse(
                    node,
                    "This expression is too much work for one row.",
                    rule=f"about {growth.MOST_WORK:.0f} steps, each use of an alias written out",
                    remedy="nest fewer lambdas, and do not build names on names that repeat others",
                )
            return found

    def _column(self, node: Tree, scope: _Scope) -> Value:
        self._known(node, _EXPRESSION | {"column_names"}, node)
        names = [_lower(name) for name in node["column_names"]]
        if names[0] in scope.elements:
            return growth.ELEMENT
        alias = scope.aliases.get(names[0]) if len(names) == 1 else None
        if len(names) == 1 and alias is None and names[0] in functions.SESSION_WORDS:
            self.refuse(
                node,
                f"{node['column_names'][0]} is not allowed.",
                rule="columns of the statement's tables; the engine's own state cannot be read",
                remedy="a column of yours with this name is written with its table: t." + names[0],
            )
        if names[-1] == "rowid" and alias is None:
            self.refuse(
                node, "rowid is not allowed.", rule="the columns of docs/sql.md", remedy="seq numbers events"
            )
        size = max(scope.size, growth.ELEMENT.size)
        if alias is None:
            return Value(size=size)
        return Value(size=max(size, alias.size), work=1 + alias.work)

    def _constant(self, node: Tree, _scope: _Scope) -> Value:
        self._known(node, _EXPRESSION | {"literal"}, node)
        self._known(node["literal"], frozenset({"kind", "text"}), node)
        if node["literal"]["kind"] not in _LITERALS:
            self.refuse(
                node, "This kind of constant is not allowed.", rule="numbers, texts, booleans, NULL, X'…'"
            )
        text = str(node["literal"]["text"])
        return Value(size=max(8, len(text)), text=text)

    def _parameter(self, node: Tree, _scope: _Scope) -> Value:
        self._known(node, _EXPRESSION | {"identifier"}, node)
        self.used.add(node["identifier"])
        return self._given.get(node["identifier"], Value(size=growth.COLUMN))

    def _call(self, node: Tree, scope: _Scope) -> Value:
        self._known(node, _CALL, node)
        name = self._name(node, node)
        if name not in functions.FUNCTIONS:
            self._unlisted(node, name)
        if node["export_state"]:
            self.refuse(node, "States of aggregates are not allowed.", rule="aggregates without EXPORT_STATE")
        arguments = self._arguments(node, node)
        work = 1.0
        if name in functions.LISTED:
            return self._listed(node, arguments, scope)
        values = [self._expression(each, scope) for each in arguments]
        if node["filter"] is not None:
            self._expression(node["filter"], scope)
        self._orders(node["order_bys"]["orders"], scope)
        work += sum(each.work for each in values)
        try:
            return Value(size=growth.made(name, values), work=work)
        except TooMuch as error:
            self.refuse(node, str(error), rule="what one call makes is bounded before it runs")

    def _listed(self, node: Tree, arguments: list[Tree], scope: _Scope) -> Value:
        """list_transform and list_filter: a list and a lambda."""
        if len(arguments) != 2 or arguments[1]["class"] != "LAMBDA":
            self.refuse(
                node, "A list and a lambda belong here.", rule=f"{node['function_name']}(list, lambda x: …)"
            )
        over = arguments[0]
        # COLUMNS(lambda c: …) is a filter of the columns' names.
        values = self._expression(over, scope)
        function = arguments[1]
        with _Level(self, function):
            self._known(function, _EXPRESSION | {"lhs", "expr", "syntax_type"}, function)
            left = function["lhs"]
            named = (
                [left]
                if left["class"] == "COLUMN_REF"
                else [each["expression"] for each in left["arguments"]]
            )
            names = {_lower(each["column_names"][0]) for each in named}
            body = self._expression(function["expr"], replace(scope, elements=scope.elements | names))
        found = growth.of_list(values, body)
        return replace(found, size=values.size) if "filter" in _lower(node["function_name"]) else found

    def _window(self, node: Tree, scope: _Scope) -> Value:
        self._known(node, _WINDOW, node)
        name = self._name(node, node)
        if name not in functions.WINDOWS and name not in functions.AGGREGATES:
            self._unlisted(node, name)
        values = [self._expression(each, scope) for each in self._arguments(node, node)]
        for each in node["partitions"]:
            self._expression(each, scope)
        self._orders(node["orders"], scope)
        self._orders(node["arg_orders"], scope)
        parts = [node[f"{part}_expr"] for part in ("start", "end", "offset", "default", "filter")]
        values += [self._expression(each, scope) for each in parts if each is not None]
        largest = max((each.size for each in values), default=growth.Value().size)
        size = growth.made(name, values) if name in functions.AGGREGATES else largest
        return Value(size=size, work=1 + sum(each.work for each in values))

    def _cast(self, node: Tree, scope: _Scope) -> Value:
        self._known(node, _EXPRESSION | {"child", "try_cast", "type_expr"}, node)
        self._type(node["type_expr"])
        value = self._expression(node["child"], scope)
        return replace(value, size=max(value.size, 64), work=value.work + 1)

    def _type(self, node: Tree) -> None:
        with _Level(self, node):
            if node["class"] == "CONSTANT":
                return
            self._known(
                node, _EXPRESSION | {"catalog", "schema", "type_name", "children", "qualified_name"}, node
            )
            name = _lower(node["type_name"])
            plain = node["qualified_name"]["path"] == [node["type_name"]]
            if node["class"] != "TYPE" or not plain or name not in functions.TYPES:
                self.refuse(
                    node, f"The type {node['type_name']} is not allowed.", rule="the types of docs/sql.md"
                )
            for each in node["children"]:
                self._type(each)

    def _case(self, node: Tree, scope: _Scope) -> Value:
        self._known(node, _EXPRESSION | {"case_checks", "else_expr"}, node)
        values = [self._expression(node["else_expr"], scope)] if node["else_expr"] is not None else []
        for each in node["case_checks"]:
            self._known(each, frozenset({"when_expr", "then_expr"}), node)
            values += [self._expression(each["when_expr"], scope), self._expression(each["then_expr"], scope)]
        return _largest(values)

    def _comparison(self, node: Tree, scope: _Scope) -> Value:
        self._known(node, _EXPRESSION | {"left", "right"}, node)
        return _test([self._expression(node["left"], scope), self._expression(node["right"], scope)])

    def _conjunction(self, node: Tree, scope: _Scope) -> Value:
        self._known(node, _EXPRESSION | {"children"}, node)
        return _test([self._expression(each, scope) for each in node["children"]])

    def _between(self, node: Tree, scope: _Scope) -> Value:
        self._known(node, _EXPRESSION | {"input", "lower", "upper"}, node)
        return _test([self._expression(node[name], scope) for name in ("input", "lower", "upper")])

    def _operator(self, node: Tree, scope: _Scope) -> Value:
        self._known(node, _EXPRESSION | {"children"}, node)
        if node["type"] not in _OPERATORS:
            self.refuse(node, "This operator is not allowed.", rule="the operators of docs/sql.md")
        values = [self._expression(each, scope) for each in node["children"]]
        found = _largest(values)
        if node["type"] == "ARRAY_CONSTRUCTOR":
            return replace(found, size=sum(each.size for each in values))
        # *COLUMNS(…) stands for as many arguments as there are columns.
        return (
            replace(found, size=found.size * _EVENT_COLUMNS) if node["type"] == "OPERATOR_UNPACK" else found
        )

    def _subquery(self, node: Tree, scope: _Scope) -> Value:
        self._known(node, _REFERENCED, node)
        self._known(node["subquery"], frozenset({"node", "named_param_map"}), node)
        if node["subquery_type"] not in {"SCALAR", "EXISTS", "NOT_EXISTS", "ANY"}:
            self.refuse(node, "This kind of subquery is not allowed.", rule="scalar, EXISTS, IN, ANY")
        if node["child"] is not None:
            self._expression(node["child"], scope)
        return Value(size=self._query(node["subquery"]["node"], scope).size)

    def _star(self, node: Tree, scope: _Scope) -> Value:
        self._known(node, _STAR, node)
        values = [Value(size=scope.size)]
        values += [self._expression(each["value"], scope) for each in node["replace_list"]]
        if node["expr"] is not None:
            chosen = self._expression(node["expr"], scope)
            if chosen.text is not None and growth.pattern_size(chosen.text) > growth.MOST_PATTERN:
                self.refuse(
                    node, "The pattern of COLUMNS is too large.", rule=f"at most {growth.MOST_PATTERN}"
                )
        return _largest(values)

    def _arrow(self, node: Tree, scope: _Scope) -> Value:
        """`a -> 'b'`: the engine takes it for a lambda until it knows better."""
        self._known(node, _EXPRESSION | {"lhs", "expr", "syntax_type"}, node)
        if node["syntax_type"] != "SINGLE_ARROW":
            self.refuse(
                node,
                "A lambda is not allowed here.",
                rule=f"lambdas belong into {', '.join(sorted(functions.LISTED))}",
            )
        return _largest([self._expression(node["lhs"], scope), self._expression(node["expr"], scope)])

    def _collate(self, node: Tree, scope: _Scope) -> Value:
        self._known(node, _EXPRESSION | {"child", "collation"}, node)
        return self._expression(node["child"], scope)

    def _positional(self, node: Tree, scope: _Scope) -> Value:
        self._known(node, _EXPRESSION | {"index"}, node)
        return Value(size=scope.size)

    # -- helpers -----------------------------------------------------------------------------------

    def _name(self, node: Tree, place: Tree) -> str:
        path = node["qualified_name"]["path"]
        if node["schema"] or node["catalog"] or path != [node["function_name"]]:
            self.refuse(
                place,
                f"The function {'.'.join(path)} is not allowed.",
                rule="functions are called by their name alone",
                remedy="leave out what stands before the name",
            )
        return _lower(node["function_name"])

    def _unlisted(self, node: Tree, name: str) -> NoReturn:
        close = [
            known for known in sorted(functions.FUNCTIONS) if len(name) > 3 and known.startswith(name[:4])
        ]
        hint = f"perhaps one of these: {', '.join(close[:8])}" if close else ""
        self.refuse(
            node,
            f"The function {node['function_name']} is not allowed.",
            rule="the functions of docs/sql.md",
            remedy=hint,
        )

    def _arguments(self, node: Tree, place: Tree) -> list[Tree]:
        for each in node["arguments"]:
            self._known(each, frozenset({"name", "expression"}), place)
            if each["name"] and _lower(node["function_name"]) not in {"struct_pack", "struct_insert"}:
                self.refuse(
                    place, f"{each['name']} := is not allowed.", rule="arguments are given by their place"
                )
        return [each["expression"] for each in node["arguments"]]

    def _known(self, node: Tree, members: frozenset[str], place: Tree | None) -> None:
        unknown = set(node) - members
        if unknown:
            self.refuse(
                place, f"This is not allowed here: {min(unknown)}.", rule="what docs/sql.md describes"
            )


class _Level:
    """Counts the nodes of a tree and how deep they lie."""

    def __init__(self, walk: Walk, node: Tree) -> None:
        self._walk = walk
        self._node = node

    def __enter__(self) -> None:
        walk = self._walk
        walk._nodes += 1  # noqa: SLF001 its own part
        walk._depth += 1  # noqa: SLF001
        if walk._nodes > MOST_NODES or walk._depth > DEEPEST_TREE:  # noqa: SLF001
            walk.refuse(
                self._node,
                "The statement is too large or nested too deeply.",
                rule=f"at most {MOST_NODES} parts, {DEEPEST_TREE} levels",
                remedy="give lists as parameters: x IN (SELECT unnest($ids))",
            )

    def __exit__(self, *_: object) -> None:
        self._walk._depth -= 1  # noqa: SLF001


def _largest(values: Sequence[Value]) -> Value:
    return Value(
        size=max((each.size for each in values), default=growth.Value().size),
        work=1 + sum(each.work for each in values),
    )


def _test(values: Sequence[Value]) -> Value:
    return Value(work=1 + sum(each.work for each in values))


def _walked(node: Any) -> Iterator[Tree]:
    """The node and all nodes within, without those of subqueries."""
    if isinstance(node, dict):
        yield node
        for name, value in node.items():
            if name != "subquery":
                yield from _walked(value)
    elif isinstance(node, list):
        for value in node:
            yield from _walked(value)


def _lower(name: str) -> str:
    """Lower case as the engine compares names: ASCII letters alone."""
    return "".join(chr(ord(letter) + 32) if "A" <= letter <= "Z" else letter for letter in name)
