"""The pattern language (docs/patterns.md): JSON in, a tree out, or every problem at once.

Bounds: 16 KiB of JSON, 16 levels of objects, 500 conditions; in one path 32 keys, four of them with dots; in
all paths together 200 keys below `data`, a path counting once for each of its readings. They keep the SQL
small that a pattern becomes: its planning takes about 3 ms for each of these keys.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from eventcenter.errors import InvalidInput
from eventcenter.pattern import numbers
from eventcenter.pattern.tree import (
    ATTRIBUTES,
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
    Operator,
    Path,
    Prefix,
    Suffix,
    Test,
)

MAX_BYTES = 16 * 1024
MAX_LEVELS = 16
MAX_CONDITIONS = 500
MAX_KEYS = 32
MAX_DOTTED = 4
MAX_STEPS = 200

OR = "$or"
OPERATORS = ("prefix", "suffix", "contains", "anything-but", "numeric", "exists")
_COMPARISONS: dict[str, Operator] = {"=": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_EXTENSION = re.compile(r"[a-z0-9]{1,64}")
_SHOWN_PROBLEMS = 50
_SHOWN = 120
_EXAMPLE = '{"type":["order.paid"]}'


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing wrong with a pattern."""

    path: str
    """Where, with dots: `data.request.status[1]`; empty for the pattern as a whole."""
    value: str
    """What stands there, as JSON, cut to 120 characters."""
    rule: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.value}: {self.rule}; {self.remedy}"


