"""Exported events that only the binary mode can carry as they were.

Text under a JSON type that is no JSON by its grammar arrived in binary mode and is kept as text. In a
structured event the same text would be a JSON string, which is something else.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from eventcenter.importing import columns
from eventcenter.importing.part import Single

_ATTRIBUTES = ("id", "source", "type", "subject", "dataschema")
_UNQUOTED = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_extensions = msgspec.json.Decoder(dict[str, str]).decode
_text = msgspec.json.Decoder(str).decode


def json_types(types: Any) -> list[bool]:
    """For each media type (null stands for application/json) whether data of it is JSON."""
    encoded = types.dictionary_encode()
    known = [_is_json(text) for text in encoded.dictionary.to_pylist()]
    return [index is None or known[index] for index in encoded.indices.to_pylist()]


def standalone(batch: Any) -> npt.NDArray[np.bool_]:
    """Which rows of an export need a request of their own."""
    kinds = columns.plain(batch.column("data_kind"))
    text = pc.equal(kinds, "text").fill_null(False).to_numpy(zero_copy_only=False)
    if not text.any() or "datacontenttype" not in batch.schema.names:
        return np.zeros(len(batch), np.bool_)
    types = columns.plain(batch.column("datacontenttype"))
    found: npt.NDArray[np.bool_] = (
        text & np.array(json_types(types), np.bool_) & types.is_valid().to_numpy(False)
    )
    return found


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
