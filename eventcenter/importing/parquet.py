"""Parquet as parts: rows become NDJSON by whole columns (see columns)."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eventcenter.errors import InvalidInput
from eventcenter.event import SPECVERSION
from eventcenter.importing import columns
from eventcenter.importing.files import Source
from eventcenter.importing.part import PART_BYTES, Part, Place, Single
from eventcenter.importing.single import json_types, singles, standalone

_REQUIRED = ("id", "source", "type")
_TEXTS = ("id", "source", "type", "subject", "datacontenttype", "dataschema")
_EXPORT = frozenset({"seq", "bus", "received_at", "time_text", "data_kind"})
_KNOWN = frozenset({*_TEXTS, "specversion", "time", "data", "data_base64", "extensions"})
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_MAX_ROWS = 50_000


class ParquetReader:
    """Reads events from Parquet: a column for each attribute, or the layout of Event Center's own export."""

    unit = "row"

    def __init__(self, source: Source, *, bus: str | None, part_bytes: int = PART_BYTES) -> None:
        """Without a `bus` the events of an export go to the buses that they are from, others to `default`."""
        self._source = source
        self._bus = bus
        self._part_bytes = part_bytes

    def parts(self, start: Place) -> Iterator[Part]:
        """The parts from row `start.offset` on. Raises InvalidInput for a wrong file or wrong columns."""
        try:
            with pq.ParquetFile(self._source.path) as file:
                exported = self._check(file.schema_arrow)
                yield from self._parts(file, start.offset, exported=exported)
        except (pa.ArrowException, OSError) as error:
            raise InvalidInput(
                f"the file is broken Parquet ({str(error).splitlines()[0]})",
                value=self._source.path,
                remedy="get the file again from where it comes from",
            ) from error

    def _parts(self, file: Any, start: int, *, exported: bool) -> Iterator[Part]:
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        first_group = at = 0
        while first_group < len(groups) and at + groups[first_group].num_rows <= start:
            at += groups[first_group].num_rows
            first_group += 1
        rows = max(file.metadata.num_rows, 1)
        size = max(sum(group.total_byte_size for group in groups) // rows, 1)
        batches = file.iter_batches(
            batch_size=min(max(2 * self._part_bytes // size, 1), _MAX_ROWS),
            row_groups=list(range(first_group, len(groups))),
            use_threads=False,
        )
        for whole in batches:
            end = at + len(whole)
            if end > start:
                batch = whole.slice(max(start - at, 0))
                yield from self._of_batch(batch, end - len(batch), exported=exported, rows=rows)
            at = end

    def _of_batch(self, batch: Any, begin: int, *, exported: bool, rows: int) -> Iterator[Part]:
        """Parts of the rows that follow `begin` rows of the file."""
        end = begin + len(batch)
        groups = list(self._groups(batch, exported=exported))
        for place, (bus, group, indexes) in enumerate(groups, start=1):
            chosen = group
            numbers = None if indexes is None else indexes + (begin + 1)
            alone: tuple[Single, ...] = ()
            if exported and (mask := standalone(chosen)) is not None:
                numbers = np.arange(begin + 1, end + 1) if numbers is None else numbers
                alone = singles(chosen.filter(mask), numbers[columns.indexes(mask)])
                others = pc.invert(mask)
                chosen, numbers = chosen.filter(others), numbers[columns.indexes(others)]
            inside, offsets = columns.content(lines(chosen, exported=exported))
            cuts = _cuts(offsets, self._part_bytes)
            for low, high in pairwise(cuts):
                last = high == cuts[-1]
                # Rows that are picked out are done when all of the batch are.
                done = begin + high if numbers is None else begin
                if last and place == len(groups):
                    done = end
                yield Part(
                    bus=bus,
                    body=bytes(inside[int(offsets[low]) : int(offsets[high])]),
                    first=begin + low + 1,
                    numbers=None if numbers is None else numbers[low:high],
                    place=Place(offset=done, lines=done),
                    read=self._source.size * done // rows,
                    singles=alone if last else (),
                )

    def _groups(self, batch: Any, *, exported: bool) -> Iterator[tuple[str, Any, Any]]:
        """(bus, its rows, their indexes or None for all)."""
        if self._bus is not None or not exported:
            yield self._bus or "default", batch, None
            return
        column = columns.plain(batch.column("bus")).cast(pa.large_string())
        names = pc.unique(column).to_pylist()
        if None in names:
            raise InvalidInput(
                "a row names no bus",
                value=self._source.path,
                rule="without --bus, events of an export go to the bus that their row names",
                remedy="name one bus for all: --bus NAME",
            )
        if len(names) == 1:
            yield names[0], batch, None
            return
        for name in names:
            chosen = columns.same(column, name)
            yield name, batch.filter(chosen), columns.indexes(chosen)

    def _check(self, schema: Any) -> bool:
        """Whether it is an export. Raises InvalidInput for columns that make no event."""
        names: list[str] = schema.names
        missing = [name for name in _REQUIRED if name not in names]
        if missing:
            raise InvalidInput(
                f"the file has no column {', '.join(missing)}",
                value=self._source.path,
                rule="each event has id, source and type; its columns are named like CloudEvents' attributes",
                remedy="rename the columns when writing the file; docs/importing.md shows how",
            )
        twice = sorted({name for name in names if names.count(name) > 1})
        exported = set(names) >= _EXPORT
        others = set(names) - _KNOWN - (_EXPORT if exported else set())
        wrong = sorted(name for name in others if not _is_extension(name, schema.field(name).type))
        if twice or wrong:
            raise InvalidInput(
                f"columns that are no attributes: {', '.join(wrong)}"
                if wrong
                else f"columns that are there twice: {', '.join(twice)}",
                value=self._source.path,
                rule="further columns are extension attributes: text, integers, booleans; named by a-z, 0-9",
                remedy="rename them, leave them out, or put them into a column data when writing the file",
            )
        return exported


def lines(batch: Any, *, exported: bool) -> Any:
    """Rows as lines of JSON (large_binary), each with its line end."""
    there = {name: columns.plain(batch.column(name)) for name in batch.schema.names}
    parts: list[Any] = [b'{"specversion":"%b"' % SPECVERSION.encode()]
    if "specversion" in there:
        given = pc.coalesce(there["specversion"].cast(columns.TEXT), columns.scalar(SPECVERSION.encode()))
        parts = [b'{"specversion":', columns.quoted(given)]
    parts += [columns.member(name, columns.quoted(_text(there[name]))) for name in _TEXTS if name in there]
    if exported:
        parts.append(columns.member("time", columns.quoted(_text(there["time_text"]))))
    elif "time" in there:
        parts.append(columns.member("time", _time(there["time"])))
    if "extensions" in there:
        column = there["extensions"]
        parts.append(columns.members_of(column if columns.is_text(column.type) else columns.objects(column)))
    parts += [
        columns.member(name, _extension(column))
        for name, column in there.items()
        if name not in _KNOWN and not (exported and name in _EXPORT)
    ]
    parts += _data(there, exported=exported)
    return columns.join(*parts, b"}\n", skip=True)


def _data(there: Mapping[str, Any], *, exported: bool) -> list[Any]:
    parts = []
    if "data_base64" in there:
        column = there["data_base64"]
        encoded = (
            columns.base64_of(column) if columns.is_bytes(column.type) else columns.quoted(_text(column))
        )
        parts.append(columns.member("data_base64", encoded))
    if "data" not in there:
        return parts
    data = there["data"]
    if exported:
        binary = columns.same(there["data_kind"], "binary")
        names = pc.if_else(binary, columns.scalar(b',"data_base64":'), columns.scalar(b',"data":'))
        return [*parts, columns.join(names, columns.json_or_text(_text(data)))]
    if columns.is_bytes(data.type):
        return [*parts, columns.member("data_base64", columns.base64_of(data))]
    if not columns.is_text(data.type):
        return [*parts, columns.member("data", columns.values(data))]
    types = _text(there["datacontenttype"]) if "datacontenttype" in there else None
    is_json = None if types is None else json_types(types)
    return [*parts, columns.member("data", columns.json_or_text(data, is_json))]


def _text(column: Any) -> Any:
    """A column of texts; bytes that are texts count too, since not every writer marks them."""
    return column.cast(pa.large_string())


def _time(column: Any) -> Any:
    moment = pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)
    return columns.moments(column) if moment else columns.quoted(_text(column))


def _extension(column: Any) -> Any:
    text = column.cast(pa.large_string())
    return columns.quoted(text) if columns.is_text(column.type) else text.cast(columns.TEXT)


def _is_extension(name: str, kind: Any) -> bool:
    while isinstance(kind, pa.BaseExtensionType) or pa.types.is_dictionary(kind):
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind.storage_type
    typed = columns.is_text(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    return typed and bool(name) and _NAME_CHARACTERS.issuperset(name)


def _cuts(offsets: Any, most: int) -> list[int]:
    """Where lines are cut into about equal parts of at most `most` bytes; a longer line goes alone."""
    count = len(offsets) - 1
    total = int(offsets[-1])
    if not count:
        return [0, 0]
    cuts = [0]
    while cuts[-1] < count:
        low = int(offsets[cuts[-1]])
        size = -(-(total - low) // -(-(total - low) // most)) if total > low else most
        cuts.append(
            min(max(int(np.searchsorted(offsets, low + size, side="right")) - 1, cuts[-1] + 1), count)
        )
    return cuts
