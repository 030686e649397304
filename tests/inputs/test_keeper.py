"""Fetches come to an end, change hands, and are made for what is missing."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventcenter.store.models import Fetch
from eventcenter.store.sql import select
from ingest.inputs.config import Range
from ingest.inputs.keeper import GAP_AGE_S, without
from ingest.inputs.status import FetchStatus, InputStatus, Problem
from tests.inputs.stand import Stand

SERVERS = {"name_servers": "192.0.2.1:9876"}


def fetches(there: Stand, input_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = there.as_("viewer").get(f"/v1/inputs/{input_id}/fetches")["fetches"]
    return found


def ranges(there: Stand) -> list[tuple[int, int]]:
    rows = there.world.store.read(
        lambda session: list(session.scalars(select(Fetch).order_by(Fetch.created_at)))
    )
    return [(one["first"], one["last"]) for row in rows for one in row.ranges]


@pytest.fixture
def gap(there: Stand) -> str:
    """An input to which offsets 2 to 4 are missing for long enough, and a service that runs it."""
    input_id = there.make(**SERVERS)
    there.receive(input_id, [0, 1, 5])
    there.tell({input_id: InputStatus(**there.reach(0, 6))})
    assert there.keeper.close_gaps() == 0
    wait(there, input_id, GAP_AGE_S)
    return input_id


def wait(there: Stand, input_id: str, seconds: float, **status: Any) -> None:
    there.seconds += seconds
    there.world.clock.advance(seconds)
    there.tell({input_id: InputStatus(**there.reach(0, 6))}, **status)


def test_what_is_missing_for_long_is_fetched_once_an_hour(there: Stand, gap: str) -> None:
    assert there.keeper.close_gaps() == 1
    assert ranges(there) == [(2, 4)]
    [fetch] = fetches(there, gap)
    assert (fetch["reason"], fetch["state"], fetch["service"], fetch["total"]) == (
        "gap",
        "waiting",
        "main",
        3,
    )
    assert there.as_("viewer").get(f"/v1/inputs/{gap}")["gaps"][0]["fetching"] is True
    assert there.keeper.close_gaps() == 0
    wait(there, gap, 30, fetches={fetch["id"]: FetchStatus(done=3, total=3, found=0, finished=True)})
    there.keeper.settle()
    assert there.keeper.close_gaps() == 0
    wait(there, gap, 3600)
    assert there.keeper.close_gaps() == 1


def test_young_gaps_wait_and_closed_ones_are_not_fetched(there: Stand) -> None:
    input_id = there.make(**SERVERS)
    there.receive(input_id, [0, 1, 5])
    there.tell({input_id: InputStatus(**there.reach(0, 6))})
    there.keeper.close_gaps()
    wait(there, input_id, GAP_AGE_S - 1)
    assert there.keeper.close_gaps() == 0
    there.receive(input_id, [2, 3])
    wait(there, input_id, 2)
    assert there.keeper.close_gaps() == 1
    assert ranges(there) == [(4, 4)]


@pytest.mark.parametrize(
    "changes",
    [
        {"name_servers": ""},
        {"enabled": False},
        {"topics": [{"topic": "orders", "bus": "default", "filter": "a"}]},
        {"topics": [{"topic": "others", "bus": "default"}]},
    ],
    ids=["no name server", "paused", "filtered", "no longer read"],
)
def test_what_nobody_misses_is_not_fetched(there: Stand, gap: str, changes: dict[str, Any]) -> None:
    there.as_("admin").patch(f"/v1/inputs/{gap}", changes)
    assert there.keeper.close_gaps() == 0


def test_what_the_broker_deleted_is_not_fetched(there: Stand, gap: str) -> None:
    there.tell({gap: InputStatus(**there.reach(4, 6))})
    assert there.keeper.close_gaps() == 1
    assert ranges(there) == [(4, 4)]


def test_a_fetch_that_ended_is_done_or_failed(there: Stand, gap: str) -> None:
    there.keeper.close_gaps()
    [fetch] = fetches(there, gap)
    wait(there, gap, 1, fetches={fetch["id"]: FetchStatus(done=1, total=3, found=1)})
    there.keeper.settle()
    [fetch] = fetches(there, gap)
    assert (fetch["state"], fetch["done"], fetch["found"]) == ("running", 1, 1)
    problem = Problem(detail="No broker answers.")
    told = FetchStatus(done=2, total=3, found=1, finished=True, problem=problem)
    wait(there, gap, 1, fetches={fetch["id"]: told})
    there.keeper.settle()
    [fetch] = fetches(there, gap)
    assert (fetch["state"], fetch["done"], fetch["found"]) == ("failed", 2, 1)
    assert fetch["problem"]["detail"] == "No broker answers."
    assert fetch["finished_at"] is not None
    wait(there, gap, 3600)
    there.keeper.close_gaps()
    newest = fetches(there, gap)[0]
    done = FetchStatus(done=3, total=3, found=3, finished=True)
    wait(there, gap, 1, fetches={newest["id"]: done})
    there.keeper.settle()
    newest = fetches(there, gap)[0]
    assert (newest["state"], newest["done"], newest["found"]) == ("done", 3, 3)


def test_a_fetch_of_a_service_that_died_goes_to_another(there: Stand, gap: str) -> None:
    there.keeper.close_gaps()
    there.keeper.settle()
    assert fetches(there, gap)[0]["service"] == "main"
    there.world.clock.advance(31)
    there.keeper.settle()
    assert fetches(there, gap)[0]["service"] == "main"
    there.tell({gap: InputStatus(state="receiving")}, service="second")
    there.keeper.settle()
    assert fetches(there, gap)[0]["service"] == "second"


def test_a_fetch_goes_with_its_input(there: Stand, gap: str) -> None:
    there.keeper.close_gaps()
    there.as_("admin").delete(f"/v1/inputs/{gap}")
    assert ranges(there) == []
    there.keeper.settle()


def test_only_so_many_wait(there: Stand, gap: str) -> None:
    def add(session: Any) -> None:
        for _ in range(10):
            session.add(
                Fetch(
                    tenant_id=there.world.tenants["default"],
                    input_id=gap,
                    reason="backfill",
                    service="main",
                    ranges=[],
                    created_at=there.world.clock.now() - timedelta(days=1),
                    created_by="t",
                )
            )

    there.world.store.write(add)
    body = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-01T01:00:00Z"}
    assert there.problem("POST", f"/v1/inputs/{gap}/fetches", body)["status"] == 409
    wrong = {"from": body["to"], "to": body["from"]}
    assert there.problem("POST", f"/v1/inputs/{gap}/fetches", wrong)["status"] == 400


spans = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted)


@given(spans, st.lists(st.tuples(spans, st.sampled_from([0, 0, 1])), max_size=6))
def test_ranges_without_others(wanted: list[int], tried: list[tuple[list[int], int]]) -> None:
    def made(first: int, last: int, queue_id: int = 0) -> Range:
        return Range(topic="t", broker="b", queue_id=queue_id, first=first, last=last)

    others = [msgspec.to_builtins(made(span[0], span[1], queue_id)) for span, queue_id in tried]
    left = without(made(*wanted), others)
    told = [offset for one in left for offset in range(one.first, one.last + 1)]
    gone = {offset for (first, last), queue_id in tried if not queue_id for offset in range(first, last + 1)}
    assert sorted(told) == sorted(set(range(wanted[0], wanted[1] + 1)) - gone)
