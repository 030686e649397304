"""A bound on wrong passwords per name, kept in memory."""

import threading
from collections import OrderedDict, deque
from datetime import datetime, timedelta

from eventcenter.clock import Clock
from eventcenter.errors import Busy

MOST_FAILURES = 10
WINDOW = timedelta(minutes=5)
_MOST_NAMES = 10_000


class Throttle:
    """At most ten wrong passwords for a name in five minutes, whether the name exists or not.

    An attempt counts from its beginning, so that many at once do not slip through; a right password forgives.
    """

    def __init__(self, clock: Clock, *, most: int = MOST_FAILURES, window: timedelta = WINDOW) -> None:
        self._clock = clock
        self._most = most
        self._window = window
        self._lock = threading.Lock()
        self._attempts: OrderedDict[str, deque[datetime]] = OrderedDict()

    def attempt(self, name: str) -> None:
        """Count an attempt. Raises Busy with the seconds to wait when there were too many."""
        now = self._clock.now()
        with self._lock:
            attempts = self._attempts.setdefault(name, deque())
            self._attempts.move_to_end(name)
            while attempts and now - attempts[0] >= self._window:
                attempts.popleft()
            if len(attempts) >= self._most:
                wait = self._window - (now - attempts[0])
                raise Busy(
                    "Too many wrong passwords for this name.",
                    retry_after=max(1, int(wait.total_seconds()) + 1),
                    rule=f"{self._most} in {int(self._window.total_seconds()) // 60} minutes at most",
                    remedy="wait, or sign in by a one-time link, which is not bounded",
                )
            attempts.append(now)
            while len(self._attempts) > _MOST_NAMES:
                self._attempts.popitem(last=False)

    def forgive(self, name: str) -> None:
        """Forget the attempts of a name: its password was right."""
        with self._lock:
            self._attempts.pop(name, None)
