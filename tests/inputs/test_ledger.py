"""Lag, gaps and completeness against a plain model: sets of offsets."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ingest.inputs import ledger
from ingest.inputs.ledger import Gap, GapKind, Queue, Seen, Why
from ingest.inputs.status import Reach

EPOCH = datetime(2026, 11, 1, tzinfo=UTC)
PLACE = ("orders", "broker-a", 0)


@dataclass(frozen=True, kw_only=True)
class Entry:
    topic: str = PLACE[0]
    broker: str = PLACE[1]
    queue_id: int = PLACE[2]
    first_offset: int
    last_offset: int
    stored: int
    duplicates: int = 0
    rejected: int = 0
    empty: int = 0
    first_stored_at: datetime | None
    last_stored_at: datetime | None


def at(offset: int) -> datetime:
    """When the broker stored the message of that offset."""
    return EPOCH + timedelta(seconds=offset)


def entries(offsets: set[int], queue_id: int = 0) -> list[Entry]:
    found: list[list[int]] = []
    for offset in sorted(offsets):
        if found and found[-1][-1] + 1 == offset:
            found[-1].append(offset)
        else:
            found.append([offset])
    return [
        Entry(
            queue_id=queue_id,
            first_offset=run[0],
            last_offset=run[-1],
            stored=len(run),
            first_stored_at=at(run[0]),
            last_stored_at=at(run[-1]),
        )
        for run in found
    ]


def reach(oldest: int, newest: int, queue_id: int = 0) -> Reach:
    return Reach(topic=PLACE[0], broker=PLACE[1], queue_id=queue_id, oldest=oldest, newest=newest)


def one(received: set[int], told: Reach | None, start: int | None = None) -> Queue:
    starts = {} if start is None else {PLACE: start}
    found = ledger.queues(entries(received), [told] if told else [], starts)
    assert len(found) == 1
    return found[0]


def offsets(gaps: tuple[Gap, ...], kind: GapKind) -> set[int]:
    return {offset for gap in gaps if gap.kind is kind for offset in range(gap.first, gap.last + 1)}


received_sets = st.sets(st.integers(0, 40), min_size=1)
reaches = st.tuples(st.integers(0, 50), st.integers(0, 50)).map(sorted)


@given(received_sets, reaches, st.none() | st.integers(0, 40))
def test_each_offset_is_received_missing_deleted_or_to_come(
    received: set[int], told: list[int], start: int | None
) -> None:
    oldest, newest = told
    found = one(received, reach(oldest, newest), start)
    begin = min(received) if start is None else min(start, *received)
    top = max(received)
    held = set(range(oldest, newest))
    inside = set(range(begin, top + 1)) - received
    assert offsets(found.gaps, GapKind.MISSING) == {offset for offset in inside if offset >= oldest}
    lost = set(range(top + 1, oldest))
    assert offsets(found.gaps, GapKind.DELETED) == {offset for offset in inside if offset < oldest} | lost
    assert found.lag == len({offset for offset in held if offset > top})
    assert sum(gap.count for gap in found.gaps) == len(inside | lost)
    assert found.received == len(received)
    assert list(found.gaps) == sorted(found.gaps, key=lambda gap: gap.first)


@given(received_sets)
def test_without_reach_the_holes_are_gaps_and_nothing_is_said_of_what_waits(received: set[int]) -> None:
    found = one(received, None)
    assert offsets(found.gaps, GapKind.MISSING) == set(range(min(received), max(received) + 1)) - received
    assert found.lag is None
    assert ledger.lag_of([found], EPOCH).messages is None
    assert ledger.complete([found], is_filtered=False).why is Why.UNREACHED


@given(received_sets, reaches, st.none() | st.integers(0, 40))
def test_what_is_claimed_to_be_complete_is(received: set[int], told: list[int], start: int | None) -> None:
    oldest, newest = told
    found = one(received, reach(oldest, newest), start)
    claim = ledger.complete([found], is_filtered=False)
    if claim.why is None:
        assert claim.since is not None
        assert claim.until is not None
        first, last = ((moment - EPOCH) // timedelta(seconds=1) for moment in (claim.since, claim.until))
        assert set(range(first, last + 1)) <= received
        assert not offsets(found.gaps, GapKind.MISSING)
    else:
        assert claim.why is Why.GAPS
        assert found.gaps
    assert ledger.complete([found], is_filtered=True).why is Why.FILTERED


@given(received_sets, received_sets, st.booleans())
def test_of_several_queues_only_their_common_time_is_complete(
    left: set[int], right: set[int], behind: bool
) -> None:
    whole = [set(range(min(each), max(each) + 1)) for each in (left, right)]
    both = [*entries(whole[0], 0), *entries(whole[1], 1)]
    told = [reach(0, max(whole[0]) + 1, 0), reach(0, max(whole[1]) + 1 + behind, 1)]
    found = ledger.queues(both, told, {})
    claim = ledger.complete(found, is_filtered=False)
    begin = max(min(each) for each in whole)
    end = max(whole[1]) if behind else max(max(each) for each in whole)
    if begin <= end:
        assert (claim.since, claim.until) == (at(begin), at(end))
    else:
        assert claim.why is Why.APART


def test_a_queue_that_never_had_a_message_says_nothing_against_it() -> None:
    found = ledger.queues(entries({3, 4}), [reach(0, 5), reach(0, 0, 1)], {})
    assert ledger.complete(found, is_filtered=False).why is None


def test_a_queue_that_was_not_read_does() -> None:
    found = ledger.queues(entries({3, 4}), [reach(0, 5), reach(0, 7, 1)], {})
    assert found[1].lag is None
    assert ledger.complete(found, is_filtered=False).why is Why.UNREAD


def test_what_waits_is_known_from_the_start_where_that_is() -> None:
    found = ledger.queues([], [reach(2, 7)], {PLACE: 4})
    assert (found[0].lag, found[0].gaps) == (3, ())
    assert ledger.complete(found, is_filtered=False).why is Why.UNREAD


def test_what_was_deleted_before_the_first_was_received_is_a_gap() -> None:
    found = ledger.queues([], [reach(6, 7)], {PLACE: 4})
    assert [(gap.first, gap.last, gap.kind) for gap in found[0].gaps] == [(4, 5, GapKind.DELETED)]


def test_ranges_that_were_joined_count_what_they_miss() -> None:
    joined = Entry(
        first_offset=0, last_offset=9, stored=6, rejected=1, first_stored_at=at(0), last_stored_at=at(9)
    )
    [found] = ledger.queues([joined, *entries({10, 11})], [reach(0, 12)], {})
    assert [(gap.first, gap.last, gap.count, gap.kind) for gap in found.gaps] == [
        (0, 9, 3, GapKind.SCATTERED)
    ]
    claim = ledger.complete([found], is_filtered=False)
    assert (claim.since, claim.until) == (at(10), at(11))


def test_what_the_archive_no_longer_keeps_is_not_claimed() -> None:
    found = ledger.queues(entries(set(range(10))), [reach(0, 10)], {})
    assert ledger.complete(found, is_filtered=False, kept_since=at(4)).since == at(4)
    assert ledger.complete(found, is_filtered=False, kept_since=at(20)).why is Why.RETENTION


def test_lag_in_seconds_is_that_of_the_queue_that_is_furthest_behind() -> None:
    found = ledger.queues(
        [*entries({0, 1}), *entries({5}, 1), *entries({9}, 2)],
        [reach(0, 4), reach(0, 8, 1), reach(0, 10, 2)],
        {},
    )
    lag = ledger.lag_of(found, at(20))
    assert (lag.messages, lag.seconds) == (4, 19.0)
    idle = ledger.lag_of(ledger.queues(entries({0}), [reach(0, 1)], {}), at(20))
    assert (idle.messages, idle.seconds) == (0, 0.0)


gap_sets = st.sets(st.integers(0, 30))


def gaps(missing: set[int]) -> list[Gap]:
    return [
        Gap(
            topic=PLACE[0],
            broker=PLACE[1],
            queue_id=0,
            first=entry.first_offset,
            last=entry.last_offset,
            count=entry.last_offset - entry.first_offset + 1,
            kind=GapKind.MISSING,
        )
        for entry in entries(missing)
    ]


@given(st.lists(gap_sets, min_size=1, max_size=6))
def test_each_missing_offset_is_as_old_as_it_is(looks: list[set[int]]) -> None:
    parts: list[Seen] = []
    since: dict[int, float] = {}
    for now, missing in enumerate(looks):
        parts = ledger.seen(parts, gaps(missing), float(now))
        since = {offset: since.get(offset, float(now)) for offset in missing}
        told = [(offset, part.since) for part in parts for offset in range(part.first, part.last + 1)]
        assert len(told) == len(dict(told))
        assert dict(told) == since
