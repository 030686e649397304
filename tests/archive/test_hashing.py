"""The hash of texts: that of a plain definition, the same for good, and well mixed."""

import hashlib
import itertools
import uuid
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventcenter.archive.hashing import hash_text, hash_texts, joined

MASK = (1 << 64) - 1
TEXTS = st.lists(st.none() | st.text(max_size=30) | st.text("ab€", min_size=60, max_size=80), max_size=20)
EVENTS = 200_000
"""How many ids each kind has; below as many, fewer than five pairs meet in 32 bits by chance."""


def plain(text: str) -> int:
    """The definition, one text at a time."""
    data = text.encode()
    if len(data) > 192:
        return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
    state = (len(data) * 0x9E3779B185EBCA87 + 0x27D4EB2F165667C5) & MASK
    for at in range(0, len(data), 8):
        word = int.from_bytes(data[at : at + 8], "little") * 0xC2B2AE3D27D4EB4F & MASK
        word = (word ^ word >> 31) * 0x9E3779B185EBCA87 & MASK
        state ^= word
        state = ((state ^ state >> 29) * 0x9E3779B185EBCA87 + 0x165667B19E3779F9) & MASK
    state = (state ^ state >> 33) * 0xC2B2AE3D27D4EB4F & MASK
    state = (state ^ state >> 29) * 0x165667B19E3779F9 & MASK
    return state ^ state >> 32


@settings(max_examples=200, deadline=None)
@given(texts=TEXTS, cut=st.integers(0, 20))
def test_columns_are_hashed_as_the_definition_says(texts: list[str | None], cut: int) -> None:
    column = pa.chunked_array([pa.array(texts[:cut], pa.string()), pa.array(texts, pa.string()).slice(cut)])
    hashes = hash_texts(column).tolist()
    assert len(hashes) == len(texts)
    for text, hashed in zip(texts, hashes, strict=True):
        assert text is None or hashed == plain(text) == hash_text(text)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_many_rows_of_all_lengths(kind: pa.DataType) -> None:
    texts = ["x" * (row % 260) + str(row) for row in range(40_000)]
    hashes = hash_texts(pa.array(texts, kind))
    assert hashes[::997].tolist() == [plain(text) for text in texts[::997]]
    assert len(np.unique(hashes)) == len(texts)


def test_hashes_stay_the_same_for_good() -> None:
    """They are on disk."""
    texts = ["", "a", "12345678", "d3ac94af-0f21-ddb6-6cad-4a268d116ece", "源" * 80]
    assert hash_texts(pa.array(texts)).tolist() == [
        17241709254077376921,
        9172030135079093074,
        3617483784291209816,
        17506441449756255707,
        2455989738614833078,
    ]
    left, right = hash_texts(pa.array(["a"])), hash_texts(pa.array(["b"]))
    assert joined(left, right).tolist() == [4900992555251172124]
    assert joined(right, left).tolist() != joined(left, right).tolist()


@pytest.mark.parametrize(
    "made",
    [
        str,
        "{:020d}".format,
        "/a/long/prefix/that/all/ids/share/{}".format,
        "{}/a/long/suffix/that/all/ids/share".format,
        lambda n: str(uuid.UUID(int=(0x123456789 << 80) + n)),
        lambda n: str(uuid.UUID(int=n << 100)),
        lambda n: "_______".join(f"{n:06d}"),
    ],
)
def test_similar_ids_do_not_crowd(made: Callable[[int], str]) -> None:
    hashes = hash_texts(pa.array([made(number) for number in range(EVENTS)]))
    assert len(np.unique(hashes)) == EVENTS
    by_chance = EVENTS * EVENTS / 2 / 2**32
    for shift in (0, 16, 32):
        part = (hashes >> np.uint64(shift)).astype(np.uint32)
        assert EVENTS - len(np.unique(part)) < by_chance + 6 * by_chance**0.5
    for shift in range(0, 64, 8):
        counts = np.bincount((hashes >> np.uint64(shift)).astype(np.uint8), minlength=256)
        expected = EVENTS / 256
        assert ((counts - expected) ** 2 / expected).sum() < 255 + 6 * (2 * 255) ** 0.5


@pytest.mark.parametrize("length", [4, 8, 9, 16, 36])
def test_each_bit_changes_half_of_the_hash(length: int) -> None:
    random = np.random.default_rng(1)
    texts = random.integers(0, 128, (4000, length), np.uint8)
    for byte, bit in itertools.product(range(length), (0, 3, 6)):
        changed = texts.copy()
        changed[:, byte] ^= 1 << bit
        flipped = hash_rows(texts) ^ hash_rows(changed)
        share = [((flipped >> np.uint64(one)) & np.uint64(1)).mean() for one in range(64)]
        # Six standard deviations.
        assert 0.452 < min(share) <= max(share) < 0.548


def hash_rows(
    texts: np.ndarray[tuple[int, int], np.dtype[np.uint8]],
) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return hash_texts(pa.array([row.tobytes().decode() for row in texts]))
