"""Many tenants in one server: memory while all are fed, and the first answer of one that sleeps."""

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median

from tests.bench import corpus, sizes
from tests.bench.clients import Clients
from tests.bench.figures import Figure
from tests.bench.memory import Memory
from tests.bench.senders import feed
from tests.bench.stand import Client, Stand
from tests.support.product import wait_until


def tenants(folder: Path) -> list[Figure]:
    """Feed all; then ask one after the other, the longest asleep first: each must have all its events."""
    whole = sizes.TENANTS * sizes.TENANT_EVENTS
    files = corpus.parts("mixed", whole)
    with Stand(folder / "product") as stand:
        names = [f"tenant-{number}" for number in range(sizes.TENANTS)]
        for name in names:
            stand.add_tenant(name)
        tokens = [stand.token("writer", name) for name in names]
        viewers = [stand.token("viewer", name) for name in names]
        port = stand.settings.ingest_port
        feeders = Clients(feed, [(files, number, port, tokens) for number in range(sizes.CLIENTS)])
        with Memory(stand.pids) as memory:
            feeders.begin()
            start = time.perf_counter()
            accepted = sum(feeders.answers())
            assert accepted == whole
            wait_until(
                lambda: _archived(stand) >= whole,
                600 + whole / 5000,
                lambda: f"not all events of all tenants are archived; {stand.log('server')}",
            )
            archived_s = time.perf_counter() - start
            first_s, again_s = _ask_all(stand, viewers)
    name = f"{sizes.TENANTS} tenants of {sizes.TENANT_EVENTS:,} events"
    return [
        Figure(
            name=f"{name}: peak of memory",
            value=memory.peak / 1e9,
            unit="GB",
            most=1.5,
            note=f"without mapped files {memory.peak_private / 1e9:.2f}",
        ),
        Figure(
            name=f"{name}: first answer of one that sleeps, worst",
            value=max(first_s),
            unit="s",
            most=1,
            note=f"p50 {median(first_s) * 1000:.0f} ms, the same again {median(again_s) * 1000:.0f} ms",
        ),
        Figure(name=f"{name}: until archived", value=whole / archived_s, unit="events/s"),
    ]


def _archived(stand: Stand) -> float:
    # The metrics of many tenants are work too.
    time.sleep(0.5)
    return stand.gauges().get("eventcenter_events_archived_total", 0.0)


def _ask_all(stand: Stand, viewers: Sequence[str]) -> tuple[list[float], list[float]]:
    first_s: list[float] = []
    again_s: list[float] = []
    for viewer in viewers:
        stand.viewer = viewer
        with closing(Client(stand)) as client:
            for times in (first_s, again_s):
                start = time.perf_counter()
                items = client.ask("GET", "/v1/events/top?by=type&limit=500")["items"]
                times.append(time.perf_counter() - start)
                assert sum(item["count"] for item in items) == sizes.TENANT_EVENTS
    return first_s, again_s
