"""Inputs with a real RocketMQ: connections are tried, positions set, and times fetched again."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.inputs.stand import Stand
from tests.rocketmq.sending import Sender, message
from tests.support.rocketmq import Broker

pytestmark = [pytest.mark.rocketmq, pytest.mark.long]
BODY = b'{"specversion":"1.0","id":"%d","source":"/s","type":"com.example.t","data":{"n":1}}'


def made(broker: Broker, name: str, *, queues: int = 1, count: int = 0) -> dict[str, Any]:
    """A topic with messages, a group, and an input's settings for them."""
    broker.create_topic(name, queues=queues)
    broker.create_group(name)
    if count:
        with Sender(broker.endpoint) as sender:
            assert sender.send(
                [message(name, BODY % n, tag="even" if n % 2 == 0 else "odd") for n in range(count)]
            )
    return {
        "name": name,
        "addresses": broker.endpoint,
        "name_servers": broker.nameserver,
        "group": name,
        "topics": [{"topic": name, "bus": "default"}],
    }


def tried(there: Stand, body: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    found: dict[str, Any] = there.as_("admin").post("/v1/inputs/test", body)
    assert time.monotonic() - began < 15
    return found


def findings(found: dict[str, Any]) -> dict[str, bool]:
    return {one["what"]: one["ok"] for one in found["findings"]}


def test_all_is_well_and_the_newest_messages_are_shown_and_not_taken(there: Stand, rocketmq: Broker) -> None:
    body = made(rocketmq, "tried", queues=2, count=12)
    with Sender(rocketmq.endpoint) as sender:
        assert sender.send([message("tried", b"plain \xff")])
    for _ in range(2):
        found = tried(there, body)
        assert found["ok"], found
        assert findings(found) == {"server": True, "topic": True, "group": True, "name_server": True}
        assert len(found["samples"]) == 10
        newest, *others = found["samples"]
        assert (newest["layout"], newest["events"], newest["rejected"]) == ("plain", 0, 1)
        assert "no event in the message" in newest["error"]
        assert {(one["layout"], one["type"], one["source"], one["error"]) for one in others} == {
            ("unmarked", "com.example.t", "/s", None)
        }
    wrapped = tried(there, {**body, "topics": [{"topic": "tried", "bus": "default", "wrap_type": "t.plain"}]})
    assert (wrapped["samples"][0]["type"], wrapped["samples"][0]["error"]) == ("t.plain", None)
    tagged = tried(there, {**body, "topics": [{"topic": "tried", "bus": "default", "filter": "even"}]})
    assert {one["tag"] for one in tagged["samples"]} == {"even"}
    pattern = tried(there, {**body, "topics": [{"topic": "trie?", "bus": "default", "is_pattern": True}]})
    assert pattern["ok"]
    assert len(pattern["samples"]) == 10


def test_without_a_name_server_no_message_is_shown_and_it_says_why(there: Stand, rocketmq: Broker) -> None:
    body = {**made(rocketmq, "unseen", count=1), "name_servers": ""}
    found = tried(there, body)
    assert found["ok"]
    assert found["samples"] == []
    assert "taking" in found["samples_note"]["en"] or "take them" in found["samples_note"]["en"]


def test_what_is_missing_is_told_with_the_command_that_makes_it(there: Stand, rocketmq: Broker) -> None:
    body = made(rocketmq, "present")
    found = tried(
        there,
        {
            **body,
            "group": "absent",
            "topics": [{"topic": "present", "bus": "default"}, {"topic": "gone", "bus": "default"}],
        },
    )
    assert not found["ok"]
    told = {(one["what"], one["name"]): one for one in found["findings"]}
    assert told["topic", "present"]["ok"]
    at = f"mqadmin updateTopic -n {rocketmq.nameserver} -c DefaultCluster -t gone "
    assert told["topic", "gone"]["command"].startswith(at)
    assert at in told["topic", "gone"]["problem"]["remedy"]
    command = f"mqadmin updateSubGroup -n {rocketmq.nameserver} -c DefaultCluster -g absent"
    assert told["group", "absent"]["command"] == command
    found = tried(there, {**body, "group": "absent", "topics": [{"topic": "gone", "bus": "default"}]})
    assert {one["what"] for one in found["findings"] if one["command"]} == {"topic", "group"}
    nothing = {"topic": "nothing*", "bus": "default", "is_pattern": True}
    found = tried(there, {**body, "topics": [nothing]})
    assert not found["ok"]
    assert "pattern" in found["findings"][-1]["problem"]["detail"]


def test_wrong_ports_are_named(there: Stand, rocketmq: Broker) -> None:
    body = made(rocketmq, "ports")
    found = tried(there, {**body, "addresses": rocketmq.nameserver})
    assert findings(found)["server"] is False
    assert "not a proxy" in found["findings"][0]["problem"]["detail"]
    found = tried(there, {**body, "name_servers": rocketmq.endpoint})
    assert findings(found)["name_server"] is False
    assert findings(found)["group"] is True


def test_a_saved_input_is_tried_without_its_secret(there: Stand, rocketmq: Broker) -> None:
    input_id = there.make(**made(rocketmq, "saved", count=1), access_key="a", secret_key="top-secret")
    found = there.as_("admin").ask("POST", "/v1/inputs/test", {"id": input_id})
    assert found.json()["ok"], found.text
    assert "top-secret" not in found.text
    changed = tried(there, {"id": input_id, "topics": [{"topic": "elsewhere", "bus": "default"}]})
    assert findings(changed)["topic"] is False


@pytest.mark.parametrize("position", ["first", "last", "time"])
def test_the_starting_position_is_set_when_an_input_is_made(
    there: Stand, rocketmq: Broker, position: str
) -> None:
    name = f"start-{position}"
    body = made(rocketmq, name, count=5)
    start: dict[str, Any] = {"position": position}
    expected = {"first": 0, "last": 5, "time": 5}[position]
    if position == "time":
        time.sleep(1.1)
        start["at"] = datetime.now(UTC).isoformat()  # noqa: TID251 the broker's clock is the machine's
        with Sender(rocketmq.endpoint) as sender:
            assert sender.send([message(name, BODY % 9)])
    input_id = there.make(**body, start=start)
    [row] = there.inputs.book.all(_viewer(there))
    assert row.id == input_id
    assert row.start["offsets"] == [[name, "broker-a", 0, expected]]
    answer = there.as_("viewer").get(f"/v1/inputs/{input_id}")
    assert answer["start"]["position"] == position


def _viewer(there: Stand) -> Any:
    from eventcenter.access import Principal

    return Principal.local(there.world.tenants["default"])


def test_no_input_is_made_where_the_position_cannot_be_set(there: Stand, rocketmq: Broker) -> None:
    body = made(rocketmq, "unset")
    missing = {**body, "topics": [*body["topics"], {"topic": "not-there", "bus": "default"}]}
    problem = there.problem("POST", "/v1/inputs", {**missing, "start": {"position": "first"}})
    assert (problem["status"], problem["value"]) == (404, "not-there")
    closed = {**body, "name_servers": "127.0.0.1:9", "start": {"position": "last"}}
    assert there.problem("POST", "/v1/inputs", closed)["status"] == 503
    assert there.as_("viewer").get("/v1/inputs")["inputs"] == []


def test_a_time_is_fetched_again(there: Stand, rocketmq: Broker) -> None:
    input_id = there.make(**made(rocketmq, "backfill", count=5))
    path = f"/v1/inputs/{input_id}/fetches"
    body = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
    there.world.clock.advance(100 * 365 * 86_400)
    made_fetch = there.as_("admin").post(path, body)
    assert (made_fetch["total"], made_fetch["state"], made_fetch["reason"]) == (5, "waiting", "backfill")
    assert made_fetch["from"] == "2020-01-01T00:00:00Z"
    assert there.as_("viewer").get(path)["fetches"] == [made_fetch]
    before = {"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}
    assert there.problem("POST", path, before)["status"] == 404
    assert there.actions()[-1] == ("input.fetch", "input:backfill")
