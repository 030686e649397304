"""Rows of segments that indexes pick, a few at a time from the end that is asked for.

A segment is sorted by type and stretch of time, so an id's or subject's rows lie far apart in it, and what is
read costs the engine whole blocks. The index tells within a narrow range where each row stands in the asked
order: only those that may be among the first N are read.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Self

import numpy as np
import numpy.typing as npt

from eventcenter.archive.archive import Reader
from eventcenter.archive.index import Rows
from eventcenter.archive.manifest import Fresh, Layout, Segment
from eventcenter.archive.relation import COLUMNS, PathColumn, PathTest, events
from queries import parts
from queries.request import EventFilter

Order = Literal["seq", "at", "time"]
"""By seq; by time, or received_at where there is none; by time, what has none at the end."""
_FEW: Final = 8
"""So many rows' subjects are read as fast as one that tells of the others."""
_PLAIN: Final = re.compile(r"[^\0$]*")
"""What can stand in a statement's text."""
_LAST: Final = -(2**62)
"""Comes behind every key."""


@dataclass(frozen=True, kw_only=True)
class Picked:
    """Rows that may pass a filter. Of two keys the larger one comes first."""

    segments: tuple[Segment, ...]
    part: Rows
    """Of each row, the place of its segment in `segments`."""
    row: Rows
    near: Rows
    """No row's key is larger."""
    far: Rows
    """No row's key is smaller."""
    subjects: Mapping[int, str] = field(default_factory=dict)
    """Of segments by number, the subject that all their rows are known to have."""

    @classmethod
    def of(cls, layout: Layout, which: EventFilter, order: Order, *, newest: bool) -> Self:
        """The rows that indexes pick for a filter which `parts.is_picked`."""
        found = [(one, rows) for one in layout.segments if len(rows := parts.rows_of(one, which))]
        ends = [_ends(one, rows, order, newest=newest) for one, rows in found]
        none = np.empty(0, np.int64)
        return cls(
            segments=tuple(one for one, _ in found),
            part=np.repeat(np.arange(len(found)), [len(rows) for _, rows in found]),
            row=np.concatenate([none, *(rows for _, rows in found)]),
            near=np.concatenate([none, *(near for near, _ in ends)]),
            far=np.concatenate([none, *(far for _, far in ends)]),
        )

    def __len__(self) -> int:
        return len(self.row)

    @property
    def best(self) -> int:
        """The largest key that a row may have; there must be one."""
        return int(self.near.max())

    def behind(self, key: int) -> Self:
        """Without rows that surely come before `key`."""
        kept = self._only(self.far <= key)
        # Of a row that may lie before the key nobody knows whether it counts.
        return replace(kept, far=np.where(kept.near > key, _LAST, kept.far))

    def told(self, reader: Reader, which: EventFilter) -> Self:
        """The same with the subjects of segments where one row tells of all; without what is of another."""
        if len(which.subjects) != 1 or not _PLAIN.fullmatch(which.subjects[0]):
            return self
        [subject] = which.subjects
        asked = [
            f"SELECT {one.number} AS part, subject FROM {one.catalog}.events WHERE rowid = {rows[0]}"  # noqa: S608 our own names
            for one, rows in self.by_segment()
            if len(rows) >= _FEW and one.index.tells(subject)
        ]
        if not asked:
            return self
        found = {row["part"]: row["subject"] for row in reader.rows(" UNION ALL ".join(asked))}
        other = [
            place for place, one in enumerate(self.segments) if found.get(one.number, subject) != subject
        ]
        kept = self._only(~np.isin(self.part, other))
        return replace(kept, subjects=found)

    def none(self) -> Self:
        """No rows."""
        return self._only(np.zeros(len(self), np.bool_))

    def sure(self) -> Self:
        """The same where nothing but a subject is asked for: rows that may be of another do not count."""
        known = [place for place, one in enumerate(self.segments) if one.number in self.subjects]
        return replace(self, far=np.where(np.isin(self.part, known), self.far, _LAST))

    def foremost(self, count: int, known: Sequence[int]) -> tuple[Self, Self]:
        """The rows that may be among the first `count`, if all pass whose `far` is known; and the rest.

        `known`: keys of what was found elsewhere.
        """
        keys = np.concatenate([self.far, np.array(known, np.int64)])
        if len(keys) <= count:
            return self, self.none()
        taken = self.near >= np.partition(keys, -count)[-count]
        return self._only(taken), self._only(~taken)

    def by_segment(self) -> list[tuple[Segment, Rows]]:
        """Each segment's rows, ascending; no segment without."""
        found = [(one, np.sort(self.row[self.part == place])) for place, one in enumerate(self.segments)]
        return [(one, rows) for one, rows in found if len(rows)]

    def source(
        self,
        fresh: tuple[Fresh, ...] = (),
        *,
        columns: Sequence[str] = COLUMNS,
        paths: Sequence[PathColumn | PathTest] = (),
        place: bool = True,
    ) -> str:
        """A SELECT of these rows and all events in `fresh`; see `relation.events`."""
        unpicked = Layout(fresh=fresh, segments=())
        branches = [events(unpicked, columns=columns, paths=paths, place=place)] if fresh else []
        for segment, rows in self.by_segment():
            only = Layout(fresh=(), segments=(segment,))
            branches.append(
                events(
                    only,
                    columns=columns,
                    paths=paths,
                    rows={segment.number: rows.tolist()},
                    subject=self.subjects.get(segment.number),
                    place=place,
                )
            )
        return " UNION ALL ".join(branches)

    def _only(self, mask: npt.NDArray[np.bool_]) -> Self:
        return replace(
            self, part=self.part[mask], row=self.row[mask], near=self.near[mask], far=self.far[mask]
        )


def _ends(segment: Segment, rows: Rows, order: Order, *, newest: bool) -> tuple[Rows, Rows]:
    ends = segment.index.ends(rows, "seq" if order == "seq" else "at")
    if ends is None:
        return np.full(len(rows), -_LAST), np.full(len(rows), _LAST)
    low, high = ends
    near, far = (high, low) if newest else (-low, -high)
    return near, np.where(segment.index.may_lack_time(rows), _LAST, far) if order == "time" else far
