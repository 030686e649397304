"""Inputs over HTTP: made, changed, paused, deleted, and how they are."""

from typing import Any

import pytest

from eventcenter.store.models import Input, RetentionRow
from eventcenter.store.sql import select
from ingest.inputs.ages import LATE_S
from ingest.inputs.status import InputStatus, Problem
from tests.inputs.stand import NEW, SECRET, SIGNED, Stand

PATTERN = {"topics": [{"topic": "order*", "bus": "default", "is_pattern": True}]}


def topic(**changes: Any) -> dict[str, Any]:
    return {"topics": [{"topic": "orders", "bus": "default", **changes}]}


def test_an_input_is_made_listed_changed_paused_and_deleted(there: Stand) -> None:
    admin = there.as_("admin")
    made = admin.post("/v1/inputs", SIGNED)
    assert made["has_secret"] is True
    assert made["start"] == {"position": "group", "at": None}
    assert made["topics"] == [
        {
            "topic": "orders",
            "bus": "default",
            "is_pattern": False,
            "filter": "*",
            "filter_kind": "tag",
            "wrap_type": None,
        }
    ]
    listed = there.as_("viewer").get("/v1/inputs")["inputs"]
    assert [one["id"] for one in listed] == [made["id"]]
    path = f"/v1/inputs/{made['id']}"
    assert admin.patch(path, {"name": "renamed"})["name"] == "renamed"
    paused = admin.patch(path, {"enabled": False})
    assert paused["status"]["state"] == "paused"
    assert admin.patch(path, {"enabled": True})["enabled"] is True
    changed = admin.patch(path, {"topics": [{"topic": "other", "bus": "default", "filter": "a || b"}]})
    assert [one["topic"] for one in changed["topics"]] == ["other"]
    assert changed["has_secret"] is True
    admin.delete(path)
    assert there.as_("viewer").get("/v1/inputs")["inputs"] == []
    assert there.problem("GET", path)["status"] == 404
    assert there.actions() == [
        ("input.create", "input:orders"),
        ("input.change", "input:renamed"),
        ("input.pause", "input:renamed"),
        ("input.resume", "input:renamed"),
        ("input.change", "input:renamed"),
        ("input.delete", "input:renamed"),
    ]


