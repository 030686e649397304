"""Strategies for events and patterns that meet: few keys, few values, every odd way to write them."""

import json

from hypothesis import strategies as st

from eventcenter.event import Event
from eventcenter.pattern import EventPattern, InvalidPattern

# fmt: off
KEYS = [
    "a", "b", "a.b", "a.b.a", "", ".", "0", "-", "*", "$", "$x", "[0]", '"', "'", "\\", "/", "~", "~1", "é",
    "名", "\x00", "\n", "A", "#",
]
PLAIN_KEYS = ["a", "b", "0"]
TEXTS = [
    "", "a", "ab", "b", "A", "80", "true", "null", "é", "😀", "\x00", "a\x00", "\n", "n", "\\", '"', "/",
    "\x1f", "\x7f", "{", "[", "\u2028", "1e2",
]
NUMBERS = [
    "0", "-0", "-0.0", "0.0", "1", "1.0", "1e0", "80", "300", "300.0", "3e2", "3E+2", "0.1",
    "0.10000000000000000001", "0.1000000000000000055511151231257827", "1e2", "100", "1e-400", "5e-324",
    "1e400", "-1e400", "9007199254740991", "9007199254740992", "9007199254740993", "9007199254740992.0",
    "9007199254740993.0", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
    "-9223372036854775809", "18446744073709551615", "18446744073709551616", "18446744073709551617",
    "1.8446744073709551616e19", "9" * 38, "-" + "9" * 38, "1" + "0" * 38, "1" + "0" * 38 + "1", "1e38",
    "1" * 60, "7" * 400, "123456789012345678", "123456789012345679", "1.5", "-1.5", "1e30", "1" + "0" * 30,
]
# fmt: on
LITERALS = ["true", "false", "null"]
SPACE = st.sampled_from(["", "", "", " ", "\t", "\n ", "\r"])


def escaped(text: str, *, ascii_only: bool) -> str:
    """A JSON string; `ascii_only` escapes more than there is need to."""
    if ascii_only:
        return (
            '"'
            + "".join(
                json.dumps(c)[1:-1] if not c.isalnum() or ord(c) > 127 else f"\\u{ord(c):04x}" for c in text
            )
            + '"'
        )
    return json.dumps(text, ensure_ascii=False)


strings = st.builds(
    lambda text, ascii_only: escaped(text, ascii_only=ascii_only),
    st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    st.booleans(),
)
numbers = (
    st.sampled_from(NUMBERS)
    | st.integers(-5, 5).map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
)
scalars = st.sampled_from(LITERALS) | strings | numbers
keys = st.sampled_from(PLAIN_KEYS) | st.sampled_from(KEYS)


@st.composite
def _objects(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    chosen = draw(st.lists(keys, unique=True, max_size=3))
    members = [
        draw(SPACE)
        + escaped(key, ascii_only=draw(st.booleans()))
        + f":{draw(SPACE)}{draw(values)}{draw(SPACE)}"
        for key in chosen
    ]
    return "{" + ",".join(members) + "}"


def _arrays(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, max_size=4).map(lambda items: "[" + ", ".join(items) + "]")


@st.composite
def _nested(draw: st.DrawFn, levels: int) -> str:
    """Objects and arrays around scalars, at most so many levels of them."""
    kind = draw(st.integers(0, 4)) if levels else 0
    if kind < 2:
        return draw(scalars)
    inner = _nested(levels - 1)
    return draw(_arrays(inner) if kind == 4 else _objects(inner))


json_texts = st.one_of(_objects(_nested(3)), _objects(_nested(3)), _arrays(_objects(_nested(2))), _nested(1))
data = st.builds(lambda before, text, after: (before + text + after).encode(), SPACE, json_texts, SPACE)

EXTENSIONS = ["a", "sequence", "traceparent"]
_short = st.sampled_from(["a", "ab", "b", "80", "é", "1.0"])


@st.composite
def events(draw: st.DrawFn) -> Event:
    """An event whose values often meet those of `patterns`."""
    body = draw(st.none() | data | data | data)
    extensions = draw(
        st.dictionaries(
            st.sampled_from(EXTENSIONS),
            _short | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.just(80),
        )
    )
    return Event(
        id=draw(_short),
        source=draw(_short),
        type=draw(_short),
        subject=draw(st.none() | _short),
        time=draw(st.sampled_from([None, "2026-11-01T00:00:00Z", "2026-11-01T00:00:00.0+08:00"])),
        datacontenttype=draw(st.none() | _short),
        dataschema=draw(st.none() | _short),
        extensions=extensions,
        data=body,
        data_kind=None if body is None else "json",
    )


_one_test = (
    scalars
    | scalars
    | st.builds(
        lambda op, text: f'{{"{op}":{text}}}', st.sampled_from(["prefix", "suffix", "contains"]), strings
    )
    | st.builds(lambda text: f'{{"anything-but":{text}}}', scalars)
    | st.builds(
        lambda items: f'{{"anything-but":[{",".join(items)}]}}', st.lists(scalars, min_size=1, max_size=3)
    )
    | st.builds(
        lambda op, text: f'{{"anything-but":{{"{op}":{text}}}}}',
        st.sampled_from(["prefix", "suffix"]),
        strings,
    )
    | st.builds(
        lambda op, number: f'{{"numeric":["{op}",{number}]}}',
        st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
        numbers,
    )
    | st.builds(
        lambda first, low, second, high: f'{{"numeric":["{first}",{low},"{second}",{high}]}}',
        st.sampled_from(["!=", ">", ">="]),
        numbers,
        st.sampled_from(["<", "<=", "="]),
        numbers,
    )
    | st.sampled_from(['{"exists":true}', '{"exists":false}'])
)
_conditions = st.lists(_one_test, min_size=1, max_size=3).map(lambda tests: "[" + ",".join(tests) + "]")


@st.composite
def _below(draw: st.DrawFn, level: int = 0) -> str:
    """Conditions, or an object of the pattern with more below."""
    if level > 2 or draw(st.integers(0, 2)) == 0:
        return draw(_conditions)
    return draw(_pattern_objects(keys, level, 1))


@st.composite
def _pattern_objects(draw: st.DrawFn, names: st.SearchStrategy[str], level: int, least: int) -> str:
    chosen = draw(st.lists(names, unique=True, min_size=least, max_size=2))
    members = [f"{json.dumps(key)}:{draw(_below(level + 1))}" for key in chosen]
    if draw(st.integers(0, 5)) == 0:
        ways = draw(st.lists(_pattern_objects(names, level + 1, 1), min_size=1, max_size=2))
        members.append('"$or":[' + ",".join(ways) + "]")
    return "{" + ",".join(members) + "}"


_attributes = st.sampled_from(
    ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", *EXTENSIONS]
)


@st.composite
def _top(draw: st.DrawFn, level: int = 0) -> str:
    members = {name: draw(_conditions) for name in draw(st.lists(_attributes, unique=True, max_size=2))}
    if draw(st.booleans()) or not members:
        members[draw(st.sampled_from(["data", "data", "data.a", "data.a.b"]))] = draw(_below())
    if level < 1 and draw(st.integers(0, 4)) == 0:
        members["$or"] = "[" + ",".join(draw(st.lists(_top(level + 1), min_size=1, max_size=3))) + "]"
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in members.items()) + "}"


def _is_valid(text: str) -> bool:
    try:
        EventPattern.parse(text)
    except InvalidPattern:
        return False
    return True


patterns = (st.just("{}") | _top() | _top() | _top()).filter(_is_valid)
"""Pattern texts that the language takes; it refuses empty texts, empty ranges and infinite constants."""
