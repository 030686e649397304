"""Rules: what makes one right, and its parts ready for use."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from alerts.template import Template, read
from alerts.text import hidden_characters
from eventcenter.errors import InvalidInput
from eventcenter.pattern import EventPattern
from eventcenter.pattern.parse import InvalidPattern

NAME_LIMIT: Final = 127
TITLE_TEMPLATE_LIMIT: Final = 1_000
COOLDOWN_LIMIT_S: Final = 7 * 86_400
BUSES_LIMIT: Final = 100
RULES_LIMIT: Final = 500
"""Rules of one tenant: each is asked for at every batch."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong with a rule."""

    where: str
    """The member: `name`, `template.text`, …"""
    rule: str
    value: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.rule}"

    def document(self) -> dict[str, str]:
        """As answers list it."""
        members = {"where": self.where, "rule": self.rule}
        return members if self.value is None else {**members, "value": self.value[:200]}


class InvalidRule(InvalidInput):
    """The rule is wrong; `problems` lists all that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        super().__init__(
            f"The rule has {count} problem{'s' if count > 1 else ''}: {'; '.join(map(str, self.problems))}.",
            value=self.problems[0].value,
            rule=self.problems[0].rule,
            remedy="correct each of them; POST /v1/rules/preview says what a rule would do",
        )

    def problem(self) -> dict[str, object]:
        """RFC 9457 members, plus `problems`."""
        return {**super().problem(), "problems": [each.document() for each in self.problems]}


@dataclass(frozen=True, kw_only=True)
class RuleForm:
    """A rule as it is asked for, not yet checked."""

    name: str
    buses: tuple[str, ...]
    pattern: Mapping[str, Any]
    title: str
    text: str
    cooldown_s: int
    target_id: str | None


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of a rule as far as they could be read."""

    pattern: EventPattern | None
    title: Template
    text: Template


def examine(
    form: RuleForm, *, known_buses: Iterable[str], known_targets: Mapping[str, bool], preview: bool = False
) -> tuple[Parts, list[Problem]]:
    """The rule's parts, and everything that is wrong with it.

    `known_targets` says of each whether it gets the events themselves. A preview wants neither a name nor a
    target.
    """
    problems: list[Problem] = []
    if not preview:
        problems += _named("name", form.name, NAME_LIMIT)
        if form.target_id is None or form.target_id not in known_targets:
            problems.append(
                Problem(where="target_id", rule="it names a target of this tenant", value=form.target_id)
            )
    elif form.target_id is not None and form.target_id not in known_targets:
        problems.append(
            Problem(where="target_id", rule="it names a target of this tenant", value=form.target_id)
        )
    problems += _buses(form.buses, set(known_buses))
    if not 0 <= form.cooldown_s <= COOLDOWN_LIMIT_S:
        problems.append(
            Problem(
                where="cooldown_s",
                rule=f"it is a number of seconds from 0 to {COOLDOWN_LIMIT_S} (7 days)",
                value=str(form.cooldown_s),
            )
        )
    pattern: EventPattern | None = None
    try:
        pattern = EventPattern.parse(dict(form.pattern))
    except InvalidPattern as error:
        problems += [
            Problem(
                where=f"pattern.{each.path}" if each.path else "pattern",
                rule=f"{each.rule}; {each.remedy}",
                value=each.value,
            )
            for each in error.problems
        ]
    title, found = read(form.title)
    problems += [Problem(where="template.title", rule=text) for text in found]
    forwards = known_targets.get(form.target_id or "", False)
    if forwards and (form.title or form.text):
        problems.append(
            Problem(
                where="template",
                rule="it is empty where the target is a topic, which gets the event as it is",
            )
        )
    if not form.title.strip() and not preview and not forwards:
        problems.append(Problem(where="template.title", rule="it must not be empty"))
    if len(form.title) > TITLE_TEMPLATE_LIMIT:
        problems.append(
            Problem(where="template.title", rule=f"it has at most {TITLE_TEMPLATE_LIMIT:,} characters")
        )
    text, found = read(form.text)
    problems += [Problem(where="template.text", rule=words) for words in found]
    return Parts(pattern=pattern, title=title, text=text), problems


def _named(where: str, text: str, limit: int) -> list[Problem]:
    if not text.strip() or len(text) > limit:
        return [Problem(where=where, rule=f"it has 1 to {limit} characters", value=text)]
    if "\n" in text or "\t" in text or "\r" in text or hidden_characters(text):
        return [Problem(where=where, rule="it is one line without hidden characters", value=text)]
    return []


def check_name(text: str) -> str:
    """The name of a target. Raises InvalidInput."""
    held = text.strip()
    for problem in _named("name", held, NAME_LIMIT):
        raise InvalidInput(
            "This is no usable name.",
            value=text,
            rule=problem.rule,
            remedy="choose another name",
        )
    return held


def _buses(buses: Sequence[str], known: set[str]) -> list[Problem]:
    if len(buses) > BUSES_LIMIT:
        return [Problem(where="buses", rule=f"at most {BUSES_LIMIT} buses; none means all of them")]
    return [
        Problem(where="buses", rule="each is a bus of this tenant; none means all of them", value=bus)
        for bus in buses
        if bus not in known
    ]
