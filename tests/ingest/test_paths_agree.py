"""The scan of many events, the quick check of one and the exact one write the same bytes, whatever comes."""

import contextlib
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eventcenter.errors import EventCenterError
from eventcenter.event import decode_line, encode_line
from ingest.bindings import binary
from ingest.validation import Limits, check_array, check_lines, quick, scanner
from ingest.validation.exact import event_of_json, line_of_json
from tests.ingest.fuzz import compare
from tests.support.scan import sure, unloaded

pytestmark = pytest.mark.usefixtures("scan")
LIMITS = Limits()
TEXT = st.text(max_size=6) | st.sampled_from(
    ["", "a", "名", "\u007f", "\u0085", "\t", "\u2028", "😀", '"', "\\", "%s"]
)
NUMBERS = st.sampled_from(
    [
        "0",
        "-0",
        "1.0",
        "1e2",
        "1E+2",
        "18446744073709551617",
        "0.10000000000000000001",
        "1e999",
        "-1e-999",
        "01",
        "+1",
        "1" * 400,
        "1." + "1" * 400,
        "2147483647",
        "2147483648",
        "NaN",
        "Infinity",
        ".5",
        "1.",
    ]
)
TIMES = st.sampled_from(
    [
        "2026-11-01T00:00:00Z",
        "2026-11-01t00:00:00.1z",
        "2026-11-01 00:00:00Z",
        "2026-11-01T00:00:00+0800",
        "2026-11-01T00:00:00+08:00",
        "2026-02-29T00:00:00Z",
        "2016-12-31T23:59:60Z",
        "2026-11-01T00:00:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-11-01T00:00:00.1234567-23:59",
        "",
        "x",
    ]
)
TYPES = st.sampled_from(
    ["application/json", "text/plain", "a/b+json", "json", "text/json; charset=utf-8", ""]
)


def literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


SCALARS = (
    NUMBERS
    | TEXT.map(literal)
    | TEXT.map(json.dumps)
    | st.sampled_from(["null", "true", "false", '"\\ud800"'])
)
KEYS = st.sampled_from(['"a"', '"b"', '"\\u0061"', '"名"', '"data"', '""']) | TEXT.map(literal)
SPACE = st.sampled_from(["", "", "", " ", "\t", "\r"])


def objects(values: st.SearchStrategy[str], keys: st.SearchStrategy[str] = KEYS) -> st.SearchStrategy[str]:
    return st.builds(
        lambda pairs, space: "{" + ",".join(f"{space}{key}{space}:{value}" for key, value in pairs) + "}",
        st.lists(st.tuples(keys, values), max_size=3),
        SPACE,
    )


VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        objects(inner) | st.lists(inner, max_size=3).map(lambda parts: "[" + ", ".join(parts) + "]")
    ),
    max_leaves=6,
)
GOOD: dict[str, str] = {"specversion": '"1.0"', "id": '"1"', "source": '"/s"', "type": '"t"'}
MEMBERS = {
    "id": TEXT.map(literal) | SCALARS,
    "source": TEXT.map(json.dumps),
    "type": TEXT.map(literal),
    "specversion": st.sampled_from(['"1.0"', '"1.1"', "1.0"]),
    "subject": SCALARS,
    "time": TIMES.map(literal) | SCALARS,
    "datacontenttype": TYPES.map(literal) | st.just("null"),
    "dataschema": st.sampled_from(['"urn:x"', '"x"', '""', "null", '"http://a b"']),
    "data": VALUES,
    "data_base64": st.sampled_from(['"AAE="', '"A"', "null", "1"]),
    "ext": SCALARS | VALUES,
    "num": st.sampled_from(["1", "true", '"x"', "-0", "1.0", "1e0", "null"]),
    "Bad": st.just('"x"'),
}


