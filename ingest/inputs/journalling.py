"""Group commit for threads: what comes while one sync runs shares the next one.

Beside the committer of posts, which lives in an event loop: a batch of messages would cross threads four
times on its way through that, at half of the price of decoding it.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future

from eventcenter.errors import Unavailable
from eventcenter.journal import Block
from ingest.committer import Journal, failure_for_one

_GROUP_BYTES = 32 << 20
_GATHER_S = 0.02
"""From one sync to the next at least: each costs as much as a dozen messages."""

Entry = tuple[Sequence[Block], "Future[None]"]


class Journalling:
    """Appends blocks in a thread of its own, from `start` to `stop`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._entries: deque[Entry] = deque()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inputs-journal", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Append what was given until now, then end."""
        with self._changed:
            self._stopping.set()
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def commit(self, blocks: Sequence[Block]) -> "Future[None]":
        """Done when all blocks are durable; it raises what the journal raises, and then none is kept.

        Raises Unavailable after `stop`.
        """
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()
        with self._changed:
            if self._stopping.is_set():
                raise Unavailable(
                    "The ingest service ends.", remedy="none is needed, the messages come again"
                )
            self._entries.append((blocks, done))
            self._changed.notify()
        return done

    def _run(self) -> None:
        while group := self._next_group():
            began = time.monotonic()
            error: BaseException | None = None
            try:
                self._journal.append([block for blocks, _ in group for block in blocks])
            except BaseException as raised:  # noqa: BLE001 told to those who wait
                error = raised
            for _, done in group:
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(failure_for_one(error))
            # What comes alone does not wait: only what follows closely on another.
            self._stopping.wait(began + _GATHER_S - time.monotonic())

    def _next_group(self) -> list[Entry]:
        """All that waits, up to a bound; nothing at the end."""
        with self._changed:
            while not self._entries and not self._stopping.is_set():
                self._changed.wait()
            group: list[Entry] = []
            size = 0
            while self._entries and size < _GROUP_BYTES:
                group.append(self._entries.popleft())
                size += sum(len(block.payload) for block in group[-1][0])
            return group
