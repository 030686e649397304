"""Tenant `beta` knocks at every route with the things of `alpha` in hand, and gets nothing of it.

A route of /openapi.json that has no row here fails the first test: write down what it answers to strangers.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from eventcenter.access import OPERATOR
from tests.acceptance.asking import BATCH, Answer, ask, done, event, post, rule_body
from tests.acceptance.browsing import browsers
from tests.acceptance.sides import Sides
from tests.support.product import wait_until

pytestmark = pytest.mark.long

REFUSED = frozenset({400, 403, 404})
OWN = frozenset({200, 201, 204})
"""The answer is beta's own, for the question names nothing that alpha alone has."""
TAKEN = frozenset({409})
"""There can be but one in the world, and it is not told whose."""
NOBODY = frozenset({401})


@dataclass(frozen=True, kw_only=True)
class Row:
    """One question of beta. `{name}` in path and body are alpha's things."""

    method: str
    route: str
    path: str = ""
    body: Any = None
    answers: frozenset[int] = REFUSED
    open: bool = field(default=False)
    """Asked without a credential."""

    @property
    def name(self) -> str:
        return f"{self.method} {self.path or self.route}" + (f" {json.dumps(self.body)}" if self.body else "")

    def asked(self, things: dict[str, str]) -> tuple[str, Any]:
        path, body = self.path or self.route, json.dumps(self.body)
        for name, value in things.items():
            path = path.replace("{" + name + "}", quote(value, safe=""))
            body = body.replace("{" + name + "}", value)
        return path, json.loads(body)


def get(route: str, path: str = "", *, own: bool = False) -> Row:
    return Row(method="GET", route=route, path=path, answers=OWN if own else REFUSED)


def put(
    method: str, route: str, path: str = "", body: Any = None, *, own: bool = False, taken: bool = False
) -> Row:
    answers = OWN if own else TAKEN if taken else REFUSED
    return Row(method=method, route=route, path=path, body=body, answers=answers)


