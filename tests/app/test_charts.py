"""Charts: what the axis spans."""

from datetime import UTC, datetime, timedelta

from app.components.charts import edges
from eventcenter.client import Histogram, Series

START = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)


def _found(*starts: datetime) -> Histogram:
    series = Series(name="a", points=tuple((at, 1) for at in starts))
    return Histogram(step=60, from_=START, to=START + timedelta(minutes=2), series=(series,))


def test_the_axis_has_room_for_the_whole_first_and_last_bar() -> None:
    minutes = [START.replace(second=0) + timedelta(minutes=n) for n in range(3)]
    assert edges(_found(*minutes)) == (minutes[0], minutes[-1] + timedelta(minutes=1))


def test_the_axis_spans_the_range_where_bars_end_within() -> None:
    within = START + timedelta(seconds=30)
    assert edges(_found(within)) == (START, START + timedelta(minutes=2))
    assert edges(_found()) == (START, START + timedelta(minutes=2))
