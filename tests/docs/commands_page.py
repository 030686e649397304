"""docs/commands.md as the program's own help says it; run this module to write it."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from eventcenter.cli.commands import app

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"

_HEAD = """\
# Command line

After `make up` the program is `.venv/bin/eventcenter`; `python -m eventcenter` is the same. Each command has
`--help`. Exit codes: 0 done, 1 failed (one sentence on stderr says why and what to do), 2 wrong usage.
Results go to stdout, everything else to stderr; lists are tab-separated when a program reads them.

This page is made from the program's own help by `python -m tests.docs.commands_page`.
"""


def commands(group: Any = None, before: str = "eventcenter") -> Iterator[tuple[str, Any]]:
    """(full name, command) of every command."""
    found: dict[str, Any] = (group or _root()).commands
    for name, command in found.items():
        full = f"{before} {name}"
        if hasattr(command, "commands"):
            yield from commands(command, full)
        else:
            yield full, command


def _root() -> Any:
    return get_command(app)


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(_section(name, command) for name, command in commands())


def _section(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and "--help" not in p.opts]
    shown = [_metavar(a) if a.required else f"[{_metavar(a)}]" for a in arguments]
    usage = " ".join([name, *(["[OPTIONS]"] if options else []), *shown])
    rows = [(f"`{_metavar(p)}`", p) for p in arguments]
    rows += [(f"`{', '.join(p.opts)}`", p) for p in options]
    table = "".join(f"| {what} | {_help(p)} |\n" for what, p in rows)
    head = "\n| | |\n|---|---|\n" if rows else ""
    return f"\n## `{name}`\n\n```\n{usage}\n```\n\n{inspect.cleandoc(command.help or '')}\n{head}{table}"


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name).upper()


def _help(parameter: Any) -> str:
    text = str(parameter.help or "")
    default = parameter.default
    if parameter.required:
        return f"{text} Required."
    if default in (None, "", False) or callable(default) or "Default" in text:
        return text
    return f"{text} Default: `{default}`."


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
