"""The wide corpus: events of 2 to 20 kB with hundreds of fields, in the shapes of real ones.

    python -m tests.bench.wide N FILE [SEED]

Kubernetes objects and events (managedFields, containers, conditions), records of a cloud's audit trail,
GitHub's webhooks and payments. Shapes, and the pods, people and repositories that events are about, are the
same for every seed; the events are the seed's own. A shape is made once as a tree with leaves to fill in
(tests.bench.wide_shapes), written as JSON and cut at its leaves; an event is those pieces and values.
"""

import datetime as dt
import random
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import msgspec

from tests.bench import wide_shapes, wide_values

SEED = 7
SMALLEST, LARGEST = 2_000, 20_480
"""Bytes of an event's JSON."""

_START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
_STEP = dt.timedelta(milliseconds=800)
_LEAF = re.compile(r'"«([a-z0-9_.]+)»"|‹([a-z0-9_.]+)›')
_HOUR_S = 3600
_PER_WRITE = 500


@dataclass(frozen=True, kw_only=True)
class Template:
    """A shape cut at its leaves."""

    pieces: list[bytes]
    """Fixed text and, at every other place, room for a leaf."""
    order: Callable[[Sequence[bytes]], Sequence[bytes]]
    """Puts an event's values where they belong, perhaps several times."""
    things: Sequence[Mapping[str, bytes]]
    about: Callable[[Mapping[str, bytes]], Sequence[bytes]]
    """The fields of a thing that the shape names."""
    pools: Sequence[tuple[str, int]]
    """How many values it takes of which pool."""
    fresh: Sequence[tuple[str, int]]
    """How many ids of which form nobody else has."""


def write_wide(path: Path, count: int, seed: int = SEED) -> None:
    """Write `count` CloudEvents as NDJSON."""
    with path.open("wb") as file:
        batch: list[bytes] = []
        for event in events(count, seed):
            batch.append(event)
            if len(batch) == _PER_WRITE:
                file.write(b"\n".join(batch) + b"\n")
                batch.clear()
        if batch:
            file.write(b"\n".join(batch) + b"\n")


def events(count: int, seed: int = SEED) -> Iterator[bytes]:
    """`count` events, each as JSON; the same for the same seed."""
    rnd = random.Random(f"wide {seed}")
    pools = {name: values + values[:1000] for name, values in wide_values.pools().items()}
    sizes = {name: len(values) - 1000 for name, values in pools.items()}
    made = templates()
    weights = [weight for weight, _ in made]
    chance, randbytes = rnd.random, rnd.randbytes
    for begin in range(0, count, 1000):
        chosen = rnd.choices([template for _, template in made], weights, k=min(1000, count - begin))
        for index, template in enumerate(chosen, begin):
            moment = _START + index * _STEP
            second = int(index * _STEP.total_seconds()) % _HOUR_S
            hour = moment.strftime("%Y-%m-%dT%H:").encode()
            values: list[bytes] = [moment.isoformat().encode(), hour, b"%02d:%02d" % divmod(second, 60)]
            values += template.about(template.things[int(chance() * len(template.things))])
            for name, wanted in template.pools:
                start = int(chance() * sizes[name])
                values += pools[name][start : start + wanted]
            for form, wanted in template.fresh:
                values += FRESH[form](randbytes, wanted)
            pieces = template.pieces.copy()
            pieces[1::2] = template.order(values)
            yield b"".join(pieces)


def templates() -> list[tuple[float, Template]]:
    """Every shape's variants, each with its share of the events."""
    made = []
    for shape in wide_shapes.shapes():
        things = wide_values.things(shape.about)
        share = shape.share / len(shape.variants)
        made += [(share, _cut(tree, things)) for tree in shape.variants]
    return made


def _cut(tree: object, things: Sequence[Mapping[str, bytes]]) -> Template:
    text = msgspec.json.encode(tree).decode()
    pieces: list[bytes] = []
    names: list[str] = []
    end = 0
    for leaf in _LEAF.finditer(text):
        pieces += [text[end : leaf.start()].encode(), b""]
        names.append(leaf[1] or leaf[2])
        end = leaf.end()
    pieces.append(text[end:].encode())
    moments = ("now", "hour", "minute")
    about = list(dict.fromkeys(name for name in names if name in things[0]))
    known = wide_values.pools()
    wanted = {name: names.count(name) for name in dict.fromkeys(names) if name not in (*moments, *about)}
    pools = [(name, number) for name, number in wanted.items() if name in known]
    fresh = [(name, number) for name, number in wanted.items() if name not in known]
    places = {name: place for place, name in enumerate((*moments, *about))}
    at = len(places)
    free: dict[str, Iterator[int]] = {}
    for name, number in (*pools, *fresh):
        free[name] = iter(range(at, at + number))
        at += number
    order = [places[name] if name in places else next(free[name]) for name in names]
    return Template(
        pieces=pieces,
        order=itemgetter(*order),
        things=things,
        about=itemgetter(*about),
        pools=pools,
        fresh=fresh,
    )


def _uuids(randbytes: Callable[[int], bytes], wanted: int) -> list[bytes]:
    text = randbytes(16 * wanted).hex().encode()
    cuts = range(0, len(text), 32)
    return [
        b"-".join(
            (text[a : a + 8], text[a + 8 : a + 12], b"4" + text[a + 13 : a + 16], text[a + 16 : a + 20])
        )
        + b"-"
        + text[a + 20 : a + 32]
        for a in cuts
    ]


def _hex(size: int) -> Callable[[Callable[[int], bytes], int], list[bytes]]:
    def made(randbytes: Callable[[int], bytes], wanted: int) -> list[bytes]:
        text = randbytes(size * wanted).hex().encode()
        return [text[a : a + 2 * size] for a in range(0, len(text), 2 * size)]

    return made


def _numbers(randbytes: Callable[[int], bytes], wanted: int) -> list[bytes]:
    return [b"%d" % (int.from_bytes(randbytes(5), "big") + 10**9) for _ in range(wanted)]


FRESH: Mapping[str, Callable[[Callable[[int], bytes], int], list[bytes]]] = {
    "uuid": _uuids,
    "sha": _hex(20),
    "trace": _hex(16),
    "span": _hex(8),
    "serial": _numbers,
}
"""Values that no two leaves share."""


if __name__ == "__main__":
    write_wide(Path(sys.argv[2]), int(sys.argv[1]), int(sys.argv[3]) if len(sys.argv) > 3 else SEED)
