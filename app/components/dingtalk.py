"""A message drawn as DingTalk draws its markdown, with nothing in it that acts: no link, image or tag."""

import re
from html import escape

from app.components.markup import Markup, build, show
from app.components.visible import visible, visible_lines
from app.i18n import t

_INLINE = re.compile(
    r"\\(?P<literal>[!-/:-@\[-`{-~])"
    r"|\*\*(?P<bold>(?:\\.|[^*\\])+)\*\*"
    r"|\*(?P<italic>(?:\\.|[^*\\])+)\*"
    r"|(?P<entity>&(?:lt|gt|amp|quot);)"
    r"|!?\[(?P<label>(?:\\.|[^\]\\])*)\]\((?P<address>(?:\\.|[^)\\\s])*)\)"
)
_MOST = 20_000


def message(title: str, text: str) -> None:
    """The robot's message in a chat bubble."""
    show(
        build(
            '<div class="ec-ding"><div class="ec-ding-who">$robot</div><div class="ec-ding-bubble">'
            '<div class="ec-ding-title">$title</div>$body</div></div>',
            robot=t("ding.robot"),
            title=title,
            body=markdown(text),
        )
    )


def markdown(text: str) -> Markup:
    """DingTalk's subset of markdown as inert HTML."""
    shown, _ = visible_lines(text, _MOST)
    blocks: list[str] = []
    items: list[str] = []
    for line in [*shown.replace("\r", "").split("\n"), ""]:
        bullet = re.match(r"\s*(?:[-*+]|\d+\.)\s+(.*)", line)
        if bullet:
            items.append(f"<li>{_inline(bullet[1])}</li>")
            continue
        if items:
            blocks.append(f"<ul>{''.join(items)}</ul>")
            items = []
        heading = re.match(r"(#{1,6})\s+(.*)", line)
        quote = re.match(r">\s?(.*)", line)
        if heading:
            blocks.append(f'<p class="ec-h{len(heading[1])}">{_inline(heading[2])}</p>')
        elif quote:
            blocks.append(f"<blockquote>{_inline(quote[1])}</blockquote>")
        elif re.fullmatch(r"\s*(?:---+|\*\*\*+)\s*", line):
            blocks.append("<hr>")
        elif line.strip():
            blocks.append(f"<p>{_inline(line)}</p>")
    return Markup("".join(blocks))


def _inline(line: str) -> str:
    out: list[str] = []
    at = 0
    for found in _INLINE.finditer(line):
        out.append(escape(line[at : found.start()]))
        at = found.end()
        if found["literal"] is not None:
            out.append(escape(found["literal"]))
        elif found["entity"] is not None:
            out.append(found["entity"])
        elif found["bold"] is not None:
            out.append(f"<b>{_inline(found['bold'])}</b>")
        elif found["italic"] is not None:
            out.append(f"<i>{_inline(found['italic'])}</i>")
        else:
            address = escape(visible(found["address"], 300))
            out.append(f'<span class="ec-link" title="{address}">{_inline(found["label"])}</span>')
    out.append(escape(line[at:]))
    return "".join(out)
