"""A made-up API for the dashboard's tests: the shapes of the real routes, in memory, over httpx or ASGI."""

import base64
import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PASSWORD = "correct horse battery"
SESSION = "ecs_" + "a" * 43
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> [click](javascript:alert(3)) **bold** `code` "
    '\u202eevil\u202c @all =HYPERLINK("http://x") $x^2$ :red[x] :material/home: ${env} ' + "😀" * 40
)

Answer = tuple[int, Any]


def text(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class FakeApi:
    """`full=False` is a new tenant; `broken` answers 503; `hostile` puts HOSTILE into every value."""

    def __init__(
        self,
        *,
        full: bool = True,
        language: str | None = "en",
        hostile: bool = False,
        now: datetime | None = None,
    ) -> None:
        self.full = full
        self.hostile = hostile
        self.broken = False
        self.language = language
        self.now = now or datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
        self.tenant = "acme"
        self.role = "admin"
        self.operator = False
        self.tenants = {"acme": "Acme 集团", "beta": "Beta"}
        self.sessions = {SESSION}
        self.codes = {"once"}
        self.calls: list[tuple[str, str, Any]] = []
        self.rules: list[dict[str, Any]] = self._rules() if full else []
        self.targets: list[dict[str, Any]] = self._targets() if full else []
        self.tokens: list[dict[str, Any]] = self._tokens() if full else []
        self.inputs: list[dict[str, Any]] = self._inputs() if full else []
        self.fetches: list[dict[str, Any]] = self._fetches() if full else []
        self.buses = ["default", *(["k8s", "payments"] if full else [])]
        self.events = self._events() if full else []
        self.retention: dict[str, dict[str, Any]] = {}
        self.holds: dict[str, str] = {}

    # -- ways in -------------------------------------------------------------------------------------

    def transport(self) -> httpx.MockTransport:
        def handle(request: httpx.Request) -> httpx.Response:
            status, body = self.answer(
                request.method, str(request.url), request.headers.get("authorization", ""), request.content
            )
            return httpx.Response(status, content=body, headers={"content-type": _kind(status)})

        return httpx.MockTransport(handle)

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        status, body = self.answer(
            request.method, str(request.url), request.headers.get("authorization", ""), await request.body()
        )
        await Response(body, status, media_type=_kind(status))(scope, receive, send)

    def answer(self, method: str, url: str, authorization: str, content: bytes) -> tuple[int, bytes]:
        parts = urlsplit(url)
        body = json.loads(content) if content else None
        self.calls.append((method, parts.path + (f"?{parts.query}" if parts.query else ""), body))
        if self.broken:
            return 503, _problem(503, "the archive is not ready")
        if parts.path == "/v1/sessions" and method == "POST":
            return _out(self._sign_in(body))
        if parts.path == "/v1/sessions/link" and method == "POST":
            return _out(self._spend(body))
        if authorization.removeprefix("Bearer ") not in self.sessions:
            return 401, _problem(401, "not signed in")
        for verb, pattern, act in self._routes():
            found = re.fullmatch(pattern, parts.path)
            if verb == method and found:
                return _out(act(parse_qs(parts.query), body, *found.groups()))
        return 404, _problem(404, f"no route {method} {parts.path}")

    # -- routes --------------------------------------------------------------------------------------

    def _routes(self) -> Iterable[tuple[str, str, Callable[..., Answer]]]:
        return (
            ("GET", "/v1/me", lambda q, b: (200, self._me())),
            ("PATCH", "/v1/me", self._set_language),
            ("PUT", "/v1/me/password", lambda q, b: (204, None)),
            ("DELETE", "/v1/sessions/current", self._sign_out),
            ("PUT", "/v1/sessions/current/tenant", self._act_in),
            ("PATCH", "/v1/tenant", lambda q, b: (200, self._me()["tenant"])),
            ("GET", "/v1/buses", lambda q, b: (200, {"buses": [self._bus(name) for name in self.buses]})),
            ("POST", "/v1/buses", self._new_bus),
            ("GET", "/v1/retention", lambda q, b: (200, self._kept())),
            ("PUT", "/v1/retention", lambda q, b: self._keep(b, "")),
            ("DELETE", "/v1/retention", lambda q, b: self._drop(self.retention, "")),
            ("PUT", "/v1/retention/hold", lambda q, b: self._hold(b, "")),
            ("DELETE", "/v1/retention/hold", lambda q, b: self._drop(self.holds, "")),
            ("PUT", r"/v1/buses/([\w-]+)/retention", lambda q, b, n: self._keep(b, n)),
            ("DELETE", r"/v1/buses/([\w-]+)/retention", lambda q, b, n: self._drop(self.retention, n)),
            ("PUT", r"/v1/buses/([\w-]+)/hold", lambda q, b, n: self._hold(b, n)),
            ("DELETE", r"/v1/buses/([\w-]+)/hold", lambda q, b, n: self._drop(self.holds, n)),
            ("GET", "/v1/tokens", lambda q, b: (200, {"tokens": self.tokens})),
            ("POST", "/v1/tokens", self._new_token),
            ("DELETE", r"/v1/tokens/(\w+)", lambda q, b, i: (204, None)),
            ("GET", "/v1/users", lambda q, b: (200, {"users": self._users()})),
            ("POST", "/v1/users", lambda q, b: (201, {**self._users()[0], **b, "link": self._link()})),
            ("POST", r"/v1/users/(\w+)/link", lambda q, b, i: (201, self._link())),
            ("GET", "/v1/audit", lambda q, b: (200, {"audit": self._audit(), "next": None})),
            ("GET", "/v1/status", lambda q, b: (200, self._status())),
            ("GET", "/v1/events", self._search),
            ("GET", "/v1/events/histogram", self._histogram),
            ("GET", "/v1/events/top", self._top),
            ("GET", r"/v1/events/(\d+)", self._event),
            ("GET", r"/v1/events/(\d+)/origins", self._origins),
            ("GET", "/v1/rejects", lambda q, b: (200, {"rejects": self._rejects(), "next": None})),
            ("GET", r"/v1/rejects/(\d+)", self._reject),
            ("GET", "/v1/targets", lambda q, b: (200, {"targets": self.targets})),
            ("POST", "/v1/targets", self._new_target),
            ("PATCH", r"/v1/targets/(\w+)", lambda q, b, i: (200, self.targets[0])),
            ("DELETE", r"/v1/targets/(\w+)", lambda q, b, i: (204, None)),
            ("POST", r"/v1/targets/(\w+)/test", lambda q, b, i: (200, self._sent())),
            ("GET", "/v1/inputs", lambda q, b: (200, {"inputs": self.inputs})),
            ("POST", "/v1/inputs", self._new_input),
            ("POST", "/v1/inputs/test", lambda q, b: (200, self._tried())),
            ("GET", r"/v1/inputs/(\w+)", self._input),
            ("PATCH", r"/v1/inputs/(\w+)", self._patch_input),
            ("DELETE", r"/v1/inputs/(\w+)", self._drop_input),
            ("GET", r"/v1/inputs/(\w+)/fetches", lambda q, b, i: (200, {"fetches": self.fetches})),
            ("POST", r"/v1/inputs/(\w+)/fetches", lambda q, b, i: (201, self.fetches[0])),
            ("GET", "/v1/rules", lambda q, b: (200, {"rules": self.rules})),
            ("POST", "/v1/rules", self._new_rule),
            ("POST", "/v1/rules/preview", self._preview),
            ("GET", r"/v1/rules/(\w+)", self._rule),
            ("PUT", r"/v1/rules/(\w+)", self._put_rule),
            ("PATCH", r"/v1/rules/(\w+)", self._patch_rule),
            ("DELETE", r"/v1/rules/(\w+)", self._drop_rule),
            ("POST", r"/v1/rules/(\w+)/test", lambda q, b, i: (200, self._sent())),
            ("GET", "/v1/deliveries", self._deliveries_page),
            ("GET", r"/v1/deliveries/(\w+)", self._delivery),
        )

    def _sign_in(self, body: Any) -> Answer:
        if body["password"] != PASSWORD:
            return 401, "the name or password is wrong"
        self.sessions.add(SESSION)
        return 201, {"session": SESSION, "expires_at": text(self.now + timedelta(days=7))}

    def _spend(self, body: Any) -> Answer:
        if body["code"] not in self.codes:
            return 401, "the link is used or too old"
        self.codes.remove(body["code"])
        return self._sign_in({"password": PASSWORD})

    def _sign_out(self, query: Any, body: Any) -> Answer:
        self.sessions.clear()
        return 204, None

    def _set_language(self, query: Any, body: Any) -> Answer:
        self.language = body["language"]
        return 200, self._me()

    def _act_in(self, query: Any, body: Any) -> Answer:
        if body["tenant"] not in self.tenants:
            return 404, "no such tenant"
        self.tenant = body["tenant"]
        return 200, self._me()

    def _me(self) -> dict[str, Any]:
        tenant = {
            "id": f"t-{self.tenant}",
            "name": self.tenant,
            "title": self.tenants[self.tenant],
            "time_zone": "Asia/Shanghai",
            "language": "zh",
            "created_at": text(self.now),
        }
        return {
            "kind": "session",
            "actor": "user:ana",
            "role": self.role,
            "operator": self.operator,
            "user": {"id": "u1", "name": "ana", "language": self.language},
            "tenant": tenant,
            "tenants": [
                {"id": f"t-{n}", "name": n, "title": t, "role": "admin"} for n, t in self.tenants.items()
            ],
        }

    def _bus(self, name: str) -> dict[str, Any]:
        held = [one for one in self.events if one["bus"] == name]
        return {
            "name": name,
            "description": self._say("events of " + name),
            "created_at": text(self.now - timedelta(days=9)),
            "events": len(held),
            "last_received_at": held[0]["received_at"] if held else None,
        }

    def _new_bus(self, query: Any, body: Any) -> Answer:
        if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,126}", body["name"]):
            return 400, "a bus needs another name"
        self.buses.append(body["name"])
        return 201, self._bus(body["name"])

    def _kept(self) -> dict[str, Any]:
        buses = [{**self._kept_of(name), "name": name} for name in self.buses]
        return {**self._kept_of(""), "buses": buses}

    def _kept_of(self, name: str) -> dict[str, Any]:
        held = [one for one in self.events if name in {"", one["bus"]}]
        policy, hold = self.retention.get(name), self.holds.get(name)
        return {
            "policy": None if policy is None else {**policy, "updated_at": text(self.now), "updated_by": "a"},
            "hold": None
            if hold is None
            else {"reason": hold, "set_at": text(self.now), "set_by": "user:ana"},
            "events": len(held),
            "bytes": 1_234_567 * len(held),
            "oldest_received_at": held[-1]["received_at"] if held else None,
        }

    def _keep(self, body: Any, name: str) -> Answer:
        if not body["dry_run"]:
            self.retention[name] = {key: body[key] for key in ("max_age_days", "max_bytes")}
        return 200, {**self._kept(), "dry_run": body["dry_run"], "going": {"events": 12_345, "rejects": 3}}

    def _hold(self, body: Any, name: str) -> Answer:
        self.holds[name] = self._say(body["reason"])
        return 200, self._kept_of(name)["hold"]

    def _drop(self, held: dict[str, Any], name: str) -> Answer:
        return (204, None) if held.pop(name, None) is not None else (404, "no such thing")

    def _new_token(self, query: Any, body: Any) -> Answer:
        made = {
            "id": f"k{len(self.tokens)}",
            "prefix": "ect_AbCd",
            "created_at": text(self.now),
            "last_used_at": None,
            "expires_at": None,
            "revoked_at": None,
            **body,
        }
        self.tokens.append(made)
        return 201, {**made, "token": "ect_" + "Z" * 43}

    def _new_target(self, query: Any, body: Any) -> Answer:
        if body["kind"] == "rocketmq":
            self.targets = [*self.targets, self.topic(name=body["name"])]
            return 201, self.targets[-1]
        if "oapi.dingtalk.com" not in body["webhook"]:
            return 400, "a webhook of DingTalk begins with https://oapi.dingtalk.com/robot/send"
        self.targets = [
            *self.targets,
            {**self._targets()[0], "id": f"g{len(self.targets)}", "name": body["name"]},
        ]
        return 201, self.targets[-1]

    def _new_rule(self, query: Any, body: Any) -> Answer:
        made = {
            **self._rules()[0],
            **body,
            "id": f"r{len(self.rules) + 1}",
            "alerts_24h": 0,
            "last_fired_at": None,
        }
        self.rules.append(made)
        return 201, made

    def _rule(self, query: Any, body: Any, rule_id: str) -> Answer:
        found = [one for one in self.rules if one["id"] == rule_id]
        return (200, found[0]) if found else (404, "no such rule")

    def _put_rule(self, query: Any, body: Any, rule_id: str) -> Answer:
        for one in self.rules:
            if one["id"] == rule_id:
                one.update(body)
                return 200, one
        return 404, "no such rule"

    def _patch_rule(self, query: Any, body: Any, rule_id: str) -> Answer:
        return self._put_rule(query, body, rule_id)

    def _drop_rule(self, query: Any, body: Any, rule_id: str) -> Answer:
        self.rules = [one for one in self.rules if one["id"] != rule_id]
        return 204, None

    def _forwards(self, target_id: object) -> bool:
        return any(one["id"] == target_id and one.get("rocketmq") for one in self.targets)

    def _new_input(self, query: Any, body: Any) -> Answer:
        if "secret" in body["name"]:
            return 409, "this consumer group is an input's already"
        made = {**self._inputs()[0], **body, "id": f"i{len(self.inputs) + 1}"}
        made.pop("secret_key", None)
        self.inputs.append(made)
        return 201, made

    def _input(self, query: Any, body: Any, input_id: str) -> Answer:
        found = [one for one in self.inputs if one["id"] == input_id]
        return (200, {**found[0], **self._queues()}) if found else (404, "no such input")

    def _patch_input(self, query: Any, body: Any, input_id: str) -> Answer:
        for one in self.inputs:
            if one["id"] == input_id:
                one.update({name: value for name, value in body.items() if name != "secret_key"})
                return 200, one
        return 404, "no such input"

    def _drop_input(self, query: Any, body: Any, input_id: str) -> Answer:
        self.inputs = [one for one in self.inputs if one["id"] != input_id]
        return 204, None

    def _preview(self, query: Any, body: Any) -> Answer:
        sample = self.events[0] if self.events else None
        forwarded = {"form": "event", "title": "warehouse", "text": '{"id":"1","data":{"amount":1.0}}'}
        return 200, {
            "sentence": {
                "en": self._say("type is “k8s.pod.oom_killed” and data.restarts is greater than 3"),
                "zh": self._say("type 等于“k8s.pod.oom_killed”，并且 data.restarts 大于 3"),
            },
            "matched_24h": 42 if sample else 0,
            "sample": sample,
            "message": forwarded
            if self._forwards(body.get("target_id"))
            else {
                "title": self._say("Pod OOM killed"),
                "text": "### Pod \\*OOM\\* killed\n\n> checkout in prod\n\n- **restarts**: 5\n\n"
                + (_markdown_escaped(HOSTILE) if self.hostile else "")
                + "\n\n[事件 Event](http://127.0.0.1:8501/events?event=1) · [规则 Rule](http://127.0.0.1:8501/rules?rule=r1)",
            }
            if sample
            else None,
            "problems": [],
        }

    def _search(self, query: dict[str, list[str]], body: Any) -> Answer:
        found = self._chosen(query)
        start, limit = int(query.get("cursor", ["0"])[0]), int(query.get("limit", ["100"])[0])
        following = str(start + limit) if start + limit < len(found) else None
        return 200, {"events": found[start : start + limit], "next": following}

    def _event(self, query: Any, body: Any, seq: str) -> Answer:
        found = [one for one in self.events if one["seq"] == int(seq)]
        return (200, found[0]) if found else (404, f"no event {seq}")

    def _origins(self, query: Any, body: Any, seq: str) -> Answer:
        """Every second event came by a message, and then once more."""
        if int(seq) % 2:
            return 200, {"origins": []}
        [event] = [one for one in self.events if one["seq"] == int(seq)]
        moment = event["received_at"]
        first = {
            "outcome": "stored",
            "received_at": moment,
            "input": "in1",
            "topic": HOSTILE[:60] if self.hostile else "orders",
            "broker": "broker-a",
            "queue_id": 3,
            "queue_offset": 4711,
            "message_id": "01C0A80164F8A2",
            "keys": HOSTILE if self.hostile else "order-4711 k2",
            "tag": "order.paid",
            "born_at": moment,
            "stored_at": moment,
            "delivery_attempt": 1,
        }
        again = {"outcome": "duplicate", "queue_id": None, "queue_offset": None, "delivery_attempt": 2}
        return 200, {"origins": [first, first | again]}

    def _chosen(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        first, last = query.get("from", [""])[0], query.get("to", ["9"])[0]
        return [
            one
            for one in self.events
            if all(one["event"].get(n) in query[n] for n in ("type", "source", "subject", "id") if n in query)
            and one["bus"] in query.get("bus", [one["bus"]])
            and first <= one["received_at"] < last
        ]

    def _histogram(self, query: dict[str, list[str]], body: Any) -> Answer:
        found = self._chosen(query)
        first, last = (datetime.fromisoformat(query[n][0]) for n in ("from", "to"))
        step = float(query.get("step", [str(max(1, round((last - first).total_seconds() / 60)))])[0])
        counts: dict[str, dict[int, int]] = {}
        for one in found:
            at = int((datetime.fromisoformat(one["received_at"]) - first).total_seconds() // step)
            kind = counts.setdefault(one["event"]["type"], {})
            kind[at] = kind.get(at, 0) + 1
        ranked = sorted(counts, key=lambda n: -sum(counts[n].values()))[:6]
        series = [
            {
                "name": n,
                "points": [
                    [text(first + timedelta(seconds=step * at)), c] for at, c in sorted(counts[n].items())
                ],
            }
            for n in ranked
        ]
        return 200, {
            "step": step,
            "from": text(first),
            "to": text(last),
            "series": series,
            "total": len(found),
        }

    def _top(self, query: dict[str, list[str]], body: Any) -> Answer:
        counts: dict[str, int] = {}
        for one in self._chosen(query):
            value = one["bus"] if query["by"][0] == "bus" else one["event"].get(query["by"][0])
            counts[value] = counts.get(value, 0) + 1
        ranked = sorted(counts.items(), key=lambda item: -item[1])[: int(query.get("limit", ["10"])[0])]
        return 200, {"items": [{"value": value, "count": count} for value, count in ranked]}

    def _deliveries_page(self, query: dict[str, list[str]], body: Any) -> Answer:
        state = query.get("state", [None])[0]
        found = [one for one in self._deliveries() if state in {None, one["state"]}]
        return 200, {"deliveries": found, "next": None}

    def _delivery(self, query: Any, body: Any, delivery_id: str) -> Answer:
        for one in self._deliveries():
            if one["id"] == delivery_id:
                attempts = [
                    {
                        "started_at": one["created_at"],
                        "finished_at": one["created_at"],
                        "status": 200,
                        "errcode": 0,
                        "request": {"url": "https://oapi.dingtalk.com/robot/send?access_token=***&sign=***"},
                        "response": self._say('{"errcode":0,"errmsg":"ok"}'),
                        "outcome": one["last"]["outcome"],
                        "latency_ms": 84.2,
                    }
                ]
                payload = {
                    "title": self._say("Pod OOM killed"),
                    "text": self._say("### Pod killed\n\n- restarts: 5"),
                }
                return 200, {**one, "attempts": attempts, "payload": payload}
        return 404, "no such delivery"

    def _reject(self, query: Any, body: Any, reject_id: str) -> Answer:
        for one in self._rejects():
            if one["id"] == int(reject_id):
                return 200, {**one, "base64": base64.b64encode(one["text"].encode()).decode()}
        return 404, "no such reject"

    def _sent(self) -> dict[str, Any]:
        return {
            "delivery_id": "d0",
            "state": "failed",
            "outcome": "broken",
            "text": {"en": self._say("The keyword is missing."), "zh": self._say("缺少关键词。")},
            "remedy": {"en": "Add the keyword.", "zh": "请添加关键词。"},
        }

    def _link(self) -> dict[str, Any]:
        return {"code": "c0de", "expires_at": text(self.now + timedelta(minutes=15))}

    # -- data ----------------------------------------------------------------------------------------

    def _say(self, plain: str) -> str:
        return HOSTILE if self.hostile else plain

    def _events(self) -> list[dict[str, Any]]:
        kinds = (
            "k8s.pod.created",
            "k8s.pod.restarted",
            "k8s.pod.oom_killed",
            "k8s.node.pressure",
            "com.acme.payment.failed",
            "com.acme.deploy.finished",
            "com.acme.login",
            "订单.创建",
        )
        sources = ("/clusters/prod-cn", "/clusters/prod-eu", "/services/checkout", "/服务/支付网关")
        made = []
        for n in range(420):
            at = self.now - timedelta(seconds=7 + n * 97 + (n * n) % 61)
            kind = self._say(kinds[(n * n + n // 7) % len(kinds)])
            data = {
                "pod": f"checkout-{n:04x}",
                "restarts": n % 6,
                "memory": "512Mi",
                "message": self._say("内存不足 out of memory"),
            }
            made.append(
                {
                    "seq": 1000 - n,
                    "bus": ("k8s", "default", "payments")[n % 3],
                    "received_at": text(at),
                    "event": {
                        "specversion": "1.0",
                        "id": self._say(f"evt-{1000 - n}"),
                        "source": self._say(sources[n % 4]),
                        "type": kind,
                        "subject": self._say(f"prod/checkout-{n:04x}"),
                        "time": text(at),
                        "datacontenttype": "application/json",
                        "severity": ("info", "warning", "critical")[n % 3],
                        "data": data,
                    },
                }
            )
        return made

    def _status(self) -> dict[str, Any]:
        return {
            "events": len(self.events),
            "rejects": 3 if self.full else 0,
            "duplicates": 7,
            "last_seq": 1000,
            "loader_lag_s": 0.2,
            "journal_bytes": 65536,
            "rule_lag_events": 0,
            "outbox_pending": 1,
            "outbox_oldest_s": 2.5,
            "broken_targets": [
                {
                    "id": "g2",
                    "name": self._say("夜班群"),
                    "health": "broken",
                    "remedy": "The robot answered “keywords not in content”: add its keyword to the target.",
                }
            ]
            if self.full
            else [],
            "buses": [],
        }

    def _rules(self) -> list[dict[str, Any]]:
        base = {
            "buses": ["k8s"],
            "template": {"title": "${type}", "text": "**${subject}**\n\n${data.message}"},
            "cooldown_s": 300,
            "target_id": "g1",
            "enabled": True,
            "created_at": text(self.now),
            "updated_at": text(self.now),
            "last_fired_at": text(self.now - timedelta(minutes=4)),
            "alerts_24h": 17,
            "suppressed_24h": 2,
            "sentence": {
                "en": self._say("type is “k8s.pod.oom_killed”"),
                "zh": self._say("type 等于“k8s.pod.oom_killed”"),
            },
        }
        return [
            {
                **base,
                "id": "r1",
                "name": self._say("Pod OOM killed"),
                "pattern": {"type": ["k8s.pod.oom_killed"], "data": {"restarts": [{"numeric": [">", 3]}]}},
            },
            {
                **base,
                "id": "r2",
                "name": self._say("支付失败"),
                "enabled": False,
                "alerts_24h": 0,
                "last_fired_at": None,
                "buses": [],
                "pattern": {"$or": [{"type": [{"prefix": "com.acme.payment"}]}, {"severity": ["critical"]}]},
            },
        ]

    def _problem(self) -> dict[str, Any]:
        return {
            "detail": self._say("RocketMQ has no topic shipments."),
            "value": self._say("shipments"),
            "rule": self._say("a topic exists before it is read"),
            "remedy": self._say("make it"),
        }

    def _inputs(self) -> list[dict[str, Any]]:
        topic = {
            "topic": self._say("orders"),
            "bus": "payments",
            "is_pattern": False,
            "filter": "*",
            "filter_kind": "tag",
            "wrap_type": None,
        }
        status = {
            "state": "behind",
            "text": {"en": "It receives, and catches up.", "zh": "正在接收，追赶积压的消息。"},
            "remedy": None,
            "problems": [],
            "services": ["main"],
            "brokers": ["broker-a"],
            "lag_messages": 12_345,
            "lag_s": 91.5,
            "rate_s": 7_012.4,
            "received": 100_000,
            "stored": 99_000,
            "duplicates": 990,
            "rejected": 10,
            "empty": 0,
            "missing": 7,
            "last_received_at": text(self.now),
            "reach_at": text(self.now),
            "reach_problem": None,
        }
        base = {
            "kind": "rocketmq",
            "addresses": "rocketmq.example.com:8081",
            "topics": [topic],
            "name_servers": "rocketmq.example.com:9876",
            "namespace": "",
            "access_key": "account",
            "has_secret": True,
            "tls": False,
            "tls_ca": "",
            "tls_name": "",
            "accept_unprefixed_extensions": True,
            "service": None,
            "enabled": True,
            "start": {"position": "first", "at": None},
            "created_at": text(self.now),
            "updated_at": text(self.now),
        }
        broken = {
            **status,
            "state": "broken",
            "text": {"en": "It cannot receive.", "zh": "无法接收。"},
            "problems": [self._problem()],
            "lag_messages": None,
            "lag_s": None,
            "rate_s": None,
            "reach_problem": self._problem(),
            "last_received_at": None,
            "reach_at": None,
            "received": 0,
        }
        return [
            {**base, "id": "i1", "name": self._say("订单 orders"), "group": "orders", "status": status},
            {**base, "id": "i2", "name": self._say("shipments"), "group": "ship", "status": broken},
        ]

    def _queues(self) -> dict[str, Any]:
        if not self.full:
            return {"topic_states": [], "queues": [], "gaps": [], "gaps_more": 0}
        place = {"topic": self._say("orders"), "broker": self._say("broker-a"), "queue_id": 0}
        since, until = text(self.now - timedelta(hours=5)), text(self.now)
        complete = {"since": since, "until": until, "why": None, "text": {"en": "All.", "zh": "全部。"}}
        claim = {
            "since": None,
            "until": None,
            "why": "gaps",
            "text": {"en": "There are gaps.", "zh": "存在缺口。"},
        }
        counts = {"received": 100_000, "stored": 99_000, "duplicates": 990, "rejected": 10, "empty": 0}
        topic = {"bus": "payments", "filtered": False, "received": 100_000, "lag_messages": 0, "missing": 0}
        return {
            "topic_states": [
                {**topic, "topic": self._say("orders"), "complete": complete},
                {**topic, "topic": self._say("returns"), "missing": 7, "complete": claim},
            ],
            "queues": [
                {
                    **place,
                    **counts,
                    "first_offset": 0,
                    "last_offset": 100_006,
                    "first_stored_at": since,
                    "last_stored_at": until,
                    "oldest": 0,
                    "newest": 112_352,
                    "lag_messages": 12_345,
                }
            ],
            "gaps": [
                {
                    **place,
                    "first": 500,
                    "last": 506,
                    "count": 7,
                    "kind": "missing",
                    "fetching": True,
                    "text": {"en": "not received", "zh": "未收到"},
                }
            ],
            "gaps_more": 3,
        }

    def _fetches(self) -> list[dict[str, Any]]:
        base = {
            "service": "main",
            "done": 500,
            "total": 1_000,
            "found": 400,
            "problem": None,
            "created_at": text(self.now),
            "created_by": "user:ana",
            "finished_at": None,
        }
        hour = {"from": text(self.now - timedelta(hours=1)), "to": text(self.now)}
        return [
            {**base, **hour, "id": "f1", "reason": "backfill", "state": "running"},
            {**base, "from": None, "to": None, "id": "f2", "reason": "gap", "state": "done"},
            {**base, **hour, "id": "f3", "reason": "backfill", "state": "failed", "problem": self._problem()},
        ]

    def _tried(self) -> dict[str, Any]:
        sample = {
            "topic": self._say("orders"),
            "broker": self._say("broker-a"),
            "queue_id": 0,
            "offset": 7,
            "stored_at": text(self.now),
            "tag": self._say("paid"),
            "layout": "binary",
            "events": 1,
            "id": self._say("evt-1"),
            "type": self._say("com.acme.order"),
            "source": self._say("/services/orders"),
            "rejected": 0,
            "error": None,
        }
        refused = {"layout": "plain", "events": 0, "id": None, "type": None, "source": None, "rejected": 1}
        return {
            "ok": False,
            "findings": [
                {
                    "what": "server",
                    "name": "rocketmq.example.com:8081",
                    "ok": True,
                    "problem": None,
                    "command": None,
                },
                {
                    "what": "topic",
                    "name": self._say("shipments"),
                    "ok": False,
                    "problem": self._problem(),
                    "command": "mqadmin updateTopic -n rocketmq.example.com:9876 -c CLUSTER -t shipments",
                },
            ],
            "samples": [
                sample,
                {**sample, **refused, "error": self._say("There is no event in the message.")},
            ],
            "samples_note": {"en": "Some were not read.", "zh": "部分未读取。"},
        }

    def _targets(self) -> list[dict[str, Any]]:
        base = {
            "kind": "dingtalk",
            "keyword": None,
            "token_hint": "…a1b2",
            "has_secret": True,
            "base_url": None,
            "enabled": True,
            "created_at": text(self.now),
        }
        return [
            {
                **base,
                "id": "g1",
                "name": self._say("值班群 on-call"),
                "health": "ok",
                "health_text": {"en": "Delivered 4 minutes ago.", "zh": "Delivered 4 minutes ago."},
                "remedy": None,
            },
            {
                **base,
                "id": "g2",
                "name": self._say("夜班群"),
                "health": "broken",
                "keyword": self._say("告警"),
                "health_text": {
                    "en": "DingTalk refused the last message.",
                    "zh": "DingTalk refused the last message.",
                },
                "remedy": {"en": "Add its keyword to the target.", "zh": "请在目标中填写机器人的关键词。"},
            },
        ]

    def topic(self, *, name: str = "Warehouse") -> dict[str, Any]:
        """A target of kind rocketmq."""
        return {
            **self._targets()[0],
            "id": f"g{len(self.targets) + 1}",
            "name": name,
            "kind": "rocketmq",
            "token_hint": "",
            "rocketmq": {
                "addresses": "proxy.example.com:8081",
                "topic": "warehouse",
                "namespace": self._say("shop"),
                "access_key": self._say("eventcenter"),
                "tls": True,
                "tls_ca": "",
                "tls_name": "",
            },
        }

    def _tokens(self) -> list[dict[str, Any]]:
        return [
            {
                "id": "k1",
                "name": self._say("billing"),
                "role": "writer",
                "prefix": "ect_9fXa",
                "created_at": text(self.now - timedelta(days=3)),
                "last_used_at": text(self.now),
                "expires_at": None,
                "revoked_at": None,
            }
        ]

    def _users(self) -> list[dict[str, Any]]:
        return [
            {"id": f"u{n}", "name": name, "role": "admin", "language": "en", "created_at": text(self.now)}
            for n, name in enumerate(("ana", "bo"), 1)
        ]

    def _audit(self) -> list[dict[str, Any]]:
        return [
            {
                "id": n,
                "actor": "user:ana",
                "action": "rule.changed",
                "object": self._say("Pod OOM killed"),
                "detail": {"enabled": True},
                "at": text(self.now - timedelta(minutes=n)),
            }
            for n in range(1, 8)
        ]

    def _rejects(self) -> list[dict[str, Any]]:
        if not self.full:
            return []
        reasons = (
            ("invalid", "attribute source is missing"),
            ("id_reused", "the same source and id with other content"),
            ("unreadable", "the body is not JSON: unexpected character at 17"),
        )
        return [
            {
                "id": n,
                "bus": "default",
                "received_at": text(self.now - timedelta(minutes=n)),
                "reason": reason,
                "error": self._say(error),
                "content_type": "application/cloudevents+json",
                "event_index": None,
                "size": 61,
                "text": self._say('{"specversion":"1.0","id":"7","type":"x"}'),
            }
            for n, (reason, error) in enumerate(reasons, 1)
        ]

    def _deliveries(self) -> list[dict[str, Any]]:
        if not self.full:
            return []
        states = ("delivered", "delivered", "failed", "pending", "merged", "delivered")
        return [
            {
                "id": f"d{n}",
                "kind": "event",
                "state": state,
                "rule": {"id": "r1", "name": self._say("Pod OOM killed")},
                "target": {"id": "g1", "name": self._say("值班群 on-call")},
                "event": {
                    "seq": 1000 - n,
                    "id": self._say(f"evt-{1000 - n}"),
                    "type": self._say("k8s.pod.oom_killed"),
                    "source": self._say("/clusters/prod-cn"),
                    "bus": "k8s",
                },
                "attempts": 1,
                "created_at": text(self.now - timedelta(minutes=3 * n)),
                "updated_at": text(self.now),
                "last": {
                    "outcome": "broken" if state == "failed" else "ok",
                    "errcode": 310000 if state == "failed" else 0,
                    "text": self._say("keywords not in content" if state == "failed" else "ok"),
                    "latency_ms": 84.2,
                },
            }
            for n, state in enumerate(states)
        ]


def _markdown_escaped(value: str) -> str:
    return re.sub(r"([\\`*_{}\[\]()#+\-.!>|~<])", r"\\\1", value)


def _out(answer: Answer) -> tuple[int, bytes]:
    status, body = answer
    if status >= 400:
        return status, _problem(status, body)
    return status, b"" if body is None else json.dumps(body, ensure_ascii=False).encode()


def _problem(status: int, detail: str) -> bytes:
    return json.dumps(
        {
            "type": "urn:eventcenter:problem:x",
            "title": "Problem",
            "status": status,
            "detail": detail,
            "rule": "a rule of the API",
            "remedy": "do it another way",
        }
    ).encode()


def _kind(status: int) -> str:
    return "application/problem+json" if status >= 400 else "application/json"
