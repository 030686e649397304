"""Every view through main.py: full, empty, without an answer, without a session, of another tenant."""

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button
from streamlit.util import calc_hash

from tests.app.conftest import Open, everything, html
from tests.support.fake_api import HOSTILE, SESSION, FakeApi

SECTIONS = ("buses", "retention", "tokens", "targets", "members", "preferences", "account", "audit")
PAGES: tuple[tuple[str, dict[str, str]], ...] = (
    ("", {}),
    ("events", {}),
    ("events", {"event": "1000"}),
    ("events", {"advanced": "true", "pattern": '{"data":{"restarts":[{"numeric":[">",3]}]}}'}),
    ("inputs", {}),
    ("inputs", {"input": "i1"}),
    ("inputs", {"input": "i2"}),
    ("inputs", {"input": "new"}),
    ("inputs", {"input": "i1", "edit": "1"}),
    ("rules", {}),
    ("rules", {"rule": "new"}),
    ("rules", {"rule": "r1"}),
    ("rules", {"rule": "r2"}),
    ("deliveries", {}),
    ("deliveries", {"delivery": "d2", "state": "failed"}),
    ("rejects", {}),
    ("rejects", {"reject": "1"}),
    *(("settings", {"section": section}) for section in SECTIONS),
)
IDS = [page or "overview" for page, _ in PAGES]
FIRST = {
    "": "Overview",
    "events": "Events",
    "inputs": "nput",
    "rules": "ule",
    "deliveries": "Deliveries",
    "rejects": "Rejects",
}


@pytest.mark.parametrize(("page", "query"), PAGES, ids=IDS)
def test_full(opened: Open, api: FakeApi, page: str, query: dict[str, str]) -> None:
    tree = opened(api, page, **query)
    assert not tree.exception
    assert FIRST.get(page, "Settings") in html(tree)
    assert "ec-bad" not in html(tree) or page in {"", "inputs", "rules"}


@pytest.mark.parametrize(("page", "query"), PAGES, ids=IDS)
def test_full_in_chinese(opened: Open, page: str, query: dict[str, str]) -> None:
    tree = opened(FakeApi(language="zh"), page, **query)
    assert not tree.exception
    assert {
        "": "概览",
        "events": "事件",
        "inputs": "接入",
        "rules": "规则",
        "deliveries": "投递",
        "rejects": "拒收",
    }.get(page, "设置") in html(tree)


@pytest.mark.parametrize(("page", "query"), PAGES, ids=IDS)
def test_empty(opened: Open, empty: FakeApi, page: str, query: dict[str, str]) -> None:
    tree = opened(empty, page, **query)
    assert not tree.exception
    if not query and page != "settings":
        assert "ec-empty" in html(tree)


@pytest.mark.parametrize("page", ["", "events"])
def test_empty_says_what_to_run(opened: Open, empty: FakeApi, page: str) -> None:
    tree = opened(empty, page)
    assert "curl -sS http://127.0.0.1:8700/v1/buses/default/events" in tree.code[0].value


@pytest.mark.parametrize(("page", "query"), PAGES, ids=IDS)
def test_the_api_does_not_answer(opened: Open, api: FakeApi, page: str, query: dict[str, str]) -> None:
    api.broken = True
    tree = opened(api, page, **query)
    assert not tree.exception
    assert "the archive is not ready" in html(tree)
    assert "evt-" not in everything(tree)


@pytest.mark.parametrize(("page", "query"), PAGES, ids=IDS)
def test_a_page_breaks_after_sign_in(opened: Open, api: FakeApi, page: str, query: dict[str, str]) -> None:
    """Everything but `me` is away: the page says so instead of showing a trace."""
    whole = api.answer

    def only_me(method: str, url: str, authorization: str, content: bytes) -> tuple[int, bytes]:
        api.broken = not url.endswith("/v1/me")
        return whole(method, url, authorization, content)

    api.answer = only_me  # type: ignore[method-assign]
    tree = opened(api, page, **query)
    assert not tree.exception
    if query.get("section") not in {"preferences", "account"}:
        assert "the archive is not ready" in html(tree)


