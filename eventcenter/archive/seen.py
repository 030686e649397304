"""Which events of a batch a tenant's archive may hold already: what deduplication asks first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import numpy.typing as npt

from eventcenter.archive import bloom
from eventcenter.archive.index import Rows
from eventcenter.archive.keys import ID_BITS, Keys, id_prefix
from eventcenter.archive.manifest import Fresh, Layout, Segment

_FIRST_KEYS: Final = 1 << 16
_HALF_BITS: Final = 32
_BITS_PER_KEY: Final = 54
"""Four times those of a segment's filter: a false hit here costs a look at all the table's keys."""
_FRONT_GROWTH: Final = 4
_FRONT_BITS_PER_KEY: Final = 24
"""A false hit here costs a look at the filters of tables."""
_FEW_HITS: Final = 32
"""As many are looked for among the keys in memory; more are hardly false, and the table is asked at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspects:
    """Where keys may be. Nothing else needs to be compared; what is named here may still be another's."""

    positions: Rows
    """Of the keys in question, ascending."""
    fresh: tuple[tuple[Fresh, Keys], ...]
    """Tables, and the keys to look for in them."""
    segments: tuple[tuple[Segment, Rows], ...]
    """Segments, and the rows to look at."""


class Seen:
    """Filters over a tenant's fresh events, and its segments' indexes; for one thread at a time."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, layout: Layout) -> None:
        """Read the keys of all fresh events: some 10 ms a million."""
        self._layout = layout
        self._filters: dict[int, _Filter] = {}
        self._front = _Front()
        self._read_fresh(connection)

    def follow(self, connection: duckdb.DuckDBPyConnection, layout: Layout) -> None:
        """Take over another layout; only tables that are new, or in doubt, are read."""
        # The current table is read last: when it is there, all are.
        if layout is self._layout and layout.current.number in self._filters:
            return
        self._layout = layout
        self._read_fresh(connection)

    def suspects(self, keys: Keys) -> Suspects:
        """Where these keys may be in the archive; quickest when their lower 32 bits ascend."""
        probes = bloom.Probes.of(keys)
        passed = self._front.hits(probes)
        few = keys[passed]
        few_probes = bloom.Probes.of(few)
        fresh = []
        for one in self._layout.fresh:
            table = self._filters[one.number]
            found = (
                passed[table.hits(few, few_probes)]
                if one.number in self._front.tables
                else table.hits(keys, probes)
            )
            fresh.append((one, found))
        segments = [(one, *one.index.candidates(keys, probes)) for one in self._layout.segments]
        positions = [found for _, found in fresh] + [found for _, found, _ in segments]
        return Suspects(
            positions=np.unique(np.concatenate(positions)),
            fresh=tuple((one, keys[found]) for one, found in fresh if found.size),
            segments=tuple((one, np.unique(rows)) for one, _, rows in segments if rows.size),
        )

    def may_hold(self, fresh: Fresh, event_ids: Sequence[str]) -> bool:
        """Whether a reader's table may hold one of these ids; True where nobody knows. For any thread."""
        one = self._filters.get(fresh.number)
        # In this order: a table that is gone may have left its number to another one.
        if one is None or fresh not in self._layout.fresh:
            return True
        return any(one.has_id(event_id) for event_id in event_ids)

    def extend(self, keys: Keys) -> None:
        """Add what is stored in the current table, before its commit: who sees an event finds its key."""
        number = self._layout.current.number
        # A filter that lacks a key would let repeats pass: where this fails, it is read anew.
        current = self._filters.pop(number)
        current.add(keys)
        self._filters[number] = current

    def doubt(self) -> None:
        """What was added last may not be there: the current table is read anew when it is needed."""
        self._filters.pop(self._layout.current.number, None)

    @property
    def nbytes(self) -> int:
        """Memory of keys and filters; those of segments are mapped files."""
        return self._front.nbytes + sum(one.nbytes for one in self._filters.values())

    def _read_fresh(self, connection: duckdb.DuckDBPyConnection) -> None:
        former = self._filters
        self._filters = {}
        for one in self._layout.fresh:
            if one.number not in former:
                sql = f"SELECT key FROM main.{one.table}"  # noqa: S608 a number of our own
                keys = np.asarray(connection.execute(sql).fetchnumpy()["key"], np.uint64)
                former[one.number] = _Filter(keys)
            self._filters[one.number] = former[one.number]
        self._front = self._front.over(
            {one.number: self._filters[one.number] for one in self._layout.fresh[:-1]}
        )


