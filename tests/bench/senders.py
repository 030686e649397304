"""What client processes do. They import little, so that they are there at once."""

import http.client
import json
import time
from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np

from tests.bench import sizes
from tests.bench.corpus import Part, bodies, with_new_ids

_AGAIN_S = 0.2
_POSTS_A_SECOND = 10
"""Of each client of a steady stream."""
_TENANT_BATCH = 5_000


def send(  # noqa: PLR0917 a process's target
    files: Sequence[Part],
    client: int,
    clients: int,
    port: int,
    token: str,
    seed: int | None,
    begin: Any,
    answers: Any,
) -> None:
    """One client of some: when all are ready, posts its bodies one after the other over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/x-ndjson"}
    chance = None if seed is None else np.random.default_rng((seed, client))
    accepted = 0
    latencies: list[float] = []
    begin.wait()
    for body in bodies(files, client, clients):
        sent = body if chance is None else with_new_ids(body, chance)
        while True:
            start = time.perf_counter()
            connection.request("POST", "/v1/buses/default/events", body=sent, headers=headers)
            answer = connection.getresponse()
            found = json.loads(answer.read())
            if answer.status != 429:
                break
            time.sleep(_AGAIN_S)
        assert answer.status == 200, found
        latencies.append(time.perf_counter() - start)
        accepted += found["accepted"]
    answers.put((accepted, latencies))


def stream(  # noqa: PLR0917 a process's target
    files: Sequence[Part], client: int, port: int, token: str, begin: Any, answers: Any
) -> None:
    """One client: posts at fixed moments, from which the answers' times count, whatever they take."""
    share = sizes.STEADY_RATE / sizes.CLIENTS / _POSTS_A_SECOND
    first = bytes(next(bodies(files[:1])))
    size = int(len(first) / first.count(b"\n") * share)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/x-ndjson"}
    chance = np.random.default_rng(client)
    accepted = 0
    latencies: list[float] = []
    begin.wait()
    start = due = time.perf_counter()
    while due < start + sizes.STEADY_S:
        for body in bodies(files, client, sizes.CLIENTS, size):
            sent = with_new_ids(body, chance)
            time.sleep(max(0.0, due - time.perf_counter()))
            connection.request("POST", "/v1/buses/default/events", body=sent, headers=headers)
            answer = connection.getresponse()
            found = json.loads(answer.read())
            assert answer.status == 200, found
            latencies.append(time.perf_counter() - due)
            accepted += found["accepted"]
            # The next one's moment follows from the events that were really sent.
            due = start + accepted * sizes.CLIENTS / sizes.STEADY_RATE
            if due >= start + sizes.STEADY_S:
                break
    answers.put((accepted, latencies, time.perf_counter() - start))


def feed(  # noqa: PLR0917 a process's target
    files: Sequence[Part], client: int, port: int, tokens: Sequence[str], begin: Any, answers: Any
) -> None:
    """One client: every other tenant's events, a batch of each tenant in turn."""
    mine = range(client, len(tokens), sizes.CLIENTS)
    shares: list[list[bytes]] = []
    lines = (line for part in files for line in part.path.open("rb"))
    for tenant in range(len(tokens)):
        share = list(islice(lines, sizes.TENANT_EVENTS))
        if tenant in mine:
            shares.append(share)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    accepted = 0
    begin.wait()
    for start in range(0, sizes.TENANT_EVENTS, _TENANT_BATCH):
        for tenant, share in zip(mine, shares, strict=True):
            headers = {
                "authorization": f"Bearer {tokens[tenant]}",
                "content-type": "application/x-ndjson",
            }
            body = b"".join(share[start : start + _TENANT_BATCH])
            connection.request("POST", "/v1/buses/default/events", body=body, headers=headers)
            answer = connection.getresponse()
            found = json.loads(answer.read())
            assert answer.status == 200, found
            accepted += found["accepted"]
    answers.put(accepted)
