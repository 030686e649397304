"""The routes of targets, rules and deliveries: what they take, answer and refuse."""

from typing import Any

import pytest
from pydantic import SecretStr

from alerts import shapes
from eventcenter.access import Principal
from eventcenter.event import Event, StoredEvent
from eventcenter.store.models import Audit
from eventcenter.store.sql import select
from tests.alerts.stand import OTHER_TOKEN, OTHER_WEBHOOK, SECRET, TOKEN, WEBHOOK, Stand


def audits(there: Stand) -> list[tuple[str, str, str]]:
    asked = select(Audit).order_by(Audit.id)
    rows = there.read(lambda session: list(session.scalars(asked)))
    return [
        (row.actor, row.action, row.object) for row in rows if row.action.split(".")[0] in {"target", "rule"}
    ]


# -- targets -------------------------------------------------------------------------------------------


def test_a_target_is_shown_without_its_secrets(there: Stand) -> None:
    made = there.as_("admin").post(
        "/v1/targets", {"name": " On call ", "webhook": WEBHOOK, "secret": SECRET, "keyword": "告警"}
    )
    assert made["name"] == "On call"
    assert made["token_hint"] == f"…{TOKEN[-4:]}"
    assert made["has_secret"] is True
    assert made["keyword"] == "告警"
    assert (made["health"], made["base_url"], made["kind"]) == ("unknown", None, "dingtalk")
    assert there.as_("viewer").get("/v1/targets") == {"targets": [made]}
    assert audits(there) == [("token:admin", "target.create", "target:On call")]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"webhook": "https://evil.example/robot/send?access_token=" + TOKEN},
            "no webhook of a DingTalk robot",
        ),
        ({"secret": "hunter2"}, "no secret of a DingTalk robot"),
        ({"name": "  "}, "no usable name"),
        ({"name": "a\nb"}, "no usable name"),
        ({"keyword": "a\u202eb"}, "no usable keyword"),
        ({"kind": "email"}, "dingtalk"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_no_target(there: Stand, body: dict[str, Any], words: str) -> None:
    answer = there.as_("admin").ask("POST", "/v1/targets", {"name": "X", "webhook": WEBHOOK, **body})
    assert answer.status_code == 400
    assert words in answer.text
    assert TOKEN not in answer.text
    assert "hunter2" not in answer.text


def test_only_an_operator_sets_another_base_address(there: Stand) -> None:
    body = {"name": "X", "webhook": WEBHOOK, "base_url": "http://127.0.0.1:9"}
    answer = there.as_("admin").ask("POST", "/v1/targets", body)
    assert answer.status_code == 403
    target = there.target()
    for given in ("http://127.0.0.1:9", None):
        answer = there.as_("admin").ask("PATCH", f"/v1/targets/{target}", {"base_url": given})
        assert answer.status_code == 403


def test_an_operator_who_is_admin_may(there: Stand) -> None:
    who = Principal(
        kind="session", tenant_id=there.tenant, role="admin", operator=True, actor="user:admin", user_id="u"
    )
    base = "http://127.0.0.1:8702"
    made = there.alerts.targets.create(
        who,
        shapes.NewTarget(
            name="Demo",
            webhook=SecretStr(f"{base}/robot/send?access_token={TOKEN}"),
            base_url=f"{base}/",
        ),
    )
    assert made.base_url == base
    changed = there.alerts.targets.change(who, made.id, shapes.ChangeTarget(base_url=None))
    assert changed.base_url is None


def test_a_target_is_changed_in_parts(there: Stand) -> None:
    target = there.target(keyword="k")
    admin = there.as_("admin")
    assert admin.patch(f"/v1/targets/{target}", {"name": "New"})["name"] == "New"
    assert admin.patch(f"/v1/targets/{target}", {"keyword": None})["keyword"] is None
    assert admin.patch(f"/v1/targets/{target}", {"secret": None})["has_secret"] is False
    changed = admin.patch(f"/v1/targets/{target}", {"webhook": OTHER_WEBHOOK})
    assert changed["token_hint"] == f"…{OTHER_TOKEN[-4:]}"
    assert admin.post(f"/v1/targets/{target}/test")["state"] == "delivered"
    answer = admin.ask("PATCH", f"/v1/targets/{target}", {"webhook": "nonsense"})
    assert answer.status_code == 400


def test_names_are_unique_in_a_tenant_only(there: Stand) -> None:
    target = there.target()
    assert (
        there.as_("admin").ask("POST", "/v1/targets", {"name": "On call", "webhook": WEBHOOK}).status_code
        == 409
    )
    there.target(tenant="other")
    there.rule(target)
    body = {"name": "Paid", "pattern": {}, "template": {"title": "x"}, "target_id": target}
    assert there.as_("editor").ask("POST", "/v1/rules", body).status_code == 409


def test_a_target_in_use_is_not_deleted(there: Stand) -> None:
    target = there.target()
    rule = there.rule(target)
    answer = there.as_("admin").ask("DELETE", f"/v1/targets/{target}")
    assert answer.status_code == 409
    assert "Paid" in answer.json()["value"]
    there.events.add(there.tenant)
    there.evaluate()
    there.as_("editor").delete(f"/v1/rules/{rule}")
    there.as_("admin").delete(f"/v1/targets/{target}")
    there.deliver()
    assert there.robot.received() == []
    [shown] = there.as_("viewer").get("/v1/deliveries")["deliveries"]
    assert (shown["state"], shown["reason"], shown["target"]) == ("failed", "target_deleted", None)


def test_the_test_of_a_target_says_what_came_of_it(there: Stand) -> None:
    target = there.target()
    sent = there.as_("admin").post(f"/v1/targets/{target}/test")
    assert (sent["state"], sent["outcome"], sent["remedy"]) == ("delivered", "ok", None)
    assert there.robot.messages()[0].title == "[Test] Event Center"
    assert there.as_("viewer").get("/v1/targets")["targets"][0]["health"] == "ok"
    there.robot.script("stopped")
    sent = there.as_("admin").post(f"/v1/targets/{target}/test")
    assert (sent["state"], sent["outcome"]) == ("failed", "broken")
    assert "Switch the robot on" in sent["remedy"]["en"]
    assert "启用" in sent["remedy"]["zh"]
    there.deliver()
    assert len(there.robot.received()) == 2, "a test is not tried again"


def test_a_test_waits_for_the_budget_and_not_for_pauses(there: Stand) -> None:
    target = there.target()
    there.robot.script("http500", "http500")
    there.as_("admin").post(f"/v1/targets/{target}/test")
    assert there.as_("admin").post(f"/v1/targets/{target}/test")["state"] == "failed"
    assert there.as_("admin").post(f"/v1/targets/{target}/test")["state"] == "delivered"
    for _ in range(15):
        there.as_("admin").post(f"/v1/targets/{target}/test")
    assert there.as_("admin").post(f"/v1/targets/{target}/test")["state"] == "pending"
    there.run(61)
    assert there.states() == {"delivered": 17, "failed": 2}


def test_a_pause_after_a_failure_does_not_hide_that_the_budget_is_used_up(there: Stand) -> None:
    target = there.target()
    for _ in range(17):
        there.as_("admin").post(f"/v1/targets/{target}/test")
    there.clock.advance(1)
    there.robot.script("http500")
    assert there.as_("admin").post(f"/v1/targets/{target}/test")["state"] == "failed"
    assert there.as_("admin").post(f"/v1/targets/{target}/test")["state"] == "pending"


# -- rules ---------------------------------------------------------------------------------------------


def test_a_rule_comes_back_as_it_was_made(there: Stand) -> None:
    target = there.target()
    body = {
        "name": "Big orders",
        "buses": ["default"],
        "pattern": {"type": [{"prefix": "order."}], "data": {"amount": [{"numeric": [">", 100]}]}},
        "template": {"title": "T ${id}", "text": "${data.amount | number(2)}"},
        "cooldown_s": 60,
        "target_id": target,
    }
    made = there.as_("editor").post("/v1/rules", body)
    assert {name: made[name] for name in body} == body
    assert (made["enabled"], made["last_fired_at"], made["alerts_24h"]) == (True, None, 0)
    assert made["sentence"]["en"].startswith("Events on default whose type begins with “order.”")
    assert there.as_("viewer").get(f"/v1/rules/{made['id']}") == made
    assert there.as_("viewer").get("/v1/rules") == {"rules": [made]}
    there.events.add(there.tenant, data={"amount": 250})
    there.evaluate()
    assert there.as_("viewer").get(f"/v1/rules/{made['id']}")["alerts_24h"] == 1
    there.as_("editor").put(f"/v1/rules/{made['id']}", {**body, "name": "Renamed", "enabled": False})
    there.as_("editor").patch(f"/v1/rules/{made['id']}", {"enabled": True})
    there.as_("editor").delete(f"/v1/rules/{made['id']}")
    assert there.as_("viewer").get("/v1/rules") == {"rules": []}
    assert [row[1] for row in audits(there)][1:] == [
        "rule.create",
        "rule.change",
        "rule.enable",
        "rule.delete",
    ]


def test_every_problem_of_a_rule_is_told_at_once(there: Stand) -> None:
    body = {
        "name": "",
        "buses": ["default", "nope"],
        "pattern": {"type": "x", "Shout": ["a"]},
        "template": {"title": "${", "text": "${id | shout} ${data.x"},
        "cooldown_s": -1,
        "target_id": "0" * 32,
    }
    answer = there.as_("editor").ask("POST", "/v1/rules", body)
    assert answer.status_code == 400
    problems = answer.json()["problems"]
    assert {problem["where"].split(".")[0] for problem in problems} == {
        "name",
        "target_id",
        "buses",
        "cooldown_s",
        "pattern",
        "template",
    }
    assert len(problems) == 9
    preview = there.as_("viewer").post("/v1/rules/preview", {**body, "target_id": None})
    assert len(preview["problems"]) == 7, "a preview wants neither name nor target"
    assert preview["message"] is None


def test_a_preview_says_what_a_rule_would_do(there: Stand) -> None:
    target = there.target(keyword="KW")
    for amount in (1, 2, 3):
        there.events.add(there.tenant, data={"amount": amount})
        there.clock.advance(1)
    body = {
        "buses": [],
        "pattern": {"type": ["order.paid"]},
        "template": {"title": "Order ${id}", "text": "${data.amount} ${data.nope}"},
        "target_id": target,
    }
    found = there.as_("viewer").post("/v1/rules/preview", body)
    assert found["sentence"]["en"] == "Events whose type is “order.paid”."
    assert found["matched_24h"] == 3
    assert found["sample"]["seq"] == 3
    assert found["sample"]["event"]["data"] == {"amount": 3}
    assert found["message"]["title"] == "Order e3"
    assert "3 —" in found["message"]["text"]
    assert found["message"]["text"].endswith("KW")
    assert "data.nope" in found["problems"][0]["en"]
    chosen = there.as_("viewer").post("/v1/rules/preview", {**body, "event_seq": 1})
    assert chosen["sample"]["seq"] == 1
    apart = {**body, "pattern": {"type": ["x"]}}
    other = there.as_("viewer").post("/v1/rules/preview", {**apart, "event_seq": 1})
    assert "does not match" in other["problems"][0]["en"]
    empty = there.as_("viewer").post("/v1/rules/preview", apart)
    assert (empty["matched_24h"], empty["sample"], empty["message"]) == (0, None, None)
    assert there.as_("viewer").ask("POST", "/v1/rules/preview", {**body, "event_seq": 99}).status_code == 404
    assert there.as_("viewer").ask("POST", "/v1/rules/preview", {**body, "event_seq": -1}).status_code == 404


def test_the_preview_is_the_message(there: Stand) -> None:
    target = there.target(keyword="KW")
    rule = there.rule(target)
    body = {
        name: there.as_("viewer").get(f"/v1/rules/{rule}")[name] for name in ("pattern", "template", "buses")
    }
    there.events.add(there.tenant, data={"amount": 5})
    found = there.as_("viewer").post("/v1/rules/preview", {**body, "target_id": target})
    there.evaluate()
    there.deliver()
    [message] = there.robot.messages()
    assert message.title == found["message"]["title"]
    links = " · [Open the rule]"
    assert message.text.split(links)[0] == found["message"]["text"].split("\n\nKW")[0]
    saved = there.as_("viewer").post("/v1/rules/preview", {**body, "target_id": target, "rule_id": rule})
    assert saved["message"]["text"] == message.text


def test_exact_numbers_reach_the_message_and_the_sample(there: Stand) -> None:
    there.rule(there.target())
    exact = b'{"amount":18446744073709551617.10}'
    stored = there.events.add(there.tenant)
    held = there.events._held[there.tenant]
    held[-1] = StoredEvent(
        seq=stored.seq,
        bus="default",
        received_at=stored.received_at,
        event=Event(id="e", source="/s", type="order.paid", data=exact, data_kind="json"),
    )
    there.evaluate()
    there.deliver()
    assert "Amount 18446744073709551617.10" in there.texts()[0]
    answer = there.as_("viewer").ask("POST", "/v1/rules/preview", {"pattern": {"type": ["order.paid"]}})
    assert '"amount":18446744073709551617.10' in answer.text


def test_the_test_of_a_rule_sends_its_message_marked_as_a_test(there: Stand) -> None:
    rule = there.rule(there.target())
    editor = there.as_("editor")
    assert editor.ask("POST", f"/v1/rules/{rule}/test", {}).status_code == 409
    there.events.add(there.tenant, data={"amount": 1})
    there.events.add(there.tenant, data={"amount": 2})
    sent = editor.post(f"/v1/rules/{rule}/test", {})
    assert sent["state"] == "delivered"
    assert there.robot.messages()[0].title == "[Test] Order e2"
    editor.post(f"/v1/rules/{rule}/test", {"event_seq": 1})
    assert there.robot.messages()[1].title == "[Test] Order e1"
    shown = there.as_("viewer").get(f"/v1/deliveries/{sent['delivery_id']}")
    assert (shown["kind"], shown["rule"]["name"], shown["event"]["seq"]) == ("test", "Paid", 2)
    assert there.alerted() == [], "a test is no alert"


def test_words_are_in_the_tenants_language(there: Stand) -> None:
    there.as_("admin").patch("/v1/tenant", {"language": "zh", "time_zone": "Asia/Shanghai"})
    there.rule(there.target(), template={"title": "t", "text": "${received_at | date}"})
    there.events.add(there.tenant)
    there.evaluate()
    there.deliver()
    assert "查看事件" in there.texts()[0]
    assert "+08:00" in there.texts()[0]


# -- deliveries ----------------------------------------------------------------------------------------


def test_a_delivery_shows_request_answer_and_latency(there: Stand) -> None:
    there.rule(there.target())
    there.events.add(there.tenant, data={"amount": 9})
    there.evaluate()
    there.robot.script("busy")
    there.deliver()
    there.run(20)
    [shown] = there.as_("viewer").get("/v1/deliveries")["deliveries"]
    assert (shown["state"], shown["attempts"], shown["kind"]) == ("delivered", 2, "event")
    assert shown["rule"]["name"] == "Paid"
    assert shown["target"]["name"] == "On call"
    assert shown["event"] == {
        "seq": 1,
        "id": "e1",
        "type": "order.paid",
        "source": "/tests",
        "bus": "default",
    }
    assert shown["last"]["outcome"] == "ok"
    full = there.as_("viewer").get(f"/v1/deliveries/{shown['id']}")
    assert full["payload"]["title"] == "Order e1"
    first, second = full["attempts"]
    assert (first["outcome"], first["errcode"], first["status"]) == ("retry", -1, 200)
    assert first["text"] == {"en": "DingTalk is busy.", "zh": "钉钉系统繁忙。"}
    assert "系统繁忙" in first["response"]
    assert second["outcome"] == "ok"
    assert second["request"]["url"].startswith("https://oapi.dingtalk.com/robot/send?access_token=***")
    assert second["request"]["body"]["msgtype"] == "markdown"
    assert second["latency_ms"] >= 0


def test_a_digest_names_what_it_took_in(there: Stand) -> None:
    there.rule(there.target())
    for _ in range(30):
        there.events.add(there.tenant)
    there.evaluate()
    there.deliver()
    page = there.as_("viewer").get("/v1/deliveries?state=pending")["deliveries"]
    [digest] = page
    assert (digest["kind"], digest["rule"], digest["event"]) == ("digest", None, None)
    assert there.as_("viewer").get(f"/v1/deliveries/{digest['id']}")["merged"] == 12
    merged = there.as_("viewer").get("/v1/deliveries?state=merged")["deliveries"]
    assert {each["digest_id"] for each in merged} == {digest["id"]}


def test_pages_of_deliveries_miss_and_repeat_nothing(there: Stand) -> None:
    target = there.target()
    rule = there.rule(target)
    for _ in range(25):
        there.events.add(there.tenant)
    there.evaluate()
    viewer = there.as_("viewer")
    seen: list[int] = []
    cursor = ""
    while True:
        page = viewer.get(f"/v1/deliveries?limit=10{cursor}")
        seen += [each["event"]["seq"] for each in page["deliveries"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
        there.clock.advance(1)
        there.events.add(there.tenant)
        there.evaluate()
    assert seen == list(range(25, 0, -1))
    assert len(viewer.get(f"/v1/deliveries?target={target}&rule={rule}&limit=500")["deliveries"]) == 27
    assert viewer.get("/v1/deliveries?rule=nope")["deliveries"] == []
    first = viewer.get("/v1/deliveries?limit=10")["next"]
    for query in ("cursor=nonsense", f"cursor={first}&state=pending", f"cursor={first}&rule={rule}"):
        refused = viewer.ask("GET", f"/v1/deliveries?{query}")
        assert refused.status_code == 400
        assert "same filters" in refused.json()["rule"]
    assert viewer.ask("GET", "/v1/deliveries?limit=0").status_code == 400
    assert viewer.ask("GET", "/v1/deliveries?state=lost").status_code == 400


def test_broken_targets_are_named_with_a_remedy(there: Stand) -> None:
    target = there.target()
    there.robot.script("stopped")
    there.as_("admin").post(f"/v1/targets/{target}/test")
    [broken] = there.alerts.broken_targets(there.tenant)
    assert broken["id"] == target
    assert broken["health"] == "broken"
    assert broken["remedy"] == "Switch the robot on in the DingTalk group's settings."
    assert there.alerts.broken_targets(there.other) == []
