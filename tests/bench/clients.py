"""Client processes that begin together, so that the load generator's work is on the same processors."""

import multiprocessing
import queue
from collections.abc import Callable, Sequence
from typing import Any

_PATIENCE_S = 300.0


class Clients:
    """One process for each list of arguments, which calls `target(*arguments, begin, answers)`.

    It makes itself ready, waits at the barrier `begin`, works, and puts one answer on the queue `answers`.
    """

    def __init__(self, target: Callable[..., None], arguments: Sequence[tuple[object, ...]]) -> None:
        context = multiprocessing.get_context("spawn")
        self._begin = context.Barrier(len(arguments) + 1)
        self._answers = context.Queue()
        self._processes = [
            context.Process(target=target, args=(*each, self._begin, self._answers), daemon=True)
            for each in arguments
        ]
        for process in self._processes:
            process.start()

    def begin(self) -> None:
        """Let them begin, once all are ready."""
        self._begin.wait(_PATIENCE_S)

    def answers(self) -> list[Any]:
        """What they answered, when all have. Fails where one ended without."""
        found: list[Any] = []
        while len(found) < len(self._processes):
            try:
                found.append(self._answers.get(timeout=1))
            except queue.Empty:
                codes = [process.exitcode for process in self._processes]
                assert not any(codes), f"clients ended with {codes}"
        for process in self._processes:
            process.join()
        return found
