"""Builds the server's parts and holds them together."""

import hashlib
import hmac
import threading
from collections.abc import Callable, Iterator
from functools import partial

import alerts.api
import ingest.inputs.api
import queries.api
import queries.query_api
from alerts import Alerts
from alerts.delivery_rows import delivery_rows
from eventcenter import accounts
from eventcenter.accounts import api as accounts_api
from eventcenter.archive import Archives, Settler
from eventcenter.backup import Backups
from eventcenter.backup import api as backup_api
from eventcenter.clock import Clock, SystemClock
from eventcenter.errors import Unavailable
from eventcenter.housekeeping import Housekeeping
from eventcenter.retention import Retention
from eventcenter.retention import api as retention_api
from eventcenter.server import metrics, status
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.bootstrap import bootstrap
from eventcenter.store.models import Tenant
from eventcenter.store.secrets import SecretBox
from eventcenter.store.sql import select
from eventcenter.web.application import create_application
from ingest.bindings.rocketmq import encode
from ingest.inputs.inputs import Inputs
from ingest.loader import Loader
from queries import Queries
from queries.sql import Sql

_STOP_S = 30.0


class Server:
    """All parts of the server on one data folder; `application` is its ASGI API."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None) -> None:
        """Open the store and what lies in the data folder. Raises an EventCenterError where that fails."""
        clock = clock or SystemClock()
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.store = Store.open(settings, clock=clock)
        secrets = SecretBox(settings)
        bootstrap(self.store, secrets)
        self.archives = Archives(
            settings.tenants_dir,
            memory_bytes=settings.archive_memory_bytes,
            most_open=settings.archive_open_tenants,
            timeout_s=settings.query_timeout_s,
            fresh_events=settings.fresh_events,
        )
        cursor_key = _cursor_key(settings)
        self.queries = Queries(self.archives, clock, cursor_key=cursor_key)
        self.sql = Sql(
            self.archives,
            timeout_s=settings.query_timeout_s,
            most_rows=settings.query_max_rows,
            most_bytes=settings.query_result_bytes,
            slots=settings.query_slots,
            deliveries=partial(delivery_rows, self.store),
        )
        self.alerts = Alerts(
            store=self.store,
            queries=self.queries,
            secrets=secrets,
            clock=clock,
            settings=settings,
            encode=encode,
            cursor_key=cursor_key,
        )
        self.loader = Loader(
            settings.journal_dir,
            self.archives,
            clock=clock,
            batch_bytes=settings.loader_batch_bytes,
            disk_floor_bytes=settings.disk_floor_bytes,
            on_loaded=self.alerts.wake,
        )
        self.settler = Settler(
            self.archives,
            memory_bytes=settings.settling_memory_bytes,
            disk_floor_bytes=settings.disk_floor_bytes,
            loading=self.loader.behind,
        )
        self.retention = Retention(
            store=self.store,
            archives=self.archives,
            secrets=secrets,
            settings=settings,
            make_scratch=self.settler.scratch,
            cursor_key=cursor_key,
        )
        self.inputs = Inputs(
            store=self.store,
            archives=self.archives,
            secrets=secrets,
            settings=settings,
            usage=self.retention.looks.usage,
        )
        self.backups = Backups(self.archives, settings, clock)
        self.housekeeping = Housekeeping(store=self.store, settings=settings, clock=clock)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=loop, args=(self._stop,), name=name)
            for name, loop in (
                ("loader", self.loader.run),
                ("settler", self.settler.run),
                ("retention", self.retention.keeper.run),
                ("inputs", self.inputs.keeper.run),
                ("rules", self.alerts.run_engine),
                ("delivery", self.alerts.run_delivery),
            )
        ]
        services = accounts.Accounts(
            self.store, settings, bus_statistics=self._bus_statistics, cursor_key=cursor_key
        )
        self.application = create_application(
            store=self.store,
            clock=clock,
            settings=settings,
            # In the order in which a request looks for its route: what is asked most comes first.
            routers=[
                queries.query_api.router(self.sql),
                queries.api.router(self.queries),
                accounts_api.router(services),
                alerts.api.router(self.alerts),
                retention_api.router(self.retention),
                ingest.inputs.api.router(self.inputs),
                backup_api.router(self.backups),
                status.router(self.queries, self.alerts, self.loader),
            ],
            ready_checks=[self.store.require_current, *map(_alive, self._threads)],
            render_metrics=metrics.renderer(self._samples),
        )

    def start(self) -> None:
        """Begin loading, evaluating, delivering and keeping house."""
        for thread in self._threads:
            thread.start()
        self.housekeeping.start()

    def close(self) -> None:
        """End the loops after the step they are in, then close archives and store."""
        self._stop.set()
        self.alerts.wake()
        self.retention.keeper.wake()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_STOP_S)
        self.housekeeping.stop()
        self.backups.close()
        self.sql.close()
        self.archives.close()
        self.store.close()

    def _bus_statistics(self, tenant_id: str) -> status.BusStatistics:
        buses: status.BusStatistics = self.queries.statistics(tenant_id)["buses"]
        return buses

    def _samples(self) -> Iterator[metrics.Sample]:
        yield "events_archived", {}, self.loader.loaded_events
        yield "journal_damages", {}, self.loader.damages
        yield "journal_bytes", {}, self.loader.journal_bytes()
        yield "loader_lag_seconds", {}, self.loader.lag_s()
        yield "loader_stuck_tenants", {}, len(self.loader.stuck())
        yield "settling_steps", {}, self.settler.steps
        yield "events_removed", {}, self.retention.keeper.removed_events
        tenants = self.store.read(lambda session: list(session.scalars(select(Tenant).order_by(Tenant.name))))
        settling = self.settler.progress
        for tenant in tenants:
            found = self.alerts.statistics(tenant.id)
            labels = {"tenant": tenant.name}
            if tenant.id in settling:
                yield "fresh_events", labels, settling[tenant.id].waiting_events
                yield "settling_behind_seconds", labels, settling[tenant.id].waiting_s
            yield "rules_lag_events", labels, found.rule_lag_events
            yield "rules_oldest_unevaluated_seq", labels, found.oldest_unevaluated_seq
            yield "outbox_pending", labels, found.outbox_pending
            yield "outbox_age_seconds", labels, found.outbox_oldest_s


def _alive(thread: threading.Thread) -> Callable[[], None]:
    def check() -> None:
        if not thread.is_alive():
            raise Unavailable(f"The {thread.name} does not run.", remedy="see the server's log; restart it")

    return check


def _cursor_key(settings: Settings) -> bytes:
    """A key that stays the same over restarts, so that pages can be turned across one."""
    secret = settings.secret_key or settings.secret_key_path.read_text()
    return hmac.digest(secret.strip().encode(), b"cursors", hashlib.sha256)
