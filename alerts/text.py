"""Event values made harmless for a message: what is hidden is shown, markup is text, nothing is a link.

`plain` is for plain text (a notification's title), `escape` for DingTalk's markdown. Neither is bounded by
itself: whoever calls them cuts the value first.
"""

import re
import unicodedata

ELLIPSIS = "…"
_COMBINING_RUN = 4
"""Marks that may sit on one letter; more than any script needs would paint over the neighbouring lines."""

# Control characters, lone surrogates, noncharacters, bidirectional and zero-width characters, fillers that
# draw nothing, tags. Joiners (U+200C, U+200D) stay: Persian and emoji need them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_NEWLINE = re.compile(r"[ \t]*\r?\n[ \t]*|\r")
_MARKUP = re.compile(r"[\\`*_#\[\]()!~|>@]")
_ENTITY = re.compile(r"&(?=[A-Za-z#])")
_LINE_START = re.compile(r"^(?:(?P<digits>[0-9]+)(?=\.(?:\s|$))|(?=[-+.](?:\s|$)|--|=))")
_SCHEME = re.compile(
    r"(?i)(?<![a-z0-9])(javascript|vbscript|data|file|mailto|tel|sms|dingtalk|alipays?|weixin):(?=\S)"
)
_OPEN_END = re.compile(r":(?=/*$)")
_WWW = re.compile(r"(?i)(?<![a-z0-9])(www)\.")


def visible(value: str) -> str:
    """`value` on one line, each hidden character as `⟨U+202E⟩`, a line break as `⏎`."""
    text = _NEWLINE.sub(" ⏎ ", value).replace("\t", " ")
    text = _HIDDEN.sub(lambda found: f"⟨U+{ord(found.group()):04X}⟩", text)
    return (text if text.isascii() else _thinned(text)).strip()


def escape(value: str) -> str:
    """`value` as DingTalk markdown that shows it: no emphasis, list, quote, HTML, mention or link is left.

    An address is kept readable and made unclickable by a space after its colon (`https: //…`): a space can be
    seen, a zero-width character would make copied text wrong without a trace.
    """
    text = _MARKUP.sub(r"\\\g<0>", visible(value))
    text = _unlinked(_ENTITY.sub("&amp;", text).replace("<", "&lt;"))
    return _LINE_START.sub(lambda found: (found["digits"] or "") + "\\", text)


def plain(value: str) -> str:
    """`value` for places without markup, such as a notification's title: one line, and nothing is a link."""
    return _unlinked(visible(value))


def _unlinked(text: str) -> str:
    text = _SCHEME.sub(r"\1: ", text.replace("://", ": //"))
    return _OPEN_END.sub(": ", _WWW.sub(r"\1 .", text))


def clip(text: str, limit: int) -> str:
    """`text`, or its first `limit` - 1 characters and `…`."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + ELLIPSIS


def hidden_characters(text: str) -> tuple[str, ...]:
    """The hidden characters of a text that a person wrote, as `U+202E`, each once."""
    return tuple(dict.fromkeys(f"U+{ord(found):04X}" for found in _HIDDEN.findall(text)))


def _thinned(text: str) -> str:
    kept: list[str] = []
    run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run <= _COMBINING_RUN:
            kept.append(character)
    return "".join(kept)
