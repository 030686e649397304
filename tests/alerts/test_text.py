"""Event values in messages: the table of escapes, and the promise that nothing of them is ever active."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from alerts.text import clip, escape, hidden_characters, visible
from eventcenter.testing.markdown import to_html

ESCAPES = [
    ("plain text", "plain text"),
    ("a*b**c", r"a\*b\*\*c"),
    ("snake_case_name", r"snake\_case\_name"),
    ("# title", r"\# title"),
    ("> quote", r"\> quote"),
    ("[text](https://evil.example)", r"\[text\]\(https: //evil.example\)"),
    ("![image](x)", r"\!\[image\]\(x\)"),
    ("`code`", r"\`code\`"),
    ("~~gone~~", r"\~\~gone\~\~"),
    ("a|b", r"a\|b"),
    ("back\\slash", r"back\\slash"),
    ("<font color=red>", r"&lt;font color=red\>"),
    ("<script>alert(1)</script>", r"&lt;script\>alert\(1\)&lt;/script\>"),
    ("&lt;b&gt;", r"&amp;lt;b&amp;gt;"),
    ("a & b && c", "a & b && c"),
    ("@all", r"\@all"),
    ("@13800000000", r"\@13800000000"),
    ("- item", r"\- item"),
    ("+ item", r"\+ item"),
    ("1. item", r"1\. item"),
    ("1.5", "1.5"),
    ("-5", "-5"),
    ("---", r"\---"),
    ("===", r"\==="),
    ("http://evil.example", "http: //evil.example"),
    ("HTTPS://evil.example", "HTTPS: //evil.example"),
    ("//evil.example", "//evil.example"),
    ("javascript:alert(1)", r"javascript: alert\(1\)"),
    ("JaVaScRiPt:alert(1)", r"JaVaScRiPt: alert\(1\)"),
    ("data:text/html,x", "data: text/html,x"),
    ("dingtalk://dingtalkclient/page/link", "dingtalk: //dingtalkclient/page/link"),
    ("mailto:a@b.c", r"mailto: a\@b.c"),
    ("www.evil.example", "www .evil.example"),
    ("pod:restarted", "pod:restarted"),
    ("ends with http:", "ends with http: "),
    ("one\ntwo\r\nthree", "one ⏎ two ⏎ three"),
    ("tab\there", "tab here"),
    ("  spaces  ", "spaces"),
    ("bell\x07", "bell⟨U+0007⟩"),
    ("\u202egnp.exe", "⟨U+202E⟩gnp.exe"),
    ("zero\u200bwidth", "zero⟨U+200B⟩width"),
    ("lone \ud800", "lone ⟨U+D800⟩"),
    ("nel\u0085", "nel⟨U+0085⟩"),
    ("line\u2028end", "line⟨U+2028⟩end"),
    ("tag \U000e0041", "tag ⟨U+E0041⟩"),
    ("family 👨‍👩‍👧", "family 👨‍👩‍👧"),
    ("مرحبا", "مرحبا"),
    ("中文*强调*", r"中文\*强调\*"),
    ("Z̸̡͓̖̝̘͇͎͔͓̄̈́a", "Z̸̡͓̖a"),
]


@pytest.mark.parametrize(("value", "shown"), ESCAPES, ids=[ascii(value) for value, _ in ESCAPES])
def test_escapes(value: str, shown: str) -> None:
    assert escape(value) == shown


def test_what_people_see_is_what_was_sent() -> None:
    for value, shown in ESCAPES:
        if value.isascii() and value.isprintable() and not re.search(r"://|:\S|www|:$|^ ", value):
            rendered = MarkdownIt("commonmark").render(shown)
            assert re.sub(r"<[^>]+>", "", rendered).strip() == (
                value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            )


HOSTILE = st.text(
    alphabet=st.one_of(
        st.sampled_from("*_#>[]()`!<>@~|\\-+=.:/&;1 \n\r\t\u202e\u200bhtpsjavcriw"), st.characters()
    ),
    max_size=60,
)
_ACTIVE = {"link_open", "image", "em_open", "strong_open", "code_inline", "html_inline", "s_open"}
_BLOCKS = {"paragraph_open", "paragraph_close", "inline"}


@settings(max_examples=1500, deadline=None)
@given(HOSTILE)
@example("https://a")
@example("<https://a>")
@example("&#106;avascript:x")
@example("1.")
@example("-\n-")
@example("=\n")
def test_escaped_text_is_never_markup(value: str) -> None:
    shown = escape(value)
    for before, after in (("", ""), ("text ", " text"), ("> ", ""), ("**", "**")):
        tokens = MarkdownIt("commonmark").enable(["strikethrough", "table"]).parse(before + shown + after)
        inner = [child.type for token in tokens if token.children for child in token.children]
        outer = {token.type for token in tokens}
        if not before:
            assert outer <= _BLOCKS, (shown, outer)
            assert not _ACTIVE & set(inner), (shown, inner)
        assert not {"link_open", "image", "html_inline", "code_inline"} & set(inner), (shown, inner)
    assert "://" not in shown
    assert not re.search(r"(?i)(?<![a-z0-9])(javascript|vbscript|data):\S", shown)
    assert "\n" not in shown
    assert not hidden_characters(shown)
    shown.encode()
    page = to_html(shown)
    assert not re.search(r"<(?!/?p>|br>)", page), page


@settings(max_examples=300, deadline=None)
@given(st.lists(HOSTILE, min_size=2, max_size=4))
def test_values_side_by_side_build_no_link(values: list[str]) -> None:
    assert "://" not in "".join(escape(value) for value in values)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200), st.integers(1, 50))
def test_clip_is_bounded(text: str, limit: int) -> None:
    assert len(clip(text, limit)) <= limit
    assert clip(text, 500) == text


def test_visible_leaves_markdown_alone() -> None:
    assert visible("*a* _b_\u202e") == "*a* _b_⟨U+202E⟩"
