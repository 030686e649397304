"""Durable ingest of NDJSON over HTTP: sustained until archived, answered in bursts, into a large archive."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import corpus, disk, sizes
from tests.bench.clients import Clients
from tests.bench.corpus import Part
from tests.bench.figures import Figure
from tests.bench.memory import Memory
from tests.bench.references import Loaded, chdb_load, chdb_missing, duckdb_load
from tests.bench.senders import send
from tests.bench.stand import Stand

_BURSTS = 3
_VERIFIED_LEAST = 200
_WARM_EVENTS = 20_000
_WARM_SEED = 1 << 32
_VERIFY_EVERY = 10_000
_LEAST_SUSTAINED = {"mixed": 0.33, "uniform": 0.33, "wide": 0.5}


@dataclass(frozen=True, kw_only=True)
class Run:
    """How sending went."""

    events: int
    answered_s: float
    archived_s: float
    latencies_s: Sequence[float]
    """Of each answer, ascending."""

    def latency_ms(self, share: float) -> float:
        """What this share of the answers took at most."""
        return self.latencies_s[int((len(self.latencies_s) - 1) * share)] * 1000


def post(
    stand: Stand, files: Sequence[Part], *, seed: int | None = None, clients: int = sizes.CLIENTS
) -> Run:
    """Post the parts by client processes and wait until all is archived; with `seed` under new ids."""
    before = stand.events()
    port = stand.settings.ingest_port
    senders = Clients(send, [(files, number, clients, port, stand.writer, seed) for number in range(clients)])
    senders.begin()
    start = time.perf_counter()
    found = senders.answers()
    answered = time.perf_counter() - start
    events = sum(part.events for part in files)
    assert sum(accepted for accepted, _ in found) == events
    stand.wait_archived(before + events)
    archived = time.perf_counter() - start
    return Run(
        events=events,
        answered_s=answered,
        archived_s=archived,
        latencies_s=sorted(each for _, many in found for each in many),
    )


def warm(stand: Stand) -> None:
    """Send some events first: the processes of a server that has just begun are still getting ready."""
    post(stand, corpus.parts("mixed", _WARM_EVENTS), seed=_WARM_SEED)


def sustained(name: str, folder: Path) -> list[Figure]:
    """All of a corpus until archived, with memory and disk, between two runs of the reference."""
    events = sizes.WIDE_EVENTS if name == "wide" else sizes.EVENTS
    files = corpus.parts(name, events)
    paths = [part.path for part in files]
    before = duckdb_load(paths, folder)
    with Stand(folder / "product") as stand:
        with Memory(stand.pids) as memory:
            run = post(stand, files)
        verify(stand, files)
        segments = stand.wait_settled()
        taken = disk.by_part(stand.settings.data_dir)
    after = duckdb_load(paths, folder)
    reference_s = (before.seconds + after.seconds) / 2
    reference = f"`read_json` into a table: {events / reference_s:,.0f} events/s"
    label = f"{name}, {events:,} events"
    gigabyte = 1e9
    return [
        Figure(
            name=f"{label}: until archived",
            value=reference_s / run.archived_s,
            least=_LEAST_SUSTAINED[name],
            reference=reference,
            note=f"before {before.seconds:.1f} s, after {after.seconds:.1f} s",
        ),
        Figure(
            name=f"{label}: answered",
            value=reference_s / run.answered_s,
            reference=reference,
            note=f"an answer p50 {run.latency_ms(0.5):.0f} ms, p99 {run.latency_ms(0.99):.0f} ms",
        ),
        Figure(
            name=f"{label}: peak of memory",
            value=memory.peak / gigabyte,
            unit="GB",
            most=2.0,
            note=", ".join(f"{each} {peak / gigabyte:.2f}" for each, peak in memory.peaks.items())
            + f"; without mapped files {memory.peak_private / gigabyte:.2f}",
        ),
        *_disk_figures(name, label, events=events, taken=taken, segments=segments, reference=after),
    ]


def _disk_figures(
    name: str, label: str, *, events: int, taken: Mapping[str, int], segments: int, reference: Loaded
) -> list[Figure]:
    whole = sum(taken.values())
    note = (
        ", ".join(f"{part} {size / events:.1f}" for part, size in taken.items())
        + f"; {segments} times segments were made"
    )
    return [
        Figure(
            name=f"{label}: disk, bytes an event",
            value=whole / events,
            unit="B",
            most=145.0 if name == "mixed" else None,
            note=note,
        ),
        Figure(
            name=f"{label}: disk",
            value=whole / reference.bytes,
            most=1.3 if name == "wide" else None,
            reference=f"JSON text in a DuckDB table: {reference.bytes / events:.1f} bytes an event",
        ),
    ]


def verify(stand: Stand, files: Sequence[Part]) -> None:
    """Every 10,000th event, of few events at least 200, comes back with all its members.

    The first 1,000 sent again are all duplicates.
    """
    checked = 0
    every = max(1, min(_VERIFY_EVERY, sum(part.events for part in files) // _VERIFIED_LEAST))
    for part in files:
        with part.path.open("rb") as file:
            for index, line in enumerate(file):
                if index % every:
                    continue
                sent = json.loads(line)
                status, answer = stand.api("GET", f"/v1/events?id={sent['id']}", stand.viewer)
                assert status == 200, answer
                assert [each["event"] for each in answer["events"]] == [sent]
                checked += 1
    assert checked >= len(files)
    with files[0].path.open("rb") as file:
        body = b"".join(line for line, _ in zip(file, range(1000), strict=False))
    status, answer = stand.post("default", body, stand.writer, "application/x-ndjson", "?wait=archived")
    assert status == 200, answer
    assert (answer["stored"], answer["duplicates"]) == (0, min(files[0].events, 1000)), answer


def bursts(name: str, folder: Path) -> list[Figure]:
    """Bursts with rests between them, in which everything is archived and settled; the median counts."""
    files = [corpus.parts(name, sizes.BURST, start=number)[0] for number in range(_BURSTS)]
    references = [duckdb_load([files[0].path], folder).seconds]
    runs = []
    with Stand(folder / "product") as stand:
        for file in files:
            runs.append(post(stand, [file]))
            stand.wait_settled()
        verify(stand, files)
    references.append(duckdb_load([files[-1].path], folder).seconds)
    reference_s = sum(references) / len(references)
    answered, archived = (
        sorted(times)[len(runs) // 2]
        for times in ([run.answered_s for run in runs], [run.archived_s for run in runs])
    )
    label = f"{name}, bursts of {sizes.BURST:,} events"
    reference = f"`read_json` into a table: {sizes.BURST / reference_s:,.0f} events/s"
    return [
        Figure(name=f"{label}: answered", value=reference_s / answered, least=0.7, reference=reference),
        Figure(name=f"{label}: until archived", value=reference_s / archived, reference=reference),
    ]


def against_chdb(folder: Path) -> list[Figure]:
    """Ingest until archived beside chDB's bulk insert of the same file into its JSON type."""
    if (reason := chdb_missing()) is not None:
        return [Figure(name="ingest to chDB's bulk insert", value=math.nan, note=reason)]
    files = corpus.parts("mixed", sizes.CHDB_EVENTS)
    with Stand(folder / "product") as stand:
        warm(stand)
        run = post(stand, files)
        verify(stand, files)
    reference = chdb_load([part.path for part in files], folder)
    return [
        Figure(
            name=f"mixed, {run.events:,} events: until archived",
            value=reference.seconds / run.archived_s,
            least=2.5,
            reference=f"chDB's insert into its JSON type: {run.events / reference.seconds:,.0f} events/s",
        )
    ]
