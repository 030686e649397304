"""One event against a pattern, in Python: what the language means. The SQL of `queries.search` must agree."""

import json

from eventcenter.event import Event
from eventcenter.pattern import numbers
from eventcenter.pattern.tree import (
    DATA,
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

_decode = json.JSONDecoder(parse_int=numbers.whole).decode
_MISSING = object()


class Fields:
    """An event's values by path; its data is read once, when the first condition asks for it."""

    def __init__(self, event: Event) -> None:
        self._event = event
        self._data: object = None
        self._read = False

    def nodes(self, path: Path) -> list[object]:
        """What lies at `path`: values, objects and arrays, one for each way that leads there."""
        if path.field == DATA:
            data = self._whole_data()
            if data is _MISSING:
                return []
            return [node for keys in path.readings for node in _follow(data, keys)]
        value = self._attribute(path.field)
        return [] if value is None else [value]

    def _whole_data(self) -> object:
        if not self._read:
            self._data = _MISSING if self._event.data is None else _decode(self._event.data.decode())
            self._read = True
        return self._data

    def _attribute(self, name: str) -> object:
        event = self._event
        match name:
            case "specversion":
                return "1.0"
            case "id":
                return event.id
            case "source":
                return event.source
            case "type":
                return event.type
            case "subject":
                return event.subject
            case "time":
                return event.time
            case "datacontenttype":
                return event.datacontenttype
            case "dataschema":
                return event.dataschema
            case _:
                return event.extensions.get(name)


def holds(node: Node, fields: Fields) -> bool:
    """Whether the event behind `fields` satisfies `node`."""
    match node:
        case All(nodes=nodes):
            return all(holds(each, fields) for each in nodes)
        case Any(nodes=nodes):
            return any(holds(each, fields) for each in nodes)
        case Condition(path=path, test=Exists(present=False)):
            return not fields.nodes(path)
        case Condition(path=path, test=test):
            return any(passes(test, value) for value in _values(fields.nodes(path)))


def passes(test: Test, value: object) -> bool:
    """Whether one scalar value passes `test`."""
    match test:
        case Exact(value=expected):
            return _same(expected, value)
        case Prefix(text=text):
            return isinstance(value, str) and value.startswith(text)
        case Suffix(text=text):
            return isinstance(value, str) and value.endswith(text)
        case Contains(text=text):
            return isinstance(value, str) and text in value
        case AnythingBut(tests=tests):
            return not any(passes(each, value) for each in tests)
        case Numeric(comparisons=comparisons):
            return _is_number(value) and all(_compares(value, *each) for each in comparisons)
        case Exists(present=present):
            return present


def _follow(value: object, keys: tuple[str, ...]) -> list[object]:
    found = [value]
    for key in keys:
        found = [item[key] for item in _opened(found) if isinstance(item, dict) and key in item]
    return found


def _opened(nodes: list[object]) -> list[object]:
    return [item for node in nodes for item in (node if isinstance(node, list) else (node,))]


def _values(nodes: list[object]) -> list[object]:
    return [item for item in _opened(nodes) if not isinstance(item, dict | list)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(expected: object, value: object) -> bool:
    if isinstance(expected, bool) or isinstance(value, bool):
        return expected is value
    if isinstance(expected, int | float) and isinstance(value, int | float):
        return numbers.equal(expected, value)
    return type(expected) is type(value) and expected == value


def _compares(value: object, operator: str, bound: float) -> bool:
    if not isinstance(value, int | float):
        return False
    match operator:
        case "=":
            return numbers.equal(value, bound)
        case "!=":
            return not numbers.equal(value, bound)
        case "<":
            return numbers.less(value, bound)
        case "<=":
            return numbers.less(value, bound) or numbers.equal(value, bound)
        case ">":
            return numbers.less(bound, value)
        case _:
            return numbers.less(bound, value) or numbers.equal(value, bound)
