"""What went wrong, what is missing, what to do next."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import streamlit as st

from app.components.markup import Markup, build, join, show
from app.i18n import t
from app.i18n.errors import said
from eventcenter.errors import EventCenterError

_BOX = '<div class="ec-note ec-$kind" role="status"><b>$title</b>$body</div>'


class Problem(Protocol):
    """What is wrong: an error, or what the API tells of one."""

    @property
    def detail(self) -> str: ...
    @property
    def value(self) -> str | None: ...
    @property
    def rule(self) -> str | None: ...
    @property
    def remedy(self) -> str | None: ...


def problem(error: Problem) -> None:
    """An error with its value, rule and way out."""
    lines = [
        build("<p><span>$label</span> $text</p>", label=t(f"error.{name}"), text=text, limit=600)
        for name, text in (
            ("value", error.value),
            ("rule", said(error.rule or "")),
            ("remedy", said(error.remedy or "")),
        )
        if text
    ]
    show(build(_BOX, kind="bad", title=said(error.detail), body=join(lines), limit=1000))


@contextmanager
def catching() -> Iterator[None]:
    """Draws the error of what is asked inside."""
    try:
        yield
    except EventCenterError as error:
        problem(error)


def note(kind: str, title: str, text: str | None = None) -> None:
    """A box: kind `info`, `good`, `warn` or `bad`; both texts are shown escaped."""
    body = build("<p>$text</p>", text=text, limit=1000) if text else Markup("")
    show(build(_BOX, kind=kind, title=title, body=body, limit=1000))


def empty(title: str, text: str, command: str | None = None) -> None:
    """Nothing here yet, and the next step; `command` can be copied and works as printed."""
    show(build('<div class="ec-empty"><b>$title</b><p>$text</p></div>', title=title, text=text, limit=600))
    if command:
        st.code(command, language="bash", wrap_lines=True)


def heading(title: str, *, aside: str = "") -> None:
    """The title of a page or a part of it."""
    show(build('<div class="ec-head"><h2>$title</h2><span>$aside</span></div>', title=title, aside=aside))


def caption(text: str) -> None:
    """A quiet line."""
    show(build('<p class="ec-caption">$text</p>', text=text, limit=1000))
