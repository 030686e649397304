"""Answers from bytes, errors from problem details: pure functions."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from eventcenter.errors import ERRORS, Busy, EventCenterError, Unavailable

T = TypeVar("T")

_BY_STATUS: dict[int, type[EventCenterError]] = {error.status: error for error in ERRORS}


def decode(body: bytes, kind: type[T]) -> T:
    """The answer as `kind`; Unavailable if it is not of that shape."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise Unavailable(
            f"the API's answer was not understood: {error}",
            rule="dashboard, command line and server are of the same version",
            remedy="update and restart all parts of Event Center",
        ) from error


def problem(status: int, headers: Mapping[str, str], body: bytes) -> EventCenterError:
    """The error of our tree that a refused request stands for."""
    try:
        read = json.loads(body)
    except ValueError:
        read = {}
    members: dict[str, Any] = read if isinstance(read, dict) else {}
    detail = str(members.get("detail") or members.get("title") or f"the API answered {status}")
    known = {name: members[name] for name in ("value", "rule", "remedy") if members.get(name) is not None}
    kind = _BY_STATUS.get(status)
    if kind is Busy:
        after = headers.get("retry-after", "")
        return Busy(detail, retry_after=int(after) if after.isdigit() else 5, **known)
    if kind is None:
        kind = Unavailable if status >= 500 else _BY_STATUS[400]
    return kind(detail, **known)