@st.composite
def events(draw: st.DrawFn) -> bytes:
    """Mostly good events in JSON, with one or another thing changed, repeated or left out."""
    pairs = list(GOOD.items())
    for name in draw(st.lists(st.sampled_from(sorted(MEMBERS)), max_size=4, unique=draw(st.booleans()))):
        member = (name, draw(MEMBERS[name]))
        if name in GOOD and draw(st.booleans()):
            pairs = [member if pair[0] == name else pair for pair in pairs]
        elif name not in GOOD or draw(st.booleans()):
            pairs.insert(draw(st.integers(0, len(pairs))), member)
    space = draw(SPACE)
    text = "{" + ",".join(f'{space}"{name}"{space}:{space}{value}' for name, value in pairs) + "}"
    return text.encode("utf-8", "surrogatepass")


def line_or_none(check: Callable[[bytes, Limits], bytes], raw: bytes) -> bytes | None:
    try:
        return check(raw, LIMITS)
    except EventCenterError:
        return None


@settings(deadline=None, max_examples=400)
@given(events())
@example(b'{"specversion":"1.0","id":"1","source":"/s","type":"t","num":1.0}')
@example(b'{"specversion":"1.0","id":"1","source":"/s","type":"t","ext":"%(id)s"}')
@example(b'{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"0001-01-01T00:00:00+01:00"}')
def test_what_the_scan_takes_the_exact_check_takes_alike(raw: bytes) -> None:
    line = sure(raw)
    if line is not None:
        assert line == line_of_json(raw, LIMITS)


@settings(deadline=None, max_examples=200)
@given(st.lists(events(), min_size=1, max_size=12), st.booleans())
@example(
    [
        b'{"specversion":"1.0","id":"1","source":"/s","type":"t"}',
        b'{"subject":0,"specversion":"1.0","id":"1","source":"/s","type":"t"}',
    ],
    True,
)
def test_many_are_what_each_is_alone(parts: list[bytes], with_scan: bool) -> None:
    with contextlib.nullcontext() if with_scan else unloaded():
        _many(parts)


def _many(parts: list[bytes]) -> None:
    alone = [line_or_none(line_of_json, part) for part in parts]
    # A raw line feed cannot be in a part, so that both bodies of many can carry them.
    for checked in (check_lines(b"\n".join(parts), LIMITS), _array(parts)):
        if checked is None:
            continue
        assert checked.payload == b"".join(line for line in alone if line is not None)
        assert [reject.index for reject in checked.rejects] == [
            i for i, line in enumerate(alone) if line is None
        ]
        assert [reject.data for reject in checked.rejects] == [
            part for part, line in zip(parts, alone, strict=True) if line is None
        ]


def _array(parts: list[bytes]) -> Any:
    """The parts as a batch, or None where they cannot be told apart any more."""
    try:
        return check_array(b"[" + b",".join(parts) + b"]", LIMITS)
    except EventCenterError:
        return None


@settings(deadline=None, max_examples=200)
@given(st.lists(events(), min_size=1, max_size=6))
def test_what_is_accepted_reads_back(parts: list[bytes]) -> None:
    for part in parts:
        line = line_or_none(line_of_json, part)
        if line is not None:
            assert decode_line(line) == event_of_json(part, LIMITS)


