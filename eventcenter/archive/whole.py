"""Whole events of segments, a few of them: read as they are kept, and put together here.

For a few rows the engine plans the expressions of `relation`, which say the same, for longer than it reads.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from eventcenter.archive.archive import Reader
from eventcenter.archive.manifest import FORM_OF_UUIDS, Segment
from eventcenter.archive.relation import COLUMNS, MARK_OF_TRACE, UTC_FORMS, is_row, quoted
from eventcenter.clock import from_micros

_AS_IT_IS: Final = [name for name in COLUMNS if name not in {"subject", "time", "received_at"}]
_AS_NUMBERS: Final = ("id_uuid", "extended", "trace", "span")


def events_at(
    reader: Reader,
    picked: Iterable[tuple[Segment, Sequence[int]]],
    *,
    subjects: Mapping[int, str] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """The events in these rows, in any order, with the columns of `relation` but `time`.

    Also `time_us`, which may be None, and `received_us`, microseconds since 1970; `part`, the segment's
    number, `row`, and what the segment keeps in the place of some of these. `subjects`: by segment, what all
    of its rows have, so that it need not be read.
    """
    selects = [_kept(segment, rows, subjects.get(segment.number)) for segment, rows in picked if len(rows)]
    return list(map(_event, reader.rows(" UNION ALL ".join(selects)))) if selects else []


def _kept(segment: Segment, rows: Sequence[int], subject: str | None) -> str:
    numbers = _AS_NUMBERS if segment.form >= FORM_OF_UUIDS else [f"NULL AS {name}" for name in _AS_NUMBERS]
    selected = [
        *_AS_IT_IS,
        "time_form",
        *numbers,
        "subject" if subject is None else f"{quoted(subject)} AS subject",
        "epoch_us(time) AS time_us",
        "epoch_us(received_at) AS received_us",
        f"{segment.number}::BIGINT AS part",
        "rowid AS row",
    ]
    where = is_row(rows, ordered=False)
    return f"SELECT {', '.join(selected)} FROM {segment.catalog}.events WHERE {where}"  # noqa: S608 our own names


def _event(row: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(row)
    found["received_at"] = from_micros(row["received_us"])
    if row["id_uuid"] is not None:
        found["id"] = str(row["id_uuid"])
    if row["time_form"] is not None:
        found["time_text"] = _time_text(row["time_us"], row["time_form"])
    if row["trace"] is not None:
        traced = f"{row['trace'].hex}-{row['span']:016x}"
        found["extensions"] = row["extended"].replace(MARK_OF_TRACE, traced)
    return found


def _time_text(micros: int, form: int) -> str:
    text = from_micros(micros).isoformat(timespec="microseconds")
    digits = (form - 1) % UTC_FORMS
    return text[: 20 + digits if digits else 19] + ("+00:00" if form > UTC_FORMS else "Z")
