"""Makes backups, beside everything else that the server does."""

import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import structlog

import eventcenter
from eventcenter.archive import Archives
from eventcenter.backup import contents
from eventcenter.backup.contents import ArchiveEntry, Contents
from eventcenter.clock import Clock, rfc3339
from eventcenter.durable import sync
from eventcenter.errors import Conflict, EventCenterError, InvalidInput, NotFound, StorageFull
from eventcenter.settings import Settings
from eventcenter.store import copy_database

_log = structlog.get_logger("backup")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_UNFINISHED: Final = ".partial"
State = Literal["running", "done", "failed"]


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A backup, made or being made."""

    name: str
    state: State
    share: float
    """What is done of it, 0 to 1."""
    started_at: datetime
    bytes: int = 0
    events: int = 0
    error: str | None = None


class Backups:
    """Makes one backup at a time, below the settings' backup folder. Thread-safe."""

    def __init__(self, archives: Archives, settings: Settings, clock: Clock) -> None:
        self._archives = archives
        self._settings = settings
        self._clock = clock
        self._mutex = threading.Lock()
        self._made: dict[str, Backup] = {}
        self._thread: threading.Thread | None = None

    def start(self, name: str | None = None) -> Backup:
        """Begin a backup in the background. Raises InvalidInput, Conflict where one runs or is there."""
        with self._mutex:
            if self._thread is not None and self._thread.is_alive():
                raise Conflict(
                    "A backup is being made.", rule="one at a time", remedy="wait until it is done"
                )
            name = self._checked(name)
            self._made[name] = Backup(name=name, state="running", share=0.0, started_at=self._clock.now())
            self._thread = threading.Thread(target=self._run, args=(name,), name="backup", daemon=True)
            self._thread.start()
            return self._made[name]

    def get(self, name: str) -> Backup:
        """A backup that was begun since the start. Raises NotFound."""
        found = self._made.get(name)
        if found is None:
            raise NotFound(
                "There is no such backup.",
                value=name,
                rule="the name is that of a backup begun since the server started",
                remedy="older ones are folders in the backup folder",
            )
        return found

    def make(self, name: str | None = None, *, progress: Callable[[float], None] = lambda _: None) -> Path:
        """Make a backup now; its folder. For a program that has the archives to itself."""
        return self._make(self._checked(name), progress)[0]

    def close(self) -> None:
        """Wait for a backup that is being made."""
        if self._thread is not None:
            self._thread.join()

    def _checked(self, name: str | None) -> str:
        name = name or self._clock.now().strftime("%Y-%m-%dT%H%M%SZ")
        if _NAME.fullmatch(name) is None or name.endswith(_UNFINISHED):
            raise InvalidInput(
                "The name of a backup cannot be used.",
                value=name,
                rule="1 to 100 letters, digits, dots, dashes and underscores; it names a folder",
                remedy="choose another name, or none: then it is the time",
            )
        if (self._settings.backups_folder / name).exists():
            raise Conflict(
                "There is a backup of that name.",
                value=self._settings.backups_folder / name,
                remedy="choose another name, or remove the folder",
            )
        return name

    def _run(self, name: str) -> None:
        def progress(share: float) -> None:
            self._made[name] = replace(self._made[name], share=share)

        try:
            _, made = self._make(name, progress)
        except Exception as error:  # noqa: BLE001 whatever it is, the server goes on and says it
            _log.exception("a backup failed", backup=name)
            told = str(error) if isinstance(error, EventCenterError) else "see the server's log"
            self._made[name] = replace(self._made[name], state="failed", error=told)
            return
        self._made[name] = replace(
            self._made[name],
            state="done",
            share=1.0,
            bytes=sum(entry.bytes for entry in made.files.values()),
            events=sum(entry.events for entry in made.archives.values()),
        )

    def _make(self, name: str, progress: Callable[[float], None]) -> tuple[Path, Contents]:
        final = self._settings.backups_folder / name
        folder = final.with_name(name + _UNFINISHED)
        shutil.rmtree(folder, ignore_errors=True)
        self._settings.backups_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(mode=0o700)
        try:
            self._check_room()
            created_at = rfc3339(self._clock.now())
            self._copy_journal(folder)
            copy_database(self._settings, folder / "store.db")
            progress(0.1)
            archives = self._copy_archives(folder, lambda share: progress(0.1 + 0.7 * share))
            paths = sorted(path for path in folder.rglob("*") if path.is_file())
            files = {}
            for done, path in enumerate(paths):
                files[path.relative_to(folder).as_posix()] = contents.digest(path)
                progress(0.8 + 0.2 * done / len(paths))
            made = Contents(
                format=contents.FORMAT,
                product=eventcenter.__version__,
                created_at=created_at,
                files=files,
                archives=archives,
            )
            contents.write(folder, made)
            folder.rename(final)
            sync(final.parent)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return final, made

    def _check_room(self) -> None:
        data = self._settings.data_dir
        needed = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
        free = shutil.disk_usage(self._settings.backups_folder).free
        if free < needed + self._settings.disk_floor_bytes:
            raise StorageFull(
                "There is not enough room for a backup.",
                value=f"{free >> 20} MiB free",
                rule=f"the data is {needed >> 20} MiB, and the disk's floor must stay free",
                remedy="free some space, or let EVENTCENTER_BACKUPS_DIR name a folder on another disk",
            )

    def _copy_journal(self, folder: Path) -> None:
        journal = self._settings.journal_dir
        for path in sorted(journal.glob("*/id")) + sorted(journal.glob("*/*.journal")):
            try:
                contents.copy(path, folder / "journal" / path.relative_to(journal))
            except FileNotFoundError:
                # All of it has come into the archives, which are copied next.
                continue

    def _copy_archives(self, folder: Path, progress: Callable[[float], None]) -> dict[str, ArchiveEntry]:
        tenants = sorted(path.name for path in self._settings.tenants_dir.glob("*") if path.is_dir())
        made = {}
        for done, tenant in enumerate(tenants):
            copied = self._archives.tenant(tenant).copy_to(folder / "tenants" / tenant)
            made[tenant] = ArchiveEntry(events=copied.events, last_seq=copied.last_seq)
            progress((done + 1) / len(tenants))
        return made
