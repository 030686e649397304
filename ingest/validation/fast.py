"""Turns many good events into journal lines at once, with checks that run in C over the whole batch.

It never refuses and never explains. In any doubt it gives the batch back, and the exact check decides; what
it does accept, it writes byte for byte as the exact check would (tests/ingest/test_paths_agree.py).

The events first become a table: columns of attributes, and the text of each one's data. There are two ways to
it. Events in compact JSON with the attributes of earlier ones are decoded into a fixed layout; written out
again they have the same length only if no key came twice, so that just their data needs a look for duplicate
keys (`keys`). All others go through that reader as a whole, and teach the layout their attributes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Annotated, Any, Final, Protocol

import msgspec

from eventcenter.event import SPECVERSION, single_line
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
from ingest.validation.keys import check_data, find_duplicates
from ingest.validation.limits import Limits
from ingest.validation.quick import cut

_NAMES: Final = (
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
)
_MAX_LEARNED = 24
_Aware = Annotated[datetime, msgspec.Meta(tz=True)]
_DOUBTS = (ValueError, TypeError, KeyError, msgspec.MsgspecError, RecursionError)


class _Joined(Protocol):
    def __call__(self, parts: Iterable[str], /) -> str: ...


_split: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encoder: Final = msgspec.json.Encoder()
_counted: Final[Callable[[bytes, bytes], int]] = bytes.count
_tabbed: Final[_Joined] = "\t".join


class _Doubt(ValueError):
    """Let the exact check decide."""


@dataclass(frozen=True, slots=True)
class _Table:
    """Events as columns; None stands for what an event does not have."""

    core: Mapping[str, Sequence[Any]]
    """By name, all of `_NAMES`."""
    extensions: Mapping[str, Sequence[Any]]
    """By name, in alphabetical order."""
    texts: Sequence[Any]
    """The JSON text of data (bytes or alike); empty where there is none."""
    spaced: bool
    """Whether a text may hold TAB, LF or CR."""


class _Layout:
    """Decodes events that have no other attributes than those it has learned."""

    def __init__(self) -> None:
        self._extensions: tuple[str, ...] = ()
        self._learn(())

    def table(self, parts: Sequence[bytes]) -> _Table | None:
        """The events' table, or None where they are not compact or have other attributes."""
        try:
            if len(_encoder.encode(self._decode(parts[0]))) != len(parts[0]):
                return None
            events = list(map(self._decode, parts))
        except msgspec.MsgspecError:
            return None
        # No event's shortest form is longer than itself: if the sums are equal, so is each.
        if len(_encoder.encode_lines(events)) != sum(map(len, parts)) + len(parts):
            return None
        *columns, texts = zip(*map(msgspec.structs.astuple, events), strict=True)
        core = dict(zip(_NAMES, columns, strict=False))
        data = list(map(bytes, texts))
        whole = b",".join(filter(None, data))
        spaced = _is_spaced(whole)
        check_data(core["type"], data, whole, spaced=spaced)
        extensions = dict(zip(self._extensions, columns[len(_NAMES) :], strict=True))
        return _Table(core, extensions, data, spaced)

    def learn(self, extensions: Iterable[str]) -> None:
        """Make room for these attributes, and forget all others where they are too many together."""
        wanted = sorted({*self._extensions, *extensions})
        if len(wanted) > _MAX_LEARNED:
            wanted = sorted(extensions)[:_MAX_LEARNED]
        if tuple(wanted) != self._extensions:
            self._learn(tuple(wanted))

    def _learn(self, extensions: tuple[str, ...]) -> None:
        self._extensions = extensions
        fields: list[Any] = [(name, str) for name in _NAMES[:4]]
        # A default of None that null cannot give: null is no string, and for an extension attribute, which
        # may be anything, leaving it out makes the written form shorter.
        fields += [(name, str, None) for name in _NAMES[4:]]
        fields += [(f"extension_{name}", Any, None) for name in extensions]
        fields.append(("data", msgspec.Raw, msgspec.Raw()))
        layout = msgspec.defstruct(
            "Layout",
            fields,
            rename={f"extension_{name}": name for name in extensions},
            forbid_unknown_fields=True,
            omit_defaults=True,
            gc=False,
        )
        self._decode = msgspec.json.Decoder(layout).decode


_layout = _Layout()


def lines_of_array(body: bytes, limits: Limits) -> tuple[bytes, int] | None:
    """As `lines_of`, for the events of a JSON array."""
    try:
        parts = [bytes(raw) for raw in _split(body)]
        return (_lines(parts, limits), len(parts)) if parts else (b"", 0)
    except _DOUBTS:
        return None


def lines_of(parts: Sequence[bytes], limits: Limits) -> bytes | None:
    """The journal lines of the JSON events `parts`, or None if one of them is in doubt."""
    try:
        return _lines(parts, limits)
    except _DOUBTS:
        return None


def _lines(parts: Sequence[bytes], limits: Limits) -> bytes:
    if max(map(len, parts)) > limits.max_event_bytes:
        raise _Doubt
    # No more brackets than levels allowed: a bound on nesting that needs no parser.
    nesting = max(map(_counted, parts, repeat(b"{"))) + max(map(_counted, parts, repeat(b"[")))
    if nesting > limits.max_nesting:
        raise _Doubt
    table = _layout.table(parts) or _table(parts, limits)
    return _rows(table, limits)


