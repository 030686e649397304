"""Which part of a time range whole hours and whole minutes cover, and what is left at its ends."""

from dataclasses import dataclass
from datetime import UTC, datetime

from eventcenter.archive.rollup import MINUTE_US
from eventcenter.clock import from_micros, to_micros

HOUR_MINUTES = 60
HOUR_US = HOUR_MINUTES * MINUTE_US
Stretch = tuple[int | None, int | None]
"""From, included, and to, not included; None where it has no end."""


_FIRST = to_micros(datetime.min.replace(tzinfo=UTC))
_LAST = to_micros(datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, kw_only=True)
class Stretches:
    """A range in pieces that do not overlap: `hours`, `minutes` and `ragged` together are all of it."""

    hours: Stretch | None = None
    """In hours since 1970."""
    minutes: tuple[Stretch, ...] = ()
    """In minutes since 1970."""
    ragged: tuple[Stretch, ...] = ()
    """In microseconds since 1970: less than a minute each, or all of a range that has no whole minute."""

    @property
    def whole(self) -> Stretch | None:
        """All that is not ragged, in minutes since 1970."""
        if self.hours is None:
            return self.minutes[0] if self.minutes else None
        first, last = (None if end is None else end * HOUR_MINUTES for end in self.hours)
        for low, high in self.minutes:
            first = low if high == first else first
            last = high if low == last else last
        return first, last


def split(first_us: int | None, last_us: int | None, *, hours: bool) -> Stretches:
    """The range first_us…last_us (half-open) in pieces; `hours`: whole hours may be taken as such."""
    low = None if first_us is None else -(-first_us // MINUTE_US)
    high = None if last_us is None else last_us // MINUTE_US
    if low is not None and high is not None and low >= high:
        return Stretches(ragged=((first_us, last_us),))
    ragged: list[Stretch] = []
    if low is not None and low * MINUTE_US != first_us:
        ragged.append((first_us, low * MINUTE_US))
    if high is not None and high * MINUTE_US != last_us:
        ragged.append((high * MINUTE_US, last_us))
    first_hour = None if low is None else -(-low // HOUR_MINUTES)
    last_hour = None if high is None else high // HOUR_MINUTES
    if not hours or (first_hour is not None and last_hour is not None and first_hour >= last_hour):
        return Stretches(minutes=((low, high),), ragged=tuple(ragged))
    minutes: list[Stretch] = []
    if first_hour is not None and low != first_hour * HOUR_MINUTES:
        minutes.append((low, first_hour * HOUR_MINUTES))
    if last_hour is not None and high != last_hour * HOUR_MINUTES:
        minutes.append((last_hour * HOUR_MINUTES, high))
    return Stretches(hours=(first_hour, last_hour), minutes=tuple(minutes), ragged=tuple(ragged))


def all_of(first_us: int | None, last_us: int | None) -> Stretches:
    """The range as one ragged piece: for what the counts cannot tell."""
    return Stretches(ragged=((first_us, last_us),))


def hours_of(first: int | None, last: int | None) -> Stretch:
    """The hours first…last, both included, in microseconds since 1970."""
    return None if first is None else first * HOUR_US, None if last is None else (last + 1) * HOUR_US


def nearest(micros: int) -> datetime:
    """The moment, or the nearest that can be told: an offset may move the year 9999 beyond its end."""
    return from_micros(min(max(micros, _FIRST), _LAST))
