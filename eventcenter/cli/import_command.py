"""`eventcenter import`."""

from pathlib import Path
from typing import Annotated

import typer

from eventcenter import settings


def import_files(
    files: Annotated[
        list[str],
        typer.Argument(
            help="NDJSON or Parquet, NDJSON also as gzip or zstd; of a folder all such in it. May repeat.",
            metavar="FILE",
            show_default=False,
        ),
    ],
    *,
    token: Annotated[
        str, typer.Option(envvar="EVENTCENTER_TOKEN", help="Token with the role writer.", show_default=False)
    ] = "",
    bus: Annotated[
        str | None,
        typer.Option(
            help="Bus that gets the events. Default: `default`; for exported Parquet, the bus of each row.",
            show_default=False,
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="Address of the ingest service. Default: that of the settings.", show_default=False
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until all is archived; also tells how many were duplicates.")
    ] = False,
    rejects: Annotated[
        Path | None, typer.Option(help="File that gets the refused lines.", show_default=False)
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew where an earlier run was interrupted.")
    ] = False,
    connections: Annotated[int, typer.Option(help="Requests at once.", min=1, max=16)] = 2,
) -> None:
    """Bring files of events to a bus, as many as there are and as fast as the service takes them.

    An import that was interrupted goes on where it stopped when the same command is given again. What is
    refused is counted and named, the rest goes in. Exit code: 0 all accepted, 1 some or all not, 2 wrong
    usage.

    For example: eventcenter import events/*.ndjson.zst --bus orders --rejects refused.ndjson
    """
    if not token:
        raise typer.BadParameter(
            "no token; make one with `eventcenter token create --role writer --name import`",
            param_hint="--token or EVENTCENTER_TOKEN",
        )
    # Arrow takes a while to load, which `eventcenter --help` need not wait for.
    from eventcenter.cli.import_run import Order, carry_out

    order = Order(
        files=files,
        token=token,
        bus=bus,
        url=url or settings.load().ingest_url,
        wait=wait,
        rejects=rejects,
        restart=restart,
        connections=connections,
    )
    if not carry_out(order):
        raise typer.Exit(1)
