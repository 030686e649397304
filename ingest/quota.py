"""How many bytes of rejects are kept per tenant and hour: a broken sender must not fill the disk."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_WINDOW_S = 3600.0


@dataclass(slots=True)
class _Window:
    started: float
    left: int


class RejectQuota:
    """Bytes left per tenant in its present hour, which begins with its first reject. Thread-safe."""

    def __init__(self, limit: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._monotonic = monotonic
        self._windows: dict[str, _Window] = {}
        self._mutex = threading.Lock()

    def take(self, tenant: str, size: int) -> bool:
        """Whether `size` more bytes may be kept; if so they are counted."""
        now = self._monotonic()
        with self._mutex:
            window = self._windows.get(tenant)
            if window is None or now - window.started >= _WINDOW_S:
                window = self._windows[tenant] = _Window(now, self._limit)
            if size > window.left:
                return False
            window.left -= size
            return True
