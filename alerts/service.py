"""Alerts as a whole: the engine, the delivery and the books that people work with."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import httpx
import structlog

from alerts.delivery import Delivery, waiting
from alerts.delivery_book import DeliveryBook
from alerts.engine import Engine
from alerts.reading import ArchiveReader, EventReader
from alerts.rule_book import RuleBook
from alerts.sender import new_transport
from alerts.target_book import TargetBook
from alerts.targets.kind import Kind
from alerts.targets.robot import DingTalk
from alerts.targets.topic import Encode, RocketMq
from eventcenter.clock import Clock
from eventcenter.cursor import Cursors
from eventcenter.errors import EventCenterError
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.secrets import SecretBox
from queries import Queries

IDLE_S: Final = 1.0
"""How long a loop sleeps when there is nothing to do and nobody wakes it."""
SENDERS: Final = 32
"""Robots that may be spoken to at the same time."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """How far the rules and the deliveries of a tenant, or of all, have come."""

    rule_lag_events: int
    oldest_unevaluated_seq: int
    """The first event that the rules have not seen; 0 if there is none."""
    outbox_pending: int
    outbox_oldest_s: float
    """Age of the oldest message that waits, in seconds; 0 if none does."""


class Alerts:
    """The door to this package for composition roots. `queries` may also be an EventReader.

    `encode` makes a RocketMQ message of an event: the binding is ingest's, which this package does not see.
    `cursor_key` signs cursors; without one they are good for as long as the process lives.
    """

    def __init__(
        self,
        *,
        store: Store,
        queries: Queries | EventReader,
        secrets: SecretBox,
        clock: Clock,
        settings: Settings,
        encode: Encode,
        http: httpx.BaseTransport | None = None,
        cursor_key: bytes | None = None,
    ) -> None:
        events = ArchiveReader(queries) if isinstance(queries, Queries) else queries
        self._store = store
        self._clock = clock
        self.engine = Engine(store=store, events=events, clock=clock, settings=settings)
        kinds: dict[str, Kind] = {
            "dingtalk": DingTalk(http or new_transport(), settings),
            "rocketmq": RocketMq(encode),
        }
        self.delivery = Delivery(store=store, secrets=secrets, clock=clock, settings=settings, kinds=kinds)
        self.targets = TargetBook(
            store=store, secrets=secrets, clock=clock, settings=settings, delivery=self.delivery
        )
        self.rules = RuleBook(
            store=store,
            events=events,
            clock=clock,
            settings=settings,
            delivery=self.delivery,
            changed=self.wake,
        )
        self.deliveries = DeliveryBook(store=store, cursors=Cursors(cursor_key), kinds=kinds)
        self._engine_wake = threading.Event()
        self._delivery_wake = threading.Event()

    def wake(self, _tenant_id: str | None = None) -> None:
        """Let both loops look at once: events were loaded, a rule changed, or the server stops."""
        self._engine_wake.set()
        self._delivery_wake.set()

    def statistics(self, tenant_id: str | None = None) -> Statistics:
        """Numbers of one tenant, or of all together (then without the seq)."""
        tenants = self.engine.tenants() if tenant_id is None else (tenant_id,)
        progress = [self.engine.progress(each) for each in tenants]
        held = self._store.read(lambda session: waiting(session, tenant_id))
        age = 0.0 if held.oldest is None else (self._clock.now() - held.oldest).total_seconds()
        return Statistics(
            rule_lag_events=sum(each.lag for each in progress),
            oldest_unevaluated_seq=progress[0].next_seq if tenant_id is not None else 0,
            outbox_pending=held.pending,
            outbox_oldest_s=max(age, 0.0),
        )

    def broken_targets(self, tenant_id: str) -> list[dict[str, Any]]:
        """Targets that do not deliver: {id, name, health, text, remedy}, in the tenant's language."""
        return self.targets.broken(tenant_id)

    def run_engine(self, stop: threading.Event) -> None:
        """Evaluate rules until `stop` is set. For a thread of its own."""
        while not stop.is_set():
            self._engine_wake.clear()
            worked = _guarded("rules", self.engine.step_all)
            if worked:
                self._delivery_wake.set()
            elif not stop.is_set():
                self._engine_wake.wait(IDLE_S)

    def run_delivery(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set; a slow robot holds up no other. For a thread of its own."""
        _guarded("delivery", lambda: self.delivery.recover() > 0)
        busy: set[str] = set()
        lock = threading.Lock()

        def drain(robot: str) -> None:
            try:
                while not stop.is_set() and _guarded("delivery", lambda: self.delivery.deliver(robot)):
                    pass
            finally:
                with lock:
                    busy.discard(robot)

        with closing(self.delivery), ThreadPoolExecutor(SENDERS, thread_name_prefix="deliver") as pool:
            while not stop.is_set():
                self._delivery_wake.clear()
                for robot in self._due():
                    with lock:
                        if robot in busy:
                            continue
                        busy.add(robot)
                    pool.submit(drain, robot)
                if not stop.is_set():
                    self._delivery_wake.wait(IDLE_S)

    def _due(self) -> tuple[str, ...]:
        try:
            return self.delivery.due_robots()
        except EventCenterError as error:
            _log.warning("the outbox cannot be read", error=str(error))
            return ()


def _guarded(what: str, step: Callable[[], bool]) -> bool:
    """One step; a loop outlives whatever goes wrong in it."""
    try:
        return step()
    except EventCenterError as error:
        _log.warning("a step failed and is tried again", loop=what, error=str(error))
    except Exception:  # noqa: BLE001 a loop that ends would be noticed too late
        _log.exception("a step failed and is tried again", loop=what)
    return False
