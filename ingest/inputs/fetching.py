"""Messages that are to be read again from their brokers: a person asks for them, or they are missing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from eventcenter.access import Principal, Role
from eventcenter.errors import Conflict, InvalidInput, NotFound
from eventcenter.rocketmq.remoting import Offsets
from eventcenter.store import Store
from eventcenter.store.audit import audit
from eventcenter.store.models import Fetch, Input, new_id
from eventcenter.store.secrets import SecretBox
from eventcenter.store.sql import Session, select
from ingest.inputs import shapes
from ingest.inputs.book import find
from ingest.inputs.config import Range
from ingest.inputs.connection import config_of, offsets_of, opened, resolved
from ingest.inputs.looks import Looks
from ingest.inputs.status import FetchStatus, ServiceStatus

MOST_WAITING: Final = 10
MOST_RANGES: Final = 10_000
_SHOWN: Final = 100


class FetchBook:
    """Works for the principal's tenant alone."""

    def __init__(self, *, store: Store, secrets: SecretBox, looks: Looks, service: str) -> None:
        """`service` is the ingest service that fetches where none runs yet."""
        self._store = store
        self._secrets = secrets
        self._looks = looks
        self._service = service

    def all(self, who: Principal, input_id: str) -> list[shapes.FetchAnswer]:
        """The input's, newest first. Raises NotFound."""
        tenant_id = who.require(Role.VIEWER)

        def ask(session: Session) -> list[Fetch]:
            find(session, tenant_id, input_id)
            mine = select(Fetch).where(Fetch.tenant_id == tenant_id, Fetch.input_id == input_id)
            return list(session.scalars(mine.order_by(Fetch.created_at.desc(), Fetch.id).limit(_SHOWN)))

        rows = self._store.read(ask)
        return [self.answer(row) for row in rows]

    def answer(self, row: Fetch) -> shapes.FetchAnswer:
        """How far it is."""
        told = told_of(row, self._looks.services())
        total = total_of(row.ranges)
        if row.state != "waiting":
            found, problem = row.result.get("found", 0), row.result.get("problem")
            done = row.result.get("total", total) if row.state == "done" else row.result.get("done", 0)
        else:
            found, problem = (told.found, None) if told is not None else (0, None)
            done = 0 if told is None else told.done
        return shapes.FetchAnswer.model_validate(
            {
                "id": row.id,
                "reason": row.reason,
                "state": "running" if row.state == "waiting" and told is not None else row.state,
                "service": row.service,
                "from_at": row.from_at,
                "to_at": row.to_at,
                "done": done,
                "total": total,
                "found": found,
                "problem": problem,
                "created_at": row.created_at,
                "created_by": row.created_by,
                "finished_at": row.finished_at,
            }
        )

    def create(self, who: Principal, input_id: str, body: shapes.NewFetch) -> shapes.FetchAnswer:
        """Fetch what the brokers stored in that time. What is there already is not stored twice.

        Raises NotFound also where they hold nothing of that time, and what hinders brokers from telling it.
        """
        tenant_id = who.require(Role.ADMIN)
        row = self._store.read(lambda session: find(session, tenant_id, input_id))
        if body.from_at >= body.to_at:
            raise InvalidInput(
                "The time ends before it begins.",
                value=f"{body.from_at.isoformat()} – {body.to_at.isoformat()}",
                rule="`from` is before `to`",
                remedy="exchange them",
            )
        self._store.read(lambda session: _refuse_many(session, row))
        ranges = self._ranges(row, body.from_at, body.to_at)

        def apply(session: Session) -> Fetch:
            found = find(session, tenant_id, input_id)
            _refuse_many(session, found)
            fetch = new_fetch(
                session,
                found,
                ranges,
                self._looks.live(),
                reason="backfill",
                by=who.actor,
                fallback=self._service,
            )
            fetch.from_at, fetch.to_at = body.from_at, body.to_at
            fetch.created_at = self._store.clock.now()
            session.add(fetch)
            audit(session, who, "input.fetch", f"input:{found.name}", {"offsets": total_of(fetch.ranges)})
            return fetch

        return self.answer(self._store.write(apply))

    def _ranges(self, row: Input, begin: datetime, end: datetime) -> list[Range]:
        config = config_of(row)
        if not config.name_servers:
            raise InvalidInput(
                "Nothing can be fetched for this input.",
                value=row.name,
                rule="what brokers stored at a time is asked of them, and they are found by the name server",
                remedy="give the input the name server's address",
            )
        with offsets_of(config, opened(row, self._secrets)) as offsets:
            found = [
                one
                for topic in resolved(config, offsets)
                for one in _of_topic(offsets, topic, begin, end, self._store.clock.now())
            ]
        if not found:
            raise NotFound(
                "The brokers hold no message of this time.",
                value=f"{begin.isoformat()} – {end.isoformat()}",
                rule="brokers delete messages some days after they stored them (fileReservedTime)",
                remedy="choose another time",
            )
        if len(found) > MOST_RANGES:
            raise InvalidInput(
                "There are too many queues.",
                value=len(found),
                rule=f"at most {MOST_RANGES} queues are fetched together",
                remedy="make inputs of fewer topics",
            )
        return found