INPUT = {
    "name": "theirs",
    "addresses": "127.0.0.1:9",
    "group": "theirs",
    "topics": [{"topic": "t", "bus": "default"}],
}
HOUR = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-01T01:00:00Z"}
EVENTS = ("/v1/events", "/v1/events/histogram", "/v1/events/top")
PATTERN = quote('{"type":[{"prefix":"com.example.only-a"}]}')
ROWS = [
    Row(
        method="POST",
        route="/v1/sessions",
        body={"name": "{user_name}", "password": "a wrong password"},
        answers=NOBODY,
        open=True,
    ),
    Row(
        method="POST",
        route="/v1/sessions/link",
        body={"code": "ecl_{token}"},
        answers=NOBODY,
        open=True,
    ),
    put("PUT", "/v1/sessions/current/tenant", body={"tenant": "{tenant_name}"}),
    put("PUT", "/v1/sessions/current/tenant", body={"tenant": "{tenant}"}),
    get("/v1/me", own=True),
    get("/v1/me", "/v1/me?tenant={tenant_name}", own=True),
    get("/v1/tenant", own=True),
    get("/v1/tenant", "/v1/tenant?tenant={tenant}", own=True),
    put("PATCH", "/v1/tenant", body={"title": "Mine", "id": "{tenant}"}),
    get("/v1/buses", own=True),
    put("POST", "/v1/buses", body={"name": "fresh", "description": "", "tenant_id": "{tenant}"}),
    put("DELETE", "/v1/buses/{name}", "/v1/buses/{bus}"),
    put("DELETE", "/v1/buses/{name}", "/v1/buses/{bus}?confirm={bus}"),
    get("/v1/tokens", own=True),
    put("POST", "/v1/tokens", body={"name": "t", "role": "viewer", "tenant": "{tenant}"}),
    put("POST", "/v1/tokens", body={"name": "t", "role": OPERATOR}),
    put("DELETE", "/v1/tokens/{token_id}", "/v1/tokens/{token}"),
    get("/v1/users", own=True),
    put("POST", "/v1/users", body={"name": "u", "role": OPERATOR}),
    put("PATCH", "/v1/users/{user_id}", "/v1/users/{user}", {"role": "viewer"}),
    put("DELETE", "/v1/users/{user_id}", "/v1/users/{member}"),
    put("POST", "/v1/users/{user_id}/link", "/v1/users/{user}/link"),
    put("POST", "/v1/users/{user_id}/link", "/v1/users/{member}/link"),
    get("/v1/tenants"),
    put("POST", "/v1/tenants", body={"name": "third"}),
    get("/v1/events/export", own=True),
    put("POST", "/v1/backups", body={"name": "stolen"}),
    get("/v1/backups/{name}", "/v1/backups/stolen"),
    put("PATCH", "/v1/tenants/{tenant_id}", "/v1/tenants/{tenant}", {"title": "taken over"}),
    get("/v1/retention", own=True),
    get("/v1/retention", "/v1/retention?tenant={tenant}&bus={bus}", own=True),
    put("PUT", "/v1/retention", body={"max_age_days": 1, "tenant": "{tenant}"}),
    put("DELETE", "/v1/retention"),
    put("PUT", "/v1/retention/hold", body={"reason": "r", "bus": "{bus}"}),
    put("DELETE", "/v1/retention/hold"),
    put("PUT", "/v1/buses/{bus}/retention", body={"max_age_days": 1}),
    put("PUT", "/v1/buses/{bus}/retention", body={"max_age_days": 1, "dry_run": True}),
    put("DELETE", "/v1/buses/{bus}/retention"),
    put("PUT", "/v1/buses/{bus}/hold", body={"reason": "r"}),
    put("DELETE", "/v1/buses/{bus}/hold"),
    put("POST", "/v1/deletions", body={"subject": "s", "reason": "r", "bus": "{bus}"}),
    put("POST", "/v1/deletions", body={"subject": "s", "reason": "r", "bus": "{bus}", "dry_run": True}),
    put("POST", "/v1/deletions", body={"subject": "s", "reason": "r", "dry_run": True}, own=True),
    put("POST", "/v1/deletions", body={"subject": "s", "reason": "r", "tenant": "{tenant}"}),
    get("/v1/deletions", own=True),
    get("/v1/deletions", "/v1/deletions?limit=500&cursor={deletions_cursor}"),
    get("/v1/deletions/{deletion_id}", "/v1/deletions/{deletion}"),
    get("/v1/audit", own=True),
    get("/v1/audit", "/v1/audit?limit=500&cursor={audit_cursor}"),
    *(get(route, own=True) for route in EVENTS),
    *(get(route, f"{route}?bus={{bus}}", own=True) for route in EVENTS),
    *(get(route, f"{route}?pattern={PATTERN}", own=True) for route in EVENTS),
    *(get(route, f"{route}?type=com.example.alarm&source=/shared&id=alarm-1", own=True) for route in EVENTS),
    *(get(route, f"{route}?tenant={{tenant}}") for route in EVENTS),
    *(get("/v1/events/top", f"/v1/events/top?by={by}", own=True) for by in ("source", "bus", "subject")),
    get("/v1/events", "/v1/events?order=oldest&limit=500", own=True),
    get("/v1/events", "/v1/events?limit=1&cursor={events_cursor}"),
    get("/v1/events", "/v1/events?limit=1&order=oldest&cursor={oldest_cursor}"),
    get("/v1/events", "/v1/events?limit=500&cursor={rejects_cursor}"),
    get("/v1/events/{seq}", "/v1/events/{seq}"),
    get("/v1/events/{seq}", "/v1/events/1", own=True),
    get("/v1/events/{seq}/origins", "/v1/events/{seq}/origins", own=True),
    get("/v1/events/{seq}/origins", "/v1/events/1/origins", own=True),
    get("/v1/rejects", own=True),
    get("/v1/rejects", "/v1/rejects?bus={bus}", own=True),
    get("/v1/rejects", "/v1/rejects?limit=1&cursor={rejects_cursor}"),
    get("/v1/rejects/{reject_id}", "/v1/rejects/{reject}"),
    get("/v1/rejects/{reject_id}", "/v1/rejects/1", own=True),
    get("/v1/targets", own=True),
    put(
        "POST",
        "/v1/targets",
        "/v1/inputs",
        body={"name": "t", "webhook": "{webhook}", "base_url": "http://127.0.0.1:9"},
    ),
    put("PATCH", "/v1/targets/{target_id}", "/v1/targets/{target}", {"enabled": False}),
    put("DELETE", "/v1/targets/{target_id}", "/v1/targets/{target}"),
    put("POST", "/v1/targets/{target_id}/test", "/v1/targets/{target}/test"),
    get("/v1/inputs", own=True),
    put("POST", "/v1/inputs", body={**INPUT, "topics": [{"topic": "t", "bus": "{bus}"}]}),
    put("POST", "/v1/inputs", body={**INPUT, "tenant_id": "{tenant}"}),
    put("POST", "/v1/inputs", body={**INPUT, "group": "taken"}, taken=True),
    put("POST", "/v1/inputs/test", body={"id": "{input}"}),
    put("POST", "/v1/inputs/test", body={**INPUT, "id": "{input}"}),
    get("/v1/inputs/{input_id}", "/v1/inputs/{input}"),
    put("PATCH", "/v1/inputs/{input_id}", "/v1/inputs/{input}", {"enabled": False}),
    put("DELETE", "/v1/inputs/{input_id}", "/v1/inputs/{input}"),
    get("/v1/inputs/{input_id}/fetches", "/v1/inputs/{input}/fetches"),
    put("POST", "/v1/inputs/{input_id}/fetches", "/v1/inputs/{input}/fetches", HOUR),
    get("/v1/rules", own=True),
    put("POST", "/v1/rules", body=rule_body("{target}", name="through theirs")),
    put("POST", "/v1/rules", body=rule_body("{own_target}", name="on their bus", buses=["{bus}"])),
    put("POST", "/v1/rules/preview", body={"pattern": {"type": ["t"]}, "target_id": "{target}"}, own=True),
    put("POST", "/v1/rules/preview", body={"pattern": {}, "event_seq": "#{seq}"}),
    put("POST", "/v1/rules/preview", body={"pattern": {}, "rule_id": "{rule}"}),
    put(
        "POST",
        "/v1/rules/preview",
        body={
            "pattern": {"type": [{"prefix": "com.example"}]},
            "buses": ["{bus}"],
            "template": {"title": "${id}", "text": "${data.text} ${subject}"},
        },
        own=True,
    ),
    get("/v1/rules/{rule_id}", "/v1/rules/{rule}"),
    put("PUT", "/v1/rules/{rule_id}", "/v1/rules/{rule}", rule_body("{own_target}", name="taken over")),
    put("PUT", "/v1/rules/{rule_id}", "/v1/rules/{own_rule}", rule_body("{target}", name="moved")),
    put("PATCH", "/v1/rules/{rule_id}", "/v1/rules/{rule}", {"enabled": False}),
    put("DELETE", "/v1/rules/{rule_id}", "/v1/rules/{rule}"),
    put("POST", "/v1/rules/{rule_id}/test", "/v1/rules/{rule}/test", {}),
    put("POST", "/v1/rules/{rule_id}/test", "/v1/rules/{own_rule}/test", {"event_seq": "#{seq}"}),
    get("/v1/deliveries", own=True),
    get("/v1/deliveries", "/v1/deliveries?rule={rule}", own=True),
    get("/v1/deliveries", "/v1/deliveries?target={target}&state=delivered", own=True),
    get("/v1/deliveries", "/v1/deliveries?limit=500&cursor={deliveries_cursor}"),
    get("/v1/deliveries/{delivery_id}", "/v1/deliveries/{delivery}"),
    put("POST", "/v1/query", body={"sql": "SELECT * FROM events"}, own=True),
    put("POST", "/v1/query", body={"sql": "SELECT * FROM rejects"}, own=True),
    put("POST", "/v1/query", body={"sql": "SELECT * FROM deliveries"}, own=True),
    put("POST", "/v1/query", body={"sql": "SELECT * FROM events WHERE bus = '{bus}'"}, own=True),
    put("POST", "/v1/query", body={"sql": "SELECT * FROM events", "tenant": "{tenant}"}),
    put("POST", "/v1/query", body={"sql": 'SELECT * FROM "{tenant_name}".events'}),
    put("POST", "/v1/query", body={"sql": "SELECT * FROM read_blob('../{tenant}/main.duckdb')"}),
    put("POST", "/v1/query", body={"sql": "ATTACH '../{tenant}/main.duckdb' AS theirs (READ_ONLY)"}),
    get("/v1/status", own=True),
    get("/v1/status", "/v1/status?tenant={tenant_name}", own=True),
]
"""Beta asks as its admin, by token and by session. DELETE /v1/sessions/current and what only changes the own
account have tests of their own."""
NAMING = [row for row in ROWS if row.answers == REFUSED and "{" in row.path + json.dumps(row.body)]
APART = {
    ("DELETE", "/v1/sessions/current"),
    ("PATCH", "/v1/me"),
    ("PUT", "/v1/me/password"),
}
SNAPSHOT = [
    "/v1/me",
    "/v1/tenant",
    "/v1/buses",
    "/v1/users",
    "/v1/targets",
    "/v1/rules",
    "/v1/deliveries?limit=500",
    "/v1/deletions?limit=500",
    "/v1/events?limit=500",
    "/v1/rejects?limit=500",
    "/v1/audit?limit=500",
]


