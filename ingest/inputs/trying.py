"""Tries an input's settings before anything depends on them, and looks at messages without taking any."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from eventcenter.clock import Clock, from_micros
from eventcenter.errors import Busy, EventCenterError, NotFound
from eventcenter.event import decode_line
from eventcenter.rocketmq.commands import group_command, topic_command
from eventcenter.rocketmq.remoting import Offsets, Reach
from eventcenter.rocketmq.server import Group
from eventcenter.settings import Settings
from ingest.bindings.rocketmq import Message, decode
from ingest.inputs import shapes, words
from ingest.inputs.config import RocketMq, Secrets, Topic
from ingest.inputs.connection import decoding_of, offsets_of, resolved, server_of, subscription_of
from ingest.inputs.rocketmq.pulling import pull
from ingest.validation import Limits

WITHIN_S: Final = 14.0
SAMPLES: Final = 10
_ORDER: Final = ("server", "name_server", "topic", "group", "offsets")
_AT_ONCE: Final = 6
_OF_A_TENANT: Final = 2
_MOST_TOPICS: Final = 20
_MOST_QUEUES: Final = 16
_FEW_QUEUES: Final = 4
_OF_A_QUEUE: Final = 3

_log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class _Found:
    """What was found so far; the thread that looks adds to it, and whoever waits may leave."""

    findings: dict[tuple[str, str], shapes.Finding] = field(default_factory=dict)
    samples: list[shapes.Sample] = field(default_factory=list)
    note: shapes.Words | None = None
    ended: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, finding: shapes.Finding) -> None:
        with self.lock:
            self.findings[finding.what, finding.name] = finding


class Trier:
    """Any thread may try; none waits longer than `WITHIN_S`."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._limits = Limits.of(settings)
        self._clock = clock
        self._lock = threading.Lock()
        self._busy: Counter[str] = Counter()

    def run(self, tenant_id: str, config: RocketMq, held: Secrets) -> shapes.Tried:
        """Try them. Raises Busy where too many are tried at this moment."""
        self._begin(tenant_id)
        found = _Found()

        def work() -> None:
            try:
                self._look(config, held, found)
            except Exception:  # noqa: BLE001 whoever waits gets what was found until then
                _log.exception("trying an input failed in a way it should not")
            finally:
                found.ended = True
                with self._lock:
                    self._busy[tenant_id] -= 1

        thread = threading.Thread(target=work, name="input-test", daemon=True)
        thread.start()
        thread.join(WITHIN_S)
        with found.lock:
            findings = sorted(found.findings.values(), key=lambda one: _ORDER.index(one.what))
            samples = list(found.samples)
            note = found.note if found.ended else words.TOO_LONG
        return shapes.Tried(
            ok=found.ended and bool(findings) and all(one.ok for one in findings),
            findings=findings,
            samples=samples,
            samples_note=note,
        )

    def _begin(self, tenant_id: str) -> None:
        with self._lock:
            if self._busy[tenant_id] >= _OF_A_TENANT or self._busy.total() >= _AT_ONCE:
                raise Busy(
                    "Other connections are being tested at this moment.",
                    rule=f"{_OF_A_TENANT} of a tenant at once",
                    remedy="try again when these have ended",
                )
            self._busy[tenant_id] += 1

    def _look(self, config: RocketMq, held: Secrets, found: _Found) -> None:
        if not config.name_servers:
            found.note = words.NO_NAME_SERVER
            topics = resolved(config, None)
            self._ask_proxy(config, held, list(topics.items()), found, _Commands())
            return
        with offsets_of(config, held) as offsets:
            commands = _Commands(name_servers=config.name_servers, namespace=config.namespace)
            try:
                # Before the proxy is asked: patterns are looked up here.
                topics = resolved(config, offsets)
                commands.cluster = next(iter(offsets.clusters()), None)
                name_server: EventCenterError | None = None
            except EventCenterError as error:
                topics, name_server = resolved(config, None), error
            if name_server is None and not topics:
                pattern = ", ".join(topic.topic for topic in config.topics)
                name_server = NotFound(
                    "No topic is there that the pattern means.",
                    value=pattern,
                    rule="* stands for any characters, ? for one",
                    remedy="check the pattern and the namespace, or make a topic",
                )
            self._ask_proxy(config, held, list(topics.items()), found, commands)
            found.tell(_finding("name_server", config.name_servers, name_server, commands))
            if name_server is not None:
                found.note = words.NO_SAMPLES
                return
            self._read_samples(config, offsets, dict(list(topics.items())[:_MOST_TOPICS]), found, commands)

    def _ask_proxy(
        self,
        config: RocketMq,
        held: Secrets,
        topics: list[tuple[str, Topic]],
        found: _Found,
        commands: "_Commands",
    ) -> None:
        # Only who tries a connection needs gRPC, which takes its time to import and 40 MB.
        try:
            from eventcenter.rocketmq.check import Finding, examine
        except EventCenterError as error:
            found.tell(_finding("server", config.addresses, error, commands))
            return
        if not topics:
            return

        def tell(one: Finding) -> None:
            what, name = ("group", config.group) if one.topic is None else ("topic", one.topic)
            found.tell(_finding(what, name, one.problem, commands))

        subscriptions = tuple(subscription_of(topic, name) for name, topic in topics)
        try:
            address = examine(
                server_of(config, held),
                Group(name=config.group, subscriptions=subscriptions),
                tell,
                clock=self._clock,
            )
        except EventCenterError as error:
            found.tell(_finding("server", config.addresses, error, commands))
        else:
            found.tell(_finding("server", str(address), None, commands))

    def _read_samples(
        self,
        config: RocketMq,
        offsets: Offsets,
        topics: dict[str, Topic],
        found: _Found,
        commands: "_Commands",
    ) -> None:
        end = time.monotonic() + WITHIN_S
        reach: list[Reach] = []
        for name in topics:
            try:
                reach += [one for one in offsets.reach(name) if one.newest > one.oldest]
            except EventCenterError as error:
                # One that is not there is told of already.
                if not isinstance(error, NotFound):
                    found.tell(_finding("offsets", name, error, commands))
                    found.note = words.NO_SAMPLES
        if not reach:
            found.note = found.note or words.NO_MESSAGES
            return
        most = SAMPLES if len(reach) <= _FEW_QUEUES else _OF_A_QUEUE
        newest: list[tuple[Message, str | None]] = []
        for one in reach[:_MOST_QUEUES]:
            if time.monotonic() > end:
                return
            try:
                newest += _newest(offsets, config.group, one, most)
            except EventCenterError as error:
                found.tell(_finding("offsets", one.queue.topic, error, commands))
                found.note = words.NO_SAMPLES
                return
            wanted = [each for each in newest if _is_wanted(each[0], topics)]
            wanted.sort(key=lambda each: each[0].stored_at or 0, reverse=True)
            newest = wanted[:SAMPLES]
            samples = [self._sample(config, *each, topics[each[0].topic]) for each in newest]
            with found.lock:
                found.samples = samples

    def _sample(self, config: RocketMq, message: Message, broken: str | None, topic: Topic) -> shapes.Sample:
        decoded = decode(message, self._limits, decoding_of(config, topic))
        first = decoded.checked.payload.partition(b"\n")[0]
        event = decode_line(first) if decoded.checked.count else None
        rejects = decoded.checked.rejects
        return shapes.Sample(
            topic=message.topic,
            broker=message.broker or "",
            queue_id=message.queue_id or 0,
            offset=message.queue_offset or 0,
            stored_at=None if message.stored_at is None else from_micros(message.stored_at * 1000),
            tag=message.tag,
            layout=decoded.layout,
            events=decoded.checked.count,
            id=None if event is None else event.id,
            type=None if event is None else event.type,
            source=None if event is None else event.source,
            rejected=len(rejects),
            error=broken or (rejects[0].error if rejects else None),
        )


