"""Looking at and changing a statement's tree as the engine gives it (eventcenter/archive/syntax.py)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec

from eventcenter.archive.syntax import NotParsed, Tree, parse, write

_PLACES: Final = ("query_location", "query_location_length", "named_param_map")
_CUTS: Final = ("modifiers", "sample")
OTHERS: Final = frozenset({"subquery", "type_expr"})
"""Members of an expression that hold no expressions of its SELECT."""
OWN: Final = ("select_list", "where_clause", "group_expressions", "having", "qualify", "modifiers")
"""Members of a SELECT that hold its expressions."""


@dataclass(frozen=True, kw_only=True)
class From:
    """A use of the table `events` in a SELECT's FROM."""

    table: Tree
    alias: str
    """The name that its columns may be written with, in lower case."""
    alone: bool
    """Nothing else stands in this FROM."""


def selects(node: Any, *, shadowed: bool = False) -> Iterator[Tree]:
    """Every SELECT of the tree in which `events` is the table, not a WITH query of that name."""
    if isinstance(node, list):
        for each in node:
            yield from selects(each, shadowed=shadowed)
    elif isinstance(node, dict):
        if "cte_map" in node:
            for item in node["cte_map"]["map"]:
                yield from selects(item["value"], shadowed=shadowed)
                shadowed = shadowed or item["key"].lower() == "events"
        if node.get("type") == "SELECT_NODE" and not shadowed:
            yield node
        for name, value in node.items():
            if name != "cte_map":
                yield from selects(value, shadowed=shadowed)


def is_ordered(node: Any) -> bool:
    """Whether anything in the tree is put in order, limited, made distinct or sampled."""
    if isinstance(node, list):
        return any(map(is_ordered, node))
    if not isinstance(node, dict):
        return False
    return any(node.get(each) for each in _CUTS) or any(map(is_ordered, node.values()))


def sources(select: Tree) -> list[From]:
    """The uses of `events` in a SELECT's own FROM whose columns can be told from others'."""
    relations = list(_relations(select["from_table"]))
    names = [_name(each) for each in relations]
    return [
        From(table=each, alias=name, alone=len(relations) == 1)
        for each, name in zip(relations, names, strict=True)
        if each["type"] == "BASE_TABLE"
        and each["table_name"].lower() == "events"
        and each["sample"] is None
        and not each["column_name_alias"]
        and names.count(name) == 1
    ]


def _relations(table: Tree) -> Iterator[Tree]:
    if table["type"] == "JOIN":
        yield from _relations(table["left"])
        yield from _relations(table["right"])
    else:
        yield table


def _name(table: Tree) -> str:
    return str(table["alias"] or table.get("table_name") or "").lower()


def column(node: Any, source: From) -> str | None:
    """The name of the column of `source` that the node is, in lower case; None for all else."""
    if not isinstance(node, dict) or node.get("class") != "COLUMN_REF":
        return None
    names = [each.lower() for each in node["column_names"]]
    if len(names) == 2 and names[0] == source.alias:
        return str(names[1])
    return str(names[0]) if len(names) == 1 and source.alone else None


def expressions(node: Any) -> Iterator[Tree]:
    """All nodes of expressions below, without what stands in subqueries."""
    return (each for each in _everything(node, but=OTHERS) if "class" in each)


def own(select: Tree) -> Iterator[Tree]:
    """All nodes of a SELECT's own expressions."""
    for name in OWN:
        yield from expressions(select[name])


def columns(select: Tree, source: From) -> list[str] | None:
    """The names in lower case that may be columns of `source`; None where it may be all of them."""
    if not source.alone:
        return None
    found: set[str] = set()
    for node in _everything(select):
        if node.get("class") in {"STAR", "POSITIONAL_REFERENCE"}:
            return None
        if node.get("class") == "COLUMN_REF":
            names = [each.lower() for each in node["column_names"]]
            found.update(names[1:] if len(names) == 2 and names[0] == source.alias else names)
    return None if source.alias in found else sorted(found)


def _everything(node: Any, *, but: frozenset[str] = frozenset()) -> Iterator[Tree]:
    """All objects, from the top down and in order; without what members named `but` hold."""
    # No recursion: generators within generators were a tenth of the time that a small question takes.
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += [value for name, value in reversed(node.items()) if value and name not in but]
        elif isinstance(node, list):
            waiting += reversed(node)


def changed(node: Any, change: Callable[[Tree], Tree | None]) -> Any:
    """The tree with expressions replaced for which `change` gives another; subqueries stay as they are."""
    if isinstance(node, list):
        return [changed(each, change) for each in node]
    if not isinstance(node, dict):
        return node
    if "class" in node:
        other = change(node)
        if other is not None:
            return other
    return {name: value if name in OTHERS else changed(value, change) for name, value in node.items()}


def aliases(select: Tree) -> frozenset[str]:
    """Names that the select list gives, in lower case."""
    found = {each["alias"].lower() for each in select["select_list"] if each["alias"]}
    for each in expressions(select["select_list"]):
        if each["class"] == "STAR":
            found |= {item["key"].lower() for item in each["replace_list"]}
            found |= {str(item["value"]).lower() for item in each["rename_list"]}
    return frozenset(found)


def conjuncts(node: Tree | None) -> list[Tree]:
    """The conditions that all must hold."""
    if node is None:
        return []
    if node["class"] == "CONJUNCTION" and node["type"] == "CONJUNCTION_AND":
        return [each for child in node["children"] for each in conjuncts(child)]
    return [node]


def reference(name: str, qualifier: str = "") -> Tree:
    """A column by its name."""
    names = [qualifier, name] if qualifier else [name]
    return {"class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "", "column_names": names}


def constant_text(node: Tree) -> str | None:
    """The text of a string constant."""
    if node.get("class") == "CONSTANT" and node["literal"]["kind"] == "STRING":
        return str(node["literal"]["text"])
    return None


def named(node: Tree) -> str:
    """The name that the engine gives a column of this expression without an alias."""
    if node["alias"]:
        return str(node["alias"])
    if node["class"] == "COLUMN_REF":
        return str(node["column_names"][-1])
    return _named(msgspec.json.encode(node))


@lru_cache(256)
def _named(encoded: bytes) -> str:
    statement = parse("SELECT 1")[0]
    statement["node"]["select_list"] = [msgspec.json.decode(encoded)]
    return write(statement).removeprefix("SELECT ")


def expression(sql: str) -> Tree:
    """The tree of an expression that is part of the program."""
    found: Tree = msgspec.json.decode(_expression(sql))
    return found


@lru_cache(256)
def _expression(sql: str) -> bytes:
    return msgspec.json.encode(parse(f"SELECT {sql}")[0]["node"]["select_list"][0])


def written(statement: Tree) -> str | None:
    """The statement's text; None where it would not read as this very tree."""
    return _written(msgspec.json.encode(statement))


@lru_cache(256)
def _written(encoded: bytes) -> str | None:
    statement = msgspec.json.decode(encoded)
    try:
        text = write(statement)
        read = parse(text)
    except NotParsed:
        return None
    return text if len(read) == 1 and bare(read[0]) == bare(statement) else None


def bare(node: Any) -> Any:
    """The tree without the places of its text and what follows from the rest."""
    if isinstance(node, dict):
        return {name: bare(value) for name, value in node.items() if name not in _PLACES}
    return [bare(each) for each in node] if isinstance(node, list) else node


def copied(tree: Tree) -> Tree:
    """A tree to change."""
    found: Tree = _copied(tree)
    return found


def _copied(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _copied(value) for name, value in node.items()}
    return [_copied(each) for each in node] if isinstance(node, list) else node
