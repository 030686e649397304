"""A segment's index finds every row there is, and little else."""

import random
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventcenter.archive import bloom, keys
from eventcenter.archive.index import (
    ZONE_ROWS,
    Array,
    Hashes,
    IndexDamaged,
    Order,
    Rows,
    SegmentIndex,
    Zones,
)
from eventcenter.archive.keys import Keys
from tests.archive.former import index_of_version_1, index_of_version_2

NONE = (np.empty(0, np.uint32), np.empty(0, np.uint32))
CLOSE = st.builds(
    # Keys that agree in the upper 28 bits, in the upper 40, or in all 64.
    lambda upper, middle, lower: upper << 36 | middle << 24 | lower,
    st.sampled_from([0, 1, 0x1000, (1 << 28) - 1]),
    st.sampled_from([0, 1, (1 << 12) - 1]),
    st.sampled_from([0, 1, (1 << 24) - 1]),
)
KEY = CLOSE | st.integers(0, (1 << 64) - 1)


def build(
    folder: Path,
    keys_: list[int] | Keys,
    subjects: tuple[Hashes, Hashes] = NONE,
    traces: tuple[Hashes, Hashes] = NONE,
    *,
    zones: Zones | None = None,
    shared: Hashes = NONE[0],
    parts: Mapping[Order, Array] = MappingProxyType({}),
) -> SegmentIndex:
    path = folder / "1.index"
    size = SegmentIndex.build(
        path,
        keys=np.array(keys_, np.uint64),
        subjects=subjects,
        traces=traces,
        zones=zones or Zones.none(),
        shared=shared,
        parts=parts,
    )
    assert size == path.stat().st_size
    index = SegmentIndex.open(path)
    index.verify()
    return index


def of_texts(texts: list[str | None]) -> tuple[Hashes, Hashes]:
    rows = [row for row, text in enumerate(texts) if text is not None]
    hashes = [keys.subject_hash(text) for text in texts if text is not None]
    return np.array(hashes, np.uint32), np.array(rows, np.uint32)


@settings(max_examples=100, deadline=None)
@given(held=st.lists(KEY, max_size=40), asked=st.lists(KEY, max_size=20))
def test_candidates_are_those_of_a_plain_model(
    tmp_path_factory: pytest.TempPathFactory, held: list[int], asked: list[int]
) -> None:
    index = build(tmp_path_factory.mktemp("index"), held)
    asked += held[:5]
    positions, rows = index.candidates(np.array(asked, np.uint64))
    found = set(zip(positions.tolist(), rows.tolist(), strict=True))
    assert len(found) == len(positions)
    assert positions.tolist() == sorted(positions.tolist())
    pairs = [(p, r) for p in range(len(asked)) for r in range(len(held))]
    assert found >= {(p, r) for p, r in pairs if asked[p] == held[r]}
    assert found <= {(p, r) for p, r in pairs if asked[p] >> 24 == held[r] >> 24}


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.none() | st.sampled_from(["", "1", "2", "é", "源 😀", "a" * 300]), max_size=30))
def test_look_ups_are_those_of_a_plain_model(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str | None]
) -> None:
    ids = [text or "none" for text in texts]
    index = build(
        tmp_path_factory.mktemp("index"),
        [keys.key_of(f"b{row % 3}", "/s", one) for row, one in enumerate(ids)],
        of_texts(texts),
    )
    for text in ("", "1", "é", "源 😀", "a" * 300, "not there"):
        rows = [row for row, one in enumerate(texts) if one == text]
        assert index.rows_of_subject(text).tolist() == rows
        assert index.rows_of_id(text).tolist() == [row for row, one in enumerate(ids) if one == text]


def test_traces_are_found_by_their_ids(tmp_path: Path) -> None:
    traces = [f"{number:032x}" for number in (0xABC, 0xDEF, 0xABC, 1 << 40 | 0xABC)]
    hashes = np.array([keys.trace_hash(one) for one in traces], np.uint32)
    index = build(tmp_path, [0] * 9, traces=(hashes, np.array([2, 3, 5, 8], np.uint32)))
    assert index.rows_of_trace(traces[1]).tolist() == [3]
    assert index.rows_of_trace(traces[0]).tolist() == [2, 5, 8]
    for malformed in ("", "abc", traces[0].upper(), traces[0] + "0", "g" * 32, "0" * 32, traces[0] + "\n"):
        assert index.rows_of_trace(malformed).tolist() == []