@pytest.mark.parametrize(
    ("page", "query", "cookie"),
    [
        *((page, query, "ecs_unknown") for page, query in PAGES),
        *(("events", {}, cookie) for cookie in (None, "", "ect_" + "a" * 43, "ecs_é")),
    ],
)
def test_nothing_without_a_session(
    opened: Open, api: FakeApi, page: str, query: dict[str, str], cookie: str | None
) -> None:
    tree = opened(api, page, cookie=cookie, **query)
    assert not tree.exception
    assert "Your session has ended" in html(tree)
    assert not tree.dataframe
    assert not tree.metric
    assert {path for _, path, _ in api.calls} <= {"/v1/me"}


@pytest.mark.parametrize(("page", "query"), PAGES, ids=IDS)
def test_a_link_of_another_tenant_waits_for_a_click(
    opened: Open, api: FakeApi, page: str, query: dict[str, str]
) -> None:
    tree = opened(api, page, **query, tenant="beta")
    assert not tree.exception
    assert "This link is of another tenant" in html(tree)
    assert not tree.dataframe
    asked = {path for _, path, _ in api.calls}
    assert asked == {"/v1/me"}
    next(one for one in tree.button if one.key == "follow_link").click().run()
    assert api.tenant == "beta"
    assert not tree.exception


@pytest.mark.parametrize(("page", "query"), PAGES, ids=IDS)
def test_a_link_of_a_foreign_tenant_shows_nothing(
    opened: Open, api: FakeApi, page: str, query: dict[str, str]
) -> None:
    tree = opened(api, page, **query, tenant="gamma<b>")
    assert "This link can not be opened" in html(tree)
    assert "<b>gamma" not in html(tree).replace("gamma&lt;b&gt;", "")
    assert not tree.dataframe
    assert {path for _, path, _ in api.calls} == {"/v1/me"}


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("events", {"event": "5"}),
        ("inputs", {"input": "nope"}),
        ("inputs", {"input": "nope", "edit": "1"}),
        ("rules", {"rule": "nope"}),
        ("deliveries", {"delivery": "nope"}),
        ("rejects", {"reject": "99"}),
    ],
)
def test_what_is_not_of_this_tenant_is_not_found(
    opened: Open, api: FakeApi, page: str, query: dict[str, str]
) -> None:
    tree = opened(api, page, **query)
    assert not tree.exception
    assert "ec-bad" in html(tree)
    assert "no such" in html(tree) or "no event" in html(tree)


def test_an_event_tells_by_which_messages_it_came(opened: Open, api: FakeApi) -> None:
    shown = html(opened(api, "events", event="1000"))
    assert "3 / 4711" in shown
    assert "order-4711 k2" in shown
    assert "Came again" in shown
    assert "it was redelivered" in shown
    posted = html(opened(api, "events", event="999"))
    assert "Came by" not in posted


@pytest.mark.parametrize("bad", ["x", "-1", "1.5", "٣", "9" * 40, "1000;", "../1"])
def test_a_bad_event_number_is_dropped(opened: Open, api: FakeApi, bad: str) -> None:
    tree = opened(api, "events", event=bad)
    assert not tree.exception
    assert all(f"/v1/events/{bad}" not in path for _, path, _ in api.calls)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("page", "query"), PAGES, ids=IDS)
def test_hostile_values_are_only_text(opened: Open, page: str, query: dict[str, str], language: str) -> None:
    tree = opened(FakeApi(hostile=True, language=language), page, **query)
    assert not tree.exception
    shown = html(tree)
    for tag in ("<script", "<img", "<svg", '<a href="javascript'):
        assert tag not in shown
    assert "\u202e" not in everything(tree)
    for kind in ("markdown", "caption", "title", "header", "subheader", "toast", "error", "warning", "info"):
        assert not tree.get(kind), f"{kind} reads markdown"


