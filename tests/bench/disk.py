"""Bytes of a data folder, by what they are for."""

from collections.abc import Mapping
from pathlib import Path

_PARTS: Mapping[str, tuple[str, ...]] = {
    "main": ("tenants/*/*.duckdb", "tenants/*/*.wal"),
    "segments": ("tenants/*/segments/*.duckdb",),
    "indexes": ("tenants/*/segments/*.index",),
    "journal": ("journal/**/*",),
    "store": ("store.db*",),
}
OTHER = "other"


def by_part(folder: Path) -> dict[str, int]:
    """Allocated bytes of each part of the data folder; `other` is what belongs to none."""
    found = {
        name: {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
        for name, patterns in _PARTS.items()
    }
    found[OTHER] = {path for path in folder.rglob("*") if path.is_file()}.difference(*found.values())
    return {name: sum(_bytes(path) for path in paths) for name, paths in found.items()}


def _bytes(path: Path) -> int:
    # A file may be larger than what it takes on disk.
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0
    return min(found.st_size, found.st_blocks * 512)
