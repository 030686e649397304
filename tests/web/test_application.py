"""The rim: problems, hosts, bodies, health, metrics, OpenAPI."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from eventcenter.errors import ERRORS, Busy, EventCenterError, Unavailable
from eventcenter.web.application import create_application
from eventcenter.web.auth import Viewer
from tests.support.api import Api, World, world

LOCAL, REMOTE = ("127.0.0.1", 1), ("203.0.113.9", 1)


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    count: int


def probe() -> APIRouter:
    router = APIRouter()

    @router.get("/probe/{code}", summary="Raises the error of that code")
    def fail(code: str) -> dict[str, str]:
        kinds = {kind.code: kind for kind in ERRORS}
        raise kinds[code]("It went wrong.", value="v" * 1000, rule="a rule", remedy="a way out")

    @router.post("/probe", summary="Takes a body")
    def take(body: Body) -> Body:
        return body

    @router.get("/probe", summary="Takes a number")
    def number(who: Viewer, limit: int = 1) -> dict[str, str | int]:
        return {"tenant": who.tenant, "limit": limit}

    return router


@pytest.fixture
def there(tmp_path: Path) -> Iterator[World]:
    with world(
        tmp_path,
        routers=[probe()],
        public_url="https://events.example.com",
        allowed_hosts=("inside.example",),
        metrics_token="m" * 20,
    ) as made:
        yield made


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.code)
def test_every_error_is_a_problem_with_its_way_out(there: World, kind: type[EventCenterError]) -> None:
    answer = there.api.ask("GET", f"/probe/{kind.code}")
    assert answer.status_code == kind.status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": f"urn:eventcenter:problem:{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": "It went wrong.",
        "value": "v" * 200 + "…",
        "rule": "a rule",
        "remedy": "a way out",
    }
    assert ("retry-after" in answer.headers) == (kind in {Busy, Unavailable})
    assert answer.headers.get("www-authenticate") == ("Bearer" if kind.status == 401 else None)


def test_a_wrong_body_names_all_its_problems(there: World) -> None:
    answer = there.api.ask("POST", "/probe", {"count": "many", "extra": 1})
    assert answer.status_code == 400
    problem = answer.json()
    assert [entry["where"] for entry in problem["problems"]] == ["body.name", "body.count", "body.extra"]
    assert problem["problems"][1]["value"] == "many"
    assert all(name in problem["detail"] for name in ("body.name", "body.count", "body.extra"))
    assert problem["rule"]
    assert problem["remedy"]


@pytest.mark.parametrize(
    "content", [b"{", b"", b"\xff\xfe", b'{"name": "\\ud800", "count": 1}', b"[" * 100_000]
)
def test_a_body_that_cannot_be_read_is_a_problem(there: World, content: bytes) -> None:
    answer = there.api.ask("POST", "/probe", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["remedy"]


def test_unknown_addresses_and_methods_are_problems(there: World) -> None:
    missing = there.api.ask("GET", "/v1/nothing")
    assert (missing.status_code, missing.json()["value"]) == (404, "GET /v1/nothing")
    wrong = there.api.ask("DELETE", "/probe")
    assert wrong.status_code == 405
    assert wrong.headers["allow"]
    assert wrong.json()["title"] == "Method not allowed"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8701", 200),
        ("api.localhost", 200),
        ("127.0.0.1:8701", 200),
        ("127.9.9.9", 200),
        ("[::1]:8701", 200),
        ("events.example.com", 200),
        ("inside.example:1", 200),
        ("evil.example", 400),
        ("events.example.com.evil.example", 400),
        ("localhost.evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("user@evil.example", 400),
        ("localhost@evil.example", 400),
        ("[::1", 400),
        ("", 400),
        ("169.254.169.254", 400),
    ],
)
def test_only_known_hosts_are_answered(there: World, host: str, status: int) -> None:
    answer = there.api.ask("GET", "/healthz", headers={"host": host})
    assert answer.status_code == status, answer.text


def test_a_large_body_is_refused_declared_or_streamed(there: World) -> None:
    declared = there.api.ask("POST", "/probe", content=b" " * ((1 << 20) + 1))
    assert declared.status_code == 413

    async def parts() -> object:
        for _ in range(40):
            yield b" " * 40_000

    streamed = there.api.ask("POST", "/probe", content=parts())
    assert streamed.status_code == 413
    assert "1048576" in streamed.json()["rule"]
    assert there.api.ask("POST", "/probe", {"name": "a", "count": 1}).status_code == 200


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer ect_x", "Bearer ecs_x", "Bearer ecl_x", "ect_x"],
)
def test_only_a_bearer_that_is_known_comes_in(there: World, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = there.api.ask("GET", "/probe", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "ect_x" not in answer.text


def test_a_cookie_or_a_query_is_no_credential(there: World) -> None:
    token = there.tokens["default", "viewer"]
    for options in ({"headers": {"cookie": f"session={token}"}}, {"params": {"access_token": token}}):
        assert there.api.ask("GET", "/probe", **options).status_code == 401


def test_there_is_no_cors(there: World) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    for method in ("OPTIONS", "GET"):
        answer = there.api.ask(method, "/healthz", headers=asked)
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_answers_are_private_and_what_they_say(there: World) -> None:
    for path in ("/healthz", "/v1/me", "/nothing"):
        answer = there.api.ask("GET", path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_defect_shows_nothing_of_itself(there: World) -> None:
    router = APIRouter()

    @router.get("/defect")
    def defect() -> None:
        raise ValueError("ect_verysecret")

    app = create_application(store=there.store, clock=there.clock, settings=there.settings, routers=[router])
    with pytest.raises(ValueError, match="verysecret"):
        Api(app=app).ask("GET", "/defect")
    answer = Api(app=app, raise_defects=False).ask("GET", "/defect")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "verysecret" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_readiness_names_what_is_missing(there: World) -> None:
    ready = True

    def loader() -> None:
        if not ready:
            raise Unavailable("The loader is catching up.")

    app = create_application(
        store=there.store, clock=there.clock, settings=there.settings, routers=[], ready_checks=[loader]
    )
    assert Api(app=app).get("/readyz") == {"status": "ready"}
    ready = False
    answer = Api(app=app).ask("GET", "/readyz")
    assert answer.status_code == 503
    assert "The loader is catching up." in answer.json()["detail"]
    assert Api(app=app).get("/healthz") == {"status": "ok"}


def test_metrics_are_for_operators_and_this_machine(there: World) -> None:
    app = create_application(
        store=there.store,
        clock=there.clock,
        settings=there.settings,
        routers=[],
        render_metrics=lambda: b"eventcenter_events_total 7\n",
    )
    api = Api(app=app)
    local = api.ask("GET", "/metrics", client=LOCAL)
    assert local.text == "eventcenter_events_total 7\n"
    assert local.headers["content-type"].startswith("text/plain")
    proxied = api.ask("GET", "/metrics", client=LOCAL, headers={"x-forwarded-for": "203.0.113.9"})
    assert proxied.status_code == 403
    assert api.ask("GET", "/metrics", client=REMOTE).status_code == 403
    for credential, status in (
        (there.tokens["", "operator"], 200),
        (there.tokens["default", "admin"], 403),
        ("m" * 20, 200),
        ("m" * 19, 401),
    ):
        assert api.as_(credential).ask("GET", "/metrics", client=REMOTE).status_code == status


def test_openapi_says_how_to_sign_in_and_what_a_refusal_looks_like(there: World) -> None:
    document = there.api.get("/openapi.json")
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    open_paths = {"/v1/sessions", "/v1/sessions/link", "/healthz", "/readyz"}
    names = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            problem = operation["responses"]["default"]["content"]
            assert list(problem) == ["application/problem+json"], where
            assert "422" not in operation["responses"], where
            if path.startswith("/v1") and path not in open_paths:
                assert operation["security"] == [{"bearer": []}], where
            assert operation["operationId"] not in names, where
            names.add(operation["operationId"])
    assert "Problem" in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_no_page_is_loaded_from_elsewhere(there: World) -> None:
    for path in ("/docs", "/redoc", "/"):
        assert there.api.ask("GET", path).status_code == 404
