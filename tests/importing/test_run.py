"""Imports end with every event in, every refusal named, and go on where they were cut off."""

import gzip
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eventcenter.errors import InvalidInput, NotFound
from tests.importing.bringing import Cut, bring
from tests.support.ingest import Ingest, event_json


def lines(name: str, count: int, start: int = 0) -> list[bytes]:
    return [
        event_json(id=str(number), source=f"/{name}", data={"text": "x" * 100})
        for number in range(start, start + count)
    ]


def write(path: Path, events: list[bytes]) -> Path:
    content = b"".join(event + b"\n" for event in events)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_parquet(path: Path, name: str, count: int) -> Path:
    ids = [str(number) for number in range(count)]
    columns = {
        "id": ids,
        "source": [f"/{name}"] * count,
        "type": ["t"] * count,
        "subject": ["x" * 100] * count,
    }
    pq.write_table(pa.table(columns), path, row_group_size=30)
    return path


def kept(ingest: Ingest, name: str) -> Counter[int]:
    """How often the journal has each event of a source."""
    return Counter(int(event.id) for event in ingest.events() if event.source == f"/{name}")


def once(count: int) -> Counter[int]:
    return Counter(dict.fromkeys(range(count), 1))


@pytest.mark.parametrize("connections", [1, 3])
def test_all_of_all_files_goes_in(tmp_path: Path, ingest: Ingest, connections: int) -> None:
    name = f"all{connections}"
    files = [
        write(tmp_path / "a.ndjson", lines(name, 100)),
        write(tmp_path / "b.gz", lines(name, 100, 100)),
        write(tmp_path / "empty.ndjson", []),
        write(tmp_path / "c.ndjson", lines(name, 100, 200)),
    ]
    result, heard = bring(ingest, tmp_path, *files, connections=connections)
    assert (result.files, result.accepted, result.rejected, result.good) == (4, 300, 0, True)
    assert kept(ingest, name) == once(300)
    read = [each.read for each in heard.progress]
    assert read == sorted(read)
    assert read[-1] == sum(file.stat().st_size for file in files)
    assert heard.progress[-1].events == 300
    assert len(read) > 10
    assert list((tmp_path / "marks").iterdir()) == []


def test_events_keep_the_files_order_on_one_connection(tmp_path: Path, ingest: Ingest) -> None:
    bring(ingest, tmp_path, write(tmp_path / "a.ndjson", lines("order", 200)))
    assert [int(event.id) for event in ingest.events() if event.source == "/order"] == list(range(200))


@pytest.mark.parametrize("form", ["ndjson", "gz", "parquet"])
@pytest.mark.parametrize("cut_after", [0, 1, 4])
def test_a_run_goes_on_where_the_last_one_was_cut_off(
    tmp_path: Path, ingest: Ingest, form: str, cut_after: int
) -> None:
    name = f"cut{form}{cut_after}"
    file = tmp_path / f"a.{form}"
    if form == "parquet":
        write_parquet(file, name, 200)
    else:
        write(file, lines(name, 200))
    first = write(tmp_path / "first.ndjson", lines(f"{name}-first", 3))
    with pytest.raises(Cut):
        bring(ingest, tmp_path, first, file, cut_after=cut_after + 1)
    before = len(kept(ingest, name))
    assert (before > 0) == (cut_after > 0)
    assert before < 200
    result, heard = bring(ingest, tmp_path, first, file)
    assert (result.accepted, result.earlier, result.events) == (203, 3 + before, 200 - before)
    assert heard.resumed == [3 + before]
    # One after the other over one connection, nothing was under way: so nothing went twice.
    assert kept(ingest, name) == once(200)
    assert kept(ingest, f"{name}-first") == once(3)
    assert list((tmp_path / "marks").iterdir()) == []


def test_restart_and_a_changed_file_begin_anew(tmp_path: Path, ingest: Ingest) -> None:
    file = write(tmp_path / "a.ndjson", lines("anew", 100))
    for again in (1, 2):
        with pytest.raises(Cut):
            bring(ingest, tmp_path, file, cut_after=2)
        result, heard = bring(ingest, tmp_path, file, restart=again == 1)
        if again == 1:
            assert (result.events, heard.resumed) == (100, [])
        file = write(file, lines("anew", 101))
    with pytest.raises(Cut):
        bring(ingest, tmp_path, file, cut_after=2)
    write(file, lines("anew", 102))
    result, heard = bring(ingest, tmp_path, file)
    assert (result.events, heard.resumed) == (102, [])


def test_another_bus_is_another_import(tmp_path: Path, ingest: Ingest) -> None:
    file = write(tmp_path / "a.ndjson", lines("bus", 100))
    with pytest.raises(Cut):
        bring(ingest, tmp_path, file, cut_after=2)
    result, _ = bring(ingest, tmp_path, file, bus="orders")
    assert result.events == 100
    assert sum(1 for event in ingest.events("orders") if event.source == "/bus") == 100


def test_a_damaged_mark_counts_for_nothing(tmp_path: Path, ingest: Ingest) -> None:
    file = write(tmp_path / "a.ndjson", lines("mark", 100))
    with pytest.raises(Cut):
        bring(ingest, tmp_path, file, cut_after=2)
    [mark] = (tmp_path / "marks").iterdir()
    mark.write_bytes(mark.read_bytes()[:20])
    result, _ = bring(ingest, tmp_path, file)
    assert result.events == 100


