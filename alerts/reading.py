"""What rules ask of a tenant's archive: a reader that stands on `seq`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from eventcenter.event import StoredEvent
from eventcenter.pattern import EventPattern
from queries import Queries, SearchRequest


class EventReader(Protocol):
    """What alerts stand on. Each call may raise Unavailable (retryable)."""

    def last_seq(self, tenant_id: str) -> int:
        """`seq` of the newest event; everything up to it is loaded. 0 where there is none."""
        ...

    def matches(
        self,
        tenant_id: str,
        *,
        buses: Sequence[str],
        pattern: EventPattern,
        after_seq: int,
        up_to_seq: int,
        limit: int,
    ) -> Sequence[StoredEvent]:
        """The first `limit` events of the range (`after_seq` excluded) that match, in the order of `seq`."""
        ...

    def get(self, tenant_id: str, seq: int) -> StoredEvent:
        """One event. Raises NotFound."""
        ...

    def newest(self, tenant_id: str, *, buses: Sequence[str], pattern: EventPattern) -> StoredEvent | None:
        """The newest event that matches, or None."""
        ...

    def count(
        self, tenant_id: str, *, buses: Sequence[str], pattern: EventPattern, from_: datetime, to: datetime
    ) -> int:
        """How many events received in `from_` ≤ t < `to` match."""
        ...


class ArchiveReader:
    """The reader of the real archives, through `queries`."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def last_seq(self, tenant_id: str) -> int:
        return self._queries.last_seq(tenant_id)

    def matches(
        self,
        tenant_id: str,
        *,
        buses: Sequence[str],
        pattern: EventPattern,
        after_seq: int,
        up_to_seq: int,
        limit: int,
    ) -> Sequence[StoredEvent]:
        return self._queries.matches(
            tenant_id, buses=buses, pattern=pattern, after_seq=after_seq, up_to_seq=up_to_seq, limit=limit
        )

    def get(self, tenant_id: str, seq: int) -> StoredEvent:
        return self._queries.get(tenant_id, seq)

    def newest(self, tenant_id: str, *, buses: Sequence[str], pattern: EventPattern) -> StoredEvent | None:
        request = SearchRequest(buses=tuple(buses), pattern=pattern, limit=1)
        return next(iter(self._queries.search(tenant_id, request).events), None)

    def count(
        self, tenant_id: str, *, buses: Sequence[str], pattern: EventPattern, from_: datetime, to: datetime
    ) -> int:
        return self._queries.count(tenant_id, buses=buses, pattern=pattern, from_=from_, to=to)
