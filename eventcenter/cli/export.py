"""`eventcenter export`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from eventcenter import settings
from eventcenter.cli.output import err
from eventcenter.errors import Conflict, InvalidInput


def export(
    file: Annotated[Path, typer.Argument(help="The Parquet file to make.")],
    *,
    token: Annotated[
        str, typer.Option(envvar="EVENTCENTER_TOKEN", help="Token with the role viewer.", show_default=False)
    ] = "",
    url: Annotated[
        str | None,
        typer.Option(help="Address of the API. Default: that of the settings.", show_default=False),
    ] = None,
    bus: Annotated[list[str] | None, typer.Option(help="Only of this bus; may repeat.")] = None,
    type_: Annotated[list[str] | None, typer.Option("--type", help="Only of this type; may repeat.")] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="Received at this moment or later (RFC 3339).")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Received before this moment (RFC 3339).")] = None,
) -> None:
    """Export events as one Parquet file, which `eventcenter import` takes back.

    Everything comes as it was sent. Without options all of the tenant's events are exported.
    """
    from eventcenter.client import Client, EventFilter

    if file.exists():
        raise Conflict("The file is there already.", value=file, remedy="name another one, or remove it")
    which = EventFilter(
        bus=tuple(bus or ()), type=tuple(type_ or ()), from_=_moment("--from", from_), to=_moment("--to", to)
    )
    client = Client(url or settings.load().api_url, token or None)
    unfinished = file.with_name(file.name + ".partial")
    columns = (TextColumn("exporting"), DownloadColumn(), TransferSpeedColumn())
    try:
        with (
            unfinished.open("wb") as made,
            Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as shown,
        ):
            task = shown.add_task("", total=None)
            for part in client.export(which):
                made.write(part)
                shown.update(task, advance=len(part))
        unfinished.rename(file)
    finally:
        unfinished.unlink(missing_ok=True)
        client.close()
    err.print(f"{file}: {file.stat().st_size} bytes", markup=False)


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{option} is no moment.",
            value=text,
            rule="RFC 3339, such as 2026-11-01T00:00:00Z",
            remedy="correct it; without an offset it is taken for UTC",
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
