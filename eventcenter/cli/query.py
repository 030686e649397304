"""`eventcenter query`."""

import sys
from enum import Enum
from typing import Annotated, Any

import msgspec
import typer

from eventcenter import settings
from eventcenter.cli import output
from eventcenter.client import Client

_PATIENCE_S = 5.0


class Format(Enum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    ARROW = "arrow"


class _Column(msgspec.Struct):
    name: str


class _Answer(msgspec.Struct):
    columns: list[_Column]
    rows: list[list[msgspec.Raw]]


def query(
    sql: Annotated[str, typer.Argument(help="A SELECT; - reads it from stdin.", metavar="SQL")],
    *,
    token: Annotated[
        str, typer.Option(envvar="EVENTCENTER_TOKEN", help="Token with the role viewer.", show_default=False)
    ] = "",
    format_: Annotated[
        Format, typer.Option("--format", help="table, json, csv or arrow (a stream).", show_default=False)
    ] = Format.TABLE,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--param", help="Value of $NAME as NAME=VALUE, JSON or text; may repeat."),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Most rows.", show_default=False)] = None,
    url: Annotated[
        str | None,
        typer.Option(help="Address of the API. Default: that of the settings.", show_default=False),
    ] = None,
) -> None:
    """Ask in SQL about events, rejects, origins and deliveries; docs/sql.md describes the tables.

    For example: eventcenter query "SELECT type, count(*) AS n FROM events GROUP BY type ORDER BY n DESC"
    """
    if not token:
        raise typer.BadParameter(
            "no token; make one with `eventcenter token create --role viewer --name query`",
            param_hint="--token or EVENTCENTER_TOKEN",
        )
    chosen = settings.load()
    client = Client(url or chosen.api_url, token, timeout_s=chosen.query_timeout_s + _PATIENCE_S)
    wanted = Format.JSON if format_ is Format.TABLE else format_
    try:
        body, truncated = client.query(
            sys.stdin.read() if sql == "-" else sql,
            dict(map(_parameter, parameter or ())),
            limit=limit,
            format_=wanted.value,
        )
    finally:
        client.close()
    if format_ is Format.TABLE:
        answer = msgspec.json.decode(body, type=_Answer)
        rows = [[_shown(bytes(value)) for value in row] for row in answer.rows]
        output.table([column.name for column in answer.columns], rows, empty="No rows.")
    else:
        sys.stdout.buffer.write(body if format_ is not Format.JSON else body + b"\n")
        sys.stdout.buffer.flush()
    if truncated:
        output.err.print("There are more rows; --limit asks for more.")


def _parameter(text: str) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--param")
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value


def _shown(value: bytes) -> str:
    """A value as a line of a terminal shows it: texts as they are but for what cannot be seen."""
    if value == b"null":
        return ""
    text = msgspec.json.decode(value) if value.startswith(b'"') else value.decode()
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
