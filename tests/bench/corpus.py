"""Events to measure with: `mixed`, `uniform` and `wide`, in part files that are kept from run to run.

Mixed: 40 types by Zipf's law, each with a payload schema of its own of 4 to 24 fields, nested objects,
arrays, nulls, and fields whose type differs from event to event. Uniform: 50 types with one payload schema.
Wide is `tests.bench.wide`. Every part has a seed of its own, so that ids never repeat, and time goes on from
part to part.
"""

import datetime as dt
import math
import mmap
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path

import msgspec
import numpy as np

from tests.bench.sizes import BODY, FOLDER

SEED = 7
TYPES = 40
_START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
_STEP_S = 0.8
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, kw_only=True)
class Part:
    """A file of events, one a line."""

    path: Path
    events: int


def write_mixed(path: Path, count: int, seed: int = SEED, first: int = 0) -> None:
    """Write `count` CloudEvents as NDJSON, about 580 bytes each; the time is that of event `first` and on."""
    rnd = random.Random(seed)
    chance, bits = rnd.random, rnd.getrandbits
    makers = _makers(chance)
    schemas = [[(name, makers[shape]) for name, shape in schema(kind)] for kind in range(TYPES)]
    weights = list(accumulate(1 / (kind + 1) for kind in range(TYPES)))
    statuses, states = (200, 404, 500), ("Running", "Error", "Stopped")
    with path.open("wb") as file:
        for index, kind in enumerate(rnd.choices(range(TYPES), cum_weights=weights, k=count), first):
            data = {name: make() for name, make in schemas[kind]}
            status = statuses[int(chance() * 3)]
            data["status"] = status
            data["latencyMs"] = int(-80 * math.log(1 - chance()))
            data["state"] = states[int(chance() * 3)]
            data["message"] = f"op {int(chance() * 100)}"
            data["request"] = {"status": status}
            event = {
                "specversion": "1.0",
                "id": _uuid(bits(128)),
                "source": f"/svc/{kind % 9}",
                "type": f"com.acme.t{kind}",
                "subject": f"s/{int(chance() * 20000)}",
                "time": (_START + dt.timedelta(seconds=index * _STEP_S)).isoformat(),
                "datacontenttype": "application/json",
                "traceparent": f"00-{bits(128):032x}-{bits(64):016x}-01",
                "aliyunregionid": "cn",
                "data": data,
            }
            file.write(_encode(event) + b"\n")


def schema(kind: int) -> list[tuple[str, str]]:
    """Names of a mixed type's payload fields, each with a letter for its shape."""
    rnd = random.Random(kind)
    return [
        (f"{rnd.choice('abcdefghij')}{rnd.randrange(30)}", rnd.choice("sifbnao"))
        for _ in range(rnd.randrange(4, 25))
    ]


def _makers(chance: Callable[[], float]) -> Mapping[str, Callable[[], object]]:
    variants = ("1", 1, 1.5)
    return {
        "s": lambda: f"v{int(chance() * 1000)}",
        "i": lambda: int(chance() * 10**6),
        "f": lambda: round(chance() * 100, 3),
        "b": lambda: chance() < 0.5,
        "n": lambda: None if chance() < 0.3 else variants[int(chance() * 3)],
        "a": lambda: [int(chance() * 10), int(chance() * 10), int(chance() * 10)],
        "o": lambda: {"x": int(chance() * 10), "名": f"值{int(chance() * 5)}"},
    }