def test_a_large_index_is_found_in_whole_and_is_small(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    count = 300_000
    held = random.integers(0, 1 << 64, count, np.uint64)
    hashes = (random.integers(0, 1 << 32, count, np.uint32), np.arange(count, dtype=np.uint32))
    index = build(tmp_path, held, subjects=hashes)
    order = random.permutation(count)
    positions, rows = index.candidates(held[order])
    everything: Rows = np.arange(count)
    assert (positions == everything).all()
    assert (rows == order).all()
    directories = 2 * 4 * (1 << 16)
    assert (tmp_path / "1.index").stat().st_size < count * (6 + 1.7 + 5) + directories + 1000


def test_fewer_than_one_in_a_hundred_new_keys_pass_the_filter() -> None:
    random = np.random.default_rng(5)
    words = np.zeros(bloom.words_for(100_000, 13.4), np.uint64)
    bloom.add(words, bloom.Probes.of(random.integers(0, 1 << 64, 100_000, np.uint64)))
    new = random.integers(0, 1 << 64, 100_000, np.uint64)
    assert len(bloom.hits(words, bloom.Probes.of(new))) < 1000


def test_ids_that_many_sources_use_do_not_crowd_the_filter() -> None:
    """Counters: 1,000 sources that each number their events from 1."""
    ids = pa.array([str(n) for _ in range(1000) for n in range(20)])
    bus = pa.array(["b"] * len(ids))
    held, new = (
        keys.keys_of(bus, pa.array([f"{root}/{s}" for s in range(1000) for _ in range(20)]), ids)
        for root in ("", "/new")
    )
    words = np.zeros(bloom.words_for(len(held), 13.4), np.uint64)
    bloom.add(words, bloom.Probes.of(held))
    assert len(bloom.hits(words, bloom.Probes.of(held))) == len(held)
    assert len(bloom.hits(words, bloom.Probes.of(new))) < len(new) // 50


def test_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    index = build(tmp_path, [])
    assert [len(found) for found in index.candidates(np.arange(10, dtype=np.uint64))] == [0, 0]
    assert [
        len(index.rows_of_id("1")),
        len(index.rows_of_subject("1")),
        len(index.rows_of_trace("1" * 32)),
    ] == [0] * 3


def test_a_segment_has_no_more_rows_than_an_index_can_number(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="16777216"):
        build(tmp_path, np.zeros(1 << 24, np.uint64))


@pytest.mark.parametrize("change", ["magic", "version", "shorter", "longer", "empty"])
def test_a_file_that_is_no_whole_index_is_refused(tmp_path: Path, change: str) -> None:
    build(tmp_path, [1, 2, 3]).close()
    path = tmp_path / "1.index"
    written = path.read_bytes()
    path.write_bytes(
        {
            "magic": b"x" + written[1:],
            "version": written[:8] + b"\xff" + written[9:],
            "shorter": written[:-1],
            "longer": written + b"\0",
            "empty": b"",
        }[change]
    )
    with pytest.raises(IndexDamaged):
        SegmentIndex.open(path)


def test_a_changed_byte_is_found_by_verifying(tmp_path: Path) -> None:
    build(tmp_path, [1, 2, 3]).close()
    path = tmp_path / "1.index"
    written = bytearray(path.read_bytes())
    written[-9] ^= 1
    path.write_bytes(written)
    index = SegmentIndex.open(path)
    with pytest.raises(IndexDamaged, match="checksum"):
        index.verify()


def test_a_closed_index_does_not_pass_for_an_empty_one(tmp_path: Path) -> None:
    index = build(tmp_path, [1])
    index.close()
    with pytest.raises(ValueError, match="closed"):
        index.candidates(np.array([1], np.uint64))
    with pytest.raises(ValueError, match="closed"):
        index.rows_of_id("1")


def zones_of(seqs: Rows, moments: Rows) -> Zones:
    starts = range(0, len(seqs), ZONE_ROWS)
    ends = [[f(each[at : at + ZONE_ROWS]) for at in starts] for each in (seqs, moments) for f in (min, max)]
    return Zones(
        first_seq=np.array(ends[0], np.int64),
        last_seq=np.array(ends[1], np.int64),
        first_at=np.array(ends[2], np.int64),
        last_at=np.array(ends[3], np.int64),
        timeless=np.zeros(len(starts), np.uint8),
    )


def test_zones_and_shared_hashes_come_back(tmp_path: Path) -> None:
    zones = zones_of(np.array([1, 4, 3]), np.array([-(2**55), 3, 2**55]))
    shared = np.array([keys.subject_hash("both")], np.uint32)
    parts: dict[Order, Array] = {"seq": np.zeros(3, np.uint8), "at": np.zeros(3, np.uint8)}
    subjects = of_texts(["both", "one", "both"])
    index = build(tmp_path, [1, 2, 3], subjects, zones=zones, shared=shared, parts=parts)
    assert index.zones is not None
    for held, written in zip(index.zones.arrays(), zones.arrays(), strict=True):
        assert held.tolist() == written.tolist()
    assert index.tells("one")
    assert not index.tells("both")
    assert index.rows_of_subject("both").tolist() == [0, 2]


@settings(max_examples=30, deadline=None)
@given(
    near=st.lists(st.integers(-(2**61), 2**61), min_size=2, max_size=6),
    events=st.sampled_from([2, ZONE_ROWS, ZONE_ROWS + 1, 2 * ZONE_ROWS]),
    seed=st.integers(0, 2**32),
)
def test_each_row_lies_between_the_ends_that_the_index_tells(
    tmp_path_factory: pytest.TempPathFactory, near: list[int], events: int, seed: int
) -> None:
    chance = random.Random(seed)
    values: dict[Order, Rows] = {
        "seq": np.array(chance.sample(range(2**40), events)),
        "at": np.array([chance.choice(near) + chance.randrange(1000) for _ in range(events)]),
    }
    zones = zones_of(values["seq"], values["at"])
    rows = np.arange(events)
    parts = {order: zones.parts(rows, each, order) for order, each in values.items()}
    path = tmp_path_factory.mktemp("index")
    index = build(path, list(range(events)), zones=zones, parts=parts)
    for order, each in values.items():
        ends = index.ends(rows, order)
        assert ends is not None
        low, high = ends
        assert (low <= each).all()
        assert (each <= high).all()
        first, last = zones.ends(rows, order)
        assert (high - low <= (last - first) // 256).all()
        assert (low >= first).all()
        assert (high <= last).all()
    index.close()
    with pytest.raises(ValueError, match="closed"):
        index.ends(rows, "at")


def test_an_index_of_version_2_tells_the_ends_of_zones(tmp_path: Path) -> None:
    values = np.array([5, 1 << 20, 1 << 30])
    zones = zones_of(values, values + 7)
    parts: dict[Order, Array] = {
        "seq": zones.parts(np.arange(3), values, "seq"),
        "at": zones.parts(np.arange(3), values + 7, "at"),
    }
    build(tmp_path, [1, 2, 3], of_texts(["a", None, "a"]), zones=zones, parts=parts).close()
    path = tmp_path / "1.index"
    path.write_bytes(index_of_version_2(path.read_bytes()))
    index = SegmentIndex.open(path)
    index.verify()
    ends = index.ends(np.array([0, 2]), "seq")
    assert ends is not None
    assert [end.tolist() for end in ends] == [[5, 5], [1 << 30, 1 << 30]]
    assert index.tells("a")
    assert index.rows_of_subject("a").tolist() == [0, 2]


def test_an_index_of_version_1_is_read(tmp_path: Path) -> None:
    build(
        tmp_path, [1 << 40, 2 << 40, 3 << 40], of_texts(["a", None, "a"]), of_texts([None, "b", None])
    ).close()
    path = tmp_path / "1.index"
    path.write_bytes(index_of_version_1(path.read_bytes()))
    index = SegmentIndex.open(path)
    index.verify()
    assert index.candidates(np.array([2 << 40], np.uint64))[1].tolist() == [1]
    assert index.rows_of_subject("a").tolist() == [0, 2]
    assert index.zones is None
    assert index.ends(np.array([0]), "seq") is None
    assert not index.tells("a")
