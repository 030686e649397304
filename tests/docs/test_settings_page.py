"""The settings' page tells every setting, and only those."""

from dataclasses import fields

import pytest

from eventcenter.settings import HELP, PREFIX, Settings
from tests.docs.settings_page import PAGE, default_text, page


def test_every_setting_has_help_and_nothing_else_does() -> None:
    assert set(HELP) == {field.name for field in fields(Settings)}
    assert all(text.endswith(".") for text in HELP.values())


@pytest.mark.parametrize("name", [field.name for field in fields(Settings)])
def test_the_page_tells_name_default_and_meaning(name: str) -> None:
    default = next(field.default for field in fields(Settings) if field.name == name)
    row = f"| `{PREFIX}{name.upper()}` | {default_text(default)} | {HELP[name]} |"
    assert row in PAGE.read_text(encoding="utf-8").splitlines(), "run: python -m tests.docs.settings_page"


def test_the_page_is_as_the_table_makes_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.docs.settings_page"
