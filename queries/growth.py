"""How large values can become, before anything runs.

The engine bounds what it keeps, and its timer stops what goes from vector to vector. But one call on one
vector cannot be stopped, and the text that it makes lies outside of the engine's memory limit:
`repeat('x', 2000000000)` takes 27 s and 4 GB whatever was set. So what a statement can make of one value is
bounded in advance, by rough sizes in bytes: a column counts as 4 KiB, a constant as what it is.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from queries import functions

COLUMN: Final = 4096.0
LARGEST: Final = 65536.0
MOST_WORK: Final = 50_000.0
MOST_PATTERN: Final = 1000
"""Characters of a regular expression after its counted repetitions are written out."""
_SMALL: Final = 8.0
_ELEMENT: Final = 16.0
_LIST_WORK: Final = 64
"""As how many elements a list counts where each is worked on."""
_WIDE: Final = 8
_STRFTIME: Final = 16
_MANY: Final = LARGEST / 4
_REPETITION: Final = re.compile(r"(.)\{(\d*)(?:,(\d*))?\}", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Value:
    """What an expression makes."""

    size: float = _SMALL
    """Bytes, roughly, at most."""
    work: float = 1
    """Expressions that the engine sees for it, each use of an alias written out."""
    text: str | None = None
    """Where it is a constant or a parameter: its text."""

    @property
    def constant(self) -> bool:
        return self.text is not None


class TooMuch(ValueError):
    """A value or the work for it could grow beyond its bound; the text says how."""


def made(name: str, arguments: Sequence[Value]) -> float:
    """The size of what function `name` makes of these arguments. Raises TooMuch for what has no bound."""
    whole = sum(each.size for each in arguments)
    if name in functions.MADE:
        size = _MADE[name](name, arguments)
    else:
        kind = functions.SCALARS.get(name) or functions.AGGREGATES.get(name) or "small"
        size = {
            "small": _SMALL,
            "part": max((each.size for each in arguments), default=_SMALL),
            "sum": whole,
            "wide": whole * _WIDE,
            "many": _MANY,
        }[kind]
    if name in functions.PATTERNS:
        _check_pattern(name, arguments)
    return size


def of_list(values: Value, body: Value) -> Value:
    """What a lambda makes of each element of a list."""
    return Value(
        size=max(values.size, values.size / _ELEMENT * body.size), work=values.work + _LIST_WORK * body.work
    )


ELEMENT: Final = Value(size=_ELEMENT)
"""An element of a list, as a lambda sees it."""


def _check_pattern(name: str, arguments: Sequence[Value]) -> None:
    pattern = arguments[1].text if len(arguments) > 1 else None
    if len(arguments) > 1 and pattern is None:
        raise TooMuch(f"The pattern of {name} must be a constant or a parameter.")
    if pattern is not None and pattern_size(pattern) > MOST_PATTERN:
        raise TooMuch(
            f"The pattern of {name} is too large: with its repetitions at most {MOST_PATTERN} characters."
        )


def pattern_size(pattern: str) -> float:
    """Characters of a regular expression with its counted repetitions written out, roughly and at least."""
    size = float(len(pattern))
    for before, low, high in _REPETITION.findall(pattern):
        count = max([int(each) for each in (low[:9], (high or "")[:9]) if each] or [1])
        # A repeated group may hold all of the pattern, also other repetitions.
        size = size * max(1, count) if before in ")}" else size + count
    return size


def _whole_number(name: str, arguments: Sequence[Value], at: int) -> int:
    text = arguments[at].text if at < len(arguments) else None
    try:
        return int((text or "").replace("_", ""))
    except ValueError:
        raise TooMuch(
            f"Argument {at + 1} of {name} must be a whole number written in the statement."
        ) from None


def _repeat(name: str, arguments: Sequence[Value]) -> float:
    return (arguments[0].size if arguments else 0) * max(1, _whole_number(name, arguments, 1))


def _pad(name: str, arguments: Sequence[Value]) -> float:
    return max(arguments[0].size if arguments else 0, 4.0 * _whole_number(name, arguments, 1))


def _replace(name: str, arguments: Sequence[Value]) -> float:
    if len(arguments) != 3:
        return COLUMN
    text, old, new = arguments
    if old.text is None or new.text is None:
        raise TooMuch(f"What {name} looks for and what it writes must be constants or parameters.")
    return text.size * max(1.0, len(new.text) / max(1, len(old.text)))


def _regexp_replace(name: str, arguments: Sequence[Value]) -> float:
    if len(arguments) < 3:
        return COLUMN
    new = arguments[2].text
    options = arguments[3].text if len(arguments) > 3 else ""
    if new is None or options is None:
        raise TooMuch(f"What {name} writes and its options must be constants or parameters.")
    size, references = arguments[0].size, new.count("\\")
    if "g" in options:
        return size * max(1.0, len(new) / 2 + references)
    return size * (1 + references) + len(new)


def _parts(_name: str, arguments: Sequence[Value]) -> float:
    return (arguments[0].size if arguments else 0) * _WIDE


def _range(name: str, arguments: Sequence[Value]) -> float:
    try:
        numbers = [_whole_number(name, arguments, at) for at in range(len(arguments))]
    except TooMuch:
        raise TooMuch(
            f"{name} in an expression makes a list, so its arguments must be whole numbers written in it; "
            f"as a table, in FROM, it takes any, also times."
        ) from None
    start, stop, step = {1: (0, *numbers, 1), 2: (*numbers, 1)}.get(len(numbers), (*numbers[:3], 1, 1, 1)[:3])
    return 8.0 * max(1, abs(stop - start) // max(1, abs(step)) + 1)


def _strftime(name: str, arguments: Sequence[Value]) -> float:
    texts = [each.text for each in arguments if each.text is not None]
    if not texts:
        raise TooMuch(f"The format of {name} must be a constant or a parameter.")
    return float(_STRFTIME * max(map(len, texts)))


_MADE: Final[Mapping[str, Callable[[str, Sequence[Value]], float]]] = {
    "repeat": _repeat,
    "lpad": _pad,
    "rpad": _pad,
    "replace": _replace,
    "regexp_replace": _regexp_replace,
    "regexp_extract_all": _parts,
    "string_split_regex": _parts,
    "str_split_regex": _parts,
    "regexp_split_to_array": _parts,
    "range": _range,
    "generate_series": _range,
    "strftime": _strftime,
}