def things(sides: Sides) -> dict[str, str]:
    mine = {
        "user_name": sides.a.user,
        "tenant_name": sides.a.name,
        "bus": sides.a.bus,
        "webhook": f"{sides.product.settings.dingtalk_base_url}/robot/send?access_token={sides.b.robot}",
        "own_target": sides.b.things["target"],
        "own_rule": sides.b.things["rule"],
    }
    return sides.a.things | mine


def leaks(sides: Sides, answer: Answer, asked: str) -> list[str]:
    """What the answer says of alpha that the question did not say."""
    return [secret for secret in sides.a.secrets() if secret in answer.text and secret not in asked]


def numbered(value: Any) -> Any:
    """`"#7"`, which a placeholder made, as the number 7."""
    if isinstance(value, dict):
        return {name: numbered(held) for name, held in value.items()}
    return int(value[1:]) if isinstance(value, str) and value.startswith("#") else value


def blank(answer: Answer, named: dict[str, str]) -> str:
    """The answer without what the question named."""
    text = answer.text
    for value in sorted(named.values(), key=len, reverse=True):
        text = text.replace(value, "…") if len(value) > 3 else text.replace(f'"{value}"', '"…"')
    return text


@pytest.fixture(scope="module")
def before(sides: Sides) -> dict[str, Any]:
    """All of alpha as it was, and that beta's questions are worth asking."""
    found = {path: done(sides.product, "GET", path, sides.a.admin) for path in SNAPSHOT}
    assert sides.a.marker in json.dumps(found)
    assert sides.b.marker not in json.dumps(found)
    return found


