"""Which matches of a rule speak and which the cooldown holds back: pure, by the events' own time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from eventcenter.event import StoredEvent


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What a rule remembers: `received_at` of the event it last fired on, and how many matched since."""

    last_fired_at: datetime | None = None
    suppressed: int = 0


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A match that fires, telling of `before` suppressed ones, or one that is suppressed."""

    stored: StoredEvent
    fires: bool
    before: int = 0


def decide(
    matches: Sequence[StoredEvent], memory: Memory, cooldown_s: int
) -> tuple[tuple[Decision, ...], Memory]:
    """A decision for each match, in order, and what the rule remembers then.

    After a firing, matches received less than `cooldown_s` seconds later are suppressed. The clock is the
    events' `received_at`: however late or often a batch is evaluated, the same events fire.
    """
    decisions: list[Decision] = []
    last, suppressed = memory.last_fired_at, memory.suppressed
    cooldown = timedelta(seconds=cooldown_s)
    for stored in matches:
        if last is not None and stored.received_at < last + cooldown:
            suppressed += 1
            decisions.append(Decision(stored=stored, fires=False))
        else:
            decisions.append(Decision(stored=stored, fires=True, before=suppressed))
            last, suppressed = stored.received_at, 0
    return tuple(decisions), Memory(last_fired_at=last, suppressed=suppressed)
