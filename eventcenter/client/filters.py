"""Which events: the filter that search, histogram and top values share."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, kw_only=True)
class EventFilter:
    """Events with any of the given values in each attribute, of a pattern, in a half-open time range."""

    bus: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    id: tuple[str, ...] = ()
    pattern: str | None = None
    from_: datetime | None = None
    to: datetime | None = None
    time_field: str = "received_at"

    def parameters(self) -> list[tuple[str, str]]:
        """Query parameters of the API."""
        found = [
            (name, value)
            for name in ("bus", "type", "source", "subject", "id")
            for value in getattr(self, name)
        ]
        if self.pattern:
            found.append(("pattern", self.pattern))
        if self.from_ is not None:
            found.append(("from", wire_time(self.from_)))
        if self.to is not None:
            found.append(("to", wire_time(self.to)))
        found.append(("time_field", self.time_field))
        return found


def wire_time(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
