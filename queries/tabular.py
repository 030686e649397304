"""A table as JSON, CSV or an Arrow stream. Values are exact; times are RFC 3339 in UTC."""

import base64
import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eventcenter.clock import from_micros

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
_check: Final = msgspec.json.Decoder(msgspec.Raw).decode
_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")
"""Beginnings that a spreadsheet takes for a formula (OWASP, CSV injection)."""
_QUOTED: Final = frozenset(',"\r\n')
_MOST_MICROS: Final = 253_402_300_800_000_000
"""Microseconds of the year 10000."""
_LEAST_MICROS: Final = -62_135_596_800_000_000
_FEW_ROWS: Final = 64
"""So many are written as rows; of more, columns are, at a price for each column."""
_INFINITE: Final = 2**63 - 1
_INFINITE_DAY: Final = 2**31 - 2
Values = list[Any]


def json_answer(
    names: Sequence[str],
    types: Sequence[str],
    rows: pa.Table | Sequence[Sequence[Any]],
    *,
    truncated: bool,
    elapsed_ms: float,
) -> bytes:
    """{columns: [{name, type}], rows: [[…]], truncated, elapsed_ms}.

    `rows` that are no table hold texts, JSON's texts, numbers, booleans and aware times in UTC.
    """
    columns = [{"name": name, "type": kind} for name, kind in zip(names, types, strict=True)]
    written = _table_rows(rows, types) if isinstance(rows, pa.Table) else _listed_rows(rows, types)
    return _encode({"columns": columns, "rows": written, "truncated": truncated, "elapsed_ms": elapsed_ms})


def _table_rows(table: pa.Table, types: Sequence[str]) -> Any:
    columns = zip(table.columns, types, strict=True)
    if table.num_rows <= _FEW_ROWS:
        return list(zip(*(_plain_values(*each) for each in columns), strict=True))
    return msgspec.Raw(rows_of([_json(*each) for each in columns]))


def _listed_rows(rows: Sequence[Sequence[Any]], types: Sequence[str]) -> Any:
    found = [list(row) for row in rows]
    for place, kind in enumerate(types):
        convert = _OF_VALUES.get(kind)
        if convert is not None:
            for row in found:
                row[place] = _or_none(convert, row[place])
    return found


def rows_of(columns: Sequence[pa.Array]) -> bytes:
    """[[…]] from columns of equal length that hold each value's JSON text, of strings without NULL.

    To hand rows to an encoder as tuples would take several times as long, most of it for garbage collection.
    """
    return b"".join((b"[[", _joined(columns, "],["), b"]]")) if columns and len(columns[0]) else b"[]"


def csv_answer(table: pa.Table) -> bytes:
    """RFC 4180 with a head, in UTF-8. NULL is an empty cell, an empty text is "".

    A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    head = ",".join(_cell(_text(name)) for name in table.column_names)
    lines = _joined([_cells(column) for column in table.columns], "\r\n")
    return b"".join((head.encode("utf-8", "replace"), b"\r\n", lines, b"\r\n" if table.num_rows else b""))


def arrow_answer(table: pa.Table) -> bytes:
    """Arrow's IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def _joined(columns: Sequence[pa.Array], between: str) -> Any:
    """Bytes: the columns' texts row by row with commas, and `between` between rows."""
    rows = pc.binary_join_element_wise(*columns, ",")
    if not len(rows):
        return b""
    [joined] = pc.binary_join(pa.ListArray.from_arrays([0, len(rows)], rows), between)
    return joined.as_buffer()


def _json(column: pa.ChunkedArray, kind: str) -> pa.Array:
    """The JSON text of each value."""
    held = column.type
    if pa.types.is_integer(held):
        return column.combine_chunks().cast(pa.string()).fill_null("null")
    if kind != "JSON" and (pa.types.is_string(held) or pa.types.is_timestamp(held)):
        return _of_each(column, lambda values: _texts(_values(values)))
    return _texts(_plain_values(column, kind))


def _of_each(column: pa.ChunkedArray, texts: Callable[[pa.ChunkedArray], pa.Array]) -> pa.Array:
    """The text of each value, made once of each: few come often, such as types, names and buckets."""
    coded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return texts(pa.chunked_array([coded.dictionary])).take(coded.indices)


def _plain_values(column: pa.ChunkedArray, kind: str) -> Values:
    if kind != "JSON":
        return _values(column)
    return [_or_none(_json_text, value) for value in column.to_pylist()]


def _texts(values: Values) -> pa.Array:
    return pa.array([_encode(value).decode() for value in values], pa.string())


