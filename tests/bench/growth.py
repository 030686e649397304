"""What a large archive costs: ingest into it and questions to it, beside the same in a small one."""

from contextlib import closing
from pathlib import Path
from statistics import median

from tests.bench import corpus, sizes
from tests.bench.corpus import Part
from tests.bench.figures import Figure
from tests.bench.ingest import Run, post, verify, warm
from tests.bench.queries import Asked, ask_all, questions
from tests.bench.stand import Client, Stand
from tests.bench.suite import Question, label

_FILL_PARTS = 5
_FLAT = {"count by type", "hourly histogram by type", "by id", "newest 100"}
_FLAT_MOST = 2.0
_ROUNDS = 3


def flat(folder: Path) -> list[Figure]:
    """A burst of new events into a large archive beside the same into empty ones, by turns.

    The archive is filled with copies of some parts under new ids.
    """
    [burst] = corpus.parts("mixed", sizes.BURST)
    asked = [question for question in questions([burst]) if question.group != "unused"]
    filling = corpus.parts("mixed", min(sizes.FLAT_EVENTS, _FILL_PARTS * sizes.BURST), start=1)
    with Stand(folder / "product") as stand, closing(Client(stand)) as client:
        held = post(stand, [burst]).events
        stand.wait_settled()
        small = ask_all(client, asked)
        seed = 0
        while held < sizes.FLAT_EVENTS:
            held += post(stand, filling, seed=seed).events
            seed += 1
        stand.wait_settled()
        empty, full = [], []
        for number in range(_ROUNDS):
            empty.append(_into_empty(folder / f"empty-{number}", burst))
            full.append(post(stand, [burst], seed=seed))
            seed += 1
            stand.wait_settled()
        large = ask_all(client, asked)
        verify(stand, [burst])
        assert stand.events() == held + sum(run.events for run in full)
    empty_s, full_s = (median(run.archived_s for run in runs) for runs in (empty, full))
    rates = ", ".join(f"{burst.events / run.archived_s:,.0f}" for run in (*empty, *full))
    more = (held + _ROUNDS * burst.events) / burst.events
    return [
        Figure(
            name=f"{burst.events:,} events into an archive of {held:,}",
            value=empty_s / full_s,
            least=0.9,
            reference=f"into an empty archive: {burst.events / empty_s:,.0f} events/s",
            note=f"{rates} events/s: empty, then full, which were measured by turns",
        ),
        *(_growth(each, small, large, more) for each in asked),
    ]


def _growth(question: Question, small: Asked, large: Asked, more: float) -> Figure:
    name = label(question)
    small_s, large_s = (min(each_s for each_s, _ in asked[name].values()) for asked in (small, large))
    return Figure(
        name=f"{name}: in {more:.0f} × as many events",
        value=large_s / small_s,
        most=_FLAT_MOST if name in _FLAT else more,
        reference=f"the same in a small archive: {small_s * 1000:.3g} ms",
        note=f"{large_s * 1000:.3g} ms",
    )


def _into_empty(folder: Path, burst: Part) -> Run:
    with Stand(folder) as stand:
        warm(stand)
        return post(stand, [burst], seed=1)
