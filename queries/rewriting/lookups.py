"""Conditions on `id` and `subject` that the segments' indexes answer."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from eventcenter.archive.syntax import Tree
from queries.request import EventFilter
from queries.rewriting import tree
from queries.rewriting.tree import From

_LOOKED_UP: Final = ("id", "subject")
_MOST_VALUES: Final = 1_000


def wanted(select: Tree, source: From, parameters: Mapping[str, Any]) -> EventFilter | None:
    """Ids and subjects that an event must have to pass the WHERE; None where it says nothing of them."""
    found: dict[str, frozenset[str]] = {}
    shadowed = tree.aliases(select)
    for condition in tree.conjuncts(select["where_clause"]):
        for name, values in _told(condition, source, parameters):
            if name not in shadowed:
                found[name] = values & found.get(name, values)
    if not found or any(len(values) > _MOST_VALUES for values in found.values()):
        return None
    # Nothing can pass two conditions without a common value, but an empty filter would let all pass.
    ids, subjects = (tuple(sorted(found.get(name, frozenset()))) for name in _LOOKED_UP)
    return EventFilter(ids=ids, subjects=subjects) if ids or subjects else None


def decides(select: Tree, source: From, parameters: Mapping[str, Any]) -> bool:
    """Whether the WHERE says nothing but what `wanted` found."""
    conditions = tree.conjuncts(select["where_clause"])
    return len(conditions) == 1 and bool(list(_told(conditions[0], source, parameters)))


def _told(
    condition: Tree, source: From, parameters: Mapping[str, Any]
) -> Iterator[tuple[str, frozenset[str]]]:
    """(column, values), where the condition is about one column and constants."""
    if condition["class"] == "COMPARISON" and condition["type"] == "COMPARE_EQUAL":
        pairs = [(condition["left"], [condition["right"]]), (condition["right"], [condition["left"]])]
    elif condition["class"] == "OPERATOR" and condition["type"] == "COMPARE_IN":
        pairs = [(condition["children"][0], condition["children"][1:])]
    elif condition["class"] == "FUNCTION" and condition["function_name"].lower() in {
        "contains",
        "list_contains",
    }:
        arguments = [each["expression"] for each in condition["arguments"]]
        pairs = [(arguments[1], arguments[:1])] if len(arguments) == 2 else []
    else:
        return
    for node, constants in pairs:
        name = tree.column(node, source)
        if name in _LOOKED_UP:
            values = [_texts(each, parameters, listed=condition["class"] == "FUNCTION") for each in constants]
            if all(each is not None for each in values):
                yield str(name), frozenset(text for each in values if each is not None for text in each)


def _texts(node: Tree, parameters: Mapping[str, Any], *, listed: bool) -> list[str] | None:
    """The texts that a constant or parameter stands for."""
    text = tree.constant_text(node)
    if text is not None and not listed:
        return [text]
    if node["class"] != "PARAMETER":
        return None
    value = parameters.get(node["identifier"])
    if listed:
        texts = isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
        return list(value) if texts and value is not None else None
    return [value] if isinstance(value, str) else None
