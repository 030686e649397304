"""Everything alerts stand on, in memory: events that tests add, the robot stand-in without a network."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

import alerts.api
from alerts import Alerts
from eventcenter.clock import ManualClock
from eventcenter.errors import NotFound
from eventcenter.event import Event, StoredEvent
from eventcenter.pattern import EventPattern
from eventcenter.store.models import Alert, Attempt, Cursor, OutboxItem, Target
from eventcenter.store.secrets import SecretBox
from eventcenter.store.sql import Session, func, select
from eventcenter.testing.robot import Robot, RobotConfig
from ingest.bindings.rocketmq import encode
from tests.support.api import Api, World, world

T = TypeVar("T")

TOKEN = "a1" * 32
SECRET = "SEC" + "b2" * 32
OTHER_TOKEN = "c3" * 32
WEBHOOK = f"https://oapi.dingtalk.com/robot/send?access_token={TOKEN}"
OTHER_WEBHOOK = f"https://oapi.dingtalk.com/robot/send?access_token={OTHER_TOKEN}"


class Events:
    """An archive in memory: `seq` and `received_at` grow as events are added."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._held: dict[str, list[StoredEvent]] = {}
        self.asked: list[tuple[str, int, int]] = []
        self.trouble: Exception | None = None

    def add(self, tenant_id: str, *, bus: str = "default", data: Any = None, **given: Any) -> StoredEvent:
        held = self._held.setdefault(tenant_id, [])
        seq = len(held) + 1
        attributes = {"id": f"e{seq}", "source": "/tests", "type": "order.paid", **given}
        if data is not None:
            attributes |= {"data": msgspec.json.encode(data), "data_kind": "json"}
        event = Event(**attributes)
        stored = StoredEvent(seq=seq, bus=bus, received_at=self._clock.now(), event=event)
        held.append(stored)
        return stored

    def last_seq(self, tenant_id: str) -> int:
        return len(self._held.get(tenant_id, ()))

    def matches(
        self,
        tenant_id: str,
        *,
        buses: Sequence[str],
        pattern: EventPattern,
        after_seq: int,
        up_to_seq: int,
        limit: int,
    ) -> Sequence[StoredEvent]:
        self.asked.append((tenant_id, after_seq, up_to_seq))
        if self.trouble is not None:
            raise self.trouble
        found = [
            each
            for each in self._held.get(tenant_id, ())
            if after_seq < each.seq <= up_to_seq and self._is(each, buses, pattern)
        ]
        return found[:limit]

    def get(self, tenant_id: str, seq: int) -> StoredEvent:
        held = self._held.get(tenant_id, [])
        if not 0 < seq <= len(held):
            raise NotFound("There is no such event.", value=seq)
        return held[seq - 1]

    def newest(self, tenant_id: str, *, buses: Sequence[str], pattern: EventPattern) -> StoredEvent | None:
        held = reversed(self._held.get(tenant_id, []))
        return next((each for each in held if self._is(each, buses, pattern)), None)

    def count(
        self, tenant_id: str, *, buses: Sequence[str], pattern: EventPattern, from_: datetime, to: datetime
    ) -> int:
        return sum(
            from_ <= each.received_at < to and self._is(each, buses, pattern)
            for each in self._held.get(tenant_id, ())
        )

    def _is(self, stored: StoredEvent, buses: Sequence[str], pattern: EventPattern) -> bool:
        return (not buses or stored.bus in buses) and pattern.match(stored.event)


def http_to(robot: Robot) -> httpx.BaseTransport:
    """A transport whose requests the stand-in answers, without a network."""

    def answer(request: httpx.Request) -> httpx.Response:
        reply = robot.answer(
            method=request.method,
            query=dict(request.url.params),
            headers=dict(request.headers),
            body=request.content,
        )
        return httpx.Response(reply.status, content=reply.body, headers=dict(reply.headers))

    return httpx.MockTransport(answer)


