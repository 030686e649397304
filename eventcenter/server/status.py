"""`GET /v1/status`: how a tenant's events, rules and deliveries are doing, in one answer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter

from alerts import Alerts
from eventcenter.access import Role
from eventcenter.clock import rfc3339
from eventcenter.web.auth import Viewer
from ingest.loader import Loader
from queries import Queries

BusStatistics = Mapping[str, tuple[int, datetime | None]]


def router(queries: Queries, alerts: Alerts, loader: Loader) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["status"])

    @router.get("/v1/status", summary="How the tenant's events, rules and deliveries are doing")
    def status(who: Viewer) -> dict[str, Any]:
        tenant_id = who.require(Role.VIEWER)
        found = queries.statistics(tenant_id)
        outbox = alerts.statistics(tenant_id)
        buses: BusStatistics = found["buses"]
        return {
            "events": found["events"],
            "rejects": found["rejects"],
            "duplicates": found["duplicates"],
            "last_seq": found["last_seq"],
            "loader_lag_s": loader.lag_s(tenant_id),
            "journal_bytes": loader.journal_bytes() if who.operator else None,
            "rule_lag_events": outbox.rule_lag_events,
            "outbox_pending": outbox.outbox_pending,
            "outbox_oldest_s": outbox.outbox_oldest_s,
            "broken_targets": alerts.broken_targets(tenant_id),
            "buses": {
                name: {"events": events, "last_received_at": None if last is None else rfc3339(last)}
                for name, (events, last) in buses.items()
            },
        }

    return router
