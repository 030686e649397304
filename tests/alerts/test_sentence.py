"""Patterns as sentences, in both languages."""

from typing import Any

import pytest

from alerts.sentence import sentence
from eventcenter.pattern import EventPattern

SENTENCES: list[tuple[dict[str, Any], list[str], str, str]] = [
    ({}, [], "Every event", "所有事件"),
    ({}, ["k8s"], "Every event on k8s", "总线 k8s 上所有事件"),
    (
        {"type": ["order.paid"]},
        [],
        "Events whose type is “order.paid”.",
        "满足以下条件的事件：类型为“order.paid”。",
    ),
    (
        {"type": ["a", "b", {"prefix": "c"}]},
        ["x", "y"],
        "Events on x or y whose type is “a” or “b” or begins with “c”.",
        "总线 x 或 y 上满足以下条件的事件：类型为“a” 或 “b”，或以“c”开头。",
    ),
    (
        {"source": [{"suffix": ".cn"}], "subject": [{"contains": "db"}]},
        [],
        "Events whose source ends with “.cn”, and subject contains “db”.",
        "满足以下条件的事件：来源以“.cn”结尾，且主题包含“db”。",
    ),
    (
        {"data": {"n": [{"numeric": [">=", 3, "<", 9]}]}},
        [],
        "Events whose data.n is at least 3 and is below 9.",
        "满足以下条件的事件： data.n 不小于 3且小于 9。",
    ),
    (
        {"data": {"k": [{"exists": False}], "ok": [True], "none": [None]}},
        [],
        "Events whose data.k is not there, and data.ok is true, and data.none is null.",
        "满足以下条件的事件： data.k 不存在，且 data.ok 为true，且 data.none 为null。",
    ),
    (
        {"type": [{"anything-but": ["a", "b"]}], "id": [{"anything-but": {"prefix": "q"}}]},
        [],
        "Events whose type is anything but “a” or “b”, and id does not begin with “q”.",
        "满足以下条件的事件：类型不是“a” 或 “b”，且ID不以“q”开头。",
    ),
    (
        {"$or": [{"type": ["a"]}, {"source": ["b"], "subject": ["c"]}]},
        [],
        "Events whose type is “a” or (source is “b”, and subject is “c”).",
        "满足以下条件的事件：类型为“a”，或（来源为“b”，且主题为“c”）。",
    ),
]


@pytest.mark.parametrize(("pattern", "buses", "english", "chinese"), SENTENCES)
def test_sentences(pattern: dict[str, Any], buses: list[str], english: str, chinese: str) -> None:
    assert sentence(EventPattern.parse(pattern), buses) == {"en": english, "zh": chinese}


def test_a_sentence_is_bounded_and_shows_what_is_hidden() -> None:
    words = sentence(EventPattern.parse({"type": ["x\u202ey", *(f"type-{n}" * 9 for n in range(150))]}), [])
    assert "x⟨U+202E⟩y" in words["en"]
    assert all(len(text) <= 1200 for text in words.values())
