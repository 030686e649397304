"""The routes: exact bytes, refusals with a way out, roles, and nothing across tenants."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from eventcenter.journal import ReceivedMessage
from queries.api import router
from tests.queries.filling import Filling
from tests.support.api import Api, World, world

HOSTILE = '{"n":[1e2,1.0,18446744073709551617,0.10000000000000000001],"s":"\\u0000\\ud83d\\ude00<b>"}'
ROUTES = [
    "/v1/events",
    "/v1/events/histogram",
    "/v1/events/top",
    "/v1/events/1",
    "/v1/events/1/origins",
    "/v1/rejects",
    "/v1/rejects/1",
]


@dataclass(frozen=True)
class Place:
    """An API over archives in which tenant `default` has three events and a reject, `other` nothing."""

    world: World
    filling: Filling

    @property
    def viewer(self) -> Api:
        return self.world.as_("viewer")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("api")
    filling = Filling(folder / "archives")
    with world(folder, routers=[router(filling.queries)]) as made:
        mine = made.tenants["default"]
        filling.add([filling.event(HOSTILE, id="first", type="a")], tenant=mine)
        filling.clock.advance(60)
        filling.add([filling.event("{}", type="b", subject="s")], tenant=mine)
        filling.add([filling.event(type="b", time="2026-11-01T00:00:00Z")], tenant=mine, bus="two")
        filling.reject(b'{"\xff\x00"', tenant=mine)
        filling.clock.advance(60)
        yield Place(made, filling)
        filling.archives.close()


def seqs(answer: dict[str, Any]) -> list[int]:
    return [each["seq"] for each in answer["events"]]


def test_events_come_back_exact(place: Place) -> None:
    answer = place.viewer.ask("GET", "/v1/events")
    assert answer.headers["content-type"] == "application/json"
    assert b'"data":' + HOSTILE.encode() in answer.content
    body = answer.json()
    assert seqs(body) == [3, 2, 1]
    assert body["next"] is None
    first = body["events"][-1]
    assert (first["bus"], first["received_at"]) == ("default", "2026-11-01T00:00:00Z")
    assert set(first["event"]) == {"specversion", "id", "source", "type", "data"}
    one = place.viewer.ask("GET", "/v1/events/1")
    assert one.content in answer.content


def test_filters_and_pages(place: Place) -> None:
    get = place.viewer.get
    assert seqs(get("/v1/events?type=b&type=nobody")) == [3, 2]
    assert seqs(get("/v1/events?bus=two")) == [3]
    assert seqs(get("/v1/events?subject=s&source=/test")) == [2]
    assert seqs(get("/v1/events?id=first")) == [1]
    pattern = quote('{"data":{"n":[{"numeric":[">",18446744073709551616]}]}}')
    assert seqs(get(f"/v1/events?pattern={pattern}")) == [1]
    page = get("/v1/events?limit=2&order=oldest")
    assert seqs(page) == [1, 2]
    assert seqs(get(f"/v1/events?limit=2&order=oldest&cursor={page['next']}")) == [3]
    assert seqs(get("/v1/events?from=2026-11-01T00:01:00Z&to=2026-11-01T00:02:00Z")) == [3, 2]
    assert seqs(get("/v1/events?from=2026-11-01T08:01:00%2B08:00")) == [3, 2]
    assert seqs(get("/v1/events?from=2026-11-01T08:01:00+08:00")) == [3, 2]
    assert seqs(get("/v1/events?time_field=time&from=2026-10-01T00:00:00Z")) == [2, 3, 1]


def test_histogram_and_top(place: Place) -> None:
    found = place.viewer.get(
        "/v1/events/histogram?from=2026-11-01T00:00:00Z&to=2026-11-01T00:02:00Z&step=60&top=1"
    )
    assert found == {
        "step": 60,
        "from": "2026-11-01T00:00:00Z",
        "to": "2026-11-01T00:02:00Z",
        "series": [
            {"name": "b", "points": [["2026-11-01T00:00:00Z", 0], ["2026-11-01T00:01:00Z", 2]]},
            {"name": None, "points": [["2026-11-01T00:00:00Z", 1], ["2026-11-01T00:01:00Z", 0]]},
        ],
        "total": 3,
    }
    top = place.viewer.get("/v1/events/top?by=type")
    assert top == {"items": [{"value": "b", "count": 2}, {"value": "a", "count": 1}]}


def test_origins(tmp_path: Path) -> None:
    message = ReceivedMessage(
        events=1,
        rejected=0,
        topic="orders",
        broker="broker-a",
        queue_id=2,
        queue_offset=4711,
        message_id="m1",
        keys=("k1", "k2"),
        tag="t",
        born_at=1_793_491_200_000,
        stored_at=1_793_491_200_001,
        delivery_attempt=1,
    )
    filling = Filling(tmp_path / "archives")
    with world(tmp_path, routers=[router(filling.queries)]) as made:
        mine = made.tenants["default"]
        filling.add([filling.event(id="posted")], tenant=mine)
        filling.receive(filling.event(id="received"), message, tenant=mine)
        viewer = made.as_("viewer")
        [origin] = viewer.get("/v1/events/2/origins")["origins"]
        assert origin == {
            "outcome": "stored",
            "received_at": "2026-11-01T00:00:00Z",
            "input": "in1",
            "topic": "orders",
            "broker": "broker-a",
            "queue_id": 2,
            "queue_offset": 4711,
            "message_id": "m1",
            "keys": "k1 k2",
            "tag": "t",
            "born_at": "2026-11-01T00:00:00Z",
            "stored_at": "2026-11-01T00:00:00.001000Z",
            "delivery_attempt": 1,
        }
        assert viewer.get("/v1/events/1/origins") == {"origins": []}
        assert viewer.get(f"/v1/events/{2**70}/origins") == {"origins": []}
        filling.archives.close()


def test_rejects(place: Place) -> None:
    [listed] = place.viewer.get("/v1/rejects")["rejects"]
    assert listed["text"] == '{"\\xff\\x00"'
    assert "base64" not in listed
    whole = place.viewer.get(f"/v1/rejects/{listed['id']}")
    assert base64.b64decode(whole["base64"]) == b'{"\xff\x00"'
    assert place.viewer.get("/v1/rejects?bus=two") == {"rejects": [], "next": None}


@pytest.mark.parametrize(
    ("query", "value", "rule"),
    [
        ("limit=0", "0", "greater"),
        ("limit=501", "501", "less"),
        ("limit=x", "x", "integer"),
        ("from=yesterday", "yesterday", "RFC 3339"),
        ("from=2026-11-01", "2026-11-01", "RFC 3339"),
        ("to=2026-11-01T00:00:00", "2026-11-01T00:00:00", "RFC 3339"),
        ("to=1762000000", "1762000000", "RFC 3339"),
        ("from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z", "from=", "before"),
        ("cursor=abc", "abc", "cursor"),
        ("cursor=", None, "cursor"),
        ("pattern=x", "x", "JSON"),
        ("pattern=", "(nothing)", "JSON"),
        ("pattern=%7B%22Foo%22:%5B1%5D%7D", '"Foo"', "top-level keys"),
        ("order=sideways", "sideways", "newest"),
        ("time_field=seq", "seq", "received_at"),
        ("tpye=a", "a", "Extra"),
        ("type=" + "&type=".join("a" * 101), None, "100"),
    ],
)
def test_bad_questions_are_told_why(place: Place, query: str, value: str | None, rule: str) -> None:
    answer = place.viewer.ask("GET", f"/v1/events?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert rule.lower() in body["rule"].lower()
    assert body["remedy"]
    assert value is None or value in body["value"]


def test_all_problems_of_a_pattern_are_listed(place: Place) -> None:
    pattern = json.dumps({"Foo": ["x"], "type": "a", "data": {"k": []}})
    body = place.viewer.ask("GET", f"/v1/events/top?pattern={quote(pattern)}").json()
    assert [each["where"] for each in body["problems"]] == ["Foo", "type", "data.k"]


@pytest.mark.parametrize("query", ["step=0", "step=nan", "by=subject", "by=id", "top=0", "top=51", "limit=5"])
def test_bad_histograms(place: Place, query: str) -> None:
    assert place.viewer.ask("GET", f"/v1/events/histogram?{query}").status_code == 400


@pytest.mark.parametrize("path", ["/v1/events/99", f"/v1/events/{2**70}", "/v1/rejects/99", "/v1/events/0"])
def test_what_is_not_there(place: Place, path: str) -> None:
    assert place.viewer.ask("GET", path).status_code == 404


@pytest.mark.parametrize("path", ROUTES)
def test_roles(place: Place, path: str) -> None:
    assert place.world.api.as_(None).ask("GET", path).status_code == 401
    assert place.world.as_("writer").ask("GET", path).status_code == 403
    assert place.world.as_("operator").ask("GET", path).status_code == 403
    for role in ("viewer", "editor", "admin"):
        assert place.world.as_(role).ask("GET", path).status_code == 200


def test_another_tenant_gets_nothing(place: Place) -> None:
    theirs = place.world.as_("admin", tenant="other")
    assert theirs.get("/v1/events") == {"events": [], "next": None}
    assert theirs.get("/v1/events/top") == {"items": []}
    assert theirs.get("/v1/events/histogram")["total"] == 0
    assert theirs.get("/v1/rejects") == {"rejects": [], "next": None}
    assert theirs.ask("GET", "/v1/events/1").status_code == 404
    assert theirs.ask("GET", "/v1/rejects/1").status_code == 404
    cursor = place.viewer.get("/v1/events?limit=1")["next"]
    assert theirs.ask("GET", f"/v1/events?limit=1&cursor={cursor}").status_code == 400


def test_the_description_says_how_to_ask(place: Place) -> None:
    document = place.viewer.get("/openapi.json")
    search = document["paths"]["/v1/events"]["get"]
    assert {each["name"] for each in search["parameters"]} == {
        "bus", "type", "source", "subject", "id", "trace", "pattern", "from", "to", "time_field", "order",
        "limit", "cursor",
    }  # fmt: skip
    assert all(each.get("description") for each in search["parameters"])
    answer = search["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/EventPageShape"}
