"""Who takes messages in tests: durable at once, when told to, or never."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from ingest.bindings.rocketmq import Message


class Inbox:
    """`store` and `reject` of a consumer."""

    def __init__(self) -> None:
        self.batches: list[list[Message]] = []
        self.rejected: list[tuple[Message, str]] = []
        self.refusals: list[Exception] = []
        """Raised by the next calls of `store`, first first."""
        self.failures: list[Exception] = []
        """What the next futures end with."""
        self.held: list[Future[None]] | None = None
        """Where it is a list, futures go there, and the test ends them."""
        self.first_at: float | None = None
        self._lock = threading.Lock()

    @property
    def messages(self) -> list[Message]:
        return [message for batch in self.batches for message in batch]

    @property
    def bodies(self) -> list[bytes]:
        return [message.body for message in self.messages]

    def store(self, messages: Sequence[Message]) -> Future[None]:
        with self._lock:
            if self.refusals:
                raise self.refusals.pop(0)
            future: Future[None] = Future()
            if self.failures:
                future.set_exception(self.failures.pop(0))
                return future
            self.batches.append(list(messages))
            if self.first_at is None:
                self.first_at = time.monotonic()
            if self.held is None:
                future.set_result(None)
            else:
                self.held.append(future)
            return future

    def reject(self, message: Message, why: str) -> Future[None]:
        future: Future[None] = Future()
        self.rejected.append((message, why))
        future.set_result(None)
        return future


def wait(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Until the condition holds."""
    until = time.monotonic() + timeout_s
    waiting = threading.Event()
    while not condition():
        assert time.monotonic() < until, "it never came to that"
        waiting.wait(0.01)
