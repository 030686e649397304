"""Counts over time: which buckets, and how rows become complete series."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from eventcenter.clock import from_micros, to_micros
from eventcenter.errors import InvalidInput

_DAY = 86_400
NICE_STEPS = (
    1,
    5,
    10,
    30,
    60,
    300,
    900,
    1800,
    3600,
    3 * 3600,
    6 * 3600,
    12 * 3600,
    _DAY,
    7 * _DAY,
    30 * _DAY,
)
"""Seconds. Each up to a day divides it, so buckets begin at round UTC times."""
TARGET_BUCKETS = 120
MOST_BUCKETS = 3000
MAX_TOP = 50
_SECOND = 1_000_000
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Buckets:
    """Buckets of equal width that cover the half-open range from…to, aligned to 1970-01-01T00:00Z."""

    from_: datetime
    to: datetime
    step_s: int

    @property
    def start_us(self) -> int:
        """Start of the first bucket in microseconds since 1970: at or before `from_`."""
        step = self.step_s * _SECOND
        return to_micros(self.from_) // step * step

    @property
    def count(self) -> int:
        """How many buckets."""
        return -((self.start_us - to_micros(self.to)) // (self.step_s * _SECOND))

    def starts(self) -> list[datetime]:
        """When each bucket begins; the first may begin before `from_`, where nothing is counted."""
        return [from_micros(self.start_us + i * self.step_s * _SECOND) for i in range(self.count)]

    def start_texts(self) -> npt.NDArray[np.str_]:
        """The same in RFC 3339."""
        first = self.start_us // _SECOND
        seconds = np.arange(first, first + self.count * self.step_s, self.step_s)
        return np.datetime_as_string(seconds.astype("datetime64[s]"), timezone="UTC")


@dataclass(frozen=True, kw_only=True)
class Series:
    """Counts of the events with one value, a number for each bucket."""

    name: str | None
    """The value; None for all others together, and where nothing was asked to be told apart."""
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Events over time: the largest series first, the others' last."""

    buckets: Buckets
    series: tuple[Series, ...]

    @property
    def total(self) -> int:
        """All events counted."""
        return sum(sum(each.counts) for each in self.series)


def choose_buckets(from_: datetime, to: datetime, suggestion: float | None = None) -> Buckets:
    """About 120 buckets of a nice width; a suggested width (seconds) is rounded up to a nice one.

    A suggestion may lead to at most 3,000 buckets; the width is made larger until it does.
    """
    if suggestion is not None and not suggestion > 0:
        raise InvalidInput(
            "The step is out of range.",
            value=suggestion,
            rule="step is a number of seconds greater than 0",
            remedy="leave it out, and a fitting one is chosen",
        )
    least = suggestion or 0
    most = TARGET_BUCKETS if suggestion is None else MOST_BUCKETS
    span = (to - from_).total_seconds()
    for step in (each for each in NICE_STEPS if each >= least):
        if span <= step * most:
            return Buckets(from_=from_, to=to, step_s=step)
    month = NICE_STEPS[-1]
    return Buckets(
        from_=from_, to=to, step_s=month * max(-(-int(least) // month), -(-int(span) // (month * most)))
    )


def complete(
    buckets: Buckets, names: Sequence[str | None], code: Numbers, bucket: Numbers, n: Numbers, *, most: int
) -> tuple[Series, ...]:
    """Counts → series with a zero where a bucket has none: the `most` largest ones, and one of all others.

    `code[i]` (place in `names`), `bucket[i]`, `n[i]`: so many events. A name of None is there even without
    events.
    """
    totals = np.bincount(code, n, len(names))
    named = [place for place, name in enumerate(names) if totals[place] > 0 or name is None]
    named.sort(key=lambda place: (-totals[place], names[place] or ""))
    best, size = named[:most], buckets.count
    slots = np.full(len(names), len(best))
    slots[best] = np.arange(len(best))
    # Sums of doubles are exact up to 2^53.
    counts = np.bincount(slots[code] * size + bucket, n, (len(best) + 1) * size).astype(np.int64)
    rows = counts.reshape(-1, size).tolist()
    found = [Series(name=names[place], counts=tuple(row)) for place, row in zip(best, rows, strict=False)]
    if len(named) > len(best):
        found.append(Series(name=None, counts=tuple(rows[-1])))
    return tuple(found)
