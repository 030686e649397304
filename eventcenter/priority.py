"""Which threads step back where the processors are short."""

import contextlib
import os
import sys
import threading


def give_way(nice: int, *, thread: int | None = None) -> None:
    """Give a thread, by its native id (default: this one), a low priority, for good.

    On Linux a thread has a priority of its own, which threads that it starts take over; elsewhere nothing
    happens, because the whole process would step back.
    """
    if sys.platform == "linux":
        # A thread that has ended meanwhile is in nobody's way.
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, thread or threading.get_native_id(), nice)


def niceness() -> int:
    """What this thread has given way to others by; 0 where threads cannot."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) if sys.platform == "linux" else 0