class InvalidPattern(InvalidInput):
    """The event pattern does not follow the language; `problems` lists all that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        first = problems[0]
        several = len(problems) > 1
        super().__init__(
            f"The event pattern has {len(problems)} problems. " + " · ".join(map(str, problems))
            if several
            else f"The event pattern is wrong{f' at {first.path}' if first.path else ''}.",
            value=first.value,
            rule=first.rule,
            remedy=first.remedy,
        )

    def problem(self) -> dict[str, object]:
        """RFC 9457 members, plus `problems`: [{where, value, rule, remedy}]."""
        listed = [
            {"where": each.path, "value": each.value, "rule": each.rule, "remedy": each.remedy}
            for each in self.problems
        ]
        return {**super().problem(), "problems": listed}


def read(obj: object) -> tuple[str, Node]:
    """The pattern's compact JSON text and its tree; `obj` is JSON text or a decoded JSON object.

    Raises InvalidPattern.
    """
    document = _decoded(obj)
    text = _checked_text(document)
    reader = _Reader()
    root = reader.pattern(document)
    if reader.problems:
        raise InvalidPattern(tuple(reader.problems[:_SHOWN_PROBLEMS]))
    return text, root


class _DuplicateKeyError(ValueError):
    pass


def _decoded(obj: object) -> object:
    if not isinstance(obj, str | bytes):
        return obj
    try:
        text = obj.decode() if isinstance(obj, bytes) else obj
        if len(text) > MAX_BYTES:
            raise _too_long(len(text))
        return json.loads(
            text, parse_int=numbers.whole, parse_constant=_no_constant, object_pairs_hook=_object_of_pairs
        )
    except _DuplicateKeyError as error:
        raise _whole(obj, f"a key stands once in an object, {error}", "join the two") from None
    except RecursionError:
        raise _whole(obj, f"at most {MAX_LEVELS} levels of objects", "nest less") from None
    except ValueError as error:
        raise _whole(obj, f"a pattern is JSON text ({error})", f"write JSON, such as {_EXAMPLE}") from None


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON value")


def _object_of_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _DuplicateKeyError(next(f"{key!r} stands twice" for key in keys if keys.count(key) > 1))
    return found


def _checked_text(document: object) -> str:
    """The compact text, if it is JSON within the bounds of size."""
    if not isinstance(document, dict):
        raise _whole(
            document,
            "a pattern is a JSON object",
            f"write an object, such as {_EXAMPLE}; {{}} means every event",
        )
    try:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        size = len(text.encode())
    except UnicodeEncodeError:
        raise _whole("…", "text is Unicode without lone surrogates", "repair \\ud800 … \\udfff") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise _whole("…", f"a pattern holds JSON values only ({error})", "leave out all else") from None
    if size > MAX_BYTES:
        raise _too_long(size)
    return text


def _too_long(size: int) -> InvalidPattern:
    return _whole(f"{size} bytes", f"a pattern has at most {MAX_BYTES} bytes", "split it into several rules")


def _whole(value: object, rule: str, remedy: str) -> InvalidPattern:
    return InvalidPattern((Problem(path="", value=_shown(value), rule=rule, remedy=remedy),))


def _shown(value: object) -> str:
    if isinstance(value, str | bytes):
        text = value if isinstance(value, str) else value.decode(errors="backslashreplace")
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    text = text.encode(errors="backslashreplace").decode()
    return (text if len(text) <= _SHOWN else text[:_SHOWN] + "…") or "(nothing)"


class _Reader:
    """Walks the pattern and gathers what is wrong instead of stopping at it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._conditions = 0
        self._steps = 0

    def pattern(self, document: object) -> Node:
        """A pattern as a whole, or an entry of a top-level `$or`."""
        return self._all(document, (), may_be_empty=True)

    def _wrong(self, at: str, value: object, rule: str, remedy: str) -> None:
        shown = json.dumps(value, ensure_ascii=False, default=str)
        self.problems.append(Problem(path=at, value=_shown(shown), rule=rule, remedy=remedy))

    def _all(
        self,
        document: object,
        keys: tuple[str, ...],
        at: str = "",
        level: int = 1,
        *,
        may_be_empty: bool = False,
    ) -> Node:
        """An object of the pattern: all of its keys hold. `keys` is the path so far, `at` names the place."""
        if not isinstance(document, dict):
            self._wrong(at, document, "an object of keys stands here", 'write {"key":["value"]}')
            return All(nodes=())
        if not document and not may_be_empty:
            self._wrong(
                at,
                document,
                "an empty object says nothing",
                'leave the key out, or ask that a value is there: [{"exists":true}]',
            )
        if level > MAX_LEVELS:
            self._wrong(at, document, f"at most {MAX_LEVELS} levels of objects", "nest less")
            return All(nodes=())
        nodes = []
        for key, value in document.items():
            place = f"{at}.{key}" if at else str(key)
            read_key = self._or if key == OR else self._key
            node = read_key(key, value, keys, place, level)
            if node is not None:
                nodes.append(node)
        return nodes[0] if len(nodes) == 1 else All(nodes=tuple(nodes))

    def _or(self, _key: object, value: object, keys: tuple[str, ...], at: str, level: int) -> Node | None:
        if not isinstance(value, list) or not value:
            self._wrong(at, value, "$or takes an array of patterns", '{"$or":[{"a":["x"]},{"b":["y"]}]}')
            return None
        return Any(
            nodes=tuple(self._all(each, keys, f"{at}[{i}]", level + 1) for i, each in enumerate(value))
        )

    def _key(self, key: object, value: object, keys: tuple[str, ...], at: str, level: int) -> Node | None:
        if not isinstance(key, str):
            self._wrong(at, key, "keys are strings", "write the key as text")
            return None
        if not keys and "." in key and key.split(".")[0] in (DATA, *ATTRIBUTES):
            # At the top a dotted key can only be a path: no attribute has a dot in its name.
            return self._at(value, tuple(key.split(".")), at, level)
        return self._at(value, (*keys, key), at, level)

    def _at(self, value: object, keys: tuple[str, ...], at: str, level: int) -> Node | None:
        field, below = keys[0], keys[1:]
        if field != DATA and field not in ATTRIBUTES and not _EXTENSION.fullmatch(field):
            self._wrong(
                at,
                field,
                f"top-level keys are {', '.join(ATTRIBUTES)}, {DATA}, $or, or an extension (a-z, 0-9)",
                _nearest(field, (*ATTRIBUTES, DATA)) or f'write a field of the payload as {{"{DATA}":{{…}}}}',
            )
            return None
        if field != DATA and (below or isinstance(value, dict)):
            self._wrong(
                at,
                value,
                f"{field} is an attribute and has nothing inside",
                f'write {{"{field}":[…]}} with an array of conditions',
            )
            return None
        if isinstance(value, dict):
            return self._all(value, keys, at, level + 1)
        return self._conditions_at(value, Path(field=field, keys=below), at)

    def _conditions_at(self, value: object, path: Path, at: str) -> Node | None:
        if not isinstance(value, list):
            self._wrong(at, value, "conditions stand in an array", _array_remedy(path, value))
            return None
        if not value:
            self._wrong(at, value, "an empty array never matches", 'list values, or write [{"exists":false}]')
            return None
        if sum(key.count(".") + 1 for key in path.keys) > MAX_KEYS:
            self._wrong(at, path.text, f"a path has at most {MAX_KEYS} keys", "look less deep")
            return None
        if sum("." in key for key in path.keys) > MAX_DOTTED:
            self._wrong(
                at, path.text, f"a path has at most {MAX_DOTTED} keys with dots", "nest objects instead"
            )
            return None
        self._count(at, len(value))
        self._count_steps(at, path)
        tests = [(self._test(each, f"{at}[{i}]" if len(value) > 1 else at)) for i, each in enumerate(value)]
        nodes = tuple(Condition(path=path, test=test) for test in tests if test is not None)
        return nodes[0] if len(nodes) == 1 else Any(nodes=nodes)

    def _count(self, at: str, more: int) -> None:
        before = self._conditions
        self._conditions += more
        if before <= MAX_CONDITIONS < self._conditions:
            rule = f"a pattern has at most {MAX_CONDITIONS} conditions"
            self._wrong(at, self._conditions, rule, "split it into several rules")

    def _count_steps(self, at: str, path: Path) -> None:
        before = self._steps
        self._steps += sum(map(len, path.readings))
        if before <= MAX_STEPS < self._steps:
            rule = f"all paths into data have at most {MAX_STEPS} keys, keys with dots count several times"
            self._wrong(at, path.text, rule, "split it into several rules")

    def _test(self, value: object, at: str) -> Test | None:
        if value is None or isinstance(value, str | bool):
            return Exact(value=value)
        if isinstance(value, int | float):
            return self._exact_number(value, at)
        if isinstance(value, dict):
            return self._operation(value, at)
        self._wrong(at, value, "a condition is a value or an operator", "take the inner brackets away")
        return None

    def _exact_number(self, value: float, at: str) -> Exact | None:
        number = self._number(value, at)
        return None if number is None else Exact(value=number)

    def _number(self, value: object, at: str) -> int | float | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._wrong(at, value, "a number stands here", "write it without quotes")
            return None
        number = numbers.normal(value)
        if not math.isfinite(number):
            self._wrong(at, value, "numbers lie within ±1.8e308", "write a number a double can hold")
            return None
        return number

    def _operation(self, value: dict[object, object], at: str) -> Test | None:
        if len(value) != 1:
            self._wrong(
                at,
                value,
                "one operator in an object",
                'write one object for each: [{"prefix":"a"},{"suffix":"b"}] means either of them'
                if len(value) > 1
                else f"use one of {', '.join(OPERATORS)}",
            )
            return None
        ((name, operand),) = value.items()
        match name:
            case "prefix" | "suffix" | "contains":
                return self._text_test(name, operand, at)
            case "anything-but":
                return self._anything_but(operand, at)
            case "numeric":
                return self._numeric(operand, at)
            case "exists":
                if isinstance(operand, bool):
                    return Exists(present=operand)
                self._wrong(at, value, "exists takes true or false", 'write {"exists":true}, without quotes')
                return None
            case _:
                remedy = _nearest(str(name), OPERATORS) or f"use one of {', '.join(OPERATORS)}"
                self._wrong(at, value, f"there is no operator {_shown(name)}", remedy)
                return None

    def _text_test(self, name: str, operand: object, at: str) -> Prefix | Suffix | Contains | None:
        if not isinstance(operand, str) or not operand:
            self._wrong(
                at,
                {name: operand},
                f"{name} takes a text that is not empty",
                f'write {{"{name}":"text"}}; for any text at all use {{"exists":true}}',
            )
            return None
        return Prefix(text=operand) if name == "prefix" else _suffix_or_contains(name, operand)

    def _anything_but(self, operand: object, at: str) -> AnythingBut | None:
        if isinstance(operand, dict):
            if len(operand) == 1 and (name := next(iter(operand))) in ("prefix", "suffix"):
                inner = self._text_test(name, operand[name], at)
                return None if inner is None or isinstance(inner, Contains) else AnythingBut(tests=(inner,))
            self._wrong(
                at,
                {"anything-but": operand},
                "anything-but takes a value, an array of values, or one prefix or suffix",
                'such as {"anything-but":{"prefix":"test-"}}',
            )
            return None
        values = operand if isinstance(operand, list) else [operand]
        if not values:
            self._wrong(at, {"anything-but": operand}, "an empty array excludes nothing", "list values")
            return None
        self._count(at, len(values) - 1)
        tests = [self._excluded(each, at) for each in values]
        return AnythingBut(tests=tuple(test for test in tests if test is not None))

    def _excluded(self, value: object, at: str) -> Exact | None:
        if value is None or isinstance(value, str | bool):
            return Exact(value=value)
        if isinstance(value, int | float):
            return self._exact_number(value, at)
        self._wrong(at, value, "anything-but takes plain values", "list texts, numbers, true, false, null")
        return None

    def _numeric(self, operand: object, at: str) -> Numeric | None:
        example = 'write {"numeric":[">=",400]} or {"numeric":[">=",400,"<",500]}'
        if not isinstance(operand, list) or len(operand) not in (2, 4):
            self._wrong(at, {"numeric": operand}, "numeric takes one comparison, or two for a range", example)
            return None
        comparisons: list[tuple[Operator, int | float]] = []
        for name, bound in zip(operand[::2], operand[1::2], strict=True):
            operator = _COMPARISONS.get(name) if isinstance(name, str) else None
            number = self._number(bound, at)
            if operator is None:
                self._wrong(at, name, f"a comparison is one of {' '.join(_COMPARISONS)}", example)
            elif number is not None:
                comparisons.append((operator, number))
        if len(comparisons) * 2 != len(operand):
            return None
        if _is_impossible(comparisons):
            self._wrong(at, {"numeric": operand}, "no number is in this range", "swap the bounds")
            return None
        return Numeric(comparisons=tuple(comparisons))


def _suffix_or_contains(name: str, text: str) -> Suffix | Contains:
    return Suffix(text=text) if name == "suffix" else Contains(text=text)


def _is_impossible(comparisons: Iterable[tuple[Operator, int | float]]) -> bool:
    lower = [(bound, op == ">") for op, bound in comparisons if op in (">", ">=")]
    upper = [(bound, op == "<") for op, bound in comparisons if op in ("<", "<=")]
    return any(
        numbers.less(high, low) or (numbers.equal(low, high) and (over or under))
        for low, over in lower
        for high, under in upper
    )


def _nearest(name: str, known: tuple[str, ...]) -> str | None:
    found = get_close_matches(name.lower().replace("_", "-"), known, n=1)
    return f"did you mean {found[0]}?" if found else None


def _array_remedy(path: Path, value: object) -> str:
    last = path.keys[-1] if path.keys else path.field
    shown = _shown(json.dumps(value, ensure_ascii=False, default=str))
    if path.keys and last in OPERATORS:
        return f'an operator stands in an array too: [{{"{last}":{shown}}}]'
    return f"write [{shown}]"
