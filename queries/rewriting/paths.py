"""Payload paths in a statement: which ones it uses, and columns in their place.

Promoted columns where parts have them; what several others hold is taken out of a text at once.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from eventcenter.archive.manifest import Layout
from eventcenter.archive.relation import PathColumn, Want, pointer
from eventcenter.archive.syntax import Tree
from queries.rewriting import tree
from queries.rewriting.tree import From

_STEP: Final = re.compile(r'\.(?:(?P<plain>[A-Za-z_][A-Za-z0-9_]*)|"(?P<quoted>[^"\\*]+)")')
_TEXTS: Final = frozenset({"->>", "json_extract_string", "json_extract_path_text"})
_VALUES: Final = frozenset({"->", "json_extract", "json_extract_path"})
_WANTS: Final[dict[str, Want]] = {
    "double": "DOUBLE",
    "float8": "DOUBLE",
    "bigint": "BIGINT",
    "int8": "BIGINT",
    "int64": "BIGINT",
    "long": "BIGINT",
}
_MOST_PATHS: Final = 50
_OF_EVERY_EVENT: Final = ("select_list", "group_expressions", "modifiers")


def used(select: Tree, source: From) -> list[str]:
    """JSON pointers of the payload paths of `source` that a SELECT uses."""
    return [path for node in tree.own(select) if (path := path_of(node, source)) is not None]


def columns(select: Tree, source: From, layout: Layout, prefix: str) -> list[PathColumn]:
    """Change the SELECT so that it reads payload paths from columns; the columns it then needs.

    None are needed where no part has the path and no other is read with it, or where a change could be seen.
    """
    asked = frozenset(used(select, source))
    always = _always(select, source) if len(asked) > 1 else frozenset()
    promoted, together = asked & layout.paths, always - layout.paths
    if len(together) < 2:
        together = frozenset()
    if not (promoted or together) or not _unseen(select, source):
        return []
    # What a condition looks at is read of more events than the rest.
    always -= promoted & _paths_in(select["where_clause"], source)
    found: dict[tuple[str, Want], PathColumn] = {}

    def column(path: str, want: Want) -> Tree | None:
        if len(found) >= _MOST_PATHS:
            return None
        name = f"{prefix}{len(found)}"
        made = found.setdefault(
            (path, want), PathColumn(path=path, want=want, name=name, always=path in always)
        )
        return tree.reference(made.name, source.alias)

    def change(node: Tree, texts: frozenset[str]) -> Tree | None:
        if _is_lambda(node):
            # Its names may be the lambda's own.
            return node
        other = None
        if node["class"] == "CAST" and (path := path_of(node["child"], source)) is not None:
            # Where no part has a number, the cast stays where it is: a guard may stand around it.
            want = _wanted(node) if path in promoted else None
            other = None if want is None else column(path, want)
        elif (path := path_of(node, source)) is not None and path in texts:
            other = column(path, "text")
        return None if other is None else {**other, "alias": node["alias"]}

    parts = {
        name: tree.changed(
            select[name],
            partial(change, texts=promoted if name == "where_clause" else promoted | together),
        )
        for name in tree.OWN
    }
    if not found:
        return []
    select.update(parts)
    for node in _stars(select):
        if node["relation_name"].lower() in {"", source.alias}:
            node["exclude_list"] += [each.name for each in found.values()]
    return list(found.values())


def _always(select: Tree, source: From) -> frozenset[str]:
    """Paths that are read of every event which passes the WHERE: one look at its text may do for several.

    Not those that a condition guards, nor where something else than WHERE decides what passes.
    """
    decided_later = select["qualify"] is not None or any(
        node["class"] == "SUBQUERY" for node in tree.expressions(select["where_clause"])
    )
    if decided_later or not source.alone:
        return frozenset()
    return _paths_in([select[name] for name in _OF_EVERY_EVENT], source, _unguarded)


def _paths_in(
    node: Any, source: From, nodes: Callable[[Any], Iterator[Tree]] = tree.expressions
) -> frozenset[str]:
    return frozenset(path for each in nodes(node) if (path := path_of(each, source)) is not None)


def _unguarded(node: Any) -> Iterator[Tree]:
    """Nodes of expressions that are evaluated whatever a condition beside them gives.

    What an aggregate with a FILTER gathers is: the engine evaluates it of every event, and then filters.
    """
    if isinstance(node, list):
        for each in node:
            yield from _unguarded(each)
    elif isinstance(node, dict):
        if "class" in node:
            if _is_guard(node) or _is_lambda(node):
                return
            yield node
        for name, value in node.items():
            if name not in tree.OTHERS:
                yield from _unguarded(value)


def _is_guard(node: Tree) -> bool:
    return bool(node["class"] in {"CASE", "CONJUNCTION"} or node["type"] == "OPERATOR_COALESCE")


def path_of(node: Tree, source: From) -> str | None:
    """The JSON pointer, where the node is the text of a payload path of `source`."""
    if _is_arrow(node) and _is_text(node["expr"]):
        # data -> 'a' ->> 'b' is read from its end; the engine takes it as it is meant.
        inner = [each["expression"] for each in node["expr"]["arguments"]]
        begin = {**node, "expr": inner[0]}
        node = {**node["expr"], "arguments": [{"expression": each} for each in (begin, *inner[1:])]}
    if not _is_text(node):
        return None
    keys = _through(node, source)
    return None if not keys else pointer(keys)


def _through(node: Tree, source: From) -> tuple[str, ...] | None:
    """The keys that lead from `data` through a call or an arrow; None where it begins elsewhere."""
    if node["class"] == "LAMBDA":
        inner, last = node["lhs"], node["expr"]
    elif len(node["arguments"]) == 2:
        inner, last = (each["expression"] for each in node["arguments"])
    else:
        return None
    text = tree.constant_text(last)
    after = None if text is None else parsed(text)
    before = None if after is None else _value(inner, source)
    return None if before is None or after is None else before + after


def _value(node: Tree, source: From) -> tuple[str, ...] | None:
    """The keys that lead from `data` to a JSON value."""
    if tree.column(node, source) == "data":
        return ()
    call = node["class"] == "FUNCTION" and node["function_name"].lower() in _VALUES
    return _through(node, source) if call or _is_arrow(node) else None


def _is_arrow(node: Tree) -> bool:
    return bool(node["class"] == "LAMBDA" and node["syntax_type"] == "SINGLE_ARROW")


def _is_lambda(node: Tree) -> bool:
    return bool(node["class"] == "LAMBDA" and node["syntax_type"] != "SINGLE_ARROW")


def _is_text(node: Tree) -> bool:
    return bool(node["class"] == "FUNCTION" and node["function_name"].lower() in _TEXTS)


def parsed(path: str) -> tuple[str, ...] | None:
    """The keys of a path as DuckDB reads it: `$.a.b`, `/a/b`, or one key; None for anything else.

    What might be taken for the index of an array is left alone.
    """
    keys: tuple[str, ...]
    if path.startswith("$"):
        steps = list(_STEP.finditer(path, 1))
        if "".join(step[0] for step in steps) != path[1:]:
            return None
        keys = tuple(step["plain"] or step["quoted"] for step in steps)
    elif path.startswith("/"):
        parts = path[1:].split("/")
        if any(re.search("~(?![01])", part) for part in parts):
            return None
        keys = tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)
    else:
        keys = (path,)
    plain = all(key and not key.isdigit() and key != "-" for key in keys)
    return keys if keys and plain else None


def _wanted(cast: Tree) -> Want | None:
    kind = cast["type_expr"]
    want = None if kind["children"] else _WANTS.get(kind["type_name"].lower())
    if want is None or not cast["try_cast"]:
        return want
    return "TRY_DOUBLE" if want == "DOUBLE" else "TRY_BIGINT"


def _unseen(select: Tree, source: From) -> bool:
    """Whether further columns of the source change nothing, and its `data` is what `data` means."""
    if source.alone and "data" in tree.aliases(select):
        return False
    for node in tree.own(select):
        if node["class"] == "COLUMN_REF" and [each.lower() for each in node["column_names"]] == [
            source.alias
        ]:
            return False
    listed: Sequence[object] = [select[name] for name in tree.OWN if name != "modifiers"]
    stars = [node for node in tree.expressions(listed) if node["class"] == "STAR"]
    return not any(node["columns"] or node["expr"] is not None for node in stars)


def _stars(select: Tree) -> Iterator[Tree]:
    return (node for node in tree.expressions(select["select_list"]) if node["class"] == "STAR")
