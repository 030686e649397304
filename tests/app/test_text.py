"""What makes values of others safe to look at and to copy, without changing them."""

import json
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app import patterns
from app.components import dingtalk, shell
from app.components.jsontext import compact, pretty
from app.components.markup import build
from app.components.visible import unseen_again, visible, visible_json, visible_lines
from app.patterns import Condition, Number
from tests.support.fake_api import HOSTILE

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "number",
    ["1.0", "1e2", "18446744073709551617", "0.10000000000000000001", "-0", "-0.0", "1E+400", "100.00"],
)
def test_numbers_keep_their_text(number: str) -> None:
    text = f'{{"a":[{number},{{"b":{number}}}]}}'
    assert pretty(text).count(number) == 2
    assert compact(pretty(text)) == text
    assert patterns.write(patterns.read(text)) == text


@given(values)
def test_pretty_and_compact_mean_the_same(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert json.loads(pretty(text)) == json.loads(compact(text)) == json.loads(text)
    assert json.loads(visible_json(text)) == json.loads(text)


def test_pretty_reads_well() -> None:
    assert pretty('{"a":1,"b":[],"c":{"d":"x, {y}: \\"z\\""}}') == (
        '{\n  "a": 1,\n  "b": [],\n  "c": {\n    "d": "x, {y}: \\"z\\""\n  }\n}'
    )


@given(st.text())
def test_nothing_hidden_is_left(text: str) -> None:
    for shown in (visible(text, 10_000), visible_json(json.dumps(text, ensure_ascii=False))):
        for bad in "\u202e\u2066\u200b\x00\x1b\x7f\u2028\ufeff":
            assert bad not in shown


@given(st.text(max_size=50))
def test_shown_values_lead_back(text: str) -> None:
    if "⟨U+" not in text:
        assert unseen_again(visible(text, 50)) == text


def test_bounds() -> None:
    assert len(visible("😀" * 100_000)) == 201
    shown, cut = visible_lines("😀" * 100_000)
    assert (len(shown), cut) == (20_000, 80_000)
    assert visible("a\nb\tc") == "a⟨U+000A⟩b⟨U+0009⟩c"
    assert visible("👨\u200d👩\u200d👧") == "👨\u200d👩\u200d👧"
    assert visible("a\u200db") == "a⟨U+200D⟩b"


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60))
def test_the_curl_line_sends_this_very_event(text: str) -> None:
    event = json.dumps({"id": text, "data": {"'$(id)'": "`x` $HOME \\ \" ' !!"}}, ensure_ascii=False)
    line = shell.post_line("http://127.0.0.1:8700", "default", event).replace("curl", "printf '%s\\0'", 1)
    out = subprocess.run(
        ["/bin/sh", "-c", line], capture_output=True, check=True, env={"EVENTCENTER_TOKEN": "ect_x"}
    )
    words = out.stdout.decode().split("\0")
    assert words[1] == "http://127.0.0.1:8700/v1/buses/default/events"
    assert words[3] == "Authorization: Bearer ect_x"
    assert json.loads(words[7]) == json.loads(event)


def test_the_hello_line_is_an_event() -> None:
    line = shell.hello_line("http://127.0.0.1:8700", "default").replace("curl", "printf '%s\\0'", 1)
    out = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True)
    event = json.loads(out.stdout.decode().split("\0")[7])
    assert event["specversion"] == "1.0"
    assert set(event) == {"specversion", "id", "source", "type", "datacontenttype", "data"}


def test_markup_escapes() -> None:
    made = build('<b title="$value">$value</b>', value='"><script>$other</script>').html
    safe = "&quot;&gt;&lt;script&gt;$other&lt;/script&gt;"
    assert made == f'<b title="{safe}">{safe}</b>'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**a** *b*", "<p><b>a</b> <i>b</i></p>"),
        ("\\*a\\*", "<p>*a*</p>"),
        (
            "# h\n> q\n- x\n- y",
            '<p class="ec-h1">h</p><blockquote>q</blockquote><ul><li>x</li><li>y</li></ul>',
        ),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>"),
        ("[t](javascript:x)", '<p><span class="ec-link" title="javascript:x">t</span></p>'),
        ('[t](http://a/"onload=x)', '<p><span class="ec-link" title="http://a/&quot;onload=x">t</span></p>'),
        ("![i](http://a/p.png)", '<p><span class="ec-link" title="http://a/p.png">i</span></p>'),
        ("a\u202eb", "<p>a⟨U+202E⟩b</p>"),
    ],
)
def test_dingtalk_markdown(text: str, html: str) -> None:
    assert dingtalk.markdown(text).html == html


