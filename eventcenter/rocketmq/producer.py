"""Sends messages to one topic: many in one call, acknowledged, with their ids kept over retries."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from eventcenter.clock import Clock, SystemClock
from eventcenter.errors import EventCenterError, Forbidden, Unauthenticated, Unavailable
from eventcenter.rocketmq.address import Address
from eventcenter.rocketmq.calls import Calls, Identity
from eventcenter.rocketmq.check import diagnosed
from eventcenter.rocketmq.outgoing import NOT_ALLOWED, NOT_KNOWN, STORED, Outgoing, Verdict
from eventcenter.rocketmq.server import Server
from eventcenter.rocketmq.stubs import definition

_REQUEST_S = 5.0
_ALL_S = 12.0
"""For one call to each of the proxies, as far as the time reaches."""
_CODES: tuple[tuple[type[EventCenterError], int], ...] = (
    (Unauthenticated, NOT_KNOWN),
    (Forbidden, NOT_ALLOWED),
)


class Producer:
    """Any thread may send. A proxy that does not answer is passed over, and the one that did is kept.

    Proxies want neither settings nor a route from who only sends: they find the broker themselves.
    """

    def __init__(self, server: Server, topic: str, *, clock: Clock | None = None) -> None:
        """Nothing is sent before the first message."""
        self._server = server
        self._topic = topic
        self._clock = clock or SystemClock()
        self._identity = Identity.new(None)
        self._calls: dict[Address, Calls] = {}
        self._first = 0
        self._lock = threading.Lock()

    def send(self, messages: Sequence[Outgoing]) -> list[Verdict]:
        """Send all in one call, at most 4 MiB together; a verdict for each, in order.

        They go to one queue, all or none. Without an answer they may be there nevertheless, with these ids.
        Never raises for what RocketMQ or the network does.
        """
        until = time.monotonic() + _ALL_S
        addresses = self._server.addresses
        with self._lock:
            first = self._first
        failed: tuple[Address, EventCenterError] | None = None
        for turn in range(len(addresses)):
            left = until - time.monotonic()
            if left <= 0:
                break
            at = (first + turn) % len(addresses)
            try:
                answer = self._call(addresses[at], messages, min(_REQUEST_S, left))
            except Unavailable as error:
                failed = failed or (addresses[at], error)
            except EventCenterError as error:
                code = next((code for kind, code in _CODES if isinstance(error, kind)), None)
                return [Verdict(code=code, text=error.detail)] * len(messages)
            else:
                with self._lock:
                    self._first = at
                return _verdicts(answer, len(messages))
        assert failed is not None  # noqa: S101 a server has an address, and the first has its turn
        # Sockets tell why nothing answers; gRPC only that it does not.
        reason = diagnosed(self._server, failed[0]) or failed[1]
        return [Verdict(code=None, text=reason.detail)] * len(messages)

    def close(self) -> None:
        """End the connections; calls under way fail."""
        with self._lock:
            calls, self._calls = list(self._calls.values()), {}
        for each in calls:
            each.close()

    def _call(self, address: Address, messages: Sequence[Outgoing], timeout_s: float) -> Any:
        with self._lock:
            calls = self._calls.get(address)
            if calls is None:
                calls = self._calls[address] = Calls(self._server, address, self._identity, self._clock)
        topic = calls.topic(self._topic)
        return calls.send([_protocol(message, topic) for message in messages], self._topic, timeout_s)


def _protocol(message: Outgoing, topic: Any) -> Any:
    """The message as the protocol writes it."""
    content = message.content
    system = definition.SystemProperties(
        message_id=message.message_id,
        message_type=definition.NORMAL,
        body_encoding=definition.IDENTITY,
        keys=content.keys,
    )
    if content.tag is not None:
        system.tag = content.tag
    system.born_timestamp.FromDatetime(message.born_at)
    return definition.Message(
        topic=topic, user_properties=content.properties, system_properties=system, body=content.body
    )


def _verdicts(answer: Any, count: int) -> list[Verdict]:
    """A result for each message; brokers give one word for all that came in one call."""
    entries = list(answer.entries)
    if len(entries) == count:
        return [_verdict(entry.status, entry) for entry in entries]
    worst = next((entry.status for entry in entries if entry.status.code != STORED), answer.status)
    return [_verdict(worst, None)] * count


def _verdict(status: Any, entry: Any) -> Verdict:
    if status.code == STORED:
        where = "" if entry is None else f" at offset {entry.offset}"
        return Verdict(code=STORED, text=f"stored{where}")
    return Verdict(code=status.code, text=" ".join(status.message.split()))
