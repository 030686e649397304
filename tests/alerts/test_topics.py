"""Targets of kind rocketmq where no RocketMQ is needed; with a real one: tests/rocketmq/test_target.py."""

import re
import socket
from typing import Any

import pytest

from alerts.targets import TRAITS
from alerts.targets.topic_codes import ALL_CODES, CODES
from eventcenter.store.models import Audit, Target
from eventcenter.store.sql import select
from tests.alerts.stand import WEBHOOK, Stand

TOPIC: dict[str, Any] = {"addresses": "127.0.0.1:1", "topic": "warehouse"}
SECRET_KEY = "very-secret-key-1"


def body(**given: Any) -> dict[str, Any]:
    return {"name": "Warehouse", "kind": "rocketmq", "rocketmq": {**TOPIC, **given}}


def made(there: Stand, **given: Any) -> str:
    return str(there.as_("admin").post("/v1/targets", body(**given))["id"])


def test_a_topic_is_shown_without_its_secret(there: Stand) -> None:
    account = {"access_key": "shop", "secret_key": SECRET_KEY, "namespace": "n"}
    answer = there.as_("admin").post("/v1/targets", body(**account))
    assert answer["rocketmq"] == {
        **TOPIC,
        "namespace": "n",
        "access_key": "shop",
        "tls": False,
        "tls_ca": "",
        "tls_name": "",
    }
    assert (answer["kind"], answer["has_secret"], answer["token_hint"]) == ("rocketmq", True, "")
    assert there.as_("viewer").get("/v1/targets") == {"targets": [answer]}
    held = there.read(lambda session: session.scalars(select(Target)).one())
    audits = there.read(lambda session: list(session.scalars(select(Audit))))
    assert [row.action for row in audits if row.action.startswith("target")] == ["target.create"]
    assert SECRET_KEY not in repr((answer, held.config, [row.detail for row in audits]))
    assert SECRET_KEY.encode() not in held.secrets


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"rocketmq": None}, "The target has no topic"),
        ({"rocketmq": {**TOPIC, "topic": "no topic"}}, "no name of a topic"),
        ({"rocketmq": {**TOPIC, "addresses": ""}}, "address"),
        ({"rocketmq": {**TOPIC, "access_key": "shop"}}, "belong together"),
        ({"rocketmq": {**TOPIC, "secret_key": SECRET_KEY}}, "belong together"),
        ({"rocketmq": {**TOPIC, "tls": True, "tls_ca": "no PEM"}}, "certificate cannot be read"),
        ({"rocketmq": {**TOPIC, "tls": True, "tls_ca": "証明書"}}, "certificate cannot be read"),
        ({"rocketmq": {**TOPIC, "tls_name": "proxy"}}, "TLS is off"),
        ({"rocketmq": {**TOPIC, "colour": "red"}}, "colour"),
        ({"webhook": WEBHOOK}, "A topic has no webhook"),
        ({"keyword": "k"}, "A topic has no keyword"),
        ({"kind": "dingtalk", "webhook": WEBHOOK}, "A robot has no topic"),
        ({"kind": "dingtalk", "rocketmq": None}, "no webhook"),
    ],
)
def test_what_is_no_topic(there: Stand, wrong: dict[str, Any], words: str) -> None:
    answer = there.as_("admin").ask("POST", "/v1/targets", {**body(), **wrong})
    assert answer.status_code == 400
    assert words in answer.text
    assert SECRET_KEY not in answer.text


def test_it_is_changed_in_parts_and_its_account_taken_away(there: Stand) -> None:
    target = made(there, access_key="shop", secret_key=SECRET_KEY)
    admin = there.as_("admin")
    changed = admin.patch(f"/v1/targets/{target}", {"rocketmq": {"topic": "other"}})
    assert (changed["rocketmq"]["topic"], changed["rocketmq"]["access_key"]) == ("other", "shop")
    assert changed["has_secret"] is True
    changed = admin.patch(f"/v1/targets/{target}", {"rocketmq": {"access_key": ""}})
    assert (changed["rocketmq"]["access_key"], changed["has_secret"]) == ("", False)
    assert admin.patch(f"/v1/targets/{target}", {"enabled": False})["enabled"] is False
    assert admin.ask("PATCH", f"/v1/targets/{target}", {"keyword": "k"}).status_code == 400