def test_a_secret_is_never_shown(there: Stand) -> None:
    admin = there.as_("admin")
    made = admin.ask("POST", "/v1/inputs", SIGNED)
    path = f"/v1/inputs/{made.json()['id']}"
    answers = [
        made,
        admin.ask("GET", path),
        admin.ask("GET", "/v1/inputs"),
        admin.ask("PATCH", path, {"secret_key": SECRET + "2"}),
        admin.ask("POST", "/v1/inputs", {**SIGNED, "name": ""}),
        admin.ask("POST", "/v1/inputs", {**SIGNED, "secret_key": SECRET * 100}),
        admin.ask("POST", "/v1/inputs", {**SIGNED, "secret_key": [SECRET]}),
        admin.ask("GET", "/v1/audit?limit=500"),
    ]
    for answer in answers:
        assert SECRET not in answer.text
    kept = there.world.store.read(lambda session: list(session.scalars(select(Input))))
    assert SECRET not in repr([(one.config, one.secrets, one.start) for one in kept])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": " "}, "no usable name"),
        ({"name": "a\nb"}, "no usable name"),
        ({"addresses": ""}, "No address"),
        ({"addresses": "http://a:1"}, "no scheme"),
        ({"addresses": "a"}, "port is missing"),
        ({"addresses": ";".join(f"a{n}:1" for n in range(40))}, "too many proxies"),
        ({"name_servers": "b"}, "port is missing"),
        ({"group": "a b"}, "no name of a consumer group"),
        ({"group": ""}, "no name of a consumer group"),
        ({"namespace": "a b"}, "no namespace"),
        ({"topics": []}, "No topic"),
        (topic(topic="a b"), "no name of a topic"),
        ({"topics": [*topic()["topics"], *topic()["topics"]]}, "twice"),
        (topic(bus="nowhere"), "no bus"),
        (topic(filter=" "), "is empty"),
        (topic(filter="a || "), "no list of tags"),
        (topic(filter="a > 3"), "no list of tags"),
        (topic(wrap_type="a\u0007b"), "cannot become events"),
        (topic(wrap_type="t" * 65), "cannot become events"),
        (PATTERN, "cannot be looked up"),
        ({"topics": [{"topic": "a[b]*", "bus": "default", "is_pattern": True}]}, "no pattern"),
        ({"access_key": "a"}, "belong together"),
        ({"secret_key": "a"}, "belong together"),
        ({"access_key": "ä", "secret_key": "a"}, "cannot be sent"),
        ({"tls": True, "tls_ca": "no certificate"}, "cannot be read"),
        ({"tls_ca": "no certificate"}, "cannot be read"),
        ({"tls": True, "tls_name": "a b"}, "no name of a certificate"),
        ({"service": "A b"}, "no name of an ingest service"),
        ({"start": {"position": "first"}}, "cannot be set"),
        ({"start": {"position": "time"}, "name_servers": "a:1"}, "moment belongs"),
        ({"start": {"position": "first", "at": "2026-11-01T00:00:00Z"}, "name_servers": "a:1"}, "moment"),
        ({"start": {"position": "time", "at": "2026-11-01T00:00:00"}, "name_servers": "a:1"}, ""),
        ({"kind": "kafka"}, ""),
        ({"unknown": 1}, ""),
        ({"name": "\ud800"}, ""),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else None,
)
def test_what_cannot_work_is_refused_with_value_rule_and_way_out(
    there: Stand, changes: dict[str, Any], said: str
) -> None:
    if "\ud800" in str(changes.get("name")):
        answer = there.as_("admin").ask(
            "POST", "/v1/inputs", content=b'{"name":"\\ud800"}', headers={"content-type": "application/json"}
        )
        problem = answer.json()
    else:
        problem = there.problem("POST", "/v1/inputs", {**NEW, **changes})
    assert problem["status"] == 400
    assert said in problem["detail"]
    if said:
        assert problem["rule"]
        assert problem["remedy"]
    assert there.as_("viewer").get("/v1/inputs")["inputs"] == []


def test_a_consumer_group_belongs_to_one_input_whoevers(there: Stand) -> None:
    there.make()
    for tenant, changes in (
        ("default", {"name": "second"}),
        ("other", {}),
        ("other", {"addresses": "192.0.2.9:8081;192.0.2.1:8081"}),
    ):
        answer = there.as_("admin", tenant).ask("POST", "/v1/inputs", {**NEW, **changes})
        assert answer.status_code == 409
        assert "consumer group" in answer.json()["detail"]
        # Nothing tells whose it is.
        assert there.world.tenants["default"] not in answer.text
        assert "orders" not in answer.text
    there.make(tenant="other", group="another")
    there.make(tenant="other", name="elsewhere", addresses="192.0.2.2:8081")
    moved = there.make(name="moved", group="moved")
    answer = there.as_("admin").ask("PATCH", f"/v1/inputs/{moved}", {"group": "another"})
    assert answer.status_code == 409


def test_names_are_unique_in_a_tenant(there: Stand) -> None:
    there.make()
    assert there.problem("POST", "/v1/inputs", {**NEW, "group": "second"})["status"] == 409
    there.make(tenant="other", group="third")


def test_a_stored_secret_is_shown_to_no_new_server(there: Stand) -> None:
    input_id = there.make(access_key="account", secret_key=SECRET)
    path = f"/v1/inputs/{input_id}"
    for changes in ({"addresses": "192.0.2.66:8081"}, {"name_servers": "192.0.2.66:9876"}, {"tls": True}):
        assert "to be given again" in there.problem("PATCH", path, changes)["detail"]
        tried = there.problem("POST", "/v1/inputs/test", {"id": input_id, **changes})
        assert "to be given again" in tried["detail"]
    answer = there.as_("admin").patch(path, {"addresses": "192.0.2.66:8081", "secret_key": SECRET})
    assert answer["addresses"] == "192.0.2.66:8081"
    without = there.as_("admin").patch(path, {"access_key": "", "secret_key": None})
    assert without["has_secret"] is False
    there.as_("admin").patch(path, {"addresses": "192.0.2.67:8081"})


