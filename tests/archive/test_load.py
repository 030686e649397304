"""What the archive keeps of what the journal brings."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventcenter.archive import Archive, Archives, Poison
from eventcenter.errors import Conflict, Unavailable
from eventcenter.event import Event, encode_line
from eventcenter.journal import Block, BlockKind, Position, ReadBlock

JOURNAL = b"j" * 16
START = 1_800_000_000_000_000


@pytest.fixture
def archives(tmp_path: Path) -> Iterator[Archives]:
    pool = Archives(tmp_path / "tenants")
    yield pool
    pool.close()


@pytest.fixture
def archive(archives: Archives) -> Archive:
    return archives.tenant("t1")


def event(
    event_id: object,
    data: bytes = b'{"a":1}',
    *,
    time: str | None = None,
    extensions: dict[str, str | int | bool] | None = None,
) -> Event:
    return Event(
        id=str(event_id),
        source="/s",
        type="t",
        time=time,
        data=data,
        data_kind="json",
        extensions=extensions or {},
    )


def block(number: int, *events: Event, bus: str = "b", received_at: int | None = None) -> ReadBlock:
    payload = b"".join(encode_line(one) for one in events)
    return ReadBlock(
        position=Position(1, number),
        received_at=START + number if received_at is None else received_at,
        block=Block(
            kind=BlockKind.EVENTS,
            tenant="t1",
            bus=bus,
            payload=payload,
            count=len(events),
            wants_outcome=True,
        ),
    )


def ids(archive: Archive) -> list[tuple[int, str, str]]:
    return [
        (r["seq"], r["bus"], r["id"]) for r in archive.query("SELECT seq, bus, id FROM events ORDER BY seq")
    ]


EXACT = [
    b'{"a":1.0}',
    b'{"a":1e2}',
    b'{"a":18446744073709551617}',
    b'{"a":0.10000000000000000001}',
    b'{"z":1,"a":{"\\u4e2d":"\\u0041\\n"}}',
    b'{"":[],"x":"\\"quoted\\"\\\\"}',
    '"emoji 😀 \u202e and 值"'.encode(),
    b"-0.0",
    b"null",
    b'"a\\tb"',
]


@pytest.mark.parametrize("data", EXACT)
def test_data_comes_back_letter_for_letter(archive: Archive, data: bytes) -> None:
    archive.load(JOURNAL, "main", [block(0, event(1, data))])
    assert archive.query("SELECT data FROM events")[0]["data"].encode() == data


def test_an_event_is_stored_once_per_bus_across_batches(archive: Archive) -> None:
    [first, other] = archive.load(
        JOURNAL, "main", [block(0, event(1), event(2), event(1)), block(1, event(1), bus="c")]
    )
    assert (first.stored, first.duplicates, first.rejected) == (2, 1, 0)
    assert (other.stored, other.duplicates, other.rejected) == (1, 0, 0)
    [again] = archive.load(JOURNAL, "main", [block(2, event(2), event(3), bus="b")])
    assert (again.stored, again.duplicates, again.rejected) == (1, 1, 0)
    assert ids(archive) == [(1, "b", "1"), (2, "b", "2"), (3, "c", "1"), (4, "b", "3")]
    assert [r["seq"] for r in archive.query("SELECT seq FROM duplicates ORDER BY received_at")] == [1, 2]


def test_a_repeat_that_differs_only_in_layout_is_a_duplicate(archive: Archive) -> None:
    archive.load(JOURNAL, "main", [block(0, event(1, b'{"a":1,"b":[1.0]}', extensions={"x": 1, "y": "2"}))])
    [outcome] = archive.load(
        JOURNAL, "main", [block(1, event(1, b'{"b" : [1.0], "a": 1}', extensions={"y": "2", "x": 1}))]
    )
    assert (outcome.stored, outcome.duplicates, outcome.rejected) == (0, 1, 0)


@pytest.mark.parametrize(
    "other",
    [
        event(1, b'{"a":1.0}'),
        event(1, b'{"a":"1"}'),
        event(1, time="2026-11-01T00:00:00Z"),
        event(1, extensions={"x": 1}),
    ],
)
def test_a_used_id_with_other_content_is_a_reject(archive: Archive, other: Event) -> None:
    archive.load(JOURNAL, "main", [block(0, event(0), event(1))])
    [outcome] = archive.load(JOURNAL, "main", [block(1, other)])
    assert (outcome.stored, outcome.duplicates, outcome.rejected) == (0, 0, 1)
    [reject] = archive.query("SELECT * FROM rejects")
    assert reject["reason"] == "id_reused"
    assert "event 2" in reject["error"]
    assert reject["bytes"] == other.to_json()
    assert len(ids(archive)) == 2


def test_blocks_are_loaded_once_however_often_they_come(archive: Archive) -> None:
    blocks = [block(0, event(1)), block(1, event(2))]
    archive.load(JOURNAL, "main", blocks[:1])
    assert [o.position for o in archive.load(JOURNAL, "main", blocks)] == [Position(1, 1)]
    assert archive.load(JOURNAL, "main", blocks) == []
    assert len(ids(archive)) == 2
    assert archive.query("SELECT count(*) AS n FROM duplicates") == [{"n": 0}]


def test_another_journal_has_a_position_of_its_own(archive: Archive) -> None:
    archive.load(JOURNAL, "main", [block(5, event(1))])
    [outcome] = archive.load(b"k" * 16, "main", [block(0, event(2))])
    assert outcome.stored == 1


def test_received_at_never_decreases_with_seq(archive: Archive) -> None:
    archive.load(JOURNAL, "main", [block(0, event(1), received_at=START)])
    archive.load(JOURNAL, "main", [block(1, event(2), received_at=START - 10**9)])
    stamps = [r["received_at"] for r in archive.query("SELECT received_at FROM events ORDER BY seq")]
    assert stamps == sorted(stamps)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-01T08:00:00+08:00", "2026-11-01T00:00:00+00:00"),
        ("2026-11-01t00:00:00.5z", "2026-11-01T00:00:00.500000+00:00"),
        ("2026-11-01T23:59:60Z", "2026-11-01T23:59:59+00:00"),
        ("2026-11-01T00:00:00.1234567891Z", "2026-11-01T00:00:00.123456+00:00"),
    ],
)
def test_time_is_understood_and_kept_as_sent(archive: Archive, text: str, utc: str) -> None:
    archive.load(JOURNAL, "main", [block(0, event(1, time=text))])
    [row] = archive.query("SELECT time, time_text FROM events")
    assert row["time_text"] == text
    assert row["time"].isoformat() == utc


def test_a_failed_load_leaves_nothing(archive: Archive) -> None:
    bad = ReadBlock(
        position=Position(1, 1),
        received_at=START,
        block=Block(kind=BlockKind.EVENTS, tenant="t1", bus="b", payload=b"not a line\n", count=1),
    )
    with pytest.raises(Poison):
        archive.load(JOURNAL, "main", [block(0, event(1)), bad])
    assert ids(archive) == []
    assert archive.position(JOURNAL) is None
    archive.load(JOURNAL, "main", [block(0, event(1))])
    assert len(ids(archive)) == 1


def test_rows_lie_in_the_order_of_seq_however_many_come_at_once(archive: Archive) -> None:
    blocks = [block(n, *(event(f"{n}-{i}", b'"%d"' % i * 40) for i in range(2500))) for n in range(20)]
    archive.load(JOURNAL, "main", blocks)
    rows = archive.query(
        "SELECT count(*) AS n, bool_and(seq = rowid + 1 AND data LIKE '\"%') AS ordered FROM fresh_1"
    )
    assert rows == [{"n": 50_000, "ordered": True}]
    [first, last] = archive.query("SELECT id FROM events WHERE seq IN (1, 50000) ORDER BY seq")
    assert (first["id"], last["id"]) == ("0-0", "19-2499")


def test_each_bus_counts_what_was_stored_in_it(archive: Archive) -> None:
    archive.load(JOURNAL, "main", [block(0, event(1), event(2)), block(1, event(1), bus="c")])
    archive.load(JOURNAL, "main", [block(2, event(2), event(3)), block(3, event(1), bus="c")])
    archive.load(JOURNAL, "main", [block(4, event(9), bus="d")])
    held = archive.query(
        "SELECT bus, events, epoch_us(last_received_at) - ? AS at FROM buses ORDER BY bus", [START]
    )
    assert held == [
        {"bus": "b", "events": 3, "at": 2},
        {"bus": "c", "events": 1, "at": 1},
        {"bus": "d", "events": 1, "at": 4},
    ]


def test_lines_longer_than_what_is_parsed_at_once_are_loaded(archive: Archive) -> None:
    long = b'"' + b"x" * (3 << 20) + b'"'
    [outcome] = archive.load(JOURNAL, "main", [block(0, event(1), event(2, long), event(3))])
    assert outcome.stored == 3
    assert archive.query("SELECT data FROM events WHERE id = '2'")[0]["data"].encode() == long


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_line_without_id_source_or_type_is_poison(archive: Archive, missing: int) -> None:
    fields = encode_line(event(1)).split(b"\t")
    fields[missing] = b""
    bad = ReadBlock(
        position=Position(1, 0),
        received_at=START,
        block=Block(kind=BlockKind.EVENTS, tenant="t1", bus="b", payload=b"\t".join(fields), count=1),
    )
    with pytest.raises(Poison, match="a line has no"):
        archive.load(JOURNAL, "main", [bad])
    good, rejects = archive.readable(bad)
    assert (good, len(rejects)) == ([], 1)


@settings(max_examples=25, deadline=None)
@given(batches=st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), max_size=6), max_size=6))
def test_the_archive_agrees_with_a_plain_model(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[int, int]]]
) -> None:
    pool = Archives(tmp_path_factory.mktemp("model"))
    archive = pool.tenant("t1")
    model: dict[str, bytes] = {}
    duplicates = rejects = 0
    for number, batch in enumerate(batches):
        events = [event(i, b'{"v":%d}' % v) for i, v in batch]
        for one in events:
            known = model.setdefault(one.id, one.data or b"")
            if known != one.data:
                rejects += 1
            else:
                duplicates += 1
        archive.load(JOURNAL, "main", [block(number, *events)])
    rows = archive.query("SELECT seq, id, data FROM events ORDER BY seq")
    assert [(r["id"], r["data"].encode()) for r in rows] == list(model.items())
    assert [r["seq"] for r in rows] == list(range(1, len(model) + 1))
    assert archive.query("SELECT count(*) AS n FROM duplicates") == [{"n": duplicates - len(model)}]
    assert archive.query("SELECT count(*) AS n FROM rejects") == [{"n": rejects}]
    held = archive.query("SELECT bus, events FROM buses")
    assert held == ([{"bus": "b", "events": len(model)}] if model else [])
    pool.close()


def test_a_query_cannot_write_and_cannot_read_files(archive: Archive) -> None:
    archive.load(JOURNAL, "main", [block(0, event(1))])
    for sql in (
        "DELETE FROM fresh_1",
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY fresh_1 TO '/tmp/x'",
    ):
        with pytest.raises(Exception, match=r"read-only|disabled"):
            archive.query(sql)
    assert len(ids(archive)) == 1


def test_a_query_that_takes_too_long_is_stopped_and_the_archive_lives(archive: Archive) -> None:
    archive.load(JOURNAL, "main", [block(0, event(1))])
    with pytest.raises(Unavailable, match="too long"):
        archive.query("SELECT count(*) FROM range(100000000000) t(i) WHERE sin(i) > 2", timeout_s=0.2)
    assert len(ids(archive)) == 1


def test_an_archive_of_another_format_is_refused(tmp_path: Path) -> None:
    pool = Archives(tmp_path)
    archive = pool.tenant("t1")
    archive.load(JOURNAL, "main", [block(0, event(1))])

    def from_tomorrow(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("UPDATE format SET version = 99")

    archive.write(from_tomorrow)
    pool.close()
    again = Archives(tmp_path)
    with pytest.raises(Conflict, match="format 99"):
        again.tenant("t1").last_seq()
    again.close()


def test_few_archives_are_open_at_once_and_sleepers_wake(tmp_path: Path) -> None:
    pool = Archives(tmp_path, most_open=2)
    for number in range(5):
        pool.tenant(f"t{number}").load(JOURNAL, "main", [block(0, event(number))])
    assert sum(pool.tenant(f"t{number}").is_open for number in range(5)) <= 3
    for number in range(5):
        assert ids(pool.tenant(f"t{number}")) == [(1, "b", str(number))]
    pool.close()


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a b", "."])
def test_a_tenants_id_is_no_path(archives: Archives, name: str) -> None:
    with pytest.raises(ValueError, match="not a tenant's id"):
        archives.tenant(name)
