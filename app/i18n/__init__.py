"""Every text of the dashboard, in Chinese and English, from the catalogues beside this file."""

import json
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from pathlib import Path

LANGUAGES = ("zh", "en")
NAMES = {"zh": "中文", "en": "English"}

_current: ContextVar[str] = ContextVar("language", default="en")


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All texts of a language by key."""
    texts: dict[str, str] = json.loads((Path(__file__).parent / f"{language}.json").read_text("utf-8"))
    return texts


def choose(*wishes: str | None) -> str:
    """The first wish that there is a catalogue for; `zh-CN`, `en_GB` and a browser's lists are understood."""
    for wish in wishes:
        for part in (wish or "").split(","):
            language = part.split(";")[0].strip().lower().replace("_", "-").split("-")[0]
            if language in LANGUAGES:
                return language
    return "en"


def use(language: str) -> None:
    """Speak `language` for the rest of this run."""
    _current.set(language)


def language() -> str:
    """The language of this run."""
    return _current.get()


def t(key: str, **values: object) -> str:
    """A text with its places filled. Plain text: not for labels that Streamlit reads as markdown."""
    return text(_current.get(), key, **values)


def text(language: str, key: str, **values: object) -> str:
    """A text of a given language."""
    found = catalogue(language)[key]
    return found.format(**values) if values else found
