"""Waiting for what another thread or process does, with an end."""

import threading
import time
from collections.abc import Callable


def until(condition: Callable[[], bool], *, seconds: float = 15) -> None:
    """Look fifty times a second until the condition holds; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        threading.Event().wait(0.02)
