"""An event → a message, for producers: binary mode, and structured where that would lose something."""

from eventcenter.errors import EventCenterError
from eventcenter.event import SPECVERSION, Event
from ingest.bindings.binary import data_of
from ingest.bindings.rocketmq.decode import CLOUDEVENTS, NO_DATA
from ingest.bindings.rocketmq.message import Message
from ingest.bindings.rocketmq.properties import PREFIX
from ingest.validation.data import essence
from ingest.validation.limits import Limits

CONTENT_TYPE = f"{PREFIX}contenttype"
MAX_PROPERTIES = 128
MAX_PROPERTY_BYTES = 16 << 10
"""Names and values, with tag and keys (limits of the proxy)."""


def encode(event: Event, topic: str) -> Message:
    """The message that `decode` reads as exactly this event; id is its key, type its tag.

    Structured is what RocketMQ cannot carry in properties (blank values, too many bytes), and what would not
    come back the same: extension attributes that are no strings, data whose kind its type does not tell. Only
    broken JSON under a JSON type, where it cannot go in binary mode, comes back otherwise: as a JSON string.
    """
    tag = event.type if event.type.strip() and "|" not in event.type else None
    # The broker joins keys with spaces.
    keys = (event.id,) if event.id and event.id.split() == [event.id] else ()
    properties = _properties(event)
    body = event.data_bytes()
    around = [tag or "", *keys]
    if properties is None or not _fits(properties, around) or not _is_told_by_type(event, body):
        properties, body = {CONTENT_TYPE: f"{CLOUDEVENTS}+json"}, event.to_json()
        if not _fits(properties, around):
            tag, keys = None, ()
    return Message(topic=topic, body=body or NO_DATA, properties=properties, tag=tag, keys=keys)


def _properties(event: Event) -> dict[str, str] | None:
    """The properties of binary mode; None where they would not say the same."""
    texts: dict[str, object] = {
        "specversion": SPECVERSION,
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.time,
        "dataschema": event.dataschema,
        **event.extensions,
    }
    if "contenttype" in event.extensions:
        return None
    properties: dict[str, str] = {}
    if event.datacontenttype is not None:
        if essence(event.datacontenttype).startswith(CLOUDEVENTS):
            return None
        texts["contenttype"] = event.datacontenttype
    for name, value in texts.items():
        if value is None:
            continue
        if not isinstance(value, str) or not value.strip():
            return None
        properties[PREFIX + name] = value
    return properties


def _fits(properties: dict[str, str], around: list[str]) -> bool:
    texts = [*properties, *properties.values(), *around]
    return len(properties) <= MAX_PROPERTIES and sum(len(t.encode()) for t in texts) <= MAX_PROPERTY_BYTES


def _is_told_by_type(event: Event, body: bytes | None) -> bool:
    """Whether the body is read as the event's data again."""
    if body is None:
        return True
    if body == NO_DATA:
        return False
    try:
        return data_of(body, event.datacontenttype or "", Limits()) == (event.data, event.data_kind)
    except EventCenterError:
        return False
