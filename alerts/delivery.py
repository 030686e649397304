"""Delivery: from the outbox to the targets, at least once, each robot at its pace.

For each robot (or topic, or whatever it is) one request at a time: pick an item, or as many as it takes,
write attempts and leases, commit, send, commit what came of it. After a crash at most that one request is
repeated. What waits while a robot may not speak becomes one digest per target.
"""

import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from alerts import health
from alerts.digest import merge, mergeable
from alerts.engine import audience_of
from alerts.pacing import Pace, backoff, pace
from alerts.targets.kind import Answer, Kind, Outcome, Request, Sent
from alerts.targets.topic import BATCH_BYTES
from eventcenter.clock import Clock, rfc3339
from eventcenter.errors import EventCenterError
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.models import Attempt, OutboxItem, Target, Tenant, new_id
from eventcenter.store.secrets import SecretBox
from eventcenter.store.sql import Session, and_, exists, func, or_, select, update

LEASE: Final = timedelta(seconds=60)
RETRIED_FOR: Final = timedelta(hours=24)
"""A message for a robot that does not answer is given up after this."""
HELD_FOR: Final = timedelta(days=7)
"""A message for a robot that is broken or switched off is given up after this."""
TEST_WAITS: Final = timedelta(minutes=2)
PROBED_EVERY: Final = timedelta(minutes=10)
"""A broken robot is tried again so often, and at once after its target was changed."""

_JUDGED: Final = frozenset({Outcome.OK, Outcome.REJECTED, Outcome.TOO_LONG, Outcome.BUG})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Flight:
    """A request that is on disk as attempts and may go out."""

    kind: Kind
    robot_hash: str
    request: Request
    legs: tuple[tuple[str, str], ...]
    """Of each item that it brings: its id, and that of its attempt."""


