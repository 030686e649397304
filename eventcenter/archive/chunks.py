"""Cuts parts of an archive into pieces that follow each other in a segment's order and can be sorted.

DuckDB's sort fails where rows are long and do not fit into memory together, whatever it may spill. Beside
them a vector of rows is held several times: as it is read, as it comes out of the sort, as it is stored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from eventcenter.archive import relation
from eventcenter.archive.archive import Reader
from eventcenter.archive.manifest import Layout
from eventcenter.archive.order import AT

_BESIDE: Final = 150
"""Bytes of an event beside its data and extensions, about."""
_BYTES: Final = f"sum(strlen(coalesce(data, '')) + strlen(coalesce(extensions, '')) + {_BESIDE})::BIGINT"
_VECTOR: Final = 2048
"""Rows that the engine handles at once."""
_SORTED: Final = 0.5
"""Of the memory, for rows that are being sorted."""
_VECTORS: Final = 8
"""So many vectors of the longest rows must fit into memory."""
Chunk = tuple[str, list[object]]
"""A SELECT and its parameters."""


@dataclass(frozen=True, kw_only=True)
class Chunks:
    """The events of `parts` for which the SQL condition `keep` holds."""

    reader: Reader
    events: str
    keep: str
    bytes_of: dict[str, int]
    """By type, in order."""
    count_of: dict[str, int]
    """By type."""
    longest: float
    """Bytes of a row, on average, of the type that has the longest."""

    @property
    def least_memory(self) -> int:
        """Bytes that the engine needs for rows as long as these."""
        return round(_VECTORS * _VECTOR * self.longest)

    def within(self, memory_bytes: int) -> Iterator[Chunk]:
        """SELECTs of the events, piece by piece.

        Each can be sorted within `memory_bytes`, unless a single moment of a type is too large for it.
        """
        most = max(1, round(_SORTED * memory_bytes))
        if sum(self.bytes_of.values()) <= most:
            yield f"SELECT * FROM ({self.events}) WHERE {self.keep}", []  # noqa: S608 our own text
            return
        group: list[str] = []
        held = 0
        for name, size in self.bytes_of.items():
            if group and held + size > most:
                yield self._of_types(group)
                group, held = [], 0
            if size > most:
                yield from self._of_large_type(name, size // most + 1)
                continue
            group.append(name)
            held += size
        if group:
            yield self._of_types(group)

    def _of_types(self, types: Sequence[str]) -> Chunk:
        where = f"type IN (SELECT unnest(?::VARCHAR[])) AND {self.keep}"
        return f"SELECT * FROM ({self.events}) WHERE {where}", [list(types)]  # noqa: S608 our own text

    def _of_large_type(self, name: str, pieces: int) -> Iterator[Chunk]:
        """Stretches of time of one type, each of about as many events."""
        of_type = f"SELECT * FROM ({self.events}) WHERE type = ? AND {self.keep}"  # noqa: S608 our own text
        parts = ", ".join(str(piece / pieces) for piece in range(1, pieces))
        [found] = self.reader.rows(
            f"SELECT approx_quantile(epoch_us({AT}), [{parts}]) AS bounds FROM ({of_type})",  # noqa: S608
            [name],
        )
        bounds = sorted({int(bound) for bound in found["bounds"] or []})
        for low, high in pairwise([None, *bounds, None]):
            after = "" if low is None else f" AND epoch_us({AT}) >= {low}"
            before = "" if high is None else f" AND epoch_us({AT}) < {high}"
            yield of_type + after + before, [name]


def chunks(reader: Reader, parts: Layout, keep: str) -> Chunks:
    """Look how large the events of each type are, of those for which the SQL condition `keep` holds."""
    events = relation.events(parts)
    counted = reader.rows(
        f"SELECT type, count(*) AS events, {_BYTES} AS bytes FROM ({events}) WHERE {keep}"  # noqa: S608
        " GROUP BY type ORDER BY type"
    )
    return Chunks(
        reader=reader,
        events=events,
        keep=keep,
        bytes_of={row["type"]: row["bytes"] for row in counted},
        count_of={row["type"]: row["events"] for row in counted},
        longest=max((row["bytes"] / row["events"] for row in counted), default=0.0),
    )
