"""Writes the journal line of the event that was read (`eventcenter.event.encode_line`)."""

from ingest.validation.scan import places, signs
from ingest.validation.scan.machine import Bytes, Numbers, compiled, copy_block, inlined, store


@inlined
def copy(to: Bytes, at: int, source: Bytes, start: int, end: int) -> int:
    """Copy the bytes, and up to a block of what follows them; where they end."""
    place = start
    while place < end:
        copy_block(to, at + place - start, source, place)
        place += places.BLOCK
    return at + end - start


@compiled
def write_extensions(body: Bytes, scratch: Bytes, out: Bytes, at: int, work: Numbers) -> int:
    """Write the extension attributes as a JSON object in alphabetical order; where it ends."""
    separator = signs.OPEN
    for rank in range(work[places.EXTENSIONS]):
        place = places.VALUES + 5 * work[places.ORDER + rank]
        out[at] = separator
        separator = signs.COMMA
        # The name with its quotes.
        at = copy(out, at + 1, body, work[place] - 1, work[place + 1] + 1)
        out[at] = signs.COLON
        at += 1
        start, end, form = work[place + 2], work[place + 3], work[place + 4]
        if form == places.LITERAL:
            at = copy(out, at, body, start, end)
        elif form == places.PLAIN:
            at = copy(out, at, body, start - 1, end + 1)
        else:
            out[at] = signs.QUOTE
            at += 1
            for index in range(start, end):
                if scratch[index] == signs.QUOTE or scratch[index] == signs.BACKSLASH:
                    out[at] = signs.BACKSLASH
                    at += 1
                out[at] = scratch[index]
                at += 1
            out[at] = signs.QUOTE
            at += 1
    out[at] = signs.CLOSE
    return at + 1


@compiled
def write_compact(body: Bytes, start: int, end: int, out: Bytes, at: int) -> int:
    """Write the checked JSON without whitespace between its tokens; where it ends."""
    in_string = False
    while start < end:
        byte = body[start]
        if in_string and byte == signs.BACKSLASH:
            out[at] = byte
            at += 1
            start += 1
            byte = body[start]
        elif byte == signs.QUOTE:
            in_string = not in_string
        elif not in_string and byte <= signs.SPACE:
            start += 1
            continue
        out[at] = byte
        at += 1
        start += 1
    return at


@compiled
def write_line(body: Bytes, scratch: Bytes, out: Bytes, at: int, work: Numbers) -> int:
    """Write the line of the event that was read; where it ends."""
    for field in range(places.ATTRIBUTES):
        place = places.FIELDS + 3 * field
        start = work[place]
        if start >= 0:
            if work[place + 2]:
                at = copy(out, at, scratch, start, work[place + 1])
            else:
                at = copy(out, at, body, start, work[place + 1])
        out[at] = signs.TAB
        at += 1
    if work[places.EXTENSIONS] > 0:
        at = write_extensions(body, scratch, out, at, work)
    kind = work[places.DATA_KIND]
    if kind == places.NO_DATA:
        store(out, at, signs.W_KIND_NONE)
        at += 2
    else:
        if kind == places.BINARY:
            store(out, at, signs.W_KIND_BINARY)
            at += 8
        else:
            store(out, at, signs.W_KIND_JSON if kind == places.JSON else signs.W_KIND_TEXT)
            at += 6
        if work[places.DATA_SPACED]:
            at = write_compact(body, work[places.DATA_START], work[places.DATA_END], out, at)
        else:
            at = copy(out, at, body, work[places.DATA_START], work[places.DATA_END])
    out[at] = signs.LF
    return at + 1
