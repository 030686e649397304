"""Sentences of the API's errors in the reader's language, as far as `errors.zh.json` has them.

The API speaks English. What people see without having asked a question, that is how their inputs are, and
what a test of a connection found, is said in their language; a sentence that is not listed stays as it is.
"""

import json
import re
from functools import cache
from pathlib import Path

from app.i18n import language

_PLACE = re.compile(r"\{(\w+)\}")
_LOOKS = {"address": r"\S+", "said": ".*"}


def said(text: str) -> str:
    """`text` in the language of this run. Plain text."""
    if language() == "en":
        return text
    for pattern, form in _forms():
        found = pattern.fullmatch(text)
        if found is not None:
            return form.format(**{name: said(part) for name, part in found.groupdict().items()})
    return text


@cache
def sentences() -> dict[str, str]:
    """Chinese forms by English ones; `{name}` stands for a value, `{said}` for what the other side said."""
    found: dict[str, str] = json.loads(Path(__file__).with_name("errors.zh.json").read_text("utf-8"))
    return found


@cache
def _forms() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((_pattern(english), chinese) for english, chinese in sentences().items())


def _pattern(english: str) -> re.Pattern[str]:
    parts = _PLACE.split(english)
    texts = [re.escape(part) for part in parts[::2]]
    places = [f"(?P<{name}>{_LOOKS.get(name, '.+')})" for name in parts[1::2]]
    return re.compile("".join(a + b for a, b in zip(texts, [*places, ""], strict=True)), re.DOTALL)
