"""The event pattern as the rest of the product holds it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from eventcenter.event import Event
from eventcenter.pattern.match import Fields, holds
from eventcenter.pattern.parse import read
from eventcenter.pattern.tree import Condition, Node, Path


@dataclass(frozen=True, kw_only=True, slots=True)
class EventPattern:
    """Which events are meant. Two patterns with the same text are equal and hash alike."""

    text: str
    """The pattern as compact JSON text."""
    root: Node
    """The tree to walk (see `eventcenter.pattern.tree`)."""

    @classmethod
    def parse(cls, obj: object) -> "EventPattern":
        """Read a pattern from JSON text (str or bytes) or from an already decoded JSON object.

        Raises InvalidPattern (an InvalidInput), which lists every problem at once.
        """
        text, root = read(obj)
        return cls(text=text, root=root)

    @property
    def document(self) -> dict[str, object]:
        """The pattern as a JSON object, a fresh one each time."""
        return cast("dict[str, object]", json.loads(self.text))

    def match(self, event: Event) -> bool:
        """Whether `event` is meant."""
        return holds(self.root, Fields(event))


def paths(pattern: EventPattern) -> tuple[Path, ...]:
    """The paths a pattern looks at, each once, in the pattern's order."""
    return tuple(dict.fromkeys(_paths(pattern.root)))


def _paths(node: Node) -> Iterator[Path]:
    if isinstance(node, Condition):
        yield node.path
    else:
        for each in node.nodes:
            yield from _paths(each)
