"""Checks one event in JSON with all care: the slow way that knows why an event is refused."""

import base64
import binascii
import re

import msgspec

from eventcenter.errors import InvalidInput, TooLarge
from eventcenter.event import DataKind, Event, encode_line, single_line
from ingest.validation.attributes import Attributes, check_attributes
from ingest.validation.data import kind_of_json_member
from ingest.validation.json_text import parse
from ingest.validation.limits import Limits

_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def check_size(size: int, limits: Limits) -> None:
    """Raises TooLarge for an event of `size` bytes that is over the limit."""
    if size > limits.max_event_bytes:
        raise TooLarge(
            "The event is too large.",
            value=f"{size} bytes",
            rule=f"at most {limits.max_event_bytes} bytes of JSON (EVENTCENTER_MAX_EVENT_BYTES)",
            remedy="send a smaller event, for example one with a link to the data",
        )


def event_of_json(raw: bytes, limits: Limits) -> Event:
    """The event in the JSON text `raw` (structured mode). Raises InvalidInput or TooLarge."""
    check_size(len(raw), limits)
    return event_of_members(parse(raw, limits.max_nesting), raw, limits)


def event_of_members(members: object, raw: bytes, limits: Limits) -> Event:
    """The event of JSON text `raw` that was parsed to `members`. Raises InvalidInput."""
    if not isinstance(members, dict):
        raise InvalidInput(
            "The event is not a JSON object.",
            value=raw[:60].decode(errors="replace"),
            rule="an event in JSON is an object with the attributes as members (JSON format 1.0)",
            remedy='send {"specversion":"1.0","id":…,"source":…,"type":…}',
        )
    attributes = check_attributes(
        {name: value for name, value in members.items() if name not in {"data", "data_base64"}}, limits
    )
    data, kind = _data(members, raw, attributes.datacontenttype or "")
    return event_of(attributes, data, kind)


def event_of(attributes: Attributes, data: bytes | None, kind: DataKind | None) -> Event:
    """The event of checked attributes and data (JSON text)."""
    return Event(
        id=attributes.id,
        source=attributes.source,
        type=attributes.type,
        subject=attributes.subject,
        time=attributes.time,
        datacontenttype=attributes.datacontenttype,
        dataschema=attributes.dataschema,
        extensions=attributes.extensions,
        data=None if data is None else single_line(data),
        data_kind=kind,
    )


def line_of_json(raw: bytes, limits: Limits) -> bytes:
    """The journal line of the event in `raw`. Raises as `event_of_json`."""
    return encode_line(event_of_json(raw, limits))


def _data(
    members: dict[str, object], raw: bytes, datacontenttype: str
) -> tuple[bytes | None, DataKind | None]:
    encoded = members.get("data_base64")
    if encoded is not None:
        if "data" in members:
            raise InvalidInput(
                "The event has both `data` and `data_base64`.",
                rule="an event carries its data once (JSON format 1.0, section 3.1)",
                remedy="send JSON and text as data, bytes as data_base64",
            )
        return base64_text(encoded), "binary"
    if "data" not in members:
        return None, None
    text = bytes(_decode_members(raw)["data"])
    return text, kind_of_json_member(text, datacontenttype)


def base64_text(encoded: object) -> bytes:
    """The JSON string of a `data_base64` member. Raises InvalidInput where it is not base64."""
    if isinstance(encoded, str) and _BASE64.fullmatch(encoded) is not None:
        try:
            base64.b64decode(encoded, validate=True)
        except binascii.Error:
            pass
        else:
            return b'"%b"' % encoded.encode()
    raise InvalidInput(
        "`data_base64` is not base64.",
        value=encoded[:60] if isinstance(encoded, str) else type(encoded).__name__,
        rule="a string of the alphabet A-Z a-z 0-9 + / with padding (RFC 4648, section 4)",
        remedy="encode the bytes as base64 with padding, without line breaks",
    )
