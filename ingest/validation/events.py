"""Checks a body of many events: the scan reads it all, and the exact check decides where it is in doubt."""

import json
from collections.abc import Iterable

from eventcenter.errors import EventCenterError, InvalidInput, TooLarge
from ingest.validation import quick, scanner
from ingest.validation.checked import Checked, Reject, reject
from ingest.validation.exact import line_of_json
from ingest.validation.json_text import broken, decode_utf8, too_deep
from ingest.validation.limits import MAX_EVENTS_PER_BODY, Limits
from ingest.validation.scanned import Body, Scanned

_SPACE = " \t\n\r"
_BLANK = b" \t\r"
_BOUNDS = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len)
"""Finds where a value ends, whatever is in it."""


def check_lines(body: Body, limits: Limits) -> Checked:
    """The events of newline-delimited JSON; lines of whitespace count for nothing. Raises TooLarge."""
    scanned = scanner.scan(body, scanner.LINES, limits)
    if scanned is not None:
        return _decided(scanned, body, limits)
    body = bytes(body)
    if body.count(b"\n") >= MAX_EVENTS_PER_BODY:
        raise too_many()
    return _one_by_one((part for part in body.split(b"\n") if part.strip(_BLANK)), limits)


def check_array(body: Body, limits: Limits) -> Checked:
    """The events of a JSON array (batched mode); the empty one is legal.

    Raises InvalidInput where the body is no array whose elements can be told apart, TooLarge.
    """
    scanned = scanner.scan(body, scanner.ARRAY, limits)
    if scanned is not None:
        return _decided(scanned, body, limits)
    return _one_by_one(_elements(bytes(body), limits), limits)


def check_one(raw: Body, limits: Limits) -> Checked:
    """The one event of a structured body; refused events are told, not raised."""
    scanned = scanner.scan(raw, scanner.ONE, limits)
    if scanned is not None:
        return _decided(scanned, raw, limits)
    return _one_by_one((bytes(raw),), limits)


def _one_by_one(parts: Iterable[bytes], limits: Limits) -> Checked:
    """The events of JSON texts, one each."""
    lines: list[bytes | memoryview] = []
    rejects: list[Reject] = []
    for index, part in enumerate(parts):
        _decide(index, part, limits, lines, rejects)
    return Checked(payload=b"".join(lines), count=len(lines), rejects=tuple(rejects))


def _decided(scanned: Scanned, body: Body, limits: Limits) -> Checked:
    """The events of a scanned body, those in doubt decided."""
    lines: list[bytes | memoryview] = []
    rejects: list[Reject] = []
    done = 0
    for doubt in scanned.doubts:
        lines.append(scanned.lines[done : doubt.at])
        done = doubt.at
        _decide(doubt.index, bytes(body[doubt.start : doubt.end]), limits, lines, rejects)
    lines.append(scanned.lines[done:])
    return Checked(payload=b"".join(lines), count=scanned.count - len(rejects), rejects=tuple(rejects))


def _decide(
    index: int, part: bytes, limits: Limits, lines: list[bytes | memoryview], rejects: list[Reject]
) -> None:
    """Add the line or the reject of the event in the JSON text."""
    line = quick.line_of_json(part, limits)
    try:
        lines.append(line_of_json(part, limits) if line is None else line)
    except EventCenterError as error:
        rejects.append(reject(index, error, part, limits.max_event_bytes))


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
