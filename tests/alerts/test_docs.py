"""docs/alerts.md says what the code does."""

import re

import pytest

from alerts.rule import COOLDOWN_LIMIT_S, RULES_LIMIT
from alerts.targets.dingtalk import BUDGET, MAX_BYTES
from alerts.template import NOTHING, TEMPLATE_LIMIT, read
from alerts.values import ATTRIBUTES, CONTEXT
from tests.alerts.alerts_page import PAGE, TABLES, page


def test_the_tables_are_current() -> None:
    text = PAGE.read_text()
    for name in TABLES:
        assert f"<!-- {name} -->" in text
    assert page(text) == text, "run python -m tests.alerts.alerts_page"


@pytest.mark.parametrize(
    "said",
    [
        f"{BUDGET} messages a minute",
        f"{MAX_BYTES:,} bytes",
        f"{TEMPLATE_LIMIT:,} characters",
        f"{RULES_LIMIT} rules",
        f"{COOLDOWN_LIMIT_S // 86_400} days",
        f"`{NOTHING}`",
        *(f"`${{{name}}}`" for name in (*ATTRIBUTES, *CONTEXT)),
    ],
)
def test_the_page_says(said: str) -> None:
    assert said in PAGE.read_text()


def test_every_placeholder_on_the_page_is_right() -> None:
    found = re.findall(r"`([^`\n]*\$\{[^`\n]*)`", PAGE.read_text())
    assert len(found) > 15
    for template in found:
        _, problems = read(template)
        assert not problems, (template, problems)