def _table(parts: Sequence[bytes], limits: Limits) -> _Table:
    """The table of events in any form. Raises what `_DOUBTS` names."""
    # Each part is by itself one object: joined by commas they cannot make up another array.
    texts = [found.data for found in map(cut, parts)]
    array = b"[%b]" % b",".join(parts)
    events: list[dict[str, Any]] = find_duplicates(array)
    names = sorted({name for keys in set(map(tuple, events)) for name in keys} - CORE - {"data"})
    for name in names:
        # `data_base64` ends here too, since no extension attribute has such a name.
        if EXTENSION_NAME.fullmatch(name) is None or len(name) > limits.max_extension_name_length:
            raise _Doubt
    core = {name: [event.get(name) for event in events] for name in _NAMES}
    extensions = {name: [event.get(name) for event in events] for name in names}
    _layout.learn(names)
    return _Table(core, extensions, texts, _is_spaced(array))


def _is_spaced(array: bytes) -> bool:
    return b"\t" in array or b"\n" in array or b"\r" in array


def _rows(table: _Table, limits: Limits) -> bytes:
    core, texts = table.core, table.texts
    count = len(texts)
    if core["specversion"].count(SPECVERSION) != count:
        raise _Doubt
    subjects = _optional(core["subject"], limits.max_subject_length)
    times = _optional(core["time"], MAX_TIME_LENGTH)
    _check_times([time for time in times if time])
    types = _optional(core["datacontenttype"], MAX_MEDIA_TYPE_LENGTH)
    distinct_types = set(types) - {""}
    schemas = _optional(core["dataschema"], MAX_SCHEMA_LENGTH)
    if not all(map(is_media_type, distinct_types)) or not all(map(is_uri, set(schemas) - {""})):
        raise _Doubt
    columns = (
        _required(core["id"], limits.max_id_length),
        _required(core["source"], limits.max_source_length),
        _required(core["type"], limits.max_type_length),
        subjects,
        times,
        types,
        schemas,
        _extensions(table.extensions, count),
        _kinds(texts, types, distinct_types),
    )
    heads = "\n".join(map(_tabbed, zip(*columns, strict=True))).encode().split(b"\n")
    if table.spaced:
        texts = [single_line(bytes(text)) for text in texts]
    return b"\n".join(map(b"\t".join, zip(heads, texts, strict=True))) + b"\n"


def _required(column: Sequence[str], longest: int) -> Sequence[str]:
    lengths = list(map(len, column))
    if min(lengths) == 0 or max(lengths) > longest:
        raise _Doubt
    _check_characters("".join(column))
    return column


def _optional(found: Sequence[str | None], longest: int) -> Sequence[str]:
    missing = found.count(None)
    if missing == len(found):
        return [""] * missing
    if "" in found:
        raise _Doubt
    column: Sequence[str] = ["" if value is None else value for value in found]
    # Raises TypeError for what is no string.
    _check_characters("".join(column))
    if max(map(len, column)) > longest:
        raise _Doubt
    return column


def _check_characters(text: str) -> None:
    # All that is printable is no control character; the reverse is not so, hence the second look.
    if not text.isprintable() and CONTROL.search(text) is not None:
        raise _Doubt


def _check_times(times: Sequence[str]) -> None:
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


def _extensions(columns: Mapping[str, Sequence[Any]], count: int) -> Iterable[str]:
    """The JSON text of each event's extension attributes, "" where it has none."""
    used = {name: column for name, column in columns.items() if column.count(None) != count}
    if not used:
        return repeat("", count)
    plain = [_are_plain(column) for column in used.values()]
    if all(plain) and not any(None in column for column in used.values()):
        template = ",".join(f'"{name}":"%s"' for name in used)
        return map(f"{{{template}}}".__mod__, zip(*used.values(), strict=True))
    members = [
        [None if value is None else f'"{name}":{_encoder.encode(value).decode()}' for value in column]
        for name, column in used.items()
    ]
    return [
        f"{{{','.join(present)}}}" if (present := [member for member in row if member is not None]) else ""
        for row in zip(*members, strict=True)
    ]


def _are_plain(column: Sequence[Any]) -> bool:
    """Whether all values are strings that need no escape in JSON."""
    kinds = set(map(type, column))
    if kinds == {str}:
        joined = "".join(column)
        _check_characters(joined)
        return '"' not in joined and "\\" not in joined
    if not kinds <= {str, int, bool, type(None)}:
        raise _Doubt
    for value in column:
        if isinstance(value, str):
            _check_characters(value)
        elif value is not None and value not in INT32:
            raise _Doubt
    return False


def _kinds(texts: Sequence[Any], types: Sequence[str], distinct: set[str]) -> Iterable[str]:
    if all(map(is_json_type, distinct)):
        return repeat("json", len(texts)) if all(texts) else ["json" if text else "" for text in texts]
    return [
        kind_of_json_member(bytes(text)[:1], media_type) if text else ""
        for text, media_type in zip(texts, types, strict=True)
    ]
