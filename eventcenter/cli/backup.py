"""`eventcenter backup` and `eventcenter restore`."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from eventcenter import settings
from eventcenter.cli.addresses import addresses
from eventcenter.cli.output import err, out
from eventcenter.clock import SystemClock
from eventcenter.errors import Conflict, Unavailable
from eventcenter.settings import Settings
from eventcenter.supervisor import answers

_LOOK_AGAIN_S: Final = 0.2


def backup(
    name: Annotated[
        str | None, typer.Argument(help="Name of the backup's folder. Default: the time.", show_default=False)
    ] = None,
) -> None:
    """Back up everything, while Event Center runs or not, and print the backup's folder.

    Backups are made below EVENTCENTER_BACKUPS_DIR. The secret key, which lies beside the data folder, is not
    in it: keep a copy of it elsewhere. A PostgreSQL store is backed up by its own tools.
    """
    chosen = settings.load()
    with _progress("backing up") as progress:
        folder = _ask_server(chosen, name, progress) if _runs(chosen) else _make(chosen, name, progress)
    typer.echo(str(folder))


def restore(
    folder: Annotated[Path, typer.Argument(help="The backup's folder.", exists=True, file_okay=False)],
) -> None:
    """Restore a backup into the empty data folder; every checksum and count is verified first.

    Event Center must not run. Exit code: 0 restored, 1 not, and then nothing was changed.
    """
    from eventcenter.backup import restore as bring_back

    chosen = settings.load()
    if _runs(chosen):
        raise Conflict(
            "Event Center is running.",
            value=addresses(chosen)["server"].ready_url,
            rule="a backup is restored while nothing uses the data folder",
            remedy="stop it first",
        )
    with _progress("restoring") as progress:
        done = bring_back(folder, chosen, progress=progress)
    out.print(
        f"Restored {done.events} events of {done.archives} tenants, {done.files} files,"
        f" {done.bytes >> 20} MiB; all checksums and counts are right.",
        markup=False,
    )
    if chosen.secret_key is None and not chosen.secret_key_path.exists():
        err.print(
            f"The secret key is missing: put {chosen.secret_key_path} back before you start, or robots'"
            " secrets cannot be read.",
            markup=False,
        )


def _runs(chosen: Settings) -> bool:
    return answers(addresses(chosen)["server"].ready_url)


def _make(chosen: Settings, name: str | None, progress: Callable[[float], None]) -> Path:
    from eventcenter.archive import Archives
    from eventcenter.backup import Backups
    from eventcenter.cli import local

    with local.opened():
        archives = Archives(chosen.tenants_dir)
        try:
            return Backups(archives, chosen, SystemClock()).make(name, progress=progress)
        finally:
            archives.close()


def _ask_server(chosen: Settings, name: str | None, progress: Callable[[float], None]) -> Path:
    """Let the running server, which has the archives open, make it; by a token for that long."""
    from eventcenter.cli import local
    from eventcenter.client import Client

    me = local.Principal.local()
    with local.opened() as (_, store, accounts):
        ends = store.clock.now() + timedelta(days=1)
        made = accounts.tokens.create_operator(me, name="backup", expires_at=ends)
        client = Client(chosen.api_url, made.token)
        try:
            begun = client.start_backup(name)
            while begun.state == "running":
                time.sleep(_LOOK_AGAIN_S)
                begun = client.backup(begun.name)
                progress(begun.share)
        finally:
            client.close()
            accounts.tokens.revoke_operator(me, made.id)
    if begun.state == "failed":
        raise Unavailable("The backup failed.", value=begun.name, remedy=begun.error)
    return chosen.backups_folder / begun.name


@contextmanager
def _progress(what: str) -> Iterator[Callable[[float], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as shown:
        task = shown.add_task(what, total=1.0)
        yield lambda share: shown.update(task, completed=share)
