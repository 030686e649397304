"""Logs: one line a record, named after the process, without what libraries would give away."""

import logging
import threading
from collections.abc import Iterator

import httpx
import pytest
import structlog

from eventcenter import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    for name in (*logs._CHATTY, *logs._TELLTALE):
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_our_records_and_the_libraries_have_one_form(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level="info", process="server")
    structlog.get_logger("ours").info("loaded", events=3)
    thread = threading.Thread(target=lambda: logging.getLogger("theirs").warning("slow: %s", 'a "b"'))
    thread.start()
    thread.join()
    ours, theirs = capsys.readouterr().err.splitlines()
    assert ours.split(" ", 1)[1] == "level=info process=server event=loaded events=3 logger=ours"
    assert theirs.split(" ", 1)[1] == r'level=warning process=server event="slow: a \"b\"" logger=theirs'


@pytest.mark.parametrize("level", ["debug", "info"])
def test_addresses_with_tokens_are_never_logged(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level=level, process="server")
    transport = httpx.MockTransport(lambda _request: httpx.Response(200))
    with httpx.Client(transport=transport) as client:
        client.post("https://oapi.dingtalk.com/robot/send?access_token=secret")
    assert "secret" not in capsys.readouterr().err


def test_everyday_records_of_libraries_are_for_debugging(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level="info", process="server")
    logging.getLogger("alembic.runtime").info("context")
    assert not capsys.readouterr().err
    logs.configure(level="debug", process="server")
    logging.getLogger("alembic.runtime").info("context")
    assert "context" in capsys.readouterr().err
