"""All measurements by name, in the order of the report."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tests.bench import rocketmq
from tests.bench.figures import Figure
from tests.bench.growth import flat
from tests.bench.ingest import against_chdb, bursts, sustained
from tests.bench.queries import fresh, queries
from tests.bench.single import single
from tests.bench.steady import steady
from tests.bench.tenants import tenants
from tests.bench.visible import visible

MEASURES: Mapping[str, Callable[[Path], list[Figure]]] = {
    "mixed": partial(sustained, "mixed"),
    "uniform": partial(sustained, "uniform"),
    "wide": partial(sustained, "wide"),
    "bursts-mixed": partial(bursts, "mixed"),
    "bursts-uniform": partial(bursts, "uniform"),
    "chdb": against_chdb,
    "single": single,
    "visible": visible,
    "steady": steady,
    "flat": flat,
    "queries": queries,
    "fresh": fresh,
    "tenants": tenants,
    "rocketmq": rocketmq.measure,
}
"""Each takes an empty folder, verifies what it did, and raises AssertionError where an answer was wrong."""
