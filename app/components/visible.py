"""Text of others made safe to look at: bounded, and with nothing invisible left in it. Pure functions."""

import re
import unicodedata

CELL = 200
"""Most characters of a value in a table's cell or a card."""
OPTION = 2_000
"""Most characters of a value to choose."""
BLOCK = 20_000
"""Most characters of a value in a detail."""

_EMOJI_FROM = 0x2190
_JOINER = "\u200d"
_SHOWN = re.compile("⟨U\\+([0-9A-F]{4,6})⟩")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def hidden(text: str, at: int) -> bool:
    """Whether the character at `at` cannot be seen or turns its neighbours around."""
    char = text[at]
    if char.isascii():
        return char < " " or char == "\x7f"
    if char == _JOINER and 0 < at < len(text) - 1:
        return not (ord(text[at - 1]) >= _EMOJI_FROM and ord(text[at + 1]) >= _EMOJI_FROM)
    return unicodedata.category(char) in _HIDDEN


def visible(value: object, limit: int = CELL) -> str:
    """`value` as one line of at most `limit` characters; hidden characters as ⟨U+202E⟩."""
    text = "" if value is None else str(value)
    cut = len(text) > limit
    text = text[:limit]
    if not text.isascii() or any(c < " " or c == "\x7f" for c in text):
        text = "".join(f"⟨U+{ord(c):04X}⟩" if hidden(text, i) else c for i, c in enumerate(text))
    return text + "…" if cut else text


def unseen_again(shown: str) -> str:
    """What `visible` made of a short value, turned back."""
    return _SHOWN.sub(lambda found: chr(int(found[1], 16)), shown)


def visible_lines(value: str, limit: int = BLOCK) -> tuple[str, int]:
    """Like `visible`, keeping line breaks and tabs; also answers how many characters were cut."""
    shown = value[:limit]
    lines = ["\t".join(visible(part, limit) for part in line.split("\t")) for line in shown.split("\n")]
    return "\n".join(lines), len(value) - len(shown)


def visible_json(text: str) -> str:
    """JSON text with hidden characters as JSON's own escapes: the same value, and nothing unseen."""
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(_escape(c) if c > "~" and hidden(text, i) else c for i, c in enumerate(text))


def _escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
