"""Parquet: an export comes back as it was sent, other files become the events that their columns say."""

import datetime as dt
import itertools
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventcenter.errors import InvalidInput
from eventcenter.event import Event, single_line
from eventcenter.importing.files import source
from eventcenter.importing.parquet import ParquetReader
from eventcenter.importing.part import Place
from tests.importing.bringing import bring, write_export
from tests.ingest.test_round_trips import sent_events
from tests.support.ingest import Ingest

_BUSES = ("default", "orders")
_runs = itertools.count()
_LOCAL = dt.timezone(dt.timedelta(hours=8))


def kept(event: Event) -> Event:
    """As the journal keeps it."""
    ordered = replace(event, extensions=dict(sorted(event.extensions.items())))
    return ordered if event.data is None else replace(ordered, data=single_line(event.data))


@given(
    st.lists(
        st.tuples(
            sent_events(st.text('abc \\"名', max_size=9) | st.booleans() | st.integers(-9, 9)),
            st.sampled_from(_BUSES),
        ),
        min_size=1,
        max_size=20,
    ),
    st.integers(1, 7),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
def test_an_export_comes_back_as_it_was_sent(
    tmp_path: Path, ingest: Ingest, pairs: list[tuple[Event, str]], group: int
) -> None:
    run = next(_runs)
    events = [replace(kept(event), source=f"/{run}/{place}") for place, (event, _) in enumerate(pairs)]
    path = tmp_path / f"{run}.parquet"
    write_export(path, events, [bus for _, bus in pairs], row_group_size=group)
    result, heard = bring(ingest, tmp_path, path)
    assert not heard.rejects
    assert (result.accepted, result.rejected) == (len(events), 0)
    for bus in _BUSES:
        found = [event for event in ingest.events(bus) if event.source.startswith(f"/{run}/")]
        wanted = [event for event, (_, name) in zip(events, pairs, strict=True) if name == bus]
        assert [event.to_json() for event in found] == [event.to_json() for event in wanted]
        assert [event.data_kind for event in found] == [event.data_kind for event in wanted]


def test_text_that_is_no_json_though_its_type_says_so_stays_text(tmp_path: Path, ingest: Ingest) -> None:
    event = Event(
        id="ä %1",
        source="/broken",
        type="t",
        time="2026-11-01T08:00:00.10+08:00",
        datacontenttype="application/json; charset=utf-8",
        extensions={"a": '"名"'},
        data=b'"{broken \\"\\u540d"',
        data_kind="text",
    )
    good = replace(event, id="2", data=b"1e2", data_kind="json")
    text = replace(event, id="3", datacontenttype="text/plain")
    write_export(tmp_path / "a.parquet", [good, event, text, event], ["orders"] * 4)
    result, _ = bring(ingest, tmp_path, tmp_path / "a.parquet", bus="default")
    assert result.accepted == 4
    found = sorted((e for e in ingest.events("default") if e.source == "/broken"), key=lambda e: e.id)
    assert [(e.id, e.data_kind, e.data_bytes()) for e in found] == [
        (e.id, e.data_kind, e.data_bytes()) for e in (good, text, event, event)
    ]
    assert found[-1].extensions == event.extensions
    assert found[-1].time == event.time


def bodies(path: Path, **options: Any) -> list[dict[str, Any]]:
    parts = list(ParquetReader(source(path), bus=None, **options).parts(Place()))
    return [json.loads(line, parse_float=Decimal) for part in parts for line in part.body.splitlines()]


def texts(path: Path) -> list[bytes]:
    return [
        line
        for part in ParquetReader(source(path), bus=None).parts(Place())
        for line in part.body.splitlines()
    ]


def write(path: Path, **columns: Any) -> Path:
    count = len(next(iter(columns.values())))
    required = {"id": [str(n) for n in range(count)], "source": ["/p"] * count, "type": ["t"] * count}
    pq.write_table(pa.table(required | columns), path)
    return path


_MOMENTS = pa.array(["2026-01-02 03:04:05.000600", None, "1969-01-01"]).cast(pa.timestamp("us"))
_WORDS = pa.array(["a", "b", "a"])
_MORE = pa.array(['1},"subject":"x', "", "null"])


@pytest.mark.parametrize(
    ("column", "values", "member", "expected"),
    [
        ("subject", pa.array(['a"b\\\n', None, "名"]), "subject", ['"a\\"b\\\\\\n"', None, '"名"']),
        ("subject", _WORDS.dictionary_encode(), "subject", ['"a"', '"b"', '"a"']),
        ("subject", _WORDS.cast(pa.large_string()), "subject", ['"a"', '"b"', '"a"']),
        ("subject", _WORDS.cast(pa.string_view()), "subject", ['"a"', '"b"', '"a"']),
        ("time", pa.array(["2026-01-01t00:00z", None, "x"]), "time", ['"2026-01-01t00:00z"', None, '"x"']),
        ("time", _MOMENTS, "time", ['"2026-01-02T03:04:05.000600Z"', None, '"1969-01-01T00:00:00.000000Z"']),
        (
            "time",
            pa.array([dt.datetime(2026, 1, 2, 3, tzinfo=_LOCAL), None, None], pa.timestamp("ms", "+08:00")),
            "time",
            ['"2026-01-01T19:00:00.000Z"', None, None],
        ),
        (
            "time",
            pa.array([dt.date(2026, 1, 2), None, None]),
            "time",
            ['"2026-01-02T00:00:00.000Z"', None, None],
        ),
        ("data", pa.array(["1e2", None, '{"a" : 0.10}']), "data", ["1e2", None, '{"a" : 0.10}']),
        ("data", pa.array(["1,2", "[1", "2]"]), "data", ['"1,2"', '"[1"', '"2]"']),
        ("data", pa.array(['{"a":\n1e2}', "no json", " 1 "]), "data", ['{"a":1e2}', '"no json"', "1"]),
        ("data", _MORE, "data", ['"1},\\"subject\\":\\"x"', '""', "null"]),
        ("data", pa.array([b"\x00\xff", None, b"{}"]), "data_base64", ['"AP8="', None, '"e30="']),
        ("data_base64", pa.array(["AP8=", None, ""]), "data_base64", ['"AP8="', None, '""']),
        ("data_base64", pa.array([b"\x00\xff", None, b""]), "data_base64", ['"AP8="', None, '""']),
        (
            "data",
            pa.array([{"a": [1, None]}, None, {"a": None}]),
            "data",
            ['{"a":[1,null]}', None, '{"a":null}'],
        ),
        ("data", pa.array([1.5, None, -2.0]), "data", ["1.5", None, "-2.0"]),
        ("data", pa.array([Decimal("1.50"), None, Decimal("0.10")]), "data", ["1.50", None, "0.10"]),
        ("data", pa.array([True, None, False]), "data", ["true", None, "false"]),
        ("data", pa.array([None, None, None], pa.string()), "data", [None, None, None]),
        ("extensions", pa.array(['{"a":1,"b":"x"}', None, "{}"]), None, ['"a":1,"b":"x"', None, None]),
        (
            "extensions",
            pa.array([' {"a" : 1 } ', "[]", " { } "]),
            None,
            ['"a":1', '"extensions":[]', None],
        ),
        ("extensions", pa.array([{"a": 1, "b": None}, None, {"b": "x"}]), None, ['"a":1', None, '"b":"x"']),
        ("traceid", pa.array(["a", None, 'b"']), "traceid", ['"a"', None, '"b\\""']),
        ("count", pa.array([1, None, -(2**40)]), "count", ["1", None, "-1099511627776"]),
        ("flag", pa.array([True, None, False]), "flag", ["true", None, "false"]),
        ("seq", pa.array([1, 2, 3]), "seq", ["1", "2", "3"]),
    ],
)
def test_columns_become_members(
    tmp_path: Path, column: str, values: pa.Array, member: str | None, expected: list[str | None]
) -> None:
    found = texts(write(tmp_path / "a.parquet", **{column: values}))
    for number, (line, value) in enumerate(zip(found, expected, strict=True)):
        core = f'{{"specversion":"1.0","id":"{number}","source":"/p","type":"t"'
        further = "" if value is None else f",{value}" if member is None else f',"{member}":{value}'
        assert line.decode() == core + further + "}"


def test_a_specversion_is_taken_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", specversion=pa.array(["1.0", None, "0.3"]))
    assert [event["specversion"] for event in bodies(path)] == ["1.0", "1.0", "0.3"]


def test_text_that_is_json_stays_text_under_a_type_that_is_not(tmp_path: Path) -> None:
    types = ["text/plain", "application/json; charset=utf-8", None, "application/CloudEvents+JSON"]
    path = write(tmp_path / "a.parquet", datacontenttype=pa.array(types), data=pa.array(["12"] * 4))
    assert [event["data"] for event in bodies(path)] == ["12", 12, 12, 12]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"id": ["1"], "source": ["/"]}, "no column type"),
        ({"id": ["1"], "source": ["/"], "type": ["t"], "Bad-Name": ["x"]}, "Bad-Name"),
        ({"id": ["1"], "source": ["/"], "type": ["t"], "ratio": [0.5]}, "ratio"),
        ({"id": ["1"], "source": ["/"], "type": ["t"], "received_at": ["x"]}, "received_at"),
    ],
)
def test_columns_that_make_no_event_are_named_before_anything_is_sent(
    tmp_path: Path, columns: dict[str, list[object]], said: str
) -> None:
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(InvalidInput, match=said) as caught:
        bodies(tmp_path / "a.parquet")
    assert caught.value.remedy


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", subject=["x" * 10_000])
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InvalidInput, match="broken Parquet"):
        bodies(path)


