"""Templates: what they find, what they refuse, and that they are bounded whatever an event holds."""

import time
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.filters import FILTERS, VALUE_LIMIT
from alerts.template import NOTHING, TEMPLATE_LIMIT, Template, read
from alerts.text import escape
from alerts.values import EventValues
from eventcenter.errors import InvalidInput
from eventcenter.event import Event, StoredEvent

DATA = rb"""{"a": {"b": [1.0, 1e2, 18446744073709551617, {"c": "deep"}]}, "name": "web-1", "n": null,
"empty": "", "yes": true, "app.kubernetes.io/name": "shop", "at": "2026-11-01T08:00:00.123456789Z",
"ms": 1793491200000, "s": 1793491200, "big": 1234567.891, "wild": 1e999999999,
"leap": "2016-12-31T23:59:60Z"}"""


def values(data: bytes | None = DATA, kind: Any = "json", **given: Any) -> EventValues:
    event = Event(
        id="e-1",
        source="/shop",
        type="order.paid",
        data=data,
        data_kind=None if data is None else kind,
        extensions={"region": "cn-north", "level": 7, "sampled": True, "bus": "mine"},
        **given,
    )
    at = datetime(2026, 11, 1, 20, 30, tzinfo=UTC)
    return EventValues(StoredEvent(seq=42, bus="default", received_at=at, event=event), rule="R")


def render(text: str, held: EventValues | None = None, zone: str = "Asia/Shanghai") -> str:
    template = Template.parse(text)
    return template.render(
        held or values(), escape=lambda value: value, limit=20_000, zone=ZoneInfo(zone)
    ).text


FOUND = [
    ("${id} ${source} ${type}", "e-1 /shop order.paid"),
    ("${ id }", "e-1"),
    ("${subject}", NOTHING),
    ("${region} ${level} ${sampled}", "cn-north 7 true"),
    ("${bus} ${seq} ${rule} ${received_at}", "default 42 R 2026-11-01T20:30:00Z"),
    ("${extensions.bus}", "mine"),
    ("${data.name}", "web-1"),
    ("${data.a.b.0} ${data.a.b[1]} ${data.a.b[2]}", "1.0 1e2 18446744073709551617"),
    ("${data.a.b.3.c} ${data['a']['b'][3]['c']}", "deep deep"),
    ("${data.a.b.9} ${data.a.b.-1} ${data.name.x}", f"{NOTHING} {NOTHING} {NOTHING}"),
    ("${data['app.kubernetes.io/name']} ${data.app.kubernetes.io/name}", "shop shop"),
    ("${data.n} ${data.empty}|${data.yes}", f"{NOTHING} |true"),
    ("${data.a}", '{"b":[1.0,1e2,18446744073709551617,{"c":"deep"}]}'),
    ("${data.nope | default('none')} ${data.empty|default('e')} ${data.n|default('')}", "none e "),
    ("${data.name|default('x')}", "web-1"),
    ("${data.name | upper} ${type|upper|lower}", "WEB-1 order.paid"),
    ("${data.name | truncate(3)} ${data.name | truncate(5)}", "we… web-1"),
    ("${data.at | date}", "2026-11-01 16:00:00+08:00"),
    ("${data.ms|date} ${data.s|date}", "2026-11-01 08:00:00+08:00 2026-11-01 08:00:00+08:00"),
    ("${data.leap|date}", "2017-01-01 07:59:59+08:00"),
    ("${data.name|date}", "web-1"),
    ("${received_at|date}", "2026-11-02 04:30:00+08:00"),
    ("${data.big|number} ${data.big|number(1)} ${data.name|number}", "1,234,567.891 1,234,567.9 web-1"),
    ("${data.wild|number} ${data.wild|date}", "1e999999999 1e999999999"),
    ("${data.name|json} ${data.a.b.0|json} ${data.yes|json}", '"web-1" 1.0 true'),
    ("${type | url} [x](https://h/q?n=${data.name|url})", "order.paid [x](https://h/q?n=web%2D1)"),
    ("[x](https://h/?q=${data.nope | url})", "[x](https://h/?q=)"),
    ("$${id} costs $5 and {id} $ {id} $", "${id} costs $5 and {id} $ {id} $"),
    ("", ""),
]


@pytest.mark.parametrize(("template", "text"), FOUND, ids=[template for template, _ in FOUND])
def test_what_a_template_finds(template: str, text: str) -> None:
    assert render(template) == text


