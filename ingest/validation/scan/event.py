"""Reads one event: its members in any order, each noted in `work`."""

from ingest.validation.scan import places, signs
from ingest.validation.scan.attributes import read_attribute
from ingest.validation.scan.extensions import read_extension
from ingest.validation.scan.machine import Bytes, Numbers, compiled, inlined, load
from ingest.validation.scan.tokens import space, string
from ingest.validation.scan.unique import bit_of, has_twice, key_hash
from ingest.validation.scan.value import read_value


@inlined
def field_of(body: Bytes, start: int, end: int) -> int:
    """Which member the key names; negative for an extension attribute."""
    size = end - start
    if size <= 8:
        word = load(body, start) & signs.MASK[size]
        if word == signs.W_ID:
            return places.ID
        if word == signs.W_TYPE:
            return places.TYPE
        if word == signs.W_TIME:
            return places.TIME
        if word == signs.W_DATA:
            return places.DATA
        if word == signs.W_SOURCE:
            return places.SOURCE
        if word == signs.W_SUBJECT:
            return places.SUBJECT
        return places.EXTENSION
    if size > 15:
        return places.EXTENSION
    word, rest = load(body, start), load(body, start + 8) & signs.MASK[size - 8]
    if word == signs.W_VERSION and rest == signs.W_VERSION_REST:
        return places.VERSION
    if word == signs.W_MEDIA_TYPE and rest == signs.W_MEDIA_TYPE_REST:
        return places.MEDIA_TYPE
    if word == signs.W_SCHEMA and rest == signs.W_SCHEMA_REST:
        return places.SCHEMA
    if word == signs.W_BASE64 and rest == signs.W_BASE64_REST:
        return places.BASE64
    return places.EXTENSION


@compiled
def read_base64(body: Bytes, at: int, lines: bool, work: Numbers) -> int:
    """Where the value of `data_base64` ends; negative for bad grammar."""
    start = at
    end = read_value(body, at, lines, work)
    if end < 0:
        return end
    if body[start] != signs.QUOTE or work[places.DATA_KIND] != places.NO_DATA or (end - start - 2) % 4 != 0:
        work[places.DOUBTFUL] = 1
        return end
    at, stop = start + 1, end - 1
    if stop > at and body[stop - 1] == signs.EQUALS:
        stop -= 1
        if body[stop - 1] == signs.EQUALS:
            stop -= 1
    while at < stop:
        if not signs.IN_BASE64[body[at]]:
            work[places.DOUBTFUL] = 1
        at += 1
    work[places.DATA_START] = start
    work[places.DATA_END] = end
    work[places.DATA_KIND] = places.BINARY
    return end


@inlined
def start_event(work: Numbers) -> int:
    """Forget the event before; the name of the object that begins."""
    work[places.DOUBTFUL] = 0
    work[places.SPACED] = 0
    work[places.DEEPEST] = 1
    work[places.SCRATCH_END] = 0
    work[places.EXTENSIONS] = 0
    work[places.DATA_KIND] = places.NO_DATA
    work[places.DATA_SPACED] = 0
    work[places.MEDIA] = places.NO_MEDIA
    for field in range(places.ATTRIBUTES):
        work[places.FIELDS + 3 * field] = -1
    work[places.OBJECTS] += 1
    which = work[places.OBJECTS]
    work[places.KEYS_HELD] = places.KEYS
    work[places.SET_FROM] = which
    work[places.SMALL_SIZE] = 0
    work[places.LARGE_SIZE] = 0
    return which


@compiled
def read_event(body: Bytes, at: int, lines: bool, limits: Numbers, scratch: Bytes, work: Numbers) -> int:
    """Where the event ends whose brace is at `at`; negative for bad grammar. Notes its parts and doubts."""
    which = start_event(work)
    count, seen, versions = 0, 0, 0
    at = space(body, at + 1, lines)
    if body[at] == signs.CLOSE:
        work[places.DOUBTFUL] = 1
        return at + 1
    while True:
        if body[at] != signs.QUOTE:
            return -1
        name = at + 1
        name_end = string(body, name, work)
        if name_end < 0:
            return -1
        if work[places.FLAGS]:
            work[places.DOUBTFUL] = 1
        key = key_hash(body, name, name_end)
        if has_twice(work, places.KEYS, count, seen, which, key):
            work[places.DOUBTFUL] = 1
        seen |= bit_of(key)
        count += 1
        work[places.KEYS_HELD] = places.KEYS + min(count, places.FEW_KEYS)
        at = space(body, name_end + 1, lines)
        if body[at] != signs.COLON:
            return -1
        at = space(body, at + 1, lines)
        field = field_of(body, name, name_end)
        if field == places.EXTENSION:
            at = read_extension(body, name, name_end, at, lines, limits, scratch, work)
        elif field <= places.SCHEMA:
            if body[at] == signs.QUOTE:
                at = read_attribute(body, at, field, limits, scratch, work)
            elif load(body, at) & signs.MASK[4] == signs.W_NULL:
                at += 4
            else:
                work[places.DOUBTFUL] = 1
                at = read_value(body, at, lines, work)
        elif field == places.VERSION:
            if load(body, at) & signs.MASK[5] == signs.W_ONE_ZERO:
                versions = 1
                at += 5
            else:
                work[places.DOUBTFUL] = 1
                at = read_value(body, at, lines, work)
        elif field == places.DATA:
            if work[places.DATA_KIND] != places.NO_DATA:
                work[places.DOUBTFUL] = 1
            work[places.SPACED] = 0
            work[places.DATA_START] = at
            work[places.DATA_KIND] = places.JSON
            at = read_value(body, at, lines, work)
            work[places.DATA_END] = at
            work[places.DATA_SPACED] = work[places.SPACED]
        else:
            at = read_base64(body, at, lines, work)
        if at < 0:
            return -1
        at = space(body, at, lines)
        if body[at] == signs.CLOSE:
            break
        if body[at] != signs.COMMA:
            return -1
        at = space(body, at + 1, lines)
    if (
        versions == 0
        or work[places.FIELDS + 3 * places.ID] < 0
        or work[places.FIELDS + 3 * places.SOURCE] < 0
        or work[places.FIELDS + 3 * places.TYPE] < 0
        or work[places.DEEPEST] > limits[places.MAX_NESTING]
    ):
        work[places.DOUBTFUL] = 1
    is_json = work[places.DATA_KIND] == places.JSON
    # A string under a type that is not JSON is that text itself.
    if is_json and work[places.MEDIA] == places.OTHER_MEDIA:
        if body[work[places.DATA_START]] == signs.QUOTE:
            work[places.DATA_KIND] = places.TEXT
    return at + 1
