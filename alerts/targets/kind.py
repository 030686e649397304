"""What a kind of target is: how one is set up, spoken to, and what its answers mean."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from alerts import shapes
from eventcenter.access import Principal
from eventcenter.store.models import OutboxItem, Target

Words = Mapping[str, str]


class Outcome(StrEnum):
    """What an attempt came to."""

    OK = "ok"
    RETRY = "retry"
    """It may work later: try again with growing pauses."""
    RATE_LIMITED = "rate_limited"
    """The robot must rest; what waits becomes a digest."""
    QUOTA = "quota"
    """The robot's day is used up: wait for the next one."""
    BROKEN = "broken"
    """Nothing gets through until a person repairs robot or target."""
    REJECTED = "rejected"
    """This message is refused, others are not."""
    TOO_LONG = "too_long"
    """Refused for its size: shrink and send once more."""
    BUG = "bug"
    """The target does not understand our request; never expected."""


@dataclass(frozen=True, kw_only=True)
class Code:
    """A row of a kind's table: a code (and a word of what was said), what follows, what to do."""

    name: str
    errcode: int | None
    words: tuple[str, ...] = ()
    """Where a code says several things: lower-case parts of what was said, any of which picks this row."""
    outcome: Outcome
    meaning: Words
    """May name `{topic}` and `{address}`, where the kind has them; so may the remedy."""
    remedy: Words


REPORT: Final = (
    "Please report this with the request and the answer shown with the delivery.",
    "请将投递记录中的请求与响应反馈给维护者。",
)
"""The remedy, in English and Chinese, where the fault is ours."""


def code(
    name: str,
    errcode: int | None,
    outcome: Outcome,
    meaning: tuple[str, str],
    remedy: tuple[str, str],
    *words: str,
) -> Code:
    """A row; meaning and remedy in English and Chinese."""
    return Code(
        name=name,
        errcode=errcode,
        words=words,
        outcome=outcome,
        meaning={"en": meaning[0], "zh": meaning[1]},
        remedy={"en": remedy[0], "zh": remedy[1]},
    )


def row_of(codes: Iterable[Code], errcode: int | None, said: str) -> Code | None:
    """The row of a code (None: where none came) and what was said; None where the table has none.

    Of several the first whose words were said, else the one without words, if there is a code.
    """
    rows = [row for row in codes if row.errcode == errcode]
    low = said.lower()
    for row in rows:
        if any(word in low for word in row.words):
            return row
    return next((row for row in rows if not row.words), None) if errcode is not None else None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an attempt came to, in data: the row of the table, and what the other side said."""

    code: Code
    errcode: int | None = None
    text: str
    wait_s: int | None = None
    """How long it asked to wait at least."""

    @property
    def outcome(self) -> Outcome:
        """What follows from it."""
        return self.code.outcome


@dataclass(frozen=True, kw_only=True)
class Sent:
    """How an exchange went."""

    status: int | None
    """HTTP status, None where no answer came or none was HTTP."""
    answers: tuple[Answer, ...]
    """One for each item, in order; what an answer repeated of the credentials is masked."""
    latency_ms: int


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What is the same for all targets of a kind."""

    name: str
    codes: Mapping[str, Code]
    """By name. It has `ok`, `unknown` for a code without a row, and `no_answer`."""
    budget: int | None
    """Requests a minute; what waits for it becomes a digest. None: no limit, and no digests."""
    batch: int
    """Items that one request takes at most."""
    forwards: bool
    """It gets the event itself, not a message about it: its rules have no template."""
    sealed: Words
    """What to do where the credentials cannot be opened."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A target's settings as they are before a change."""

    config: Mapping[str, Any]
    opened: Callable[[], bytes]
    """The secrets; raises an EventCenterError where they cannot be opened. Call it only where needed."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A target's settings, checked."""

    config: Mapping[str, Any]
    secrets: bytes | None
    """To be sealed; None: they stay as they are, and so does the way."""
    way: str | None
    """64 hex digits: targets that share it share pace and budget (`robot_hash` in the store). None: own."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """What the audit trail keeps of it."""


class Request(Protocol):
    """A request that is ready to go out."""

    @property
    def shown(self) -> Sequence[Mapping[str, Any]]:
        """What may be shown of it, for each item; credentials masked."""
        ...


class Kind(Protocol):
    """Targets of one kind. Methods may be called from many threads; only `send` takes long."""

    traits: Traits

    def set_up(
        self, who: Principal, body: shapes.NewTarget | shapes.ChangeTarget, kept: Kept | None
    ) -> Setup | None:
        """The settings of a target: of a new one (`kept` is None), or with the changes that are given.

        None where the body changes none of them. Raises InvalidInput, or Forbidden; never repeats a secret.
        """
        ...

    def prepare(self, target: Target, items: Sequence[OutboxItem], secrets: bytes, now: datetime) -> Request:
        """The request that brings the items, at most `traits.batch` of them. Does no IO."""
        ...

    def send(self, request: Any) -> Sent:
        """Send what `prepare` made; blocks until all is answered or given up, at most half a lease.

        Never raises for what the other side or the network does. `ok` only what the other side has for good.
        """
        ...

    def said(self, item: OutboxItem, target: Target | None) -> shapes.Said:
        """What the item brings, for people. The target may be gone."""
        ...

    def close(self) -> None:
        """Close idle connections; a later request opens its own."""
        ...
