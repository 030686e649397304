"""The one door for HTML: whatever is put into a template here is escaped, bounded and visible.

`Markup` is text that is safe already; only `build` makes it. Everything else is a value of someone else.
"""

from html import escape
from string import Template

import streamlit as st

from app.components.visible import CELL, visible


class Markup:
    """HTML made by `build`."""

    def __init__(self, html: str) -> None:
        self.html = html


def build(template: str, *, limit: int = CELL, **values: object) -> Markup:
    """`template` with `$name` places. Values are escaped and cut to `limit`, Markup goes in as it is."""
    return Markup(Template(template).substitute({n: _safe(v, limit) for n, v in values.items()}))


def join(parts: list[Markup]) -> Markup:
    """One after the other."""
    return Markup("".join(part.html for part in parts))


def show(markup: Markup) -> None:
    """Draw it."""
    st.html(markup.html)


def escaped(value: object, limit: int = CELL) -> str:
    """A value for a chart's labels: Plotly reads tags and some entities, of which `&quot;` is none."""
    return escape(visible(value, limit), quote=False)


def _safe(value: object, limit: int) -> str:
    if isinstance(value, Markup):
        return value.html
    if isinstance(value, str) and "\n" in value:
        return "\n".join(escape(visible(line, limit)) for line in value[: limit * 2].split("\n"))
    return escape(visible(value, limit))
