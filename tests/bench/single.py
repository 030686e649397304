"""Single binary-mode posts over many kept connections, beside the same server with an empty handler."""

import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.bench import sizes
from tests.bench.figures import Figure
from tests.bench.stand import Stand
from tests.support.product import free_port, request, wait_until

CONNECTIONS = 64
_ROUNDS = 3

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


def posts(port: int, token: str, seconds: float) -> tuple[int, float]:
    """How many posts, each with an id of its own, were answered in how many seconds: all that were sent."""
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

    answers: dict[socket.socket, bytes] = {}
    for _ in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port))
        selector.register(connection, selectors.EVENT_READ)
        answers[connection] = b""
        send(connection)
    done = 0
    start = time.perf_counter()
    while done < number:
        for key, _ in selector.select(30):
            connection = key.fileobj  # type: ignore[assignment]
            answer = answers[connection] + connection.recv(65536)
            # Head and body may come in two pieces.
            if not answer.rstrip().endswith(b"]}"):
                assert answer, "the connection was closed"
                answers[connection] = answer
                continue
            assert answer.startswith(b"HTTP/1.1 200 "), answer
            answers[connection] = b""
            done += 1
            if time.perf_counter() - start < seconds:
                send(connection)
    elapsed = time.perf_counter() - start
    for connection in answers:
        connection.close()
    return done, elapsed


def single(folder: Path) -> list[Figure]:
    """The median of three rounds, each of both servers; then every event is archived."""
    port = free_port()
    empty = subprocess.Popen([sys.executable, "-c", _EMPTY, str(port)])
    references: list[float] = []
    rates: list[float] = []
    sent = 0
    try:
        wait_until(lambda: _answers(port), 20)
        with Stand(folder / "product") as stand:
            for _ in range(_ROUNDS):
                done, elapsed = posts(port, stand.writer, sizes.SINGLE_S / 2)
                references.append(done / elapsed)
                done, elapsed = posts(stand.settings.ingest_port, stand.writer, sizes.SINGLE_S / 2)
                rates.append(done / elapsed)
                sent += done
            stand.wait_archived(sent)
    finally:
        empty.kill()
        empty.wait()
    reference, rate = sorted(references)[_ROUNDS // 2], sorted(rates)[_ROUNDS // 2]
    return [
        Figure(
            name=f"single binary-mode posts, {CONNECTIONS} connections",
            value=rate / reference,
            least=0.5,
            reference=f"an empty handler of the same server: {reference:,.0f} requests/s",
        )
    ]


def _answers(port: int) -> bool:
    try:
        return request(port, "POST", "/", body=b"x")[0] == 200
    except OSError:
        return False