def test_a_session_that_ends_elsewhere_shows_within_a_run(opened: Open, api: FakeApi) -> None:
    tree = opened(api, "rules")
    assert "Pod OOM killed" in html(tree)
    api.sessions.clear()
    from app.identity import IDENTITIES

    IDENTITIES.forget(SESSION)
    tree.run()
    assert "Your session has ended" in html(tree)
    assert "Pod OOM killed" not in everything(tree)


def test_a_rule_from_an_event(opened: Open, api: FakeApi) -> None:
    tree = opened(api, "events", event="998")
    next(one for one in tree.button if one.key == "make_rule").click().run()
    assert not tree.exception
    wanted = api._event({}, None, "998")[1]["event"]
    assert tree.text_input(key="rule.name").value == wanted["type"]
    previews = [body for method, path, body in api.calls if path == "/v1/rules/preview"]
    assert previews[-1]["pattern"] == {"type": [wanted["type"]], "source": [wanted["source"]]}
    assert previews[-1]["event_seq"] == 998
    tree._page_hash = calc_hash("rules")
    next(one for one in tree.button if one.key == "save").click().run()
    assert not tree.exception
    assert api.rules[-1]["pattern"] == {"type": [wanted["type"]], "source": [wanted["source"]]}
    assert api.rules[-1]["buses"] == [api._event({}, None, "998")[1]["bus"]]


def test_a_rule_is_changed_tested_and_deleted(opened: Open, api: FakeApi) -> None:
    tree = opened(api, "rules", rule="r1")
    tree.text_input(key="rule.name").set_value("Renamed").run()
    next(one for one in tree.button if one.key == "test").click().run()
    assert not tree.exception
    assert api.rules[0]["name"] == "Renamed"
    assert ("POST", "/v1/rules/r1/test", {}) in api.calls
    assert "Add the keyword." in html(tree)
    next(one for one in tree.button if one.key == "delete").click().run()
    assert not tree.exception
    assert [rule["id"] for rule in api.rules] == ["r2"]


def test_a_rule_is_switched_off(opened: Open, api: FakeApi) -> None:
    tree = opened(api, "rules")
    next(one for one in tree.toggle if str(one.key).startswith("enabled.r1")).set_value(False).run()
    assert not tree.exception
    assert ("PATCH", "/v1/rules/r1", {"enabled": False}) in api.calls


def test_viewers_see_no_way_to_change(opened: Open, api: FakeApi) -> None:
    api.role = "viewer"
    rules = opened(api, "rules", rule="r1")
    assert not [one for one in rules.button if one.key in {"save", "test", "delete"}]
    event = opened(api, "events", event="1000")
    assert not [one for one in event.button if one.key == "make_rule"]
    settings = opened(api, "settings", section="tokens")
    assert "/v1/tokens" not in {path for _, path, _ in api.calls}
    assert not settings.exception


def test_a_token_is_shown_once(opened: Open, api: FakeApi) -> None:
    tree = opened(api, "settings", section="tokens")
    tree.text_input[0].set_value("billing")
    tree.button[0].click().run()
    assert not tree.exception
    assert any(one.value == "export EVENTCENTER_TOKEN=ect_" + "Z" * 43 for one in tree.code)
    tree.run()
    assert "Z" * 43 not in everything(tree)


def test_limits_are_tried_set_and_taken_away(opened: Open, api: FakeApi) -> None:
    tree = opened(api, "settings", section="retention")
    tree.selectbox(key="retention.which").select("k8s").run()
    tree.number_input[0].set_value(7)
    button(tree, "What would go?").click().run()
    body = {"max_age_days": 7, "max_bytes": None, "dry_run": True}
    assert ("PUT", "/v1/buses/k8s/retention", body) in api.calls
    assert "12,345 events" in html(tree)
    tree.number_input[1].set_value(2.5)
    button(tree, "Save").click().run()
    assert not tree.exception
    assert api.retention["k8s"] == {"max_age_days": 7, "max_bytes": 2_500_000_000}
    button(tree, "As all others").click().run()
    assert "k8s" not in api.retention


