"""`backup.json`: what a backup holds."""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from eventcenter.durable import sync
from eventcenter.errors import Conflict, InvalidInput

FORMAT: Final = 1
FILE: Final = "backup.json"
_READ_BYTES: Final = 4 << 20


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One file."""

    bytes: int
    sha256: str


class ArchiveEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant's archive."""

    events: int
    last_seq: int


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """All of a backup."""

    format: int
    product: str
    """Version of the program that made it."""
    created_at: str
    """RFC 3339, UTC."""
    files: Mapping[str, FileEntry]
    """By path below the backup's folder, with slashes."""
    archives: Mapping[str, ArchiveEntry]
    """By the tenant's id."""


def read(folder: Path) -> Contents:
    """The contents of the backup in `folder`. Raises InvalidInput where there is none, Conflict."""
    path = folder / FILE
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Contents)
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidInput(
            "This is not a backup.",
            value=folder,
            rule=f"a backup is a folder with a readable {FILE}; an unfinished one has none",
            remedy="name the folder that `eventcenter backup` printed",
        ) from error
    if found.format != FORMAT:
        raise Conflict(
            "The backup was made by another version of Event Center.",
            value=f"format {found.format}",
            rule=f"this program reads format {FORMAT}",
            remedy="restore it with the version that made it, or a newer one",
        )
    return found


def write(folder: Path, contents: Contents) -> None:
    """Write `backup.json`, durably; the last thing that a backup gets."""
    path = folder / FILE
    path.write_bytes(msgspec.json.format(msgspec.json.encode(contents)))
    sync(path)


def digest(path: Path) -> FileEntry:
    """A file's size and checksum."""
    summed = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while data := file.read(_READ_BYTES):
            summed.update(data)
            size += len(data)
    return FileEntry(bytes=size, sha256=summed.hexdigest())


def copy(source: Path, target: Path) -> None:
    """Copy a file, durably, for the owner's eyes only. Raises FileNotFoundError."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(source, target)
    target.chmod(0o600)
    sync(target)
