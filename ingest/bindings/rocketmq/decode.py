"""A message → journal lines, the same that HTTP makes of these events."""

import json
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import quote

import msgspec

from eventcenter.clock import from_micros, rfc3339
from eventcenter.errors import EventCenterError, InvalidInput
from eventcenter.event import SPECVERSION
from ingest.bindings.binary import line_of_attributes
from ingest.bindings.mode import Mode, mode_of
from ingest.bindings.rocketmq import properties
from ingest.bindings.rocketmq.message import Message, Origin, shown_message
from ingest.body import too_large
from ingest.validation import Checked, Limits, check_array, check_one
from ingest.validation.checked import reject
from ingest.validation.data import essence
from ingest.validation.json_text import parse

NO_DATA = b"\x00"
"""The body of an event without data, as the Java SDK sends it: RocketMQ refuses an empty one."""
CLOUDEVENTS = "application/cloudevents"

_LENIENT = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len)
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Layout(StrEnum):
    """How a message carries events; the first that fits holds."""

    BATCHED = "batched"
    """The content type is application/cloudevents-batch."""
    STRUCTURED = "structured"
    """The content type is application/cloudevents."""
    BINARY = "binary"
    """Attributes in prefixed properties."""
    EVENTBRIDGE = "eventbridge"
    """Attributes in properties without prefix (apache/rocketmq-eventbridge)."""
    UNMARKED = "unmarked"
    """The body is an event in JSON, and nothing says so."""
    PLAIN = "plain"
    """No event."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoding:
    """How an input reads messages."""

    cluster: str
    """The name that the source of wrapped messages tells."""
    accept_unprefixed_extensions: bool = True
    """Whether properties in lower case are extension attributes in binary mode: the Java SDK's are."""
    wrap_type: str | None = None
    """The type of the events that plain messages become; None refuses these."""


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """A message's events, good and refused, and where they came from."""

    checked: Checked
    """As of a posted body. A reject's data is what `shown_message` gives."""
    origin: Origin
    layout: Layout
    content_type: str
    """What the prefixed properties say, "" where they say nothing."""


def decode(message: Message, limits: Limits, decoding: Decoding) -> Decoded:
    """What `message` carries. Raises nothing: what is wrong with it is in the rejects."""
    prefixed = properties.Prefixed(message.properties)
    content_type = prefixed.content_type()
    layout = _layout(message, prefixed, content_type)
    origin = Origin.of(message)
    try:
        checked = _check(message, prefixed, layout, limits, decoding)
        if checked.rejects:
            # Those of a batch may be many: they do not repeat the message's properties.
            sent = None if layout is Layout.BATCHED else message.properties
            rejects = (
                replace(one, data=shown_message(origin, sent, one.data)[: limits.max_event_bytes])
                for one in checked.rejects
            )
            checked = replace(checked, rejects=tuple(rejects))
    except EventCenterError as error:
        shown = shown_message(origin, message.properties, message.body)
        checked = Checked(payload=b"", count=0, rejects=(reject(0, error, shown, limits.max_event_bytes),))
    return Decoded(checked=checked, origin=origin, layout=layout, content_type=content_type)


def _layout(message: Message, prefixed: properties.Prefixed, content_type: str) -> Layout:
    name = essence(content_type)
    if name.startswith(CLOUDEVENTS):
        return Layout.BATCHED if name.startswith(f"{CLOUDEVENTS}-batch") else Layout.STRUCTURED
    if "specversion" in prefixed:
        return Layout.BINARY
    if properties.is_eventbridge(message.properties):
        return Layout.EVENTBRIDGE
    if _is_event(message.body):
        return Layout.UNMARKED
    # Meant as an event: told what it lacks, and not wrapped.
    return Layout.BINARY if any(name in prefixed for name in properties.REQUIRED) else Layout.PLAIN


def _check(
    message: Message,
    prefixed: properties.Prefixed,
    layout: Layout,
    limits: Limits,
    decoding: Decoding,
) -> Checked:
    """Raises InvalidInput, TooLarge, UnsupportedMediaType."""
    if len(message.body) > limits.max_body_bytes:
        raise too_large(limits.max_body_bytes, len(message.body))
    if layout is Layout.UNMARKED:
        return check_one(message.body, limits)
    if layout in {Layout.BATCHED, Layout.STRUCTURED}:
        mode = mode_of(_with_format(prefixed.content_type()))
        return (check_array if mode is Mode.BATCHED else check_one)(message.body, limits)
    body = b"" if message.body == NO_DATA else message.body
    members: dict[str, object]
    if layout is Layout.BINARY:
        attributes = prefixed.attributes()
        members = {**attributes}
        if decoding.accept_unprefixed_extensions:
            members |= properties.unprefixed_extensions(message.properties, attributes)
    elif layout is Layout.EVENTBRIDGE:
        members = properties.eventbridge_attributes(message.properties, limits)
    else:
        body = message.body
        members = {**_wrapped(message, prefixed.content_type(), limits, decoding)}
    return Checked(payload=line_of_attributes(members, body, limits), count=1)


def _with_format(content_type: str) -> str:
    """Without a format JSON is meant, which all receivers read (RocketMQ binding, section 1.4)."""
    name, *parameters = content_type.split(";", 1)
    if essence(name) in {CLOUDEVENTS, f"{CLOUDEVENTS}-batch"}:
        name = f"{name.strip()}+json"
    return ";".join((name, *parameters))


def _is_event(body: bytes) -> bool:
    """Whether it is a JSON object with the required attributes, good or not."""
    if not body.lstrip(b" \t\r\n").startswith(b"{"):
        return False
    try:
        members = _LENIENT.decode(body.decode())
    except (ValueError, RecursionError):
        return False
    return all(name in members for name in properties.REQUIRED)


def _wrapped(message: Message, content_type: str, limits: Limits, decoding: Decoding) -> dict[str, str]:
    """The attributes of the event that stands for a plain message. Raises InvalidInput without a type for it.

    The same message gives the same event, whenever it is delivered again.
    """
    if decoding.wrap_type is None:
        raise InvalidInput(
            "There is no event in the message.",
            value=f"topic {message.topic}, message {message.message_id}",
            rule="a message carries CloudEvents 1.0: in CE_ properties with the data as body, or in JSON",
            remedy="send it as an event, or give the input a type under which it wraps plain messages",
        )
    given = {
        "specversion": SPECVERSION,
        "id": message.message_id,
        "source": f"rocketmq://{decoding.cluster}/{quote(message.topic, safe='')}",
        "type": decoding.wrap_type,
        "subject": message.tag,
        "time": None if message.born_at is None else _moment(message.born_at),
        "datacontenttype": content_type or _guessed_type(message.body, limits),
        "keys": " ".join(message.keys),
        "properties": properties.kept_properties(message.properties),
    }
    return {name: value for name, value in given.items() if value}


def _moment(milliseconds: int) -> str | None:
    try:
        return rfc3339(from_micros(milliseconds * 1000))
    except OverflowError:
        return None


def _guessed_type(body: bytes, limits: Limits) -> str | None:
    """The type of a body that nothing is said about; None for JSON and for bytes, which are told without."""
    try:
        parse(body, limits.max_nesting - 1)
    except InvalidInput:
        return "text/plain" if _is_text(body) else None
    return None


def _is_text(body: bytes) -> bool:
    try:
        return bool(body) and _NOT_TEXT.search(body.decode()) is None
    except UnicodeDecodeError:
        return False
