"""The query suite over HTTP beside a plain DuckDB table with JSON text, and chDB; answers are compared."""

import datetime as dt
import io
import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from tests.bench import corpus, sizes
from tests.bench.corpus import Part
from tests.bench.figures import Figure
from tests.bench.ingest import post
from tests.bench.references import Loaded, chdb_load, chdb_missing, duckdb_load, no_collection
from tests.bench.stand import STEPS, Client, Stand
from tests.bench.suite import Question, hourly, label, statements, suite

_ROUNDS = 4
_UNUSED_MOST = 1.2
_FASTER_THAN_CHDB = 8.0
_PROMOTED_SHARE = 0.3
"""A path counts as promoted once its question takes less than this share of the first time."""
_PROMOTION_LOOK_S = 2.0
_WAYS = {"rest": "route", "sql": "SQL", "arrow": "SQL as Arrow"}

Answer = list[tuple[Any, ...]]
Asked = dict[str, dict[str, tuple[float, Answer]]]
"""By question and way: the best time in seconds, and the answer."""


def questions(files: Sequence[Part]) -> list[Question]:
    """The suite, about ids and subjects from all over these parts of the mixed corpus."""
    lines = []
    for number in range(_ROUNDS):
        part = files[number * len(files) // _ROUNDS]
        with part.path.open("rb") as file:
            at = (2 * number + 1) * part.events // (2 * _ROUNDS)
            lines.append(json.loads(next(islice(file, at, None))))
    first = _time_of_line(files[0].path, first=True).replace(minute=0, second=0, microsecond=0)
    last = _time_of_line(files[-1].path, first=False)
    hours = hourly(first, last.replace(minute=0, second=0, microsecond=0) + dt.timedelta(hours=1))
    return suite(hours, [line["id"] for line in lines], [line["subject"] for line in lines])


def best_s(client: Client, question: Question, way: str) -> tuple[float, Answer]:
    """The best of four, and the last answer."""
    best, made = math.inf, None
    for parameters in question.parameters:
        with no_collection():
            start = time.perf_counter()
            made = question.ask(client, way, parameters)
            best = min(best, time.perf_counter() - start)
    assert made is not None
    return best, question.canonical(made())


def ask_all(client: Client, asked: Iterable[Question]) -> Asked:
    """Every question in all its ways: best times and answers."""
    return {
        label(question): {way: best_s(client, question, way) for way in question.ways} for question in asked
    }


def queries(folder: Path) -> list[Figure]:
    """The suite over settled events; on a path never used before, and on the same when it is promoted."""
    files = corpus.parts("mixed", sizes.EVENTS)
    asked = questions(files)
    unused = [question for question in asked if question.group == "unused"]
    with Stand(folder / "product") as stand, closing(Client(stand)) as client:
        # One client: arrival in the order of time, so that the newest are the same in any table.
        post(stand, files, clients=1)
        steps = stand.wait_settled()
        found = ask_all(client, asked)
        waited = _wait_promoted(client, unused[0], found[label(unused[0])]["sql"][0])
        stand.wait_settled()
        later = ask_all(client, unused)
    paths = [part.path for part in files]
    plain = duckdb_load(paths, folder, statements(asked, "duckdb"))
    compare(asked, found, plain)
    compare(unused, later, plain)
    after = f"promoted after {waited:.0f} s" if waited is not None else "never promoted"
    return [
        *(_figure(each, label(each), found[label(each)], plain) for each in asked if each.group != "unused"),
        *(_figure(each, label(each), found[label(each)], plain, most=_UNUSED_MOST) for each in unused),
        *(_figure(each, f"{label(each)}, {after}", later[label(each)], plain) for each in unused),
        Figure(
            name="query suite: events",
            value=sizes.EVENTS,
            unit="events",
            note=f"segments were made {steps} times",
        ),
        _against_chdb(asked, found, paths, folder),
    ]


def fresh(folder: Path) -> list[Figure]:
    """The suite right after a burst, before it is settled."""
    files = corpus.parts("mixed", sizes.BURST)
    asked = [question for question in questions(files) if question.group != "unused"]
    with Stand(folder / "product") as stand, closing(Client(stand)) as client:
        post(stand, files, clients=1)
        before = stand.gauges().get(STEPS, 0.0)
        found = ask_all(client, asked)
        steps = stand.gauges().get(STEPS, 0.0) - before
    plain = duckdb_load([part.path for part in files], folder, statements(asked, "duckdb"))
    compare(asked, found, plain)
    return [
        Figure(
            name="fresh: events",
            value=sizes.BURST,
            unit="events",
            note=f"segments made meanwhile: {steps:.0f}; before: {before:.0f}",
        ),
        *(_figure(each, f"fresh: {label(each)}", found[label(each)], plain, targets=False) for each in asked),
    ]


def compare(asked: Iterable[Question], found: Asked, plain: Loaded) -> None:
    """Every answer must be the reference's."""
    for question in asked:
        expected = question.canonical(plain.rows[label(question)])
        assert expected, f"{label(question)} asks for nothing"
        for way, (_, answer) in found[label(question)].items():
            assert answer == expected, f"{label(question)} by {way}: {difference(answer, expected)}"


def difference(answer: Answer, expected: Answer) -> str:
    """The first rows that differ."""
    wrong = [row for row in answer if row not in expected][:2]
    missing = [row for row in expected if row not in answer][:2]
    return f"{len(answer)} rows for {len(expected)}; wrong {wrong}, missing {missing}"


def _wait_promoted(client: Client, question: Question, first_s: float) -> float | None:
    """Ask now and then until it is much faster than at first; seconds, or None where it never was."""
    start = time.monotonic()
    while (waited := time.monotonic() - start) < sizes.PROMOTION_S:
        if best_s(client, question, "sql")[0] < first_s * _PROMOTED_SHARE:
            return waited
        time.sleep(_PROMOTION_LOOK_S)
    return None


def _figure(
    question: Question,
    name: str,
    ways: Mapping[str, tuple[float, Answer]],
    plain: Loaded,
    *,
    most: float | None = None,
    targets: bool = True,
) -> Figure:
    reference_s = plain.best_s[label(question)]
    seconds = {way: each_s for way, (each_s, _) in ways.items()}
    least = min(seconds, key=lambda way: seconds[way])
    target = most or question.most
    if question.most_ms is not None:
        target = max(target, question.most_ms / 1000 / reference_s)
    return Figure(
        name=name,
        value=seconds[least] / reference_s,
        most=target if targets else None,
        reference=f"plain DuckDB table: {reference_s * 1000:.3g} ms",
        note=", ".join(f"{_WAYS[way]} {each_s * 1000:.3g} ms" for way, each_s in seconds.items()),
    )


def _against_chdb(asked: Sequence[Question], found: Asked, paths: Sequence[Path], folder: Path) -> Figure:
    name = "query suite: geometric mean, times faster"
    if (reason := chdb_missing()) is not None:
        return Figure(name=name, value=math.nan, note=reason)
    other = chdb_load(paths, folder, statements(asked, "chdb"))
    for question in asked:
        [expected, *_] = [answer for _, answer in found[label(question)].values()]
        if "data" not in question.compare:
            answer = question.canonical(other.rows[label(question)])
            assert answer == expected, f"{label(question)} by chDB: {difference(answer, expected)}"
    ratios = [
        other.best_s[label(question)] / min(each_s for each_s, _ in found[label(question)].values())
        for question in asked
    ]
    times = ", ".join(f"{label(each)} {other.best_s[label(each)] * 1000:.3g} ms" for each in asked)
    return Figure(
        name=name,
        value=math.exp(sum(map(math.log, ratios)) / len(ratios)),
        least=_FASTER_THAN_CHDB,
        reference="chDB, JSON type",
        note=times,
    )


def _time_of_line(path: Path, *, first: bool) -> dt.datetime:
    with path.open("rb") as file:
        if not first:
            file.seek(-100_000, io.SEEK_END)
        line = file.readline() if first else file.read().splitlines()[-1]
    return dt.datetime.fromisoformat(json.loads(line)["time"])
