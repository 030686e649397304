"""A consumer group's member: finds the brokers of its topics and receives from all of them."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from eventcenter.clock import Clock, SystemClock
from eventcenter.errors import EventCenterError, NotFound, Unavailable
from eventcenter.rocketmq.address import Address
from eventcenter.rocketmq.calls import Calls, Identity
from eventcenter.rocketmq.check import diagnosed
from eventcenter.rocketmq.server import Group, Options, Server, Subscription
from eventcenter.rocketmq.stubs import definition
from ingest.inputs.rocketmq.receiver import Counts, Receiver, Reject, Store
from ingest.inputs.rocketmq.session import Session

_log = structlog.get_logger(__name__)
_AGAIN_S = 1.0
_READABLE = {definition.READ, definition.READ_WRITE}
_MASTER = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """How a consumer is."""

    counts: Counts
    problems: tuple[EventCenterError, ...]
    """Each once; none where all is well."""
    brokers: tuple[str, ...]
    """From which it receives."""
    receiving: bool
    """Whether it can receive from all of them."""


@dataclass(frozen=True, slots=True)
class _Source:
    """One topic of one broker, by way of one proxy."""

    topic: str
    broker: str
    address: Address


class Consumer:
    """Receives what the subscriptions ask for, from `start` to `stop`, whatever happens to the servers."""

    def __init__(
        self,
        server: Server,
        group: Group,
        *,
        store: Store,
        reject: Reject,
        options: Options | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Connects to nothing yet."""
        self._server = server
        self._group = group
        self._store = store
        self._reject = reject
        self._options = options or Options()
        self._clock = clock or SystemClock()
        self.identity = Identity.new(group.name)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._wake = threading.Event()
        self._calls: dict[Address, Calls] = {}
        self._sessions: dict[Address, Session] = {}
        self._receivers: dict[_Source, Receiver] = {}
        self._past = Counts()
        self._problems: dict[str, EventCenterError] = {}
        """Of the routes, by topic."""
        self._seed = 0
        self._thread = threading.Thread(target=self._keep_routes, name="rocketmq-routes", daemon=True)

    def start(self) -> None:
        """Begin; returns at once. A server that does not answer is asked until it does: see `health`."""
        self._thread.start()

    def stop(self, grace_s: float = 10.0) -> None:
        """Receive nothing more, acknowledge what becomes durable within `grace_s` seconds, say goodbye."""
        self._ended.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._end(list(self._receivers), grace_s)
        for session in self._sessions.values():
            session.close()
        for calls in self._calls.values():
            calls.close()

    def health(self) -> Health:
        """How it is at this moment."""
        with self._lock:
            receivers = list(self._receivers.values())
            sessions = list(self._sessions.values())
            problems = list(self._problems.values())
            counts = Counts()
            counts += self._past
        for receiver in receivers:
            counts += receiver.counts
        found = [
            *problems,
            *(session.problem for session in sessions),
            *(receiver.problem for receiver in receivers),
        ]
        told = {str(problem): problem for problem in found if problem is not None}
        return Health(
            counts=counts,
            problems=tuple(told.values()),
            brokers=tuple(sorted({receiver.broker for receiver in receivers})),
            receiving=bool(receivers) and not problems and all(session.ready for session in sessions),
        )

    # ---- routes

    def _keep_routes(self) -> None:
        while not self._ended.is_set():
            try:
                settled = self._look()
            except Exception:  # noqa: BLE001 the thread goes on
                _log.exception("routes could not be read in a way they should not")
                settled = False
            self._wake.wait(self._options.route_s if settled else _AGAIN_S)
            self._wake.clear()

    def _look(self) -> bool:
        """Ask for the routes and follow them; whether all is as it should be."""
        wanted: dict[_Source, tuple[Any, Subscription]] = {}
        unknown: set[str] = set()
        problems: dict[str, EventCenterError] = {}
        for subscription in self._group.subscriptions:
            try:
                for source, queue in self._sources(subscription).items():
                    wanted[source] = queue, subscription
            except EventCenterError as error:
                problems[subscription.topic] = error
                # Nothing is known about it: what is received goes on.
                unknown.add(subscription.topic)
            if self._ended.is_set():
                return False
        for topic, problem in problems.items():
            if str(problem) != str(self._problems.get(topic)):
                _log.warning("no route", topic=topic, why=str(problem))
        with self._lock:
            self._problems = problems
        self._end([each for each in self._receivers if each not in wanted and each.topic not in unknown], 5.0)
        for source, (queue, subscription) in wanted.items():
            if source not in self._receivers:
                self._begin(source, queue, subscription)
        self._end_idle_sessions()
        return not problems and all(session.ready for session in self._sessions.values())

    def _sources(self, subscription: Subscription) -> dict[_Source, Any]:
        """Where the topic is to be received, from the first proxy that answers. Raises EventCenterError."""
        addresses = self._server.addresses
        failures: list[EventCenterError] = []
        for turn in range(len(addresses)):
            seed = (self._seed + turn) % len(addresses)
            try:
                queues = self._calls_to(addresses[seed]).route(subscription, self._options.request_s)
            except Unavailable as error:
                failures.append(error)
                continue
            self._seed = seed
            return _readable(queues, subscription, addresses[seed])
        if self._receivers or self._ended.is_set():
            raise failures[0]
        # It never received: perhaps this is no proxy's address. Sockets tell, gRPC does not.
        raise diagnosed(self._server, addresses[self._seed]) or failures[0]

    def _begin(self, source: _Source, queue: Any, subscription: Subscription) -> None:
        session = self._sessions.get(source.address)
        if session is None:
            session = Session(self._calls_to(source.address), self._group.subscriptions, self._options)
            session.start()
        receiver = Receiver(
            session, queue, subscription, store=self._store, reject=self._reject, options=self._options
        )
        with self._lock:
            self._sessions[source.address] = session
            self._receivers[source] = receiver
        receiver.start()
        _log.info("receiving", topic=source.topic, broker=source.broker, address=str(source.address))

    def _end(self, sources: Sequence[_Source], grace_s: float) -> None:
        receivers = [self._receivers[source] for source in sources]
        for receiver in receivers:
            receiver.ask_to_stop()
        threads = [threading.Thread(target=each.stop, args=(grace_s,), daemon=True) for each in receivers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with self._lock:
            for source in sources:
                self._past += self._receivers.pop(source).counts

    def _end_idle_sessions(self) -> None:
        used = {source.address for source in self._receivers}
        for address in [address for address in self._sessions if address not in used]:
            with self._lock:
                session = self._sessions.pop(address)
            session.close()
        for address in [each for each in self._calls if each not in used | set(self._server.addresses)]:
            self._calls.pop(address).close()

    def _calls_to(self, address: Address) -> Calls:
        calls = self._calls.get(address)
        if calls is None:
            calls = self._calls[address] = Calls(self._server, address, self.identity, self._clock)
        return calls


def _readable(queues: Sequence[Any], subscription: Subscription, asked: Address) -> dict[_Source, Any]:
    """One queue for each broker: a broker hands out the messages of all its queues, whichever is named."""
    found: dict[_Source, Any] = {}
    for queue in queues:
        if queue.permission in _READABLE and queue.broker.id == _MASTER:
            addresses = queue.broker.endpoints.addresses
            address = Address(host=addresses[0].host, port=addresses[0].port) if addresses else asked
            found.setdefault(_Source(subscription.topic, queue.broker.name, address), queue)
    if not found:
        command = f"mqadmin updateTopicPerm -n NAMESERVER:9876 -c CLUSTER -t {subscription.topic} -p 6"
        raise NotFound(
            f"No broker lets the topic {subscription.topic} be read.",
            value=subscription.topic,
            rule="a topic has queues with the permission to read (perm 4 or 6)",
            remedy=f"allow it: {command}",
        )
    return found
