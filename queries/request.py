"""What is asked for: the filter all questions share, and the question for a page of events."""

import re
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal

from eventcenter.clock import rfc3339
from eventcenter.errors import InvalidInput
from eventcenter.event import StoredEvent
from eventcenter.pattern import EventPattern

TimeField = Literal["received_at", "time"]
Order = Literal["newest", "oldest"]
By = Literal["type", "source", "bus", "subject"]

MAX_LIMIT = 500
DEFAULT_LIMIT = 100
_TRACE = re.compile(r"[0-9a-f]{32}")
_NO_TRACE = "0" * 32


@dataclass(frozen=True, kw_only=True)
class EventFilter:
    """Which events: any of the values of each given attribute, the pattern, the time range, all of them."""

    buses: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()
    """W3C trace ids, as the extension attribute traceparent holds them."""
    pattern: EventPattern | None = None
    from_: datetime | None = None
    """Start of the range, included."""
    to: datetime | None = None
    """End of the range, not included."""
    time_field: TimeField = "received_at"
    """What range and order are about; by `time`, an event without one stands where it was received."""

    def __post_init__(self) -> None:
        for moment in (self.from_, self.to):
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"a moment without a time zone: {moment}")
        for trace in self.traces:
            if _TRACE.fullmatch(trace) is None or trace == _NO_TRACE:
                raise InvalidInput(
                    "The trace is not a trace id.",
                    value=trace,
                    rule="a W3C trace id is 32 hexadecimal digits in lower case, not all of them 0",
                    remedy="take the second part of a traceparent: 00-<trace id>-<span id>-01",
                )
        if self.from_ is not None and self.to is not None and self.from_ >= self.to:
            raise InvalidInput(
                "The time range is empty.",
                value=f"from={rfc3339(self.from_)} to={rfc3339(self.to)}",
                rule="from lies before to; from is included, to is not",
                remedy="swap the two, or leave one of them out",
            )

    def fingerprint(self) -> str:
        """A text that differs where the filters differ."""
        values = {each.name: getattr(self, each.name) for each in fields(EventFilter)}
        values["pattern"] = None if self.pattern is None else self.pattern.text
        return repr(sorted(values.items()))


@dataclass(frozen=True, kw_only=True)
class SearchRequest(EventFilter):
    """A page of the events that pass the filter."""

    order: Order = "newest"
    """By `seq` where `time_field` is received_at (the same order), else by time, then seq."""
    limit: int = DEFAULT_LIMIT
    """Events in a page, 1 to 500."""
    cursor: str | None = None
    """`next` of the page before, under the same filters."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_limit(self.limit)

    def fingerprint(self) -> str:
        return f"{super().fingerprint()} {self.order}"


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """One page."""

    events: tuple[StoredEvent, ...]
    next: str | None
    """Cursor of the next page; None on the last one."""


def check_limit(limit: int, most: int = MAX_LIMIT) -> None:
    """Raises InvalidInput where `limit` is not in 1…`most`."""
    if not 1 <= limit <= most:
        raise InvalidInput(
            "The limit is out of range.",
            value=limit,
            rule=f"limit is a whole number from 1 to {most}",
            remedy="ask for less and go on with the cursor `next`",
        )
