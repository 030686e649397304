"""How inputs are, put together from the store, what services tell, and the ledger."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from eventcenter.access import Principal
from eventcenter.archive.retention import Policies, Usage
from eventcenter.clock import from_micros
from eventcenter.retention import book as retention_book
from eventcenter.store import Store
from eventcenter.store.models import Fetch, Input
from eventcenter.store.sql import select
from ingest.inputs import ledger, shapes, words
from ingest.inputs.ages import LATE_S, Ages
from ingest.inputs.book import InputBook
from ingest.inputs.config import RocketMq, Topic
from ingest.inputs.connection import config_of, is_whole, matching
from ingest.inputs.ledger import Gap, GapKind, Lag, Place, Queue
from ingest.inputs.looks import Looks, Running
from ingest.inputs.status import Problem

BEHIND_S: Final = 10.0
"""Less is nothing to catch up with: messages are under way."""
MOST_GAPS: Final = 200
MOST_QUEUES: Final = 1_000
_MOST_PROBLEMS: Final = 20
_FIRST = {GapKind.MISSING: 0, GapKind.DELETED: 1, GapKind.SCATTERED: 2}

Oldest = Callable[[str], Mapping[str, Usage]]
"""From a tenant's id to what its buses hold."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """An input, and what is known of it."""

    row: Input
    config: RocketMq
    running: Sequence[Running]
    queues: Sequence[Queue]
    buses: Mapping[str, Topic]
    """What is read now, each topic by its name; its bus is in it."""
    reach_at: datetime | None

    @property
    def whole(self) -> list[Queue]:
        """Queues of which each offset is wanted."""
        return [one for one in self.queues if self.is_whole(one.topic)]

    def is_whole(self, topic: str) -> bool:
        """Whether no message of the topic is filtered out; one that is no longer read counts as it was."""
        return topic not in self.buses or is_whole(self.buses[topic])


