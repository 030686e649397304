"""Feeds the demo: a history of some hours first, then the cluster's life as it goes on."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import structlog

from eventcenter.client import Client, EventFilter
from eventcenter.clock import Clock, SystemClock
from eventcenter.demo import setup
from eventcenter.demo.cluster import Cluster, Happening
from eventcenter.demo.events import to_line
from eventcenter.sender import BATCH_BYTES, Sender
from eventcenter.settings import Settings
from eventcenter.testing.robot import Robot, RobotConfig, run_robot

SEED = 7
HISTORY = timedelta(hours=6)
_FIRST_TROUBLE = timedelta(seconds=20)
_log = structlog.get_logger(__name__)


def run(settings: Settings) -> None:
    """Serve the robot stand-in's page and feed bus `k8s` until the process is told to stop.

    A second start adds what happened since the first one's last event; it makes nothing twice.
    """
    clock = SystemClock()
    client = Client(settings.api_url, _session(settings))
    setup.make_bus(client)
    with Sender(settings.ingest_url, bus=setup.BUS, token=setup.make_token(client)) as sender:
        feed = Feed(sender=sender, clock=clock, since=_last_told(client, clock.now()))
        feed.send_history()
        setup.make_rules(client, robot_url=f"http://127.0.0.1:{settings.robot_port}")
        client.sign_out()
        client.close()
        robot = Robot({setup.ROBOT_TOKEN: RobotConfig(secret=setup.ROBOT_SECRET, keywords=(setup.KEYWORD,))})
        with run_robot(robot, port=settings.robot_port):
            feed.stream(time.sleep)


def _session(settings: Settings) -> str:
    """A session of the first user: only an operator may point a target at the stand-in's address."""
    from eventcenter.store import Store
    from eventcenter.store.bootstrap import FIRST_USER, sign_in_link

    with Store.open(settings) as store:
        code = sign_in_link(store, FIRST_USER)
    return Client(settings.api_url).sign_in_by_link(code).session


def _last_told(client: Client, now: datetime) -> datetime:
    """The moment from which the history is missing: the last event of the bus, or some hours ago."""
    earliest = now - HISTORY
    which = EventFilter(bus=(setup.BUS,), time_field="time")
    newest = client.events(which, order="newest", limit=1).events
    told = json.loads(bytes(newest[0].event)).get("time") if newest else None
    return earliest if told is None else max(datetime.fromisoformat(told), earliest)


class Feed:
    """The cluster's events from `since` on, sent in order of time."""

    def __init__(self, *, sender: Sender, clock: Clock, since: datetime) -> None:
        self._sender = sender
        self._clock = clock
        self._cluster = Cluster(seed=SEED, start=since)
        self._happenings = self._cluster.happenings()
        self._next: Happening = next(self._happenings)

    def send_history(self) -> int:
        """Send what happened until now, wait until it can be seen, and return how many events it was."""
        now = self._clock.now()
        batch: list[bytes] = []
        count = size = 0
        for happening in self._until(now):
            line = to_line(happening)
            if size + len(line) >= BATCH_BYTES:
                self._sender.send_lines(batch)
                batch, size = [], 0
            batch.append(line)
            size += len(line) + 1
            count += 1
        if batch:
            self._sender.send_lines(batch, wait_archived=True)
        self._cluster.trouble_at(now + _FIRST_TROUBLE)
        _log.info("demo history sent", events=count)
        return count

    def stream(self, wait: Callable[[float], None], rounds: int | None = None) -> None:
        """Send what happens as it happens, `rounds` times (None: without end), with `wait` in between."""
        while rounds is None or rounds > 0:
            lines = [to_line(happening) for happening in self._until(self._clock.now())]
            if lines:
                self._sender.send_lines(lines)
            wait(0.5)
            rounds = None if rounds is None else rounds - 1

    def _until(self, moment: datetime) -> Iterator[Happening]:
        while self._next.at <= moment:
            yield self._next
            self._next = next(self._happenings)
