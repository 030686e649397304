"""One thread that writes: changes that arrive together share one transaction and one sync."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from eventcenter.clock import Clock
from eventcenter.errors import Conflict, Unavailable
from eventcenter.store.engine import in_transaction, is_contradiction, translate

T = TypeVar("T")
_MOST_PER_COMMIT = 256
CLOCK = "clock"
"""Key of `Session.info` under which a change finds the clock."""


@dataclass(frozen=True, kw_only=True)
class _Change:
    run: Callable[[Session], Any]
    answer: Future[Any] = field(default_factory=Future)


class GroupWriter:
    """Takes changes from any thread, runs them one after another, and answers after the durable commit.

    Each change runs in a savepoint of its own: one that raises leaves nothing behind and disturbs no other.
    When the commit itself fails, every change in it is told so, and none of them happened.
    """

    def __init__(self, engine: Engine, *, clock: Clock) -> None:
        self._engine = engine
        self._info = {CLOCK: clock}
        self._queue: SimpleQueue[_Change | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, run: Callable[[Session], T]) -> Future[T]:
        """Queue a change. Its result or error is set after the commit. Raises Unavailable when closed."""
        change = _Change(run=run)
        with self._lock:
            if self._closed:
                raise Unavailable(
                    "The store is closed.",
                    rule="changes are taken while the process runs",
                    remedy="try again when the server is up",
                )
            self._queue.put(change)
        return change.answer

    def write(self, run: Callable[[Session], T]) -> T:
        """Run a change and wait until it is durable. Raises what `run` raised, or why the commit failed."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("a change must not wait for another change: use the session that it was given")
        return self.submit(run).result()

    def close(self) -> None:
        """Finish what is queued, then stop."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        last = False
        while not last:
            changes, last = self._take()
            if changes:
                self._commit(changes)

    def _take(self) -> tuple[list[_Change], bool]:
        first = self._queue.get()
        if first is None:
            return [], True
        changes = [first]
        while len(changes) < _MOST_PER_COMMIT:
            try:
                following = self._queue.get_nowait()
            except Empty:
                break
            if following is None:
                return changes, True
            changes.append(following)
        return changes, False

    def _commit(self, changes: list[_Change]) -> None:
        done: list[tuple[_Change, Any]] = []
        try:
            with self._engine.connect() as connection, connection.begin():
                for change in changes:
                    try:
                        done.append((change, self._in_savepoint(connection, change.run)))
                    except BaseException as error:
                        change.answer.set_exception(_told(error))
                        if not in_transaction(connection):
                            raise
        except BaseException as error:  # noqa: BLE001 the thread goes on; every caller is told
            told = _told(error)
            for change in changes:
                if not change.answer.done():
                    change.answer.set_exception(told)
            return
        for change, result in done:
            change.answer.set_result(result)

    def _in_savepoint(self, connection: Connection, run: Callable[[Session], T]) -> T:
        with (
            connection.begin_nested(),
            Session(
                connection, join_transaction_mode="create_savepoint", expire_on_commit=False, info=self._info
            ) as session,
        ):
            result = run(session)
            session.commit()
            return result


def _told(error: BaseException) -> BaseException:
    if isinstance(error, IntegrityError):
        if not is_contradiction(error):
            return error
        conflict = Conflict(
            "The change contradicts what is stored.",
            rule="names are unique, and what is named must exist",
            remedy="load the present state and try again",
        )
        conflict.__cause__ = error
        return conflict
    if isinstance(error, DBAPIError):
        failure = translate(error)
        failure.__cause__ = error
        return failure
    return error
