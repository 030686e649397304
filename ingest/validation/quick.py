"""Turns one good event into its journal line, with as few steps as can be: most posts carry one event.

As `fast` it never refuses: in any doubt the answer is None, and the exact check decides. What it does accept
it writes byte for byte as the exact check would (tests/ingest/test_paths_agree.py).
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Final

import jiter
import msgspec

from eventcenter.event import SPECVERSION, DataKind, single_line
from ingest.validation.attributes import (
    EXTENSION_NAME,
    INT32,
    MAX_MEDIA_TYPE_LENGTH,
    MAX_SCHEMA_LENGTH,
    MAX_TIME_LENGTH,
    is_media_type,
    is_uri,
)
from ingest.validation.data import kind_of_json_member
from ingest.validation.limits import Limits


class Cut(msgspec.Struct):
    """Cuts the text of `data` out of an event and skips the rest."""

    data: msgspec.Raw = msgspec.Raw()


cut: Final = msgspec.json.Decoder(Cut).decode
_moment: Final = msgspec.json.Decoder(Annotated[datetime, msgspec.Meta(tz=True)]).decode
_encode: Final = msgspec.json.Encoder().encode
_known_name: Final = lru_cache(maxsize=4096)(EXTENSION_NAME.fullmatch)
_TEXT: Final = frozenset({"id", "source", "type", "subject", "time", "datacontenttype", "dataschema"})
_ORDER: Final = ("id", "source", "type", "subject", "time", "datacontenttype", "dataschema")


def line_of_json(raw: bytes, limits: Limits) -> bytes | None:
    """The journal line of the event in JSON, or None."""
    if len(raw) > limits.max_event_bytes:
        return None
    try:
        event = checked_json(raw, limits.max_nesting)
        if type(event) is not dict:
            return None
        data = bytes(cut(raw).data)
    except (ValueError, msgspec.MsgspecError):
        return None
    given = "data" in event
    if given:
        del event["data"]
    kind = kind_of_json_member(data[:1], str(event.get("datacontenttype") or "")) if given else None
    return line_of(event, data, kind, limits)


def checked_json(raw: bytes, max_nesting: int) -> Any:
    """The value of JSON without duplicate keys and not too deep. Raises ValueError, in doubt too."""
    if raw.count(b"{") + raw.count(b"[") > max_nesting:
        raise ValueError("perhaps too deep")
    return jiter.from_json(raw, catch_duplicate_keys=True, cache_mode="keys", allow_inf_nan=False)


def line_of(members: Mapping[str, Any], data: bytes, kind: DataKind | None, limits: Limits) -> bytes | None:
    """The journal line of attributes (with `specversion`, without data) and data, or None."""
    extensions: dict[str, Any] = {}
    for name, value in members.items():
        if name in _TEXT:
            # Printable text holds no control characters; other text may still be right.
            if type(value) is not str or not value or not value.isprintable():
                return None
        elif name != "specversion":
            if not _is_extension(name, value, limits):
                return None
            extensions[name] = value
    get = members.get
    event_id, source, type_, subject, time, media_type, schema = map(get, _ORDER)
    if get("specversion") != SPECVERSION or event_id is None or source is None or type_ is None:
        return None
    if (
        len(event_id) > limits.max_id_length
        or len(source) > limits.max_source_length
        or len(type_) > limits.max_type_length
        or (subject is not None and len(subject) > limits.max_subject_length)
        or (time is not None and not _is_time(time))
        or (media_type is not None and not _is_type(media_type))
        or (schema is not None and not (len(schema) <= MAX_SCHEMA_LENGTH and is_uri(schema)))
    ):
        return None
    head = (
        f"{event_id}\t{source}\t{type_}\t{subject or ''}\t{time or ''}\t{media_type or ''}\t{schema or ''}\t"
        f"{_encode(dict(sorted(extensions.items()))).decode() if extensions else ''}\t{kind or ''}\t"
    )
    return b"%b%b\n" % (head.encode(), single_line(data))


@lru_cache(maxsize=1024)
def _is_type(media_type: str) -> bool:
    return len(media_type) <= MAX_MEDIA_TYPE_LENGTH and is_media_type(media_type)


def _is_extension(name: str, value: object, limits: Limits) -> bool:
    if len(name) > limits.max_extension_name_length or _known_name(name) is None:
        return False
    if type(value) is str:
        return value.isprintable()
    return type(value) is bool or (type(value) is int and value in INT32)


def _is_time(time: str) -> bool:
    if len(time) > MAX_TIME_LENGTH or '"' in time or "\\" in time:
        return False
    try:
        _moment(f'"{time}"')
    except msgspec.MsgspecError:
        return False
    # What the decoder takes beyond RFC 3339, and moments that may lie outside the calendar in UTC.
    return " " not in time and time.count(":") == (2 if time[-1] in "Zz" else 3) and "0002" <= time < "9999"
