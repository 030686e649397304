"""One subject's events: what a person's right to be forgotten takes away."""

import json
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from eventcenter.archive.archive import Reader
from eventcenter.archive.relation import quoted
from eventcenter.archive.removal import Removal

_AT_ONCE: Final = 200
_IN_JSON: Final = re.compile(rb'"(?:ce_|cloudevents[_:])?subject"\s*:\s*("(?:[^"\\]|\\.)*")', re.IGNORECASE)
_IN_HEADERS: Final = re.compile(rb"^ce-subject:[ \t]*(.*?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


def of_subject(reader: Reader, subject: str, *, bus: str | None, deletion: str | None) -> Removal:
    """The removal of the subject's events that the archive holds now, of one bus or of all.

    With them go the rejects in whose bytes the subject is written as such.
    """
    on_bus = "" if bus is None else f" AND bus = {quoted(bus)}"
    rejects = ", ".join(str(one) for one in _rejects(reader, subject, bus))
    last = reader.last_seq
    return Removal(
        events=f"coalesce(subject = {quoted(subject)}, false) AND seq <= {last}{on_bus}",
        rejects=f"id IN ({rejects})" if rejects else "false",
        may_hold=lambda one: one.first_seq <= last and bool(one.index.rows_of_subject(subject).size),
        deletion=deletion,
    )


def names_subject(kept: bytes, subject: str) -> bool:
    """Whether a refused event, as JSON or as headers and body, has this subject."""
    for found in _IN_JSON.finditer(kept):
        try:
            if json.loads(found[1]) == subject:
                return True
        except ValueError:
            continue
    return any(
        unquote(found[1].decode("utf-8", "replace")) == subject or found[1] == subject.encode()
        for found in _IN_HEADERS.finditer(kept)
    )


def _rejects(reader: Reader, subject: str, bus: str | None) -> Iterator[int]:
    last = 0
    while rows := reader.rows(
        "SELECT id, bus, bytes FROM rejects WHERE id > ? ORDER BY id LIMIT ?", [last, _AT_ONCE]
    ):
        last = rows[-1]["id"]
        for row in rows:
            if bus in {None, row["bus"]} and names_subject(row["bytes"], subject):
                yield row["id"]
