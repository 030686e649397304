"""Brings a backup back into an empty data folder."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eventcenter.archive import Archives
from eventcenter.backup import contents
from eventcenter.backup.contents import Contents
from eventcenter.durable import sync
from eventcenter.errors import Conflict
from eventcenter.settings import Settings

_UNFINISHED: Final = ".restoring"


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What came back."""

    files: int
    bytes: int
    archives: int
    events: int
    """In the archives; what stands in the journal comes when Event Center starts."""


def restore(
    folder: Path, settings: Settings, *, progress: Callable[[float], None] = lambda _: None
) -> Restored:
    """Restore the backup in `folder` into the settings' data folder, which must be empty or missing.

    Every file's checksum and every archive's counts are verified before the data folder takes its name, so
    it holds all of the backup or nothing. Raises InvalidInput, Conflict.
    """
    found = contents.read(folder)
    target = settings.data_dir
    if target.exists() and any(target.iterdir()):
        raise Conflict(
            "There is data already.",
            value=target.absolute(),
            rule="a backup is restored into an empty data folder",
            remedy="stop Event Center and move the folder away, or set EVENTCENTER_DATA_DIR to another one",
        )
    made = target.with_name(target.name + _UNFINISHED)
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True, mode=0o700)
    try:
        _copy(folder, made, found, lambda share: progress(0.8 * share))
        _rename_journals(made, found)
        _check_archives(made / "tenants", found, lambda share: progress(0.8 + 0.2 * share))
        if target.exists():
            target.rmdir()
        made.rename(target)
        sync(target.absolute().parent)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return Restored(
        files=len(found.files),
        bytes=sum(entry.bytes for entry in found.files.values()),
        archives=len(found.archives),
        events=sum(entry.events for entry in found.archives.values()),
    )


def _copy(folder: Path, made: Path, found: Contents, progress: Callable[[float], None]) -> None:
    for done, (name, entry) in enumerate(found.files.items()):
        source = folder / name
        if not source.resolve().is_relative_to(folder.resolve()):
            raise _damaged(source, "it lies outside of the backup")
        try:
            contents.copy(source, made / name)
        except FileNotFoundError:
            raise _damaged(source, "it is missing") from None
        if contents.digest(made / name) != entry:
            raise _damaged(source, "its bytes are not those that were written")
        progress((done + 1) / len(found.files))


def _rename_journals(made: Path, found: Contents) -> None:
    """Keep the copied journals apart from those that services write from now on.

    An archive may have been copied after it had loaded more than the copied journal holds. A writer that
    went on in that journal would write at places that count as loaded.
    """
    stamp = "".join(filter(str.isalnum, found.created_at.split(".")[0])).lower()
    for path in sorted((made / "journal").glob("*")):
        path.rename(path.with_name(f"{path.name}-of-{stamp}"))


def _check_archives(folder: Path, found: Contents, progress: Callable[[float], None]) -> None:
    with _opened(folder) as archives:
        for done, (tenant, entry) in enumerate(found.archives.items()):
            with archives.tenant(tenant).reader() as reader:
                [counted] = reader.rows("SELECT count(*) AS events FROM events")
                if (counted["events"], reader.last_seq) != (entry.events, entry.last_seq):
                    raise _damaged(
                        folder / tenant,
                        f"it holds {counted['events']} events up to seq {reader.last_seq}, the backup says"
                        f" {entry.events} up to {entry.last_seq}",
                    )
            progress((done + 1) / len(found.archives))


@contextmanager
def _opened(folder: Path) -> Iterator[Archives]:
    archives = Archives(folder)
    try:
        yield archives
    finally:
        archives.close()


def _damaged(path: Path, what: str) -> Conflict:
    return Conflict(
        "The backup is damaged; nothing was restored.",
        value=f"{path}: {what}",
        rule="every file is as backup.json says",
        remedy="use another backup, or another copy of this one",
    )
