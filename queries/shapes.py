"""The HTTP shapes of questions and answers: what /openapi.json says, and how query parameters are read."""

import re
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from eventcenter.errors import InvalidInput
from eventcenter.pattern import EventPattern
from queries.histogram import MAX_TOP
from queries.request import DEFAULT_LIMIT, MAX_LIMIT, By, EventFilter, Order, SearchRequest, TimeField
from queries.runner import HistogramBy

_MOST_VALUES = 100
_PLUS_LOST = re.compile(r" (\d\d:?\d\d)$")
_ANY_OF = "; given several times: any of them"


class FilterParameters(BaseModel):
    """Which events. Unknown parameters are refused: a mistyped filter would find everything."""

    model_config = ConfigDict(extra="forbid")

    bus: list[str] = Field(default=[], max_length=_MOST_VALUES, description="Name of the bus" + _ANY_OF)
    type: list[str] = Field(default=[], max_length=_MOST_VALUES, description="The event's type" + _ANY_OF)
    source: list[str] = Field(default=[], max_length=_MOST_VALUES, description="The source" + _ANY_OF)
    subject: list[str] = Field(default=[], max_length=_MOST_VALUES, description="The subject" + _ANY_OF)
    id: list[str] = Field(default=[], max_length=_MOST_VALUES, description="The event's id" + _ANY_OF)
    trace: list[str] = Field(
        default=[],
        max_length=_MOST_VALUES,
        description="W3C trace id, 32 hexadecimal digits, of the extension attribute traceparent" + _ANY_OF,
    )
    pattern: str | None = Field(
        default=None,
        description="An event pattern as JSON (docs/patterns.md).",
        examples=['{"type":[{"prefix":"order."}],"data":{"total":[{"numeric":[">=",100]}]}}'],
    )
    from_: str | None = Field(
        default=None,
        alias="from",
        description="Start of the time range, included (RFC 3339).",
        json_schema_extra={"format": "date-time"},
    )
    to: str | None = Field(
        default=None,
        description="End of the time range, not included (RFC 3339).",
        json_schema_extra={"format": "date-time"},
    )
    time_field: TimeField = Field(
        default="received_at",
        description="Whether the range is about when the event was received or about its own time.",
    )

    def filter(self) -> EventFilter:
        """The filter. Raises InvalidInput."""
        return EventFilter(**self._filter_fields())

    def _filter_fields(self) -> dict[str, Any]:
        return {
            "buses": tuple(self.bus),
            "types": tuple(self.type),
            "sources": tuple(self.source),
            "subjects": tuple(self.subject),
            "ids": tuple(self.id),
            "traces": tuple(trace.lower() for trace in self.trace),
            "pattern": None if self.pattern is None else EventPattern.parse(self.pattern),
            "from_": None if self.from_ is None else moment("from", self.from_),
            "to": None if self.to is None else moment("to", self.to),
            "time_field": self.time_field,
        }


class SearchParameters(FilterParameters):
    """A page of events."""

    order: Order = Field(default="newest", description="Newest or oldest first, in the order of time_field.")
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Events in a page.")
    cursor: str | None = Field(default=None, description="`next` of the page before, same filters.")

    def request(self) -> SearchRequest:
        """The request. Raises InvalidInput."""
        return SearchRequest(**self._filter_fields(), order=self.order, limit=self.limit, cursor=self.cursor)


class HistogramParameters(FilterParameters):
    """Events over time."""

    step: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Wished seconds a bucket; rounded up to a nice width.",
    )
    by: HistogramBy = Field(default="type", description="What gets a series of its own.")
    top: int = Field(default=6, ge=1, le=MAX_TOP, description="How many series; all else is together in one.")


class TopParameters(FilterParameters):
    """Most frequent values."""

    by: By = Field(default="type", description="Whose values are counted.")
    limit: int = Field(default=10, ge=1, le=MAX_LIMIT, description="How many values.")


class RejectParameters(BaseModel):
    """A page of rejects."""

    model_config = ConfigDict(extra="forbid")

    bus: str | None = Field(default=None, description="Name of the bus.")
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Rejects in a page.")
    cursor: str | None = Field(default=None, description="`next` of the page before, same bus.")


class EnvelopeShape(BaseModel):
    """An event with its place in the archive."""

    seq: int = Field(description="Grows with each event of the tenant.")
    bus: str
    received_at: datetime = Field(description="When it was accepted; never decreases with seq.")
    event: dict[str, Any] = Field(
        description="The CloudEvent in JSON format; every number, key and string of its data as it was sent."
    )


class EventPageShape(BaseModel):
    """A page of events."""

    events: list[EnvelopeShape]
    next: str | None = Field(description="Cursor of the next page; null on the last one.")


class OriginShape(BaseModel):
    """A message that an event came by."""

    outcome: str = Field(description="stored, or duplicate where the event was known.")
    received_at: datetime
    input: str = Field(description="The input's id.")
    topic: str
    broker: str | None
    queue_id: int | None
    queue_offset: int | None = Field(
        description="Null where the broker does not tell it, as when redelivered."
    )
    message_id: str | None
    keys: str | None = Field(description="With a space between them.")
    tag: str | None
    born_at: datetime | None = Field(description="When the producer made it.")
    stored_at: datetime | None = Field(description="When the broker stored it.")
    delivery_attempt: int | None


class OriginsShape(BaseModel):
    """The messages that an event came by, in the order of their arrival; none where it was posted."""

    origins: list[OriginShape]


class SeriesShape(BaseModel):
    """Counts over time."""

    name: str | None = Field(description="The value; null for all others together, and where `by` is none.")
    points: list[tuple[datetime, int]] = Field(description="Start of each bucket and how many events it has.")


class HistogramShape(BaseModel):
    """Events over time. Buckets begin at round UTC times; empty ones are there with 0."""

    model_config = ConfigDict(populate_by_name=True)

    step: int = Field(description="Seconds a bucket.")
    from_: datetime = Field(alias="from", description="Start of the counted range, included.")
    to: datetime = Field(description="End of the counted range, not included.")
    series: list[SeriesShape]
    total: int


class TopItemShape(BaseModel):
    """A value and how many events have it."""

    value: str
    count: int


class TopShape(BaseModel):
    """The most frequent values, most frequent first."""

    items: list[TopItemShape]


class RejectShape(BaseModel):
    """Something that was sent and refused."""

    id: int
    bus: str
    received_at: datetime
    reason: str = Field(description="What kind of refusal: invalid, id_reused, unreadable.")
    error: str = Field(description="What is wrong, in a sentence.")
    content_type: str | None
    event_index: int | None = Field(description="Which event of the request, from 0.")
    size: int = Field(description="Bytes that were kept.")
    text: str = Field(description="The first 4 KiB as text; what cannot be seen is written as escapes.")


class RejectDetailShape(RejectShape):
    """A reject with all that was kept of it."""

    base64: str


class RejectPageShape(BaseModel):
    """A page of rejects, newest first."""

    rejects: list[RejectShape]
    next: str | None


def moment(name: str, text: str) -> datetime:
    """An RFC 3339 date-time. A `+` that a URL turned into a space is understood. Raises InvalidInput."""
    try:
        found = datetime.fromisoformat(_PLUS_LOST.sub(r"+\1", text.strip()))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or "T" not in text.upper().replace(" ", "T", 1):
        raise InvalidInput(
            f"The parameter {name} is not a moment.",
            value=text,
            rule="a moment is an RFC 3339 date-time with its offset",
            remedy="write it as 2026-11-01T08:00:00Z or 2026-11-01T16:00:00+08:00",
        )
    return found
