"""What operators measure: Prometheus text, gathered when it is asked for."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_GAUGES: Mapping[str, str] = {
    "journal_bytes": "Bytes in journal files.",
    "loader_lag_seconds": "Age of the oldest journalled event that is not archived.",
    "loader_stuck_tenants": "Tenants whose archive cannot be loaded at the moment.",
    "fresh_events": "Per open archive, events that wait to be settled.",
    "settling_behind_seconds": "Per open archive, for how long events have been waiting to be settled.",
    "rules_oldest_unevaluated_seq": "Per tenant, the first event that the rules have not seen; 0 if none.",
    "rules_lag_events": "Per tenant, events that the rules have not seen.",
    "outbox_pending": "Deliveries that wait.",
    "outbox_age_seconds": "Age of the oldest delivery that waits.",
}
_COUNTERS: Mapping[str, str] = {
    "events_archived": "Events archived since the start.",
    "settling_steps": "Segments made since the start.",
    "events_removed": "Events removed by retention and deletions since the start.",
    "journal_damages": "Damaged stretches of journal files found since the start.",
}

Sample = tuple[str, Mapping[str, str], float]


class _Gathered(Collector):
    def __init__(self, gather: Callable[[], Iterable[Sample]]) -> None:
        self._gather = gather

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        found: dict[str, Metric] = {}
        for name, labels, value in self._gather():
            family = found.get(name)
            if family is None:
                kind = GaugeMetricFamily if name in _GAUGES else CounterMetricFamily
                help_text = _GAUGES.get(name) or _COUNTERS[name]
                family = found[name] = kind("eventcenter_" + name, help_text, labels=list(labels))
            family.add_metric(list(labels.values()), value)  # type: ignore[attr-defined]
        return found.values()


def renderer(gather: Callable[[], Iterable[Sample]]) -> Callable[[], bytes]:
    """A function that renders what `gather` finds; a name must be one of the tables above."""
    registry = CollectorRegistry()
    registry.register(_Gathered(gather))
    return lambda: generate_latest(registry) + generate_latest(REGISTRY)
