"""How the C library keeps memory that is freed."""

import ctypes
import sys

_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_KEPT_BYTES = 128 << 20
_LONGEST_BYTES = 32 << 20
"""The most that glibc allows."""


def keep_freed_memory() -> None:
    """Keep freed blocks for the next ones, instead of giving each back to the system at once.

    Bodies, batches and the engine's blocks come and go hundreds of times a second, and the system clears
    every page that it gives anew. With glibc only; see mallopt(3). Nothing happens elsewhere.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LONGEST_BYTES)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
