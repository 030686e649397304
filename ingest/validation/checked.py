"""What checking a body leads to."""

from dataclasses import dataclass

from eventcenter.errors import EventCenterError


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    """An event that was refused."""

    index: int
    """Its place among the body's events, from 0."""
    error: str
    """Value, rule and way out in one line."""
    problem: dict[str, str | int]
    """RFC 9457 members for the answer if it is alone; status 400, or 413 where it is too large."""
    data: bytes
    """The event as sent, cut to the largest event's size."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A body's events: the good ones as journal lines, the others with their reason."""

    payload: bytes
    """Journal lines (`eventcenter.event.encode_line`), in the order sent."""
    count: int
    """Lines in the payload."""
    rejects: tuple[Reject, ...] = ()


def reject(index: int, error: EventCenterError, data: bytes, max_bytes: int) -> Reject:
    """The reject of the event `data` for `error`."""
    members = {
        name: value if isinstance(value, int) else str(value) for name, value in error.problem().items()
    }
    return Reject(index=index, error=str(error), problem=members, data=data[:max_bytes])
