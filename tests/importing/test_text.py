"""NDJSON as parts: nothing is lost or changed at any cut, plain or packed, from any place on."""

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventcenter.errors import InvalidInput
from eventcenter.importing import sources
from eventcenter.importing.files import Kind, source
from eventcenter.importing.part import Part, Place
from eventcenter.importing.text import LONGEST_LINE, TextReader

LINES = st.lists(
    st.sampled_from([b"", b"{}", b'{"a":1}', b"  ", b"x" * 30, b"y" * 200, "é".encode()]), max_size=40
)
_BEGINNING = Place()


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


PACKERS: Mapping[Kind, Callable[[bytes], bytes]] = {
    Kind.TEXT: lambda content: content,
    # Two members, as `cat a.gz b.gz` and log rotation make them.
    Kind.GZIP: lambda content: gzip.compress(content[:100]) + gzip.compress(content[100:]),
    Kind.ZSTD: lambda content: zstd(content[:100]) + zstd(content[100:]),
}


def parts(path: Path, start: Place = _BEGINNING, part_bytes: int = 64) -> list[Part]:
    return list(TextReader(source(path), bus="b", part_bytes=part_bytes).parts(start))


@pytest.mark.parametrize("kind", list(PACKERS))
@given(lines=LINES, ends=st.booleans(), part_bytes=st.integers(1, 300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_parts_are_the_file_cut_at_line_ends(
    tmp_path: Path, kind: Kind, lines: list[bytes], ends: bool, part_bytes: int
) -> None:
    content = b"\n".join(lines) + (b"\n" if ends and lines else b"")
    path = tmp_path / "file"
    path.write_bytes(PACKERS[kind](content))
    found = parts(path, part_bytes=part_bytes)
    assert b"".join(part.body for part in found) == content
    assert all(part.body.endswith(b"\n") for part in found[:-1])
    seen = 0
    for part in found:
        assert part.first == content[:seen].count(b"\n") + 1
        seen += len(part.body)
        assert part.place.offset == seen
        # Only a line that is too long alone makes a part longer.
        assert len(part.body) - len(part.body.partition(b"\n")[0]) <= part_bytes + 1
        again = parts(path, part.place, part_bytes)
        assert b"".join(each.body for each in again) == content[seen:]
        assert not again or again[0].first == content[:seen].count(b"\n") + 1


def test_a_byte_order_mark_is_no_part_of_the_first_event(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbf{}\n{}\n")
    [part] = parts(path)
    assert (part.body, part.place) == (b"{}\n{}\n", Place(offset=9, lines=2))


@pytest.mark.parametrize("kind", [Kind.GZIP, Kind.ZSTD])
def test_what_stands_before_the_break_is_read(tmp_path: Path, kind: Kind) -> None:
    content = b"".join(b'{"n":%d}\n' % n for n in range(200_000))
    packed = gzip.compress(content) if kind is Kind.GZIP else zstd(content)
    path = tmp_path / "file"
    path.write_bytes(packed[: len(packed) * 3 // 4])
    found = []
    with pytest.raises(InvalidInput, match=f"broken {kind.value}") as caught:
        for part in TextReader(source(path), bus="b", part_bytes=100_000).parts(Place()):
            found.append(part)  # noqa: PERF402 the list is wanted as far as it came
    body = b"".join(part.body for part in found)
    assert len(body) > len(content) // 3
    assert content.startswith(body)
    assert body.endswith(b"\n")
    assert f"line {body.count(bytes([10])) + 1} " in str(caught.value)
    with pytest.raises(InvalidInput):
        parts(path, Place(offset=len(content), lines=200_000))


def test_a_line_that_never_ends_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"{}\n" + b"x" * (LONGEST_LINE + 10))
    reader = TextReader(source(path), bus="b", part_bytes=1 << 20).parts(Place())
    assert next(reader).body == b"{}\n"
    with pytest.raises(InvalidInput, match="line 2 is longer than 16 MiB"):
        next(reader)


def test_files_are_what_their_bytes_say_and_folders_what_their_names_say(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name, content in {
        "in/b.jsonl.gz": gzip.compress(b"{}"),
        "in/a.NDJSON.zst": zstd(b"{}"),
        "in/deep/c.parquet": b"PAR1",
        "in/deep/d.json": gzip.compress(b"{}"),
        "in/notes.txt": b"",
        "in/.hidden.json": b"",
        "alone": b"{}",
    }.items():
        (tmp_path / name).write_bytes(content)
    found = sources([str(tmp_path / "alone"), str(tmp_path / "in"), str(tmp_path / "alone")])
    assert [(each.path.name, each.kind) for each in found] == [
        ("alone", Kind.TEXT),
        ("a.NDJSON.zst", Kind.ZSTD),
        ("b.jsonl.gz", Kind.GZIP),
        ("c.parquet", Kind.PARQUET),
        ("d.json", Kind.GZIP),
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("file", b' \n[{"a":1}]', "eventcenter send"),
        ("gone", None, "No such file"),
        ("folder/", None, "no events"),
    ],
)
def test_what_cannot_be_read_is_said_with_the_way_out(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if name.endswith("/"):
        (tmp_path / name).mkdir()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=said) as caught:
        sources([str(tmp_path / name)])
    assert caught.value.remedy
