"""The archive: a tenant's events in DuckDB. The only package that imports duckdb."""

from eventcenter.archive.archive import Archive
from eventcenter.archive.examine import examine
from eventcenter.archive.load import Poison, table_of
from eventcenter.archive.pool import Archives
from eventcenter.archive.settler import Settler

__all__ = ["Archive", "Archives", "Poison", "Settler", "examine", "table_of"]
