"""Messages on their way out, and what became of them; without gRPC, so that everybody may import it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

STORED: Final = 20_000
"""RocketMQ's code for what it has for good."""
NOT_KNOWN: Final = 40_100
NOT_ALLOWED: Final = 40_300
_VERSION = "01"
"""Of the form of message ids that RocketMQ 5 introduced: this, and 32 hex digits in capitals."""


class Content(Protocol):
    """What a message says; see `ingest.bindings.rocketmq.Message`."""

    @property
    def body(self) -> bytes: ...

    @property
    def properties(self) -> Mapping[str, str]: ...

    @property
    def tag(self) -> str | None: ...

    @property
    def keys(self) -> Sequence[str]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """One message to be sent."""

    message_id: str
    """The same each time that it is sent; see `message_id`."""
    content: Content
    born_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What became of a message."""

    code: int | None
    """RocketMQ's code; None where no answer came, and then nobody knows."""
    text: str
    """What the proxy said, or why it said nothing."""


def message_id(id_: str) -> str:
    """The message id that stands for an id of ours (32 hex digits), in the form that RocketMQ takes."""
    return f"{_VERSION}{id_.upper()}"
