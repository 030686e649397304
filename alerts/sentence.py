"""An event pattern as a sentence, so that a rule can be read by those who did not write it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from alerts.text import clip, visible
from eventcenter.pattern import (
    All,
    Any,
    AnythingBut,
    Condition,
    Contains,
    EventPattern,
    Exact,
    Exists,
    Node,
    Numeric,
    Path,
    Prefix,
    Scalar,
    Suffix,
    Test,
)

Language = Literal["en", "zh"]
_SENTENCE_LIMIT = 1_200
_VALUE_LIMIT = 120

_COMPARED: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "=": "is",
        "!=": "is not",
        "<": "is below",
        "<=": "is at most",
        ">": "is above",
        ">=": "is at least",
    },
    "zh": {"=": "等于", "!=": "不等于", "<": "小于", "<=": "不大于", ">": "大于", ">=": "不小于"},
}
_NAMES: Final[Mapping[str, str]] = {
    "id": "ID",
    "source": "来源",
    "type": "类型",
    "subject": "主题",
    "time": "时间",
}


@dataclass(frozen=True, kw_only=True)
class _Words:
    all_events: str
    events: str
    on_buses: str
    both: str
    either: str
    group: tuple[str, str]
    quote: tuple[str, str]
    listed: str
    last: str


_WORDS: Final[Mapping[Language, _Words]] = {
    "en": _Words(
        all_events="Every event{buses}",
        events="Events{buses} whose {condition}",
        on_buses=" on {buses}",
        both=", and ",
        either=" or ",
        group=("(", ")"),
        quote=("“", "”"),
        listed=", ",
        last=" or ",
    ),
    "zh": _Words(
        all_events="{buses}所有事件",
        events="{buses}满足以下条件的事件：{condition}",
        on_buses="总线 {buses} 上",
        both="，且",
        either="，或",
        group=("（", "）"),
        quote=("“", "”"),
        listed="、",
        last=" 或 ",
    ),
}


def sentence(pattern: EventPattern, buses: Sequence[str]) -> dict[str, str]:
    """The pattern in words, by language; at most 1,200 characters each."""
    return {language: _sentence(pattern, buses, language) for language in ("en", "zh")}


def _sentence(pattern: EventPattern, buses: Sequence[str], language: Language) -> str:
    words = _WORDS[language]
    where = words.on_buses.format(buses=_listed(words, list(buses))) if buses else ""
    condition = _node(pattern.root, language, top=True)
    if not condition:
        return clip(words.all_events.format(buses=where), _SENTENCE_LIMIT)
    end = "." if language == "en" else "。"
    return clip(words.events.format(buses=where, condition=condition), _SENTENCE_LIMIT - 1) + end


def _node(node: Node, language: Language, *, top: bool = False) -> str:
    words = _WORDS[language]
    if isinstance(node, Condition):
        return _name(node.path, language) + _gap(language) + _test(node.test, language)
    if isinstance(node, Any) and (path := _shared_path(node)) is not None:
        return _name(path, language) + _gap(language) + _alternatives(node, language)
    nodes = tuple(_flat(node))
    parts = [_node(each, language, top=top and len(nodes) == 1) for each in nodes]
    parts = [part for part in parts if part]
    joined = (words.both if isinstance(node, All) else words.either).join(parts)
    return joined if top or len(parts) < 2 else joined.join(words.group)


def _flat(node: All | Any) -> Iterator[Node]:
    """The parts of an all-of or any-of, those of the same kind inside it taken in."""
    for each in node.nodes:
        if isinstance(each, type(node)) and not (isinstance(each, Any) and _shared_path(each)):
            yield from _flat(each)
        else:
            yield each


def _shared_path(node: Any) -> Path | None:
    """The path of an any-of whose conditions all look at the same place."""
    found = {each.path for each in node.nodes if isinstance(each, Condition)}
    return (
        found.pop() if len(found) == 1 and all(isinstance(each, Condition) for each in node.nodes) else None
    )


def _alternatives(node: Any, language: Language) -> str:
    words = _WORDS[language]
    tests = [each.test for each in node.nodes if isinstance(each, Condition)]
    exact = [_value(test.value, words) for test in tests if isinstance(test, Exact)]
    parts = [_is(_listed(words, exact), language)] if exact else []
    parts += [_test(test, language) for test in tests if not isinstance(test, Exact)]
    return words.either.join(parts)


def _test(test: Test, language: Language) -> str:
    words = _WORDS[language]
    chinese = language == "zh"
    if isinstance(test, Exact):
        return _is(_value(test.value, words), language)
    if isinstance(test, Prefix):
        return f"以{_value(test.text, words)}开头" if chinese else f"begins with {_value(test.text, words)}"
    if isinstance(test, Suffix):
        return f"以{_value(test.text, words)}结尾" if chinese else f"ends with {_value(test.text, words)}"
    if isinstance(test, Contains):
        return f"包含{_value(test.text, words)}" if chinese else f"contains {_value(test.text, words)}"
    if isinstance(test, Numeric):
        compared = _COMPARED[language]
        both = "且" if chinese else " and "
        space = " "
        return both.join(f"{compared[operator]}{space}{number}" for operator, number in test.comparisons)
    if isinstance(test, Exists):
        if chinese:
            return "存在" if test.present else "不存在"
        return "is there" if test.present else "is not there"
    return _anything_but(test, language)


def _anything_but(test: AnythingBut, language: Language) -> str:
    words = _WORDS[language]
    exact = [_value(each.value, words) for each in test.tests if isinstance(each, Exact)]
    others = [_test(each, language) for each in test.tests if not isinstance(each, Exact)]
    if language == "zh":
        parts = [f"不是{_listed(words, exact)}"] if exact else []
        return "，也".join([*parts, *(f"不{other}" for other in others)])
    parts = [f"is anything but {_listed(words, exact)}"] if exact else []
    negated = [
        other.replace("begins", "does not begin", 1).replace("ends", "does not end", 1) for other in others
    ]
    return " and ".join([*parts, *negated])


def _is(value: str, language: Language) -> str:
    return f"为{value}" if language == "zh" else f"is {value}"


def _gap(language: Language) -> str:
    return "" if language == "zh" else " "


def _name(path: Path, language: Language) -> str:
    text = clip(visible(path.text), _VALUE_LIMIT)
    if language == "en":
        return text
    return _NAMES.get(text, f" {text} ")


def _listed(words: _Words, values: list[str]) -> str:
    if len(values) < 2:
        return "".join(values)
    return words.listed.join(values[:-1]) + words.last + values[-1]


def _value(value: Scalar, words: _Words) -> str:
    if isinstance(value, str):
        return clip(visible(value), _VALUE_LIMIT).join(words.quote)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
