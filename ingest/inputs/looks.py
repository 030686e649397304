"""What services and archives tell of inputs, read at most about once a second."""

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from eventcenter.archive import Archives
from eventcenter.archive.ledger import LedgerRange, ranges
from eventcenter.clock import Clock, to_micros
from ingest.inputs import status
from ingest.inputs.status import InputStatus, Reach, ServiceStatus

_STATUS_KEPT_S: Final = 0.5
_LEDGER_KEPT_S: Final = 1.0
_MOST_KEPT: Final = 1_000
_LIVE_MS: Final = 10_000
_RATE_MS: Final = 10_000


class Running(NamedTuple):
    """An input in one ingest service."""

    service: str
    status: InputStatus


class Looks:
    """Any thread may ask. What is kept is kept by tenant and input."""

    def __init__(self, archives: Archives, journal_dir: Path, clock: Clock) -> None:
        self._archives = archives
        self._journal_dir = journal_dir
        self._clock = clock
        self._lock = threading.Lock()
        self._services: tuple[float, list[ServiceStatus]] = (float("-inf"), [])
        self._ledgers: dict[tuple[str, str], tuple[float, list[LedgerRange]]] = {}
        self._received: dict[tuple[str, str], deque[tuple[int, int]]] = {}
        """By input and service: when, and how many messages since the service began."""

    def services(self) -> list[ServiceStatus]:
        """What all ingest services told last."""
        with self._lock:
            read_at, found = self._services
            if time.monotonic() - read_at >= _STATUS_KEPT_S:
                found = status.read(self._journal_dir)
                self._services = (time.monotonic(), found)
                self._note(found)
            return found

    def live(self, within_ms: int = _LIVE_MS) -> list[ServiceStatus]:
        """Those that run."""
        now = self._now_ms()
        return [one for one in self.services() if now - one.written_at <= within_ms]

    def running(self, input_id: str) -> list[Running]:
        """The input in each service that runs it."""
        return [
            Running(service.service, service.inputs[input_id])
            for service in self.live()
            if input_id in service.inputs
        ]

    def reach(self, input_id: str) -> tuple[tuple[Reach, ...], int | None]:
        """What the brokers have, as the service that asked last tells it, and when it asked."""
        told = [
            service.inputs[input_id]
            for service in self.services()
            if input_id in service.inputs and service.inputs[input_id].reach_at is not None
        ]
        newest = max(told, key=lambda one: one.reach_at or 0, default=None)
        return ((), None) if newest is None else (newest.reach, newest.reach_at)

    def rate(self, input_id: str) -> float | None:
        """Messages received in a second, of the last seconds; None where that is not known."""
        rates = []
        with self._lock:
            for (known, _), samples in self._received.items():
                if known == input_id and len(samples) > 1:
                    (begin, before), (end, after) = samples[0], samples[-1]
                    rates.append(1000 * (after - before) / (end - begin))
        return sum(rates) if rates else None

    def ledger(self, tenant_id: str, input_id: str) -> list[LedgerRange]:
        """What was received by the input."""
        key = tenant_id, input_id
        with self._lock:
            read_at, found = self._ledgers.get(key, (float("-inf"), []))
        if time.monotonic() - read_at < _LEDGER_KEPT_S:
            return found
        with self._archives.tenant(tenant_id).reader() as reader:
            found = ranges(reader, input_id)
        with self._lock:
            if len(self._ledgers) >= _MOST_KEPT:
                self._ledgers.clear()
            self._ledgers[key] = (time.monotonic(), found)
        return found

    def _note(self, found: Sequence[ServiceStatus]) -> None:
        told: Mapping[tuple[str, str], tuple[int, int]] = {
            (input_id, service.service): (service.written_at, one.received)
            for service in found
            for input_id, one in service.inputs.items()
            if self._now_ms() - service.written_at <= _LIVE_MS
        }
        for key in self._received.keys() - told.keys():
            del self._received[key]
        for key, (at, received) in told.items():
            samples = self._received.setdefault(key, deque())
            # Fewer than before: it began anew.
            if samples and (received < samples[-1][1] or at < samples[-1][0]):
                samples.clear()
            if not samples or at > samples[-1][0]:
                samples.append((at, received))
            while len(samples) > 2 and samples[1][0] <= at - _RATE_MS:
                samples.popleft()

    def _now_ms(self) -> int:
        return to_micros(self._clock.now()) // 1000
