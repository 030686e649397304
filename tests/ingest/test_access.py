"""Who may post where; another tenant's things do not exist."""

import pytest

from tests.support.ingest import Ingest, event_json

PATH = "/v1/buses/{bus}/events"


@pytest.mark.parametrize(
    ("role", "status"), [("writer", 200), ("editor", 200), ("admin", 200), ("viewer", 403)]
)
def test_roles(ingest: Ingest, role: str, status: int) -> None:
    answer = ingest.post(event_json(id=f"as {role}"), token=ingest.tokens["default", role])
    assert answer.status_code == status
    assert (f"as {role}" in {event.id for event in ingest.events()}) == (status == 200)


def test_operator_posts_nothing(ingest: Ingest) -> None:
    answer = ingest.post(event_json(), token=ingest.tokens["", "operator"])
    assert answer.status_code == 403
    assert answer.json()["remedy"]


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Basic eDp5", "Bearer ect_unknown", "ect_x"])
def test_without_a_good_token(ingest: Ingest, authorization: str | None) -> None:
    headers = {"Content-Type": "application/cloudevents+json"}
    if authorization is not None:
        headers["Authorization"] = authorization
    before = len(ingest.rejects())
    answer = ingest.client.post(f"{ingest.url}/v1/buses/default/events", content=b"{", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["remedy"]
    assert len(ingest.rejects()) == before


@pytest.mark.parametrize("bus", ["secret", "nowhere", "a/b", "%2e%2e", "", "名"])
def test_buses_of_others_and_of_nobody_answer_alike(ingest: Ingest, bus: str) -> None:
    before = len(ingest.rejects())
    answer = ingest.post(b"{", bus=bus)
    assert answer.status_code == 404
    assert answer.json()["rule"] == "events go to a bus of the token's tenant"
    assert len(ingest.rejects()) == before


def test_same_bus_name_is_another_bus_in_another_tenant(ingest: Ingest) -> None:
    ingest.post(event_json(id="theirs"), token=ingest.tokens["other", "writer"])
    ingest.post(event_json(id="ours"))
    tenants = {
        line.split(b"\t")[0].decode(): read.block.tenant
        for read in ingest.blocks()
        for line in read.block.payload.splitlines()
    }
    assert tenants["theirs"] == ingest.tenants["other"]
    assert tenants["ours"] == ingest.tenants["default"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("HEAD", "/healthz", 200),
        ("GET", "/metrics", 200),
        ("POST", "/healthz", 405),
        ("GET", "/v1/buses/default/events", 405),
        ("PUT", "/v1/buses/default/events", 405),
        ("GET", "/", 404),
        ("POST", "/v1/events", 404),
        ("POST", "/v1/buses/default", 404),
    ],
)
def test_other_addresses(ingest: Ingest, method: str, path: str, status: int) -> None:
    answer = ingest.client.request(method, ingest.url + path)
    assert answer.status_code == status
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["remedy"]
    if status == 405:
        assert answer.headers["allow"] in {"POST", "GET, HEAD"}


def test_metrics(ingest: Ingest) -> None:
    ingest.post(event_json(id="counted"))
    ingest.post(b"{")
    text = ingest.client.get(f"{ingest.url}/metrics").text
    numbers = {line.split(" ")[0]: float(line.split(" ")[1]) for line in text.splitlines() if line[0] != "#"}
    assert numbers["eventcenter_ingest_events_total"] >= 1
    assert numbers["eventcenter_ingest_rejects_total"] >= 1
    assert numbers['eventcenter_ingest_answers_total{status="400"}'] >= 1
    assert numbers["eventcenter_journal_bytes"] > 0
    assert numbers["eventcenter_ingest_group_requests_count"] >= 2


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Forwarded-For": "192.0.2.1"}, 401),
        ({"Authorization": "Bearer {operator}"}, 200),
        ({"Authorization": "Bearer {admin}"}, 403),
        ({"Authorization": "Bearer x"}, 401),
    ],
)
def test_metrics_are_for_operators_and_loopback(ingest: Ingest, headers: dict[str, str], status: int) -> None:
    tokens = {"operator": ingest.tokens["", "operator"], "admin": ingest.tokens["default", "admin"]}
    sent = {name: value.format_map(tokens) for name, value in headers.items()}
    assert ingest.client.get(f"{ingest.url}/metrics", headers=sent).status_code == status
