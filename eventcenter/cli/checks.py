"""What `doctor` looks at: each check is a function from the settings to findings."""

import os
import platform
import shutil
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from eventcenter.cli.addresses import addresses
from eventcenter.clock import Clock, from_micros, rfc3339
from eventcenter.errors import EventCenterError
from eventcenter.settings import Settings
from eventcenter.supervisor import answers, is_free

_READ_BYTES = 16 << 20
_DRIFT = timedelta(seconds=5)
_PRIVATE = 0o077
OLDEST_PYTHON: Final = (3, 11)


class Level(StrEnum):
    """How a finding is meant."""

    GOOD = "good"
    NOTE = "note"
    """Could not be looked at now, and why; nothing is wrong."""
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at: what was found, and what to do about it."""

    level: Level
    about: str
    found: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Patient:
    """What the checks look at. `progress(share)` is called in long ones with what is done, 0 to 1."""

    settings: Settings
    clock: Clock
    progress: Callable[[float], None] = lambda _share: None

    def running(self, process: str) -> bool:
        """Whether that process of Event Center answers at its address."""
        return answers(addresses(self.settings)[process].ready_url)


Check = Callable[[Patient], Iterator[Finding]]


def python(_patient: Patient) -> Iterator[Finding]:
    version = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        yield _bad("Python", f"{version} is too old", "install Python 3.11 or newer and run `make up` again")
    else:
        yield _good("Python", version)


def ports(patient: Patient) -> Iterator[Finding]:
    for place in addresses(patient.settings).values():
        about = f"Port {place.port} ({place.process})"
        if is_free(place.host, place.port):
            yield _good(about, "free")
        elif answers(place.ready_url):
            yield _good(about, "Event Center answers there")
        else:
            yield _bad(
                about,
                "another program listens there, or Event Center, not ready",
                f"wait a moment; stop it, or choose another port: {place.setting}=…",
            )


def data_folder(patient: Patient) -> Iterator[Finding]:
    folder = patient.settings.data_dir.absolute()
    if not folder.is_dir():
        yield Finding(
            level=Level.NOTE,
            about="Data folder",
            found=f"{folder} is not there yet",
            remedy="the first start makes it; if it should be there, set EVENTCENTER_DATA_DIR",
        )
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & _PRIVATE:
        yield Finding(
            level=Level.WARNING,
            about="Data folder",
            found=f"{folder} has mode {mode:04o}: other users of this machine can look in",
            remedy=f"chmod 700 {folder}",
        )
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield _bad("Data folder", f"{folder} is not writable", f"chown -R $(id -un) {folder}")
    else:
        yield _good("Data folder", f"{folder}, mode {mode:04o}")


def disk(patient: Patient) -> Iterator[Finding]:
    folder = _existing(patient.settings.data_dir.absolute())
    free, floor = shutil.disk_usage(folder).free, patient.settings.disk_floor_bytes
    found = f"{_size(free)} free; ingest stops below {_size(floor)}"
    if free < floor:
        yield _bad("Disk", found, "free some space, or move the data folder to a larger disk")
    elif free < 2 * floor:
        yield Finding(level=Level.WARNING, about="Disk", found=found, remedy="free some space soon")
    else:
        yield _good("Disk", found)


def store(patient: Patient) -> Iterator[Finding]:
    from eventcenter.store import Store

    if patient.settings.database_url is None:
        path = patient.settings.data_dir / "store.db"
        if not path.exists():
            yield Finding(
                level=Level.NOTE, about="Store", found="not made yet", remedy="the first start makes it"
            )
            return
        wrong = _integrity(path)
        if wrong is not None:
            yield _bad(
                "Store", f"{path} is damaged: {wrong}", "stop Event Center and restore it from your backup"
            )
            return
        yield _good("Store", "PRAGMA integrity_check finds nothing wrong")
    try:
        Store.open_readonly(patient.settings, clock=patient.clock).close()
    except EventCenterError as error:
        yield _bad("Store's schema", str(error), error.remedy or "")
    else:
        yield _good("Store's schema", "is the one of this version")


def secret_key(patient: Patient) -> Iterator[Finding]:
    from eventcenter.store import Store
    from eventcenter.store.bootstrap import opens_with
    from eventcenter.store.secrets import SecretBox

    chosen = patient.settings
    path = chosen.secret_key_path
    about = "Secret key"
    if chosen.secret_key is None:
        if not path.exists():
            made = chosen.database_url is not None or (chosen.data_dir / "store.db").exists()
            yield (
                _bad(about, f"{path} is missing", "restore it, or set EVENTCENTER_SECRET_KEY")
                if made
                else Finding(
                    level=Level.NOTE, about=about, found="not made yet", remedy="the first start makes it"
                )
            )
            return
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & _PRIVATE:
            yield Finding(
                level=Level.WARNING,
                about=about,
                found=f"{path} has mode {mode:04o}: other users of this machine can read it",
                remedy=f"chmod 600 {path}",
            )
    try:
        with Store.open_readonly(chosen, clock=patient.clock) as opened:
            tied = opens_with(opened, SecretBox(chosen))
    except EventCenterError as error:
        yield _bad(about, str(error), error.remedy or "")
    else:
        yield _good(about, "opens what the store has sealed" if tied else "is there; nothing is sealed yet")


def journal(patient: Patient) -> Iterator[Finding]:
    from eventcenter.journal import JournalReader

    folders = sorted(path for path in patient.settings.journal_dir.glob("*") if path.is_dir())
    if not folders:
        yield Finding(
            level=Level.NOTE, about="Journal", found="empty", remedy="it begins with the first event"
        )
    total = sum(file.stat().st_size for folder in folders for file in folder.glob("*.journal")) or 1
    done = 0
    for folder in folders:
        reader = JournalReader(folder)
        blocks = events = lost = 0
        last: datetime | None = None
        while True:
            found, damages = reader.read(_READ_BYTES)
            lost += sum(damage.end - damage.start for damage in damages)
            if not found and not damages:
                break
            blocks += len(found)
            events += sum(read.block.count for read in found)
            done += sum(len(read.block.payload) for read in found)
            last = from_micros(found[-1].received_at) if found else last
            patient.progress(min(done / total, 1.0))
        about = f"Journal {folder.name}"
        if lost:
            yield _bad(
                about,
                f"{lost} bytes are no whole blocks",
                "keep a copy of the folder; what stands before and behind is loaded, look for a failing disk",
            )
        else:
            yield _good(about, f"{events} events in {blocks} blocks can be read")
        if last is not None and patient.clock.now() < last - _DRIFT:
            yield _clock_is_behind(patient.clock, last, "the journal's last block")


def archives(patient: Patient) -> Iterator[Finding]:
    from eventcenter.archive import Archives, examine

    folder = patient.settings.tenants_dir
    tenants = sorted(path for path in folder.glob("*") if path.is_dir()) if folder.is_dir() else []
    if not tenants:
        yield Finding(
            level=Level.NOTE, about="Archives", found="none yet", remedy="a tenant's first event makes one"
        )
        return
    if patient.running("server"):
        yield Finding(
            level=Level.NOTE,
            about="Archives",
            found="not looked at, because the running server holds them open",
            remedy="stop Event Center and run doctor again to look at them too",
        )
        return
    opened = Archives(folder)
    try:
        for place, path in enumerate(tenants, start=1):
            about = f"Archive {path.name[:8]}"
            try:
                archive = opened.tenant(path.name)
                wrong = list(examine(archive))
                [count] = archive.query("SELECT count(*) AS events FROM events")
                segments = len(archive.layout().segments)
            except Exception as error:  # noqa: BLE001 whatever the engine says about a damaged file
                yield _bad(about, f"{path} cannot be read: {error}", "restore it from your backup")
                continue
            for sentence in wrong:
                yield _bad(about, sentence, "keep a copy of the folder and restore it from your backup")
            if not wrong:
                found = f"{count['events']} events, {segments} segments; counts and checksums are right"
                yield _good(about, found)
            patient.progress(place / len(tenants))
    finally:
        opened.close()


def clock(patient: Patient) -> Iterator[Finding]:
    now = patient.clock.now()
    newest = max(
        (path.stat().st_mtime for path in patient.settings.data_dir.rglob("*") if path.is_file()),
        default=None,
    )
    if newest is not None and now.timestamp() < newest - _DRIFT.total_seconds():
        last = datetime.fromtimestamp(newest, tz=now.tzinfo)
        yield _clock_is_behind(patient.clock, last, "the newest file of the data folder")
    else:
        yield _good("Clock", f"{rfc3339(now.replace(microsecond=0))}, not behind the data")


CHECKS: tuple[Check, ...] = (
    python,
    ports,
    data_folder,
    disk,
    clock,
    store,
    secret_key,
    journal,
    archives,
)


def _clock_is_behind(clock: Clock, last: datetime, what: str) -> Finding:
    return Finding(
        level=Level.WARNING,
        about="Clock",
        found=f"{rfc3339(clock.now())} is behind {what}, of {rfc3339(last)}",
        remedy="set the machine's clock, best by NTP; until then new events are stamped with the later time",
    )


def _good(about: str, found: str) -> Finding:
    return Finding(level=Level.GOOD, about=about, found=found)


def _bad(about: str, found: str, remedy: str) -> Finding:
    return Finding(level=Level.BAD, about=about, found=found, remedy=remedy)


def _integrity(path: Path) -> str | None:
    """What SQLite finds wrong with the file, None if nothing."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            rows = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if rows == ["ok"] else "; ".join(rows)


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB"
