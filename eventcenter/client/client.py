"""The synchronous client: httpx underneath, one method per route."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from eventcenter.client.answers import (
    AddedUser,
    AuditEntry,
    AuditPage,
    Backup,
    Bus,
    CreatedToken,
    DeliveryDetail,
    DeliveryPage,
    Envelope,
    EventPage,
    Fetch,
    Histogram,
    Input,
    LegalHold,
    Me,
    Origin,
    Preview,
    Problem,
    RejectDetail,
    RejectPage,
    Retention,
    Rule,
    Sent,
    Series,
    Session,
    SignInLink,
    Status,
    Target,
    Tenant,
    Token,
    TopValue,
    Tried,
    User,
)
from eventcenter.client.filters import EventFilter, wire_time
from eventcenter.client.wire import decode, problem
from eventcenter.clock import Clock, SystemClock
from eventcenter.connections import KEPT
from eventcenter.errors import Unavailable

T = TypeVar("T")
Query = Sequence[tuple[str, str]]


class Client:
    """Asks the API at `base_url` with `credential` (a token or a session; None asks without).

    Every method raises an error of eventcenter.errors: the API's own refusals, and Unavailable where
    it does not answer. Safe to share between threads; `with_credential` shares the connections.
    """

    def __init__(
        self,
        base_url: str,
        credential: str | None = None,
        *,
        timeout_s: float = 35.0,
        transport: httpx.BaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._credential = credential
        self._clock = clock or SystemClock()
        self._http = httpx.Client(
            base_url=self._base_url, timeout=timeout_s, transport=transport, trust_env=False, limits=KEPT
        )

    def with_credential(self, credential: str | None) -> Self:
        """The same API and connections, asked by someone else."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._credential = credential
        return twin

    def close(self) -> None:
        """Close the connections, of twins too."""
        self._http.close()

    def now(self) -> datetime:
        """The present moment, for ranges like 'the last hour'."""
        return self._clock.now()

    # -- who asks ------------------------------------------------------------------------------------

    def sign_in(self, name: str, password: str) -> Session:
        return self._post("/v1/sessions", {"name": name, "password": password}, Session)

    def sign_in_by_link(self, code: str) -> Session:
        return self._post("/v1/sessions/link", {"code": code}, Session)

    def sign_out(self) -> None:
        self._send("DELETE", "/v1/sessions/current")

    def me(self) -> Me:
        return self._get("/v1/me", Me)

    def set_language(self, language: str) -> None:
        self._send("PATCH", "/v1/me", {"language": language})

    def set_password(self, new: str, current: str | None = None) -> None:
        body = {"new": new} if current is None else {"new": new, "current": current}
        self._send("PUT", "/v1/me/password", body)

    def act_in(self, tenant: str) -> None:
        """Let this session act in another of the person's tenants."""
        self._send("PUT", "/v1/sessions/current/tenant", {"tenant": tenant})

    # -- tenant, buses, tokens, users, audit ---------------------------------------------------------

    def tenant(self) -> Tenant:
        return self._get("/v1/tenant", Tenant)

    def set_tenant(self, **changes: str) -> None:
        """Change `title`, `time_zone` or `language`."""
        self._send("PATCH", "/v1/tenant", changes)

    def tenants(self) -> tuple[Tenant, ...]:
        return self._items("/v1/tenants", Tenant)

    def create_tenant(self, name: str, title: str = "") -> Tenant:
        return self._post("/v1/tenants", {"name": name, "title": title}, Tenant)

    def buses(self) -> tuple[Bus, ...]:
        return self._items("/v1/buses", Bus)

    def create_bus(self, name: str, description: str = "") -> Bus:
        return self._post("/v1/buses", {"name": name, "description": description}, Bus)

    def delete_bus(self, name: str, *, confirm: str | None = None) -> None:
        self._send("DELETE", f"/v1/buses/{_part(name)}", query=_given(confirm=confirm))

    def retention(self) -> Retention:
        return self._get("/v1/retention", Retention)

    def set_retention(
        self,
        bus: str | None = None,
        *,
        max_age_days: int | None = None,
        max_bytes: int | None = None,
        dry_run: bool = False,
    ) -> Retention:
        """Set limits of a bus or of the tenant; `dry_run` only tells what would go."""
        body = {"max_age_days": max_age_days, "max_bytes": max_bytes, "dry_run": dry_run}
        return decode(self._send("PUT", _kept(bus), body), Retention)

    def reset_retention(self, bus: str | None = None) -> None:
        self._send("DELETE", _kept(bus))

    def hold(self, bus: str | None = None, *, reason: str) -> LegalHold:
        """Set a legal hold on a bus or on the tenant."""
        return decode(self._send("PUT", _held(bus), {"reason": reason}), LegalHold)

    def lift_hold(self, bus: str | None = None) -> None:
        self._send("DELETE", _held(bus))

    def tokens(self) -> tuple[Token, ...]:
        return self._items("/v1/tokens", Token)

    def create_token(self, name: str, role: str, expires_at: datetime | None = None) -> CreatedToken:
        body: dict[str, object] = {"name": name, "role": role}
        if expires_at is not None:
            body["expires_at"] = wire_time(expires_at)
        return self._post("/v1/tokens", body, CreatedToken)

    def revoke_token(self, token_id: str) -> None:
        self._send("DELETE", f"/v1/tokens/{_part(token_id)}")

    def users(self) -> tuple[User, ...]:
        return self._items("/v1/users", User)

    def create_user(self, name: str, role: str) -> AddedUser:
        return self._post("/v1/users", {"name": name, "role": role}, AddedUser)

    def remove_user(self, user_id: str) -> None:
        self._send("DELETE", f"/v1/users/{_part(user_id)}")

    def invite(self, user_id: str) -> SignInLink:
        return self._post(f"/v1/users/{_part(user_id)}/link", {}, SignInLink)

    def audit(self, *, limit: int = 100, cursor: str | None = None) -> AuditPage:
        body = self._send("GET", "/v1/audit", query=_given(limit=limit, cursor=cursor))
        entries, following = _page(body, AuditEntry, ("audit", "entries", "items"))
        return AuditPage(entries=entries, next=following)

    # -- events --------------------------------------------------------------------------------------

    def events(
        self, which: EventFilter, *, order: str = "newest", limit: int = 100, cursor: str | None = None
    ) -> EventPage:
        query = [*which.parameters(), *_given(order=order, limit=limit, cursor=cursor)]
        return self._get("/v1/events", EventPage, query)

    def export(self, which: EventFilter, *, timeout_s: float = 3600.0) -> Iterator[bytes]:
        """A Parquet file with all these events, piece by piece."""
        request = self._http.build_request(
            "GET",
            "/v1/events/export",
            params=[*which.parameters()],
            headers={"Authorization": f"Bearer {self._credential}"},
            timeout=timeout_s,
        )
        try:
            answer = self._http.send(request, stream=True)
            try:
                if not answer.is_success:
                    raise problem(answer.status_code, answer.headers, answer.read())
                yield from answer.iter_raw()
            finally:
                answer.close()
        except httpx.HTTPError as error:
            raise Unavailable(
                f"the export was cut off ({type(error).__name__})",
                remedy="see the server's log, then try again; narrow the range if it takes too long",
            ) from error

    def event(self, seq: int) -> Envelope:
        return self._get(f"/v1/events/{seq}", Envelope)

    def origins(self, seq: int) -> tuple[Origin, ...]:
        """The messages that an event came by; none where it was posted."""
        return _page(self._send("GET", f"/v1/events/{seq}/origins"), Origin, ("origins",))[0]

    def histogram(
        self, which: EventFilter, *, step: float | None = None, by: str = "type", top: int = 6
    ) -> Histogram:
        query = [*which.parameters(), *_given(step=step, by=by, top=top)]
        answer = self._get("/v1/events/histogram", _Histogram, query)
        return Histogram(
            step=answer.step, from_=answer.from_, to=answer.to, series=answer.series, total=answer.total
        )

    def top(self, which: EventFilter, *, by: str, limit: int = 10) -> tuple[TopValue, ...]:
        return self._items("/v1/events/top", TopValue, [*which.parameters(), *_given(by=by, limit=limit)])

    def rejects(self, *, bus: str | None = None, limit: int = 100, cursor: str | None = None) -> RejectPage:
        return self._get("/v1/rejects", RejectPage, _given(bus=bus, limit=limit, cursor=cursor))

    def reject(self, reject_id: int) -> RejectDetail:
        return self._get(f"/v1/rejects/{reject_id}", RejectDetail)

    def status(self) -> Status:
        return self._get("/v1/status", Status)

    # -- operators -----------------------------------------------------------------------------------

    def start_backup(self, name: str | None = None) -> Backup:
        return self._post("/v1/backups", {"name": name}, Backup)

    def backup(self, name: str) -> Backup:
        return self._get(f"/v1/backups/{quote(name, safe='')}", Backup)

    # -- SQL -----------------------------------------------------------------------------------------

    def query(
        self, sql: str, parameters: Mapping[str, object], *, limit: int | None = None, format_: str = "json"
    ) -> tuple[bytes, bool]:
        """The answer to a SELECT as json, csv or arrow, and whether there are more rows."""
        body = {"sql": sql, "parameters": dict(parameters), "limit": limit, "format": format_}
        answer = self._ask("POST", "/v1/query", body)
        return answer.content, answer.headers.get("x-truncated") == "true"

    # -- targets, rules, deliveries ------------------------------------------------------------------

    def targets(self) -> tuple[Target, ...]:
        return self._items("/v1/targets", Target)

    def create_target(self, fields: Mapping[str, object]) -> Target:
        return self._post("/v1/targets", dict(fields), Target)

    def change_target(self, target_id: str, changes: Mapping[str, object]) -> None:
        self._send("PATCH", f"/v1/targets/{_part(target_id)}", dict(changes))

    def delete_target(self, target_id: str) -> None:
        self._send("DELETE", f"/v1/targets/{_part(target_id)}")

    def test_target(self, target_id: str) -> Sent:
        """Send a test message."""
        return self._post(f"/v1/targets/{_part(target_id)}/test", {}, Sent)

    def rules(self) -> tuple[Rule, ...]:
        return self._items("/v1/rules", Rule)

    def rule(self, rule_id: str) -> Rule:
        return self._get(f"/v1/rules/{_part(rule_id)}", Rule)

    def create_rule(self, fields: Mapping[str, object]) -> Rule:
        return self._post("/v1/rules", dict(fields), Rule)

    def replace_rule(self, rule_id: str, fields: Mapping[str, object]) -> Rule:
        return decode(self._send("PUT", f"/v1/rules/{_part(rule_id)}", dict(fields)), Rule)

    def enable_rule(self, rule_id: str, *, enabled: bool) -> None:
        self._send("PATCH", f"/v1/rules/{_part(rule_id)}", {"enabled": enabled})

    def delete_rule(self, rule_id: str) -> None:
        self._send("DELETE", f"/v1/rules/{_part(rule_id)}")

    def preview_rule(self, fields: Mapping[str, object]) -> Preview:
        return self._post("/v1/rules/preview", dict(fields), Preview)

    def test_rule(self, rule_id: str, *, event_seq: int | None = None) -> Sent:
        """Send the rule's message of one event now."""
        body: dict[str, object] = {} if event_seq is None else {"event_seq": event_seq}
        return self._post(f"/v1/rules/{_part(rule_id)}/test", body, Sent)

    def deliveries(
        self,
        *,
        state: str | None = None,
        target: str | None = None,
        rule: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> DeliveryPage:
        query = _given(state=state, target=target, rule=rule, limit=limit, cursor=cursor)
        return self._get("/v1/deliveries", DeliveryPage, query)

    def delivery(self, delivery_id: str) -> DeliveryDetail:
        return self._get(f"/v1/deliveries/{_part(delivery_id)}", DeliveryDetail)

    # -- inputs --------------------------------------------------------------------------------------

    def inputs(self) -> tuple[Input, ...]:
        return self._items("/v1/inputs", Input)

    def input(self, input_id: str) -> Input:
        """One input with its queues and gaps."""
        return self._get(f"/v1/inputs/{_part(input_id)}", Input)

    def create_input(self, fields: Mapping[str, object]) -> Input:
        return self._post("/v1/inputs", dict(fields), Input)

    def change_input(self, input_id: str, changes: Mapping[str, object]) -> None:
        self._send("PATCH", f"/v1/inputs/{_part(input_id)}", dict(changes))

    def delete_input(self, input_id: str) -> None:
        self._send("DELETE", f"/v1/inputs/{_part(input_id)}")

    def test_input(self, fields: Mapping[str, object]) -> Tried:
        """Try settings; with `id` those of a saved input and what is changed in it."""
        return self._post("/v1/inputs/test", dict(fields), Tried)

    def fetches(self, input_id: str) -> tuple[Fetch, ...]:
        rows = self._items(f"/v1/inputs/{_part(input_id)}/fetches", _Fetch)
        return tuple(row.fetch() for row in rows)

    def create_fetch(self, input_id: str, *, from_: datetime, to: datetime) -> Fetch:
        """Fetch again what the brokers stored from `from_` up to before `to`."""
        body = {"from": wire_time(from_), "to": wire_time(to)}
        return self._post(f"/v1/inputs/{_part(input_id)}/fetches", body, _Fetch).fetch()

    # -- the wire ------------------------------------------------------------------------------------

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None, query: Query = ()) -> bytes:
        return self._ask(method, path, body, query).content

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, query: Query = ()
    ) -> httpx.Response:
        headers = {"Accept": "application/json"}
        if self._credential is not None:
            headers["Authorization"] = f"Bearer {self._credential}"
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        try:
            answer = self._http.request(
                method, path, content=content, params=[*query] or None, headers=headers
            )
        except httpx.HTTPError as error:
            raise Unavailable(
                f"the API at {self._base_url} does not answer ({type(error).__name__})",
                remedy="check that `eventcenter serve` or `eventcenter up` is running, then try again",
            ) from error
        if answer.is_success:
            return answer
        raise problem(answer.status_code, answer.headers, answer.content)

    def _get(self, path: str, kind: type[T], query: Query = ()) -> T:
        return decode(self._send("GET", path, query=query), kind)

    def _post(self, path: str, body: dict[str, Any], kind: type[T]) -> T:
        return decode(self._send("POST", path, body), kind)

    def _items(self, path: str, kind: type[T], query: Query = ()) -> tuple[T, ...]:
        return _page(self._send("GET", path, query=query), kind, ("items",))[0]