def test_a_bus_that_an_input_feeds_stays(there: Stand) -> None:
    admin = there.as_("admin")
    admin.post("/v1/buses", {"name": "k8s"})
    input_id = there.make(topics=[{"topic": "orders", "bus": "k8s"}])
    problem = there.problem("DELETE", "/v1/buses/k8s")
    assert (problem["status"], problem["value"]) == (409, "orders")
    admin.delete(f"/v1/inputs/{input_id}")
    admin.delete("/v1/buses/k8s")


def state(there: Stand, input_id: str) -> dict[str, Any]:
    found: dict[str, Any] = there.as_("viewer").get(f"/v1/inputs/{input_id}")["status"]
    return found


def test_how_it_is_in_words(there: Stand) -> None:
    input_id = there.make()
    assert state(there, input_id)["state"] == "absent"
    there.tell()
    assert state(there, input_id)["state"] == "starting"
    there.tell({input_id: InputStatus(state="receiving")})
    told = state(there, input_id)
    assert (told["state"], told["lag_messages"], told["services"]) == ("receiving", None, ["main"])
    assert told["text"]["en"] == "It is ready. No message has come yet."
    there.tell({input_id: InputStatus(state="waiting")})
    assert state(there, input_id)["state"] == "waiting"
    problem = Problem(detail="Nothing listens.", value="v", rule="r", remedy="m")
    there.tell({input_id: InputStatus(state="broken", problems=(problem,))})
    told = state(there, input_id)
    assert told["state"] == "broken"
    assert told["problems"] == [{"detail": "Nothing listens.", "value": "v", "rule": "r", "remedy": "m"}]
    there.tell({input_id: InputStatus(state="receiving")}, age_s=60)
    assert state(there, input_id)["state"] == "absent"
    there.tell({input_id: InputStatus(state="receiving")})
    there.as_("admin").patch(f"/v1/inputs/{input_id}", {"service": "elsewhere"})
    there.tell({})
    told = state(there, input_id)
    assert told["state"] == "absent"
    assert "elsewhere" in told["text"]["en"]
    assert "elsewhere" in told["text"]["zh"]


def test_lag_falls_to_zero(there: Stand) -> None:
    input_id = there.make(name_servers="192.0.2.1:9876")
    there.receive(input_id, range(10))
    there.tell({input_id: InputStatus(**there.reach(0, 40), received=10)})
    told = state(there, input_id)
    assert (told["state"], told["lag_messages"], told["lag_s"]) == ("behind", 30, 91.0)
    assert (told["received"], told["stored"], told["missing"]) == (10, 10, 0)
    there.world.clock.advance(2)
    there.receive(input_id, range(10, 40))
    there.tell({input_id: InputStatus(**there.reach(0, 40), received=40)})
    told = state(there, input_id)
    assert (told["state"], told["lag_messages"], told["lag_s"]) == ("receiving", 0, 0.0)
    assert told["text"]["en"] == "It receives, and is up to date."
    assert told["rate_s"] == 15.0