class Delivery:
    """Sends what lies in the outbox. Safe to use from many threads; one request at a time per robot."""

    def __init__(
        self,
        *,
        store: Store,
        secrets: SecretBox,
        clock: Clock,
        settings: Settings,
        kinds: Mapping[str, Kind],
    ) -> None:
        """`kinds` by their names: all that targets may have."""
        self._store = store
        self._secrets = secrets
        self._clock = clock
        self._settings = settings
        self.kinds = kinds
        self._owner = uuid.uuid4().hex
        """This run of the server: a lease of another one is over, because only one runs at a time."""
        self._locks: dict[str, threading.Lock] = {}
        self._locks_lock = threading.Lock()

    def recover(self) -> int:
        """Take back what an earlier run left in flight; how many. For the start of the server."""

        def apply(session: Session) -> int:
            return _take_back(session, self._orphaned(self._clock.now()), self._clock.now())

        return self._store.write(apply)

    def due_robots(self) -> tuple[str, ...]:
        """Hashes of the robots for which something waits."""
        now = self._clock.now()
        ask = (
            select(Target.robot_hash)
            .where(
                exists().where(
                    OutboxItem.target_id == Target.id,
                    or_(
                        and_(OutboxItem.state == "pending", OutboxItem.not_before <= now),
                        self._orphaned(now),
                    ),
                ),
            )
            .distinct()
        )
        return tuple(self._store.read(lambda session: session.scalars(ask).all()))

    def step(self) -> bool:
        """One request for every robot that is due and may speak; whether any went out."""
        worked = False
        for robot in self.due_robots():
            worked = self.deliver(robot) or worked
        return worked

    def deliver(self, robot_hash: str, *, only: str | None = None, wait_s: float = 0.0) -> bool:
        """One request to a robot; False if nothing may go out now.

        `only` is the id of the item to send, by a person who waits for it: pauses after failures do not hold
        it back, the robot's budget does. `wait_s`: how long to wait for a request that is under way.
        """
        lock = self._lock(robot_hash)
        if not lock.acquire(timeout=wait_s) if wait_s else not lock.acquire(blocking=False):
            return False
        try:
            # Asked first in a snapshot: a robot that must wait costs no write each time it is looked at.
            if not self._store.read(lambda session: self._has_work(session, robot_hash, only)):
                return False
            flight = self._store.write(lambda session: self._claim(session, robot_hash, only))
            if flight is None:
                return False
            sent = self._send(flight)
            self._store.write(lambda session: self._settle(session, flight, sent))
            return True
        finally:
            lock.release()

    def next_moment(self, robot_hash: str) -> datetime | None:
        """Until when the robot may not speak; None if it may."""
        now = self._clock.now()

        def ask(session: Session) -> datetime | None:
            targets = _targets(session, robot_hash)
            return self._pace(session, targets, now).until if targets else None

        return self._store.read(ask)

    def close(self) -> None:
        """Close idle connections; a later request opens its own."""
        for kind in self.kinds.values():
            kind.close()

    def _lock(self, robot_hash: str) -> threading.Lock:
        with self._locks_lock:
            return self._locks.setdefault(robot_hash, threading.Lock())

    def _orphaned(self, now: datetime) -> Any:
        return and_(
            OutboxItem.state == "sending",
            or_(
                OutboxItem.lease_owner.is_(None),
                OutboxItem.lease_owner != self._owner,
                OutboxItem.lease_until < now,
            ),
        )

    def _send(self, flight: _Flight) -> Sent:
        return flight.kind.send(flight.request)

    def _pace(self, session: Session, targets: Mapping[str, Target], now: datetime) -> Pace:
        target = next(iter(targets.values()))
        return pace(session, target.robot_hash, now, budget=self.kinds[target.kind].traits.budget)

    # -- before the request ----------------------------------------------------------------------------

    def _has_work(self, session: Session, robot_hash: str, only: str | None) -> bool:
        """Whether `_claim` would change anything."""
        now = self._clock.now()
        targets = _targets(session, robot_hash)
        if not targets:
            return False
        mine = OutboxItem.target_id.in_(targets)
        if session.scalar(select(OutboxItem.id).where(mine, self._orphaned(now)).limit(1)):
            return True
        if any(
            session.scalar(select(OutboxItem.id).where(_expired(target, now)).limit(1))
            for target in targets.values()
        ):
            return True
        current = self._pace(session, targets, now)
        if current.until is not None and current.limited:
            return any(target.enabled and mergeable(session, target) for target in targets.values())
        if current.until is not None and only is None:
            return False
        return _next_item(session, targets.values(), now, only) is not None

    def _claim(self, session: Session, robot_hash: str, only: str | None) -> _Flight | None:
        """Choose the next item, write its attempt and take the lease; None if nothing may go out now."""
        now = self._clock.now()
        targets = _targets(session, robot_hash)
        if not targets:
            return None
        mine = OutboxItem.target_id.in_(targets)
        _take_back(session, and_(mine, self._orphaned(now)), now)
        _give_up(session, targets, now)
        if session.scalar(select(OutboxItem.id).where(mine, OutboxItem.state == "sending").limit(1)):
            return None
        current = self._pace(session, targets, now)
        if current.until is not None and (current.limited or only is None):
            if current.limited:
                self._merge(session, targets.values(), now)
            return None
        item = _next_item(session, targets.values(), now, only)
        if item is None:
            return None
        target = targets[item.target_id]
        kind = self.kinds[target.kind]
        items = [item] if only is not None else _together(session, item, kind.traits.batch, now)
        try:
            request = kind.prepare(target, items, self._secrets.decrypt(target.secrets), now)
        except EventCenterError:
            health.note(target, health="broken", code="sealed", now=now, retry_at=rfc3339(now + PROBED_EVERY))
            if item.kind == "test":
                _end(item, "failed", now, reason="sealed")
            _log.exception("a target's credentials cannot be opened", target=target.id)
            return None
        return _Flight(
            kind=kind,
            robot_hash=robot_hash,
            request=request,
            legs=tuple(
                (each.id, self._depart(session, each, robot_hash if each is item else "", shown, now))
                for each, shown in zip(items, request.shown, strict=True)
            ),
        )

    def _depart(
        self, session: Session, item: OutboxItem, robot_hash: str, shown: Mapping[str, Any], now: datetime
    ) -> str:
        """Lease the item and write down its attempt, whose id this is."""
        item.state, item.attempts = "sending", item.attempts + 1
        item.lease_owner, item.lease_until, item.updated_at = self._owner, now + LEASE, now
        attempt = Attempt(
            id=new_id(),
            tenant_id=item.tenant_id,
            outbox_id=item.id,
            target_id=item.target_id,
            robot_hash=robot_hash,
            started_at=now,
            request=dict(shown),
        )
        session.add(attempt)
        return attempt.id

    def _merge(self, session: Session, targets: Iterable[Target], now: datetime) -> None:
        for target in targets:
            budget = self.kinds[target.kind].traits.budget
            if target.enabled and budget is not None:
                tenant = session.get(Tenant, target.tenant_id)
                if tenant is not None:
                    merge(session, target, audience_of(tenant, self._settings), now, budget=budget)

    # -- after the answer ------------------------------------------------------------------------------

    def _settle(self, session: Session, flight: _Flight, sent: Sent) -> None:
        """Write down what came of a request: attempts, items and the health of targets."""
        now = self._clock.now()
        tried: set[str] = set()
        for (item_id, attempt_id), answer in zip(flight.legs, sent.answers, strict=True):
            attempt = session.get(Attempt, attempt_id)
            item = session.get(OutboxItem, item_id)
            if attempt is None or item is None:
                continue
            attempt.finished_at, attempt.status, attempt.latency_ms = now, sent.status, sent.latency_ms
            attempt.response, attempt.errcode = answer.text, answer.errcode
            attempt.outcome = answer.outcome.value
            if item.state == "sending" and item.lease_owner == self._owner:
                _conclude(item, answer.outcome, now, alone=len(flight.legs) == 1)
            tried.add(item.target_id)
        session.flush()
        targets = _targets(session, flight.robot_hash)
        if not tried or not targets:
            return
        current = self._pace(session, targets, now)
        for target in targets.values():
            _note_health(target, target.id in tried, _telling(sent.answers), current, now)


