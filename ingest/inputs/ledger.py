"""What a ledger and a broker's reach say together: how far behind, what is missing, since when nothing is.

Pure functions. Offsets of ranges are inclusive; a broker's reach goes from `oldest` to below `newest`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Protocol

from ingest.inputs.status import Reach


class Entry(Protocol):
    """A range of the ledger (`eventcenter.archive.ledger.LedgerRange`); those of a queue do not overlap."""

    @property
    def topic(self) -> str: ...
    @property
    def broker(self) -> str: ...
    @property
    def queue_id(self) -> int: ...
    @property
    def first_offset(self) -> int: ...
    @property
    def last_offset(self) -> int: ...
    @property
    def stored(self) -> int: ...
    @property
    def duplicates(self) -> int: ...
    @property
    def rejected(self) -> int: ...
    @property
    def empty(self) -> int: ...
    @property
    def first_stored_at(self) -> datetime | None: ...
    @property
    def last_stored_at(self) -> datetime | None: ...


class GapKind(StrEnum):
    """Why offsets are not in the ledger, as far as it is known."""

    MISSING = "missing"
    """The broker has them, or it is not known whether it has."""
    DELETED = "deleted"
    """The broker deleted them before they were received."""
    SCATTERED = "scattered"
    """Some offsets between these bounds, which ones is no longer kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """Offsets from `first` up to and with `last` of which `count` are not in the ledger."""

    topic: str
    broker: str
    queue_id: int
    first: int
    last: int
    count: int
    kind: GapKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """What was received after the last gap that stays."""

    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """One queue of a topic: what was received, and what its broker has."""

    topic: str
    broker: str
    queue_id: int
    stored: int = 0
    duplicates: int = 0
    rejected: int = 0
    empty: int = 0
    first_offset: int | None = None
    """Of the ledger; None where nothing was received yet."""
    last_offset: int | None = None
    first_stored_at: datetime | None = None
    last_stored_at: datetime | None = None
    oldest: int | None = None
    """Of the broker; None where it is not known."""
    newest: int | None = None
    lag: int | None = None
    """Messages that the broker has and that are still to be received; None where that is not known."""
    gaps: tuple[Gap, ...] = ()
    stretch: Stretch | None = None
    """None where nothing was received after the last gap that stays."""

    @property
    def received(self) -> int:
        """Messages in the ledger."""
        return self.stored + self.duplicates + self.rejected + self.empty


class Why(StrEnum):
    """Why completeness is not claimed."""

    FILTERED = "filtered"
    UNREACHED = "unreached"
    NOTHING = "nothing"
    UNREAD = "unread"
    GAPS = "gaps"
    APART = "apart"
    RETENTION = "retention"


@dataclass(frozen=True, kw_only=True, slots=True)
class Completeness:
    """All messages of a topic that its brokers stored from `since` to `until` were received; or why not."""

    since: datetime | None = None
    until: datetime | None = None
    why: Why | None = None


Place = tuple[str, str, int]
"""Topic, broker, queue."""


def queues(entries: Iterable[Entry], reach: Iterable[Reach], starts: dict[Place, int]) -> list[Queue]:
    """Each queue that is in the ledger or told by its broker, in order.

    `starts` are the offsets at which the input began, where they are known.
    """
    held: dict[Place, list[Entry]] = {}
    for entry in entries:
        held.setdefault((entry.topic, entry.broker, entry.queue_id), []).append(entry)
    told = {(one.topic, one.broker, one.queue_id): one for one in reach}
    return [
        _queue(
            place,
            sorted(held.get(place, ()), key=lambda one: one.first_offset),
            told.get(place),
            starts.get(place),
        )
        for place in sorted(held.keys() | told.keys())
    ]


def _queue(place: Place, entries: Sequence[Entry], reach: Reach | None, start: int | None) -> Queue:
    gaps = _gaps(place, entries, reach, start)
    after = _after(entries, gaps)
    return Queue(
        topic=place[0],
        broker=place[1],
        queue_id=place[2],
        stored=sum(one.stored for one in entries),
        duplicates=sum(one.duplicates for one in entries),
        rejected=sum(one.rejected for one in entries),
        empty=sum(one.empty for one in entries),
        first_offset=entries[0].first_offset if entries else None,
        last_offset=entries[-1].last_offset if entries else None,
        first_stored_at=entries[0].first_stored_at if entries else None,
        last_stored_at=entries[-1].last_stored_at if entries else None,
        oldest=None if reach is None else reach.oldest,
        newest=None if reach is None else reach.newest,
        lag=_lag(entries, reach, start),
        gaps=tuple(gaps),
        stretch=Stretch(since=after[0].first_stored_at, until=after[-1].last_stored_at) if after else None,
    )


def _lag(entries: Sequence[Entry], reach: Reach | None, start: int | None) -> int | None:
    """Without anything received, and without a known start, nobody knows what is still to come."""
    if reach is None:
        return None
    if entries:
        following = entries[-1].last_offset + 1
    elif start is not None:
        following = start
    elif reach.newest == 0:
        following = 0
    else:
        return None
    return max(0, reach.newest - max(following, reach.oldest))