REFUSED = [
    ("${", "a path is missing"),
    ("${}", "a path is missing"),
    ("${id", "has no }"),
    ("${id | upper", "has no }"),
    ("${id upper}", "has no }"),
    ("${Order}", "is no attribute"),
    ("${id.x}", "nothing inside"),
    ("${data.}", "a name is missing"),
    ("${data['a}", "in [ ] stands"),
    ("${data[ 'a']}", "in [ ] stands"),
    ("${id | shout}", "there is no filter shout; the filters are default, upper"),
    ("${id | }", "there is no filter without a name"),
    ("${id | upper(1)}", "takes no argument"),
    ("${id | truncate}", "takes one argument"),
    ("${id | truncate(0)}", "from 1 to 2000"),
    ("${id | truncate(99999)}", "from 1 to 2000"),
    ("${id | truncate('a')}", "from 1 to 2000"),
    ("${id | default(none)}", "text in quotes or a whole number"),
    ("${id | default(1)}", "a text in quotes"),
    ("${id | number(1, 2)}", "one argument at most"),
    ("${id | number(13)}", "from 0 to 12"),
    ("${a" + ".b" * 100 + "}", ""),
    ("${data" + ".b" * 100 + "}", "at most 64 names"),
    ("[open](${data.url})", "must not choose where a link leads"),
    ("[open](https://${data.host}/x)", "must not choose where a link leads"),
    ("[open](https://h.example/${id})", "the last filter is url: ${id | url}"),
    ("![x](javascript:${id})", "must not choose where a link leads"),
    ("[a]: ${data.url}", "where markdown defines a link"),
    ("<${data.url}>", "inside an HTML tag"),
    ('<a href="${data.url}">', "inside an HTML tag"),
    ("hidden \u202e here", "U+202E"),
    ("x" * (TEMPLATE_LIMIT + 1), "the limit is 10,240"),
]


@pytest.mark.parametrize(("template", "words"), REFUSED, ids=[template[:40] for template, _ in REFUSED])
def test_what_a_template_refuses(template: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Template.parse(template)
    assert words in refused.value.detail


def test_all_problems_are_named_with_their_place() -> None:
    _, problems = read("${id} ${nope.x} ${id|a}\n${")
    assert [problem.split(":")[0] for problem in problems] == ["character 7", "character 22", "character 25"]


def test_links_may_hold_encoded_values_only() -> None:
    text = render("[x](https://h/?q=${data.name | url})", values(b'{"name": "a b)](javascript:x_*~.-"}'))
    assert text == "[x](https://h/?q=a%20b%29%5D%28javascript%3Ax%5F%2A%7E.%2D)"
    assert render("${data.name|url}", values(b'{"name": ".."}')) == "%2E%2E"


def test_text_and_bytes() -> None:
    assert render("${data} ${data.x}", values(b'"plain text"', "text")) == f"plain text {NOTHING}"
    assert render("${data}", values(b'"aGk="', "binary")) == "aGk="
    assert render("${data}", values(None)) == NOTHING


def test_missing_paths_are_told() -> None:
    template = Template.parse("${data.x} ${data.y|upper} ${data.z|default('-')} ${data.x}")
    found = template.render(values(), escape=escape, limit=1000)
    assert found.missing == ("data.x", "data.y")


def test_every_filter_is_explained_and_takes_whatever_comes() -> None:
    odd: list[Any] = ["", "x" * 5000, "\ud800", "1e5", [1, [2]], {"a": None}, True]
    for name, filter_ in FILTERS.items():
        assert filter_.help
        for value in odd:
            arguments: tuple[str | int, ...] = tuple(2 if kind is int else "d" for kind in filter_.arguments)
            assert filter_.problem(name, arguments) is None
            filter_.apply(value, arguments, UTC)


def test_work_is_bounded() -> None:
    big = b'{"a":[' + b",".join([b'{"k":"' + b"\xf0\x9f\x98\x80" * 50 + b'"}'] * 1_000) + b"]}"
    one = b'{"a":"' + b"\xf0\x9f\x98\x80" * 50_000 + b'"}'
    distinct = "".join(f"${{data.a|truncate({n})|default('x')|upper|lower|json}}" for n in range(1, 190))
    begun = time.perf_counter()
    for data in (big, one):
        for text in ("${data.a}" * 1000, distinct, "${data.a|truncate(1)}" * 480, "${id}" * 2048):
            found = Template.parse(text).render(values(data), escape=escape, limit=16_000)
            assert len(found.text) <= 16_000
    assert time.perf_counter() - begun < 10


def test_reading_is_quick_for_hostile_templates() -> None:
    begun = time.perf_counter()
    for text in (
        "](" * 2000 + "${id}" * 1000,
        "<a" * 3000 + "${id}" * 800,
        "[" * 5000 + "]:" + "${id}" * 900,
    ):
        read(text[:TEMPLATE_LIMIT])
    assert time.perf_counter() - begun < 10


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("${}|.'\"()[]:/<>ad ixtruncat12data\n"), max_size=80), _JSON)
def test_any_text_is_read_and_rendered_within_bounds(text: str, data: Any) -> None:
    import json

    template, _problems = read(text)
    found = template.render(values(json.dumps(data).encode()), escape=escape, limit=100)
    assert len(found.text) <= 100


@settings(max_examples=200, deadline=None)
@given(_JSON)
def test_a_value_is_bounded(data: Any) -> None:
    import json

    template = Template.parse("${data}")
    found = template.render(values(json.dumps(data).encode()), escape=lambda held: held, limit=50_000)
    assert len(found.text) <= VALUE_LIMIT
