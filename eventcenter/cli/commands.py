"""All commands of the program `eventcenter`."""

import sys
from typing import Annotated

import typer

import eventcenter
from eventcenter.cli.admin import tenant, token, user
from eventcenter.cli.backup import backup, restore
from eventcenter.cli.doctor import doctor
from eventcenter.cli.export import export
from eventcenter.cli.import_command import import_files
from eventcenter.cli.output import err
from eventcenter.cli.query import query
from eventcenter.cli.retention import delete_subject, retention
from eventcenter.cli.send import send
from eventcenter.cli.up import dashboard, serve, up
from eventcenter.errors import EventCenterError

app = typer.Typer(
    name="eventcenter",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"eventcenter {eventcenter.__version__}")
        raise typer.Exit


@app.callback()
def _program(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Event Center: keep every event, look at all of it, act on it without code.

    Settings come from EVENTCENTER_… variables and from .env in the working folder; docs/settings.md lists
    them.
    """


app.command()(up)
app.command()(serve)
app.command()(dashboard)
app.command()(send)
app.command("import")(import_files)
app.command()(query)
app.command()(export)
app.command()(backup)
app.command()(restore)
app.command()(doctor)
app.add_typer(retention, name="retention")
app.command("delete-subject")(delete_subject)
app.add_typer(token, name="token")
app.add_typer(tenant, name="tenant")
app.add_typer(user, name="user")


def run() -> None:
    """Run the command that the arguments name and end the process with its exit code."""
    try:
        app()
    except EventCenterError as error:
        err.print(str(error), markup=False)
        sys.exit(1)
