"""Blocked Bloom filters over keys: four bits in one 64-bit word of an array.

A key's word follows from its lower 32 bits, the bits in it from all 64 mixed. Both are computed once for a
batch of keys, however many filters are asked.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
_LOW: Final = np.uint64((1 << 32) - 1)
_HALF: Final = np.uint64(32)
_FIRST_BIT: Final = 40
_BITS: Final = 4
_BIT_WIDTH: Final = 6
_ONE: Final = np.uint64(1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Probes:
    """Keys, prepared to be looked for in filters."""

    places: Words
    """32 bits each: where in a filter."""
    masks: Words
    """The bits in that word."""

    @classmethod
    def of(cls, keys: Words) -> Self:
        """Prepare keys, uint64[n]."""
        mixed = keys * _SPREAD
        masks = np.zeros(len(keys), np.uint64)
        for shift in range(_FIRST_BIT, _FIRST_BIT + _BITS * _BIT_WIDTH, _BIT_WIDTH):
            masks |= _ONE << ((mixed >> np.uint64(shift)) & np.uint64((1 << _BIT_WIDTH) - 1))
        return cls(places=keys & _LOW, masks=masks)


def words_for(keys: int, bits_per_key: float) -> int:
    """How many words a filter for so many keys has."""
    return max(1, round(keys * bits_per_key / 64))


def add(words: Words, probes: Probes) -> None:
    """Put keys into a filter."""
    np.bitwise_or.at(words, _indexes(words, probes), probes.masks)


def hits(words: Words, probes: Probes) -> npt.NDArray[np.int64]:
    """Positions of the keys that may be in a filter; the others are not."""
    found = words.take(_indexes(words, probes), mode="clip")
    found &= probes.masks
    return np.flatnonzero(found == probes.masks)


def _indexes(words: Words, probes: Probes) -> npt.NDArray[np.int64]:
    # A place below 2^32 times fewer than 2^31 words, so that the view never shows a negative number.
    indexes = probes.places * np.uint64(len(words))
    indexes >>= _HALF
    return indexes.view(np.int64)
