"""Questions about one tenant's events, answered from its archive."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from eventcenter.archive import Archive, Archives
from eventcenter.archive.archive import Reader
from eventcenter.clock import Clock, to_micros
from eventcenter.cursor import Cursors
from eventcenter.errors import InvalidInput, NotFound
from eventcenter.event import Event, StoredEvent
from eventcenter.pattern import EventPattern
from queries import counting, pages
from queries.export import parquet
from queries.histogram import MAX_TOP, Histogram, choose_buckets
from queries.place import Place
from queries.rejects import Reject, RejectPage, visible
from queries.request import By, EventFilter, SearchRequest, SearchResult, check_limit
from queries.search import is_counted, payload_paths
from queries.statements import STATEMENTS
from queries.stretches import nearest

HistogramBy = Literal["type", "source", "bus", "none"]
TOP_BY: tuple[By, ...] = ("type", "source", "bus", "subject")
HISTOGRAM_BY: tuple[HistogramBy, ...] = ("type", "source", "bus", "none")

_decode_extensions = msgspec.json.Decoder(dict[str, str | int | bool]).decode
_MOST_SEQ = 2**63 - 1
_MICROSECOND = timedelta(microseconds=1)


class Queries:
    """Answers questions; thread-safe. Every method takes the tenant first and sees no other's events.

    A query that takes longer than the setting allows raises Unavailable. `cursor_key` signs cursors;
    without one they are good for as long as the process lives.
    """

    def __init__(self, archives: Archives, clock: Clock, *, cursor_key: bytes | None = None) -> None:
        self._archives = archives
        self._clock = clock
        self._cursors = Cursors(cursor_key)

    # -- events ------------------------------------------------------------------------------------

    def search(self, tenant_id: str, request: SearchRequest) -> SearchResult:
        """A page of events. Pages of one search show what was there when its first page was asked for.

        Raises InvalidInput for a cursor that is not one of this search.
        """
        question = request.fingerprint()
        started = None
        if request.cursor is not None:
            started = self._cursors.read(tenant_id, question, request.cursor, Place)
        with self._asked(tenant_id, request if started is None else None).reader() as reader:
            bound = reader.last_seq if started is None else started.bound
            start = None if started is None else pages.Start(seq=started.last, micros=started.micros)
            places = pages.of_search(reader, request, bound, start)
            page = places[: request.limit]
            events = _events(reader, page)
        following = None
        if len(places) > request.limit:
            end = Place(last=page[-1].seq, bound=bound, micros=page[-1].micros)
            following = self._cursors.write(tenant_id, question, end)
        return SearchResult(events=events, next=following)

    def get(self, tenant_id: str, seq: int) -> StoredEvent:
        """The event with this seq. Raises NotFound."""
        found: tuple[StoredEvent, ...] = ()
        if 0 < seq <= _MOST_SEQ:
            with self._archives.tenant(tenant_id).reader() as reader:
                place = pages.by_seq(reader, EventFilter(), first=seq, last=seq, newest=True, limit=1)
                found = _events(reader, place)
        if not found:
            raise NotFound(
                "There is no such event.",
                value=seq,
                rule="seq is that of an event in this tenant's archive",
                remedy="search for it by id or time; it may be past its retention",
            )
        return found[0]

    def last_seq(self, tenant_id: str) -> int:
        """`seq` of the newest event, 0 where there is none; everything up to it is loaded."""
        return self._archives.tenant(tenant_id).last_seq()

    def matches(
        self,
        tenant_id: str,
        *,
        buses: Sequence[str] = (),
        pattern: EventPattern | None = None,
        after_seq: int,
        up_to_seq: int,
        limit: int,
    ) -> list[StoredEvent]:
        """The first `limit` matching events with after_seq < seq ≤ up_to_seq, by seq."""
        which = EventFilter(buses=tuple(buses), pattern=pattern)
        with self._archives.tenant(tenant_id).reader() as reader:
            places = pages.by_seq(
                reader,
                which,
                first=after_seq + 1,
                last=min(up_to_seq, reader.last_seq),
                newest=False,
                limit=limit,
            )
            return list(_events(reader, places))

    def count(
        self,
        tenant_id: str,
        *,
        buses: Sequence[str] = (),
        pattern: EventPattern | None = None,
        from_: datetime | None = None,
        to: datetime | None = None,
    ) -> int:
        """How many events match, by received_at in the half-open range."""
        which = EventFilter(buses=tuple(buses), pattern=pattern, from_=from_, to=to)
        with self._asked(tenant_id, which).reader() as reader:
            return counting.count(reader, which)

    def histogram(
        self,
        tenant_id: str,
        which: EventFilter,
        *,
        step: float | None = None,
        by: HistogramBy = "type",
        top: int = 6,
    ) -> Histogram:
        """Events over time: the `top` most frequent values of `by` each, and all others together.

        Without `from_` the range begins at the first event, without `to` it ends now (by time: at the last).
        """
        if by not in HISTOGRAM_BY:
            raise _unknown_by(by, HISTOGRAM_BY)
        check_limit(top, MAX_TOP)
        with self._asked(tenant_id, which).reader() as reader:
            from_, to = self._range(reader, which)
            buckets = choose_buckets(from_, to, step)
            # All that was received lies between ends that were taken from it: to compare each costs as much
            # as to count it. Where counts tell, they want to know the range.
            bounded = is_counted(which) or which.time_field != "received_at"
            asked = replace(which, from_=from_, to=to) if bounded else which
            series = counting.series(reader, asked, None if by == "none" else by, buckets, top)
        return Histogram(buckets=buckets, series=series)

    def top(
        self, tenant_id: str, which: EventFilter, *, by: By = "type", limit: int = 10
    ) -> list[tuple[str, int]]:
        """The most frequent values of `by` with their counts; events without one are not counted."""
        if by not in TOP_BY:
            raise _unknown_by(by, TOP_BY)
        check_limit(limit)
        with self._asked(tenant_id, which).reader() as reader:
            return counting.top(reader, which, by, limit)

    def statistics(self, tenant_id: str) -> dict[str, Any]:
        """{events, rejects, duplicates, last_seq: int, buses: {name: (events, last_received_at)}}."""
        with self._archives.tenant(tenant_id).reader() as reader:
            [totals] = reader.rows(STATEMENTS["totals"])
            rows = reader.rows(STATEMENTS["bus_totals"])
        buses = {row["bus"]: (row["events"], row["last_received_at"].astimezone(UTC)) for row in rows}
        return {"events": sum(row["events"] for row in rows), **totals, "buses": buses}

    def export(self, tenant_id: str, which: EventFilter) -> Iterator[bytes]:
        """Matching events as a Parquet file, piece by piece; see `queries.export`."""
        return parquet(self._archives, tenant_id, which)

    def origins(self, tenant_id: str, seq: int) -> list[dict[str, Any]]:
        """The messages that an event came by, at most 100, as rows of `origins`; none where it was posted."""
        if not 0 < seq <= _MOST_SEQ:
            return []
        return self._archives.tenant(tenant_id).query(STATEMENTS["origins"], {"seq": seq})

    # -- rejects -----------------------------------------------------------------------------------

    def rejects(
        self, tenant_id: str, *, bus: str | None = None, limit: int = 100, cursor: str | None = None
    ) -> RejectPage:
        """A page of rejects, newest first, each with the beginning of its bytes as text."""
        check_limit(limit)
        question = f"rejects {bus!r}"
        place = Place(last=_MOST_SEQ)
        if cursor is not None:
            place = self._cursors.read(tenant_id, question, cursor, Place)
        rows = self._archives.tenant(tenant_id).query(
            STATEMENTS["rejects"], {"bus": bus, "before": place.last, "limit": limit + 1}
        )
        page = tuple(_reject(row) for row in rows[:limit])
        more = len(rows) > limit
        return RejectPage(
            rejects=page,
            next=self._cursors.write(tenant_id, question, Place(last=page[-1].id)) if more else None,
        )

    def reject(self, tenant_id: str, reject_id: int) -> Reject:
        """One reject with all its bytes. Raises NotFound."""
        rows = (
            self._archives.tenant(tenant_id).query(STATEMENTS["reject"], {"id": reject_id})
            if 0 < reject_id <= _MOST_SEQ
            else []
        )
        if not rows:
            raise NotFound(
                "There is no such reject.",
                value=reject_id,
                rule="the id is that of a reject of this tenant",
                remedy="look at the list of rejects",
            )
        return _reject(rows[0])

    # -- helpers -----------------------------------------------------------------------------------

    def _asked(self, tenant_id: str, which: EventFilter | None) -> Archive:
        """The tenant's archive, which notes the payload paths that a person's question uses."""
        archive = self._archives.tenant(tenant_id)
        if which is not None and which.pattern is not None:
            archive.note_paths(payload_paths(which.pattern))
        return archive

    def _range(self, reader: Reader, which: EventFilter) -> tuple[datetime, datetime]:
        """The range of a histogram, with what is not given taken from the events (whatever the pattern)."""
        from_, to = which.from_, which.to
        if from_ is None or to is None:
            first, last = counting.ends(reader, replace(which, pattern=None))
            if to is None:
                # By `time` the last event may lie anywhere, by received_at only the clock goes on.
                ends = [nearest(last + 1)] if last is not None else []
                if which.time_field == "received_at" or last is None:
                    ends.append(self._clock.now())
                to = max(ends)
            if from_ is None:
                from_ = to - timedelta(hours=1) if first is None else min(nearest(first), to - _MICROSECOND)
        return from_, max(to, nearest(to_micros(from_) + 1))


def _events(reader: Reader, places: Sequence[pages.Found]) -> tuple[StoredEvent, ...]:
    """Whole events in the order of `places`."""
    rows = pages.rows(reader, places)
    return tuple(_stored(rows[each.seq]) for each in places)


def _stored(row: Mapping[str, Any]) -> StoredEvent:
    data = row["data"]
    extensions = row["extensions"]
    return StoredEvent(
        seq=row["seq"],
        bus=row["bus"],
        received_at=row["received_at"].astimezone(UTC),
        event=Event(
            id=row["id"],
            source=row["source"],
            type=row["type"],
            subject=row["subject"],
            time=row["time_text"],
            datacontenttype=row["datacontenttype"],
            dataschema=row["dataschema"],
            extensions=_decode_extensions(extensions) if extensions else {},
            data=None if data is None else data.encode(),
            data_kind=row["data_kind"],
        ),
    )


def _reject(row: Mapping[str, Any]) -> Reject:
    return Reject(
        id=row["id"],
        bus=row["bus"],
        received_at=row["received_at"].astimezone(UTC),
        reason=row["reason"],
        error=row["error"],
        content_type=row["content_type"],
        event_index=row["event_index"],
        size=row["size"],
        text=visible(row["start"] or b""),
        bytes=row.get("bytes"),
    )


def _unknown_by(by: str, known: Sequence[str]) -> InvalidInput:
    return InvalidInput(
        "There is no such grouping.",
        value=by,
        rule=f"by is one of {', '.join(known)}",
        remedy="choose one of these",
    )