@dataclass(kw_only=True)
class Stand:
    """Two tenants with alerts over HTTP, an archive in memory and the robots."""

    world: World
    events: Events
    robot: Robot
    alerts: Alerts
    restart: Callable[[], Alerts]
    """Alerts as a new run of the server would have them, on the same store."""
    made: dict[str, str] = field(default_factory=dict)

    @property
    def clock(self) -> ManualClock:
        return self.world.clock

    @property
    def tenant(self) -> str:
        return self.world.tenants["default"]

    @property
    def other(self) -> str:
        return self.world.tenants["other"]

    def as_(self, role: str, tenant: str = "default") -> Api:
        return self.world.as_(role, tenant)

    def target(self, *, tenant: str = "default", **given: Any) -> str:
        body = {"name": "On call", "webhook": WEBHOOK, "secret": SECRET, **given}
        return str(self.as_("admin", tenant).post("/v1/targets", body)["id"])

    def rule(self, target_id: str, *, tenant: str = "default", **given: Any) -> str:
        body = {
            "name": "Paid",
            "buses": [],
            "pattern": {"type": ["order.paid"]},
            "template": {"title": "Order ${id}", "text": "Amount ${data.amount}"},
            "target_id": target_id,
            **given,
        }
        return str(self.as_("editor", tenant).post("/v1/rules", body)["id"])

    def evaluate(self) -> None:
        while self.alerts.engine.step_all():
            pass

    def deliver(self) -> None:
        while self.alerts.delivery.step():
            pass

    def run(self, seconds: float, *, every: float = 1.0) -> None:
        """Let time pass; both loops look every `every` seconds."""
        for _ in range(round(seconds / every)):
            self.clock.advance(every)
            self.evaluate()
            self.deliver()

    def items(self, **given: Any) -> list[OutboxItem]:
        asked = select(OutboxItem).filter_by(**given).order_by(OutboxItem.created_at)
        return self.read(lambda session: list(session.scalars(asked)))

    def attempts(self) -> list[Attempt]:
        asked = select(Attempt).order_by(Attempt.started_at)
        return self.read(lambda session: list(session.scalars(asked)))

    def alerted(self, tenant_id: str | None = None) -> list[Alert]:
        asked = select(Alert).where(Alert.tenant_id == (tenant_id or self.tenant)).order_by(Alert.seq)
        return self.read(lambda session: list(session.scalars(asked)))

    def health(self, target_id: str) -> Target:
        return self.read(lambda session: session.get_one(Target, target_id))

    def cursor(self, tenant_id: str | None = None) -> int:
        asked = select(func.coalesce(func.max(Cursor.seq), 0)).where(
            Cursor.tenant_id == (tenant_id or self.tenant)
        )
        return self.read(lambda session: session.scalar(asked) or 0)

    def states(self) -> Mapping[str, int]:
        asked = select(OutboxItem.state, func.count()).group_by(OutboxItem.state)
        return self.read(lambda session: dict(session.execute(asked).all()))

    def read(self, ask: Callable[[Session], T]) -> T:
        return self.world.store.read(ask)

    def texts(self) -> list[str]:
        return [held.text for held in self.robot.messages()]


@contextmanager
def stand(folder: Path, *, per_minute: int | None = 20, **given: Any) -> Iterator[Stand]:
    """A stand in `folder`; `given` are settings."""
    with world(folder, **given) as there:
        robot = Robot(
            {TOKEN: RobotConfig(secret=SECRET), OTHER_TOKEN: RobotConfig()},
            clock=there.clock,
            per_minute=per_minute,
        )
        events = Events(there.clock)
        http = http_to(robot)

        def build() -> Alerts:
            return Alerts(
                store=there.store,
                queries=events,
                secrets=SecretBox(there.settings),
                clock=there.clock,
                settings=there.settings,
                encode=encode,
                http=http,
            )

        made = build()
        there.api.app.include_router(alerts.api.router(made))
        yield Stand(world=there, events=events, robot=robot, alerts=made, restart=build)


MINUTE = timedelta(minutes=1)
