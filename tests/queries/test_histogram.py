"""Counts over time and most frequent values."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventcenter.errors import InvalidInput
from eventcenter.pattern import EventPattern
from queries.histogram import MOST_BUCKETS, NICE_STEPS, TARGET_BUCKETS, choose_buckets
from queries.request import EventFilter
from queries.runner import HistogramBy
from tests.queries.filling import TENANT, Filling

moments = st.datetimes(datetime(1960, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
spans = st.timedeltas(timedelta(microseconds=1), timedelta(days=40_000)) | st.timedeltas(
    timedelta(microseconds=1), timedelta(days=3)
)


@given(moments, spans, st.none() | st.floats(0.1, 1e7))
def test_buckets_cover_the_range_in_few_nice_steps(
    from_: datetime, span: timedelta, suggestion: float | None
) -> None:
    to = min(from_ + span, datetime(2200, 1, 1, tzinfo=UTC))
    buckets = choose_buckets(from_, to, suggestion)
    starts = buckets.starts()
    step = timedelta(seconds=buckets.step_s)
    assert starts[0] <= from_ < starts[0] + step
    assert starts[-1] < to <= starts[-1] + step
    assert all(after - before == step for before, after in pairwise(starts))
    assert len(starts) == buckets.count <= (TARGET_BUCKETS if suggestion is None else MOST_BUCKETS) + 1
    assert buckets.step_s in NICE_STEPS or buckets.step_s % NICE_STEPS[-1] == 0
    assert suggestion is None or buckets.step_s >= suggestion


@pytest.mark.parametrize(
    ("hours", "suggestion", "step"),
    [
        (1, None, 30),
        (24, None, 900),
        (2, None, 60),
        (24 * 7, None, 2 * 3600 + 3600),
        (1, 45, 60),
        (1, 1, 5),
        (24 * 100, 3600, 3600),
    ],
)
def test_steps(hours: int, suggestion: float | None, step: int) -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    assert choose_buckets(start, start + timedelta(hours=hours), suggestion).step_s == step


@pytest.mark.parametrize("step", [0, -1, float("nan")])
def test_a_step_is_positive(step: float) -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    with pytest.raises(InvalidInput, match="step"):
        choose_buckets(start, start + timedelta(hours=1), step)


def filled(filling: Filling) -> datetime:
    """Three minutes: a a b, nothing, a c c c d."""
    start = filling.clock.now()
    filling.add([filling.event(type=name) for name in "aab"])
    filling.clock.advance(120)
    filling.add([filling.event(type=name, source="/other", subject=name) for name in "acccd"], bus="two")
    filling.clock.advance(60)
    return start


def test_counts_are_complete_and_the_rest_is_one_series(filling: Filling) -> None:
    start = filled(filling)
    which = EventFilter(from_=start, to=start + timedelta(minutes=3))
    found = filling.queries.histogram(TENANT, which, step=60, by="type", top=2)
    assert found.buckets.step_s == 60
    assert [(each.name, each.counts) for each in found.series] == [
        ("a", (2, 0, 1)),
        ("c", (0, 0, 3)),
        (None, (1, 0, 1)),
    ]
    assert found.total == 8
    everything = filling.queries.histogram(TENANT, which, step=60, by="type", top=9)
    assert [each.name for each in everything.series] == ["a", "c", "b", "d"]


@pytest.mark.parametrize(
    ("by", "names"),
    [("bus", ["two", "default"]), ("source", ["/other", "/test"]), ("none", [None])],
)
def test_groupings(filling: Filling, by: HistogramBy, names: list[str | None]) -> None:
    filled(filling)
    found = filling.queries.histogram(TENANT, EventFilter(), by=by)
    assert [each.name for each in found.series] == names
    assert found.total == 8


def test_the_range_is_half_open_and_its_edges_cut_buckets(filling: Filling) -> None:
    start = filled(filling)
    late = start + timedelta(minutes=2)
    found = filling.queries.histogram(TENANT, EventFilter(from_=start, to=late), by="none")
    assert found.total == 3
    found = filling.queries.histogram(
        TENANT,
        EventFilter(from_=start + timedelta(seconds=1), to=late + timedelta(microseconds=1)),
        by="none",
    )
    assert found.total == 5


def test_filters_hold(filling: Filling) -> None:
    filled(filling)
    pattern = EventPattern.parse('{"type":["c"]}')
    assert filling.queries.histogram(TENANT, EventFilter(pattern=pattern)).total == 3
    assert filling.queries.top(TENANT, EventFilter(pattern=pattern)) == [("c", 3)]


def test_without_a_range_it_goes_from_the_first_event_to_now(filling: Filling) -> None:
    start = filled(filling)
    buckets = filling.queries.histogram(TENANT, EventFilter()).buckets
    assert (buckets.from_, buckets.to) == (start, filling.clock.now())


def test_by_time_the_range_goes_to_the_last_event(filling: Filling) -> None:
    filling.add([filling.event(time=time) for time in ("1969-12-31T23:59:59Z", None, "2027-01-01T00:00:00Z")])
    found = filling.queries.histogram(TENANT, EventFilter(time_field="time"), by="none")
    assert found.total == 3
    assert found.buckets.to == datetime(2027, 1, 1, 0, 0, 0, 1, tzinfo=UTC)


def test_nothing_is_zeros_or_no_series(filling: Filling) -> None:
    assert filling.queries.histogram(TENANT, EventFilter()).series == ()
    [only] = filling.queries.histogram(TENANT, EventFilter(), by="none").series
    assert set(only.counts) == {0}
    assert filling.queries.top(TENANT, EventFilter()) == []
    ahead = EventFilter(from_=filling.clock.now() + timedelta(days=1))
    assert filling.queries.histogram(TENANT, ahead).total == 0


def test_top_values(filling: Filling) -> None:
    filled(filling)
    top = filling.queries.top
    assert top(TENANT, EventFilter(), by="type", limit=3) == [("a", 3), ("c", 3), ("b", 1)]
    assert top(TENANT, EventFilter(), by="subject") == [("c", 3), ("a", 1), ("d", 1)]
    assert top(TENANT, EventFilter(buses=("two",)), by="bus") == [("two", 5)]


def test_unknown_groupings_are_refused(filling: Filling) -> None:
    with pytest.raises(InvalidInput, match="grouping"):
        filling.queries.top(TENANT, EventFilter(), by="id; DROP TABLE fresh")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="grouping"):
        filling.queries.histogram(TENANT, EventFilter(), by="subject")  # type: ignore[arg-type]


def test_statistics(filling: Filling) -> None:
    start = filled(filling)
    again = filling.event(type="again")
    filling.add([again])
    filling.add([again])
    filling.reject(b"x")
    now = filling.clock.now()
    assert filling.queries.statistics(TENANT) == {
        "events": 9,
        "rejects": 1,
        "duplicates": 1,
        "last_seq": 9,
        "buses": {"default": (4, now), "two": (5, start + timedelta(seconds=120))},
    }