def _telling(answers: Sequence[Answer]) -> Answer:
    """The answer that says most about the target: any that judged a message says that it works."""
    return next((each for each in answers if each.outcome in _JUDGED), answers[0])


def _next_item(session: Session, targets: Any, now: datetime, only: str | None) -> OutboxItem | None:
    """Tests first, then what waits longest, of the targets that may be tried."""
    if only is not None:
        item = session.get(OutboxItem, only)
        return item if item is not None and item.state == "pending" else None
    able = [target.id for target in targets if target.enabled and not _held(target, now)]
    tested = [target.id for target in targets]
    ask = (
        select(OutboxItem)
        .where(
            OutboxItem.state == "pending",
            OutboxItem.not_before <= now,
            or_(
                OutboxItem.target_id.in_(able),
                and_(OutboxItem.target_id.in_(tested), OutboxItem.kind == "test"),
            ),
        )
        .order_by(OutboxItem.kind != "test", OutboxItem.created_at, OutboxItem.id)
        .limit(1)
    )
    return session.scalar(ask)


def _together(session: Session, first: OutboxItem, most: int, now: datetime) -> list[OutboxItem]:
    """The first item and what may go out with it: waiting events of its target, in their order."""
    if most == 1 or first.kind != "event" or first.payload.get("alone"):
        return [first]
    ask = (
        select(OutboxItem)
        .where(
            OutboxItem.target_id == first.target_id,
            OutboxItem.state == "pending",
            OutboxItem.kind == "event",
            OutboxItem.not_before <= now,
            OutboxItem.id != first.id,
        )
        .order_by(OutboxItem.created_at, OutboxItem.id)
        .limit(most - 1)
        .execution_options(yield_per=10)
    )
    items, size = [first], len(first.payload["line"])
    for item in session.scalars(ask):
        size += len(item.payload["line"])
        if size > BATCH_BYTES or item.payload.get("alone"):
            break
        items.append(item)
    return items


def _held(target: Target, now: datetime) -> bool:
    """Whether a broken target is not to be tried yet."""
    retry_at = (target.health_detail or {}).get("retry_at")
    if target.health != "broken" or retry_at is None:
        return False
    # `until` of a clock that was set back later lies too far ahead; then it is tried at once.
    moment = datetime.fromisoformat(retry_at)
    return now < moment <= now + PROBED_EVERY


def _take_back(session: Session, orphaned: Any, now: datetime) -> int:
    """Items that were in flight when their run ended wait again; a test is over."""
    items = session.scalars(select(OutboxItem).where(orphaned)).all()
    for item in items:
        unfinished = and_(Attempt.outbox_id == item.id, Attempt.finished_at.is_(None))
        session.execute(update(Attempt).where(unfinished).values(finished_at=now, outcome=health.INTERRUPTED))
        item.lease_owner, item.lease_until = None, None
        if item.kind == "test":
            _end(item, "failed", now, reason="interrupted")
        else:
            item.state, item.not_before, item.updated_at = "pending", now, now
            _seal(item)
    return len(items)


