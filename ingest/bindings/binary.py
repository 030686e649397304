"""Binary mode: attributes in `ce-` headers, data as the body (HTTP binding 1.0, section 3.1)."""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import msgspec

from eventcenter.errors import InvalidInput
from eventcenter.event import DataKind, Event, encode_line
from ingest.validation import quick
from ingest.validation.attributes import Problem, check_attributes, refusal
from ingest.validation.data import is_json_type, is_text_type
from ingest.validation.exact import check_size, event_of
from ingest.validation.json_text import BrokenJson, parse
from ingest.validation.limits import Limits

Headers = Sequence[tuple[bytes, bytes]]
_PREFIX = b"ce-"
_CONTENT_TYPE = b"content-type"
_encode = msgspec.json.Encoder().encode
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})?")
_QUOTED = re.compile(rb"\\(.)", re.DOTALL)
_JSON: DataKind = "json"
_LONGEST_NAME = 100
_NOT_IN_HEADERS = frozenset({"datacontenttype", "data", "data_base64"})


def headers_of(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers (names in lower case) that belong to an event in binary mode."""
    return [header for header in headers if header[0].startswith(_PREFIX) or header[0] == _CONTENT_TYPE]


def line_of_binary(headers: Headers, body: bytes, limits: Limits) -> bytes:
    """The journal line of the event. Raises as `event_of_binary`, TooLarge."""
    line = quick_line(headers, body, limits)
    if line is not None:
        return line
    check_size(len(body), limits)
    return _exact_line(attributes_of(headers), body, limits)


def line_of_attributes(members: Mapping[str, object], body: bytes, limits: Limits) -> bytes:
    """The journal line of attributes that were read already and of the data as a body.

    Raises InvalidInput, TooLarge.
    """
    line = _quick_line_of(members, body, limits)
    if line is not None:
        return line
    check_size(len(body), limits)
    return _exact_line(members, body, limits)


def quick_line(headers: Headers, body: bytes, limits: Limits) -> bytes | None:
    """The line of the plainest events: nothing escaped, each header once, JSON data; None for all others.

    Headers that do not belong to the event are passed over.
    """
    members: dict[str, str] = {}
    media_type: str | None = None
    try:
        for header, raw in headers:
            if header.startswith(_PREFIX):
                if b"%" in raw or b'"' in raw or len(header) > _LONGEST_NAME:
                    return None
                name = _attribute_of(header)
                if name in members:
                    return None
                members[name] = raw.decode()
            elif header == _CONTENT_TYPE:
                if media_type is not None:
                    return None
                media_type = raw.decode()
    except UnicodeDecodeError:
        return None
    if not _NOT_IN_HEADERS.isdisjoint(members):
        return None
    if media_type is not None:
        members["datacontenttype"] = media_type
    return _quick_line_of(members, body, limits)


def _quick_line_of(members: Mapping[str, object], body: bytes, limits: Limits) -> bytes | None:
    data, kind = b"", None
    if body:
        media_type = members.get("datacontenttype")
        if not isinstance(media_type, str) or not is_json_type(media_type):
            return None
        try:
            quick.checked_json(body, limits.max_nesting - 1)
        except ValueError:
            return None
        data, kind = body.strip(b" \t\n\r"), _JSON
    line = quick.line_of(members, data, kind, limits)
    return line if line is not None and len(line) <= limits.max_event_bytes else None


@lru_cache(maxsize=4096)
def _attribute_of(header: bytes) -> str:
    """The attribute's name. Raises UnicodeDecodeError."""
    return str(header.removeprefix(_PREFIX), "ascii")


def event_of_binary(headers: Headers, body: bytes, limits: Limits) -> Event:
    """The event in `headers` (of `headers_of`) and `body`.

    JSON data that is not JSON by its grammar is kept as text: `data_kind` says so. Raises InvalidInput.
    """
    return _event_of(attributes_of(headers), body, limits)


def _event_of(members: Mapping[str, object], body: bytes, limits: Limits) -> Event:
    attributes = check_attributes(members, limits)
    data, kind = data_of(body, attributes.datacontenttype or "", limits)
    return event_of(attributes, data, kind)


def _exact_line(members: Mapping[str, object], body: bytes, limits: Limits) -> bytes:
    line = encode_line(_event_of(members, body, limits))
    check_size(len(line), limits)
    return line


def attributes_of(headers: Headers) -> dict[str, object]:
    """The attributes' texts by name. Raises InvalidInput for headers that cannot be read."""
    members: dict[str, object] = {}
    problems: list[Problem] = []
    for header, raw in headers:
        shown = header.decode("ascii", "replace")
        name = "datacontenttype" if header == _CONTENT_TYPE else shown.removeprefix("ce-")
        if header != _CONTENT_TYPE and name in _NOT_IN_HEADERS:
            problems.append(
                Problem(
                    f"The header ce-{name} is not allowed.",
                    raw.decode(errors="replace"),
                    "in binary mode Content-Type is the datacontenttype and the body is the data",
                    "leave the header out",
                )
            )
        elif name in members:
            problems.append(
                Problem(
                    f"The header {shown} is there twice.",
                    raw.decode(errors="replace"),
                    "an attribute is sent once",
                    "send it once",
                )
            )
        else:
            text = header_text(raw, escaped=header != _CONTENT_TYPE)
            if isinstance(text, Problem):
                problems.append(text._replace(detail=f"The header {shown}: {text.detail}"))
            members[name] = text
    if problems:
        raise refusal(problems)
    if len(members) - ("datacontenttype" in members) == 0:
        raise InvalidInput(
            "There is no event: no ce- header, and the content type names no CloudEvents format.",
            value=members.get("datacontenttype"),
            rule="the content type decides how events are read",
            remedy="for an event in JSON send Content-Type: application/cloudevents+json "
            "(application/cloudevents-batch+json for several, application/x-ndjson for one a line)",
        )
    return members


def header_text(raw: bytes, *, escaped: bool) -> str | Problem:
    """A header's text: quotes taken off, percent-decoded once, as UTF-8 (HTTP binding, section 3.1.3.2)."""
    if escaped and len(raw) > 1 and raw.startswith(b'"') and raw.endswith(b'"'):
        raw = _QUOTED.sub(rb"\1", raw[1:-1])
    if escaped and b"%" in raw:
        if any(found[1] is None for found in _ESCAPE.finditer(raw)):
            return Problem(
                "a percent sign is not followed by two hex digits.",
                raw.decode(errors="replace"),
                "values are percent-encoded (HTTP binding 1.0, section 3.1.3.2)",
                "send %25 for a percent sign",
            )
        raw = _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), raw)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return Problem(
            "the value is not UTF-8.",
            raw.decode(errors="replace"),
            "values are UTF-8, percent-encoded (HTTP binding 1.0, section 3.1.3.2)",
            "percent-encode the UTF-8 of the value",
        )


def data_of(body: bytes, media_type: str, limits: Limits) -> tuple[bytes | None, DataKind | None]:
    """The body as an event's data: JSON text and what it stands for. Raises InvalidInput.

    Senders leave the content type out and mean JSON, as the JSON format does; so without one JSON is JSON,
    and what is none stays bytes.
    """
    if not body:
        return None, None
    if not media_type:
        try:
            parse(body, limits.max_nesting - 1)
        except InvalidInput:
            return _base64(body), "binary"
        return body.strip(b" \t\n\r"), "json"
    if is_json_type(media_type):
        try:
            # The data is one level below the event.
            parse(body, limits.max_nesting - 1)
        except BrokenJson:
            return _encode(body.decode()), "text"
        return body.strip(b" \t\n\r"), "json"
    if is_text_type(media_type):
        try:
            return _encode(body.decode()), "text"
        except UnicodeDecodeError:
            pass
    return _base64(body), "binary"


def _base64(body: bytes) -> bytes:
    return b'"%b"' % base64.b64encode(body)


def shown_message(headers: Headers, body: bytes) -> bytes:
    """Headers and body as a reject keeps them: one header a line, an empty line, the body."""
    return b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n" + body