COMMON = [
    ',"subject":"a","time":"2026-11-01T00:00:00.1+08:00","datacontenttype":"application/json","data":{"a":[1.0]}',
    ',"traceparent":"00-1","num":1,"yes":true,"no":false,"data":"x"',
    ',"low":-2147483648,"high":2147483647,"zero":0',
    ',"zz":"1","b2":"2","b":"3","a":"4"',
    ',"datacontenttype":"text/plain","data":"x"',
    ',"datacontenttype":"text/plain; charset=utf-8","data":"x"',
    ',"datacontenttype":"application/cloudevents+json","data":"x"',
    ',"datacontenttype":"application\\/json","data":1',
    ',"datacontenttype":"text/xml","data":"<a href=\\"b\\"/>"',
    ',"ext":"\\"quoted\\" \\\\ \\/","dataschema":"urn:x"',
    ',"dataschema":"https://example.com/a.json#x"',
    ',"subject":"订单/一","ext":"名字 😀"',
    ',"subject":"\\u8ba2\\u5355/\\ud83d\\ude00","ext":"\\u540d \\u0022\\u005c"',
    ',"subject":null,"time":null,"datacontenttype":null,"ext":null,"data":null',
    ',"time":"2026-11-01t23:59:59z"',
    ',"time":"2024-02-29T00:00:00.123456789-23:59"',
    ',"data":"\\u4e2d\\n\\t\\ud83d\\ude00 中文"',
    ',"data":{"k:{\\"type\\":\\"Ready\\"}":1,"名":2,"":3}',
    ',"data":[-0,0.1e-7,1E+400,-1.5,10000000000000000000000000,[],{},[{}],"",true,false,null]',
    ',"data":{\t"a" : [ 1 , 2 ] ,\r"b":{ }}',
    ',"data_base64":"AAE="',
    ',"data_base64":""',
    ',"data":' + json.dumps({f"key{number}": {"a": number, "b": [number]} for number in range(3000)}),
    ',"data":' + '{"a":[' * 31 + "1" + "]}" * 31,
    ',"data":' + json.dumps("x" * 20_000),
    "",
]


@pytest.mark.parametrize("more", COMMON)
def test_the_common_case_is_not_in_doubt(more: str) -> None:
    """Otherwise it would be correct and slow, and nothing would tell."""
    base = '"specversion":"1.0","id":"1","source":"/s","type":"t"'
    first, last, spaced = (
        f"{{{base}{more}}}",
        f"{{{more[1:]}{',' if more else ''}{base}}}",
        f" {{ {base}{more} }} \r",
    )
    for raw in (first, last, spaced, f"{{{base}{more}}}".replace('":', '" : ', 3)):
        assert sure(raw.encode()) == line_of_json(raw.encode(), LIMITS)


def test_pretty_printed_events_are_not_in_doubt() -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": {"a": [1, {"b": "\n  x"}]}}
    body = json.dumps([event, event], indent=2).encode()
    scanned = scanner.scan(body, scanner.ARRAY, LIMITS)
    assert scanned is not None
    assert (scanned.count, scanned.doubts) == (2, [])
    assert bytes(scanned.lines) == line_of_json(json.dumps(event, indent=2).encode(), LIMITS) * 2


def test_mutated_events_agree() -> None:
    """The short form of `python -m tests.ingest.fuzz SEED COUNT`."""
    compare(seed=random.SystemRandom().randrange(1 << 30), count=3000)


@settings(deadline=None, max_examples=200)
@given(events())
@example(b'{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2026\\u002d11-01T00:00:00Z"}')
@example(b'{"specversion":"1.0","id":"1","source":"/s","type":"t","ext":"%(id)s","data":\t[\t]}')
def test_what_the_quick_check_takes_the_exact_check_takes_alike(raw: bytes) -> None:
    line = quick.line_of_json(raw, LIMITS)
    if line is not None:
        assert line == line_of_json(raw, LIMITS)


HEADER_NAMES = st.sampled_from(
    ["id", "source", "type", "specversion", "subject", "time", "dataschema", "ext", "data", "a-b", "", "Bad"]
)
HEADER_VALUES = TIMES | TEXT | st.sampled_from(["1.0", "%41", "%", '"q"', "a b"])


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES), max_size=4),
    st.none() | TYPES,
    VALUES | st.sampled_from(["", " ", " {} ", "\xff"]),
)
def test_binary_mode_agrees_with_its_quick_way(
    changes: list[tuple[str, str]], content_type: str | None, body: str
) -> None:
    pairs = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"} | dict(changes[:2])
    headers = [
        (f"ce-{name}".encode(), value.encode("utf-8", "replace"))
        for name, value in [*pairs.items(), *changes[2:]]
    ]
    if content_type is not None:
        headers.append((b"content-type", content_type.encode()))
    raw = body.encode("latin-1") if body == "\xff" else body.encode("utf-8", "surrogatepass")
    line = binary.quick_line(headers, raw, LIMITS)
    if line is not None:
        assert line == encode_line(binary.event_of_binary(headers, raw, LIMITS))
