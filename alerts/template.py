"""Message templates: text with `${path}` and `${path | filter}`, no code, bounded in work and output.

`Template.parse` refuses what can not be right and names every problem with its place; `render` never raises.
A value is cut to `VALUE_LIMIT` characters before it is escaped, and rendering stops at the output's limit, so
the work is bounded by the template's length whatever the event holds.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final

from alerts.filters import FILTERS, VALUE_LIMIT, Argument, UrlPart
from alerts.text import ELLIPSIS, clip, hidden_characters
from alerts.values import ATTRIBUTES, CONTEXT, MISSING, EventValues, Value, as_text
from eventcenter.errors import InvalidInput

TEMPLATE_LIMIT: Final = 10_240
"""Characters of a template, as EventBridge has it."""
NOTHING: Final = "—"
"""Stands where the event has nothing at a path: short, and seen."""
_MAX_PATH = 64

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[^\s.|()\[\]{}'\"$,]+")
_NUMBER = re.compile(r"[0-9]{1,9}(?![^\s,)])")
_QUOTED = re.compile(r"'([^'\n]*)'|\"([^\"\n]*)\"")
_EXTENSION = re.compile(r"[a-z0-9]+")
_LINK_LABEL = re.compile(r" {0,3}\[[^\]]*\]:")
_TAG = re.compile(r"<(?:[/!?A-Za-z][^<>]*)?")
_LINK_HOST = re.compile(r"https?://[^/\s]+/\S*")


@dataclass(frozen=True, kw_only=True)
class Placeholder:
    """`${path | filter(argument)}`: where to look, and what to do with what is found."""

    path: tuple[str, ...]
    filters: tuple[tuple[str, tuple[Argument, ...]], ...]
    written: str

    @property
    def for_address(self) -> bool:
        """Whether the last filter makes it fit for a link's address."""
        return bool(self.filters) and self.filters[-1][0] == "url"

    def value(self, values: EventValues, zone: tzinfo) -> Value:
        """The filtered value, or MISSING."""
        value = values.get(self.path)
        for name, arguments in self.filters:
            if value is not MISSING or name == "default":
                value = FILTERS[name].apply(value, arguments, zone)
        return value


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A rendered template, and the paths that the event had nothing for."""

    text: str
    missing: tuple[str, ...]
    cut: bool


@dataclass(frozen=True, kw_only=True)
class Template:
    """A template that parsed: literal texts and placeholders in their order."""

    parts: tuple[str | Placeholder, ...]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """The template of `text`. Raises InvalidInput with every problem and its place."""
        template, problems = read(text)
        if problems:
            raise InvalidInput(
                "; ".join(problems),
                rule="text with ${path} and ${path | filter}; $${ stands for ${ itself",
                remedy="the user guide lists the paths and filters",
            )
        return template

    def render(
        self,
        values: EventValues,
        *,
        escape: Callable[[str], str],
        limit: int,
        zone: tzinfo = UTC,
    ) -> Rendered:
        """The template filled in, at most `limit` characters; `escape` makes values harmless."""
        out: list[str] = []
        missing: dict[str, None] = {}
        done: dict[str, str] = {}
        length = 0
        for part in self.parts:
            if isinstance(part, str):
                piece = part
            elif part.written in done:
                piece = done[part.written]
            else:
                value = part.value(values, zone)
                if value is MISSING:
                    missing[".".join(part.path)] = None
                    # A dash is for readers; in an address nothing is nothing.
                    value = "" if part.for_address else NOTHING
                piece = done[part.written] = _shown(value, escape)
            out.append(piece)
            length += len(piece)
            if length > limit:
                break
        text = "".join(out)
        return Rendered(text=cut(text, limit), missing=tuple(missing), cut=length > limit)


def read(text: str) -> tuple[Template, list[str]]:
    """The template as far as it can be read, and all that is wrong with it."""
    if len(text) > TEMPLATE_LIMIT:
        return Template(parts=()), [f"it has {len(text):,} characters, the limit is {TEMPLATE_LIMIT:,}"]
    problems = [f"the hidden character {name} is not allowed" for name in hidden_characters(text)]
    parts: list[str | Placeholder] = []
    literal: list[str] = []
    position = 0
    while (start := text.find("${", position)) >= 0:
        if start > position and text[start - 1] == "$":
            literal.append(text[position : start - 1] + "${")
            position = start + 2
            continue
        literal.append(text[position:start])
        reader = _Reader(text, start + 2)
        try:
            placeholder = reader.placeholder(text, start)
        except _Problem as problem:
            problems.append(f"character {problem.place + 1}: {problem.text}")
            position = start + 2
            continue
        before = "".join(literal)
        literal.clear()
        if found := _place_problem(parts, before, placeholder):
            problems.append(f"character {start + 1}: {found}")
        parts += [before, placeholder]
        position = reader.position
    parts.append("".join(literal) + text[position:])
    return Template(parts=tuple(part for part in parts if part != "")), problems


def cut(text: str, limit: int) -> str:
    """`text` cut to `limit` characters, never between a backslash and what it escapes."""
    if len(text) <= limit:
        return text
    kept = text[: max(limit - 1, 0)]
    backslashes = len(kept) - len(kept.rstrip("\\"))
    return kept[: len(kept) - backslashes % 2] + ELLIPSIS


def _shown(value: Value, escape: Callable[[str], str]) -> str:
    if isinstance(value, UrlPart):
        return value[: 3 * VALUE_LIMIT]
    return escape(clip(as_text(value, VALUE_LIMIT), VALUE_LIMIT))


def _place_problem(parts: Sequence[str | Placeholder], before: str, placeholder: Placeholder) -> str | None:
    """Why the placeholder must not stand here: inside a tag, or where it would choose a link's address."""
    whole = "".join(part if isinstance(part, str) else "x" for part in (*parts, before))
    if _TAG.fullmatch(whole, max(whole.rfind("<"), 0)):
        return "a placeholder must not stand inside an HTML tag"
    if _LINK_LABEL.match(whole[whole.rfind("\n") + 1 :]):
        return "a placeholder must not stand where markdown defines a link; write [text](https://host/…)"
    opened = whole.rfind("](")
    if opened < 0 or ")" in whole[opened:] or "\n" in whole[opened:]:
        return None
    if _LINK_HOST.fullmatch(whole, opened + 2) is None:
        return "an event must not choose where a link leads: write https://host/ before the placeholder"
    if not placeholder.for_address:
        return f"in a link's address the last filter is url: ${{{placeholder.written.strip()} | url}}"
    return None


