"""One input while it runs: its consumer, its topics, how far its queues reach."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from eventcenter.clock import Clock, to_micros
from eventcenter.errors import EventCenterError, InvalidInput, Unavailable
from eventcenter.journal import Block
from eventcenter.rocketmq.remoting import Offsets
from eventcenter.rocketmq.server import Group
from ingest.inputs.config import RocketMq, Secrets, Topic
from ingest.inputs.connection import decoding_of, offsets_of, resolved, server_of, subscription_of
from ingest.inputs.fetcher import Way
from ingest.inputs.receiving import Receiving, Route
from ingest.inputs.status import InputStatus, Problem, Reach, problem_of
from ingest.quota import RejectQuota
from ingest.validation import Limits

if TYPE_CHECKING:
    from ingest.inputs.rocketmq.consumer import Consumer
    from ingest.inputs.rocketmq.receiver import Counts

_log = structlog.get_logger(__name__)
_LOOK_S = 0.2
_REACH_EVERY_S = 2.0
_TOPICS_EVERY_S = 30.0
_AGAIN_S = 5.0


Commit = Callable[[Sequence[Block]], "Future[None]"]
"""Makes blocks durable; see `ingest.inputs.journalling.Journalling.commit`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """An input of the store, its secrets opened."""

    id: str
    tenant_id: str
    config: RocketMq
    secrets: Secrets
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What all inputs of a service share."""

    commit: Commit
    limits: Limits
    quota: RejectQuota
    clock: Clock
    grace_s: float
    """How long a stop waits for what is being journalled."""


class Runner:
    """Keeps an input going in a thread of its own until it is told to stop."""

    def __init__(self, wanted: Wanted, around: Surroundings, *, after: "Runner | None" = None) -> None:
        """It begins when `after`, which ran the same input before, has ended."""
        self.wanted = wanted
        self._around = around
        self._after = after
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._consumer: Consumer | None = None
        self._receiving: Receiving | None = None
        self._topics: Mapping[str, Topic] = {}
        self._problem: EventCenterError | None = None
        self._past: Counts | None = None
        self._rejected = 0
        self._last_received_at: int | None = None
        self._seen = 0
        self._reach: tuple[Reach, ...] = ()
        self._reach_at: int | None = None
        self._reach_problem: Problem | None = None
        self._threads = [
            threading.Thread(target=self._run, name=f"input-{wanted.id}", daemon=True),
            threading.Thread(target=self._keep_reach, name=f"input-{wanted.id}-reach", daemon=True),
        ]

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    def ask_to_stop(self) -> None:
        """Begin to end; returns at once."""
        self._stopping.set()

    def join(self) -> None:
        """Wait until it has ended."""
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return any(thread.is_alive() for thread in self._threads)

    def way(self) -> Way | None:
        """For fetches; None where there are no name servers, or before it runs."""
        receiving = self._receiving
        if receiving is None or not self.wanted.config.name_servers:
            return None
        return Way(offsets=self._offsets, group=self.wanted.config.group, receiving=receiving)

    def status(self) -> InputStatus:
        """How it is at this moment."""
        with self._lock:
            consumer, problem, topics = self._consumer, self._problem, self._topics
            rejected = self._rejected + (self._receiving.rejected if self._receiving else 0)
        health = None if consumer is None else consumer.health()
        problems = [] if problem is None else [problem]
        problems += [] if health is None else health.problems
        received = acknowledged = expired = 0
        for counts in (self._past, None if health is None else health.counts):
            if counts is not None:
                received += counts.received
                acknowledged += counts.acknowledged
                expired += counts.expired
        if received > self._seen:
            self._seen, self._last_received_at = received, self._now()
        return InputStatus(
            state=self._state(problems, receiving=health is not None and health.receiving),
            problems=tuple(problem_of(one) for one in problems),
            brokers=() if health is None else health.brokers,
            topics=tuple((name, topic.bus) for name, topic in sorted(topics.items())),
            received=received,
            acknowledged=acknowledged,
            rejected=rejected,
            expired=expired,
            last_received_at=self._last_received_at,
            reach=self._reach,
            reach_at=self._reach_at,
            reach_problem=self._reach_problem,
        )

    def _state(self, problems: Sequence[EventCenterError], *, receiving: bool) -> str:
        if self._stopping.is_set():
            return "stopping"
        if problems:
            full = all(one.status in {429, 507} for one in problems)
            return "waiting" if full else "broken"
        return "receiving" if receiving else "starting"

    # ---- the consumer

    def _run(self) -> None:
        if self._after is not None:
            self._after.join()
            self._after = None
        while not self._stopping.is_set():
            try:
                topics = self._found_topics()
                self._begin(topics)
            except EventCenterError as error:
                self._is_broken(error)
                self._stopping.wait(_AGAIN_S)
                continue
            except Exception as error:  # noqa: BLE001 whatever it is, other inputs go on
                _log.exception("an input cannot run", input=self.wanted.id)
                self._is_broken(Unavailable(f"The input cannot run ({error}).", remedy="see the log"))
                self._stopping.wait(_AGAIN_S)
                continue
            self._stay(topics)
            self._end()

    def _is_broken(self, error: EventCenterError) -> None:
        if str(error) != str(self._problem):
            _log.warning("an input cannot run", input=self.wanted.id, why=str(error))
        with self._lock:
            self._problem = error

    def _begin(self, topics: Mapping[str, Topic]) -> None:
        # gRPC is large, and not needed where there is no input.
        from ingest.inputs.rocketmq.consumer import Consumer

        config = self.wanted.config
        subscriptions = tuple(subscription_of(one, name) for name, one in topics.items())
        receiving = Receiving(
            input_id=self.wanted.id,
            tenant_id=self.wanted.tenant_id,
            routes={name: self._route(one) for name, one in topics.items()},
            commit=self._around.commit,
            limits=self._around.limits,
            quota=self._around.quota,
        )
        consumer = Consumer(
            server_of(config, self.wanted.secrets),
            Group(name=config.group, subscriptions=subscriptions),
            store=receiving.store,
            reject=receiving.reject,
            clock=self._around.clock,
        )
        with self._lock:
            self._consumer, self._receiving, self._topics = consumer, receiving, topics
            self._problem = None
        consumer.start()

    def _route(self, topic: Topic) -> Route:
        return Route(bus=topic.bus, decoding=decoding_of(self.wanted.config, topic))

    def _stay(self, topics: Mapping[str, Topic]) -> None:
        """Until it is to stop, or a pattern fits other topics than it did."""
        looked_at = time.monotonic()
        while not self._stopping.wait(_LOOK_S):
            if not any(one.is_pattern for one in self.wanted.config.topics):
                continue
            if time.monotonic() - looked_at >= _TOPICS_EVERY_S:
                looked_at = time.monotonic()
                try:
                    if self._found_topics() != topics:
                        return
                except EventCenterError as error:
                    _log.warning("topics cannot be looked up", input=self.wanted.id, why=str(error))

    def _end(self) -> None:
        consumer = self._consumer
        if consumer is None:
            return
        consumer.stop(self._around.grace_s)
        counts = consumer.health().counts
        with self._lock:
            if self._past is None:
                self._past = counts
            else:
                self._past += counts
            self._rejected += self._receiving.rejected if self._receiving else 0
            self._consumer = self._receiving = None

    def _found_topics(self) -> Mapping[str, Topic]:
        """The topics by name, those of patterns looked up. Raises InvalidInput where there is none."""
        config = self.wanted.config
        if not any(one.is_pattern for one in config.topics):
            return resolved(config, None)
        with self._offsets() as offsets:
            found = resolved(config, offsets)
        if not found:
            raise InvalidInput(
                "No topic fits the patterns.",
                value=", ".join(one.topic for one in config.topics),
                rule="an input reads one topic or more; patterns are looked up every 30 s",
                remedy="make a topic that fits, or change the patterns",
            )
        return found

    # ---- how far the queues reach

    def _keep_reach(self) -> None:
        if not self.wanted.config.name_servers:
            return
        pause = 0.0
        while not self._stopping.wait(pause):
            pause = _REACH_EVERY_S
            topics = self._topics
            if not topics:
                pause = _LOOK_S
                continue
            try:
                with self._offsets() as offsets:
                    reach = [one for topic in topics for one in offsets.reach(topic)]
            except EventCenterError as error:
                self._reach_problem = problem_of(error)
            except Exception as error:  # noqa: BLE001 the thread goes on
                _log.exception("offsets cannot be asked for", input=self.wanted.id)
                self._reach_problem = Problem(detail=f"Offsets cannot be asked for ({error}).")
            else:
                self._reach_problem = None
                self._reach_at = self._now()
                self._reach = tuple(
                    Reach(
                        topic=one.queue.topic,
                        broker=one.queue.broker,
                        queue_id=one.queue.queue_id,
                        oldest=one.oldest,
                        newest=one.newest,
                    )
                    for one in reach
                )

    def _offsets(self) -> Offsets:
        return offsets_of(self.wanted.config, self.wanted.secrets)

    def _now(self) -> int:
        return to_micros(self._around.clock.now()) // 1000
