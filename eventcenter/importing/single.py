"""Exported events that only the binary mode can carry as they were.

Text under a JSON type that is no JSON by its grammar arrived in binary mode and is kept as text. In a
structured event the same text would be a JSON string, which is something else.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from eventcenter.importing import columns
from eventcenter.importing.part import Single

_ATTRIBUTES = ("id", "source", "type", "subject", "dataschema")
_UNQUOTED = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_extensions = msgspec.json.Decoder(dict[str, str]).decode
_text = msgspec.json.Decoder(str).decode


def json_types(types: Any) -> Any:
    """For each media type (null stands for application/json) whether data of it is JSON."""
    found = pc.is_null(types)
    for text in pc.unique(types).to_pylist():
        if text is not None and _is_json(text):
            found = pc.or_(found, columns.same(types, text))
    return found


def standalone(batch: Any) -> Any | None:
    """Which rows of an export (booleans) need a request of their own; None where none does."""
    if "datacontenttype" not in batch.schema.names:
        return None
    text = columns.same(columns.plain(batch.column("data_kind")), "text")
    if not pc.any(text).as_py():
        return None
    types = columns.plain(batch.column("datacontenttype")).cast(pa.large_string())
    found = pc.and_(text, pc.and_(pc.is_valid(types), json_types(types)))
    return found if pc.any(found).as_py() else None


def singles(batch: Any, numbers: Iterable[int]) -> tuple[Single, ...]:
    """Rows of an export as requests in binary mode."""
    return tuple(
        Single(headers=_headers(row), body=_text(row["data"]).encode(), number=int(number))
        for row, number in zip(batch.to_pylist(), numbers, strict=True)
    )


def _headers(row: Mapping[str, Any]) -> dict[str, str]:
    attributes = {name: row[name] for name in _ATTRIBUTES if row.get(name) is not None}
    if row.get("time_text") is not None:
        attributes["time"] = row["time_text"]
    if row.get("extensions") is not None:
        # In binary mode every extension is text, so whatever came that way has texts only.
        attributes.update(_extensions(row["extensions"]))
    return {
        "content-type": row["datacontenttype"],
        "ce-specversion": "1.0",
        **{f"ce-{name}": quote(value, safe=_UNQUOTED) for name, value in attributes.items()},
    }


def _is_json(media_type: str) -> bool:
    subtype = media_type.partition(";")[0].strip().lower().partition("/")[2]
    return subtype == "json" or subtype.endswith("+json")