def test_gaps_have_bounds_and_a_kind_and_forbid_the_claim(there: Stand) -> None:
    input_id = there.make(name_servers="192.0.2.1:9876")
    there.receive(input_id, [0, 1, 5, 6])
    there.tell({input_id: InputStatus(**there.reach(3, 7))})
    found = there.as_("viewer").get(f"/v1/inputs/{input_id}")
    assert [(gap["first"], gap["last"], gap["kind"]) for gap in found["gaps"]] == [
        (3, 4, "late"),
        (2, 2, "deleted"),
    ]
    assert found["status"]["missing"] == 1
    there.seconds += LATE_S
    found = there.as_("viewer").get(f"/v1/inputs/{input_id}")
    assert [(gap["first"], gap["last"], gap["kind"]) for gap in found["gaps"]] == [
        (3, 4, "missing"),
        (2, 2, "deleted"),
    ]
    assert (found["status"]["state"], found["status"]["missing"]) == ("gaps", 3)
    assert found["gaps"][0]["text"]["en"] == "not received"
    [topic_state] = found["topic_states"]
    assert (topic_state["missing"], topic_state["complete"]["why"]) == (3, "gaps")
    assert found["queues"][0]["newest"] == 7
    there.receive(input_id, [3, 4])
    [topic_state] = there.as_("viewer").get(f"/v1/inputs/{input_id}")["topic_states"]
    complete = topic_state["complete"]
    assert complete["why"] is None
    assert complete["text"]["en"] == "Every message of this time was received."
    assert (complete["since"], complete["until"]) == ("2026-10-31T23:58:23Z", "2026-10-31T23:58:26Z")
    policy = RetentionRow(
        tenant_id=there.world.tenants["default"],
        bus="",
        max_age_days=1,
        updated_at=there.world.clock.now(),
        updated_by="t",
    )
    there.world.store.write(lambda session: session.add(policy))
    there.world.clock.advance(2 * 86_400)
    [topic_state] = there.as_("viewer").get(f"/v1/inputs/{input_id}")["topic_states"]
    assert topic_state["complete"]["why"] == "retention"


def test_completeness_is_not_claimed_where_it_cannot_be_known(there: Stand) -> None:
    plain = there.make()
    there.receive(plain, [0, 1, 3])
    found = there.as_("viewer").get(f"/v1/inputs/{plain}")
    assert found["topic_states"][0]["complete"]["why"] == "unreached"
    assert [(gap["first"], gap["kind"]) for gap in found["gaps"]] == [(2, "late")]
    there.as_("admin").patch(f"/v1/inputs/{plain}", topic(filter="a"))
    there.tell({plain: InputStatus(**there.reach(0, 9))})
    found = there.as_("viewer").get(f"/v1/inputs/{plain}")
    assert found["topic_states"][0]["complete"]["why"] == "filtered"
    assert [gap["kind"] for gap in found["gaps"]] == ["filtered"]
    # What waits behind a filter is not known, nor whether anything is missing.
    assert (found["status"]["lag_messages"], found["status"]["missing"]) == (None, 0)


def test_a_pattern_is_told_by_the_topics_that_it_found(there: Stand) -> None:
    input_id = there.make(name_servers="192.0.2.1:9876", topics=PATTERN["topics"])
    status = InputStatus(**there.reach(0, 0, "orders"), topics=(("orders", "default"), ("order2", "default")))
    there.tell({input_id: status})
    found = there.as_("viewer").get(f"/v1/inputs/{input_id}")
    assert [(one["topic"], one["bus"]) for one in found["topic_states"]] == [
        ("order2", "default"),
        ("orders", "default"),
    ]


def test_two_services_are_one_input(there: Stand) -> None:
    input_id = there.make()
    there.tell({input_id: InputStatus(state="receiving", last_received_at=5)})
    there.tell({input_id: InputStatus(state="receiving", last_received_at=9)}, service="second")
    told = state(there, input_id)
    assert (told["services"], told["state"]) == (["main", "second"], "receiving")
    assert told["last_received_at"] == "1970-01-01T00:00:00.009000Z"
    there.tell({input_id: InputStatus(state="broken")}, service="second")
    assert state(there, input_id)["text"]["en"] == "A part of it cannot be received."


def test_deleting_an_input_keeps_its_events_and_its_ledger(there: Stand) -> None:
    input_id = there.make()
    there.receive(input_id, [0, 1])
    there.as_("admin").delete(f"/v1/inputs/{input_id}")
    archive = there.archives.tenant(there.world.tenants["default"])
    assert archive.query("SELECT count(*) AS n FROM events") == [{"n": 2}]
    assert archive.query("SELECT input, last_offset FROM ledger") == [{"input": input_id, "last_offset": 1}]
