"""What lies on disk: folders for the owner alone, and no credential in the clear, in no file and no log."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.asking import ask, done, event, post
from tests.acceptance.sides import Sides
from tests.support.product import free_port

pytestmark = pytest.mark.long

PASSWORD = "a password that nobody keeps"
WRONG = "ect_" + "W" * 43
PASTED = "p" * 64
"""The access token of a webhook that was pasted wrongly."""


@pytest.fixture(scope="module")
def secrets(sides: Sides) -> dict[str, str]:
    """Every kind of credential, after each was used and mistaken for another."""
    product, a = sides.product, sides.a
    link = done(product, "POST", "/v1/users", a.admin, {"name": "paula", "role": "viewer"})["link"]["code"]
    session = done(product, "POST", "/v1/sessions/link", None, {"code": link})["session"]
    done(product, "PUT", "/v1/me/password", session, {"new": PASSWORD})
    signed_in = done(product, "POST", "/v1/sessions", None, {"name": "paula", "password": PASSWORD})
    unused = done(product, "POST", f"/v1/users/{a.things['member']}/link", a.admin)["code"]
    post(product, "default", a.tokens["writer"], event("for-the-files"))
    assert ask(product, "GET", "/v1/events", WRONG).status == 401
    assert ask(product, "POST", "/v1/buses/default/events", WRONG, b"{}", ingest=True).status == 401
    # An address that nobody answers: the failure is logged and kept, the token in it is not.
    webhook = f"{product.settings.dingtalk_base_url}/robot/send?access_token={PASTED}"
    body = {"name": "nobody", "webhook": webhook, "secret": "SEC" + "n" * 61}
    target = done(product, "POST", "/v1/targets", a.session, body)["id"]
    done(product, "POST", f"/v1/targets/{target}/test", a.session)
    return {
        "robot's access token": a.robot,
        "robot's secret": a.secret,
        "robot's access token of the other": sides.b.robot,
        "unknown robot's access token": PASTED,
        "unknown robot's secret": "SEC" + "n" * 61,
        "session": a.session,
        "session by password": signed_in["session"],
        "operator's token": sides.operator,
        "spent link": link,
        "unspent link": unused,
        "password": PASSWORD,
        "wrong token": WRONG,
        **{f"{role}'s token": token for role, token in a.tokens.items()},
    }


def files(folder: Path) -> Iterator[Path]:
    yield from (path for path in folder.rglob("*") if path.is_file())


def test_folders_are_the_owners_alone(sides: Sides) -> None:
    data = sides.product.settings.data_dir
    folders = [data, *(path for path in data.rglob("*") if path.is_dir())]
    assert len(folders) > 4
    assert {path: oct(stat.S_IMODE(path.stat().st_mode)) for path in folders} == dict.fromkeys(
        folders, "0o700"
    )
    key = sides.product.settings.secret_key_path
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert data not in key.parents


def test_no_file_holds_a_credential(sides: Sides, secrets: dict[str, str]) -> None:
    key = sides.product.settings.secret_key_path.read_text().strip()
    wanted = {**secrets, "key": key}
    searched = 0
    for path in files(sides.product.settings.data_dir):
        held = path.read_bytes()
        searched += len(held)
        for name, secret in wanted.items():
            assert secret.encode() not in held, f"{path.name} holds the {name}"
    assert searched > 100_000
    # The search sees what is there: an event's text lies in the journal.
    journal = sides.product.settings.journal_dir
    assert any(sides.a.marker.encode() in path.read_bytes() for path in files(journal))


def test_no_log_holds_a_credential(sides: Sides, secrets: dict[str, str]) -> None:
    logs = sorted(sides.product.folder.glob("*.log"))
    assert {path.stem for path in logs} == {"ingest", "server", "dashboard"}
    for path in logs:
        said = path.read_text(errors="replace")
        for name, secret in secrets.items():
            assert secret not in said, f"{path.name} says the {name}"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/targets", {"name": "t", "webhook": "http://{port}/robot/send?access_token=HIDDEN-one"}),
        ("POST", "/v1/targets", {"name": "t", "webhook": ["HIDDEN-one"], "secret": {"x": "HIDDEN-two"}}),
        ("POST", "/v1/targets", {"name": 1, "webhook": "HIDDEN-one", "secret": "HIDDEN-two"}),
        ("POST", "/v1/targets", {"name": "t", "webhook": "HIDDEN-one" * 300}),
        ("POST", "/v1/targets", {"webhook": "HIDDEN-one", "secret": "HIDDEN-two"}),
        ("POST", "/v1/sessions", {"name": "paula", "password": ["HIDDEN-one"]}),
        ("POST", "/v1/sessions", {"name": "paula", "password": "HIDDEN-one" * 100}),
        ("POST", "/v1/sessions", {"password": "HIDDEN-one"}),
        ("POST", "/v1/sessions/link", {"code": {"code": "HIDDEN-one"}}),
        ("POST", "/v1/sessions/link", {"code": "HIDDEN-one" * 100}),
        ("PUT", "/v1/me/password", {"new": "HIDDEN-1"}),
        ("PUT", "/v1/me/password", {"new": "HIDDEN-one", "current": 7, "x": 1}),
    ],
)
def test_an_error_never_repeats_a_secret(
    sides: Sides, method: str, path: str, body: dict[str, object]
) -> None:
    sent = {
        name: value.replace("{port}", f"127.0.0.1:{free_port()}") if isinstance(value, str) else value
        for name, value in body.items()
    }
    answer = ask(sides.product, method, path, sides.a.session, sent)
    assert 400 <= answer.status < 500, answer.text
    assert "HIDDEN" not in answer.text