def _give_up(session: Session, targets: dict[str, Target], now: datetime) -> None:
    """Messages that waited too long are given up, for all to see."""
    for target in targets.values():
        for item in session.scalars(select(OutboxItem).where(_expired(target, now)).limit(1000)):
            _end(item, "failed", now, reason="expired")


def _expired(target: Target, now: datetime) -> Any:
    """What waits for the target longer than a message may."""
    waits_for_person = not target.enabled or (
        target.health == "broken" and (target.health_detail or {}).get("retry_at") is not None
    )
    oldest = now - (HELD_FOR if waits_for_person else RETRIED_FOR)
    return and_(
        OutboxItem.target_id == target.id,
        OutboxItem.state == "pending",
        or_(
            OutboxItem.created_at < oldest,
            and_(OutboxItem.kind == "test", OutboxItem.created_at < now - TEST_WAITS),
        ),
    )


def _targets(session: Session, robot_hash: str) -> dict[str, Target]:
    found = session.scalars(select(Target).where(Target.robot_hash == robot_hash))
    return {target.id: target for target in found}


def _conclude(item: OutboxItem, outcome: Outcome, now: datetime, *, alone: bool) -> None:
    item.lease_owner, item.lease_until, item.updated_at = None, None, now
    if outcome is Outcome.OK:
        _end(item, "delivered", now)
    elif outcome is Outcome.TOO_LONG and not item.payload.get("shrunk"):
        item.payload = {**item.payload, "shrunk": True}
        item.state, item.not_before = "pending", now
    elif outcome in {Outcome.REJECTED, Outcome.BUG} and not alone:
        # One of those that went together is refused: each by itself shows which.
        item.payload = {**item.payload, "alone": True}
        item.state, item.not_before = "pending", now
    elif item.kind == "test" or outcome in {Outcome.REJECTED, Outcome.BUG, Outcome.TOO_LONG}:
        # A test is for someone who waits for it now: it is not tried again behind their back.
        _end(item, "failed", now, reason=outcome.value)
    else:
        item.state = "pending"
        item.not_before = now + backoff(item.attempts) if outcome is Outcome.RETRY else now
        if outcome is Outcome.RETRY:
            _seal(item)


def _seal(item: OutboxItem) -> None:
    """A digest that may have arrived takes in nothing more: the same id always says the same."""
    if item.kind == "digest":
        item.payload = {**item.payload, "open": False}


def _end(item: OutboxItem, state: str, now: datetime, *, reason: str | None = None) -> None:
    item.state, item.updated_at = state, now
    item.lease_owner, item.lease_until = None, None
    if reason is not None:
        item.payload = {**item.payload, "reason": reason}


def _note_health(target: Target, tried: bool, answer: Answer, current: Pace, now: datetime) -> None:
    """The pace is the robot's and so all its targets'; whether it is broken is the tried target's alone."""
    code, outcome = answer.code.name, answer.outcome
    if outcome in {Outcome.RATE_LIMITED, Outcome.QUOTA}:
        if target.health != "broken":
            until = rfc3339((current.until or now).replace(microsecond=0))
            health.note(target, health="throttled", code=code, now=now, until=until)
    elif not tried:
        return
    elif outcome is Outcome.BROKEN:
        retry_at = rfc3339(now + PROBED_EVERY)
        health.note(target, health="broken", code=code, now=now, errcode=answer.errcode, retry_at=retry_at)
    elif outcome is Outcome.RETRY:
        if current.failures >= health.UNREACHABLE_AFTER:
            health.note(target, health="broken", code=code, now=now)
    else:
        # A message that was judged, even one that was refused, says that the target works.
        health.note(target, health="ok", code="ok", now=now)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What the outbox holds: how many messages wait, and since when the oldest does."""

    pending: int
    oldest: datetime | None


def waiting(session: Session, tenant_id: str | None) -> Waiting:
    """What waits, of one tenant or of all."""
    ask = select(func.count(), func.min(OutboxItem.created_at)).where(
        OutboxItem.state.in_(("pending", "sending"))
    )
    if tenant_id is not None:
        ask = ask.where(OutboxItem.tenant_id == tenant_id)
    count, oldest = session.execute(ask).one()
    return Waiting(pending=count, oldest=oldest)