@given(
    st.lists(st.tuples(st.integers(0, 300), st.sampled_from(_BUSES)), min_size=1, max_size=60),
    st.integers(1, 20),
    st.integers(100, 2000),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
def test_from_every_place_on_the_rest_follows(
    tmp_path: Path, rows: list[tuple[int, str]], group: int, part_bytes: int
) -> None:
    events = [
        Event(id=str(n), source="/", type="t", subject="x" * (size + 1)) for n, (size, _) in enumerate(rows)
    ]
    path = tmp_path / "a.parquet"
    write_export(path, events, [bus for _, bus in rows], row_group_size=group)
    reader = ParquetReader(source(path), bus=None, part_bytes=part_bytes)
    parts = list(reader.parts(Place()))
    lines = [line for part in parts for line in part.body.splitlines()]
    assert sorted(int(json.loads(line)["id"]) for line in lines) == list(range(len(rows)))
    for place, part in enumerate(parts):
        for index, line in enumerate(part.body.splitlines()):
            number = int(json.loads(line)["id"])
            assert part.number(index) == number + 1
            assert rows[number][1] == part.bus
        assert len(part.body) <= part_bytes or part.body.count(b"\n") == 1
        after = {line for each in reader.parts(part.place) for line in each.body.splitlines()}
        assert after >= {line for each in parts[place + 1 :] for line in each.body.splitlines()}
        assert len(after) == len(rows) - part.place.offset
    assert parts[-1].place.offset == len(rows)


def test_an_export_row_without_a_bus_needs_the_option(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_export(path, [Event(id="1", source="/", type="t")], [None])  # type: ignore[list-item]
    with pytest.raises(InvalidInput, match="names no bus"):
        bodies(path)
    [part] = ParquetReader(source(path), bus="orders").parts(Place())
    assert part.bus == "orders"
