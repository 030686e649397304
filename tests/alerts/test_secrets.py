"""Tokens and secrets: encrypted in the store, and nowhere else."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from eventcenter.store.models import Target
from eventcenter.store.sql import select, update
from tests.alerts.stand import OTHER_TOKEN, OTHER_WEBHOOK, SECRET, TOKEN, WEBHOOK, Stand

OTHER_SECRET = "SEC" + "d4" * 32
SECRETS = (TOKEN, SECRET, OTHER_TOKEN, OTHER_SECRET)


def every_byte(there: Stand) -> Iterator[tuple[Path, bytes]]:
    for path in there.world.settings.data_dir.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


def test_they_are_nowhere_to_be_found(
    there: Stand, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    admin = there.as_("admin")
    answers: list[str] = []

    def ask(method: str, path: str, body: object = None) -> None:
        answers.append(admin.ask(method, path, body).text)

    target = there.target()
    there.rule(target)
    there.events.add(there.tenant)
    there.evaluate()
    there.robot.script("http500", "stopped", "html")
    with structlog.testing.capture_logs() as logs:
        there.deliver()
        there.run(700, every=10)
        ask("POST", f"/v1/targets/{target}/test")
        ask("PATCH", f"/v1/targets/{target}", {"webhook": OTHER_WEBHOOK, "secret": OTHER_SECRET})
        ask("PATCH", f"/v1/targets/{target}", {"webhook": WEBHOOK + "/x", "secret": SECRET + " x"})
        ask("PATCH", f"/v1/targets/{target}", {"secret": SECRET + " x"})
        ask("PATCH", f"/v1/targets/{target}", {"secret": [SECRET]})
        ask("POST", "/v1/targets", {"name": "", "webhook": WEBHOOK, "secret": SECRET})
        ask("POST", "/v1/targets", {"name": "x", "webhook": {"a": WEBHOOK}})
        ask("POST", f"/v1/targets/{target}/test")
    for path in ("/v1/targets", "/v1/deliveries", "/v1/audit", "/v1/rules"):
        ask("GET", path)
    for item in there.items():
        ask("GET", f"/v1/deliveries/{item.id}")
    own = [record.getMessage() for record in caplog.records]
    places = [*answers, *own, str(logs), *capsys.readouterr()]
    places += [str(held.document()) for held in there.robot.received()]
    for secret in SECRETS:
        for place in places:
            assert secret not in place
        for file, content in every_byte(there):
            assert secret.encode() not in content, file.name


def test_an_answer_that_repeats_the_token_is_masked(there: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    from eventcenter.testing import robot

    there.rule(there.target())
    there.events.add(there.tenant)
    there.evaluate()
    echo = robot.Reply.code(88, f"bad token {TOKEN} and {SECRET}")
    monkeypatch.setitem(robot.SCRIPTED, "unknown", echo)
    there.robot.script("unknown")
    there.deliver()
    [attempt] = there.attempts()
    assert attempt.response is not None
    assert "bad token *** and ***" in attempt.response


def test_secrets_of_another_key_break_the_target_and_nothing_else(there: Stand) -> None:
    target = there.target()
    there.rule(target)
    there.events.add(there.tenant)
    there.evaluate()
    there.world.store.write(
        lambda session: session.execute(update(Target).where(Target.id == target).values(secrets=b"junk"))
    )
    there.deliver()
    [shown] = there.as_("viewer").get("/v1/targets")["targets"]
    assert shown["health"] == "broken"
    assert "cannot be opened" in shown["health_text"]["en"]
    assert "paste webhook and secret again" in shown["remedy"]["en"]
    there.as_("admin").patch(f"/v1/targets/{target}", {"webhook": WEBHOOK, "secret": SECRET})
    there.deliver()
    assert there.states() == {"delivered": 1}


def test_a_robot_is_known_by_a_hash(there: Stand) -> None:
    there.target()
    held = there.read(lambda session: session.scalars(select(Target)).one())
    assert TOKEN not in repr((held.config, held.robot_hash, held.health_detail))
    assert len(held.robot_hash) == 64
