"""Messages of one topic from one broker: received, made durable by others, then acknowledged."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Self

import structlog

from eventcenter.errors import Busy, EventCenterError
from eventcenter.rocketmq.calls import Calls, raised
from eventcenter.rocketmq.refusals import (
    INVALID_RECEIPT_HANDLE,
    MESSAGE_NOT_FOUND,
    OK,
    SettingsMissing,
    of_status,
)
from eventcenter.rocketmq.server import Options, Subscription
from eventcenter.rocketmq.stubs import grpc, service
from ingest.bindings.rocketmq import Message
from ingest.inputs.rocketmq.messages import received
from ingest.inputs.rocketmq.session import Session

_log = structlog.get_logger(__name__)
_PAUSE_S = 0.5
_MARGIN_S = 5.0
_ACKED_AT_ONCE = 8
"""Batches whose acknowledgements share a call: each call costs as much as dozens of messages in it."""

Store = Callable[[Sequence[Message]], "Future[None]"]
"""Takes a batch; the future is done when all of it is durable, and raises where none may be acknowledged.

It may be called by several threads at once. Raises Busy, StorageFull or Unavailable where it takes nothing at
the moment: the batch is offered again later, and nothing is received meanwhile.
"""
Reject = Callable[[Message, str], "Future[None]"]
"""Takes a message whose body cannot be trusted, as it came, and why; otherwise like `Store`."""


@dataclass(slots=True)
class Counts:
    """What became of messages, since the start."""

    received: int = 0
    acknowledged: int = 0
    expired: int = 0
    """Acknowledged too late, or for another reason not: they come again, though they are durable."""
    broken: int = 0
    """Arrivals of messages with a broken body."""
    rejected: int = 0
    polls: int = 0
    refused: int = 0
    """How often a batch was offered in vain."""

    def __iadd__(self, other: "Counts") -> Self:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


@dataclass(slots=True, eq=False)
class _Batch:
    """What is stored and acknowledged together."""

    messages: list[Message]
    entries: list[Any]
    expires: float
    """When the broker hands them out again (monotonic seconds)."""
    why: str | None = None
    """Set where it is one broken message."""


@dataclass(slots=True)
class _State:
    """Shared by the threads of a receiver, under its condition."""

    unacked: int = 0
    again: deque[_Batch] = field(default_factory=deque)
    """What could not be stored and is to be offered again."""
    durable: deque[_Batch] = field(default_factory=deque)
    calls: set[Any] = field(default_factory=set)
    polling: int = 0


class Receiver:
    """The threads of one topic of one broker: some receive, one acknowledges.

    Each batch goes to `store` at once; what comes later does not wait for it, up to a bound. While `store`
    refuses, batches are kept and nothing is received: a message that is received again and again would end
    among the dead letters.
    """

    def __init__(
        self,
        session: Session,
        queue: Any,
        subscription: Subscription,
        *,
        store: Store,
        reject: Reject,
        options: Options,
    ) -> None:
        """`queue` is one of the topic's on the broker (protocol's MessageQueue): it stands for all."""
        self.subscription = subscription
        self.broker: str = queue.broker.name
        self.counts = Counts()
        self.problem: EventCenterError | None = None
        """Why nothing is received at the moment."""
        self._session = session
        self._calls: Calls = session.calls
        self._about = self._calls.about(subscription)
        self._store = store
        self._reject = reject
        self._options = options
        self._request = self._calls.receive_request(
            queue,
            subscription,
            batch_size=options.batch_size,
            invisible_s=options.invisible_s,
            poll_s=options.poll_s,
        )
        self._state = _State()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._finished = threading.Event()
        name = f"rocketmq-{self.broker}-{subscription.topic}"
        self._receiving = [
            threading.Thread(target=self._receive_all, name=f"{name}-{number}", daemon=True)
            for number in range(options.threads)
        ]
        self._acking = threading.Thread(target=self._ack_all, name=f"{name}-ack", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in (*self._receiving, self._acking):
            thread.start()

    def ask_to_stop(self) -> None:
        """Receive nothing more; returns at once."""
        self._stopping.set()
        with self._changed:
            calls = list(self._state.calls)
            self._changed.notify_all()
        for call in calls:
            call.cancel()

    def stop(self, grace_s: float) -> None:
        """Receive nothing more; what becomes durable within `grace_s` seconds is acknowledged."""
        until = time.monotonic() + grace_s
        self.ask_to_stop()
        for thread in self._receiving:
            thread.join()
        with self._changed:
            self._state.unacked -= len(self._state.again)
            self._state.again.clear()
            while self._state.unacked and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            self._finished.set()
            self._changed.notify_all()
        self._acking.join()

    # ---- receiving

    def _receive_all(self) -> None:
        while not self._stopping.is_set():
            batch = self._next_refused()
            if batch is None:
                for fresh in self._poll():
                    self._offer(fresh)
            elif self._stopping.wait(_PAUSE_S):
                self._release()
            else:
                self._offer(batch)

    def _poll(self) -> list[_Batch]:
        """What one poll brings; whatever happens, its place is given back."""
        batches: list[_Batch] = []
        try:
            if not self._stopping.is_set() and self._session.wait_ready(_PAUSE_S):
                batches = self._receive()
        except Exception:  # noqa: BLE001 the thread goes on
            _log.exception("a poll failed in a way it should not", topic=self.subscription.topic)
            self._stopping.wait(_PAUSE_S)
        finally:
            with self._changed:
                self._state.polling -= 1
                self._state.unacked += len(batches)
                self._changed.notify_all()
        return batches

    def _next_refused(self) -> _Batch | None:
        """What is to be offered again; waits for room where all room is taken."""
        with self._changed:
            state = self._state
            while not self._stopping.is_set():
                if state.again:
                    return state.again.popleft()
                # Whoever polls may come back with a batch: it needs its place too.
                if state.unacked + state.polling < self._options.unacked_batches:
                    state.polling += 1
                    return None
                self._changed.wait()
            state.polling += 1
            return None

    def _receive(self) -> list[_Batch]:
        """One poll."""
        opening = self._session.openings
        options = self._options
        wires: list[Any] = []
        error: EventCenterError | None = None
        call = None
        try:
            call = self._calls.receive(self._request, options.poll_s + options.request_s)
            with self._changed:
                self._state.calls.add(call)
            if self._stopping.is_set():
                call.cancel()
            for part in call:
                if part.HasField("message"):
                    wires.append(part.message)
                elif part.HasField("status") and part.status.code not in {OK, MESSAGE_NOT_FOUND}:
                    error = of_status(part.status.code, part.status.message, self._about)
        except (grpc.RpcError, ValueError) as failure:
            # What came before the break counts: its handles are good.
            error = raised(failure, self._about)
        expires = time.monotonic() + options.invisible_s
        batches = self._batches(wires, expires)
        with self._changed:
            self._state.calls.discard(call)
            self.counts.polls += 1
            self.counts.received += len(wires)
        self.problem = error
        if error is not None:
            self._refused_by_server(error, opening)
        return batches

    def _refused_by_server(self, error: EventCenterError, opening: int) -> None:
        if isinstance(error, SettingsMissing):
            self._session.renew(opening)
        elif isinstance(error, Busy):
            self._stopping.wait(error.retry_after)
        else:
            _log.warning(
                "nothing received", topic=self.subscription.topic, broker=self.broker, why=str(error)
            )
            self._stopping.wait(_PAUSE_S)

    def _batches(self, wires: list[Any], expires: float) -> list[_Batch]:
        """One batch of all that can be stored, one for each message that is to be rejected."""
        good = _Batch([], [], expires)
        batches = [good]
        for wire in wires:
            one = received(wire, self.broker)
            message = one.message
            entry = service.AckMessageEntry(message_id=message.message_id or "", receipt_handle=one.handle)
            if one.broken is None:
                good.messages.append(message)
                good.entries.append(entry)
                continue
            with self._changed:
                self.counts.broken += 1
            attempt = message.delivery_attempt or 1
            _log.warning(
                "a message arrived broken",
                topic=message.topic,
                message_id=message.message_id,
                attempt=attempt,
                why=one.broken,
            )
            if attempt >= self._options.broken_attempts:
                batches.append(_Batch([message], [entry], expires, one.broken))
        return batches if good.messages else batches[1:]

    # ---- storing

    def _offer(self, batch: _Batch) -> None:
        """Hand the batch over, again and again while it is refused; after a stop it is offered once."""
        while True:
            try:
                if batch.why is None:
                    future = self._store(batch.messages)
                else:
                    future = self._reject(batch.messages[0], batch.why)
            except Exception as error:  # noqa: BLE001 whatever it is, the batch is not durable
                if not self._keep_after(error):
                    self._release()
                    return
                if self._stopping.wait(_pause_after(error)):
                    self._release()
                    return
            else:
                future.add_done_callback(lambda done: self._stored(batch, done))
                return

    def _keep_after(self, error: BaseException) -> bool:
        """Whether the batch that `store` refused is offered again."""
        with self._changed:
            self.counts.refused += 1
        if isinstance(error, EventCenterError) and error.retryable:
            self.problem = error
            return True
        # It comes again when its invisible time is over, and in the end among the broker's dead letters.
        _log.error("messages cannot be stored", topic=self.subscription.topic, exc_info=error)
        return False

    def _release(self, batches: int = 1) -> None:
        with self._changed:
            self._state.unacked -= batches
            self._changed.notify_all()

    def _stored(self, batch: _Batch, done: "Future[None]") -> None:
        """Called by whoever made it durable, or could not."""
        error = None if done.cancelled() else done.exception()
        if not done.cancelled() and error is None:
            with self._changed:
                self._state.durable.append(batch)
                self._changed.notify_all()
            return
        kept = error is not None and self._keep_after(error)
        with self._changed:
            if kept and not self._stopping.is_set():
                self._state.again.append(batch)
            else:
                self._state.unacked -= 1
            self._changed.notify_all()

    # ---- acknowledging

    def _ack_all(self) -> None:
        while True:
            with self._changed:
                while not self._state.durable and not self._finished.is_set():
                    self._changed.wait()
                if not self._state.durable:
                    return
                count = min(len(self._state.durable), _ACKED_AT_ONCE)
                batches = [self._state.durable.popleft() for _ in range(count)]
            self._ack(batches)
            self._release(len(batches))

    def _ack(self, batches: Sequence[_Batch]) -> None:
        """Acknowledge what is durable; what the broker does not take comes again, and is known by then."""
        left = entries = [entry for batch in batches for entry in batch.entries]
        expires = min(batch.expires for batch in batches)
        expired = 0
        while True:
            try:
                results = self._calls.ack(self.subscription, left, self._options.request_s)
            except EventCenterError as error:
                _log.warning("not acknowledged", topic=self.subscription.topic, why=str(error))
            else:
                expired += sum(result.status.code == INVALID_RECEIPT_HANDLE for result in results)
                done = {OK, INVALID_RECEIPT_HANDLE}
                failed = {each.receipt_handle for each in results if each.status.code not in done}
                left = [entry for entry in left if entry.receipt_handle in failed]
            if not left or time.monotonic() > expires - _MARGIN_S or self._finished.wait(_PAUSE_S):
                break
        with self._changed:
            self.counts.expired += expired + len(left)
            self.counts.acknowledged += len(entries) - expired - len(left)
            self.counts.rejected += sum(batch.why is not None for batch in batches)


def _pause_after(error: BaseException) -> float:
    return float(error.retry_after) if isinstance(error, Busy) else _PAUSE_S
