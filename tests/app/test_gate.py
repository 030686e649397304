"""The door in front of the dashboard, and the routes of signing in and out."""

import re
import warnings

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from app import context, identity
from app.auth import local_path, routes
from app.gate import Gate
from app.identity import COOKIE
from eventcenter.client import Client
from eventcenter.settings import Settings
from tests.support.fake_api import PASSWORD, SESSION, FakeApi

with warnings.catch_warnings():
    # Its successor to httpx is no dependency of ours; httpx works and is what the product uses.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

HTML = {"accept": "text/html"}
STREAM = "ws://127.0.0.1:8501/_stcore/stream"
BASE = "http://127.0.0.1:8501"


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def browser(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    return dashboard(api, monkeypatch)


def dashboard(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, base: str = BASE, **settings: object
) -> TestClient:
    async def page(request: object) -> PlainTextResponse:
        return PlainTextResponse("the dashboard")

    async def stream(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("hello")
        await socket.close()

    monkeypatch.setattr(identity.IDENTITIES, "_known", type(identity.IDENTITIES._known)())
    held = context.configure(
        Settings(**settings),  # type: ignore[arg-type]
        Client("http://api.test", transport=api.transport()),
    )
    app = Starlette(
        routes=[*routes(held), WebSocketRoute("/_stcore/stream", stream), Route("/{path:path}", page)],
        middleware=[Middleware(Gate, context=held)],
    )
    return TestClient(app, base_url=base, follow_redirects=False)


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, name
    return found[1]


def sign_in(browser: TestClient, **fields: str) -> int:
    page = browser.get("/auth/sign-in", params={"next": fields.pop("next", "/")})
    form = {
        "form": field(page.text, "form"),
        "next": field(page.text, "next"),
        "name": "ana",
        "password": PASSWORD,
    }
    status: int = browser.post("/auth/sign-in", data={**form, **fields}).status_code
    return status


@pytest.mark.parametrize(
    "path", ["/", "/events", "/events?event=5&tenant=acme", "/anything", "/_stcore/host-config"]
)
def test_a_page_without_a_session_leads_to_the_sign_in(browser: TestClient, path: str) -> None:
    answer = browser.get(path, headers=HTML)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/auth/sign-in?next=%2F")


def test_the_deep_link_survives(browser: TestClient) -> None:
    answer = browser.get("/events?event=5&tenant=acme", headers=HTML)
    page = browser.get(answer.headers["location"])
    form = {
        "form": field(page.text, "form"),
        "next": "/events?event=5&tenant=acme",
        "name": "ana",
        "password": PASSWORD,
    }
    assert browser.post("/auth/sign-in", data=form).headers["location"] == "/events?event=5&tenant=acme"


@pytest.mark.parametrize(
    "path", ["/", "/media/abc", "/_stcore/host-config", "/auth/elsewhere", "/component/x"]
)
@pytest.mark.parametrize("cookie", [None, "ecs_wrong", "ect_token", "", "ecs_\x7f"])
def test_anything_else_is_401(browser: TestClient, path: str, cookie: str | None) -> None:
    headers = {} if cookie is None else {"cookie": f"{COOKIE}={cookie}"}
    assert browser.get(path, headers=headers).status_code == 401
    assert browser.post(path, headers=headers).status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/_stcore/health", "/static/js/main.js", "/auth/sign-in"])
def test_what_is_open(browser: TestClient, path: str) -> None:
    assert browser.get(path).status_code == 200


def test_the_websocket_is_closed_without_a_session(browser: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect) as closed, browser.websocket_connect(STREAM):
        pass
    assert closed.value.code == 1008


def test_the_websocket_opens_with_a_session(browser: TestClient) -> None:
    browser.cookies.set(COOKIE, SESSION)
    with browser.websocket_connect(STREAM) as socket:
        assert socket.receive_text() == "hello"


@pytest.mark.parametrize(
    "origin", ["https://evil.test", "null", "http://127.0.0.1:9999", "http://127.0.0.1:8501.evil.test"]
)
def test_a_foreign_origin_is_refused(browser: TestClient, origin: str) -> None:
    browser.cookies.set(COOKIE, SESSION)
    assert browser.get("/", headers={"origin": origin, **HTML}).status_code == 403
    assert browser.post("/auth/sign-in", headers={"origin": origin}).status_code == 403
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        browser.websocket_connect(STREAM, headers={"origin": origin}),
    ):
        pass
    assert closed.value.code == 1008


def test_a_foreign_host_is_refused(browser: TestClient) -> None:
    assert browser.get("/auth/sign-in", headers={"host": "evil.test"}).status_code == 400
    assert browser.get("/auth/sign-in", headers={"host": "localhost:8501"}).status_code == 200


def test_the_public_host_is_let_in(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = dashboard(
        api, monkeypatch, "https://events.example.com", public_url="https://events.example.com"
    )
    assert browser.get("/auth/sign-in").status_code == 200


def test_signing_in_and_out(browser: TestClient, api: FakeApi) -> None:
    assert sign_in(browser) == 303
    assert browser.cookies[COOKIE] == SESSION
    assert browser.get("/", headers=HTML).text == "the dashboard"
    page = browser.get("/auth/sign-out")
    assert browser.get("/", headers=HTML).status_code == 200
    out = browser.post("/auth/sign-out", data={"form": field(page.text, "form")})
    assert out.status_code == 303
    assert not api.sessions
    assert browser.get("/", headers=HTML).status_code == 303


def test_the_cookie_is_httponly_lax_and_secure_outside_loopback(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    for base, secure in (
        (BASE, False),
        ("https://events.example.com", True),
        ("http://events.example.com", True),
    ):
        browser = dashboard(api, monkeypatch, base, public_url="https://events.example.com")
        page = browser.get("/auth/sign-in")
        answer = browser.post(
            "/auth/sign-in",
            data={"form": field(page.text, "form"), "name": "ana", "password": PASSWORD},
            headers={"cookie": f"ec_form={field(page.text, 'form')}"},
        )
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}={SESSION};")
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert ("Secure" in cookie) is secure


def test_a_form_without_its_token_is_refused(browser: TestClient, api: FakeApi) -> None:
    assert browser.post("/auth/sign-in", data={"name": "ana", "password": PASSWORD}).status_code == 403
    assert (
        browser.post("/auth/sign-in", data={"name": "ana", "password": PASSWORD, "form": ""}).status_code
        == 403
    )
    browser.get("/auth/sign-in")
    assert (
        browser.post("/auth/sign-in", data={"name": "ana", "password": PASSWORD, "form": "x"}).status_code
        == 403
    )
    assert browser.post("/auth/sign-out", data={}).status_code == 403
    assert browser.post("/auth/link", data={"code": "once"}).status_code == 403
    assert api.codes == {"once"}
    assert COOKIE not in browser.cookies


def test_a_failed_sign_in_escapes_what_it_shows(browser: TestClient) -> None:
    page = browser.get("/auth/sign-in")
    answer = browser.post(
        "/auth/sign-in",
        data={
            "form": field(page.text, "form"),
            "name": '"><script>alert(1)</script>',
            "password": "wrong",
            "next": '/"><script>',
        },
    )
    assert answer.status_code == 401
    assert "<script" not in answer.text
    assert "The user name or the password is not right." in answer.text
    assert COOKIE not in browser.cookies


def test_a_link_is_spent_by_the_button_and_not_by_opening_it(browser: TestClient, api: FakeApi) -> None:
    for _ in range(3):
        page = browser.get("/auth/link", params={"code": "once"})
        assert page.status_code == 200
    assert api.codes == {"once"}
    form = {"form": field(page.text, "form"), "code": field(page.text, "code")}
    assert browser.post("/auth/link", data=form).status_code == 303
    assert browser.cookies[COOKIE] == SESSION
    again = browser.post("/auth/link", data=form)
    assert again.status_code == 401
    assert "already used" in again.text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/events?event=5", "/events?event=5"),
        ("/", "/"),
        ("", "/"),
        (None, "/"),
        ("//evil.test", "/"),
        ("https://evil.test", "/"),
        ("/\\evil.test", "/"),
        ("/a\\b", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nSet-Cookie: x=1", "/"),
        ("/a\tb", "/"),
        ("/\x00", "/"),
        ("/auth/sign-out", "/"),
        ("events", "/"),
        ("/" + "a" * 3000, "/"),
        ("/x?next=https://evil.test", "/x?next=https://evil.test"),
    ],
)
def test_next_is_a_path_of_this_site(given: str | None, kept: str) -> None:
    assert local_path(given) == kept


def test_languages_and_headers(browser: TestClient) -> None:
    chinese = browser.get("/auth/sign-in", headers={"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"})
    assert "<h1>登录</h1>" in chinese.text
    assert "<h1>Sign in</h1>" in browser.get("/auth/sign-in", headers={"accept-language": "fr"}).text
    assert "<h1>登录</h1>" in browser.get("/auth/sign-in?language=zh").text
    assert "default-src 'none'" in chinese.headers["content-security-policy"]
    assert chinese.headers["cache-control"] == "no-store"
    assert chinese.headers["x-frame-options"] == "DENY"


def test_the_api_is_away(browser: TestClient, api: FakeApi) -> None:
    browser.cookies.set(COOKIE, SESSION)
    api.broken = True
    answer = browser.get("/", headers=HTML)
    assert answer.status_code == 503
    assert "the archive is not ready" in answer.text
    assert "the dashboard" not in answer.text


def test_a_body_that_is_too_long_is_no_form(browser: TestClient) -> None:
    page = browser.get("/auth/sign-in")
    answer = browser.post("/auth/sign-in", data={"form": field(page.text, "form"), "name": "a" * 20_000})
    assert answer.status_code == 403