class _Problem(Exception):
    def __init__(self, place: int, text: str) -> None:
        super().__init__(text)
        self.place = place
        self.text = text


class _Reader:
    """Reads one placeholder, from behind its `${` to behind its `}`."""

    def __init__(self, text: str, position: int) -> None:
        self._text = text
        self.position = position

    def placeholder(self, text: str, start: int) -> Placeholder:
        path = self._path(start)
        filters = tuple(self._filters())
        if not self._take("}"):
            raise _Problem(start, "this ${ has no } behind a path and its filters")
        return Placeholder(path=path, filters=filters, written=text[start + 2 : self.position - 1])

    def _path(self, start: int) -> tuple[str, ...]:
        self._match(_SPACE)
        head = self._match(_NAME)
        if head is None:
            raise _Problem(start, "a path is missing, such as ${type} or ${data.name}")
        path = [head]
        while len(path) <= _MAX_PATH:
            if self._take("."):
                name = self._match(_NAME)
                if name is None:
                    raise _Problem(self.position, "a name is missing after the dot")
                path.append(name)
            elif self._take("["):
                path.append(self._key())
            else:
                break
        else:
            raise _Problem(start, f"a path has at most {_MAX_PATH} names")
        if problem := _root_problem(path):
            raise _Problem(start, problem)
        return tuple(path)

    def _key(self) -> str:
        place = self.position
        key = self._quoted()
        if key is None:
            key = self._match(_NAME)
        if key is None or not self._take("]"):
            raise _Problem(
                place, "in [ ] stands a name in quotes or a place in a list: ['app.kubernetes.io/name'], [0]"
            )
        return key

    def _filters(self) -> Iterator[tuple[str, tuple[Argument, ...]]]:
        while self._match(_SPACE) is not None and self._take("|"):
            self._match(_SPACE)
            place = self.position
            name = self._match(_NAME)
            if name is None or name not in FILTERS:
                known = ", ".join(FILTERS)
                raise _Problem(
                    place, f"there is no filter {name or 'without a name'}; the filters are {known}"
                )
            arguments = tuple(self._arguments()) if self._take("(") else ()
            if problem := FILTERS[name].problem(name, arguments):
                raise _Problem(place, problem)
            yield name, arguments

    def _arguments(self) -> Iterator[Argument]:
        while True:
            self._match(_SPACE)
            place = self.position
            if (text := self._quoted()) is not None:
                yield text
            elif (number := self._match(_NUMBER)) is not None:
                yield int(number)
            else:
                raise _Problem(place, "an argument is a text in quotes or a whole number")
            self._match(_SPACE)
            if self._take(")"):
                return
            if not self._take(","):
                raise _Problem(place, "the arguments of a filter end with )")

    def _quoted(self) -> str | None:
        found = _QUOTED.match(self._text, self.position)
        if found is None:
            return None
        self.position = found.end()
        return found[1] if found[1] is not None else found[2]

    def _match(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self._text, self.position)
        if found is None:
            return None
        self.position = found.end()
        return found.group()

    def _take(self, character: str) -> bool:
        if self._text.startswith(character, self.position):
            self.position += 1
            return True
        return False


def _root_problem(path: Sequence[str]) -> str | None:
    head = path[0]
    if head in {"data", "extensions"}:
        return None
    if len(path) > 1:
        return f"{head} has nothing inside; paths with dots begin with data or extensions"
    if head in ATTRIBUTES or head in CONTEXT or _EXTENSION.fullmatch(head):
        return None
    return f"{head} is no attribute; extension names have small letters and digits, the rest is under data"
