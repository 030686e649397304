"""Reads the attributes that the specification names, and checks their form."""

from ingest.validation.scan import places, signs
from ingest.validation.scan.machine import Bytes, Numbers, compiled, inlined, load
from ingest.validation.scan.strings import characters, read_text


@inlined
def digits(text: Bytes, at: int) -> int:
    """The number of two digits, negative where they are none."""
    high, low = text[at] - signs.ZERO, text[at + 1] - signs.ZERO
    return high * 10 + low if 0 <= high <= 9 and 0 <= low <= 9 else -1


@compiled
def is_time(text: Bytes, start: int, end: int) -> bool:
    """Whether it is surely a moment as `attributes.is_time` takes it: leap seconds are in doubt."""
    if end - start < 20:
        return False
    century, year, month = digits(text, start), digits(text, start + 2), digits(text, start + 5)
    day, hour, minute = digits(text, start + 8), digits(text, start + 11), digits(text, start + 14)
    second = digits(text, start + 17)
    if century | year | month | day | hour | minute | second < 0:
        return False
    year += century * 100
    # Moments near the ends of the calendar may lie outside of it in UTC.
    if not (2 <= year <= 9998 and 1 <= month <= 12 and hour <= 23 and minute <= 59 and second <= 59):
        return False
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= signs.DAYS[month] + (leap and month == 2):
        return False
    if (
        text[start + 4] != signs.MINUS
        or text[start + 7] != signs.MINUS
        or text[start + 10] | signs.LOWER != signs.T_SMALL
        or text[start + 13] != signs.COLON
        or text[start + 16] != signs.COLON
    ):
        return False
    at = start + 19
    if text[at] == signs.DOT:
        at += 1
        fraction = at
        while at < end and signs.ZERO <= text[at] <= signs.NINE:
            at += 1
        if at == fraction or at == end:
            return False
    if text[at] | signs.LOWER == signs.Z_SMALL:
        return at + 1 == end
    if at + 6 != end or text[at + 3] != signs.COLON or (text[at] != signs.PLUS and text[at] != signs.MINUS):
        return False
    return 0 <= digits(text, at + 1) <= 23 and 0 <= digits(text, at + 4) <= 59


@compiled
def media_type(text: Bytes, start: int, end: int) -> int:
    """What the media type is (`JSON_MEDIA`, `OTHER_MEDIA`); `NO_MEDIA` for what is none, or in doubt."""
    at = start
    while at < end and signs.IN_MEDIA_TYPE[text[at]]:
        at += 1
    if at == start or at == end or text[at] != signs.SLASH:
        return places.NO_MEDIA
    at += 1
    subtype = at
    while at < end and signs.IN_MEDIA_TYPE[text[at]]:
        at += 1
    if at == subtype:
        return places.NO_MEDIA
    subtype_end = at
    while at < end and text[at] == signs.SPACE:
        at += 1
    if at < end and text[at] != signs.SEMICOLON:
        return places.NO_MEDIA
    while at < end:
        if text[at] >= signs.DELETE:
            return places.NO_MEDIA
        at += 1
    size = subtype_end - subtype
    if size < 4 or (load(text, subtype_end - 4) & signs.MASK[4] | signs.W_SMALL_LETTERS) != signs.W_JSON:
        return places.OTHER_MEDIA
    return places.JSON_MEDIA if size == 4 or text[subtype_end - 5] == signs.PLUS else places.OTHER_MEDIA


@compiled
def is_uri(text: Bytes, start: int, end: int) -> bool:
    """Whether it is surely a URI as `attributes.is_uri` takes it."""
    if not signs.A_SMALL <= text[start] | signs.LOWER <= signs.Z_SMALL:
        return False
    at = start + 1
    while at < end and signs.IN_SCHEME[text[at]]:
        at += 1
    if at + 1 >= end or text[at] != signs.COLON:
        return False
    for place in range(at + 1, end):
        if not signs.IN_URI[text[place]]:
            return False
    return True


@inlined
def read_attribute(body: Bytes, at: int, field: int, limits: Numbers, scratch: Bytes, work: Numbers) -> int:
    """Where the value ends of the attribute `field`; negative for bad grammar."""
    end = read_text(body, at, scratch, work)
    if end < 0:
        return end
    start, stop = work[places.TEXT_START], work[places.TEXT_END]
    text = scratch if work[places.DECODED] else body
    most = limits[places.MAX_LENGTH + field]
    if start == stop or (stop - start > most and characters(text, start, stop) > most):
        work[places.DOUBTFUL] = 1
    elif field == places.TIME:
        if not is_time(text, start, stop):
            work[places.DOUBTFUL] = 1
    elif field == places.MEDIA_TYPE:
        if (
            stop - start == 16
            and load(text, start) == signs.W_JSON_MEDIA
            and load(text, start + 8) == signs.W_JSON_MEDIA_REST
        ):
            work[places.MEDIA] = places.JSON_MEDIA
        else:
            work[places.MEDIA] = media_type(text, start, stop)
            if work[places.MEDIA] == places.NO_MEDIA:
                work[places.DOUBTFUL] = 1
    elif field == places.SCHEMA and not is_uri(text, start, stop):
        work[places.DOUBTFUL] = 1
    work[places.FIELDS + 3 * field] = start
    work[places.FIELDS + 3 * field + 1] = stop
    work[places.FIELDS + 3 * field + 2] = work[places.DECODED]
    return end + 1