def test_a_hold_is_set_and_lifted(opened: Open, api: FakeApi) -> None:
    tree = opened(api, "settings", section="retention")
    tree.text_input[0].set_value("case 12")
    button(tree, "Set the hold").click().run()
    assert api.holds == {"": "case 12"}
    assert "case 12" in html(tree)
    button(tree, "Lift the hold").click().run()
    assert not tree.exception
    assert api.holds == {}


def test_viewers_see_what_is_kept_and_no_form(opened: Open, api: FakeApi) -> None:
    api.role = "viewer"
    tree = opened(api, "settings", section="retention")
    assert not tree.exception
    assert "payments" in everything(tree)
    assert not tree.number_input
    assert not [one for one in tree.button if one.label in {"Save", "Set the hold"}]


def button(tree: AppTest, label: str) -> Button:
    return next(one for one in tree.button if one.label == label)


def test_filters_are_in_the_question(opened: Open, api: FakeApi) -> None:
    opened(
        api,
        "events",
        advanced="true",
        pattern='{"data":{"restarts":[1.50]}}',
        **{"from": "2026-11-23T11:00:00Z", "to": "2026-11-23T11:30:00Z"},
    )
    asked = [path for _, path, _ in api.calls if path.startswith("/v1/events?")]
    assert "from=2026-11-23T11%3A00%3A00Z" in asked[-1]
    assert "%221.50" not in asked[-1]
    assert "1.50" in asked[-1]


@pytest.mark.parametrize(
    ("query", "asked", "columns"),
    [
        ({}, "received_at", ["received_at", "time"]),
        ({"time_field": "time"}, "time", ["time", "received_at"]),
        ({"time_field": "nonsense"}, "received_at", ["received_at", "time"]),
        ({"time_field": "time", "event": "1000"}, "time", ["time"]),
    ],
)
def test_the_time_of_events(
    opened: Open, api: FakeApi, query: dict[str, str], asked: str, columns: list[str]
) -> None:
    """The choice in the URL is that of the histogram, the table and its first columns."""
    tree = opened(api, "events", **query)
    questions = [path for _, path, _ in api.calls if path.startswith(("/v1/events?", "/v1/events/histogram"))]
    assert len(questions) == 2
    assert all(f"time_field={asked}" in path for path in questions)
    shown = [name for name in tree.dataframe[0].value.columns if name in {"received_at", "time"}]
    assert shown == columns
    said = {"received_at": "by when they were received", "time": "by when they happened"}
    assert said[asked] in html(tree)


def test_the_time_of_events_is_chosen(opened: Open, api: FakeApi) -> None:
    tree = opened(api, "events")
    tree.segmented_control(key="_time_field").set_value("time").run()
    assert not tree.exception
    assert tree.query_params["time_field"] == "time"
    assert "time_field=time" in [path for _, path, _ in api.calls if path.startswith("/v1/events?")][-1]


def test_an_event_without_a_time_stands_where_it_was_received(opened: Open, api: FakeApi) -> None:
    newest, leap = api.events[0]["event"], api.events[1]["event"]
    del newest["time"]
    leap["time"] = "2016-12-31T23:59:60Z"
    api.events[2]["event"]["time"] = "2026-11-23t11:00:00.123456789+08:00"
    wide = opened(api, "events", time_field="time").dataframe[0].value
    assert wide["time"].isna().tolist() == [True] + [False] * (len(wide) - 1)
    assert wide["time"].iloc[1] == "2016-12-31T23:59:60Z"
    assert wide["time"].iloc[2].startswith("2026-11-23 ")
    narrow = opened(api, "events", time_field="time", event="1000").dataframe[0].value
    assert narrow["time"].iloc[0] == wide["received_at"].iloc[0]


