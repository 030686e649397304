"""Search: what comes back is what was sent, pages are right while events arrive, tenants see their own."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from eventcenter.errors import InvalidInput, NotFound
from eventcenter.event import Event
from eventcenter.pattern import EventPattern
from queries.answers import encode, envelope
from queries.request import EventFilter, SearchRequest
from tests.queries.filling import OTHER, TENANT, Filling
from tests.support.seeds import seeds

EXACT = [
    '{"n":1e2,"one":1.0,"big":18446744073709551617,"small":0.10000000000000000001}',
    '{"b":1,"a":2,"":{"\\u0041":"\\u0000"}}',
    "[1.50, -0, -0.0, 1E400]",
    '"text \\ud83d\\ude00"',
    "null",
    "18446744073709551617",
]


@pytest.mark.parametrize("text", EXACT)
def test_data_comes_back_letter_for_letter(filling: Filling, text: str) -> None:
    filling.add([filling.event(text, extensions={"sequence": 7, "flag": True, "traceparent": "00-a"})])
    [stored] = filling.queries.search(TENANT, SearchRequest()).events
    answer = encode(envelope(stored))
    assert b'"data":' + text.encode() in answer
    assert b'"sequence":7,"flag":true,"traceparent":"00-a"' in answer
    assert filling.queries.get(TENANT, stored.seq) == stored


def test_every_kind_of_event_comes_back_whole(filling: Filling) -> None:
    sent = [
        Event(id="1", source="s", type="t"),
        Event(id="2", source="s", type="t", data=b'"hi"', data_kind="text", datacontenttype="text/plain"),
        Event(id="3", source="s", type="t", data=b'"AAEC"', data_kind="binary", subject="x"),
        Event(id="4", source="s", type="t", time="2026-11-01T00:00:00.123456789+08:00", dataschema="urn:a"),
    ]
    filling.add(sent)
    found = filling.queries.search(TENANT, SearchRequest(order="oldest")).events
    assert [each.event for each in found] == sent
    assert [each.seq for each in found] == [1, 2, 3, 4]


def test_filters_are_any_of_and_all_of(filling: Filling) -> None:
    filling.add([filling.event(type="a", source="x"), filling.event(type="b", source="x", subject="s")])
    filling.add([filling.event(type="c", source="y", id="chosen")], bus="orders")

    def seqs(**fields: object) -> list[int]:
        request = SearchRequest(**fields)  # type: ignore[arg-type]
        return [each.seq for each in filling.queries.search(TENANT, request).events]

    assert seqs() == [3, 2, 1]
    assert seqs(order="oldest") == [1, 2, 3]
    assert seqs(types=("a", "c")) == [3, 1]
    assert seqs(types=("a", "c"), sources=("x",)) == [1]
    assert seqs(buses=("orders",)) == [3]
    assert seqs(subjects=("s",)) == [2]
    assert seqs(ids=("chosen", "nobody")) == [3]
    assert seqs(pattern=EventPattern.parse('{"type":[{"anything-but":"b"}]}')) == [3, 1]
    assert seqs(types=("nobody",)) == []
    assert filling.queries.count(TENANT, buses=["default"], pattern=EventPattern.parse('{"type":["a"]}')) == 1


@pytest.mark.parametrize("time_field", ["received_at", "time"])
def test_ranges_are_half_open(filling: Filling, time_field: str) -> None:
    start = filling.clock.now()
    for minute in range(3):
        when = start + timedelta(minutes=minute)
        filling.add([filling.event(time=when.isoformat())])
        filling.clock.advance(60)
    middle = start + timedelta(minutes=1)

    def seqs(from_: datetime | None, to: datetime | None) -> list[int]:
        request = SearchRequest(from_=from_, to=to, time_field=time_field)  # type: ignore[arg-type]
        return [each.seq for each in filling.queries.search(TENANT, request).events]

    assert seqs(middle, middle + timedelta(microseconds=1)) == [2]
    assert seqs(middle, middle + timedelta(minutes=1)) == [2]
    assert seqs(None, middle) == [1]
    assert seqs(middle, None) == [3, 2]
    assert seqs(middle + timedelta(microseconds=1), middle + timedelta(minutes=1)) == []
    with pytest.raises(InvalidInput, match="empty"):
        seqs(middle, middle)


@pytest.mark.parametrize("seed", seeds(3))
@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("time_field", ["received_at", "time"])
def test_pages_hold_the_first_pages_moment_once_each(
    filling: Filling, seed: int, order: str, time_field: str
) -> None:
    """Events arrive between pages: none comes twice, none that was there is missing, none later slips in."""
    dice = random.Random(seed)
    start = filling.clock.now()

    def arrive(most: int) -> None:
        for _ in range(dice.randint(1, most)):
            moment = start + timedelta(seconds=dice.randint(-5, 5), microseconds=dice.choice([0, 1]))
            time = None if dice.random() < 0.3 else moment.isoformat()
            filling.add([filling.event(time=time, type=dice.choice("ab"))], bus=dice.choice(["p", "q"]))
            filling.clock.advance(dice.random())

    arrive(40)
    pattern = dice.choice([None, EventPattern.parse('{"type":["a"]}')])
    request = SearchRequest(
        order=order,  # type: ignore[arg-type]
        time_field=time_field,  # type: ignore[arg-type]
        limit=dice.randint(1, 7),
        pattern=pattern,
    )
    whole = filling.queries.search(TENANT, SearchRequest(**{**vars(request), "limit": 500}))
    assert whole.next is None
    seen: list[int] = []
    while True:
        page = filling.queries.search(TENANT, request)
        assert len(page.events) <= request.limit
        seen += [each.seq for each in page.events]
        if page.next is None:
            break
        arrive(5)
        request = SearchRequest(**{**vars(request), "cursor": page.next})
    assert seen == [each.seq for each in whole.events]


def test_by_time_an_event_without_one_stands_where_it_was_received(filling: Filling) -> None:
    times = ["2026-11-01T00:00:02Z", None, "2026-11-01T08:00:01+08:00", "2026-11-01T00:00:02Z"]
    filling.add([filling.event(time=time) for time in times])

    def seqs(order: str) -> list[int]:
        request = SearchRequest(order=order, time_field="time")  # type: ignore[arg-type]
        return [each.seq for each in filling.queries.search(TENANT, request).events]

    assert seqs("newest") == [4, 1, 3, 2]
    assert seqs("oldest") == [2, 3, 1, 4]


def test_cursors_are_of_one_tenant_and_one_question(filling: Filling) -> None:
    for tenant in (TENANT, OTHER):
        filling.add([filling.event() for _ in range(5)], tenant=tenant)
    asked = SearchRequest(limit=2)
    cursor = filling.queries.search(TENANT, asked).next
    assert cursor is not None
    again = SearchRequest(limit=2, cursor=cursor)
    assert [each.seq for each in filling.queries.search(TENANT, again).events] == [3, 2]
    wider = SearchRequest(limit=1, cursor=cursor)
    assert [each.seq for each in filling.queries.search(TENANT, wider).events] == [3]

    refused = [
        (OTHER, again),
        (TENANT, SearchRequest(limit=2, cursor=cursor, types=("test.made",))),
        (TENANT, SearchRequest(limit=2, cursor=cursor, order="oldest")),
        (TENANT, SearchRequest(limit=2, cursor=cursor, time_field="time")),
        (TENANT, SearchRequest(limit=2, cursor=cursor[:-1] + ("A" if cursor[-1] != "A" else "B"))),
        (TENANT, SearchRequest(limit=2, cursor="A" + cursor[1:] if cursor[0] != "A" else "B" + cursor[1:])),
        (TENANT, SearchRequest(limit=2, cursor="")),
        (TENANT, SearchRequest(limit=2, cursor="é ☃")),
        (TENANT, SearchRequest(limit=2, cursor="x" * 100_000)),
    ]
    for tenant, request in refused:
        with pytest.raises(InvalidInput, match="cursor") as error:
            filling.queries.search(tenant, request)
        assert error.value.remedy
    with pytest.raises(InvalidInput, match="cursor"):
        filling.queries.rejects(TENANT, cursor=cursor)


def test_tenants_see_their_own(filling: Filling) -> None:
    filling.add([filling.event(id=f"mine{i}", type="mine") for i in range(3)])
    filling.add([filling.event(id="theirs", type="theirs")], tenant=OTHER)
    filling.reject(b"mine")
    queries = filling.queries
    assert [each.event.id for each in queries.search(OTHER, SearchRequest()).events] == ["theirs"]
    assert queries.count(OTHER) == 1
    assert queries.top(OTHER, EventFilter()) == [("theirs", 1)]
    assert [each.name for each in queries.histogram(OTHER, EventFilter()).series] == ["theirs"]
    assert [each.event.id for each in queries.matches(OTHER, after_seq=0, up_to_seq=99, limit=9)] == [
        "theirs"
    ]
    assert queries.statistics(OTHER)["rejects"] == 0
    assert queries.rejects(OTHER).rejects == ()
    with pytest.raises(NotFound):
        queries.get(OTHER, 3)
    with pytest.raises(NotFound):
        queries.reject(OTHER, 1)


@pytest.mark.parametrize("seq", [0, -1, 2, 2**63 - 1, 2**63, 10**30])
def test_a_seq_that_is_not_there_is_not_found(filling: Filling, seq: int) -> None:
    filling.add([filling.event()])
    with pytest.raises(NotFound):
        filling.queries.get(TENANT, seq)


def test_matches_reads_a_stretch_in_order(filling: Filling) -> None:
    filling.add([filling.event(f'{{"n":{n}}}', type="ab"[n % 2]) for n in range(10)])
    filling.add([filling.event('{"n":1}')], bus="other")
    odd = EventPattern.parse('{"type":["b"],"data":{"n":[{"numeric":[">",2]}]}}')

    def seqs(after: int, up_to: int, limit: int) -> list[int]:
        found = filling.queries.matches(
            TENANT, buses=["default"], pattern=odd, after_seq=after, up_to_seq=up_to, limit=limit
        )
        return [each.seq for each in found]

    assert seqs(0, 99, 99) == [4, 6, 8, 10]
    assert seqs(4, 8, 99) == [6, 8]
    assert seqs(0, 99, 2) == [4, 6]
    assert seqs(10, 10, 5) == []


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_limits(limit: int) -> None:
    with pytest.raises(InvalidInput) as error:
        SearchRequest(limit=limit)
    assert error.value.value == str(limit)


def test_moments_need_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        EventFilter(from_=datetime(2026, 11, 1))  # noqa: DTZ001 this is what is refused
    EventFilter(from_=datetime(2026, 11, 1, tzinfo=UTC))
