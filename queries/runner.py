"""Questions about one tenant's events, answered from its archive."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from eventcenter.archive import Archive, Archives
from eventcenter.clock import Clock
from eventcenter.cursor import Cursors
from eventcenter.errors import InvalidInput, NotFound
from eventcenter.event import Event, StoredEvent
from eventcenter.pattern import EventPattern
from queries.histogram import MAX_TOP, Histogram, choose_buckets, complete
from queries.place import Place
from queries.rejects import Reject, RejectPage, visible
from queries.request import By, EventFilter, SearchRequest, SearchResult, check_limit
from queries.search import ROW, Statement, time_column
from queries.statements import STATEMENTS

HistogramBy = Literal["type", "source", "bus", "none"]
TOP_BY: tuple[By, ...] = ("type", "source", "bus", "subject")
HISTOGRAM_BY: tuple[HistogramBy, ...] = ("type", "source", "bus", "none")

_decode_extensions = msgspec.json.Decoder(dict[str, str | int | bool]).decode
_FIRST_WINDOW = 65_536
_GROWTH = 4
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
        archive = self._archives.tenant(tenant_id)
        question = request.fingerprint()
        if request.cursor is None:
            place = Place(last=0, bound=archive.last_seq())
        else:
            place = self._cursors.read(tenant_id, question, request.cursor, Place)
        started = request.cursor is not None
        by_time = request.time_field == "time"
        find = _places_by_time if by_time else _places_by_seq
        places = find(archive, request, place, started=started)
        page = places[: request.limit]
        more = len(places) > request.limit
        return SearchResult(
            events=_events(archive, [each.last for each in page]),
            next=self._cursors.write(tenant_id, question, page[-1]) if more else None,
        )

    def get(self, tenant_id: str, seq: int) -> StoredEvent:
        """The event with this seq. Raises NotFound."""
        found = _events(self._archives.tenant(tenant_id), [seq]) if 0 < seq <= _MOST_SEQ else ()
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
        archive = self._archives.tenant(tenant_id)
        which = EventFilter(buses=tuple(buses), pattern=pattern)
        seqs = _seqs(archive, which, first=after_seq + 1, last=up_to_seq, newest=False, limit=limit)
        return list(_events(archive, seqs))

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
        statement = Statement()
        statement.where_filter(EventFilter(buses=tuple(buses), pattern=pattern, from_=from_, to=to))
        return int(self._archives.tenant(tenant_id).query(*statement.select("count(*) AS n"))[0]["n"])

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
        archive = self._archives.tenant(tenant_id)
        from_, to = self._range(archive, which)
        buckets = choose_buckets(from_, to, step)
        statement = Statement()
        statement.where_filter(replace(which, from_=from_, to=to))
        sql, parameters = statement.histogram(
            None if by == "none" else by, time_column(which.time_field), buckets.start_us, buckets.step_s, top
        )
        rows = ((row["name"], row["bucket"], row["n"]) for row in archive.query(sql, parameters))
        return Histogram(buckets=buckets, series=complete(buckets, rows, grouped=by != "none"))

    def top(
        self, tenant_id: str, which: EventFilter, *, by: By = "type", limit: int = 10
    ) -> list[tuple[str, int]]:
        """The most frequent values of `by` with their counts; events without one are not counted."""
        if by not in TOP_BY:
            raise _unknown_by(by, TOP_BY)
        check_limit(limit)
        statement = Statement()
        statement.where_filter(which)
        statement.where(f"{by} IS NOT NULL")
        sql, parameters = statement.select(
            f"{by} AS value, count(*) AS n",
            f"GROUP BY value ORDER BY n DESC, value LIMIT {statement.bind(limit)}",
        )
        return [(row["value"], row["n"]) for row in self._archives.tenant(tenant_id).query(sql, parameters)]

    def statistics(self, tenant_id: str) -> dict[str, Any]:
        """{events, rejects, duplicates, last_seq: int, buses: {name: (events, last_received_at)}}."""
        archive = self._archives.tenant(tenant_id)
        [totals] = archive.query(STATEMENTS["totals"])
        buses = {
            row["bus"]: (row["events"], row["last_received_at"].astimezone(UTC))
            for row in archive.query(STATEMENTS["bus_totals"])
        }
        return {**totals, "buses": buses}

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

    def _range(self, archive: Archive, which: EventFilter) -> tuple[datetime, datetime]:
        """The range of a histogram, with what is not given taken from the events (whatever the pattern)."""
        from_, to = which.from_, which.to
        if from_ is None or to is None:
            column = time_column(which.time_field)
            statement = Statement()
            statement.where_filter(replace(which, pattern=None))
            [row] = archive.query(*statement.select(f"min({column}) AS first, max({column}) AS last"))
            first, last = row["first"], row["last"]
            if to is None:
                # By `time` the last event may lie anywhere, by received_at only the clock goes on.
                ends = [last + _MICROSECOND] if last is not None else []
                if which.time_field == "received_at" or last is None:
                    ends.append(self._clock.now())
                to = max(ends)
            if from_ is None:
                from_ = first if first is not None else to - timedelta(hours=1)
        return from_, max(to, from_ + _MICROSECOND)


def _places_by_seq(archive: Archive, request: SearchRequest, place: Place, *, started: bool) -> list[Place]:
    newest = request.order == "newest"
    first, last = 1, place.bound
    if started:
        first, last = (1, place.last - 1) if newest else (place.last + 1, place.bound)
    if request.from_ is not None or request.to is not None:
        statement = Statement()
        statement.where_filter(EventFilter(from_=request.from_, to=request.to))
        [row] = archive.query(*statement.select("min(seq) AS first, max(seq) AS last"))
        if row["first"] is None:
            return []
        first, last = max(first, row["first"]), min(last, row["last"])
    seqs = _seqs(archive, request, first=first, last=last, newest=newest, limit=request.limit + 1)
    return [Place(last=seq, bound=place.bound) for seq in seqs]


def _seqs(
    archive: Archive, which: EventFilter, *, first: int, last: int, newest: bool, limit: int
) -> list[int]:
    """Matching seqs in first…last from the asked end, at most `limit`.

    Looks at windows that grow: what is wanted mostly lies near the end, and then nothing else is read.
    """
    found: list[int] = []
    window = _FIRST_WINDOW
    while first <= last and len(found) < limit:
        low, high = (
            (max(first, last - window + 1), last) if newest else (first, min(last, first + window - 1))
        )
        statement = Statement()
        statement.where_seqs(low, high)
        statement.where_filter(which)
        direction = "DESC" if newest else "ASC"
        sql, parameters = statement.select(
            "seq", f"ORDER BY seq {direction} LIMIT {statement.bind(limit - len(found))}"
        )
        found += [row["seq"] for row in archive.query(sql, parameters)]
        first, last = (first, low - 1) if newest else (high + 1, last)
        window *= _GROWTH
    return found


def _places_by_time(archive: Archive, request: SearchRequest, place: Place, *, started: bool) -> list[Place]:
    statement = Statement()
    statement.where_seqs(1, place.bound)
    statement.where_filter(request)
    newest = request.order == "newest"
    if started:
        statement.where_after(place.micros or 0, place.last, newest=newest)
    direction = "DESC" if newest else "ASC"
    sql, parameters = statement.select(
        f"seq, epoch_us({time_column('time')}) AS micros",
        f"ORDER BY micros {direction}, seq {direction} LIMIT {statement.bind(request.limit + 1)}",
    )
    rows = archive.query(sql, parameters)
    return [Place(last=row["seq"], bound=place.bound, micros=row["micros"]) for row in rows]


def _events(archive: Archive, seqs: Sequence[int]) -> tuple[StoredEvent, ...]:
    """Whole events in the order of `seqs`. Keys first and rows then reads the payload of the page only."""
    if not seqs:
        return ()
    statement = Statement()
    statement.where_seq_is_one_of(seqs)
    rows = {row["seq"]: row for row in archive.query(*statement.select(ROW))}
    return tuple(_stored(rows[seq]) for seq in seqs if seq in rows)


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
