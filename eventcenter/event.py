"""The event: CloudEvents 1.0, kept as it was sent, and its one line in the journal.

An event's `data` is always held as JSON text: for JSON data the text as it was sent (numbers, keys and
strings untouched), for text a JSON string, for bytes a JSON string of their base64. `data_kind` tells
which of the three it is, so that every mode and every answer can give back what was sent.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal

import msgspec

DataKind = Literal["json", "text", "binary"]
ExtensionValue = str | int | bool
SPECVERSION = "1.0"

_NONE: Mapping[str, ExtensionValue] = MappingProxyType({})
_encode = msgspec.json.Encoder().encode
_decode_extensions = msgspec.json.Decoder(dict[str, str | int | bool]).decode
_decode_text = msgspec.json.Decoder(str).decode
_FIELDS = 10
_KINDS: Mapping[str, DataKind] = {"json": "json", "text": "text", "binary": "binary"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One CloudEvent (CloudEvents 1.0, section 3). What was not sent is None: nothing is invented."""

    id: str
    source: str
    type: str
    subject: str | None = None
    time: str | None = None
    """RFC 3339, letter for letter as sent."""
    datacontenttype: str | None = None
    dataschema: str | None = None
    extensions: Mapping[str, ExtensionValue] = field(default_factory=lambda: _NONE)
    data: bytes | None = None
    """JSON text (see the module); None where the event has no data."""
    data_kind: DataKind | None = None

    def __post_init__(self) -> None:
        if (self.data is None) != (self.data_kind is None):
            raise ValueError("data and data_kind belong together")

    def to_json(self) -> bytes:
        """The event in structured mode (JSON format 1.0), its data's text untouched."""
        members: dict[str, object] = {
            "specversion": SPECVERSION,
            "id": self.id,
            "source": self.source,
            "type": self.type,
        }
        for name in ("subject", "time", "datacontenttype", "dataschema"):
            value = getattr(self, name)
            if value is not None:
                members[name] = value
        members.update(self.extensions)
        if self.data is not None:
            members["data_base64" if self.data_kind == "binary" else "data"] = msgspec.Raw(self.data)
        return _encode(members)

    def data_bytes(self) -> bytes | None:
        """The data as binary mode carries it: JSON text, the text in UTF-8, or the bytes."""
        if self.data is None or self.data_kind == "json":
            return self.data
        text = _decode_text(self.data)
        return text.encode() if self.data_kind == "text" else base64.b64decode(text)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEvent:
    """An event with its place in a tenant's archive."""

    seq: int
    """Grows with each event of the tenant, in load order."""
    bus: str
    received_at: datetime
    """When it was journalled, UTC; never decreases with `seq`."""
    event: Event


def encode_line(event: Event) -> bytes:
    """The event as its journal line: ten fields, TAB between them, newline at the end.

    Attributes hold no control characters and JSON text is compacted where it holds TAB, LF or CR, so
    that no field needs quoting and the loader may split lines without parsing JSON.
    """
    extensions = _encode(dict(event.extensions)).decode() if event.extensions else ""
    head = "\t".join(
        (
            event.id,
            event.source,
            event.type,
            event.subject or "",
            event.time or "",
            event.datacontenttype or "",
            event.dataschema or "",
            extensions,
            event.data_kind or "",
            "",
        )
    )
    return b"%b%b\n" % (head.encode(), b"" if event.data is None else single_line(event.data))


def decode_line(line: bytes) -> Event:
    """The event of one journal line; ValueError where it is not one."""
    fields = line.removesuffix(b"\n").split(b"\t")
    if len(fields) != _FIELDS:
        raise ValueError(f"a journal line has {_FIELDS} fields, this one has {len(fields)}")
    text = [part.decode() for part in fields[:9]]
    kind = _KINDS.get(text[8])
    return Event(
        id=text[0],
        source=text[1],
        type=text[2],
        subject=text[3] or None,
        time=text[4] or None,
        datacontenttype=text[5] or None,
        dataschema=text[6] or None,
        extensions=_decode_extensions(fields[7]) if fields[7] else _NONE,
        data=fields[9] if kind is not None else None,
        data_kind=kind,
    )


def single_line(json_text: bytes) -> bytes:
    """JSON text without TAB, LF and CR: whitespace between tokens goes, everything else stays as it is."""
    if b"\n" in json_text or b"\t" in json_text or b"\r" in json_text:
        return msgspec.json.format(json_text, indent=-1)
    return json_text
