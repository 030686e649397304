"""The door to the scan: a body in, lines and the events that the exact check is to decide out.

The scan takes a second to load from the cache on disk (`python -m ingest.validation.scan` puts it there), and
much longer to compile without that; and it takes memory. So only a process that asks for it by `load` has it.
Until then, and where numba cannot be imported, events are checked one by one.
"""

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Final

from ingest.validation.limits import Limits
from ingest.validation.scan import places
from ingest.validation.scanned import Body, Scanned

ARRAY: Final = places.ARRAY
LINES: Final = places.LINES
ONE: Final = places.ONE


class _Loaded:
    """The module that scans, once somebody has loaded it."""

    module: ModuleType | None = None


def is_possible() -> bool:
    """Whether numba is there."""
    return importlib.util.find_spec("numba") is not None


def is_compiled() -> bool:
    """Whether the cache on disk seems to hold what the source says: False is no proof that it does not."""
    folder = Path(places.__file__).parent
    built = [file.stat().st_mtime for file in folder.glob("__pycache__/body.*.nbi")]
    return bool(built) and max(built) >= max(file.stat().st_mtime for file in folder.glob("*.py"))


def load() -> None:
    """Make `scan` work in this process. Raises ImportError where numba is missing."""
    _Loaded.module = importlib.import_module("ingest.validation.scan.room")


def room(size: int) -> memoryview:
    """Memory of `size` bytes for this thread's next body, which `scan` then need not copy."""
    if _Loaded.module is None:
        return memoryview(bytearray(size))
    memory: memoryview = _Loaded.module.room(size)
    return memory


def scan(body: Body, form: int, limits: Limits) -> Scanned | None:
    """The body's events, in the form `LINES`, `ARRAY` or `ONE`.

    None where the scan is not loaded, or the body has more events than it may, or is an array whose elements
    cannot be told apart for sure.
    """
    if _Loaded.module is None:
        return None
    scanned: Scanned | None = _Loaded.module.scan_body(body, form, limits)
    return scanned
