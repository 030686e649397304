"""Columns of Parquet as the members of events' JSON, whole columns at a time and outside of Python.

JSON text in a column is taken over letter for letter once it is known to be JSON, so that 1e2 stays 1e2.
All functions take and give Arrow arrays of large_binary of equal length; null stands for "no such member".
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eventcenter.event import single_line

TEXT = pa.large_binary()
_ESCAPED = bytes(range(0x20)) + b'"\\'
_encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode = msgspec.json.Decoder(msgspec.Raw).decode


def join(*parts: Any, skip: bool = False) -> Any:
    """Texts (bytes or columns) side by side; null where one is, or without the nulls if `skip`."""
    texts = [scalar(part) if isinstance(part, bytes) else part for part in parts]
    nulls = "skip" if skip else "emit_null"
    return pc.binary_join_element_wise(*texts, scalar(b""), null_handling=nulls)


def column_of(texts: Sequence[bytes | None]) -> Any:
    """A column of these texts; pa.array() and pa.scalar() would load pandas first, a second's work."""
    ends = np.cumsum([0, *(0 if text is None else len(text) for text in texts)], dtype=np.int64)
    there = np.packbits([text is not None for text in texts], bitorder="little")
    buffers = [pa.py_buffer(there), pa.py_buffer(ends), pa.py_buffer(b"".join(filter(None, texts)))]
    return pa.Array.from_buffers(TEXT, len(texts), buffers)


def scalar(text: bytes | None) -> Any:
    """One text as Arrow has it."""
    return column_of([text])[0]


def same(texts: Any, text: str) -> Any:
    """Where a column of texts holds this one; null counts as another."""
    return pc.and_kleene(pc.is_valid(texts), pc.equal(texts.cast(TEXT), scalar(text.encode())))


def indexes(mask: Any) -> Any:
    """The places where a column of booleans is true, as numpy integers."""
    found = pc.indices_nonzero(mask)
    return np.frombuffer(found.buffers()[1], np.uint64)[found.offset : found.offset + len(found)].astype(
        np.int64
    )


def member(name: str, value: Any) -> Any:
    """`,"name":value` for each JSON value."""
    return join(b',"%b":' % name.encode(), value)


def plain(column: Any) -> Any:
    """A column without dictionary, extension type and chunks."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column


def is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_bytes(kind: Any) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def content(texts: Any) -> tuple[memoryview, Any]:
    """The bytes of all texts one after the other, and where each begins (and the last ends)."""
    _, places, data = texts.buffers()
    offsets = np.frombuffer(places, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    if data is None:
        return memoryview(b""), offsets
    return memoryview(data)[int(offsets[0]) : int(offsets[-1])], offsets - offsets[0]


def quoted(texts: Any) -> Any:
    """Texts as JSON strings."""
    texts = texts.cast(TEXT)
    inside = bytes(content(texts)[0])
    if len(inside.translate(None, _ESCAPED)) == len(inside):
        return join(b'"', texts, b'"')
    return _each(texts, _quote)


def moments(column: Any) -> Any:
    """Timestamps as JSON strings by RFC 3339 in UTC; one without a time zone is taken for UTC."""
    kind = column.type
    unit = kind.unit if pa.types.is_timestamp(kind) else "ms"
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        column = column.cast(pa.timestamp(unit, "UTC"))
    text = column.cast(pa.timestamp(unit)).cast(pa.large_string())
    return join(b'"', pc.replace_substring(text, " ", "T", max_replacements=1).cast(TEXT), b'Z"')


def values(column: Any) -> Any:
    """Values of any type as JSON."""
    return column_of(
        [None if value is None else _encode(value) for value in column.to_pylist(maps_as_pydicts="lossy")]
    )


def objects(column: Any) -> Any:
    """Structs or maps as JSON objects of those members that are not null."""
    rows = column.to_pylist(maps_as_pydicts="lossy")
    return column_of(
        [
            None
            if row is None
            else _encode({name: value for name, value in row.items() if value is not None})
            for row in rows
        ]
    )


def base64_of(column: Any) -> Any:
    """Bytes as JSON strings of their base64."""
    return values(column.cast(TEXT))


def json_or_text(texts: Any, is_json: Any | None = None) -> Any:
    """Texts as JSON values: letter for letter where they are JSON, as a JSON string where not.

    `is_json` (a column of booleans) says where text may be JSON at all. The result is without line ends.
    """
    texts = texts.cast(TEXT)
    if (is_json is None or pc.all(is_json).as_py()) and _are_json_lines(texts):
        return texts
    may_be = [True] * len(texts) if is_json is None else is_json.to_pylist()
    return column_of(
        [
            None if text is None else _json_or_text(text, allowed)
            for text, allowed in zip(texts.to_pylist(), may_be, strict=True)
        ]
    )


def members_of(objects: Any) -> Any:
    """`,"a":1,"b":2` for each text of a JSON object; what is no object becomes a member `extensions`.

    Without space between tokens, since the service reads compact events faster.
    """
    texts = json_or_text(objects)
    inside = bytes(content(texts)[0])
    spaced = b'": ' in inside or b', "' in inside or b"{ " in inside
    if spaced or pc.all(pc.starts_with(texts, pattern="{")).as_py() is False:
        return _each(texts, _inside)
    members = pc.binary_slice(texts, 1, -1)
    return pc.if_else(pc.not_equal(members, scalar(b"")), join(b",", members), scalar(None))


def _inside(text: bytes) -> bytes | None:
    compact = msgspec.json.format(text, indent=-1)
    if not compact.startswith(b"{"):
        return b',"extensions":' + compact
    return b"," + compact[1:-1] if len(compact) > 2 else None


def _are_json_lines(texts: Any) -> bool:
    """Whether all are JSON without a line end: as the elements of one array, by their lengths."""
    there = pc.drop_null(texts)
    if not len(there):
        return True
    array = bytearray(b"[")
    inside, offsets = content(join(there, b","))
    array += inside
    array[-1:] = b"]"
    if b"\n" in array:
        return False
    try:
        found = _split(array)
    except (msgspec.DecodeError, RecursionError):
        return False
    lengths: Sequence[int] = (np.diff(offsets) - 1).tolist()
    return list(map(len, found)) == lengths


def _json_or_text(text: bytes, may_be_json: bool) -> bytes:
    if may_be_json:
        try:
            return bytes(_decode(single_line(text)))
        except (msgspec.DecodeError, RecursionError):
            pass
    return _quote(text)


def _quote(text: bytes) -> bytes:
    try:
        return _encode(text.decode())
    except UnicodeDecodeError:
        # No text at all: the service refuses it and says why.
        return b'"' + text.translate(None, _ESCAPED) + b'"'


def _each(texts: Any, function: Callable[[bytes], bytes | None]) -> Any:
    return column_of([None if text is None else function(text) for text in texts.to_pylist()])
