"""`eventcenter retention` and `eventcenter delete-subject`."""

import threading

import pytest

from eventcenter.archive import Archives
from eventcenter.archive.segment import Scratch
from eventcenter.retention import Retention
from eventcenter.store import Store
from eventcenter.store.models import Deletion
from eventcenter.store.secrets import SecretBox
from eventcenter.store.sql import select
from tests.cli.conftest import Program


def rows(program: Program) -> list[list[str]]:
    return [line.split("\t") for line in program.out("retention", "show")]


def test_policies_and_holds_are_set_shown_and_taken_away(program: Program) -> None:
    assert rows(program) == [
        ["*", "without end", "without end", ""],
        ["default", "as the tenant", "as the tenant", ""],
    ]
    program.run("retention", "set", "--days", "30")
    program.run("retention", "set", "--bus", "default", "--bytes", "2000000")
    program.run("retention", "hold", "--bus", "default", "--reason", "case 12")
    assert rows(program) == [
        ["*", "30", "without end", ""],
        ["default", "without end", "2000000", "case 12"],
    ]
    program.run("retention", "lift", "--bus", "default")
    program.run("retention", "reset", "--bus", "default")
    assert rows(program)[1] == ["default", "as the tenant", "as the tenant", ""]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["retention", "set", "--days", "0"], "max_age_days"),
        (["retention", "set", "--bus", "none", "--days", "1"], "There is no such bus"),
        (["retention", "reset"], "There is no such policy"),
        (["retention", "lift"], "There is no such legal hold"),
        (["retention", "show", "--tenant", "none"], "there is no such tenant"),
        (["delete-subject", "", "--reason", "r"], "subject"),
        (["delete-subject", "a", "--reason", "r", "--bus", "none"], "There is no such bus"),
    ],
)
def test_what_is_wrong_is_said(program: Program, arguments: list[str], said: str) -> None:
    assert said in program.run(*arguments, code=1).stderr


def test_a_hold_refuses_a_deletion(program: Program) -> None:
    program.run("retention", "hold", "--reason", "case 12")
    refused = program.run("delete-subject", "user/1", "--reason", "r", code=1)
    assert "case 12" in refused.stderr


def test_without_a_server_a_deletion_waits_for_the_next_start(program: Program) -> None:
    done = program.run("delete-subject", "user/1", "--reason", "r")
    assert "when Event Center is started" in done.stderr
    with Store.open_readonly(program.settings) as store:
        [row] = store.read(lambda session: list(session.scalars(select(Deletion))))
    assert (row.state, row.asked_by) == ("waiting", "cli")


def test_a_servers_report_is_printed(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventcenter.cli.retention.answers", lambda _url: True)
    stop = threading.Event()
    with Store.open(program.settings) as store:
        archives = Archives(program.settings.tenants_dir)
        keeper = Retention(
            store=store,
            archives=archives,
            secrets=SecretBox(program.settings),
            settings=program.settings,
            make_scratch=lambda: Scratch(program.folder / "scratch", memory_bytes=64 << 20),
        ).keeper
        monkeypatch.setattr("eventcenter.retention.keeper._LOOK_EVERY_S", 0.1)
        thread = threading.Thread(target=keeper.run, args=(stop,))
        thread.start()
        try:
            done = program.run("delete-subject", "user/1", "--reason", "r")
        finally:
            stop.set()
            thread.join(20)
            archives.close()
    assert "0 events" in done.stderr
    assert "backups" in done.stderr
