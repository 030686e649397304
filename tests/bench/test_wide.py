"""The wide corpus is what it says: the same for the same seed, wide, and good events."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ingest.validation import Limits
from ingest.validation.events import check_lines
from tests.bench.wide import LARGEST, SMALLEST, events, write_wide

COUNT = 3000


@pytest.fixture(scope="module")
def corpus() -> list[bytes]:
    return list(events(COUNT, 7))


@pytest.fixture(scope="module")
def parsed(corpus: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in corpus]


def scalars(value: Any) -> int:
    """How many values it holds; an empty object or array is one."""
    inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return sum(map(scalars, inside)) if inside else 1


def names(value: Any, path: str = "") -> set[str]:
    """The paths of all members; those of an array's elements are one."""
    if isinstance(value, dict):
        return {path}.union(*(names(inner, f"{path}.{name}") for name, inner in value.items()))
    if isinstance(value, list):
        return {path}.union(*(names(inner, f"{path}[]") for inner in value))
    return {path}


def test_a_seed_makes_the_same_events_and_another_one_others(tmp_path: Path, corpus: list[bytes]) -> None:
    write_wide(tmp_path / "again.ndjson", COUNT, 7)
    assert (tmp_path / "again.ndjson").read_bytes() == b"".join(line + b"\n" for line in corpus)
    others = [json.loads(line) for line in events(500, 8)]
    ids = {json.loads(line)["id"] for line in corpus}
    assert len(ids) == COUNT
    assert ids.isdisjoint(event["id"] for event in others)
    # They are of the same world: the same shapes, about the same things.
    assert {event["type"] for event in others} <= {json.loads(line)["type"] for line in corpus[:1000]}


def test_fewer_events_are_the_first_of_more(corpus: list[bytes]) -> None:
    assert list(events(1000, 7)) == corpus[:1000]


def test_sizes_and_fields(corpus: list[bytes], parsed: list[dict[str, Any]]) -> None:
    sizes = [len(line) for line in corpus]
    assert min(sizes) >= SMALLEST
    assert max(sizes) <= LARGEST
    assert min(sizes) < 3_000
    assert max(sizes) > 15_000
    fields = [scalars(event["data"]) for event in parsed]
    assert min(fields) > 50
    assert sum(fields) / COUNT > 180
    assert sum(one > 100 for one in fields) / COUNT > 0.7


def test_every_event_is_good(corpus: list[bytes]) -> None:
    checked = check_lines(b"\n".join(corpus) + b"\n", Limits())
    assert checked.count == COUNT
    assert not checked.rejects


def test_it_holds_what_is_hard(corpus: list[bytes], parsed: list[dict[str, Any]]) -> None:
    whole = b"\n".join(corpus)
    escapes = (rb"\u4fee", rb"\\", rb"\n", b'k:{\\"type\\"', "平台".encode())
    for wanted in (*escapes, b"null", b"[]", b"{}", b"[[", b"e2,", b".0,"):
        assert wanted in whole, wanted
    paths = set().union(*(names(event["data"]) for event in parsed[:1000]))
    assert len(paths) > 1000
    kinds = Counter(
        type(event["data"]["data"]["object"]["metadata"]["weight"]).__name__
        for event in parsed
        if event["type"].startswith("com.example.charge")
    )
    assert {"str", "int", "float", "NoneType"} <= set(kinds)
    for name in ("subject", "time", "traceparent"):
        assert all(event[name] for event in parsed)
    assert len({event["subject"] for event in parsed}) > 1000
    assert [event["time"] for event in parsed] == sorted(event["time"] for event in parsed)


def test_it_is_made_quickly() -> None:
    list(events(1, 1))
    begin = time.process_time()
    for _ in events(3000, 1):
        pass
    # A third of the 10,000 events a second that it makes at the least, for a machine that is busy.
    assert time.process_time() - begin < 0.9
