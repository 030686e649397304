"""The filters of a template: each is one pure, bounded function from a value to a value.

A filter gets the value (never MISSING but in `default`), its arguments and the tenant's time zone. It does
not raise: what it does not understand it leaves as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Final
from urllib.parse import quote

from alerts.text import clip
from alerts.values import MISSING, Number, Value, as_json, as_text
from eventcenter.clock import EPOCH

VALUE_LIMIT: Final = 2_000
"""Characters of one value in a message; the event page shows the rest."""
_MAX_TRUNCATE = VALUE_LIMIT
_MAX_DECIMALS = 12
_WIDEST_NUMBER = 30
_MILLISECONDS_FROM = 100_000_000_000

Argument = str | int
Apply = Callable[[Value, Sequence[Argument], tzinfo], Value]


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A filter, what it does in words, and which arguments it takes."""

    apply: Apply
    arguments: tuple[type[Argument], ...] = ()
    optional: bool = False
    least: int = 0
    most: int = 0
    help: str

    def problem(self, name: str, given: Sequence[Argument]) -> str | None:
        """What is wrong with the arguments given, or None."""
        wanted = len(self.arguments)
        if len(given) > wanted or (len(given) < wanted and not (self.optional and not given)):
            takes = (
                "no argument" if not wanted else ("one argument at most" if self.optional else "one argument")
            )
            return f"the filter {name} takes {takes}"
        for value, kind in zip(given, self.arguments, strict=False):
            if kind is int and (not isinstance(value, int) or not self.least <= value <= self.most):
                return f"the filter {name} takes a whole number from {self.least} to {self.most}"
            if kind is str and not isinstance(value, str):
                return f"the filter {name} takes a text in quotes, such as {name}('none')"
        return None


def _default(value: Value, arguments: Sequence[Argument], _zone: tzinfo) -> Value:
    return arguments[0] if value is MISSING or value == "" else value


def _upper(value: Value, _arguments: Sequence[Argument], _zone: tzinfo) -> Value:
    return as_text(value, VALUE_LIMIT).upper()


def _lower(value: Value, _arguments: Sequence[Argument], _zone: tzinfo) -> Value:
    return as_text(value, VALUE_LIMIT).lower()


def _truncate(value: Value, arguments: Sequence[Argument], _zone: tzinfo) -> Value:
    return clip(as_text(value, VALUE_LIMIT), int(arguments[0]))


def _json(value: Value, _arguments: Sequence[Argument], _zone: tzinfo) -> Value:
    return as_json(value, VALUE_LIMIT)


def _url(value: Value, _arguments: Sequence[Argument], _zone: tzinfo) -> Value:
    text = as_text(value, VALUE_LIMIT).encode("utf-8", "replace")
    quoted = quote(text, safe="").replace("_", "%5F").replace("~", "%7E").replace("-", "%2D")
    return UrlPart(quoted.replace(".", "%2E") if quoted.strip(".") == "" else quoted)


def _date(value: Value, _arguments: Sequence[Argument], zone: tzinfo) -> Value:
    moment = _moment(value)
    if moment is None:
        return value
    try:
        local = moment.astimezone(zone)
    except (OverflowError, ValueError):
        return value
    return local.isoformat(sep=" ", timespec="seconds")


def _number(value: Value, arguments: Sequence[Argument], _zone: tzinfo) -> Value:
    if not isinstance(value, str) or len(value) > VALUE_LIMIT:
        return value
    try:
        number = Decimal(value)
    except InvalidOperation:
        return value
    if not number.is_finite() or abs(number.adjusted()) > _WIDEST_NUMBER or len(value) > 2 * _WIDEST_NUMBER:
        return value
    if arguments:
        number = number.quantize(Decimal(1).scaleb(-int(arguments[0])), rounding=ROUND_HALF_EVEN)
    return Number(f"{number:,f}")


class UrlPart(str):
    """Percent-encoded text: already harmless in every place of a message."""

    __slots__ = ()


def _moment(value: Value) -> datetime | None:
    if isinstance(value, Number):
        try:
            number = Decimal(value)
            seconds = number / 1000 if abs(number) >= _MILLISECONDS_FROM else number
            return EPOCH + timedelta(seconds=float(seconds))
        except (ArithmeticError, ValueError):
            return None
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        # A leap second has no place in Python's calendar; it is shown as the second before.
        moment = datetime.fromisoformat(value.upper().replace(":60", ":59"))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


FILTERS: Final[Mapping[str, Filter]] = {
    "default": Filter(
        apply=_default,
        arguments=(str,),
        help="the given text where the event has nothing there, or an empty text",
    ),
    "upper": Filter(apply=_upper, help="in capital letters"),
    "lower": Filter(apply=_lower, help="in small letters"),
    "truncate": Filter(
        apply=_truncate,
        arguments=(int,),
        least=1,
        most=_MAX_TRUNCATE,
        help="at most so many characters, cut with …",
    ),
    "date": Filter(
        apply=_date, help="an RFC 3339 time, or seconds or milliseconds since 1970, in the tenant's time zone"
    ),
    "number": Filter(
        apply=_number,
        arguments=(int,),
        optional=True,
        most=_MAX_DECIMALS,
        help="with thousands separators; number(2) also rounds to two decimals",
    ),
    "json": Filter(apply=_json, help="as JSON text, so that a string keeps its quotes"),
    "url": Filter(apply=_url, help="percent-encoded, the only form that may stand in a link's address"),
}
