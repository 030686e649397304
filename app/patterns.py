"""Conditions as rows of a form, and the EventPattern they make. Pure; numbers keep the text they have."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.components.visible import visible, visible_json

ATTRIBUTES = ("type", "source", "subject", "id", "time", "datacontenttype", "dataschema")
OPERATORS = (
    "is",
    "is_not",
    "prefix",
    "suffix",
    "contains",
    "not_prefix",
    "not_suffix",
    "gt",
    "ge",
    "lt",
    "le",
    "eq",
    "between",
    "exists",
    "missing",
)
_NUMERIC = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "="}
_NUMERIC_NAMES = {sign: name for name, sign in _NUMERIC.items()}
_TEXT = {"prefix", "suffix", "contains"}
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_EXTENSION = re.compile(r"[a-z0-9]+")


class Number(str):
    """A JSON number by its text."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True)
class Condition:
    """`path` is an attribute, an extension or `data.…`; `value` is text as typed, several with commas."""

    path: str
    operator: str = "is"
    value: str = ""


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Why rows make no pattern: a catalogue key and the path it is about."""

    key: str
    path: str


def read(text: str) -> Any:
    """JSON with its numbers as text. Raises ValueError."""
    return json.loads(text, parse_float=Number, parse_int=Number)


def write(value: Any, *, indent: int | None = None) -> str:
    """JSON text of what `read` gives."""
    if indent is not None:
        from app.components.jsontext import pretty

        return pretty(write(value), " " * indent)
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{write(str(k))}:{write(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(write(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def to_pattern(rows: Sequence[Condition]) -> tuple[dict[str, Any], list[Trouble]]:
    """The pattern in which all rows hold; rows without a path or value are not meant yet and left out."""
    pattern: dict[str, Any] = {}
    troubles: list[Trouble] = []
    for row in rows:
        path = row.path.strip()
        if not path or (not row.value.strip() and row.operator not in {"exists", "missing"}):
            continue
        parts = path.split(".")
        if parts[0] != "data" and (len(parts) > 1 or not (path in ATTRIBUTES or _EXTENSION.fullmatch(path))):
            troubles.append(Trouble(key="pattern.bad_path", path=path))
            continue
        if parts == ["data"] or not all(parts):
            troubles.append(Trouble(key="pattern.bad_path", path=path))
            continue
        conditions = _conditions(row, is_text=parts[0] in ATTRIBUTES)
        if conditions is None:
            troubles.append(Trouble(key="pattern.bad_number", path=path))
        elif not _place(pattern, parts, conditions):
            troubles.append(Trouble(key="pattern.twice", path=path))
    return pattern, troubles


def to_rows(pattern: Any) -> list[Condition] | None:
    """The rows that make this pattern, or None where it says more than rows can."""
    if not isinstance(pattern, dict):
        return None
    rows: list[Condition] = []
    for key, value in pattern.items():
        if key == "$or":
            return None
        if isinstance(value, dict):
            inner = to_rows(value)
            if inner is None:
                return None
            rows += [Condition(path=f"{key}.{r.path}", operator=r.operator, value=r.value) for r in inner]
            continue
        row = _row(key, value) if isinstance(value, list) else None
        if row is None:
            return None
        rows.append(row)
    return rows


def _conditions(row: Condition, *, is_text: bool) -> list[Any] | None:
    if row.operator in {"exists", "missing"}:
        return [{"exists": row.operator == "exists"}]
    values = split(row.value)
    if row.operator in _NUMERIC:
        number = row.value.strip()
        return [{"numeric": [_NUMERIC[row.operator], Number(number)]}] if _NUMBER.fullmatch(number) else None
    if row.operator == "between":
        if len(values) != 2 or not all(_NUMBER.fullmatch(v) for v in values):
            return None
        return [{"numeric": [">=", Number(values[0]), "<=", Number(values[1])]}]
    if row.operator in _TEXT:
        return [{row.operator: _unquoted(v)} for v in values]
    if row.operator in {"not_prefix", "not_suffix"}:
        if len(values) != 1:
            return None
        return [{"anything-but": {row.operator.removeprefix("not_"): _unquoted(values[0])}}]
    scalars = [_unquoted(v) if is_text else scalar(v) for v in values]
    if row.operator == "is_not":
        return [{"anything-but": scalars[0] if len(scalars) == 1 else scalars}]
    return scalars


def scalar(text: str) -> Any:
    """`80` is a number, `true` and `null` are what they say, `"80"` and everything else is text."""
    if _NUMBER.fullmatch(text):
        return Number(text)
    return {"true": True, "false": False, "null": None}.get(text, _unquoted(text))


def split(text: str) -> list[str]:
    """Values between commas; a comma inside double quotes belongs to its value."""
    found, current, quoted, escaped = [], "", False, False
    for char in text:
        if char == '"' and not escaped:
            quoted = not quoted
        escaped = quoted and char == "\\" and not escaped
        if char == "," and not quoted:
            found.append(current.strip())
            current = ""
        else:
            current += char
    return [part for part in [*found, current.strip()] if part]


def typed(value: Any) -> str:
    """A scalar as one would type it into a row."""
    if isinstance(value, Number):
        return str(value)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    plain = str(value)
    same = plain == plain.strip() and plain and not any(c in plain for c in ',"\\\n')
    same = same and visible(plain, len(plain)) == plain
    return (
        plain
        if same and scalar(plain) == plain and not isinstance(scalar(plain), Number)
        else visible_json(json.dumps(plain, ensure_ascii=False))
    )


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text
    return text


def _place(pattern: dict[str, Any], parts: list[str], conditions: list[Any]) -> bool:
    at = pattern
    for part in parts[:-1]:
        following = at.setdefault(part, {})
        if not isinstance(following, dict):
            return False
        at = following
    if parts[-1] in at:
        return False
    at[parts[-1]] = conditions
    return True


def _row(path: str, values: list[Any]) -> Condition | None:
    if not values:
        return None
    if all(not isinstance(v, dict | list) for v in values):
        return Condition(path=path, operator="is", value=", ".join(typed(v) for v in values))
    if all(isinstance(v, dict) and len(v) == 1 for v in values):
        names = {next(iter(v)) for v in values}
        if len(names) != 1:
            return None
        name = names.pop()
        given = [next(iter(v.values())) for v in values]
        if name in _TEXT and all(isinstance(v, str) and not isinstance(v, Number) for v in given):
            return Condition(path=path, operator=name, value=", ".join(typed(v) for v in given))
        if len(given) == 1:
            return _single(path, name, given[0])
    return None


def _single(path: str, name: str, value: Any) -> Condition | None:
    if name == "exists" and isinstance(value, bool):
        return Condition(path=path, operator="exists" if value else "missing")
    if name == "numeric" and isinstance(value, list):
        if len(value) == 2 and value[0] in _NUMERIC_NAMES:
            return Condition(path=path, operator=_NUMERIC_NAMES[value[0]], value=str(value[1]))
        if len(value) == 4 and value[0] == ">=" and value[2] == "<=":
            return Condition(path=path, operator="between", value=f"{value[1]}, {value[3]}")
    if name == "anything-but":
        if isinstance(value, dict) and len(value) == 1:
            inner, text = next(iter(value.items()))
            if inner in {"prefix", "suffix"}:
                return Condition(path=path, operator=f"not_{inner}", value=typed(text))
            return None
        listed = value if isinstance(value, list) else [value]
        if all(not isinstance(v, dict | list) for v in listed):
            return Condition(path=path, operator="is_not", value=", ".join(typed(v) for v in listed))
    return None
