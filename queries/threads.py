"""Threads that are kept for the next task, unless a task has lowered their priority, which is for good."""

import threading
from collections.abc import Callable
from queue import SimpleQueue

from eventcenter.priority import niceness

Task = Callable[[], None]


class Threads:
    """As many threads as there were tasks at once, at most; who gives the tasks bounds them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._idle = 0
        self._closed = False

    def run(self, task: Task) -> None:
        """Begin `task`, which raises nothing, at once."""
        with self._lock:
            waits = self._idle > 0
            if waits:
                self._idle -= 1
        if waits:
            self._tasks.put(task)
        else:
            threading.Thread(target=self._work, args=(task,), name=self._name, daemon=True).start()

    def close(self) -> None:
        """Let the idle threads end; further tasks get threads of their own."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, 0
        for _ in range(idle):
            self._tasks.put(None)

    def _work(self, first: Task) -> None:
        usual = niceness()
        task: Task | None = first
        while task is not None:
            task()
            # Not to be kept alive until the next one.
            task = None
            if niceness() != usual:
                return
            with self._lock:
                if self._closed:
                    return
                self._idle += 1
            task = self._tasks.get()
