"""Durable ingest over HTTP, as ratios to references of the same run. `make bench` runs and prints it.

EVENTCENTER_BENCH_EVENTS sets the number of events (default 1,000,000).
"""

import http.client
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventcenter.settings import MIB
from tests.bench.corpus import write_mixed
from tests.support.product import Product, free_port, request, wait_until

pytestmark = pytest.mark.bench
EVENTS = int(os.environ.get("EVENTCENTER_BENCH_EVENTS", "1000000"))
SEED = 7
BODY = 4_000_000
CLIENTS = 2
CONNECTIONS = 64
SINGLE_S = 8.0

_REFERENCE = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[2], config={"threads": 2})
connection.execute("SET enable_progress_bar = false")
start = time.perf_counter()
connection.execute('''CREATE TABLE t AS SELECT * FROM read_json(?, format = 'newline_delimited', columns = {
    specversion: 'VARCHAR', id: 'VARCHAR', source: 'VARCHAR', type: 'VARCHAR', subject: 'VARCHAR',
    time: 'TIMESTAMPTZ', datacontenttype: 'VARCHAR', traceparent: 'VARCHAR', aliyunregionid: 'VARCHAR',
    data: 'JSON'})''', [sys.argv[1]])
print(time.perf_counter() - start)
"""

_EMPTY = """
import sys
from ingest.service import uvicorn_config
import uvicorn

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"application/json"), (b"content-length", b"29")]})
    await send({"type": "http.response.body", "body": b'{"accepted":1,"rejected":[]}\\n'})

uvicorn.Server(uvicorn_config(app, host="127.0.0.1", port=int(sys.argv[1]))).run()
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "mixed.ndjson"
    write_mixed(path, EVENTS, SEED)
    return path


def reference_s(corpus: Path, folder: Path) -> float:
    """Seconds that DuckDB's read_json of the file into a table takes, in a process of its own."""
    table = folder / f"reference-{time.monotonic_ns()}.duckdb"
    found = subprocess.run(
        [sys.executable, "-c", _REFERENCE, str(corpus), str(table)],
        check=True,
        capture_output=True,
        text=True,
    )
    table.unlink()
    return float(found.stdout)


def bodies(corpus: Path, client: int) -> Iterator[bytes]:
    """Whole lines in bodies of at most 4 MB; each client takes every other one."""
    with corpus.open("rb") as file:
        number = 0
        rest = b""
        while chunk := file.read(BODY - len(rest)):
            body = rest + chunk
            end = body.rfind(b"\n") + 1
            rest = body[end:]
            if number % CLIENTS == client:
                yield body[:end]
            number += 1
        if rest and number % CLIENTS == client:
            yield rest


