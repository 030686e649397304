"""When a robot may speak again: computed from its attempts, over all rules and tenants.

Nothing is kept in memory: a restart, a second tenant with the same robot and a clock that is set back all see
the same attempts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from alerts.targets.dingtalk import wait_of
from alerts.targets.kind import Outcome
from eventcenter.store.models import Attempt
from eventcenter.store.sql import Session, select

MINUTE: Final = timedelta(minutes=1)
BACKOFF_S: Final = (10, 30, 60, 120, 300, 600)
"""Pauses after the first, second, … failure in a row; the last one for all that follow."""
LIMITED_S: Final = (60, 120, 240, 480, 600)
"""Pauses after the first, second, … answer in a row that the robot is too fast."""
_LOOK_BACK = 24
_TELLING: Final = frozenset(Outcome)
_CHINA = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Until when a robot waits, and why."""

    until: datetime | None
    limited: bool
    """The robot's budget or its rate limit is the reason: what waits becomes a digest."""
    failures: int
    """Attempts in a row that brought no usable answer."""


def backoff(failures: int) -> timedelta:
    """The pause after so many failures in a row (at least one)."""
    return timedelta(seconds=BACKOFF_S[min(max(failures, 1), len(BACKOFF_S)) - 1])


def pace(session: Session, robot_hash: str, now: datetime, *, budget: int | None) -> Pace:
    """How long the robot must wait at `now`; `budget` is what it may be sent in a minute."""
    ask = (
        select(Attempt.started_at, Attempt.finished_at, Attempt.outcome, Attempt.response)
        .where(Attempt.robot_hash == robot_hash)
        .order_by(Attempt.started_at.desc(), Attempt.id)
        .limit(max(_LOOK_BACK, budget or 0))
    )
    rows = session.execute(ask).all()
    used_up = None if budget is None else _budget([row.started_at for row in rows], budget, now)
    # Of a moment that lies ahead, because the clock was set back, a pause counts from now at most.
    rest, failures = _rest(
        [
            (min(row.finished_at, now), row.outcome, row.response)
            for row in rows
            if row.finished_at is not None and row.outcome in _TELLING
        ]
    )
    if rest is None or rest.until is None or rest.until <= now:
        return Pace(until=used_up, limited=used_up is not None, failures=failures)
    # A pause after a failure does not hide that the budget is used up: who may pass over the one may not
    # pass over the other.
    return Pace(
        until=max(rest.until, used_up or rest.until),
        limited=rest.limited or used_up is not None,
        failures=failures,
    )


def _budget(started: Sequence[datetime], budget: int, now: datetime) -> datetime | None:
    """Until when the minute's budget is used up; `started` newest first."""
    recent = [at for at in started[:budget] if at > now - MINUTE]
    return min(recent[-1], now) + MINUTE if len(recent) >= budget else None


def _rest(answered: Sequence[tuple[datetime, str, str | None]]) -> tuple[Pace | None, int]:
    """The pause that the newest answers in a row ask for; newest first."""
    if not answered:
        return None, 0
    at, newest, response = answered[0]
    row = 0
    for _, outcome, _ in answered:
        if outcome != newest:
            break
        row += 1
    if newest == Outcome.RATE_LIMITED:
        seconds = max(LIMITED_S[min(row, len(LIMITED_S)) - 1], wait_of(response))
        return Pace(until=at + timedelta(seconds=seconds), limited=True, failures=0), 0
    if newest == Outcome.QUOTA:
        return Pace(until=_next_day(at), limited=True, failures=0), 0
    if newest == Outcome.RETRY:
        return Pace(until=at + backoff(row), limited=False, failures=row), row
    return None, 0


def _next_day(moment: datetime) -> datetime:
    local = moment.astimezone(_CHINA)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return midnight.astimezone(moment.tzinfo)
