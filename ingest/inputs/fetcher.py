"""Reads ranges of queues again from their brokers, as the store's fetches ask for."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

import structlog

from eventcenter.errors import Busy, EventCenterError
from eventcenter.rocketmq.remoting import Offsets
from ingest.bindings.rocketmq import Message
from ingest.inputs.config import Range
from ingest.inputs.receiving import Receiving
from ingest.inputs.rocketmq.pulling import pull, queue_of
from ingest.inputs.status import FetchStatus, problem_of

_log = structlog.get_logger(__name__)
_PAUSE_S = 0.02
"""After each part: messages that come now go first."""
_AGAIN_S = 2.0
_TRIES = 15
_PATIENCE_S = 60.0

Fetched = tuple[Message, str | None]
Begin = Callable[[], "Future[None]"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Errand:
    """One fetch of an input."""

    id: str
    input_id: str
    ranges: tuple[Range, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """What an input needs for it."""

    offsets: Callable[[], Offsets]
    group: str
    receiving: Receiving


class Fetcher:
    """Does one errand after the other, in a thread of its own."""

    def __init__(self, way_of: Callable[[str], Way | None]) -> None:
        """`way_of` an input's id; None while it does not run here."""
        self._way_of = way_of
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._errands: dict[str, Errand] = {}
        self._status: dict[str, FetchStatus] = {}
        self._thread = threading.Thread(target=self._run, name="inputs-fetch", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End after the part that is under way; what is not finished is begun anew by a later start."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def follow(self, errands: dict[str, Errand]) -> None:
        """These are to be done; what is done and not among them is forgotten."""
        with self._lock:
            self._errands = errands
            for gone in self._status.keys() - errands.keys():
                del self._status[gone]
        self._wake.set()

    def status(self) -> dict[str, FetchStatus]:
        """How far each is that was begun."""
        with self._lock:
            return dict(self._status)

    def _run(self) -> None:
        while not self._stopping.is_set():
            errand = self._next()
            if errand is None:
                self._wake.wait(_AGAIN_S)
                self._wake.clear()
                continue
            way = self._way_of(errand.input_id)
            if way is None:
                self._stopping.wait(_AGAIN_S)
                continue
            self._do(errand, way)

    def _next(self) -> Errand | None:
        with self._lock:
            for errand in self._errands.values():
                status = self._status.get(errand.id)
                if status is None or not status.finished:
                    return errand
        return None

    def _do(self, errand: Errand, way: Way) -> None:
        total = sum(one.last - one.first + 1 for one in errand.ranges)
        tries = 0
        while not self._stopping.is_set():
            try:
                with way.offsets() as offsets:
                    self._fetch(errand, way, offsets, total)
            except EventCenterError as error:
                tries += 1
                _log.warning("not fetched", fetch=errand.id, why=str(error))
                finished = tries >= _TRIES or not error.retryable
                problem = problem_of(error)
                self._tell(
                    errand, FetchStatus(done=0, total=total, found=0, finished=finished, problem=problem)
                )
                if finished:
                    return
                self._stopping.wait(_AGAIN_S)
            else:
                return

    def _fetch(self, errand: Errand, way: Way, offsets: Offsets, total: int) -> None:
        done = found = 0
        self._tell(errand, FetchStatus(done=0, total=total, found=0))
        for one in errand.ranges:
            queue = queue_of(offsets, one.topic, one.broker, one.queue_id)
            begun = done
            for at, parts in pull(offsets, queue, one.first, one.last, group=way.group):
                self._store(way, parts)
                found += len(parts)
                done = begun + at - one.first
                self._tell(errand, FetchStatus(done=done, total=total, found=found))
                if self._stopping.wait(_PAUSE_S):
                    return
            done = begun + one.last - one.first + 1
        self._tell(errand, FetchStatus(done=total, total=total, found=found, finished=True))

    def _store(self, way: Way, parts: list[Fetched]) -> None:
        good = [message for message, broken in parts if broken is None]
        if good:
            self._durable(partial(way.receiving.store, good))
        for message, broken in parts:
            if broken is not None:
                self._durable(partial(way.receiving.reject, message, broken))

    def _durable(self, begin: Begin) -> None:
        """Until it is journalled; while the journal takes nothing it is offered again."""
        while True:
            try:
                begin().result(_PATIENCE_S)
            except Busy as error:
                if self._stopping.wait(error.retry_after):
                    raise
            else:
                return

    def _tell(self, errand: Errand, status: FetchStatus) -> None:
        with self._lock:
            if errand.id in self._errands:
                self._status[errand.id] = status
