"""What a template may name: an event's attributes, extensions and data, and where the event stands.

Numbers keep the text they were sent with: `1.0` stays `1.0`, however long it is.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final, TypeVar

from eventcenter.clock import rfc3339
from eventcenter.event import StoredEvent

_T = TypeVar("_T")

ATTRIBUTES: Final = ("id", "source", "type", "subject", "time", "datacontenttype", "dataschema")
CONTEXT: Final = ("bus", "seq", "received_at", "rule")
"""Known beside the event's own attributes; an extension of the same name is `extensions.rule`."""


class Number(str):
    """A JSON number as its text."""

    __slots__ = ()


class _Missing:
    """The event has nothing at a path. JSON null counts as nothing."""


MISSING: Final = _Missing()
Value = object
"""str, Number, bool, list, dict or MISSING."""


class EventValues:
    """Looks paths up in one event; the data is parsed once, and only when a path needs it."""

    def __init__(self, stored: StoredEvent, *, rule: str) -> None:
        self._stored = stored
        self._rule = rule

    def get(self, path: Sequence[str]) -> Value:
        """The value at `path`, or MISSING. A key `a.b` of an object is found as `a`, `b` too."""
        head, rest = path[0], path[1:]
        value: Value
        if head == "data":
            value = self._data
        elif head in ATTRIBUTES:
            value = getattr(self._stored.event, head)
        elif head == "extensions":
            value = {name: _extension(held) for name, held in self._stored.event.extensions.items()}
        elif head in CONTEXT:
            value = self._context(head)
        else:
            value = _extension(self._stored.event.extensions.get(head))
        found = _descend(value, rest)
        return MISSING if found is None else found

    def _context(self, name: str) -> Value:
        if name == "bus":
            return self._stored.bus
        if name == "seq":
            return Number(self._stored.seq)
        if name == "rule":
            return self._rule
        return rfc3339(self._stored.received_at)

    @cached_property
    def _data(self) -> Value:
        text = self._stored.event.data
        if text is None:
            return None
        return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=Number)


def as_text(value: Value, limit: int) -> str:
    """The value for people: strings bare, objects and arrays as JSON; at most `limit` + 1 characters."""
    if isinstance(value, str):
        return value[: limit + 1]
    return as_json(value, limit)


def as_json(value: Value, limit: int) -> str:
    """Compact JSON, its making stopped after `limit` + 1 characters."""
    parts: list[str] = []
    length = 0
    for part in _tokens(value, limit):
        parts.append(part)
        length += len(part)
        if length > limit:
            break
    return "".join(parts)[: limit + 1]


def _tokens(value: Value, limit: int) -> Iterator[str]:
    if isinstance(value, Number):
        yield value[: limit + 1]
    elif isinstance(value, str):
        yield json.dumps(value[: limit + 1], ensure_ascii=False)
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, Mapping):
        yield from _joined("{", "}", value.items(), lambda item: _member(item, limit))
    elif isinstance(value, list):
        yield from _joined("[", "]", value, lambda item: _tokens(item, limit))
    else:
        yield "null"


def _member(item: tuple[str, Value], limit: int) -> Iterator[str]:
    yield json.dumps(item[0][: limit + 1], ensure_ascii=False)
    yield ":"
    yield from _tokens(item[1], limit)


def _joined(
    opening: str, closing: str, items: Iterable[_T], tokens: Callable[[_T], Iterator[str]]
) -> Iterator[str]:
    yield opening
    for index, item in enumerate(items):
        if index:
            yield ","
        yield from tokens(item)
    yield closing


def _extension(value: object) -> Value:
    return Number(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _descend(value: Value, path: Sequence[str]) -> Value:
    if not path:
        return value
    if isinstance(value, Mapping):
        # Shortest key first, then keys that hold dots themselves (`app.kubernetes.io/name`).
        for length in range(1, len(path) + 1):
            key = ".".join(path[:length])
            if key in value:
                found = _descend(value[key], path[length:])
                if found is not None:
                    return found
        return None
    if isinstance(value, list) and path[0].isascii() and path[0].isdigit() and len(path[0]) < 10:
        index = int(path[0])
        return _descend(value[index], path[1:]) if index < len(value) else None
    return None
