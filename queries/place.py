"""Where a page of events or rejects ended."""

import msgspec


class Place(msgspec.Struct, frozen=True, array_like=True):
    """What a cursor of these listings holds."""

    last: int
    """seq of the last event, or id of the last reject."""
    bound: int = 0
    """The newest seq when the first page was asked for: what comes later is in no page."""
    micros: int | None = None
    """The last event's moment in microseconds since 1970, in what its pages are ordered by."""