def test_one_event_is_one(opened: Open, api: FakeApi) -> None:
    assert "<h2>1 event</h2>" in html(opened(api, "events", id="evt-1000"))
    del api.events[1:]
    assert "<h2>1 event</h2>" in html(opened(api, "events"))


def test_one_alert_is_one(opened: Open, api: FakeApi) -> None:
    api.rules[0]["alerts_24h"] = 1
    assert "<b>1</b> alert in 24 h" in html(opened(api, "rules"))


def test_the_overview_says_which_time(opened: Open, api: FakeApi) -> None:
    assert "by when they happened" in html(opened(api))


def test_no_event_value_reads_as_html(opened: Open) -> None:
    """The hostile text is there, escaped: it was not simply left out."""
    tree = opened(FakeApi(hostile=True), "events", event="1000")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html(tree)
    assert "⟨U+202E⟩" in html(tree)
    assert HOSTILE not in everything(tree)


def test_a_topic_is_made_and_shown(opened: Open, api: FakeApi) -> None:
    tree = opened(api, "settings", section="targets")
    tree.segmented_control(key="targets.kind").set_value("rocketmq").run()
    assert not [one for one in tree.text_input if one.placeholder.startswith("https://oapi")]
    fields = {one.label: one for one in tree.text_input}
    fields["Name"].set_value("Warehouse")
    fields["Proxy addresses"].set_value(" proxy.example.com:8081 ")
    fields["Topic"].set_value("warehouse")
    fields["Access key (optional)"].set_value("shop")
    fields["Secret key (optional)"].set_value("hush")
    next(one for one in tree.button if one.label == "Create").click().run()
    assert not tree.exception
    [made] = [body for method, path, body in api.calls if (method, path) == ("POST", "/v1/targets")]
    assert made == {
        "name": "Warehouse",
        "kind": "rocketmq",
        "rocketmq": {
            "addresses": "proxy.example.com:8081",
            "topic": "warehouse",
            "tls": False,
            "access_key": "shop",
            "secret_key": "hush",
        },
    }
    assert "RocketMQ · topic warehouse · proxy.example.com:8081" in html(tree)
    assert "hush" not in html(tree)
    assert "hush" not in {one.value for one in tree.text_input}


def test_a_rule_for_a_topic_asks_for_no_message(opened: Open, api: FakeApi) -> None:
    api.targets.append(api.topic())
    tree = opened(api, "rules", rule="new")
    tree.text_input(key="rule.name").set_value("Forward").run()
    title = tree.text_input(key="rule.title").value
    tree.selectbox(key="rule.target").set_value(api.targets[-1]["id"]).run()
    assert not tree.exception
    assert not [one for one in tree.text_input if one.key == "rule.title"]
    assert "as it is" in html(tree)
    assert tree.selectbox(key="rule.cooldown").value == 0
    tree.selectbox(key="rule.target").set_value("g1").run()
    assert tree.text_input(key="rule.title").value == title, "what was written is still there"
    tree.selectbox(key="rule.target").set_value(api.targets[-1]["id"]).run()
    next(one for one in tree.button if one.key == "save").click().run()
    assert not tree.exception
    assert api.rules[-1]["template"] == {"title": "", "text": ""}
    assert api.rules[-1]["cooldown_s"] == 0


