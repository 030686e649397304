"""What is wrong with an input is said in Chinese too: each sentence that can be raised is listed."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from app import i18n
from app.i18n.errors import said, sentences
from eventcenter.rocketmq import check, refusals, remoting
from ingest.inputs import manager, runner

RAISED = {
    "Busy",
    "Forbidden",
    "InvalidInput",
    "NotFound",
    "Problem",
    "SettingsMissing",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "UnsupportedMediaType",
}
HAN = re.compile("[\u4e00-\u9fff]")


@pytest.fixture(autouse=True)
def chinese() -> Iterator[None]:
    i18n.use("zh")
    yield
    i18n.use("en")


def raised(module: ModuleType) -> set[str]:
    """The sentences of all errors that the module's source raises, with something in the place of values."""
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or getattr(node.func, "id", None) not in RAISED:
            continue
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        parts = [*node.args[:1], *(named[name] for name in ("detail", "rule", "remedy") if name in named)]
        found |= {_text(part, module) for part in parts}
    return found


def _text(node: ast.expr, module: ModuleType) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Name):
        return str(getattr(module, node.id))
    if isinstance(node, ast.BinOp):
        return _text(node.left, module) + _text(node.right, module)
    if isinstance(node, ast.Call):
        return "mqadmin something"
    assert isinstance(node, ast.JoinedStr), ast.unparse(node)
    parts = []
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            parts.append("" if ast.unparse(part.value) == "said" else "10.0.0.1:8081")
        else:
            parts.append(_text(part, module))
    return "".join(parts)


@pytest.mark.parametrize("module", [refusals, check, remoting, runner, manager], ids=lambda one: one.__name__)
def test_every_sentence_has_its_chinese_form(module: ModuleType) -> None:
    found = raised(module)
    assert found
    assert [text for text in sorted(found) if not HAN.search(said(text))] == []


def test_values_stay_and_what_the_other_side_said_is_marked() -> None:
    assert said("RocketMQ has no topic a{b}%c.") == "RocketMQ 中没有主题 a{b}%c。"
    text = "The proxy at [::1]:8081 cannot answer (it says: line (1) failed)."
    assert said(text) == "[::1]:8081 的 Proxy 无法应答（对方返回：line (1) failed）。"
    text = "At h:1 a broker's remoting port (V4_9_7) answers, not a proxy."
    assert said(text) == "h:1 应答的是 Broker 的 remoting 端口（V4_9_7），不是 Proxy。"


def test_other_text_and_english_stay_as_they_are() -> None:
    assert said("Something nobody listed.") == "Something nobody listed."
    i18n.use("en")
    assert said("RocketMQ has no topic t.") == "RocketMQ has no topic t."


def test_both_forms_have_the_same_places() -> None:
    for english, form in sentences().items():
        places = [set(re.findall(r"\{(\w+)\}", text)) for text in (english, form)]
        assert places[0] == places[1], english
        assert HAN.search(form), english
