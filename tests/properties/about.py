"""Events and patterns made for each other by a seeded dice: many pairs at once, most of them near a hit."""

import json
import random
from collections.abc import Sequence
from typing import TypeVar

from eventcenter.event import Event
from eventcenter.pattern import EventPattern, InvalidPattern
from tests.properties.json_texts import KEYS, LITERALS, NUMBERS, PLAIN_KEYS, TEXTS, escaped

T = TypeVar("T")
_SPACES = ["", "", "", " ", "\t", "\n", "\r"]
_EXTENSIONS: list[str | int | bool] = ["a", 80, "80", True, -1]
_COMPARISONS = ["=", "!=", "<", "<=", ">", ">="]


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


class Dice:
    """Everything random comes from one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def event(self) -> Event:
        """An event with nested data."""
        text = self._object(3) if self._one_in(2) else self._value(4)
        data = None if self._one_in(15) else (self._space() + text + self._space()).encode()
        extensions: dict[str, str | int | bool] = {}
        if self._one_in(3):
            extensions["a"] = self._pick(_EXTENSIONS)
        return Event(
            id="1",
            source="/a",
            type=self._pick(["a", "ab", "80"]),
            subject=self._pick([None, "a", "é"]),
            extensions=extensions,
            data=data,
            data_kind=None if data is None else "json",
        )

    def pattern(self, events: Sequence[Event]) -> EventPattern:
        """A pattern whose paths lead somewhere in one of the events, whose values lie there or near."""
        for _ in range(100):
            event = self._pick(events)
            parts = [self._about(event) for _ in range(self._pick([1, 1, 1, 2, 3]))]
            text = parts[0]
            if len(parts) > 1:
                text = text[:-1] + ',"$or":[' + ",".join(parts[1:]) + "]}"
            if len(parts) > 1 and self._one_in(2):
                text = '{"$or":[' + ",".join(parts) + "]}"
            try:
                return EventPattern.parse(text)
            except InvalidPattern:
                continue
        return EventPattern.parse("{}")

    # -- events ------------------------------------------------------------------------------------

    def _value(self, levels: int) -> str:
        kind = self._random.randrange(6) if levels else 0
        if kind < 2:
            return self._scalar()
        return self._object(levels) if kind < 4 else self._array(levels)

    def _object(self, levels: int) -> str:
        keys = {self._key() for _ in range(self._random.randrange(4))}
        members = [
            self._space() + self._string(key) + self._space() + ":" + self._value(levels - 1) + self._space()
            for key in sorted(keys)
        ]
        return "{" + ",".join(members) + "}"

    def _array(self, levels: int) -> str:
        items = [self._value(levels - 1) for _ in range(self._random.randrange(4))]
        return "[" + self._space() + f"{self._space()},{self._space()}".join(items) + "]"

    def _scalar(self) -> str:
        kind = self._random.randrange(5)
        if kind < 2:
            return self._number()
        return self._string(self._pick(TEXTS)) if kind < 4 else self._pick(LITERALS)

    def _number(self) -> str:
        if self._one_in(4):
            return repr(self._random.uniform(-10, 10) * 10.0 ** self._random.randint(-320, 307))
        return str(self._random.randint(-3, 3)) if self._one_in(3) else self._pick(NUMBERS)

    def _key(self) -> str:
        return self._pick(PLAIN_KEYS if self._random.randrange(3) else KEYS)

    # -- patterns ----------------------------------------------------------------------------------

    def _about(self, event: Event) -> str:
        """One path with its conditions."""
        if event.data is None or self._one_in(10):
            name = self._pick(["type", "subject", "a", "source"])
            return json.dumps({name: "?"}).replace('"?"', self._tests(_attribute(event, name)))
        places = _places(json.loads(event.data, parse_int=_Number, parse_float=_Number))
        leaves = [place for place in places if place[0] and not isinstance(place[1], dict | list)]
        keys, value = self._pick(places if self._one_in(5) or not leaves else leaves)
        if self._one_in(10):
            keys = (*keys, self._key())
        if len(keys) > 1 and self._one_in(4):
            keys = (".".join(keys[:2]), *keys[2:])
        text = self._tests(value)
        for key in reversed(("data", *keys)):
            text = "{" + self._string(key) + ":" + text + "}"
        return text

    def _tests(self, value: object) -> str:
        others = [self._scalar() for _ in range(self._pick([0, 0, 0, 1, 2]))]
        return "[" + ",".join([self._test(value), *others]) + "]"

    def _test(self, value: object) -> str:
        """A condition that this value passes, or nearly."""
        if self._one_in(8) or isinstance(value, dict | list):
            return self._pick(['{"exists":true}', '{"exists":false}', '{"anything-but":1}', "null"])
        if isinstance(value, _Number):
            near = self._pick([str(value), str(value), self._number(), _neighbour(value)])
            comparison = f'"{self._pick(_COMPARISONS)}",{near}'
            if self._one_in(3):
                comparison += f',"{self._pick(_COMPARISONS)}",{self._number()}'
            return self._pick([near, near, f'{{"anything-but":{near}}}', f'{{"numeric":[{comparison}]}}'])
        if isinstance(value, str):
            start, end = sorted(self._random.randint(0, len(value)) for _ in range(2))
            operator, cut = self._pick(
                [("prefix", value[:end]), ("suffix", value[start:]), ("contains", value[start:end])]
            )
            part = self._string(cut)
            but = f'{{"anything-but":{self._string(value)}}}'
            if operator != "contains" and self._one_in(2):
                but = f'{{"anything-but":{{"{operator}":{part}}}}}'
            return self._pick([self._string(value), f'{{"{operator}":{part}}}', but])
        text = json.dumps(value)
        return self._pick(
            [text, f'{{"anything-but":{text}}}', f'{{"anything-but":[{text},"x"]}}', f'"{text}"']
        )

    # -- the dice ----------------------------------------------------------------------------------

    def _string(self, text: str) -> str:
        return escaped(text, ascii_only=self._one_in(2))

    def _space(self) -> str:
        return self._pick(_SPACES)

    def _one_in(self, sides: int) -> bool:
        return self._random.randrange(sides) == 0

    def _pick(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)


def _neighbour(number: str) -> str:
    """The next whole number; a decimal as it is."""
    return str(int(number) + 1) if number.lstrip("-").isdigit() and len(number) < 50 else number


def _attribute(event: Event, name: str) -> object:
    value = event.extensions.get(name) if name == "a" else getattr(event, name)
    return _Number(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _places(value: object, keys: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], object]]:
    """Every way down through objects and arrays, with what lies there."""
    found = [(keys, value)]
    if isinstance(value, dict):
        found += [place for key, inner in value.items() for place in _places(inner, (*keys, key))]
    elif isinstance(value, list):
        found += [place for inner in value for place in _places(inner, keys)]
    return found
