"""Journal lines → Arrow columns, split in C without the GIL."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.csv as pc

COLUMNS = (
    "id",
    "source",
    "type",
    "subject",
    "time_text",
    "datacontenttype",
    "dataschema",
    "extensions",
    "data_kind",
    "data",
)
_REQUIRED = COLUMNS[:3]
_PARSE = pc.ParseOptions(delimiter="\t", quote_char=False, double_quote=False, escape_char=False)
_CONVERT = pc.ConvertOptions(
    column_types={name: pa.string() for name in COLUMNS}, strings_can_be_null=True, null_values=[""]
)
_PARSED_AT_ONCE = 1 << 20
_LONGEST_LINE = 1 << 30


def to_table(payloads: Sequence[bytes | memoryview]) -> pa.Table:
    """A table of strings, one row a line, null where a field is empty.

    Raises pa.ArrowInvalid for other bytes, and where id, source or type are empty.
    """
    tables = [_read(stretch) for stretch in _stretches(payloads)]
    table = tables[0] if len(tables) == 1 else pa.concat_tables(tables)
    for name in _REQUIRED:
        if table[name].null_count:
            raise pa.ArrowInvalid(f"a line has no {name}")
    return table


def _stretches(payloads: Sequence[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """The payloads; small ones joined, since each reading has a price, large ones uncopied."""
    gathered: list[bytes | memoryview] = []
    size = 0
    for payload in payloads:
        if gathered and size + len(payload) > _PARSED_AT_ONCE:
            yield b"".join(gathered)
            gathered, size = [], 0
        gathered.append(payload)
        size += len(payload)
    yield gathered[0] if len(gathered) == 1 else b"".join(gathered)


def _read(data: bytes | memoryview) -> pa.Table:
    try:
        return _read_csv(data, _PARSED_AT_ONCE)
    except pa.ArrowInvalid:
        # A line longer than what is parsed at once is refused.
        if len(data) <= _PARSED_AT_ONCE:
            raise
        return _read_csv(data, min(len(data), _LONGEST_LINE))


def _read_csv(data: bytes | memoryview, block_size: int) -> pa.Table:
    # One thread takes less time of the processors than several, and the caller has others.
    read = pc.ReadOptions(column_names=list(COLUMNS), block_size=block_size, use_threads=False)
    return pc.read_csv(
        pa.BufferReader(data), read_options=read, parse_options=_PARSE, convert_options=_CONVERT
    )
