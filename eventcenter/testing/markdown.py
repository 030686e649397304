"""DingTalk's subset of markdown as harmless HTML, for the page of the robot stand-in.

Headings, quotes, lists, bold, italic, links with http and https, backslash escapes; everything else is text.
"""

import html
import re
from collections.abc import Callable

_INLINE = re.compile(
    r"\\(?P<escaped>[!-/:-@\[-`{-~])"
    r"|(?P<image>!\[[^\]\n]*\]\([^)\s]*\))"
    r"|\[(?P<label>(?:\\.|[^\]\\\n])*)\]\((?P<address>https?://[^)\s]+)\)"
    r"|\*\*(?P<bold>(?:\\.|[^*\\\n])+)\*\*"
    r"|\*(?P<italic>(?:\\.|[^*\\\n])+)\*"
    r"|&(?P<entity>lt|gt|amp|quot);"
)
_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_BULLET = re.compile(r"\s*[-*+]\s+(.*)")
_NUMBERED = re.compile(r"\s*[0-9]{1,9}\.\s+(.*)")


def to_html(text: str) -> str:
    """`text` as HTML in which every character that is not known markup is escaped."""
    blocks: list[str] = []
    paragraph: list[str] = []
    items: list[str] = []
    kind = "ul"

    def close() -> None:
        nonlocal kind
        if paragraph:
            blocks.append(f"<p>{'<br>'.join(paragraph)}</p>")
            paragraph.clear()
        if items:
            blocks.append(f"<{kind}>{''.join(f'<li>{item}</li>' for item in items)}</{kind}>")
            items.clear()

    def add_item(found: re.Match[str], tag: str) -> None:
        nonlocal kind
        if paragraph or (items and kind != tag):
            close()
        kind = tag
        items.append(inline(found[1]))

    for raw in text.split("\n"):
        line = raw.strip()
        if not line:
            close()
        elif heading := _HEADING.fullmatch(line):
            close()
            level = len(heading[1])
            blocks.append(f"<h{level}>{inline(heading[2])}</h{level}>")
        elif line.startswith(">"):
            close()
            blocks.append(f"<blockquote>{inline(line[1:].strip())}</blockquote>")
        elif bullet := _BULLET.fullmatch(line):
            add_item(bullet, "ul")
        elif numbered := _NUMBERED.fullmatch(line):
            add_item(numbered, "ol")
        else:
            if items:
                close()
            paragraph.append(inline(line))
    close()
    return "\n".join(blocks)


def inline(text: str) -> str:
    """Bold, italic, links and escapes of one line."""
    out: list[str] = []
    position = 0
    for found in _INLINE.finditer(text):
        out.append(html.escape(text[position : found.start()]))
        out.append(_element(found))
        position = found.end()
    out.append(html.escape(text[position:]))
    return "".join(out)


def _element(found: re.Match[str]) -> str:
    forms: dict[str, Callable[[str], str]] = {
        "escaped": html.escape,
        "image": html.escape,
        "bold": lambda text: f"<strong>{inline(text)}</strong>",
        "italic": lambda text: f"<em>{inline(text)}</em>",
        "entity": lambda name: f"&{name};",
    }
    name = found.lastgroup or ""
    if found["address"] is not None:
        address = html.escape(found["address"], quote=True)
        return f'<a href="{address}" rel="noreferrer noopener" target="_blank">{inline(found["label"])}</a>'
    return forms[name](found[name])
