"""Reads one JSON text strictly and says exactly what is wrong with it.

Stricter than most readers: no duplicate keys, no NaN or Infinity, no lone surrogates, no byte order mark, a
bound on nesting. Numbers stay text, because only their syntax matters here.
"""

import json
import re
from typing import NamedTuple, NoReturn

from eventcenter.errors import InvalidInput

_BOM = b"\xef\xbb\xbf"
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_INTEGER = re.compile(r"-?[0-9]+")


class Number(NamedTuple):
    """A JSON number as it was written."""

    text: str

    def integer(self) -> int | None:
        """Its value, where it was written as an integer of at most 20 digits."""
        return int(self.text) if len(self.text) <= 20 and _INTEGER.fullmatch(self.text) else None


class BrokenJson(InvalidInput):
    """Not JSON by its grammar, or cut off: as opposed to JSON that we refuse."""


def decode_utf8(raw: bytes) -> str:
    """The text. Raises InvalidInput where it begins with a byte order mark or is not UTF-8."""
    if raw.startswith(_BOM):
        raise InvalidInput(
            "The JSON begins with a byte order mark.",
            value="EF BB BF",
            rule="JSON is UTF-8 without a byte order mark (RFC 8259, section 8.1)",
            remedy="send it without the first three bytes",
        )
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"Byte {error.start} is not UTF-8.",
            value=raw[error.start : error.start + 4].hex(" "),
            rule="JSON is UTF-8 (RFC 8259, section 8.1)",
            remedy="encode the text as UTF-8, or send bytes as data_base64",
        ) from error


def parse(raw: bytes, max_nesting: int) -> object:
    """The value: dict, list, str, bool, None or Number. Raises InvalidInput, BrokenJson for bad grammar."""
    text = decode_utf8(raw)
    check_nesting(raw, max_nesting)
    try:
        value = DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise broken(text, error) from error
    except RecursionError as error:
        raise too_deep(None, max_nesting) from error
    check_surrogates(text, value)
    return value


def check_nesting(raw: bytes, max_nesting: int) -> None:
    """Raises InvalidInput where arrays and objects are nested deeper than `max_nesting`."""
    if raw.count(b"{") + raw.count(b"[") <= max_nesting:
        return
    depth = deepest = 0
    for bracket in _BRACKETS.finditer(_STRINGS.sub(b"", raw)):
        depth += 1 if bracket[0] in b"[{" else -1
        deepest = max(deepest, depth)
    if deepest > max_nesting:
        raise too_deep(deepest, max_nesting)


def check_surrogates(text: str, value: object) -> None:
    r"""Raises InvalidInput where an escape \uD800-\uDFFF stands alone."""
    if _SURROGATE.search(text) is None:
        return
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(
            "A string holds a lone surrogate, which is no character.",
            value=f"\\u{ord(error.object[error.start]):04x}",
            rule="escapes \\ud800 to \\udfff come in pairs (RFC 8259, section 7)",
            remedy="escape the character as a pair, or send it as UTF-8",
        ) from error


def broken(text: str, error: json.JSONDecodeError) -> BrokenJson:
    """What is wrong with the grammar, and where."""
    return BrokenJson(
        f"Not JSON: {error.msg[:1].lower()}{error.msg[1:]}, line {error.lineno} column {error.colno}.",
        value=text[max(0, error.pos - 10) : error.pos + 20],
        rule="the JSON of RFC 8259",
        remedy="correct it, or look whether it was cut off",
    )


def too_deep(depth: int | None, max_nesting: int) -> InvalidInput:
    """The refusal of deep nesting."""
    return InvalidInput(
        "The JSON is nested too deeply.",
        value=None if depth is None else f"{depth} levels",
        rule=f"at most {max_nesting} levels, the event itself being the first (EVENTCENTER_MAX_NESTING)",
        remedy="send flatter data",
    )


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise InvalidInput(
                    "A JSON object has the same key twice.",
                    value=name,
                    rule="keys are unique in their object, since readers disagree which one holds",
                    remedy="send the key once",
                )
            seen.add(name)
    return members


def _constant(name: str) -> NoReturn:
    raise InvalidInput(
        f"{name} is not JSON.",
        value=name,
        rule="a JSON number has digits (RFC 8259, section 6)",
        remedy="send null or a string in its place",
    )


DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_float=Number, parse_int=Number, parse_constant=_constant
)
