"""How soon after its answer an event is seen by who asks for it, at low load."""

import json
import random
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from tests.bench.figures import Figure
from tests.bench.stand import Client, Stand

_EVENTS = 100
_PAUSE_S = 0.3
"""Between events at most, so that they come at any moment of the loader's round."""
_SEED = 20261130


def visible(folder: Path) -> list[Figure]:
    """One event at a time, each asked for by its id until it is there."""
    rnd = random.Random(_SEED)
    took, asked = [], []
    with Stand(folder / "product") as stand, closing(Client(stand)) as client:
        for number in range(_EVENTS):
            time.sleep(rnd.uniform(0, _PAUSE_S))
            event = {"specversion": "1.0", "id": f"visible-{number}", "source": "/bench", "type": "t"}
            sent = json.dumps(event).encode()
            status, answer = stand.post("default", sent, stand.writer, "application/cloudevents+json")
            assert status == 200, answer
            path = f"/v1/events?id=visible-{number}"
            answered = time.perf_counter()
            while not client.ask("GET", path)["events"]:
                assert time.perf_counter() - answered < 30, f"{path} is not seen"
            seen = time.perf_counter()
            took.append(seen - answered)
            client.ask("GET", path)
            asked.append(time.perf_counter() - seen)
        stand.wait_archived(_EVENTS)
    took.sort()
    name = f"from an event's answer until it is seen, {_EVENTS} events one at a time"
    return [
        Figure(
            name=f"{name}: median", value=median(took) * 1000, unit="ms", most=200, note=_ratio(took, asked)
        ),
        Figure(name=f"{name}: p95", value=took[int(_EVENTS * 0.95)] * 1000, unit="ms"),
    ]


def _ratio(took: list[float], asked: list[float]) -> str:
    return f"{median(took) / median(asked):.1f} times as long as the same question takes afterwards"