class Overview:
    """Works for the principal's tenant alone."""

    def __init__(self, store: Store, book: InputBook, looks: Looks, ages: Ages, usage: Oldest) -> None:
        self._store = store
        self._book = book
        self._looks = looks
        self._ages = ages
        self._usage = usage

    def all(self, who: Principal) -> list[shapes.InputAnswer]:
        """The tenant's inputs by name."""
        return [self.answer(row) for row in self._book.all(who)]

    def answer(self, row: Input) -> shapes.InputAnswer:
        """One input of the asker's tenant."""
        return shapes.InputAnswer.model_validate(self._members(self.known(row)))

    def detail(self, who: Principal, input_id: str) -> shapes.InputDetail:
        """One input with its queues and gaps. Raises NotFound."""
        row = self._book.get(who, input_id)
        known = self.known(row)
        policies = self._store.read(lambda session: retention_book.policies(session, row.tenant_id))
        gaps = [gap for one in known.queues for gap in one.gaps]
        gaps.sort(key=lambda gap: (_FIRST[gap.kind], gap.topic, gap.broker, gap.queue_id))
        fetching = self._fetching(row)
        return shapes.InputDetail.model_validate(
            {
                **self._members(known),
                "topic_states": self._topics(known, policies),
                "queues": [_queue(one, known) for one in known.queues[:MOST_QUEUES]],
                "gaps": [self._gap(gap, known, fetching) for gap in gaps[:MOST_GAPS]],
                "gaps_more": max(0, len(gaps) - MOST_GAPS),
            }
        )

    def known(self, row: Input) -> Known:
        """All that is known of an input."""
        config = config_of(row)
        reach, reach_at = self._looks.reach(row.id)
        running = self._looks.running(row.id)
        entries = self._looks.ledger(row.tenant_id, row.id)
        queues = ledger.queues(entries, reach, starts_of(row))
        self._ages.look(row.id, queues)
        return Known(
            row=row,
            config=config,
            running=running,
            queues=queues,
            buses=_buses(config, running, (one.topic for one in reach)),
            reach_at=None if reach_at is None else from_micros(reach_at * 1000),
        )

    def _members(self, known: Known) -> dict[str, Any]:
        row, config = known.row, known.config
        return {
            "id": row.id,
            "name": row.name,
            "kind": row.kind,
            **{name: getattr(config, name) for name in _TEXTS},
            "topics": [
                {name: getattr(topic, name) for name in Topic.__struct_fields__} for topic in config.topics
            ],
            "has_secret": bool(config.access_key),
            "tls": config.tls,
            "accept_unprefixed_extensions": config.accept_unprefixed_extensions,
            "service": row.service,
            "enabled": row.enabled,
            "start": {"position": row.start.get("position", "group"), "at": row.start.get("at")},
            "created_at": row.created_at,
            "updated_at": row.updated_at,
            "status": self._status(known),
        }

    def _status(self, known: Known) -> dict[str, Any]:
        lag = ledger.lag_of(known.whole, self._store.clock.now())
        state, said = self._state(known, lag)
        problems = {
            (one.detail, one.value): _problem(one) for each in known.running for one in each.status.problems
        }
        received = [each.status.last_received_at for each in known.running]
        last = max((at for at in received if at is not None), default=None)
        return {
            "state": state,
            "text": said.text,
            "remedy": said.remedy,
            "problems": list(problems.values())[:_MOST_PROBLEMS],
            "services": [each.service for each in known.running],
            "brokers": sorted({broker for each in known.running for broker in each.status.brokers}),
            "lag_messages": lag.messages,
            "lag_s": lag.seconds,
            "rate_s": self._looks.rate(known.row.id),
            "received": sum(one.received for one in known.queues),
            "stored": sum(one.stored for one in known.queues),
            "duplicates": sum(one.duplicates for one in known.queues),
            "rejected": sum(one.rejected for one in known.queues),
            "empty": sum(one.empty for one in known.queues),
            "missing": self._missing(known, known.whole),
            "last_received_at": None if last is None else from_micros(last * 1000),
            "reach_at": known.reach_at,
            "reach_problem": next(
                (
                    _problem(each.status.reach_problem)
                    for each in known.running
                    if each.status.reach_problem is not None
                ),
                None,
            ),
        }

    def _state(self, known: Known, lag: Lag) -> tuple[shapes.State, words.Said]:
        row = known.row
        if not row.enabled:
            return "paused", words.PAUSED
        if not known.running:
            names = {one.service for one in self._looks.live()}
            if row.service is not None and row.service not in names:
                return "absent", words.absent(row.service)
            return ("starting", words.STARTING) if names else ("absent", words.ABSENT)
        states = {each.status.state for each in known.running}
        if states == {"broken"}:
            return "broken", words.BROKEN
        if "broken" in states:
            return "broken", words.PARTLY_BROKEN
        if "waiting" in states:
            return "waiting", words.WAITING
        if "receiving" not in states:
            return "starting", words.STARTING
        # What the broker deleted stays missing, and nobody can do anything about it.
        gaps = [gap for one in known.whole for gap in one.gaps if gap.kind is GapKind.MISSING]
        if any(self._count(row.id, gap) for gap in gaps):
            return "gaps", words.GAPS
        if lag.messages and (lag.seconds is None or lag.seconds > BEHIND_S):
            return "behind", words.BEHIND
        if lag.messages is None:
            heard = any(one.received for one in known.queues)
            return "receiving", words.UNKNOWN_LAG if heard else words.NOTHING_YET
        return "receiving", words.UNDER_WAY if lag.messages else words.RECEIVING

    def _topics(self, known: Known, policies: Policies) -> list[dict[str, Any]]:
        found: dict[str, list[Queue]] = {name: [] for name in sorted(known.buses)}
        for one in known.queues:
            found.setdefault(one.topic, []).append(one)
        return [self._topic(known, name, queues, policies) for name, queues in found.items()]

    def _topic(self, known: Known, name: str, queues: list[Queue], policies: Policies) -> dict[str, Any]:
        topic = known.buses.get(name)
        bus = None if topic is None else topic.bus
        is_filtered = not known.is_whole(name)
        lags = [] if is_filtered else [one.lag for one in queues if one.lag is not None]
        complete = ledger.complete(
            queues, is_filtered=is_filtered, kept_since=self._kept_since(known.row.tenant_id, bus, policies)
        )
        return {
            "topic": name,
            "bus": bus,
            "filtered": is_filtered,
            "received": sum(one.received for one in queues),
            "lag_messages": sum(lags) if lags else None,
            "missing": 0 if is_filtered else self._missing(known, queues),
            "complete": {
                "since": complete.since,
                "until": complete.until,
                "why": complete.why,
                "text": _why(complete.why, paused=not known.row.enabled),
            },
        }

    def _kept_since(self, tenant_id: str, bus: str | None, policies: Policies) -> datetime | None:
        """What the archive's retention leaves of a bus, None for all of it."""
        if bus is None:
            return None
        policy = policies.buses.get(bus, policies.tenant)
        limits: list[datetime] = []
        if policy.max_age is not None:
            limits.append(self._store.clock.now() - policy.max_age)
        if policy.max_bytes is not None and (usage := self._usage(tenant_id).get(bus)) is not None:
            limits.append(usage.oldest)
        return max(limits, default=None)

    def _missing(self, known: Known, queues: Iterable[Queue]) -> int:
        """Offsets that are not under way."""
        return sum(self._count(known.row.id, gap) for one in queues for gap in one.gaps)

    def _count(self, input_id: str, gap: Gap) -> int:
        if gap.kind is not GapKind.MISSING:
            return gap.count
        return sum(last - first + 1 for first, last in self._ages.older(input_id, gap, LATE_S))

    def _gap(self, gap: Gap, known: Known, fetching: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        kind = gap.kind.value if known.is_whole(gap.topic) else "filtered"
        if kind == GapKind.MISSING and not self._count(known.row.id, gap):
            kind = "late"
        return {
            "topic": gap.topic,
            "broker": gap.broker,
            "queue_id": gap.queue_id,
            "first": gap.first,
            "last": gap.last,
            "count": gap.count,
            "kind": kind,
            "fetching": any(
                (one["topic"], one["broker"], one["queue_id"]) == (gap.topic, gap.broker, gap.queue_id)
                and one["first"] <= gap.last
                and gap.first <= one["last"]
                for one in fetching
            ),
            "text": words.GAP[kind],
        }

    def _fetching(self, row: Input) -> list[dict[str, Any]]:
        ask = select(Fetch.ranges).where(
            Fetch.tenant_id == row.tenant_id, Fetch.input_id == row.id, Fetch.state == "waiting"
        )
        found = self._store.read(lambda session: list(session.scalars(ask)))
        return [one for ranges in found for one in ranges]


_TEXTS: Final = (
    "addresses",
    "group",
    "name_servers",
    "namespace",
    "access_key",
    "tls_ca",
    "tls_name",
)


def starts_of(row: Input) -> dict[Place, int]:
    """The offsets at which the input began, as far as they are known."""
    return {
        (topic, broker, queue_id): offset for topic, broker, queue_id, offset in row.start.get("offsets", ())
    }


def _buses(config: RocketMq, running: Iterable[Running], told: Iterable[str]) -> dict[str, Topic]:
    found = {topic.topic: topic for topic in config.topics if not topic.is_pattern}
    patterns = [topic for topic in config.topics if topic.is_pattern]
    looked_up = [name for each in running for name, _ in each.status.topics]
    for name in [*looked_up, *told]:
        for topic in patterns:
            if name not in found and matching(topic.topic, [name]):
                found[name] = topic
    return found


def _queue(one: Queue, known: Known) -> dict[str, Any]:
    members = {name: getattr(one, name) for name in _OF_QUEUE}
    # What waits behind a filter is not counted: nobody knows how much of it is wanted.
    lag = one.lag if known.is_whole(one.topic) else None
    return {**members, "received": one.received, "lag_messages": lag}


_OF_QUEUE: Final = (
    "topic",
    "broker",
    "queue_id",
    "stored",
    "duplicates",
    "rejected",
    "empty",
    "first_offset",
    "last_offset",
    "first_stored_at",
    "last_stored_at",
    "oldest",
    "newest",
)


def _why(why: ledger.Why | None, *, paused: bool) -> shapes.Words:
    """Whether a topic is complete, in words."""
    if why is None:
        return words.COMPLETE
    return words.PAUSED_SO_UNKNOWN if paused and why is ledger.Why.UNREACHED else words.WHY[why]


def _problem(one: Problem) -> dict[str, Any]:
    return {"detail": one.detail, "value": one.value, "rule": one.rule, "remedy": one.remedy}
