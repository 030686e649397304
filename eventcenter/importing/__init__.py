"""Bulk import of files through the ingest service: read ahead, several requests at once, restartable.

files    which files are meant, and what each one is
text     NDJSON, packed or not  → parts
parquet  Parquet (columns: how its rows become lines) → parts
part     the events of one request, with their place in the file
rejects  the file of refused lines
single   events that only the binary mode can carry
posting  part → what the service answered
memory   how much of each file is acknowledged, so that the next run goes on there
run      the whole
"""

from eventcenter.importing.files import Kind, Source, sources
from eventcenter.importing.memory import Memory
from eventcenter.importing.parquet import ParquetReader
from eventcenter.importing.part import PART_BYTES, Reader
from eventcenter.importing.posting import Poster
from eventcenter.importing.run import Import, Listener, Progress, Reject, Result
from eventcenter.importing.text import TextReader

__all__ = [
    "Import",
    "Listener",
    "Memory",
    "Poster",
    "Progress",
    "Reject",
    "Result",
    "Source",
    "reader",
    "sources",
]


def reader(source: Source, bus: str | None, *, part_bytes: int = PART_BYTES) -> Reader:
    """What reads that file; without a bus events go to `default`, those of an export to their own."""
    if source.kind is Kind.PARQUET:
        return ParquetReader(source, bus=bus, part_bytes=part_bytes)
    return TextReader(source, bus=bus or "default", part_bytes=part_bytes)
