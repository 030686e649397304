"""Tests marked `browser`, `javascript`, `curl` or `rocketmq` need a program that not every machine has.

Without it they are skipped and say why; EVENTCENTER_REQUIRE=browser,javascript,curl,rocketmq (CI) makes it
fail.
"""

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.support.rocketmq import Broker, Unavailable, fetch, running

PROGRAMS = {
    "browser": ("chromium", "chromium-browser", "google-chrome", "chrome"),
    "javascript": ("node",),
    "curl": ("curl",),
    "rocketmq": ("java",),
}


def program(part: str) -> str | None:
    """The path of the first program that serves the part, or None."""
    return next((path for name in PROGRAMS[part] if (path := shutil.which(name))), None)


def required(part: str) -> bool:
    """Whether this run must not skip the part."""
    return part in {name.strip() for name in os.environ.get("EVENTCENTER_REQUIRE", "").split(",")}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for part, names in PROGRAMS.items():
        if item.get_closest_marker(part) is None or program(part) is not None:
            continue
        message = f"none of {', '.join(names)} is on the PATH, which tests marked {part} need"
        if required(part):
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture(scope="session")
def rocketmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real RocketMQ, one for all tests of this process: let each test make topics and groups of its own.

    A test that kills it starts it again. Fetching its jars may take a minute, once on each machine.
    """
    try:
        fetch()
    except Unavailable as error:
        if required("rocketmq"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    with running(tmp_path_factory.mktemp("rocketmq")) as broker:
        yield broker
