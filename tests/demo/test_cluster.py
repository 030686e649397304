"""The simulated cluster: repeatable, in order of time, and full of what a cluster does."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import pytest

from eventcenter.demo.cluster import TYPE_PREFIX, Cluster, Happening
from eventcenter.demo.events import to_line
from eventcenter.demo.setup import RULES

START = datetime(2026, 11, 1, 8, tzinfo=UTC)


def life(hours: float, *, seed: int = 7, start: datetime = START) -> list[Happening]:
    end = start + timedelta(hours=hours)
    return list(takewhile(lambda happening: happening.at < end, Cluster(seed=seed, start=start).happenings()))


@pytest.fixture(scope="module")
def six_hours() -> list[Happening]:
    return life(6)


def test_the_same_seed_and_start_give_the_same_life() -> None:
    first = [to_line(happening) for happening in life(0.2)]
    assert first == [to_line(happening) for happening in life(0.2)]
    other = [happening.id for happening in life(0.2, seed=8)]
    assert not set(other) & {happening.id for happening in life(0.2)}


def test_time_goes_forward_and_ids_are_unique(six_hours: list[Happening]) -> None:
    moments = [happening.at for happening in six_hours]
    assert moments == sorted(moments)
    assert moments[0] >= START
    assert len({(happening.source, happening.id) for happening in six_hours}) == len(six_hours)


def test_six_hours_hold_everything_that_a_cluster_does(six_hours: list[Happening]) -> None:
    counts = Counter(happening.type.removeprefix(TYPE_PREFIX) for happening in six_hours)
    expected = {
        *("pod.created", "pod.scheduled", "pod.started", "pod.ready", "pod.restarted", "pod.oomkilled"),
        *("pod.crashloopbackoff", "pod.imagepullfailed", "pod.deleted", "pod.evicted", "pod.metrics"),
        *("deployment.rollout.started", "deployment.rollout.completed", "deployment.scaled"),
        *("node.pressure", "node.relieved", "node.metrics", "job.completed"),
        *("service.requests", "service.slow"),
    }
    assert expected <= set(counts)
    assert 10_000 < len(six_hours) < 40_000


def test_trouble_comes_when_it_is_asked_for() -> None:
    cluster = Cluster(seed=7, start=START)
    cluster.trouble_at(START + timedelta(seconds=20))
    end = START + timedelta(seconds=60)
    types = {happening.type for happening in takewhile(lambda h: h.at < end, cluster.happenings())}
    wanted = {kind for rule in RULES for kind in rule["pattern"]["type"]}  # type: ignore[index]
    assert {"io.k8s.pod.oomkilled", "io.k8s.node.pressure"} <= types & wanted
