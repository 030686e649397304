"""`eventcenter send`."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from eventcenter import settings
from eventcenter.cli.events import batches, build_event, read_events
from eventcenter.cli.output import err
from eventcenter.errors import InvalidInput
from eventcenter.sender import Receipt, Sender

_SHOWN = 20


def send(
    file: Annotated[
        str | None,
        typer.Argument(
            help="CloudEvents as NDJSON, as a JSON array or as one JSON object; - reads stdin.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    *,
    token: Annotated[
        str, typer.Option(envvar="EVENTCENTER_TOKEN", help="Token with the role writer.", show_default=False)
    ] = "",
    bus: Annotated[str, typer.Option(help="Bus that gets the events.")] = "default",
    url: Annotated[
        str | None,
        typer.Option(
            help="Address of the ingest service. Default: that of the settings.", show_default=False
        ),
    ] = None,
    type_: Annotated[
        str | None, typer.Option("--type", help="Instead of FILE: send one event of this type.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Source of that event.")] = None,
    subject: Annotated[str | None, typer.Option(help="Subject of that event.")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Id of that event. Default: a new one.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Data of that event: JSON or text, or @FILE for a file's bytes.")
    ] = None,
    content_type: Annotated[
        str | None, typer.Option(help="Media type of the data. Default: JSON if it is, else plain text.")
    ] = None,
    extension: Annotated[
        list[str] | None, typer.Option("--ext", help="Extension attribute NAME=VALUE; may repeat.")
    ] = None,
) -> None:
    """Send events to a bus: a file of them, or one made from options.

    What may not have arrived (the service is busy or restarts) is sent again; the events' ids make that safe.
    Exit code: 0 all accepted, 1 some or all not, 2 wrong usage.

    For example: eventcenter send events.ndjson --bus orders

    Or: eventcenter send --type com.example.order.paid --source /shop --data '{"order": 7, "total": 19.90}'
    """
    if (file is None) == (type_ is None):
        raise typer.BadParameter("give either FILE, or --type and --source for one event")
    if not token:
        raise typer.BadParameter(
            "no token; make one with `eventcenter token create --role writer --name send`",
            param_hint="--token or EVENTCENTER_TOKEN",
        )
    address = url or settings.load().ingest_url
    with Sender(address, bus=bus, token=token) as sender:
        if file is not None:
            ok = _send_file(sender, file)
        else:
            attributes = {
                "type": type_,
                "source": source,
                "subject": subject,
                "id": id_,
                "datacontenttype": content_type,
                **_extensions(extension or []),
            }
            message = build_event({k: v for k, v in attributes.items() if v is not None}, _data(data))
            ok = _report(sender.send_binary(message.headers, message.body))
    if not ok:
        raise typer.Exit(1)


def _send_file(sender: Sender, name: str) -> bool:
    accepted = refused = 0
    with _open(name) as file, _progress() as progress:
        total = None if name == "-" else Path(name).stat().st_size
        task: TaskID = progress.add_task("sending", total=total)
        for batch in batches(read_events(file)):
            receipt = sender.send_lines([event.text for event in batch])
            accepted += receipt.accepted
            for refusal in receipt.rejected:
                refused += 1
                if refused <= _SHOWN:
                    err.print(f"event {batch[refusal.index].place}: {refusal.error}", markup=False)
            progress.update(task, completed=batch[-1].read)
    if refused > _SHOWN:
        err.print(f"… and {refused - _SHOWN} more; the page Rejects shows them all", markup=False)
    typer.echo(f"{accepted} accepted, {refused} rejected")
    return refused == 0


def _report(receipt: Receipt) -> bool:
    for refusal in receipt.rejected:
        err.print(refusal.error, markup=False)
    typer.echo(f"{receipt.accepted} accepted, {len(receipt.rejected)} rejected")
    return not receipt.rejected


def _progress() -> Progress:
    """A bar for people; nothing where stderr is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )


def _open(name: str) -> "BinaryIO | nullcontext[BinaryIO]":
    if name == "-":
        return nullcontext(sys.stdin.buffer)
    return _reading(Path(name))


def _reading(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InvalidInput(
            f"cannot read the file: {error.strerror}",
            value=path,
            remedy="name a file that is there, or - for stdin",
        ) from error


def _data(text: str | None) -> bytes | None:
    if text is None:
        return None
    if text.startswith("@"):
        with _reading(Path(text[1:])) as file:
            return file.read()
    return text.encode()


def _extensions(given: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals:
            raise typer.BadParameter(f"{item!r} is not NAME=VALUE", param_hint="--ext")
        found[name] = value
    return found
