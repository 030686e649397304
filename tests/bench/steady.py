"""A steady stream: its answers, how far settling is behind at the end, and the query suite beside it."""

import math
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import cycle
from pathlib import Path
from statistics import geometric_mean, median

from tests.bench import corpus, sizes
from tests.bench.clients import Clients
from tests.bench.figures import Figure
from tests.bench.ingest import post
from tests.bench.memory import Memory
from tests.bench.queries import questions
from tests.bench.senders import stream
from tests.bench.stand import BEHIND, Client, Stand
from tests.bench.suite import Question, label
from tests.support.product import WAITING

_BETWEEN_QUESTIONS_S = 1.0
_COMPARED_ROUNDS = 4
"""The last ones beside the stream are compared with as many in quiet: the archive is as large then."""


class _Rounds:
    """Rounds of the query suite, until it is told to stop."""

    def __init__(self, client: Client, asked: Sequence[Question], pause_s: float) -> None:
        self._client, self._asked, self._pause_s = client, asked, pause_s
        self.times_s: list[Mapping[str, float]] = []

    def run(self, stop: threading.Event, most: int | None = None) -> None:
        for number in cycle(range(_COMPARED_ROUNDS)):
            times = {}
            for question in self._asked:
                parameters = question.parameters[number % len(question.parameters)]
                start = time.perf_counter()
                made = question.ask(self._client, question.ways[0], parameters)
                times[label(question)] = time.perf_counter() - start
                assert made()
                if stop.wait(self._pause_s):
                    return
            self.times_s.append(times)
            if most is not None and len(self.times_s) == most:
                return

    def medians_s(self) -> dict[str, float]:
        """Of the last rounds, by question."""
        last = self.times_s[-_COMPARED_ROUNDS:]
        return {name: median(each[name] for each in last) for name in last[0]}


def steady(folder: Path) -> list[Figure]:
    """The stream, the suite beside it, and the suite again when all is settled."""
    files = corpus.parts("mixed", sizes.BURST)
    asked = [question for question in questions(files) if question.group != "unused"]
    with Stand(folder / "product") as stand, closing(Client(stand)) as client:
        # What the suite asks for, under its own ids.
        held = post(stand, files).events
        port = stand.settings.ingest_port
        senders = Clients(stream, [(files, number, port, stand.writer) for number in range(sizes.CLIENTS)])
        beside = _Rounds(client, asked, _BETWEEN_QUESTIONS_S)
        stop = threading.Event()
        with Memory(stand.pids) as memory, ThreadPoolExecutor(1) as pool:
            senders.begin()
            asking = pool.submit(beside.run, stop)
            try:
                found = senders.answers()
                gauges = stand.gauges()
            finally:
                stop.set()
            asking.result()
        sent = sum(accepted for accepted, _, _ in found)
        stand.wait_archived(held + sent)
        stand.wait_settled()
        quiet = _Rounds(client, asked, 0)
        quiet.run(threading.Event(), _COMPARED_ROUNDS)
    latencies = sorted(each for _, many, _ in found for each in many)
    rate = sent / max(seconds for _, _, seconds in found)
    label_ = f"{rate:,.0f} events/s for {sizes.STEADY_S:,} s"
    return [
        Figure(name=f"{label_}: share of the wished rate", value=rate / sizes.STEADY_RATE, least=0.99),
        Figure(name=f"{label_}: answer p50", value=latencies[len(latencies) // 2] * 1000, unit="ms"),
        Figure(
            name=f"{label_}: answer p99",
            value=latencies[int(len(latencies) * 0.99)] * 1000,
            unit="ms",
            most=250,
        ),
        Figure(
            name=f"{label_}: settling behind at the end",
            value=gauges.get(BEHIND, math.nan),
            unit="s",
            most=300,
            note=f"{gauges.get(WAITING, 0):,.0f} events wait",
        ),
        Figure(
            name=f"{label_}: peak of memory",
            value=memory.peak / 1e9,
            unit="GB",
            note=f"without mapped files {memory.peak_private / 1e9:.2f}",
        ),
        _beside(label_, beside, quiet),
    ]


def _beside(name: str, beside: _Rounds, quiet: _Rounds) -> Figure:
    figure = f"{name}: query suite beside it, geometric mean"
    if not beside.times_s:
        return Figure(name=figure, value=math.nan, note="too short for a whole round")
    during, after = beside.medians_s(), quiet.medians_s()
    ratios = {question: during[question] / after[question] for question in after}
    worst = max(ratios, key=lambda question: ratios[question])
    return Figure(
        name=figure,
        value=geometric_mean(ratios.values()),
        most=2,
        reference=f"the same in quiet: {sum(after.values()) * 1000:.0f} ms a round",
        note=f"worst {worst}: {ratios[worst]:.2f} ×, {during[worst] * 1000:.3g} ms",
    )
