"""How much the benchmarks do, from the environment; docs/performance.md has the commands."""

import os
import tempfile
from pathlib import Path


def _number(name: str, default: float) -> int:
    return int(os.environ.get(f"EVENTCENTER_BENCH_{name}", default))


EVENTS = _number("EVENTS", 1_000_000)
"""Mixed and uniform events of the sustained ingest and of the query suite."""
BURST = min(EVENTS, 1_000_000)
WIDE_EVENTS = _number("WIDE_EVENTS", EVENTS / 20)
CHDB_EVENTS = _number("CHDB_EVENTS", min(EVENTS, 200_000))
"""Mixed events of the comparison of ingest with chDB, which takes some 20,000 a second."""
SINGLE_S = _number("SINGLE_S", 8)
STEADY_RATE = _number("STEADY_RATE", 20_000)
STEADY_S = _number("STEADY_S", 60)
FLAT_EVENTS = _number("FLAT_EVENTS", 5 * EVENTS)
"""What the archive holds already when ingest is compared with that into an empty one."""
TENANTS = _number("TENANTS", 200)
TENANT_EVENTS = _number("TENANT_EVENTS", 10_000)
PROMOTION_S = _number("PROMOTION_S", 120)
"""How long the query suite waits for a path to be promoted."""
MESSAGES = _number("MESSAGES", 128_000)
"""Of RocketMQ, that are archived; the official consumer gets a fifth of them."""
FOLDER = Path(
    os.environ.get("EVENTCENTER_BENCH_FOLDER", str(Path(tempfile.gettempdir()) / "eventcenter-bench"))
)
"""Where corpora are kept from run to run; 10 M mixed events take 6 GB."""
CLIENTS = 2
BODY = 4_000_000
