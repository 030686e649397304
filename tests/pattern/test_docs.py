"""docs/patterns.md says what is so."""

import re
from pathlib import Path

import pytest

from eventcenter.event import Event
from eventcenter.pattern import EventPattern, parse

PAGE = (Path(__file__).parents[2] / "docs" / "patterns.md").read_text("utf-8")
ROWS = re.findall(r"^\| `(\{.*?\})` \| `(\{.*?\})` \| (yes|no) \|$", PAGE, re.MULTILINE)


def test_the_page_has_its_table() -> None:
    assert len(ROWS) > 10


@pytest.mark.parametrize(("pattern", "data", "matches"), ROWS)
def test_each_row_of_the_table(pattern: str, data: str, matches: str) -> None:
    event = Event(id="1", source="s", type="t", data=data.encode(), data_kind="json")
    assert EventPattern.parse(pattern).match(event) is (matches == "yes")


def test_the_examples_are_patterns() -> None:
    blocks = re.findall(r"```json\n(.+?)```", PAGE, re.DOTALL)
    inline = re.findall(r"`(\{\"(?:data|type)[^`]*\})`", PAGE)
    assert blocks
    assert inline
    for text in (*blocks, *inline):
        EventPattern.parse(text)


def test_the_limits() -> None:
    limits = PAGE.split("## Limits")[1]
    assert f"{parse.MAX_BYTES // 1024} KiB" in limits
    assert f"{parse.MAX_LEVELS} levels" in limits
    assert f"{parse.MAX_CONDITIONS} conditions" in limits
    assert f"{parse.MAX_KEYS} keys" in limits
    assert f"{parse.MAX_STEPS} keys below" in limits


def test_every_operator_is_there() -> None:
    assert all(f'{{"{operator}":' in PAGE for operator in parse.OPERATORS)
