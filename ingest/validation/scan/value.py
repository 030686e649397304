"""Reads any JSON value: its grammar, its depth and that keys are unique (RFC 8259)."""

from ingest.validation.scan import places, signs
from ingest.validation.scan.machine import Bytes, Numbers, compiled, load
from ingest.validation.scan.tokens import gap, not_finite, number, string
from ingest.validation.scan.unique import bit_of, has_twice, key_hash


@compiled
def read_value(body: Bytes, at: int, lines: bool, work: Numbers) -> int:
    """Where the value ends that begins at `at`; negative for bad grammar, or for what is too deep.

    It is a member of an event. Notes doubts, whitespace and the deepest level.
    """
    depth, deepest = 0, 0
    doubtful = False
    in_object = False
    held = work[places.KEYS_HELD]
    count, seen, which = 0, 0, 0
    wants_key = False
    while True:
        if wants_key:
            if body[at] != signs.QUOTE:
                return -1
            start = at + 1
            at = string(body, start, work)
            if at < 0:
                return -1
            if work[places.FLAGS] & (places.UNUSUAL | places.LONE):
                doubtful = True
            key = key_hash(body, start, at)
            if has_twice(work, held, count, seen, which, key):
                doubtful = True
            seen |= bit_of(key)
            count += 1
            at = gap(body, at + 1, lines, work)
            if body[at] != signs.COLON:
                return -1
            at = gap(body, at + 1, lines, work)
            wants_key = False
        byte = body[at]
        if byte == signs.QUOTE:
            at = string(body, at + 1, work)
            if at < 0:
                return -1
            if work[places.FLAGS] & places.LONE:
                doubtful = True
            at += 1
        elif byte == signs.OPEN or byte == signs.OPEN_ARRAY:
            if depth >= places.MOST_LEVELS:
                return -1
            deepest = max(deepest, depth + 1)
            at = gap(body, at + 1, lines, work)
            if body[at] == (signs.CLOSE if byte == signs.OPEN else signs.CLOSE_ARRAY):
                at += 1
            else:
                level = places.LEVELS + places.LEVEL * depth
                work[level] = in_object
                work[level + 1] = held
                work[level + 2] = count
                work[level + 3] = seen
                work[level + 4] = which
                depth += 1
                held += min(count, places.FEW_KEYS)
                count, seen = 0, 0
                in_object = wants_key = byte == signs.OPEN
                if in_object:
                    work[places.OBJECTS] += 1
                    which = work[places.OBJECTS]
                continue
        elif byte == signs.T_SMALL:
            if load(body, at) & signs.MASK[4] != signs.W_TRUE:
                return -1
            at += 4
        elif byte == signs.F_SMALL:
            if load(body, at) & signs.MASK[5] != signs.W_FALSE:
                return -1
            at += 5
        elif byte == signs.N_SMALL:
            if load(body, at) & signs.MASK[4] != signs.W_NULL:
                return -1
            at += 4
        else:
            end = number(body, at)
            if end < 0:
                end = not_finite(body, at, work)
                if end < 0:
                    return -1
            at = end
        while True:
            if depth == 0:
                work[places.DEEPEST] = max(work[places.DEEPEST], 1 + deepest)
                if doubtful:
                    work[places.DOUBTFUL] = 1
                return at
            at = gap(body, at, lines, work)
            byte = body[at]
            if byte == signs.COMMA:
                at = gap(body, at + 1, lines, work)
                wants_key = in_object
                break
            if byte != (signs.CLOSE if in_object else signs.CLOSE_ARRAY):
                return -1
            at += 1
            depth -= 1
            level = places.LEVELS + places.LEVEL * depth
            in_object = work[level] != 0
            held = work[level + 1]
            count = work[level + 2]
            seen = work[level + 3]
            which = work[level + 4]
