"""Alarms: one thread for all of them does what is quick at a moment that is seldom reached.

A thread for each question, or even its start, would cost more than most questions take.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Final, Self

_AGAIN_S: Final = 0.05

_log = logging.getLogger(__name__)


class Alarm:
    """Rings at `at`, a moment of the monotonic clock, unless the block that it is entered for has ended.

    `ring` is quick and returns when to ring again, None for never; after an error it rings again soon. It
    never runs once the block has ended.
    """

    def __init__(self, at: float, ring: Callable[[], float | None]) -> None:
        self._at = at
        self._ring = ring
        self._lock = threading.Lock()
        self._over = False

    def __enter__(self) -> Self:
        _watch.add(self, self._at)
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._over = True
        _watch.remove(self)

    def ring(self) -> None:
        """Ring, if it is not over; for the thread that watches."""
        with self._lock:
            if self._over:
                return
            try:
                again = self._ring()
            except Exception:  # noqa: BLE001 the thread is everybody's
                _log.exception("an alarm failed and rings again")
                again = time.monotonic() + _AGAIN_S
            if again is None:
                _watch.remove(self)
            else:
                _watch.add(self, again)


class _Watch:
    """When each alarm rings next, and the thread that waits for the first of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._alarms: dict[Alarm, float] = {}
        self._wakes = math.inf
        """When the thread looks again by itself. It is woken for what is earlier only."""
        self._thread: threading.Thread | None = None

    def add(self, alarm: Alarm, at: float) -> None:
        with self._changed:
            self._alarms[alarm] = at
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="alarms", daemon=True)
                self._thread.start()
            if at < self._wakes:
                self._wakes = at
                self._changed.notify()

    def remove(self, alarm: Alarm) -> None:
        with self._changed:
            self._alarms.pop(alarm, None)

    def _work(self) -> None:
        while True:
            for alarm in self._due():
                alarm.ring()

    def _due(self) -> list[Alarm]:
        """Wait until alarms are to ring; these."""
        with self._changed:
            while True:
                now = time.monotonic()
                due = [alarm for alarm, at in self._alarms.items() if at <= now]
                if due:
                    return due
                self._wakes = min(self._alarms.values(), default=math.inf)
                self._changed.wait(min(self._wakes - now, threading.TIMEOUT_MAX))


_watch = _Watch()
