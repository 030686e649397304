"""Which files are meant, and what each one is."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from eventcenter.errors import InvalidInput

_KNOWN = (".ndjson", ".jsonl", ".json", ".parquet")
_PACKED = (".gz", ".zst")
_ARRAY = b"["
_BOM = b"\xef\xbb\xbf"
_LOOKED_AT = 4096


class Kind(Enum):
    """What a file is by its first bytes; its name does not matter."""

    TEXT = "text"
    GZIP = "gzip"
    ZSTD = "zstd"
    PARQUET = "parquet"


_MAGIC = {b"\x1f\x8b": Kind.GZIP, b"\x28\xb5\x2f\xfd": Kind.ZSTD, b"PAR1": Kind.PARQUET}


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file to import."""

    path: Path
    kind: Kind
    size: int
    """Bytes on disk."""
    modified_ns: int


def sources(names: Iterable[str]) -> list[Source]:
    """The files of these names in their order; of a folder, all in it that end like events, by name.

    Raises InvalidInput for what cannot be read, and for a folder without such files.
    """
    paths: list[Path] = []
    for name in names:
        path = Path(name)
        paths += _of_folder(path) if path.is_dir() else [path]
    return [source(path) for path in dict.fromkeys(paths)]


def source(path: Path) -> Source:
    """Look at a file. Raises InvalidInput where it cannot be read, or holds a JSON array."""
    try:
        with path.open("rb") as file:
            begin = file.read(_LOOKED_AT)
            found = os.fstat(file.fileno())
            if not file.seekable() or not path.is_file():
                raise InvalidInput(
                    "this is no file that can be read again",
                    value=path,
                    rule="an import can go on where it stopped, so it needs files",
                    remedy="write it to a file, or pipe it to `eventcenter send -`",
                )
    except OSError as error:
        raise InvalidInput(
            f"cannot read the file: {error.strerror}",
            value=path,
            remedy="name files or folders that are there; to read stdin, use `eventcenter send -`",
        ) from error
    kind = next((kind for magic, kind in _MAGIC.items() if begin.startswith(magic)), Kind.TEXT)
    if kind is Kind.TEXT and begin.removeprefix(_BOM).lstrip().startswith(_ARRAY):
        raise InvalidInput(
            "this file is one JSON array",
            value=path,
            rule="import reads NDJSON: one event a line",
            remedy="`eventcenter send FILE` takes an array; `jq -c '.[]'` makes lines of a large one",
        )
    return Source(path=path, kind=kind, size=found.st_size, modified_ns=found.st_mtime_ns)


def _of_folder(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file() and _is_meant(path.name))
    if not found:
        raise InvalidInput(
            "the folder holds no events",
            value=folder,
            rule=f"of a folder, files are read that end in {', '.join(_KNOWN)}, and these with .gz or .zst",
            remedy="name the files themselves; then their endings do not matter",
        )
    return found


def _is_meant(name: str) -> bool:
    plain = name.lower()
    if plain.startswith("."):
        return False
    for packed in _PACKED:
        plain = plain.removesuffix(packed)
    return plain.endswith(_KNOWN)
