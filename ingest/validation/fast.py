"""Turns many good events into journal lines at once, with checks that run in C over the whole batch.

It never refuses and never explains. In any doubt it gives the batch back, and the exact check decides; what
it does accept, it writes byte for byte as the exact check would (tests/ingest/test_paths_agree.py). One JSON
reader finds duplicate keys, bad UTF-8, lone surrogates, NaN and bad grammar; a second one cuts out the text
of `data`; attributes are checked as columns.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Annotated, Any, Final, Protocol

import jiter
import msgspec

from eventcenter.event import SPECVERSION
from ingest.validation.attributes import (
    CONTROL,
    CORE,
    EXTENSION_NAME,
    INT32,
    MAX_MEDIA_TYPE_LENGTH,
    MAX_SCHEMA_LENGTH,
    MAX_TIME_LENGTH,
    is_media_type,
    is_uri,
)
from ingest.validation.data import is_json_type, kind_of_json_member
from ingest.validation.limits import Limits
from ingest.validation.quick import cut

_MAX_SHAPES = 4096
_OPTIONAL_NAMES = ("subject", "time", "datacontenttype", "dataschema")


class _Joined(Protocol):
    def __call__(self, parts: Iterable[str], /) -> str: ...


_split: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode
_Aware = Annotated[datetime, msgspec.Meta(tz=True)]
_counted: Final[Callable[[bytes, bytes], int]] = bytes.count
_tabbed: Final[_Joined] = "\t".join


class _Doubt(Exception):
    """Let the exact check decide."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the keys of an event say: which attributes and data it has."""

    optional: frozenset[str]
    extensions: tuple[str, ...]
    data: bool
    template: str
    """The JSON text of extensions that are all plain strings, for `%` with the event's members."""


_shapes: dict[tuple[str, ...], _Shape] = {}


def lines_of_array(body: bytes, limits: Limits) -> tuple[bytes, int] | None:
    """As `lines_of`, for the events of a JSON array."""
    try:
        parts = [bytes(raw) for raw in _split(body)]
        return (_lines(parts, body, limits), len(parts)) if parts else (b"", 0)
    except (_Doubt, ValueError, TypeError, KeyError, msgspec.MsgspecError, RecursionError):
        return None


def lines_of(parts: Sequence[bytes], limits: Limits) -> bytes | None:
    """The journal lines of the JSON events `parts`, or None if one of them is in doubt."""
    try:
        return _lines(parts, b"[%b]" % b",".join(parts), limits)
    except (_Doubt, ValueError, TypeError, KeyError, msgspec.MsgspecError, RecursionError):
        return None


def _lines(parts: Sequence[bytes], array: bytes, limits: Limits) -> bytes:
    if max(map(len, parts)) > limits.max_event_bytes:
        raise _Doubt
    # No more brackets than levels allowed: a bound on nesting that needs no parser.
    nesting = max(map(_counted, parts, repeat(b"{"))) + max(map(_counted, parts, repeat(b"[")))
    if nesting > limits.max_nesting:
        raise _Doubt
    # Each part is by itself one object: joined by commas they cannot make up another array.
    texts: list[Any] = [cut.data for cut in map(cut, parts)]
    events: list[dict[str, Any]] = jiter.from_json(
        array, catch_duplicate_keys=True, cache_mode="keys", allow_inf_nan=False
    )
    count = len(events)
    keys = list(map(tuple, events))
    shapes = {key: _shape(key, limits) for key in set(keys)}
    present = frozenset[str]().union(*(shape.optional for shape in shapes.values()))
    if [event["specversion"] for event in events].count(SPECVERSION) != count:
        raise _Doubt
    columns: list[Iterable[str]] = [
        _required([event["id"] for event in events], limits.max_id_length),
        _required([event["source"] for event in events], limits.max_source_length),
        _required([event["type"] for event in events], limits.max_type_length),
    ]
    longest = {
        "subject": limits.max_subject_length,
        "time": MAX_TIME_LENGTH,
        "datacontenttype": MAX_MEDIA_TYPE_LENGTH,
        "dataschema": MAX_SCHEMA_LENGTH,
    }
    distinct: dict[str, set[str]] = {}
    for name in _OPTIONAL_NAMES:
        if name not in present:
            columns.append(repeat("", count))
            continue
        column = _optional([event.get(name) for event in events], longest[name])
        columns.append(column)
        if name == "time":
            _check_times(column)
        elif name != "subject":
            distinct[name] = set(column) - {""}
    if not all(map(is_media_type, distinct.get("datacontenttype", ()))):
        raise _Doubt
    if not all(map(is_uri, distinct.get("dataschema", ()))):
        raise _Doubt
    columns.append(_extensions(events, keys, shapes))
    columns.append(_kinds(texts, keys, shapes, columns[5], distinct.get("datacontenttype", set())))
    if b"\t" in array or b"\n" in array or b"\r" in array:
        texts = [_compact(text) for text in texts]
    heads = "\n".join(map(_tabbed, zip(*columns, strict=True))).encode().split(b"\n")
    return b"\n".join(map(b"\t".join, zip(heads, texts, strict=True))) + b"\n"