class _Histogram(msgspec.Struct, frozen=True):
    step: float
    from_: datetime = msgspec.field(name="from")
    to: datetime
    series: tuple[Series, ...] = ()
    total: int = 0


class _Fetch(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    reason: str
    state: str
    service: str
    from_: datetime | None = msgspec.field(name="from")
    to: datetime | None
    done: int
    total: int
    found: int
    problem: Problem | None
    created_at: datetime
    created_by: str
    finished_at: datetime | None

    def fetch(self) -> Fetch:
        return Fetch(**msgspec.structs.asdict(self))


def _page(body: bytes, kind: type[T], names: Sequence[str]) -> tuple[tuple[T, ...], str | None]:
    """A list answer: bare, or an object whose list has one of `names` (or is its only list)."""
    if body.lstrip()[:1] == b"[":
        return decode(body, tuple[kind, ...]), None  # type: ignore[valid-type]
    members = decode(body, dict[str, msgspec.Raw])
    following = members.pop("next", None)
    lists = {name: value for name, value in members.items() if bytes(value).lstrip()[:1] == b"["}
    name = next((name for name in names if name in lists), next(iter(lists), None))
    rows = decode(bytes(lists[name]), tuple[kind, ...]) if name is not None else ()  # type: ignore[valid-type]
    return rows, None if following is None else decode(bytes(following), str | None)  # type: ignore[arg-type]


def _given(**values: object) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in values.items() if value is not None]


def _kept(bus: str | None) -> str:
    return "/v1/retention" if bus is None else f"/v1/buses/{_part(bus)}/retention"


def _held(bus: str | None) -> str:
    return "/v1/retention/hold" if bus is None else f"/v1/buses/{_part(bus)}/hold"


def _part(text: str) -> str:
    return quote(text, safe="")
