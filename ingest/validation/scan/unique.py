"""Whether a key stands twice in its object: by hashes alone, since in doubt the exact check looks."""

from ingest.validation.scan import places, signs
from ingest.validation.scan.machine import Bytes, Numbers, compiled, inlined, load


@inlined
def key_hash(body: Bytes, start: int, end: int) -> int:
    """Equal for equal keys."""
    size = end - start
    result = size * signs.K2
    while size > 8:
        result = (result ^ load(body, start)) * signs.K1
        result ^= result >> 32
        start += 8
        size -= 8
    result = (result ^ (load(body, start) & signs.MASK[size])) * signs.K1
    result ^= result >> 29
    return result * signs.K2


@inlined
def has_twice(work: Numbers, held: int, count: int, seen: int, which: int, key: int) -> bool:
    """Whether the key may be among the `count` others of the object `which`; it is now.

    The hashes of the first keys are at `held`; `seen` has a bit for each of them (`bit_of`).
    """
    if count >= places.FEW_KEYS:
        return is_among_many(work, which, held, count, key)
    found = False
    if seen & bit_of(key):
        for other in range(held, held + count):
            if work[other] == key:
                found = True
    work[held + count] = key
    return found


@inlined
def bit_of(key: int) -> int:
    """The bit for a key: if it is not set among others, the key is not there."""
    return 1 << ((key >> 58) & 63)


@compiled
def is_among_many(work: Numbers, which: int, held: int, count: int, key: int) -> bool:
    """As `has_twice` for an object with more keys than are compared one by one."""
    if count == places.FEW_KEYS:
        for other in range(held, held + count):
            if is_in_set(work, which, work[other]):
                return True
    return is_in_set(work, which, key)


@compiled
def is_in_set(work: Numbers, which: int, key: int) -> bool:
    """Whether the key was in the set of the object `which`, or may have been; it is now."""
    found = look_in_set(
        work, places.SMALL_SET, places.SMALL_MASK, places.SMALL_SIZE, places.MOST_SMALL, which, key
    )
    if found < 0:
        found = look_in_set(
            work, places.LARGE_SET, places.LARGE_MASK, places.LARGE_SIZE, places.MOST_LARGE, which, key
        )
    return found != 0


@inlined
def look_in_set(work: Numbers, table: int, mask: int, size: int, most: int, which: int, key: int) -> int:
    """1 if the key was in the set, 0 if it was put there, -1 if there was no room for it."""
    place = (key ^ which * signs.K1) >> 40 & mask
    for _ in range(places.MOST_PROBES):
        at = table + 2 * place
        if work[at] < work[places.SET_FROM]:
            if work[size] >= most:
                return -1
            work[at] = which
            work[at + 1] = key
            work[size] += 1
            return 0
        if work[at] == which and work[at + 1] == key:
            return 1
        place = place + 1 & mask
    return -1