def test_refused_events_are_named_by_line_and_kept_in_a_file(tmp_path: Path, ingest: Ingest) -> None:
    events = lines("refused", 120)
    for number in (0, 57, 119):
        events[number] = event_json(id=None, source="/refused", subject=str(number))
    events.insert(10, b"")
    events.insert(11, b"  ")
    events.append(b"{broken")
    file = write(tmp_path / "a.ndjson", events)
    result, heard = bring(ingest, tmp_path, file, rejects=tmp_path / "rejects")
    assert (result.accepted, result.rejected, result.good) == (117, 4, False)
    wanted = [1, 60, 122, 123]
    assert [(each.path, each.unit, each.number) for each in heard.rejects] == [
        (file, "line", n) for n in wanted
    ]
    assert all("`id` is missing" in each.error for each in heard.rejects[:3])
    refused = (tmp_path / "rejects").read_bytes().splitlines()
    assert refused == [events[number - 1] for number in wanted]


def test_more_refusals_than_one_answer_tells(tmp_path: Path, ingest: Ingest) -> None:
    events = [b"{%d" % number for number in range(1500)] + lines("many", 2)
    file = write(tmp_path / "a.ndjson", events)
    big = bring(ingest, tmp_path, file, part_bytes=1 << 19)[0]
    assert (big.accepted, big.rejected) == (2, 1500)
    result, heard = bring(ingest, tmp_path, file, rejects=tmp_path / "rejects", part_bytes=1 << 19)
    assert (result.accepted, result.rejected) == (2, 1500)
    assert [each.number for each in heard.rejects] == list(range(1, 1501))
    assert (tmp_path / "rejects").read_bytes().splitlines() == events[:1500]


def test_rejects_go_on_after_a_cut_without_repeats(tmp_path: Path, ingest: Ingest) -> None:
    events = [b'{"no":%d}' % number + b" " * 100 for number in range(100)]
    file = write(tmp_path / "a.ndjson", events)
    rejects = tmp_path / "rejects"
    rejects.write_bytes(b"of an older import\n")
    with pytest.raises(Cut):
        bring(ingest, tmp_path, file, rejects=rejects, cut_after=2)
    so_far = rejects.read_bytes()
    assert so_far
    # As if the run had been killed between a refused line and the mark behind it.
    rejects.write_bytes(so_far + b"a line behind the mark\n")
    result, _ = bring(ingest, tmp_path, file, rejects=rejects)
    assert result.rejected == 100
    assert rejects.read_bytes().splitlines() == events


def test_parts_that_are_too_large_for_the_service_go_in_halves(tmp_path: Path, ingest: Ingest) -> None:
    """The service takes bodies of at most 1 MiB here, and events of 256 KiB."""
    events = lines("large", 9000)
    events[4000] = event_json(id="4000", source="/large", data="y" * (300 << 10))
    events[5000] = event_json(id="5000", source="/large", data="y" * (1200 << 10))
    file = write(tmp_path / "a.ndjson", events)
    result, heard = bring(ingest, tmp_path, file, rejects=tmp_path / "rejects", part_bytes=4 << 20)
    assert (result.accepted, result.rejected) == (8998, 2)
    assert [each.number for each in heard.rejects] == [4001, 5001]
    assert (tmp_path / "rejects").read_bytes().splitlines() == [events[4000], events[5000]]
    assert set(kept(ingest, "large")) == set(range(9000)) - {4000, 5000}


def test_a_broken_file_is_left_behind_and_tried_again(tmp_path: Path, ingest: Ingest) -> None:
    broken = write(tmp_path / "a.gz", lines("broken", 2000))
    broken.write_bytes(broken.read_bytes()[:-8])
    good = write(tmp_path / "b.ndjson", lines("whole", 50))
    result, heard = bring(ingest, tmp_path, broken, good)
    assert (result.broken, result.good, len(heard.broken)) == (1, False, 1)
    assert isinstance(heard.broken[0], InvalidInput)
    assert kept(ingest, "whole") == once(50)
    write(broken, lines("broken", 2000))
    result, _ = bring(ingest, tmp_path, broken, good)
    assert (result.broken, result.events) == (0, 2000)
    assert kept(ingest, "whole") == once(50)
    assert list((tmp_path / "marks").iterdir()) == []


def test_what_the_service_refuses_as_a_whole_ends_the_import(tmp_path: Path, ingest: Ingest) -> None:
    file = write(tmp_path / "a.ndjson", lines("nobus", 100))
    with pytest.raises(NotFound):
        bring(ingest, tmp_path, file, bus="nowhere")


def test_a_place_for_marks_that_cannot_be_written_is_named(tmp_path: Path, ingest: Ingest) -> None:
    (tmp_path / "marks").write_bytes(b"a file, not a folder")
    with pytest.raises(InvalidInput, match="how far the import is") as caught:
        bring(ingest, tmp_path, write(tmp_path / "a.ndjson", lines("marks", 3)))
    assert "XDG_STATE_HOME" in str(caught.value)