@given(st.text())
def test_dingtalk_markdown_makes_no_tag_of_a_value(text: str) -> None:
    html = dingtalk.markdown(text + HOSTILE).html
    for tag in ("<script", "<img", "<a ", "<svg", "<iframe", "<style"):
        assert tag not in html


scalars = (
    st.text(min_size=1, max_size=12) | st.booleans() | st.none() | st.integers().map(lambda n: Number(str(n)))
)
paths = st.sampled_from(["data.a", "data.b.c", "severity", "data.x-y"])
texts = st.text(min_size=1, max_size=12)


@example(["\\", "0"], "data.a")
@given(st.lists(scalars, min_size=1, max_size=3), paths)
def test_values_come_back_from_rows(wanted: list[object], path: str) -> None:
    row = Condition(path=path, operator="is", value=", ".join(patterns.typed(value) for value in wanted))
    pattern, troubles = patterns.to_pattern([row])
    assert not troubles
    found: object = pattern
    for part in path.split("."):
        found = found[part]  # type: ignore[index]
    assert found == wanted
    assert patterns.to_rows(pattern) == [row]


@pytest.mark.parametrize(
    ("row", "condition"),
    [
        (Condition(path="data.n", operator="gt", value="1e2"), '[{"numeric":[">",1e2]}]'),
        (Condition(path="data.n", operator="between", value="1, 5.0"), '[{"numeric":[">=",1,"<=",5.0]}]'),
        (Condition(path="data.n", operator="exists"), '[{"exists":true}]'),
        (Condition(path="data.n", operator="missing"), '[{"exists":false}]'),
        (Condition(path="data.n", operator="prefix", value="a, b"), '[{"prefix":"a"},{"prefix":"b"}]'),
        (Condition(path="data.n", operator="suffix", value="a"), '[{"suffix":"a"}]'),
        (Condition(path="data.n", operator="contains", value="a"), '[{"contains":"a"}]'),
        (Condition(path="data.n", operator="not_prefix", value="a"), '[{"anything-but":{"prefix":"a"}}]'),
        (Condition(path="data.n", operator="is_not", value="a"), '[{"anything-but":"a"}]'),
        (Condition(path="data.n", operator="is_not", value="a, 1"), '[{"anything-but":["a",1]}]'),
        (Condition(path="data.n", value='true, null, "true", "a, b"'), '[true,null,"true","a, b"]'),
    ],
)
def test_operators(row: Condition, condition: str) -> None:
    pattern, troubles = patterns.to_pattern([row])
    assert not troubles
    assert patterns.write(pattern) == f'{{"data":{{"n":{condition}}}}}'
    back = patterns.to_rows(pattern)
    assert back is not None
    assert patterns.to_pattern(back)[0] == pattern


def test_attributes_are_always_text() -> None:
    assert patterns.to_pattern([Condition(path="subject", value="80")])[0] == {"subject": ["80"]}
    assert type(patterns.to_pattern([Condition(path="subject", value="80")])[0]["subject"][0]) is str


@pytest.mark.parametrize(
    ("rows", "key"),
    [
        ([Condition(path="data", value="x")], "pattern.bad_path"),
        ([Condition(path="Upper", value="x")], "pattern.bad_path"),
        ([Condition(path="data..x", value="x")], "pattern.bad_path"),
        ([Condition(path="data.n", operator="gt", value="many")], "pattern.bad_number"),
        ([Condition(path="data.n", operator="between", value="1")], "pattern.bad_number"),
        ([Condition(path="data.n", value="1"), Condition(path="data.n", value="2")], "pattern.twice"),
        ([Condition(path="data.n", value="1"), Condition(path="data.n.m", value="2")], "pattern.twice"),
    ],
)
def test_rows_that_make_no_pattern(rows: list[Condition], key: str) -> None:
    assert [trouble.key for trouble in patterns.to_pattern(rows)[1]] == [key]


@pytest.mark.parametrize(
    "pattern", ['{"$or":[{"type":["a"]}]}', '{"data":{"a":[{"prefix":"x"},1]}}', '{"a":1}', "[]", '{"a":[]}']
)
def test_patterns_that_rows_cannot_say(pattern: str) -> None:
    assert patterns.to_rows(patterns.read(pattern)) is None