def test_its_rules_have_no_template(there: Stand) -> None:
    target = made(there)
    rule = {"name": "Forward", "pattern": {"type": ["order.paid"]}, "target_id": target}
    editor = there.as_("editor")
    refused = editor.ask("POST", "/v1/rules", {**rule, "template": {"title": "x", "text": ""}})
    assert refused.status_code == 400
    assert "gets the event as it is" in refused.text
    answer = editor.post("/v1/rules", rule)
    assert answer["template"] == {"title": "", "text": ""}
    robot = there.target()
    refused = editor.ask("PUT", f"/v1/rules/{answer['id']}", {**rule, "target_id": robot})
    assert "template.title" in refused.text, "a robot wants words"


def test_a_preview_shows_the_event(there: Stand) -> None:
    target = made(there)
    there.events.add(there.tenant, data={"amount": 1})
    asked = {"pattern": {"type": ["order.paid"]}, "target_id": target}
    found = there.as_("editor").post("/v1/rules/preview", asked)
    assert (found["message"]["form"], found["message"]["title"]) == ("event", "warehouse")
    assert '"data":{"amount":1}' in found["message"]["text"]
    assert found["problems"] == []


def test_nobody_there_is_tried_again_with_pauses_and_nothing_is_merged(there: Stand) -> None:
    target = made(there)
    there.rule(target, template={"title": "", "text": ""})
    for _ in range(250):
        there.events.add(there.tenant)
    there.evaluate()
    there.deliver()
    [found] = there.as_("viewer").get("/v1/targets")["targets"]
    assert there.states() == {"pending": 250}
    assert len(there.attempts()) == 100, "one call, and then a pause"
    there.run(60, every=10)
    [found] = there.as_("viewer").get("/v1/targets")["targets"]
    assert found["health"] == "broken"
    assert found["health_text"] == {
        "en": "Nothing listens at 127.0.0.1:1.",
        "zh": "127.0.0.1:1 无服务监听。",
    }
    there.as_("admin").patch(f"/v1/targets/{target}", {"enabled": False})
    before = len(there.attempts())
    there.run(600, every=60)
    assert len(there.attempts()) == before, "a target that is off is not tried"
    editor = there.as_("editor")
    for rule in editor.get("/v1/rules")["rules"]:
        editor.delete(f"/v1/rules/{rule['id']}")
    there.as_("admin").delete(f"/v1/targets/{target}")
    assert there.states() == {"failed": 250}
    [shown] = there.as_("viewer").get("/v1/deliveries?limit=1")["deliveries"]
    detail = there.as_("viewer").get(f"/v1/deliveries/{shown['id']}")
    assert (detail["payload"]["form"], shown["reason"]) == ("event", "target_deleted")


@pytest.mark.long
def test_something_else_at_the_address(there: Stand) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = made(there, addresses=f"127.0.0.1:{silent.getsockname()[1]}", tls=True)
        answer = there.as_("admin").post(f"/v1/targets/{target}/test")
    assert answer["state"] == "failed"
    assert answer["outcome"] in {"retry", "broken"}
    assert answer["text"]["zh"]


def test_every_row_says_what_to_do_in_both_languages() -> None:
    for traits in TRAITS.values():
        assert {"ok", "unknown", "no_answer"} <= traits.codes.keys()
        for row in traits.codes.values():
            assert set(row.meaning) == set(row.remedy) == {"en", "zh"}
            assert row.name == "ok" or all(row.remedy.values()), row.name
    for row in ALL_CODES.values():
        for words in (*row.meaning.values(), *row.remedy.values()):
            assert set(re.findall(r"\{(\w+)\}", words)) <= {"topic", "address"}
    assert len({row.name for row in CODES}) == len(CODES)
