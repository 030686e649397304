"""The loop that ends fetches, gives them to services that run, and has missing messages fetched."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import structlog

from eventcenter.errors import EventCenterError
from eventcenter.store import Store
from eventcenter.store.models import Fetch, Input
from eventcenter.store.sql import Session, delete, select
from ingest.inputs.ages import LATE_S, Ages
from ingest.inputs.config import Range
from ingest.inputs.fetching import chosen, new_fetch, told_of
from ingest.inputs.ledger import GapKind
from ingest.inputs.looks import Looks
from ingest.inputs.overview import Overview
from ingest.inputs.status import ServiceStatus

GAP_AGE_S: Final = LATE_S
"""What is missing longer came again without its offset, or does not come."""
AGAIN: Final = timedelta(hours=1)
DEAD_MS: Final = 30_000
MOST_RANGES: Final = 1_000
BY: Final = "server"
_KEPT: Final = 200
"""Fetches of an input that are remembered after their end."""
_EVERY_S: Final = 2.0
_GAPS_EVERY_S: Final = 20.0
_REACH_MS: Final = 60_000

_log = structlog.get_logger(__name__)


class Keeper:
    """Each step is quick where there is nothing to do."""

    def __init__(
        self,
        *,
        store: Store,
        looks: Looks,
        overview: Overview,
        ages: Ages,
        fallback: str,
    ) -> None:
        """`fallback` is the ingest service that fetches where none runs."""
        self._store = store
        self._looks = looks
        self._overview = overview
        self._ages = ages
        self._fallback = fallback
        self._quiet: dict[str, Any] = {}
        """By input what was told when it last had no gaps: until that changes it has none."""

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. For a thread of its own."""
        due = time.monotonic()
        while not stop.is_set():
            self._guarded(self.settle)
            if time.monotonic() >= due:
                self._guarded(self.close_gaps)
                due = time.monotonic() + _GAPS_EVERY_S
            stop.wait(_EVERY_S)

    def settle(self) -> None:
        """End fetches whose service has, and give those of services that do not run to others."""
        services = self._looks.services()
        waiting = self._store.read(lambda session: list(session.scalars(_waiting())))
        if not waiting:
            return
        live = self._looks.live(DEAD_MS)
        names = {one.service for one in live}
        for fetch in waiting:
            told = told_of(fetch, services)
            if told is not None and told.finished:
                problem = None if told.problem is None else msgspec.to_builtins(told.problem)
                result = {"found": told.found, "total": told.total, "done": told.done, "problem": problem}
                state = "done" if problem is None else "failed"
                self._store.write(_ending(fetch.id, state, result, self._store.clock.now()))
            elif fetch.service not in names and live:
                self._store.write(_giving(fetch.id, live))

    def close_gaps(self) -> int:
        """Have what is missing for long fetched; how many fetches were made."""
        rows = self._store.read(lambda session: list(session.scalars(select(Input).where(Input.enabled))))
        known = {row.id for row in rows}
        self._quiet = {name: what for name, what in self._quiet.items() if name in known}
        self._ages.keep(known)
        made = 0
        for row in rows:
            try:
                made += self._close_gaps(row)
            except Exception:  # noqa: BLE001 whatever it is, other inputs go on
                _log.exception("gaps could not be looked at; they are again", input=row.id)
        return made

    def _close_gaps(self, row: Input) -> int:
        if not row.config.get("name_servers"):
            return 0
        reach, reach_at = self._looks.reach(row.id)
        now_ms = self._store.clock.now().timestamp() * 1000
        if not reach or reach_at is None or now_ms - reach_at > _REACH_MS:
            return 0
        told = (reach, tuple(one.status.received for one in self._looks.running(row.id)))
        if self._quiet.get(row.id) == told:
            return 0
        found = self._overview.known(row)
        # None is missed that a filter leaves out, nor of a topic that is no longer read.
        gaps = [
            gap
            for queue in found.whole
            if queue.topic in found.buses
            for gap in queue.gaps
            if gap.kind is GapKind.MISSING
        ]
        if not gaps:
            self._quiet[row.id] = told
            return 0
        old = [
            Range(topic=gap.topic, broker=gap.broker, queue_id=gap.queue_id, first=first, last=last)
            for gap in gaps
            for first, last in self._ages.older(row.id, gap, GAP_AGE_S)
        ]
        return self._store.write(lambda session: self._fetch(session, row.id, old)) if old else 0

    def _fetch(self, session: Session, input_id: str, ranges: Sequence[Range]) -> int:
        row = session.get(Input, input_id)
        if row is None:
            return 0
        now = self._store.clock.now()
        recent = select(Fetch).where(Fetch.input_id == input_id)
        tried = [
            one
            for fetch in session.scalars(recent)
            if fetch.state == "waiting" or fetch.created_at > now - AGAIN
            for one in fetch.ranges
        ]
        wanted = [part for one in ranges for part in without(one, tried)][:MOST_RANGES]
        if not wanted:
            return 0
        fetch = new_fetch(
            session, row, wanted, self._looks.live(), reason="gap", by=BY, fallback=self._fallback
        )
        fetch.created_at = now
        session.add(fetch)
        _log.info("missing messages are fetched", input=input_id, ranges=len(wanted))
        return 1

    def _guarded(self, step: Callable[[], object]) -> None:
        try:
            step()
        except EventCenterError as error:
            _log.warning("a step failed and is tried again", loop="inputs", error=str(error))
        except Exception:  # noqa: BLE001 a loop that ends would be noticed too late
            _log.exception("a step failed and is tried again", loop="inputs")


def without(one: Range, tried: Iterable[Mapping[str, Any]]) -> list[Range]:
    """What is left of a range when those of fetches are taken away."""
    left = [(one.first, one.last)]
    for other in tried:
        if (other["topic"], other["broker"], other["queue_id"]) != (one.topic, one.broker, one.queue_id):
            continue
        first, last = other["first"], other["last"]
        left = [
            part
            for begin, end in left
            for part in ((begin, min(end, first - 1)), (max(begin, last + 1), end))
            if part[0] <= part[1]
        ]
    return [msgspec.structs.replace(one, first=first, last=last) for first, last in left]


def _waiting() -> Any:
    return select(Fetch).where(Fetch.state == "waiting").order_by(Fetch.created_at, Fetch.id)


def _ending(fetch_id: str, state: str, result: dict[str, Any], now: datetime) -> Callable[[Session], None]:
    def apply(session: Session) -> None:
        row = session.get(Fetch, fetch_id)
        if row is None or row.state != "waiting":
            return
        row.state, row.result, row.finished_at = state, result, now
        mine = select(Fetch.id).where(Fetch.input_id == row.input_id, Fetch.state != "waiting")
        old = session.scalars(mine.order_by(Fetch.created_at.desc(), Fetch.id).offset(_KEPT)).all()
        if old:
            session.execute(
                delete(Fetch).where(Fetch.id.in_(old)).execution_options(synchronize_session=False)
            )

    return apply


def _giving(fetch_id: str, live: Sequence[ServiceStatus]) -> Callable[[Session], None]:
    def apply(session: Session) -> None:
        row = session.get(Fetch, fetch_id)
        if row is None or row.state != "waiting":
            return
        owner = session.get_one(Input, row.input_id)
        load = Counter(session.scalars(select(Fetch.service).where(Fetch.state == "waiting")))
        service = chosen(owner, live, load)
        if service is not None and service != row.service:
            _log.info("a fetch goes to another service", fetch=fetch_id, service=service)
            row.service = service

    return apply