def write_uniform(path: Path, count: int, seed: int = SEED, first: int = 0) -> None:
    """Write `count` CloudEvents as NDJSON, about 640 bytes each, one payload schema for all 50 types."""
    rnd = random.Random(seed)
    chance, bits = rnd.random, rnd.getrandbits
    services = ("ecs", "oss", "fc", "rds", "k8s", "order", "payment", "iot", "cdn", "ram")
    kinds = ("Created", "Updated", "Deleted", "StateChanged", "Failed")
    types = [f"{service}:{kind}" for service in services for kind in kinds]
    weights = list(accumulate(1 / (rank + 1) for rank in range(len(types))))
    regions = ("cn-hangzhou", "cn-shanghai", "cn-beijing", "us-west-1")
    states = ("Running", "Stopped", "Pending", "Error")
    statuses = (200, 200, 200, 200, 201, 400, 404, 500)
    tags = ("prod", "gray", "vip", "batch", "canary", "cn")
    with path.open("wb") as file:
        for index, type_ in enumerate(rnd.choices(types, cum_weights=weights, k=count), first):
            service = type_.partition(":")[0]
            user = int(chance() * 100_000)
            moment = _START + dt.timedelta(seconds=index * _STEP_S, microseconds=int(chance() * 1000))
            event = {
                "specversion": "1.0",
                "id": _uuid(bits(128)),
                "source": f"acs.{service}/{regions[int(chance() * 4)]}",
                "type": type_,
                "subject": f"acs:{service}:{regions[int(chance() * 4)]}:{user}"
                f":instance/i-{int(chance() * 50_000)}",
                "time": moment.isoformat().replace("+00:00", "Z"),
                "datacontenttype": "application/json",
                "traceparent": f"00-{bits(128):032x}-{bits(64):016x}-01",
                "aliyunregionid": regions[int(chance() * 4)],
                "data": {
                    "instanceId": f"i-{int(chance() * 50_000)}",
                    "state": states[int(chance() * 4)],
                    "userId": user,
                    "amount": round(chance() * 1000, 2),
                    "latencyMs": int(-80 * math.log(1 - chance())),
                    "request": {
                        "method": ("GET", "POST", "PUT")[int(chance() * 3)],
                        "path": f"/v1/{service}/{int(chance() * 500)}",
                        "status": statuses[int(chance() * 8)],
                    },
                    "tags": rnd.sample(tags, 2),
                    "message": f"resource {type_} changed by operator {user % 97}",
                },
            }
            file.write(_encode(event) + b"\n")


def write_wide(path: Path, count: int, seed: int = SEED, first: int = 0) -> None:
    """Write `count` wide CloudEvents (2 to 20 kB) as NDJSON; `first` changes nothing."""
    subprocess.run([sys.executable, "-m", "tests.bench.wide", str(count), str(path), str(seed)], check=True)


def _uuid(number: int) -> str:
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


CORPORA: Mapping[str, tuple[Callable[[Path, int, int, int], None], int]] = {
    "mixed": (write_mixed, 1_000_000),
    "uniform": (write_uniform, 1_000_000),
    "wide": (write_wide, 25_000),
}
"""Who writes it, and how many events a part has at most."""


def parts(corpus: str, events: int, *, start: int = 0) -> list[Part]:
    """Parts of together `events` events, from part number `start` on; made where they are not there yet."""
    most = CORPORA[corpus][1]
    sizes = [min(most, events - done) for done in range(0, events, most)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        paths = pool.map(
            _part, [corpus] * len(sizes), range(start, start + len(sizes)), sizes, [most] * len(sizes)
        )
        return [Part(path=path, events=size) for path, size in zip(paths, sizes, strict=True)]


def _part(corpus: str, number: int, count: int, most: int) -> Path:
    path = FOLDER / f"{corpus}-{number}-{count}.ndjson"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        CORPORA[corpus][0](unfinished, count, SEED + 1000 * number, number * most)
        unfinished.rename(path)
    return path


def bodies(
    files: Sequence[Part], client: int = 0, clients: int = 1, size: int = BODY
) -> Iterator[memoryview]:
    """Whole lines in bodies of at most `size` bytes; each client takes every `clients`th one.

    They are the files' own pages: a client that copied them would take a sixth of the processors.
    """
    number = 0
    for part in files:
        with part.path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        start = 0
        while start < len(mapped):
            end = mapped.rfind(b"\n", start, start + size) + 1
            assert end > start, f"{part.path} has a line longer than {size} bytes, or one without an end"
            if number % clients == client:
                yield memoryview(mapped)[start:end]
            number += 1
            start = end


_ID = len(b'{"specversion":"1.0","id":"')
_DIGITS = np.array([at for at in range(36) if at not in {8, 13, 18, 23}]) + _ID
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def with_new_ids(body: memoryview, chance: np.random.Generator) -> bytes:
    """The same mixed or uniform events under new random ids: a stream without an end from one part."""
    text = np.frombuffer(body, dtype=np.uint8).copy()
    starts = np.concatenate(([0], np.flatnonzero(text[:-1] == ord("\n")) + 1))
    digits = chance.integers(0, 16, (len(starts), len(_DIGITS)), dtype=np.uint8)
    text[starts[:, None] + _DIGITS] = _HEX[digits]
    return text.tobytes()
