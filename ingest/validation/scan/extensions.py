"""Reads extension attributes and puts them in order."""

from ingest.validation.scan import places, signs
from ingest.validation.scan.machine import Bytes, Numbers, compiled
from ingest.validation.scan.strings import read_text
from ingest.validation.scan.value import read_value


@compiled
def is_small_integer(body: Bytes, start: int, end: int) -> bool:
    """Whether the number is surely an integer of 32 bits in its only form."""
    at = start + (body[start] == signs.MINUS)
    if end - at > 10 or (at > start and body[at] == signs.ZERO):
        return False
    number = 0
    for place in range(at, end):
        if not signs.ZERO <= body[place] <= signs.NINE:
            return False
        number = number * 10 + body[place] - signs.ZERO
    return number <= 0x7FFFFFFF + (at > start)


@compiled
def read_extension(
    body: Bytes,
    name: int,
    name_end: int,
    at: int,
    lines: bool,
    limits: Numbers,
    scratch: Bytes,
    work: Numbers,
) -> int:
    """Where the value ends of the extension attribute of that name; negative for bad grammar."""
    index = work[places.EXTENSIONS]
    if (
        name == name_end
        or name_end - name > limits[places.MAX_EXTENSION_NAME]
        or index >= places.MOST_EXTENSIONS
    ):
        work[places.DOUBTFUL] = 1
    for place in range(name, name_end):
        if not signs.IN_NAME[body[place]]:
            work[places.DOUBTFUL] = 1
    byte = body[at]
    start, form = at, places.LITERAL
    if byte == signs.QUOTE:
        end = read_text(body, at, scratch, work)
        if end < 0:
            return end
        start, stop = work[places.TEXT_START], work[places.TEXT_END]
        form = places.DECODED_TEXT if work[places.DECODED] else places.PLAIN
        end += 1
    else:
        end = read_value(body, at, lines, work)
        if end < 0:
            return end
        stop = end
        if byte == signs.N_SMALL:
            return end
        if byte != signs.T_SMALL and byte != signs.F_SMALL and not is_small_integer(body, at, end):
            work[places.DOUBTFUL] = 1
    if not work[places.DOUBTFUL]:
        place = places.VALUES + 5 * index
        work[place] = name
        work[place + 1] = name_end
        work[place + 2] = start
        work[place + 3] = stop
        work[place + 4] = form
        # Mostly they come in their order already.
        rank = index
        while rank > 0 and is_before(body, place, places.VALUES + 5 * work[places.ORDER + rank - 1], work):
            work[places.ORDER + rank] = work[places.ORDER + rank - 1]
            rank -= 1
        work[places.ORDER + rank] = index
        work[places.EXTENSIONS] = index + 1
    return end


@compiled
def is_before(body: Bytes, one: int, other: int, work: Numbers) -> bool:
    """Whether one name comes before the other in the alphabet."""
    at, end = work[one], work[one + 1]
    place, stop = work[other], work[other + 1]
    while at < end and place < stop:
        if body[at] != body[place]:
            return body[at] < body[place]
        at += 1
        place += 1
    return at == end and place < stop
