"""All inputs of an ingest service: follows the store, and tells the server how they are."""

import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import structlog

from eventcenter.clock import Clock, to_micros
from eventcenter.errors import EventCenterError, InvalidInput
from eventcenter.settings import Settings
from eventcenter.store import ReadOnlyStore
from eventcenter.store.models import Fetch, Input
from eventcenter.store.secrets import SecretBox
from eventcenter.store.sql import or_, select
from ingest.committer import Journal
from ingest.inputs import status
from ingest.inputs.config import Range, RocketMq
from ingest.inputs.connection import opened
from ingest.inputs.fetcher import Errand, Fetcher, Way
from ingest.inputs.journalling import Journalling
from ingest.inputs.runner import Runner, Surroundings, Wanted
from ingest.inputs.status import InputStatus, ServiceStatus, problem_of
from ingest.quota import RejectQuota
from ingest.validation import Limits

_log = structlog.get_logger(__name__)
_LOOK_S = 0.3
_TELL_S = 1.0
_GRACE_S = 5.0


class Manager:
    """Runs the inputs that are for this service, from `start` to `stop`, and follows what changes."""

    def __init__(
        self,
        settings: Settings,
        store: ReadOnlyStore,
        journal: Journal,
        *,
        quota: RejectQuota,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._journalling = Journalling(journal)
        self._around = Surroundings(
            commit=self._journalling.commit,
            limits=Limits.of(settings),
            quota=quota,
            clock=clock,
            grace_s=_GRACE_S,
        )
        self._runners: dict[str, Runner] = {}
        self._refused: dict[str, tuple[Any, EventCenterError]] = {}
        """Inputs that cannot be begun: since which change, and why."""
        self._ending: list[Runner] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._fetcher = Fetcher(self._way_of)
        self._thread = threading.Thread(target=self._run, name="inputs", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._journalling.start()
        self._thread.start()
        self._fetcher.start()

    def stop(self) -> None:
        """Receive nothing more, acknowledge what is durable, say goodbye; blocks."""
        self._stopping.set()
        if not self._thread.is_alive():
            return
        self._thread.join()
        runners = [*self._runners.values(), *self._ending]
        for runner in runners:
            runner.ask_to_stop()
        self._fetcher.stop()
        for runner in runners:
            runner.join()
        self._journalling.stop()
        self._runners.clear()
        self._tell()

    def _run(self) -> None:
        known: int | str | None = None
        told_at = 0.0
        while not self._stopping.wait(_LOOK_S):
            try:
                version = self._store.data_version()
                if version != known:
                    self._follow()
                    known = version
                if time.monotonic() - told_at >= _TELL_S:
                    told_at = time.monotonic()
                    self._tell()
            except Exception:  # noqa: BLE001 whatever it is, the inputs go on
                _log.exception("the inputs cannot be looked after; it is tried again")
                self._stopping.wait(_TELL_S)

    def _follow(self) -> None:
        """Begin, change and end what the store says."""
        service = self._settings.ingest_name
        here = or_(Input.service.is_(None), Input.service == service)
        rows = self._store.read(
            lambda session: list(session.scalars(select(Input).where(Input.enabled.is_(True), here)))
        )
        fetches = self._store.read(
            lambda session: list(
                session.scalars(
                    select(Fetch)
                    .where(Fetch.state == "waiting", Fetch.service == service)
                    .order_by(Fetch.created_at)
                )
            )
        )
        wanted = {row.id: row for row in rows}
        self._ending = [runner for runner in self._ending if runner.is_alive]
        for input_id in self._runners.keys() - wanted.keys():
            self._end(input_id)
        for input_id in self._refused.keys() - wanted.keys():
            del self._refused[input_id]
        for input_id, row in wanted.items():
            running = self._runners.get(input_id)
            if running is not None and running.wanted.updated_at == row.updated_at:
                continue
            if input_id in self._refused and self._refused[input_id][0] == row.updated_at:
                continue
            if running is not None:
                self._end(input_id)
            self._begin(row)
        self._fetcher.follow({each.id: found for each in fetches if (found := _errand(each)) is not None})

    def _begin(self, row: Input) -> None:
        self._refused.pop(row.id, None)
        try:
            wanted = Wanted(
                id=row.id,
                tenant_id=row.tenant_id,
                config=_converted(row.config, RocketMq),
                secrets=opened(row, SecretBox(self._settings)),
                updated_at=row.updated_at,
            )
        except EventCenterError as error:
            _log.warning("an input cannot be begun", input=row.id, why=str(error))
            self._refused[row.id] = row.updated_at, error
            return
        before = next((one for one in self._ending if one.wanted.id == row.id), None)
        runner = Runner(wanted, self._around, after=before)
        with self._lock:
            self._runners[row.id] = runner
        runner.start()

    def _end(self, input_id: str) -> None:
        with self._lock:
            runner = self._runners.pop(input_id)
        runner.ask_to_stop()
        self._ending.append(runner)

    def _way_of(self, input_id: str) -> Way | None:
        with self._lock:
            runner = self._runners.get(input_id)
        return None if runner is None else runner.way()

    def _tell(self) -> None:
        with self._lock:
            runners = dict(self._runners)
        inputs = {name: runner.status() for name, runner in runners.items()}
        for name, (_, error) in self._refused.items():
            inputs[name] = InputStatus(state="broken", problems=(problem_of(error),))
        found = ServiceStatus(
            service=self._settings.ingest_name,
            written_at=to_micros(self._clock.now()) // 1000,
            inputs=inputs,
            fetches=self._fetcher.status(),
        )
        try:
            status.write(Path(self._settings.journal_dir), found)
        except OSError as error:
            _log.warning("the inputs' status cannot be written", why=str(error))


def _errand(row: Fetch) -> Errand | None:
    try:
        ranges = _converted(row.ranges, tuple[Range, ...])
    except InvalidInput as error:
        _log.warning("a fetch cannot be read", fetch=row.id, why=str(error))
        return None
    return Errand(id=row.id, input_id=row.input_id, ranges=ranges)


def _converted(value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            "The input's settings cannot be read.",
            value=str(error),
            rule="they are as this version writes them",
            remedy="save the input again",
        ) from error
