"""The content type decides how a body carries its events (HTTP binding 1.0, section 3)."""

from enum import StrEnum
from functools import lru_cache

from eventcenter.errors import UnsupportedMediaType
from ingest.validation.data import essence, is_utf8

_BATCH = "application/cloudevents-batch"
_STRUCTURED = "application/cloudevents"
_FORMAT = "+json"
_LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})


class Mode(StrEnum):
    """How a body carries events."""

    BINARY = "binary"
    """One event: attributes in `ce-` headers, the body is its data."""
    STRUCTURED = "structured"
    """One event in JSON."""
    BATCHED = "batched"
    """A JSON array of events."""
    LINES = "lines"
    """One JSON event a line: our own way for bulk."""


@lru_cache(maxsize=1024)
def mode_of(content_type: str) -> Mode:
    """The mode that the `Content-Type` header ("" if there is none) stands for.

    Raises UnsupportedMediaType for CloudEvents in another format than JSON or another charset than UTF-8.
    """
    name = essence(content_type)
    # Batch first: its name begins with the other one.
    if name.startswith(_BATCH):
        mode, format_ = Mode.BATCHED, name.removeprefix(_BATCH)
    elif name.startswith(_STRUCTURED):
        mode, format_ = Mode.STRUCTURED, name.removeprefix(_STRUCTURED)
    elif name in _LINES:
        mode, format_ = Mode.LINES, _FORMAT
    else:
        return Mode.BINARY
    if format_ != _FORMAT or not is_utf8(content_type):
        raise UnsupportedMediaType(
            "Events are not taken in this format.",
            value=content_type,
            rule="CloudEvents in JSON, in UTF-8",
            remedy="send application/cloudevents+json, application/cloudevents-batch+json, "
            "application/x-ndjson, or the event in ce- headers with its data as body",
        )
    return mode
