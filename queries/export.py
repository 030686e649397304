"""Events as a Parquet file, made while it is sent."""

import io
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from eventcenter.archive import Archives
from queries.request import EventFilter
from queries.search import Statement

COLUMNS: Final = (
    "seq, bus, received_at, id, source, type, subject, time, time_text, datacontenttype, dataschema,"
    " extensions, data_kind, data"
)
TIMEOUT_S: Final = 3600.0
_BATCH_ROWS: Final = 16_384
_GROUP_ROWS: Final = 131_072


def parquet(archives: Archives, tenant_id: str, which: EventFilter) -> Iterator[bytes]:
    """The tenant's events that pass the filter, as the bytes of one Parquet file, piece by piece.

    All of one moment, each with everything it was sent with (docs/export.md has the columns); in no order of
    their own, as sorting much more than memory would take longer than writing. Raises Unavailable after an
    hour.
    """
    statement = Statement()
    statement.where_filter(which)
    sql, parameters = statement.select(COLUMNS)
    with archives.tenant(tenant_id).reader(timeout_s=TIMEOUT_S) as reader:
        batches = reader.cursor.sql(sql, params=parameters or None).to_arrow_reader(_BATCH_ROWS)
        sink = _Sink()
        with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), batches.schema, compression="zstd") as writer:
            waiting: list[pa.RecordBatch] = []
            for batch in batches:
                waiting.append(batch)
                if sum(one.num_rows for one in waiting) >= _GROUP_ROWS:
                    writer.write_table(pa.Table.from_batches(waiting))
                    waiting.clear()
                    yield sink.take()
            if waiting:
                writer.write_table(pa.Table.from_batches(waiting))
        yield sink.take()


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken, and counts on."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._written += len(part)
        return len(part)

    def take(self) -> bytes:
        """What was written since the last time."""
        taken, self._parts = b"".join(self._parts), []
        return taken