def _values(column: pa.ChunkedArray) -> Values:
    """A column's values as what msgspec writes exactly."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _timestamps(column, kind)
    if pa.types.is_date32(kind):
        return [None if days is None else _day(days) for days in column.cast(pa.int32()).to_pylist()]
    quick = _quick(column)
    if quick is not None:
        return quick
    values: Values = column.to_pylist()
    convert = _converter(kind)
    return values if convert is None else [None if value is None else convert(value) for value in values]


def _quick(column: pa.ChunkedArray) -> Values | None:
    """Texts and numbers without a detour by way of Arrow's scalars, which cost most of an answer's time."""
    kind = column.type
    whole = pa.types.is_integer(kind) and column.null_count == 0
    finite = kind == pa.float64() and column.null_count == 0 and np.isfinite(column.to_numpy()).all()
    if whole or finite or pa.types.is_string(kind):
        values: Values = column.to_numpy().tolist()
        return values
    return None


def _timestamps(column: pa.ChunkedArray, kind: pa.TimestampType) -> Values:
    per_second = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[kind.unit]
    ending = "" if kind.tz is None else "Z"
    numbers = column.cast(pa.int64()).to_pylist()
    # Few moments come often: those of buckets.
    known = {number for number in numbers if number is not None}
    texts = _plain_moments(known, ending) if kind.unit == "us" else {}
    texts |= {number: _moment(number, per_second, ending) for number in known - texts.keys()}
    return [texts.get(number) for number in numbers]


def _plain_moments(micros: set[int], ending: str) -> dict[int, str]:
    """Texts of those within the years that are written with four digits, all at once."""
    plain = np.array([each for each in micros if _LEAST_MICROS <= each < _MOST_MICROS], np.int64)
    whole = plain % 1_000_000 == 0
    seconds = np.datetime_as_string((plain[whole] // 1_000_000).astype("datetime64[s]"))
    parts = np.datetime_as_string(plain[~whole].astype("datetime64[us]"))
    numbers = [*plain[whole].tolist(), *plain[~whole].tolist()]
    return {number: text + ending for number, text in zip(numbers, [*seconds, *parts], strict=True)}


def _moment(number: int, per_second: int, ending: str) -> str:
    micros = number * 1_000_000 // per_second
    if abs(number) >= _INFINITE:
        return _infinite(number)
    if not _LEAST_MICROS <= micros < _MOST_MICROS:
        return str(np.datetime64(micros, "us")) + ending
    text = from_micros(micros).replace(tzinfo=None).isoformat()
    nanos = number % 1_000_000_000 if per_second == 1_000_000_000 else 0
    return (f"{text[:19]}.{nanos:09d}" if nanos % 1_000 else text) + ending


def _day(days: int) -> str:
    return _infinite(days) if abs(days) >= _INFINITE_DAY else str(np.datetime64(days, "D"))


def _infinite(number: int) -> str:
    return "infinity" if number > 0 else "-infinity"


def _converter(kind: pa.DataType) -> Callable[[Any], Any] | None:
    """What makes a Python value of this Arrow type one that is written exactly; None where it is already."""
    if pa.types.is_floating(kind):
        return _float
    if pa.types.is_interval(kind):
        return _duration
    if pa.types.is_timestamp(kind):
        return _time_within
    if pa.types.is_map(kind):
        value = _converter(kind.item_type) or _same
        return lambda pairs: {_key(key): _or_none(value, held) for key, held in pairs}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        element = _converter(kind.value_type)
        return None if element is None else lambda held: [_or_none(element, each) for each in held]
    if pa.types.is_struct(kind):
        members = {field.name: _converter(field.type) or _same for field in kind}
        return lambda held: {name: _or_none(members[name], each) for name, each in held.items()}
    return None


def _float(value: float) -> float | str:
    """JSON has no infinity and no NaN: they are texts."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _duration(value: Any) -> str:
    """An interval as ISO 8601: months, days and seconds do not add up to each other."""
    months, days, nanos = value
    seconds = Decimal(nanos) / 1_000_000_000
    text = f"P{months}M" if months else "P"
    text += f"{days}D" if days else ""
    text += f"T{seconds.normalize():f}S" if nanos else ""
    return text if len(text) > 1 else "PT0S"


def _time_within(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _key(value: Any) -> str:
    return value if isinstance(value, str) else _plain(value)


def _same(value: Any) -> Any:
    return value


def _or_none(convert: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else convert(value)


def _json_text(text: str) -> Any:
    """JSON as it is; as a text where the engine lets something pass that is none."""
    try:
        return _check(text)
    except msgspec.DecodeError:
        return text


_OF_VALUES: Final[dict[str, Callable[[Any], Any]]] = {
    "JSON": _json_text,
    "DOUBLE": _float,
    "TIMESTAMP WITH TIME ZONE": _time_within,
}
"""What JSON has no notation for, by its type."""


def _cells(column: pa.ChunkedArray) -> pa.Array:
    """Each value's cell."""
    kind = column.type
    if pa.types.is_integer(kind):
        return column.combine_chunks().cast(pa.string()).fill_null("")
    if pa.types.is_string(kind) or pa.types.is_timestamp(kind):
        return _of_each(column, _cell_texts)
    return _cell_texts(column)


def _cell_texts(column: pa.ChunkedArray) -> pa.Array:
    kind = column.type
    text = _text if pa.types.is_string(kind) or pa.types.is_large_string(kind) else _plain
    cells = ["" if value is None else _cell(text(value)) for value in _values(column)]
    return pa.array(cells, pa.string())


def _plain(value: Any) -> str:
    """A value that is no text, as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, int | float | str):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date | time):
        return value.isoformat()
    return _encode(value).decode()


def _text(value: str) -> str:
    return "'" + value if value.startswith(_FORMULA) else value


def _cell(text: str) -> str:
    if not text or not _QUOTED.isdisjoint(text):
        return '"' + text.replace('"', '""') + '"'
    return text