def _shape(keys: tuple[str, ...], limits: Limits) -> _Shape:
    known = _shapes.get(keys)
    if known is None:
        extensions = tuple(key for key in keys if key not in CORE and key != "data")
        for name in extensions:
            # `data_base64` ends here too, since its name is none of an extension: the exact check takes it.
            if EXTENSION_NAME.fullmatch(name) is None or len(name) > limits.max_extension_name_length:
                raise _Doubt
        members = ",".join(f'"{name}":"%({name})s"' for name in extensions)
        known = _Shape(
            optional=frozenset(keys) & frozenset(_OPTIONAL_NAMES),
            extensions=extensions,
            data="data" in keys,
            template=f"{{{members}}}" if members else "",
        )
        if len(_shapes) >= _MAX_SHAPES:
            _shapes.clear()
        _shapes[keys] = known
    return known


def _required(column: list[str], longest: int) -> list[str]:
    lengths = list(map(len, column))
    if min(lengths) == 0 or max(lengths) > longest:
        raise _Doubt
    _check_characters("".join(column))
    return column


def _optional(found: list[str | None], longest: int) -> list[str]:
    if "" in found:
        raise _Doubt
    column = ["" if value is None else value for value in found] if None in found else found
    joined = "".join(column)  # type: ignore[arg-type]  # raises TypeError for what is no string
    if max(map(len, column)) > longest:  # type: ignore[arg-type]
        raise _Doubt
    _check_characters(joined)
    return column  # type: ignore[return-value]


def _check_characters(text: str) -> None:
    # All that is printable is no control character; the reverse is not so, hence the second look.
    if not text.isprintable() and CONTROL.search(text) is not None:
        raise _Doubt


def _check_times(column: list[str]) -> None:
    times = [time for time in column if time] if "" in column else column
    if not times:
        return
    msgspec.convert(times, list[_Aware])
    joined = "".join(times)
    # What the conversion takes beyond RFC 3339: a space for T, an offset without a colon. And moments
    # near the ends of the calendar may lie outside of it in UTC.
    zulu = joined.count("Z") + joined.count("z")
    if " " in joined or joined.count(":") != 3 * len(times) - zulu:
        raise _Doubt
    if min(times) < "0002" or max(times) >= "9999":
        raise _Doubt


def _extensions(
    events: list[dict[str, Any]], keys: list[tuple[str, ...]], shapes: dict[tuple[str, ...], _Shape]
) -> Iterable[str]:
    names = {name for shape in shapes.values() for name in shape.extensions}
    if not names:
        return repeat("", len(events))
    plain = True
    for name in names:
        absent = None in (column := [event.get(name) for event in events])
        values: list[Any] = [value for value in column if value is not None] if absent else column
        if absent and len(values) != sum(name in shape.extensions for shape in map(shapes.__getitem__, keys)):
            raise _Doubt
        kinds = set(map(type, values))
        if kinds == {str}:
            joined = "".join(values)
            _check_characters(joined)
            plain = plain and '"' not in joined and "\\" not in joined
        elif kinds <= {str, int, bool}:
            plain = False
            _check_mixed(values)
        else:
            raise _Doubt
    if plain and len(shapes) == 1:
        return map(next(iter(shapes.values())).template.__mod__, events)
    if plain:
        return [shapes[key].template % event for key, event in zip(keys, events, strict=True)]
    return [
        _encode({name: event[name] for name in shapes[key].extensions}).decode()
        if shapes[key].extensions
        else ""
        for key, event in zip(keys, events, strict=True)
    ]


def _check_mixed(values: list[Any]) -> None:
    for value in values:
        if isinstance(value, str):
            _check_characters(value)
        elif value not in INT32:
            raise _Doubt


def _kinds(
    texts: list[Any],
    keys: list[tuple[str, ...]],
    shapes: dict[tuple[str, ...], _Shape],
    types: Iterable[str],
    distinct: set[str],
) -> Iterable[str]:
    if all(map(is_json_type, distinct)):
        if all(shape.data for shape in shapes.values()):
            return repeat("json", len(texts))
        return ["json" if shapes[key].data else "" for key in keys]
    return [
        kind_of_json_member(bytes(text[:1] if isinstance(text, bytes) else bytes(text)[:1]), media_type)
        if shapes[key].data
        else ""
        for text, key, media_type in zip(texts, keys, types, strict=True)
    ]


def _compact(text: Any) -> bytes:
    raw = bytes(text)
    if b"\n" in raw or b"\t" in raw or b"\r" in raw:
        return msgspec.json.format(raw, indent=-1)
    return raw
