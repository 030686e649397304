"""Tests marked `browser`, `javascript` or `curl` need a program that not every machine has.

Without it they are skipped and say why; EVENTCENTER_REQUIRE=browser,javascript,curl (CI) makes it fail.
"""

import os
import shutil

import pytest

PROGRAMS = {
    "browser": ("chromium", "chromium-browser", "google-chrome", "chrome"),
    "javascript": ("node",),
    "curl": ("curl",),
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
