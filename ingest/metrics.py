"""What the ingest service counts, and how Prometheus gets it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from ingest.committer import Groups

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(slots=True)
class Counts:
    """Plain numbers, cheap to count on every request."""

    events: int = 0
    rejects: int = 0
    rejects_not_kept: int = 0
    answers: dict[int, int] = field(default_factory=dict)
    """By status."""

    def answered(self, status: int) -> None:
        """Count an answer."""
        self.answers[status] = self.answers.get(status, 0) + 1


class Metrics:
    """A registry that reads the counts when it is asked."""

    def __init__(self, counts: Counts, groups: Groups, journal_bytes: Callable[[], int]) -> None:
        self._counts = counts
        self._groups = groups
        self._journal_bytes = journal_bytes
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """The metrics of this moment."""
        counts, groups = self._counts, self._groups
        yield _counter("eventcenter_ingest_events", "Events accepted.", counts.events)
        yield _counter("eventcenter_ingest_rejects", "Events refused.", counts.rejects)
        yield _counter(
            "eventcenter_ingest_rejects_not_kept",
            "Events refused and not kept, because of the quota.",
            counts.rejects_not_kept,
        )
        answers = CounterMetricFamily("eventcenter_ingest_answers", "Answers by status.", labels=["status"])
        for status, number in sorted(counts.answers.items()):
            answers.add_metric([str(status)], number)
        yield answers
        yield _counter("eventcenter_ingest_journalled_bytes", "Bytes of payload journalled.", groups.bytes)
        yield GaugeMetricFamily(
            "eventcenter_journal_bytes", "Bytes that the journal takes on disk.", value=self._journal_bytes()
        )
        yield _histogram(groups)


def _counter(name: str, text: str, value: int) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=value)


def _histogram(groups: Groups) -> HistogramMetricFamily:
    sizes = sorted(groups.sizes.items())
    buckets = [(str(float(bound)), float(sum(n for size, n in sizes if size <= bound))) for bound in _BOUNDS]
    buckets.append(("+Inf", float(groups.syncs)))
    return HistogramMetricFamily(
        "eventcenter_ingest_group_requests",
        "Requests that shared a sync.",
        buckets=buckets,
        sum_value=float(groups.requests),
    )
