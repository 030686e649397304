"""Checks context attributes, from JSON members and from headers alike."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

from eventcenter.errors import InvalidInput
from eventcenter.event import SPECVERSION, ExtensionValue
from ingest.validation.json_text import Number
from ingest.validation.limits import Limits

REQUIRED = ("id", "source", "type", "specversion")
OPTIONAL = ("subject", "time", "datacontenttype", "dataschema")
CORE = frozenset(REQUIRED + OPTIONAL)
MAX_MEDIA_TYPE_LENGTH = 255
MAX_SCHEMA_LENGTH = 2048
MAX_TIME_LENGTH = 64
INT32 = range(-(1 << 31), 1 << 31)

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
EXTENSION_NAME = re.compile("[a-z0-9]+")
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_TYPE = re.compile(rf"{_WORD}/{_WORD} *(?:;[^\x00-\x1f\x7f]*)?")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Attributes:
    """Checked context attributes."""

    id: str
    source: str
    type: str
    subject: str | None
    time: str | None
    datacontenttype: str | None
    dataschema: str | None
    extensions: Mapping[str, ExtensionValue]


class Problem(NamedTuple):
    """One thing that is wrong with an event."""

    detail: str
    value: str | None
    rule: str
    remedy: str


def check_attributes(members: Mapping[str, object], limits: Limits) -> Attributes:
    """The attributes among `members` (which has no data); null counts as not sent.

    Raises one InvalidInput that tells all problems.
    """
    given = {name: value for name, value in members.items() if value is not None}
    problems = [
        Problem(
            f"`{name}` is missing.", None, "id, source, type and specversion are required", f"send `{name}`"
        )
        for name in REQUIRED
        if name not in given
    ]
    problems += _version_problems(given)
    longest = {
        "id": limits.max_id_length,
        "source": limits.max_source_length,
        "type": limits.max_type_length,
        "subject": limits.max_subject_length,
        "time": MAX_TIME_LENGTH,
        "datacontenttype": MAX_MEDIA_TYPE_LENGTH,
        "dataschema": MAX_SCHEMA_LENGTH,
    }
    text: dict[str, str] = {}
    extensions: dict[str, ExtensionValue] = {}
    for name, value in given.items():
        if name in longest:
            found = _text_problem(name, value, longest[name])
            if found is None and isinstance(value, str):
                text[name] = value
                found = _form_problem(name, value)
            if found is not None:
                problems.append(found)
        elif name != "specversion":
            extension = _extension(name, value, limits)
            if isinstance(extension, Problem):
                problems.append(extension)
            else:
                extensions[name] = extension
    if problems:
        raise refusal(problems)
    return Attributes(
        id=text["id"],
        source=text["source"],
        type=text["type"],
        subject=text.get("subject"),
        time=text.get("time"),
        datacontenttype=text.get("datacontenttype"),
        dataschema=text.get("dataschema"),
        # In alphabetical order, so that every way of checking writes the same line.
        extensions=dict(sorted(extensions.items())),
    )


def refusal(problems: list[Problem]) -> InvalidInput:
    """One error that tells all the problems."""
    if len(problems) == 1:
        detail, value, rule, remedy = problems[0]
        return InvalidInput(detail, value=value, rule=rule, remedy=remedy)
    return InvalidInput(
        " ".join(problem.detail for problem in problems),
        value="; ".join(problem.value for problem in problems if problem.value is not None) or None,
        rule="; ".join(dict.fromkeys(problem.rule for problem in problems)),
        remedy="; ".join(dict.fromkeys(problem.remedy for problem in problems)),
    )


def is_media_type(text: str) -> bool:
    """Whether it is a media type, perhaps with parameters (RFC 2046)."""
    return _MEDIA_TYPE.fullmatch(text) is not None


def is_uri(text: str) -> bool:
    """Whether it is a URI with a scheme (RFC 3986, section 3), roughly."""
    return _URI.fullmatch(text) is not None


def is_time(text: str) -> bool:
    """Whether it is a moment by RFC 3339 that exists, from the year 1 to 9999 in UTC."""
    match = _TIME.fullmatch(text)
    if match is None:
        return False
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    sign, offset_hours, offset_minutes = match.groups()[6:]
    offset = timedelta()
    if sign is not None:
        if int(offset_hours) > 23 or int(offset_minutes) > 59:
            return False
        offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes)) * (-1 if sign == "-" else 1)
    try:
        moment = datetime(
            year, month, day, hour, minute, 59 if second == 60 else second, tzinfo=timezone(offset)
        )
        utc = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    # A leap second stands at the end of a UTC day.
    return second != 60 or (utc.hour, utc.minute) == (23, 59)


def shown(value: object) -> str:
    """A member's value as an error shows it."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    return "an object" if isinstance(value, dict) else "an array" if isinstance(value, list) else str(value)


