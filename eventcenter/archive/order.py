"""The order of events in a segment: by type, stretch of time, subject, moment, seq.

Types lie apart since their payloads look alike. Within a type, STRETCH events that follow each other in time
are in the order of their subjects: the engine unpacks 2,048 rows for one, and so what is asked for together,
the newest of a subject, costs it a few of these instead of one for each event. A stretch is as long as a row
group, whose smallest and largest times tell the engine what to pass over: to ask for a range of time costs no
more than if all lay by time.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from eventcenter.archive.archive import Reader

AT: Final = "coalesce(time, received_at)"
"""An event's moment."""
STRETCH: Final = 122_880
"""Events of a type, about: as many as DuckDB has in a row group."""
_LOOKED_AT: Final = 512
"""Events of a stretch, by which its ends are told."""
_HASH: Final = f"(hash(subject) & {(1 << 32) - 1})::BIGINT"
"""Subjects of the same hash lie mixed, which nobody minds; a number is sorted faster than a text."""

Moments = npt.NDArray[np.int64]
Bounds = Mapping[str, Sequence[int]]
"""By type the first moments (µs since 1970) of all its stretches but the first; no type that has only one."""


def bounds(reader: Reader, events: str, keep: str, counts: Mapping[str, int]) -> Bounds:
    """Where stretches begin, of those `events` for which the SQL condition `keep` holds.

    `counts`: of events by type.
    """
    # The largest first, so that most events meet their type at once.
    several = sorted((name for name in counts if counts[name] > STRETCH), key=lambda name: -counts[name])
    looked = _looked_at(reader, events, keep, several)
    return {name: _cuts(moments, -(-counts[name] // STRETCH)) for name, moments in looked.items()}


def in_order(rows: str, begins: Bounds) -> tuple[str, list[str | int]]:
    """A SELECT of `rows`, another, in a segment's order, and its parameters."""
    at = f"epoch_us({AT})"
    cases, parameters = [], list[str | int]()
    for name, cuts in begins.items():
        cases.append(f"WHEN type = ? THEN {' + '.join([f'({at} >= ?)::BIGINT'] * len(cuts))}")
        parameters += [name, *cuts]
    stretch = f"CASE {' '.join(cases)} ELSE 0 END" if cases else "0"
    # As one number, which is sorted faster than two.
    within = f"({stretch})::BIGINT << 32 | {_HASH}"
    return f"SELECT * FROM ({rows}) ORDER BY type, {within}, {AT}, seq", parameters  # noqa: S608 our own text


def _looked_at(reader: Reader, events: str, keep: str, types: Sequence[str]) -> dict[str, Moments]:
    if not types:
        return {}
    found = reader.arrow(
        f"SELECT type, epoch_us({AT}) AS at FROM ({events}) WHERE {keep}"  # noqa: S608 our own text
        f" AND type IN (SELECT unnest(?::VARCHAR[])) AND hash(seq) % {STRETCH // _LOOKED_AT} = 0",
        [list(types)],
    )
    names, moments = np.asarray(found["type"]), np.asarray(found["at"])
    return {name: moments[names == name] for name in types if name in names}


def _cuts(moments: Moments, stretches: int) -> list[int]:
    parts = np.arange(1, stretches) / stretches
    cuts: list[int] = np.unique(np.quantile(moments, parts, method="nearest")).tolist()
    return cuts
