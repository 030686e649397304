"""Commands that work on the store, their output for people and programs, and exit codes."""

import stat

import pytest

from eventcenter.accounts import Accounts
from eventcenter.errors import Unauthenticated
from eventcenter.store import Store
from eventcenter.store.directory import Directory
from tests.cli.conftest import Program


def test_help_names_every_command(empty: Program) -> None:
    text = empty.run("--help").stdout
    for command in ("up", "serve", "dashboard", "send", "token", "tenant", "user", "doctor"):
        assert f" {command} " in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["send"],
        ["send", "a.ndjson", "--type", "a"],
        ["send", "a.ndjson"],
        ["send", "--type", "a", "--source", "b", "--ext", "noequals", "--token", "t"],
        ["token", "create", "--role", "writer"],
        ["token", "create", "--role", "writer", "--name", "a", "--days", "0"],
    ],
)
def test_wrong_usage_ends_with_2(empty: Program, arguments: list[str]) -> None:
    done = empty.run(*arguments, code=2)
    assert not done.stdout
    assert "Usage:" in done.stderr


def test_without_data_it_says_how_to_begin_and_makes_nothing(empty: Program) -> None:
    done = empty.run("token", "list", code=1)
    assert "there is no Event Center data here" in done.stderr
    assert "eventcenter up" in done.stderr
    assert list(empty.folder.iterdir()) == []


def test_wrong_settings_are_all_named(empty: Program) -> None:
    lines = "EVENTCENTER_MAX_NESTING=x\nEVENTCENTER_NOPE=1\n"
    (empty.folder / ".env").write_text(lines, encoding="utf-8")
    done = empty.run("up", code=1)
    assert "EVENTCENTER_MAX_NESTING=x" in done.stderr
    assert "EVENTCENTER_NOPE is not a setting" in done.stderr


def test_dotenv_of_the_folder_is_read(program: Program) -> None:
    (program.folder / ".env").write_text(
        "EVENTCENTER_PUBLIC_URL=https://events.example.com\n", encoding="utf-8"
    )
    [link] = program.out("user", "link")
    assert link.startswith("https://events.example.com/auth/link?code=ecl_")


def test_the_data_folder_is_private(program: Program) -> None:
    assert stat.S_IMODE((program.folder / "data").stat().st_mode) == 0o700


def authenticate(program: Program, token: str) -> str | None:
    with Store.open_readonly(program.settings) as store:
        return Directory(store).authenticate(token).role


def test_a_token_is_made_listed_and_revoked(program: Program) -> None:
    [token] = program.out("token", "create", "--role", "writer", "--name", "shop", "--quiet", "--days", "3")
    assert authenticate(program, token) == "writer"
    [row] = program.out("token", "list")
    token_id, name, role, begins, *_ = row.split("\t")
    assert (name, role) == ("shop", "writer")
    assert token.startswith(begins.removesuffix("…"))
    assert token not in row
    program.run("token", "revoke", token_id)
    assert program.out("token", "list") == []
    with pytest.raises(Unauthenticated):
        authenticate(program, token)
    assert "no such token" in program.run("token", "revoke", token_id, code=1).stderr


def test_an_operators_token_belongs_to_no_tenant(program: Program) -> None:
    done = program.run("token", "create", "--role", "operator", "--name", "ops")
    assert done.stdout.startswith("ect_")
    assert "not shown again" in done.stderr
    assert program.out("token", "list") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["token", "create", "--role", "god", "--name", "a"], "writer, viewer, editor, admin"),
        (["token", "create", "--role", "writer", "--name", "a", "--tenant", "no"], "tenant list"),
        (["tenant", "create", "Not-A-Slug"], "lower-case"),
        (["tenant", "create", "default"], "already"),
        (["user", "add", "li", "--role", "writer"], "role"),
        (["user", "link", "nobody"], "no such user"),
        (["user", "password", "nobody", "--stdin"], "no such user"),
    ],
)
def test_what_cannot_be_done_says_why(program: Program, arguments: list[str], said: str) -> None:
    done = program.run(*arguments, stdin="correct horse battery\n", code=1)
    assert said in done.stderr
    assert not done.stdout


def test_tenants_and_users(program: Program) -> None:
    [link] = program.out("tenant", "create", "acme", "--title", "Acme", "--admin", "wang")
    assert [row.split("\t")[:2] for row in program.out("tenant", "list")] == [
        ["acme", "Acme"],
        ["default", "Default"],
    ]
    program.run("user", "add", "li", "--role", "editor", "--tenant", "acme")
    program.run("user", "password", "li", "--stdin", stdin="correct horse battery\n")
    again = ("user", "add", "li", "--tenant", "default")
    assert "ask an operator" in program.run(*again, code=1).stderr
    assert "ask an operator" in program.run("tenant", "create", "two", "--admin", "li", code=1).stderr
    program.run(*again, "--existing")
    program.run("tenant", "create", "two", "--admin", "li", "--existing")
    assert program.out("user", "list") == [
        "admin\tyes\tno\tdefault\tadmin",
        "li\tno\tyes\tacme\teditor",
        "li\tno\tyes\tdefault\tviewer",
        "li\tno\tyes\ttwo\tadmin",
        "wang\tno\tno\tacme\tadmin",
    ]
    with Store.open(program.settings) as store:
        sessions = Accounts(store, program.settings).sessions
        assert sessions.spend_link(link.partition("code=")[2]).session
        assert sessions.sign_in("li", "correct horse battery").session


def test_a_short_password_is_refused_and_not_repeated(program: Program) -> None:
    done = program.run("user", "password", "--stdin", stdin="tooshort\n", code=1)
    assert "10 to 256" in done.stderr
    assert "tooshort" not in done.stderr


def test_send_names_a_file_that_is_not_there(empty: Program) -> None:
    assert "No such file" in empty.run("send", "nowhere.ndjson", "--token", "t", code=1).stderr
