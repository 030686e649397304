"""The ingest service as a process: builds its parts, serves until it is told to stop."""

import asyncio
import gc
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import structlog
import uvicorn

from eventcenter.clock import Clock, SystemClock
from eventcenter.errors import EventCenterError, Unavailable
from eventcenter.journal import JournalWriter, OutcomeReader
from eventcenter.settings import Settings
from eventcenter.store import ReadOnlyStore, Store
from eventcenter.store.directory import Directory
from ingest.committer import Committer
from ingest.http import Application
from ingest.inputs.manager import Manager
from ingest.pool import Pool
from ingest.protocol import protocol_of
from ingest.quota import RejectQuota
from ingest.validation import Limits

_log = structlog.get_logger(__name__)
_STORE_EVERY_S = 0.2
_SAY_EVERY = 25
_REST_EVERY_S = 2.0
_GRACE_S = 10
_KEEP_ALIVE_S = 75


class Service:
    """One ingest service: HTTP in, the journal out. The parts are built by `run`, in its thread."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None, own_process: bool = False) -> None:
        """In a process of its own the service also tunes the garbage collector."""
        self._own_process = own_process
        self._settings = settings
        self._clock = clock or SystemClock()
        self._server: uvicorn.Server | None = None
        self._stop = threading.Event()
        self.started = threading.Event()
        """Set once requests are answered."""
        self.pool: Pool | None = None
        """The validation workers, while it runs."""

    def run(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Serve until `stop` or a signal; what is in flight is answered first.

        `sockets` listen already; without them the settings' host and port are used. Raises Conflict where
        another service writes to the same journal.
        """
        settings = self._settings
        # First the lock on the journal, so that a second service ends before it takes a request.
        journal = JournalWriter(
            settings.journal_dir,
            writer=settings.ingest_name,
            clock=self._clock,
            max_bytes=settings.journal_max_bytes,
            segment_bytes=settings.journal_segment_bytes,
            disk_floor_bytes=settings.disk_floor_bytes,
        )
        try:
            store = self._store()
            if store is not None:
                with store:
                    self._serve(journal, store, sockets)
        finally:
            journal.close()

    def stop(self) -> None:
        """End `run`; may be called from another thread."""
        self._stop.set()
        if self._server is not None:
            self._server.should_exit = True

    def _serve(
        self, journal: JournalWriter, store: ReadOnlyStore, sockets: Sequence[socket.socket] | None
    ) -> None:
        settings = self._settings
        outcomes = OutcomeReader(settings.journal_dir, settings.ingest_name)
        committer = Committer(journal, outcomes)
        quota = RejectQuota(settings.reject_quota_bytes)
        inputs = Manager(settings, store, journal, quota=quota, clock=self._clock)
        pool = self.pool = Pool(Limits.of(settings), settings.validation_workers)
        ended = threading.Event()
        resting = threading.Thread(target=_let_rest, args=(journal, ended), name="journal", daemon=True)
        try:
            pool.start()
            application = Application(
                settings=settings,
                directory=Directory(store),
                committer=committer,
                journal=journal,
                pool=pool,
                quota=quota,
            )
            self._server = _Server(
                uvicorn_config(
                    application,
                    host=settings.ingest_host,
                    port=settings.ingest_port,
                    protocol=protocol_of(application),
                ),
                self.started,
                inputs,
            )
            if not self._stop.is_set():
                if self._own_process:
                    _quiet_collector()
                resting.start()
                self._server.run(sockets=None if sockets is None else list(sockets))
        finally:
            ended.set()
            if resting.is_alive():
                resting.join()
            pool.close()
            committer.close()
            outcomes.close()

    def _store(self) -> ReadOnlyStore | None:
        """The store, once the server has made it; None where `stop` came first."""
        tries = 0
        while not self._stop.is_set():
            try:
                return Store.open_readonly(self._settings, clock=self._clock)
            except Unavailable as error:
                if tries % _SAY_EVERY == 0:
                    _log.warning("waiting for the store", why=str(error))
                tries += 1
                self._stop.wait(_STORE_EVERY_S)
        return None


class _Server(uvicorn.Server):
    """Says when it answers, and where; inputs run as long as it does."""

    def __init__(
        self,
        config: uvicorn.Config,
        started: threading.Event,
        inputs: Manager,
    ) -> None:
        super().__init__(config)
        self._begun = started
        self._inputs = inputs

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn; then requests are answered."""
        await super().startup(sockets=sockets)
        for server in self.servers:
            for listening in server.sockets:
                _log.info("listening", address=listening.getsockname())
        self._inputs.start()
        self._begun.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn, beside the inputs' end."""
        await asyncio.gather(super().shutdown(sockets=sockets), asyncio.to_thread(self._inputs.stop))


def run(settings: Settings) -> None:
    """Run the ingest service until SIGINT or SIGTERM; then it ends in good order and returns."""
    service = Service(settings, own_process=True)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        service.stop()

    # uvicorn puts its own handlers before these while it serves, and calls these when it is done.
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, stop)
    service.run()


def _let_rest(journal: JournalWriter, ended: threading.Event) -> None:
    while not ended.wait(_REST_EVERY_S):
        try:
            journal.rest()
        except EventCenterError as error:
            _log.warning("the journal cannot rest", why=str(error))


def uvicorn_config(
    application: Callable[..., Any], *, host: str, port: int, protocol: Any = "httptools"
) -> uvicorn.Config:
    """The one way in which ingest is served. `protocol` is uvicorn's own, or what makes one."""
    return uvicorn.Config(
        application,
        host=host,
        port=port,
        http=protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=2048,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )


def _quiet_collector() -> None:
    """What was built up to here stays; requests make few cycles, so look for them rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