def _gaps(place: Place, entries: Sequence[Entry], reach: Reach | None, start: int | None) -> list[Gap]:
    """By their first offsets. What is still to come is none."""
    found: list[Gap] = []

    def add(first: int, last: int, kind: GapKind, count: int | None = None) -> None:
        if first <= last:
            found.append(
                Gap(
                    topic=place[0],
                    broker=place[1],
                    queue_id=place[2],
                    first=first,
                    last=last,
                    count=last - first + 1 if count is None else count,
                    kind=kind,
                )
            )

    def between(first: int, last: int) -> None:
        """What is below the broker's oldest is gone."""
        kept = first if reach is None else max(first, reach.oldest)
        add(first, min(last, kept - 1), GapKind.DELETED)
        add(kept, last, GapKind.MISSING)

    if start is not None and entries:
        between(start, entries[0].first_offset - 1)
    for entry in entries:
        missing = _missing(entry)
        if missing:
            add(entry.first_offset, entry.last_offset, GapKind.SCATTERED, missing)
    for former, later in pairwise(entries):
        between(former.last_offset + 1, later.first_offset - 1)
    if reach is not None:
        following = entries[-1].last_offset + 1 if entries else start
        if following is not None:
            add(following, min(reach.oldest, reach.newest) - 1, GapKind.DELETED)
    return sorted(found, key=lambda gap: (gap.first, gap.last))


def _missing(entry: Entry) -> int:
    received = entry.stored + entry.duplicates + entry.rejected + entry.empty
    return entry.last_offset - entry.first_offset + 1 - received


def _after(entries: Sequence[Entry], gaps: Sequence[Gap]) -> Sequence[Entry]:
    """The entries behind the last gap."""
    last = max((gap.last for gap in gaps), default=-1)
    return [entry for entry in entries if entry.first_offset > last]


def complete(
    found: Sequence[Queue], *, is_filtered: bool, kept_since: datetime | None = None
) -> Completeness:
    """Since when and until when a topic with these queues was received as a whole.

    A filtered topic leaves out offsets, and what a broker has must be known of all queues. Gaps that may
    still be closed forbid the claim; behind those that stay it begins anew. `kept_since` is how far back the
    archive keeps events.
    """
    if is_filtered:
        return Completeness(why=Why.FILTERED)
    if not found or any(one.newest is None for one in found):
        return Completeness(why=Why.UNREACHED if found else Why.NOTHING)
    if any(gap.kind is GapKind.MISSING for one in found for gap in one.gaps):
        return Completeness(why=Why.GAPS)
    # A queue that never had a message says nothing against it, another that was not read does.
    read = [one for one in found if one.received]
    if any(one.lag != 0 or one.gaps for one in found if not one.received):
        return Completeness(why=Why.UNREAD)
    if not read:
        return Completeness(why=Why.NOTHING)
    stretches = [one.stretch for one in read if one.stretch is not None]
    if len(stretches) < len(read):
        return Completeness(why=Why.GAPS)
    begins = [one.since for one in stretches if one.since is not None]
    ends = [one.until for one in stretches if one.until is not None]
    if len(begins) < len(read) or len(ends) < len(read):
        return Completeness(why=Why.NOTHING)
    since = max(begins)
    # What a queue that is behind received last is as far as anybody knows; the others have nothing more.
    behind = [one.stretch.until for one in read if one.lag and one.stretch and one.stretch.until]
    until = min(behind) if behind else max(ends)
    if kept_since is not None:
        since = max(since, kept_since)
    if since > until:
        return Completeness(why=Why.APART if kept_since != since else Why.RETENTION)
    return Completeness(since=since, until=until)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lag:
    """How far an input is behind."""

    messages: int | None
    """None where no queue is known well enough."""
    seconds: float | None
    """Since the broker stored the last message that was received, of the queue that is furthest behind; 0
    where nothing is still to come, None where it is not known."""


def lag_of(found: Iterable[Queue], now: datetime) -> Lag:
    """Over all queues of which it is known."""
    known = [one for one in found if one.lag is not None]
    if not known:
        return Lag(messages=None, seconds=None)
    behind = [one for one in known if one.lag]
    if not behind:
        return Lag(messages=0, seconds=0.0)
    moments = [one.last_stored_at for one in behind if one.last_stored_at is not None]
    return Lag(
        messages=sum(one.lag or 0 for one in behind),
        seconds=max(0.0, (now - min(moments)).total_seconds()) if moments else None,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A part of a gap, and since when it is seen."""

    first: int
    last: int
    since: float
    """Seconds of a clock of the caller's."""


def seen(before: Sequence[Seen], gaps: Iterable[Gap], now: float) -> list[Seen]:
    """The gaps of a queue, in parts that are as old as they are: what was a gap `before` keeps its age."""
    found: list[Seen] = []
    old = sorted(before, key=lambda one: one.first)
    for gap in sorted(gaps, key=lambda one: one.first):
        at = gap.first
        for one in old:
            first, last = max(one.first, at), min(one.last, gap.last)
            if first > last:
                continue
            if at < first:
                found.append(Seen(first=at, last=first - 1, since=now))
            found.append(Seen(first=first, last=last, since=one.since))
            at = last + 1
        if at <= gap.last:
            found.append(Seen(first=at, last=gap.last, since=now))
    return found