def _of_topic(offsets: Offsets, topic: str, begin: datetime, end: datetime, now: datetime) -> Iterable[Range]:
    for reach in offsets.reach(topic):
        if reach.newest <= reach.oldest:
            continue
        first = max(reach.oldest, offsets.offset_at(reach.queue, begin))
        after = reach.newest if end >= now else min(reach.newest, offsets.offset_at(reach.queue, end))
        if first < after:
            yield Range(
                topic=topic,
                broker=reach.queue.broker,
                queue_id=reach.queue.queue_id,
                first=first,
                last=after - 1,
            )


def new_fetch(
    session: Session,
    row: Input,
    ranges: Sequence[Range],
    live: Sequence[ServiceStatus],
    *,
    reason: str,
    by: str,
    fallback: str,
) -> Fetch:
    """A fetch for the service that has the fewest; the caller sets its moments and adds it."""
    waiting = session.scalars(select(Fetch.service).where(Fetch.state == "waiting"))
    return Fetch(
        id=new_id(),
        tenant_id=row.tenant_id,
        input_id=row.id,
        reason=reason,
        service=chosen(row, live, Counter(waiting)) or row.service or fallback,
        ranges=[msgspec.to_builtins(one) for one in ranges],
        state="waiting",
        result={},
        from_at=None,
        to_at=None,
        created_by=by,
        finished_at=None,
    )


def chosen(row: Input, live: Sequence[ServiceStatus], load: Mapping[str, int]) -> str | None:
    """The service that is to fetch for an input: its own, else of those that run it the least busy."""
    if row.service is not None:
        return row.service
    able = [one.service for one in live if row.id in one.inputs] or [one.service for one in live]
    return min(able, key=lambda name: (load.get(name, 0), name), default=None)


def told_of(row: Fetch, services: Iterable[ServiceStatus]) -> FetchStatus | None:
    """What the fetch's service says of it."""
    return next(
        (one.fetches[row.id] for one in services if one.service == row.service and row.id in one.fetches),
        None,
    )


def total_of(ranges: Iterable[Mapping[str, Any]]) -> int:
    """How many offsets."""
    return sum(int(one["last"]) - int(one["first"]) + 1 for one in ranges)


def _refuse_many(session: Session, row: Input) -> None:
    ask = select(Fetch.id).where(
        Fetch.tenant_id == row.tenant_id, Fetch.input_id == row.id, Fetch.state == "waiting"
    )
    waiting = len(list(session.scalars(ask)))
    if waiting >= MOST_WAITING:
        raise Conflict(
            "Much is being fetched for this input already.",
            value=waiting,
            rule=f"at most {MOST_WAITING} fetches wait or run at once",
            remedy="wait until one has ended",
        )
