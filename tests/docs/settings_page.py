"""docs/settings.md as the table of settings says it; run this module to write it."""

from dataclasses import fields
from pathlib import Path

from eventcenter.settings import HELP, PREFIX, Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"

_HEAD = """\
# Settings

Settings are environment variables, or lines of a file `.env` in the folder that Event Center is started in;
the environment wins. A variable that begins with `EVENTCENTER_` and is none of these is refused, so that a
typing error does not go unnoticed. (`EVENTCENTER_TOKEN` is the token of `eventcenter send`, and
`EVENTCENTER_REQUIRE` belongs to the tests.)

This page is made from the table in `eventcenter/settings.py` by `python -m tests.docs.settings_page`.

| Variable | Default | Meaning |
|---|---|---|
"""
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def default_text(value: object) -> str:
    """A default as the page shows it."""
    if value is None or value == ():
        return "none"
    if isinstance(value, int) and not isinstance(value, bool):
        for size, unit in _UNITS:
            if value >= size and value % size == 0:
                return f"`{value}` ({value // size} {unit})"
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{value}`"


def page() -> str:
    """The whole page."""
    rows = [
        f"| `{PREFIX}{field.name.upper()}` | {default_text(field.default)} | {HELP[field.name]} |"
        for field in fields(Settings)
    ]
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
