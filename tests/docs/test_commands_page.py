"""The commands' page and the program's own help."""

from typing import Any

import pytest

from tests.docs.commands_page import PAGE, commands, page


def test_the_page_is_as_the_program_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.docs.commands_page"


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_every_command_and_option_says_what_it_is_for(name: str, command: Any) -> None:
    assert command.help, name
    silent = [parameter.name for parameter in command.params if not parameter.help]
    assert not silent, f"{name}: {silent} have no help"