@dataclass(kw_only=True)
class _Commands:
    """Fills what is known into the administrator's commands."""

    name_servers: str = ""
    namespace: str = ""
    cluster: str | None = None

    def filled(self, text: str) -> str:
        """With the name server's address and the cluster's name."""
        if self.name_servers:
            text = text.replace("NAMESERVER:9876", self.name_servers.partition(";")[0].strip())
        return text if self.cluster is None else text.replace("-c CLUSTER", f"-c {self.cluster}")

    def of(self, what: str, name: str) -> str | None:
        """What makes a topic or a group that is not there."""
        full = f"{self.namespace}%{name}" if self.namespace else name
        return {"topic": self.filled(topic_command(full)), "group": self.filled(group_command(full))}.get(
            what
        )


def _finding(what: Any, name: str, error: EventCenterError | None, commands: _Commands) -> shapes.Finding:
    problem = None
    if error is not None:
        problem = shapes.Problem(
            detail=error.detail,
            value=error.value,
            rule=error.rule,
            remedy=None if error.remedy is None else commands.filled(error.remedy),
        )
    command = commands.of(what, name) if isinstance(error, NotFound) else None
    return shapes.Finding(what=what, name=name, ok=error is None, problem=problem, command=command)


def _newest(offsets: Offsets, group: str, reach: Reach, most: int) -> list[tuple[Message, str | None]]:
    """The newest messages of a queue, and why they are broken; they stay what they are for the group."""
    first = max(reach.oldest, reach.newest - most)
    parts = pull(offsets, reach.queue, first, reach.newest - 1, group=group)
    return [message for _, part in parts for message in part]


def _is_wanted(message: Message, topics: dict[str, Topic]) -> bool:
    """Whether the filter lets it through, as far as that can be told here."""
    topic = topics[message.topic]
    if topic.filter_kind == "sql" or topic.filter.strip() == "*":
        return True
    return (message.tag or "") in {tag.strip() for tag in topic.filter.split("||")}