def send_all(  # noqa: PLR0917 a process's target
    corpus: Path, client: int, port: int, token: str, begin: Any, answers: Any
) -> None:
    """One client: when all are ready, posts its bodies one after the other over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    accepted = 0
    latencies: list[float] = []
    begin.wait()
    for body in bodies(corpus, client):
        while True:
            start = time.perf_counter()
            connection.request(
                "POST",
                "/v1/buses/default/events",
                body=body,
                headers={"authorization": f"Bearer {token}", "content-type": "application/x-ndjson"},
            )
            answer = connection.getresponse()
            found = json.loads(answer.read())
            if answer.status != 429:
                break
            time.sleep(0.2)
        assert answer.status == 200, found
        latencies.append(time.perf_counter() - start)
        accepted += found["accepted"]
    answers.put((accepted, latencies))


def test_ndjson(tmp_path: Path, corpus: Path) -> None:
    before = reference_s(corpus, tmp_path)
    with Product(tmp_path, max_body_bytes=16 * MIB) as product:
        product.start("ingest", "server")
        token, reader = product.token("writer"), product.token("viewer")
        context = multiprocessing.get_context("spawn")
        answers = context.Queue()
        begin = context.Barrier(CLIENTS + 1)
        clients = [
            context.Process(
                target=send_all, args=(corpus, n, product.settings.ingest_port, token, begin, answers)
            )
            for n in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        begin.wait()
        start = time.perf_counter()
        found = [answers.get() for _ in clients]
        answered = time.perf_counter() - start

        def archived() -> bool:
            time.sleep(0.1)
            return bool(product.api("GET", "/v1/status", reader)[1]["events"] == EVENTS)

        wait_until(archived, 600)
        whole = time.perf_counter() - start
        assert sum(accepted for accepted, _ in found) == EVENTS
        _verify_values(product, reader, corpus)
        _verify_duplicates(product, token, corpus)
        archive_bytes = sum(p.stat().st_size for p in product.settings.tenants_dir.rglob("*") if p.is_file())
    after = reference_s(corpus, tmp_path)
    reference = (before + after) / 2
    latencies = sorted(each for _, many in found for each in many)
    print(
        f"\nNDJSON, {EVENTS:,} mixed events, {CLIENTS} clients, bodies of {BODY / 1e6:g} MB\n"
        f"  reference: read_json into a table   {EVENTS / reference:10,.0f} events/s"
        f"  (before {before:.2f} s, after {after:.2f} s)\n"
        f"  answered  {EVENTS / answered:10,.0f} events/s = {reference / answered:.2f} x\n"
        f"  archived  {EVENTS / whole:10,.0f} events/s = {reference / whole:.2f} x\n"
        f"  an answer took p50 {latencies[len(latencies) // 2] * 1000:.0f} ms,"
        f" p99 {latencies[int(len(latencies) * 0.99)] * 1000:.0f} ms\n"
        f"  archive   {archive_bytes / EVENTS:.0f} bytes an event"
    )


def _verify_values(product: Product, reader: str, corpus: Path) -> None:
    """Every 10,000th event comes back with all its members."""
    with corpus.open("rb") as file:
        for index, line in enumerate(file):
            if index % 10_000:
                continue
            sent = json.loads(line)
            status, answer = product.api("GET", f"/v1/events?id={sent['id']}", reader)
            assert status == 200
            assert [each["event"] for each in answer["events"]] == [sent]


def _verify_duplicates(product: Product, token: str, corpus: Path) -> None:
    """The first 1,000 again: all are duplicates."""
    with corpus.open("rb") as file:
        body = b"".join(line for line, _ in zip(file, range(1000), strict=False))
    status, answer = product.post("default", body, token, "application/x-ndjson", "?wait=archived")
    assert status == 200
    assert (answer["stored"], answer["duplicates"]) == (0, min(EVENTS, 1000)), answer


def single_posts(port: int, token: str, seconds: float) -> float:
    """Requests a second of binary-mode posts over 64 kept connections, each with an id of its own."""
    import selectors

    selector = selectors.DefaultSelector()
    number = 0
    run = time.monotonic_ns()

    def send(connection: socket.socket) -> None:
        nonlocal number
        number += 1
        body = b'{"order":%d,"state":"paid","amount":19.90}' % number
        head = (
            f"POST /v1/buses/default/events HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
            f"authorization: Bearer {token}\r\ncontent-type: application/json\r\nce-specversion: 1.0\r\n"
            f"ce-id: {run}-{number}\r\nce-source: /bench\r\nce-type: com.example.paid\r\n"
            f"ce-time: 2026-11-01T00:00:00Z\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)

    connections: dict[int, socket.socket] = {}
    for _ in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port))
        connections[connection.fileno()] = connection
        selector.register(connection, selectors.EVENT_READ)
        send(connection)
    answers: dict[socket.socket, bytes] = {}
    done = 0
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        for key, _ in selector.select(1):
            connection = connections[key.fd]
            answers[connection] = answer = answers.get(connection, b"") + connection.recv(65536)
            # Head and body may come in two pieces.
            if not answer.rstrip().endswith(b"]}"):
                continue
            assert answer.startswith(b"HTTP/1.1 200 "), answer
            answers[connection] = b""
            done += 1
            send(connection)
    for each in connections.values():
        each.close()
    return done / elapsed


def test_single_posts(tmp_path: Path) -> None:
    port = free_port()
    empty = subprocess.Popen([sys.executable, "-c", _EMPTY, str(port)])
    try:
        wait_until(lambda: _answers(port), 20)
        with Product(tmp_path) as product:
            product.start("ingest", "server")
            token = product.token("writer")
            references, rates = [], []
            for _ in range(3):
                references.append(single_posts(port, token, SINGLE_S / 2))
                rates.append(single_posts(product.settings.ingest_port, token, SINGLE_S / 2))
    finally:
        empty.kill()
        empty.wait()
    reference, rate = sorted(references)[1], sorted(rates)[1]
    print(
        f"\nsingle binary-mode posts, {CONNECTIONS} connections, durable (median of 3)\n"
        f"  reference: an empty handler of the same server {reference:,.0f} requests/s\n"
        f"  events {rate:,.0f} requests/s = {rate / reference:.2f} x"
    )


def _answers(port: int) -> bool:
    try:
        return request(port, "POST", "/", body=b"x")[0] == 200
    except OSError:
        return False