def test_an_input_is_made_tried_and_its_secret_goes(opened: Open, api: FakeApi) -> None:
    tree = opened(api, "inputs", input="new")
    tree.text_input(key="input.name").set_value("billing")
    tree.text_input(key="input.addresses").set_value("127.0.0.1:8081")
    tree.text_input(key="input.group").set_value("billing")
    tree.text_input(key="input.access_key").set_value("account")
    tree.text_input(key="input.secret").set_value("top-secret")
    tree.text_input(key="input.topic.1").set_value("bill*").run()
    button(tree, "Add a topic").click().run()
    tree.text_input(key="input.topic.2").set_value("refunds")
    tree.text_input(key="input.filter.2").set_value("a || b")
    tree.text_input(key="input.wrap.2").set_value("com.acme.refund").run()
    button(tree, "Test connection").click().run()
    assert not tree.exception
    [tried] = [body for _, path, body in api.calls if path == "/v1/inputs/test"]
    assert (tried["secret_key"], "start" in tried, "id" in tried) == ("top-secret", False, False)
    assert "RocketMQ has no topic shipments." in html(tree)
    assert any("mqadmin updateTopic" in one.value for one in tree.code)
    assert "com.acme.order" in everything(tree)
    button(tree, "Create").click().run()
    assert not tree.exception
    [made] = [body for method, path, body in api.calls if (method, path) == ("POST", "/v1/inputs")]
    plain = {"filter": "*", "filter_kind": "tag", "wrap_type": None}
    assert made["topics"] == [
        {"topic": "bill*", "bus": "default", "is_pattern": True, **plain},
        {
            "topic": "refunds",
            "bus": "default",
            "is_pattern": False,
            "filter": "a || b",
            "filter_kind": "tag",
            "wrap_type": "com.acme.refund",
        },
    ]
    assert made["start"] == {"position": "group"}
    assert tree.query_params["input"] == "i3"
    assert "top-secret" not in everything(tree)
    assert "input.secret" not in tree.session_state


def test_an_input_is_changed_without_its_secret(opened: Open, api: FakeApi) -> None:
    tree = opened(api, "inputs", input="i1", edit="1")
    tree.text_input(key="input.name").set_value("Renamed").run()
    button(tree, "Save").click().run()
    assert not tree.exception
    [changed] = [body for method, path, body in api.calls if (method, path) == ("PATCH", "/v1/inputs/i1")]
    assert changed["name"] == "Renamed"
    assert not {"secret_key", "start", "enabled"} & set(changed)
    assert "edit" not in tree.query_params
    assert "Renamed" in html(tree)


def test_an_input_is_paused_resumed_and_deleted(opened: Open, api: FakeApi) -> None:
    tree = opened(api, "inputs", input="i1")
    button(tree, "Pause").click().run()
    assert ("PATCH", "/v1/inputs/i1", {"enabled": False}) in api.calls
    button(tree, "Resume").click().run()
    assert ("PATCH", "/v1/inputs/i1", {"enabled": True}) in api.calls
    next(one for one in tree.button if one.key == "delete_input").click().run()
    assert not tree.exception
    assert [one["id"] for one in api.inputs] == ["i2"]
    assert "input" not in tree.query_params


def test_a_time_is_fetched_again(opened: Open, api: FakeApi) -> None:
    tree = opened(api, "inputs", input="i1")
    button(tree, "Fetch").click().run()
    assert not tree.exception
    [body] = [body for method, path, body in api.calls if (method, path) == ("POST", "/v1/inputs/i1/fetches")]
    assert (body["from"], body["to"]) == ("2026-11-23T11:00:00Z", "2026-11-23T12:00:00Z")


def test_a_refused_input_says_why_and_keeps_what_was_typed(opened: Open, api: FakeApi) -> None:
    tree = opened(api, "inputs", input="new")
    for name, value in (("name", "secret"), ("addresses", "a:1"), ("group", "g"), ("topic.1", "t")):
        tree.text_input(key=f"input.{name}").set_value(value)
    tree.run()
    button(tree, "Create").click().run()
    assert "this consumer group is an input" in html(tree)
    assert tree.text_input(key="input.group").value == "g"


def test_viewers_see_how_inputs_are_and_no_way_to_change(opened: Open, api: FakeApi) -> None:
    api.role = "editor"
    tree = opened(api, "inputs", input="i1")
    assert "12,345" in html(tree)
    assert not [one for one in tree.button if one.label in {"Edit", "Pause", "Fetch", "Delete the input"}]
    for query in ({"input": "new"}, {"input": "i1", "edit": "1"}):
        tree = opened(api, "inputs", **query)
        assert not tree.exception
        assert not tree.text_input
    api.inputs = []
    assert "Ask an admin" in html(opened(api, "inputs"))