def _version_problems(given: Mapping[str, object]) -> list[Problem]:
    version = given.get("specversion", SPECVERSION)
    if version == SPECVERSION:
        return []
    return [
        Problem(
            "`specversion` is not one that we take.",
            shown(version),
            'specversion is the string "1.0"',
            "send CloudEvents 1.0",
        )
    ]


def _text_problem(name: str, value: object, longest: int) -> Problem | None:
    if not isinstance(value, str):
        return Problem(
            f"`{name}` is not a string.", shown(value), f"{name} is a JSON string", "send it in quotes"
        )
    if not value:
        rule = f"{name} has at least one character"
        return Problem(f"`{name}` is empty.", '""', rule, f"send a {name}, or leave it out if it is optional")
    if len(value) > longest:
        setting = f" (EVENTCENTER_MAX_{name.upper()}_LENGTH)" if name in _SETTABLE else ""
        return Problem(
            f"`{name}` is too long.",
            f"{len(value)} characters: {value[:40]}…",
            f"{name} has at most {longest} characters{setting}",
            "shorten it",
        )
    return _control_problem(name, value)


_SETTABLE = frozenset({"id", "source", "type", "subject"})


def _control_problem(name: str, value: str) -> Problem | None:
    found = CONTROL.search(value)
    if found is None:
        return None
    return Problem(
        f"`{name}` holds a control character.",
        f"U+{ord(found[0]):04X} at character {found.start()}",
        "attributes hold no U+0000-001F and U+007F-009F (CloudEvents 1.0, type system)",
        "remove it, or carry it in data",
    )


def _form_problem(name: str, value: str) -> Problem | None:
    if name == "time" and not is_time(value):
        return Problem(
            "`time` is not a moment by RFC 3339.",
            value,
            "a date that exists, T, a time of day, and Z or an offset: 2026-11-01T08:30:00.123+08:00",
            "send such a moment, or leave time out",
        )
    if name == "datacontenttype" and not is_media_type(value):
        return Problem(
            "`datacontenttype` is not a media type.",
            value,
            "type/subtype, perhaps with parameters (RFC 2046)",
            "send for example application/json",
        )
    if name == "dataschema" and not is_uri(value):
        return Problem(
            "`dataschema` is not a URI.",
            value,
            "an absolute URI with a scheme (RFC 3986)",
            "send for example https://example.com/order.json, or leave it out",
        )
    return None


def _extension(name: str, value: object, limits: Limits) -> ExtensionValue | Problem:
    if EXTENSION_NAME.fullmatch(name) is None:
        return Problem(
            "An attribute's name is not allowed.",
            name,
            "attribute names have the characters a-z and 0-9 only",
            "rename it, for example to lower case without separators",
        )
    if len(name) > limits.max_extension_name_length:
        return Problem(
            "An attribute's name is too long.",
            name,
            f"at most {limits.max_extension_name_length} characters "
            "(EVENTCENTER_MAX_EXTENSION_NAME_LENGTH); 20 at most travel everywhere",
            "shorten it",
        )
    if isinstance(value, str):
        return _control_problem(name, value) or value
    if isinstance(value, bool):
        return value
    if isinstance(value, Number):
        integer = value.integer()
        if integer is not None and integer in INT32:
            return integer
    return Problem(
        f"The extension attribute `{name}` has a value of no allowed type.",
        shown(value),
        "an extension attribute is a string, a boolean or an integer from -2147483648 to 2147483647",
        "send it as a string, or carry it in data",
    )
