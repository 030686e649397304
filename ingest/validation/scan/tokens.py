"""The tokens of JSON: whitespace, strings, numbers (RFC 8259)."""

from ingest.validation.scan import places, signs
from ingest.validation.scan.machine import Bytes, Numbers, compiled, first, inlined, load, special


@inlined
def space(body: Bytes, at: int, lines: bool) -> int:
    """Behind the whitespace; where each line is an event a line feed is none."""
    while True:
        byte = body[at]
        if byte > signs.SPACE:
            return at
        if byte == signs.SPACE or byte == signs.TAB or byte == signs.CR or (byte == signs.LF and not lines):
            at += 1
        else:
            return at


@inlined
def gap(body: Bytes, at: int, lines: bool, work: Numbers) -> int:
    """As `space` between tokens of the data, noting what a line of the journal cannot hold."""
    if body[at] > signs.SPACE:
        return at
    return wide_gap(body, at, lines, work)


@compiled
def wide_gap(body: Bytes, at: int, lines: bool, work: Numbers) -> int:
    while True:
        byte = body[at]
        if byte == signs.SPACE:
            at += 1
        elif byte == signs.TAB or byte == signs.CR or (byte == signs.LF and not lines):
            work[places.SPACED] = 1
            at += 1
        else:
            return at


@inlined
def hex4(body: Bytes, at: int) -> int:
    """The number of four hex digits, negative where they are none."""
    first, second = signs.HEX[body[at]], signs.HEX[body[at + 1]]
    third, fourth = signs.HEX[body[at + 2]], signs.HEX[body[at + 3]]
    if first | second | third | fourth < 0:
        return -1
    return first << 12 | second << 8 | third << 4 | fourth


@inlined
def utf8(body: Bytes, at: int) -> int:
    """How many bytes the character takes that begins beyond ASCII; 0 where it is none (RFC 3629)."""
    first, second = body[at], body[at + 1]
    if first < 0xC2 or second & 0xC0 != 0x80:
        return 0
    if first < 0xE0:
        return 2
    if body[at + 2] & 0xC0 != 0x80:
        return 0
    if first < 0xF0:
        return 0 if (first == 0xE0 and second < 0xA0) or (first == 0xED and second >= 0xA0) else 3
    if first > 0xF4 or body[at + 3] & 0xC0 != 0x80:
        return 0
    return 0 if (first == 0xF0 and second < 0x90) or (first == 0xF4 and second >= 0x90) else 4


@inlined
def string(body: Bytes, at: int, work: Numbers) -> int:
    """Where the closing quote is of the string that begins at `at`, behind its quote; else negative."""
    bits = special(body, at)
    if bits != 0:
        end = at + first(bits)
        if body[end] == signs.QUOTE:
            work[places.FLAGS] = 0
            return end
    return long_string(body, at, work)


@compiled
def long_string(body: Bytes, at: int, work: Numbers) -> int:
    flags = 0
    while True:
        bits = special(body, at)
        if bits == 0:
            at += places.BLOCK
            continue
        at += first(bits)
        byte = body[at]
        if byte == signs.QUOTE:
            work[places.FLAGS] = flags
            return at
        if byte == signs.BACKSLASH:
            flags |= places.ESCAPES
            escaped = body[at + 1]
            if signs.PLAIN_ESCAPE[escaped]:
                at += 2
            elif escaped == signs.SLASH:
                flags |= places.UNUSUAL
                at += 2
            elif escaped == signs.U_SMALL:
                flags |= places.UNUSUAL
                code = hex4(body, at + 2)
                if code < 0:
                    return -1
                at += 6
                if 0xDC00 <= code <= 0xDFFF:
                    flags |= places.LONE
                elif 0xD800 <= code <= 0xDBFF:
                    low = (
                        hex4(body, at + 2)
                        if body[at] == signs.BACKSLASH and body[at + 1] == signs.U_SMALL
                        else -1
                    )
                    if 0xDC00 <= low <= 0xDFFF:
                        at += 6
                    else:
                        flags |= places.LONE
            else:
                return -1
        elif byte >= 0x80:
            flags |= places.BEYOND_ASCII
            while body[at] >= 0x80:
                size = utf8(body, at)
                if size == 0:
                    return -1
                at += size
        else:
            return -1


@inlined
def number(body: Bytes, at: int) -> int:
    """Where the number ends; negative where there is none."""
    if body[at] == signs.MINUS:
        at += 1
    if body[at] == signs.ZERO:
        at += 1
    elif signs.ZERO < body[at] <= signs.NINE:
        while signs.ZERO <= body[at] <= signs.NINE:
            at += 1
    else:
        return -1
    if body[at] == signs.DOT:
        at += 1
        if not signs.ZERO <= body[at] <= signs.NINE:
            return -1
        while signs.ZERO <= body[at] <= signs.NINE:
            at += 1
    if body[at] | signs.LOWER == signs.E_SMALL:
        at += 1
        if body[at] == signs.PLUS or body[at] == signs.MINUS:
            at += 1
        if not signs.ZERO <= body[at] <= signs.NINE:
            return -1
        while signs.ZERO <= body[at] <= signs.NINE:
            at += 1
    return at


@compiled
def not_finite(body: Bytes, at: int, work: Numbers) -> int:
    """Where NaN, Infinity or -Infinity ends, which some writers write; else negative."""
    work[places.DOUBTFUL] = 1
    if body[at] == signs.MINUS:
        return at + 9 if load(body, at + 1) == signs.W_INFINITY else -1
    if load(body, at) == signs.W_INFINITY:
        return at + 8
    return at + 3 if load(body, at) & signs.MASK[3] == signs.W_NAN else -1