def test_the_table_has_every_route(sides: Sides) -> None:
    documented = {
        (method.upper(), path)
        for path, operations in done(sides.product, "GET", "/openapi.json", None)["paths"].items()
        for method in operations
        if path.startswith("/v1/")
    }
    assert {(row.method, row.route) for row in ROWS} | APART == documented


@pytest.mark.parametrize("credential", ["token", "session"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_beta_gets_nothing_of_alpha(sides: Sides, before: dict[str, Any], row: Row, credential: str) -> None:
    path, body = row.asked(things(sides))
    mine = None if row.open else sides.b.session if credential == "session" else sides.b.admin
    answer = ask(sides.product, row.method, path, mine, numbered(body))
    assert answer.status in row.answers, answer.text
    assert not leaks(sides, answer, path + json.dumps(body)), answer.text


@pytest.mark.parametrize("row", NAMING, ids=lambda row: row.name)
def test_what_alpha_has_and_what_nobody_has_is_the_same(sides: Sides, row: Row) -> None:
    """Not even that a thing exists can be learned."""
    theirs = {name: value for name, value in things(sides).items() if not name.endswith("_cursor")}
    nobodys = theirs | {
        **dict.fromkeys(("rule", "target", "delivery", "deletion", "input"), "0" * 32),
        **dict.fromkeys(("token", "user", "member", "tenant"), "0" * 32),
        **dict.fromkeys(("seq", "reject"), "99999999"),
        "bus": "no-such-bus",
        "tenant_name": "no-such-tenant",
        "user_name": "no-such-user",
    }
    said = []
    for named in (theirs, nobodys):
        path, body = row.asked(named)
        answer = ask(sides.product, row.method, path, sides.b.admin, numbered(body))
        said.append((answer.status, blank(answer, named)))
    assert said[0] == said[1]


def test_names_of_accounts_cannot_be_tried_out(sides: Sides) -> None:
    known, unknown = (
        ask(sides.product, "POST", "/v1/sessions", None, {"name": name, "password": "a wrong password"})
        for name in (sides.a.user, "no-such-user")
    )
    assert (known.status, known.content) == (unknown.status, unknown.content)


@pytest.mark.parametrize("query", ["", "?wait=archived"])
@pytest.mark.parametrize("role", ["writer", "editor", "admin"])
def test_a_bus_that_only_alpha_has_takes_nothing_of_beta(sides: Sides, role: str, query: str) -> None:
    stray = json.dumps([event("stray", data={"text": "stray-of-beta"})]).encode()
    path = f"/v1/buses/{sides.a.bus}/events{query}"
    token = sides.b.tokens[role]
    refused = ask(sides.product, "POST", path, token, stray, ingest=True, content_type=BATCH)
    nobody = path.replace(sides.a.bus, "no-such-bus")
    same = ask(sides.product, "POST", nobody, token, stray, ingest=True, content_type=BATCH)
    assert (refused.status, same.status) == (404, 404)
    assert refused.text.replace(sides.a.bus, "…") == same.text.replace("no-such-bus", "…")
    # What comes after on an own bus is archived after it: had the stray been kept, it would be there now.
    post(sides.product, "default", sides.b.tokens["writer"], event(f"after-{role}{query}"))
    post(sides.product, "default", sides.a.tokens["writer"], event("event-1", data={"text": "again"}))
    for side in (sides.a, sides.b):
        assert done(sides.product, "GET", "/v1/events?id=stray", side.admin)["events"] == []


def test_the_same_event_is_new_to_each_tenant(sides: Sides) -> None:
    one = event("shared", data={"text": "the same"})
    counts = []
    for side in (sides.a, sides.b):
        answer = post(sides.product, "default", side.tokens["writer"], one)
        counts.append((answer["stored"], answer["duplicates"]))
    assert counts == [(1, 0), (1, 0)]


@pytest.mark.parametrize("role", ["writer", OPERATOR])
def test_writers_and_operators_read_nothing(sides: Sides, role: str) -> None:
    """Also of the tenant that the writer belongs to, and by ids that are right."""
    token = sides.operator if role == OPERATOR else sides.a.tokens["writer"]
    for row in ROWS:
        if row.open or row.route == "/v1/me" or row.route.startswith("/v1/tenants"):
            continue
        if role == OPERATOR and row.route.startswith("/v1/backups"):
            continue
        path, body = row.asked(things(sides))
        answer = ask(sides.product, row.method, path, token, numbered(body))
        assert answer.status in {400, 403}, (row.name, answer.text)
        assert not leaks(sides, answer, path + json.dumps(body)), (row.name, answer.text)
        if row.method == "GET":
            assert answer.status == 403, row.name
    me = ask(sides.product, "GET", "/v1/me", token)
    assert me.status == 200
    if role == OPERATOR:
        assert sides.a.marker not in me.text


def test_an_operators_token_posts_no_events(sides: Sides) -> None:
    body = json.dumps([event("by-operator")]).encode()
    for bus in ("default", sides.a.bus):
        path = f"/v1/buses/{bus}/events"
        answer = ask(sides.product, "POST", path, sides.operator, body, ingest=True, content_type=BATCH)
        assert answer.status == 403, answer.text


def test_messages_stay_with_their_robot(sides: Sides) -> None:
    for side, other in ((sides.a, sides.b), (sides.b, sides.a)):
        mine = [said for said in sides.robot.messages() if said.token.startswith(side.robot[:4])]
        assert len(mine) >= side.alarms
        for said in mine:
            assert other.marker not in said.title + said.text
            assert f"tenant={other.name}" not in said.text


def test_a_withdrawn_membership_ends_at_once(sides: Sides) -> None:
    """A user of both tenants acts in alpha; alpha withdraws the membership; the session has nothing left."""
    body = {"name": "in-both", "role": "viewer"}
    added = done(sides.product, "POST", "/v1/users", sides.b.admin, body)
    code = added["link"]["code"]
    session = done(sides.product, "POST", "/v1/sessions/link", None, {"code": code})["session"]
    assert ask(sides.product, "POST", "/v1/users", sides.a.admin, body).status == 409
    sides.product.share("in-both", sides.a.name, "viewer")
    done(sides.product, "PUT", "/v1/sessions/current/tenant", session, {"tenant": sides.a.name})
    listing = "/v1/events?limit=1&type=com.example.alarm"
    page = ask(sides.product, "GET", listing, session)
    assert sides.a.marker in page.text
    cursor = page.json()["next"]
    done(sides.product, "DELETE", f"/v1/users/{added['id']}", sides.a.admin)
    for row in ROWS:
        if row.open or row.route in {"/v1/me", "/v1/sessions/current/tenant"}:
            continue
        path, sent = row.asked(things(sides))
        answer = ask(sides.product, row.method, path, session, numbered(sent))
        assert answer.status in {400, 403}, (row.name, answer.text)
        assert not leaks(sides, answer, path + json.dumps(sent)), (row.name, answer.text)
    assert ask(sides.product, "GET", f"{listing}&cursor={cursor}", session).status == 403
    me = ask(sides.product, "GET", "/v1/me", session)
    assert sides.a.marker not in me.text
    assert me.json()["tenant"] is None
    back = ask(sides.product, "PUT", "/v1/sessions/current/tenant", session, {"tenant": sides.a.name})
    assert back.status == 404
    done(sides.product, "PUT", "/v1/sessions/current/tenant", session, {"tenant": sides.b.name})
    assert ask(sides.product, "GET", f"{listing}&cursor={cursor}", session).status == 400
    done(sides.product, "DELETE", f"/v1/users/{added['id']}", sides.b.admin)


def test_alphas_user_becomes_no_member_by_name_nor_gives_a_way_into_the_account(sides: Sides) -> None:
    product, b = sides.product, sides.b
    body = {"name": sides.a.user, "role": "viewer"}
    refused = ask(product, "POST", "/v1/users", b.admin, body)
    assert refused.status == 409
    assert "choose another name" in refused.json()["remedy"]
    assert ask(product, "POST", "/v1/users", b.admin, {**body, "existing": True}).status == 403
    assert sides.a.user not in ask(product, "GET", "/v1/users", b.admin).text
    product.share(sides.a.user, b.name, "viewer")
    user = sides.a.things["user"]
    assert ask(product, "POST", f"/v1/users/{user}/link", b.admin).status == 403
    assert sides.a.marker not in ask(product, "GET", "/v1/users", b.admin).text
    done(product, "DELETE", f"/v1/users/{user}", b.admin)
    assert done(product, "GET", "/v1/me", sides.a.session)["role"] == "admin"


def test_ending_the_own_session_ends_no_other(sides: Sides) -> None:
    body = {"name": "leaves", "role": "viewer"}
    code = done(sides.product, "POST", "/v1/users", sides.b.admin, body)["link"]["code"]
    session = done(sides.product, "POST", "/v1/sessions/link", None, {"code": code})["session"]
    done(sides.product, "PATCH", "/v1/me", session, {"language": "zh"})
    done(sides.product, "PUT", "/v1/me/password", session, {"new": "a good password"})
    assert done(sides.product, "GET", "/v1/me", sides.a.session)["user"]["language"] is None
    done(sides.product, "DELETE", "/v1/sessions/current", session)
    assert ask(sides.product, "GET", "/v1/me", session).status == 401
    for side in (sides.a, sides.b):
        assert ask(sides.product, "GET", "/v1/me", side.session).status == 200


def test_alpha_is_as_it_was(sides: Sides, before: dict[str, Any]) -> None:
    """After all of beta's questions: nothing of alpha was changed, sent or written by them."""

    def settled() -> bool:
        return bool(done(sides.product, "GET", "/v1/status", sides.a.admin)["outbox_pending"] == 0)

    wait_until(settled, 20)
    for path in SNAPSHOT:
        found = done(sides.product, "GET", path, sides.a.admin)
        assert sides.b.marker not in json.dumps(found)
        if path in {"/v1/buses", "/v1/me"}:
            continue
        for name, held in found.items():
            was = before[path][name]
            if isinstance(held, list):
                known = {json.dumps(each, sort_keys=True) for each in held}
                assert {json.dumps(each, sort_keys=True) for each in was} <= known, path
            else:
                assert held == was, path


@pytest.mark.browser
@pytest.mark.timeout(180)
def test_the_dashboard_shows_beta_nothing_of_alpha(sides: Sides, tmp_path: Path) -> None:
    """Alpha looks first, so that whatever the dashboard keeps in memory is alpha's when beta comes."""
    named = things(sides)
    of_alpha = (
        "/events?event={seq}&bus={bus}",
        "/events?event={seq}&tenant={tenant_name}",
        "/rules?rule={rule}",
        "/rules?rule={rule}&tenant={tenant_name}",
        "/deliveries?delivery={delivery}&target={target}",
        "/rejects?reject={reject}",
        "/settings?section=audit&tenant={tenant_name}",
    )
    with browsers(sides.product, tmp_path, sides.a.session, sides.b.session) as (alpha, beta):
        for path in ("/", "/rules", "/events"):
            alpha.open(path)
        beta.open("/events")
        assert alpha.sent(sides.a.marker)
        assert beta.sent(sides.b.marker)
        for path in of_alpha:
            asked = path.format_map(named)
            shown = beta.open(asked)
            assert not shown.dom["crashed"], shown.text
            known = [secret for secret in sides.a.secrets() if secret not in asked]
            assert not [secret for secret in known if secret in shown.text], shown.text
        for secret in (sides.a.marker, sides.a.user):
            assert not beta.sent(secret), secret
        assert not alpha.sent(sides.b.marker)
        assert not alpha.sent(sides.b.user)
