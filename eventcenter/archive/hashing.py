"""A hash of texts, computed for whole Arrow columns at once.

64 bits, of the UTF-8 bytes as little-endian words of eight, the last one filled up with zeros; each word is
mixed, and mixed into the state, by multiplications and shifts, as in xxHash. The values are the same for good
on every machine: they are on disk. Whoever makes texts collide on purpose costs time and nothing else,
because what is found is compared in full.
"""

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]

_MOST_BYTES: Final = 192
"""Longer texts are rare, and each of their words would be a step for the whole column."""
_AT_ONCE: Final = 1 << 14
"""Rows whose words and states stay in a processor's cache."""
_WORD: Final = 8
_MASK: Final = (1 << 64) - 1
_START: Final = np.uint64(0x27D4EB2F165667C5)
_FIRST: Final = np.uint64(0x9E3779B185EBCA87)
_SECOND: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_THIRD: Final = np.uint64(0x165667B19E3779F9)
_BY_LENGTH: Final = np.array([(1 << (8 * length)) - 1 for length in range(_WORD + 1)], np.uint64)
"""The bits of a word's first bytes."""


def hash_texts(texts: pa.Array | pa.ChunkedArray) -> Hashes:
    """A hash of each text, uint64[n]; of a null, some number."""
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    hashes = np.empty(len(texts), np.uint64)
    start = 0
    for chunk in chunks:
        _hash_chunk(chunk, hashes[start : start + len(chunk)])
        start += len(chunk)
    return hashes


def hash_text(text: str) -> int:
    """The hash of one text, without the price of arrays."""
    data = text.encode()
    if len(data) > _MOST_BYTES:
        return _hash_long(data)
    first, second, third = int(_FIRST), int(_SECOND), int(_THIRD)
    state = (len(data) * first + int(_START)) & _MASK
    for at in range(0, len(data), _WORD):
        word = int.from_bytes(data[at : at + _WORD], "little") * second & _MASK
        state ^= (word ^ word >> 31) * first & _MASK
        state = ((state ^ state >> 29) * first + third) & _MASK
    state = (state ^ state >> 33) * second & _MASK
    state = (state ^ state >> 29) * third & _MASK
    return state ^ state >> 32


def joined(left: Hashes, right: Hashes) -> Hashes:
    """A hash of two things from theirs; which is which counts."""
    hashes = left * _FIRST
    hashes ^= right
    _finish(hashes)
    return hashes


def _hash_chunk(texts: pa.Array, hashes: Hashes) -> None:
    if not len(texts):
        return
    _, offsets, content = texts.cast(pa.string()).buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    first, last = int(ends[0]), int(ends[-1])
    data = np.zeros(last - first + _WORD, np.uint8)
    if last > first:
        data[: last - first] = np.frombuffer(content, np.uint8, last - first, first)
    ends -= first
    for row in range(0, len(texts), _AT_ONCE):
        _hash_rows(data, ends[row : row + _AT_ONCE + 1], hashes[row : row + _AT_ONCE])


def _hash_rows(data: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64], hashes: Hashes) -> None:
    # Every byte begins a word: words overlap.
    words = np.ndarray((len(data) - _WORD + 1,), "<u8", data.data, strides=(1,))
    starts, lengths = ends[:-1], np.diff(ends)
    long = np.flatnonzero(lengths > _MOST_BYTES)
    hashes[:] = lengths.view(np.uint64)
    hashes *= _FIRST
    hashes += _START
    left = np.where(lengths > _MOST_BYTES, 0, lengths) if long.size else lengths
    most, least = int(left.max()), int(left.min())
    for at in range(0, most, _WORD):
        if least >= at + _WORD:
            _mix(hashes, words[starts + at])
            continue
        rest = left - at
        if least > at:
            _mix(hashes, words[starts + at] & _BY_LENGTH[np.minimum(rest, _WORD)])
            continue
        rows = np.flatnonzero(rest > 0)
        some = hashes[rows]
        _mix(some, words[starts[rows] + at] & _BY_LENGTH[np.minimum(rest[rows], _WORD)])
        hashes[rows] = some
    _finish(hashes)
    for row in long.tolist():
        hashes[row] = _hash_long(data[ends[row] : ends[row + 1]].data)


def _hash_long(data: bytes | memoryview) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=_WORD).digest(), "little")


def _mix(hashes: Hashes, words: Hashes) -> None:
    """Take a word into each state. `words` is used up."""
    words *= _SECOND
    words ^= words >> np.uint64(31)
    words *= _FIRST
    hashes ^= words
    hashes ^= hashes >> np.uint64(29)
    hashes *= _FIRST
    hashes += _THIRD


def _finish(hashes: Hashes) -> None:
    """Let every bit depend on all others."""
    for shift, factor in ((33, _SECOND), (29, _THIRD)):
        hashes ^= hashes >> np.uint64(shift)
        hashes *= factor
    hashes ^= hashes >> np.uint64(32)
