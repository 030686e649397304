"""Checks a body of many events: all at once where all are good, else in ever smaller groups."""

import json
from collections.abc import Sequence

from eventcenter.errors import EventCenterError, InvalidInput, TooLarge
from ingest.validation import fast, quick
from ingest.validation.checked import Checked, Reject, reject
from ingest.validation.exact import line_of_json
from ingest.validation.json_text import broken, decode_utf8, too_deep
from ingest.validation.limits import MAX_EVENTS_PER_BODY, Limits

_GROUP = 64
_SPACE = " \t\n\r"
_BOUNDS = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len)
"""Finds where a value ends, whatever is in it."""


def check_lines(body: bytes, limits: Limits) -> Checked:
    """The events of newline-delimited JSON; empty lines count for nothing. Raises TooLarge."""
    if body.count(b"\n") >= MAX_EVENTS_PER_BODY:
        raise too_many()
    parts = body.split(b"\n")
    if not parts[-1]:
        parts.pop()
    if b"" in parts or b"\r" in parts:
        parts = [part for part in parts if part.strip()]
    return check_many(parts, limits)


def check_array(body: bytes, limits: Limits) -> Checked:
    """The events of a JSON array (batched mode); the empty one is legal.

    Raises InvalidInput where the body is no array whose elements can be told apart, TooLarge.
    """
    quick = fast.lines_of_array(body, limits)
    if quick is not None and quick[1] <= MAX_EVENTS_PER_BODY:
        return Checked(payload=quick[0], count=quick[1])
    return check_many(_elements(body, limits), limits)


def check_one(raw: bytes, limits: Limits) -> Checked:
    """The one event of a structured body; refused events are told, not raised."""
    line = quick.line_of_json(raw, limits)
    if line is not None:
        return Checked(payload=line, count=1)
    try:
        return Checked(payload=line_of_json(raw, limits), count=1)
    except EventCenterError as error:
        return Checked(payload=b"", count=0, rejects=(reject(0, error, raw, limits.max_event_bytes),))


def check_many(parts: Sequence[bytes], limits: Limits) -> Checked:
    """The events of JSON texts, one each."""
    if not parts:
        return Checked(payload=b"", count=0)
    if len(parts) == 1:
        return check_one(parts[0], limits)
    payload = fast.lines_of(parts, limits)
    if payload is not None:
        return Checked(payload=payload, count=len(parts))
    good: list[bytes] = []
    rejects: list[Reject] = []
    for start in range(0, len(parts), _GROUP):
        group = parts[start : start + _GROUP]
        payload = fast.lines_of(group, limits) if len(group) < len(parts) else None
        if payload is not None:
            good.append(payload)
            continue
        for index, part in enumerate(group, start):
            line = quick.line_of_json(part, limits)
            try:
                good.append(line_of_json(part, limits) if line is None else line)
            except EventCenterError as error:
                rejects.append(reject(index, error, part, limits.max_event_bytes))
    payload = b"".join(good)
    return Checked(payload=payload, count=len(parts) - len(rejects), rejects=tuple(rejects))


def too_many() -> TooLarge:
    """The refusal of a body with more events than one body may hold."""
    return TooLarge(
        "The body holds too many events.",
        rule=f"at most {MAX_EVENTS_PER_BODY} events in one body",
        remedy="send them in several requests",
    )


def _elements(body: bytes, limits: Limits) -> list[bytes]:
    """The texts of an array's elements, good or not, so that one bad event does not refuse the others."""
    text = decode_utf8(body)
    at = _behind_space(text, 0)
    if text[at : at + 1] != "[":
        raise InvalidInput(
            "The body is not a JSON array.",
            value=text[at : at + 40],
            rule="batched mode is a JSON array of events (JSON batch format 1.0)",
            remedy="send [{…},{…}], or one event as application/cloudevents+json",
        )
    at = _behind_space(text, at + 1)
    found: list[bytes] = []
    separator = text[at : at + 1]
    while separator != "]":
        if len(found) >= MAX_EVENTS_PER_BODY:
            raise too_many()
        end = _end_of_value(text, at, limits)
        found.append(text[at:end].encode())
        at = _behind_space(text, end)
        separator = text[at : at + 1]
        if separator == ",":
            at = _behind_space(text, at + 1)
        elif separator != "]":
            raise broken(text, json.JSONDecodeError("Expecting ',' delimiter", text, at))
    if _behind_space(text, at + 1) != len(text):
        raise broken(text, json.JSONDecodeError("Extra data", text, at + 1))
    return found


def _end_of_value(text: str, at: int, limits: Limits) -> int:
    try:
        return _BOUNDS.raw_decode(text, at)[1]
    except json.JSONDecodeError as error:
        raise broken(text, error) from error
    except RecursionError as error:
        raise too_deep(None, limits.max_nesting) from error


def _behind_space(text: str, at: int) -> int:
    while text[at : at + 1] in _SPACE and at < len(text):
        at += 1
    return at
