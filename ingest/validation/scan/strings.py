"""Reads the strings of attributes, which the line holds without escapes and without control characters."""

from ingest.validation.scan import places, signs
from ingest.validation.scan.machine import Bytes, Numbers, attribute_special, compiled, first, inlined
from ingest.validation.scan.tokens import hex4, string


@compiled
def decode(body: Bytes, start: int, end: int, scratch: Bytes, to: int) -> int:
    """Write the checked string's characters to the scratch; where they end, negative for control ones."""
    while start < end:
        byte = body[start]
        if byte == signs.BACKSLASH:
            escaped = body[start + 1]
            if escaped == signs.U_SMALL:
                code = hex4(body, start + 2)
                start += 6
                if 0xD800 <= code <= 0xDBFF:
                    code = 0x10000 + ((code - 0xD800) << 10) + hex4(body, start + 2) - 0xDC00
                    start += 6
            else:
                code = signs.ESCAPED[escaped]
                start += 2
            if code < 0x20 or 0x7F <= code < 0xA0:
                return -1
            if code < 0x80:
                scratch[to] = code
                to += 1
            elif code < 0x800:
                scratch[to] = 0xC0 | code >> 6
                scratch[to + 1] = 0x80 | code & 0x3F
                to += 2
            elif code < 0x10000:
                scratch[to] = 0xE0 | code >> 12
                scratch[to + 1] = 0x80 | code >> 6 & 0x3F
                scratch[to + 2] = 0x80 | code & 0x3F
                to += 3
            else:
                scratch[to] = 0xF0 | code >> 18
                scratch[to + 1] = 0x80 | code >> 12 & 0x3F
                scratch[to + 2] = 0x80 | code >> 6 & 0x3F
                scratch[to + 3] = 0x80 | code & 0x3F
                to += 4
        else:
            if byte == signs.DELETE or (byte == 0xC2 and body[start + 1] < 0xA0):
                return -1
            scratch[to] = byte
            to += 1
            start += 1
    return to


@compiled
def characters(text: Bytes, start: int, end: int) -> int:
    """How many characters the UTF-8 has."""
    count = 0
    for place in range(start, end):
        count += text[place] & 0xC0 != 0x80
    return count


@inlined
def read_text(body: Bytes, at: int, scratch: Bytes, work: Numbers) -> int:
    """An attribute's string whose quote is at `at`: where its end quote is, negative for bad grammar.

    Its place is in `TEXT_START`, `TEXT_END` and `DECODED`.
    """
    start = at + 1
    end = start
    bits = attribute_special(body, end)
    while bits == 0:
        end += places.BLOCK
        bits = attribute_special(body, end)
    end += first(bits)
    if body[end] == signs.QUOTE:
        work[places.TEXT_START] = start
        work[places.TEXT_END] = end
        work[places.DECODED] = 0
        return end
    return read_rare_text(body, start, scratch, work)


@compiled
def read_rare_text(body: Bytes, start: int, scratch: Bytes, work: Numbers) -> int:
    """The same for one with escapes or characters beyond ASCII: it is decoded."""
    end = string(body, start, work)
    if end < 0:
        return end
    work[places.TEXT_START] = work[places.TEXT_END] = work[places.SCRATCH_END]
    work[places.DECODED] = 1
    to = -1
    if not work[places.FLAGS] & places.LONE:
        to = decode(body, start, end, scratch, work[places.SCRATCH_END])
    if to < 0:
        work[places.DOUBTFUL] = 1
    else:
        work[places.TEXT_END] = to
        work[places.SCRATCH_END] = to
    return end
