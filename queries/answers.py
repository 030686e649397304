"""Answers as JSON bytes. Event data goes through as text: no number of it ever becomes a float."""

import base64
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from eventcenter.clock import rfc3339
from eventcenter.event import StoredEvent
from queries.histogram import Histogram
from queries.rejects import Reject, RejectPage
from queries.request import SearchResult
from queries.tabular import rows_of

encode = msgspec.json.Encoder().encode


def envelope(stored: StoredEvent) -> dict[str, Any]:
    """{seq, bus, received_at, event}, to be encoded with `encode`; the event is its own exact JSON."""
    return {
        "seq": stored.seq,
        "bus": stored.bus,
        "received_at": rfc3339(stored.received_at),
        "event": msgspec.Raw(stored.event.to_json()),
    }


def page(result: SearchResult) -> dict[str, Any]:
    """{events: [envelope], next}."""
    return {"events": [envelope(each) for each in result.events], "next": result.next}


def histogram(found: Histogram) -> dict[str, Any]:
    """{step, from, to, series: [{name, points: [[start, count]]}], total}."""
    starts = pc.binary_join_element_wise('"', pa.array(found.buckets.start_texts()), '"', "")
    counts = [pa.array(each.counts).cast(pa.string()) for each in found.series]
    return {
        "step": found.buckets.step_s,
        "from": rfc3339(found.buckets.from_),
        "to": rfc3339(found.buckets.to),
        "series": [
            {"name": each.name, "points": msgspec.Raw(rows_of([starts, of_each]))}
            for each, of_each in zip(found.series, counts, strict=True)
        ],
        "total": found.total,
    }


def reject(found: Reject) -> dict[str, Any]:
    """A reject; with `base64` where all its bytes are there."""
    members: dict[str, Any] = {
        "id": found.id,
        "bus": found.bus,
        "received_at": rfc3339(found.received_at),
        "reason": found.reason,
        "error": found.error,
        "content_type": found.content_type,
        "event_index": found.event_index,
        "size": found.size,
        "text": found.text,
    }
    if found.bytes is not None:
        members["base64"] = base64.b64encode(found.bytes).decode()
    return members


def reject_page(found: RejectPage) -> dict[str, Any]:
    """{rejects, next}."""
    return {"rejects": [reject(each) for each in found.rejects], "next": found.next}