class _Front:
    """A filter over the keys of all tables that are written no more: many of them cost a batch one look.

    It grows by generations. Keys of tables that are gone stay in it until they are the larger part.
    """

    def __init__(self) -> None:
        self.tables: set[int] = set()
        self._generations: list[npt.NDArray[np.uint64]] = []
        self._capacity = 0
        self._left = 0
        self._held = 0

    @property
    def nbytes(self) -> int:
        return sum(words.nbytes for words in self._generations)

    def over(self, filters: Mapping[int, "_Filter"]) -> "_Front":
        """A front over these tables: this one where it can grow to it, else a new one."""
        live = sum(len(keys) for one in filters.values() for keys in one.pieces())
        missing = filters.keys() - self.tables
        added = sum(len(keys) for number in missing for keys in filters[number].pieces())
        front = self if 2 * live >= self._held + added else _Front()
        for number, one in filters.items():
            if number not in front.tables:
                for keys in one.pieces():
                    front.add(keys)
                front.tables.add(number)
        front.tables &= filters.keys()
        return front

    def hits(self, probes: bloom.Probes) -> Rows:
        """Positions, ascending, of keys that may be in one of `tables`."""
        found = [bloom.hits(words, probes) for words in self._generations]
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)

    def add(self, keys: Keys) -> None:
        self._held += len(keys)
        while len(keys):
            if not self._left:
                self._capacity = self._left = max(_FIRST_KEYS, _FRONT_GROWTH * self._capacity, len(keys))
                self._generations.append(
                    np.zeros(bloom.words_for(self._capacity, _FRONT_BITS_PER_KEY), np.uint64)
                )
            now, keys = keys[: self._left], keys[self._left :]
            bloom.add(self._generations[-1], bloom.Probes.of(now))
            self._left -= len(now)


@dataclass(kw_only=True, slots=True)
class _Generation:
    """Keys behind a filter of their own, up to a number that does not change."""

    words: npt.NDArray[np.uint64]
    held: Keys
    used: int = 0
    """So many of `held` are keys. Changes after them: other threads look meanwhile."""


class _Filter:
    """A table's keys behind a Bloom filter that grows by generations, each twice the former one."""

    def __init__(self, keys: Keys) -> None:
        self._generations: list[_Generation] = []
        self.add(keys)

    @property
    def nbytes(self) -> int:
        return sum(one.words.nbytes + one.held.nbytes for one in self._generations)

    def add(self, keys: Keys) -> None:
        while len(keys):
            if not self._generations or self._generations[-1].used == len(self._generations[-1].held):
                self._generations.append(self._next(len(keys)))
            last = self._generations[-1]
            now = keys[: len(last.held) - last.used]
            bloom.add(last.words, bloom.Probes.of(now))
            last.held[last.used :][: len(now)] = now
            last.used += len(now)
            keys = keys[len(now) :]

    def _next(self, least: int) -> _Generation:
        former = len(self._generations[-1].held) if self._generations else 0
        size = max(_FIRST_KEYS, 2 * former, least)
        words = np.zeros(bloom.words_for(size, _BITS_PER_KEY), np.uint64)
        return _Generation(words=words, held=np.empty(size, np.uint64))

    def pieces(self) -> Iterator[Keys]:
        """All of the table's keys, in pieces."""
        for one in tuple(self._generations):
            yield one.held[: one.used]

    def has_id(self, event_id: str) -> bool:
        """Whether a key may be that of an event with this id."""
        below = _HALF_BITS - ID_BITS
        first = np.uint32(id_prefix(event_id) << below)
        # The upper halves alone, and what is smaller than the first wraps around: a third of a ms a million.
        uppers = (keys.view("<u4")[1::2] for keys in self.pieces())
        return any((upper - first < 1 << below).any() for upper in uppers)

    def hits(self, keys: Keys, probes: bloom.Probes) -> Rows:
        """Positions of keys that are in the table; of many, some are perhaps not. `probes` are of `keys`."""
        found = [bloom.hits(one.words, probes) for one in self._generations]
        hits = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
        if not 0 < len(hits) <= _FEW_HITS:
            return hits
        held = list(self.pieces())
        return hits[[any((each == key).any() for each in held) for key in keys[hits]]]
