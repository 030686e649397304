"""The service as a whole: waiting for the archive, bounds, quotas, restarts, ends."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from eventcenter.errors import Conflict
from eventcenter.journal import BlockKind, JournalReader, Outcome, OutcomeWriter
from eventcenter.settings import Settings
from ingest.service import Service
from tests.support.ingest import PATIENCE_S, Ingest, event_json, running, until


@pytest.fixture
def loaded(ingest: Ingest) -> Iterator[None]:
    """Plays the loader: everything is stored, but ids that begin with `again` are duplicates."""
    folder = ingest.settings.journal_dir / "main"
    reader, writer = JournalReader(folder), OutcomeWriter(folder)
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            blocks, _ = reader.read(1 << 20)
            for read in blocks:
                if read.block.wants_outcome:
                    again = sum(line.startswith(b"again") for line in read.block.payload.splitlines())
                    writer.write(
                        [
                            Outcome(
                                position=read.position,
                                stored=read.block.count - again,
                                duplicates=again,
                                rejected=0,
                            )
                        ]
                    )
            over.wait(0.001)

    thread = threading.Thread(target=load)
    thread.start()
    yield
    over.set()
    thread.join()
    writer.close()


@pytest.mark.usefixtures("loaded")
def test_wait_archived_tells_what_became_of_the_events(ingest: Ingest) -> None:
    body = b"\n".join(event_json(id=name) for name in ("waited-1", "again-1", "waited-2")) + b"\n{}"
    answer = ingest.post(body, "application/x-ndjson", query="?wait=archived")
    assert answer.status_code == 200
    told = answer.json()
    assert [reject["index"] for reject in told.pop("rejected")] == [3]
    assert told == {"accepted": 3, "archived": True, "stored": 2, "duplicates": 1}


@pytest.mark.usefixtures("loaded")
def test_many_wait_at_once(ingest: Ingest) -> None:
    with ThreadPoolExecutor(16) as threads:
        answers = list(
            threads.map(
                lambda n: ingest.post(event_json(id=f"crowd-{n}"), query="?wait=archived").json(), range(64)
            )
        )
    assert {(answer["stored"], answer["duplicates"]) for answer in answers} == {(1, 0)}


def test_wait_archived_for_nothing(ingest: Ingest) -> None:
    answer = ingest.post(b"[]", "application/cloudevents-batch+json", query="?wait=archived")
    assert answer.json() == {"accepted": 0, "rejected": [], "archived": True, "stored": 0, "duplicates": 0}


def test_wait_for_anything_else_is_refused(ingest: Ingest) -> None:
    answer = ingest.post(event_json(), query="?wait=forever")
    assert (answer.status_code, answer.json()["value"]) == (400, "forever")


def test_without_a_loader_the_wait_ends(tmp_path: Path) -> None:
    with running(tmp_path, wait_archived_s=0.05) as ingest:
        answer = ingest.post(event_json(), query="?wait=archived")
        assert answer.json() == {"accepted": 1, "rejected": [], "archived": False}


def test_journal_at_its_bound_answers_429_and_keeps_nothing(tmp_path: Path) -> None:
    with running(tmp_path, journal_max_bytes=20_000) as ingest:
        answers = [ingest.post(event_json(id=str(n), data="x" * 2000)) for n in range(12)]
        accepted = [answer for answer in answers if answer.status_code == 200]
        busy = [answer for answer in answers if answer.status_code == 429]
        assert accepted
        assert busy
        assert len(accepted) + len(busy) == 12
        assert int(busy[0].headers["retry-after"]) > 0
        assert busy[0].json()["remedy"]
        assert len(ingest.events()) == len(accepted)
        # What was wrong in the first place is told as such, also now.
        assert ingest.post(b"x" * 20_000).status_code == 400


def test_disk_at_its_floor_answers_507(tmp_path: Path) -> None:
    with running(tmp_path, disk_floor_bytes=1 << 60) as ingest:
        answer = ingest.post(event_json())
        assert answer.status_code == 507
        assert answer.json()["rule"]


def test_rejects_beyond_the_quota_are_counted_only(tmp_path: Path) -> None:
    with running(tmp_path, reject_quota_bytes=2000) as ingest:
        assert ingest.post(b"[" + b"1," * 50 + b"1]", "application/cloudevents-batch+json").status_code == 400
        kept = ingest.rejects()
        assert 0 < len(kept) < 51
        other = ingest.post(b"{", token=ingest.tokens["other", "writer"])
        assert other.status_code == 400
        assert len(ingest.rejects()) == len(kept) + 1
        text = ingest.client.get(f"{ingest.url}/metrics").text
        assert f"eventcenter_ingest_rejects_not_kept_total {51.0 - len(kept)}" in text


def test_requests_of_many_clients_and_tenants_share_syncs(tmp_path: Path) -> None:
    with running(tmp_path) as ingest, ThreadPoolExecutor(32) as threads:
        tokens = [ingest.tokens[name, "writer"] for name in ("default", "other")]
        answers = threads.map(
            lambda n: ingest.post(event_json(id=str(n)), token=tokens[n % 2]).status_code, range(400)
        )
        assert set(answers) == {200}
        assert sorted(int(event.id) for event in ingest.events()) == list(range(400))
        text = ingest.client.get(f"{ingest.url}/metrics").text
        syncs = float(text.split("eventcenter_ingest_group_requests_count ")[1].split()[0])
        assert syncs < 400
        for read in ingest.blocks():
            assert read.block.count == read.block.payload.count(b"\n")


def test_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with running(tmp_path, validation_workers=2) as ingest:
        pool = ingest.service.pool
        assert pool is not None
        body = b"\n".join(event_json(id=str(n), data="x" * 200) for n in range(1000))
        for _ in range(3):
            for pid in pool.pids():
                os.kill(pid, signal.SIGKILL)
            assert ingest.post(body, "application/x-ndjson").json()["accepted"] == 1000
        assert len(ingest.events()) == 3000


def test_second_service_on_the_same_journal_ends_at_once(ingest: Ingest) -> None:
    with pytest.raises(Conflict):
        Service(ingest.settings).run()


def test_service_waits_for_the_store_and_can_be_stopped_meanwhile(tmp_path: Path) -> None:
    service = Service(Settings(data_dir=tmp_path / "data", ingest_port=0))
    thread = threading.Thread(target=service.run)
    thread.start()
    until((tmp_path / "data" / "journal" / "main" / "id").exists, "the journal is there")
    assert not service.started.is_set()
    service.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_stop_answers_what_is_in_flight(tmp_path: Path) -> None:
    with running(tmp_path) as ingest:
        host, port = ingest.url.removeprefix("http://").split(":")
        body = event_json(id="in flight")
        head = (
            f"POST /v1/buses/default/events HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
            f"Authorization: Bearer {ingest.tokens['default', 'writer']}\r\n"
            "Content-Type: application/cloudevents+json\r\n\r\n"
        ).encode()
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(head + body[:10])
            ingest.post(event_json(id="the first part has been read by now"))
            ingest.service.stop()
            connection.sendall(body[10:])
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        assert "in flight" in {event.id for event in ingest.events()}


def test_process_ends_in_good_order_on_sigterm_and_leaves_no_orphan_on_sigkill(tmp_path: Path) -> None:
    with running(tmp_path) as ingest:
        settings = ingest.settings
        token = ingest.tokens["default", "writer"]
    body = b"\n".join(event_json(id=str(n), data="x" * 200) for n in range(1000))
    for end, code in ((signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)):
        with _process(settings) as (process, client):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
            answer = client.post("/v1/buses/default/events", content=body, headers=headers)
            assert answer.status_code == 200
            workers = _children(process.pid)
            assert len(workers) == 2
            process.send_signal(end)
            assert process.wait(20) == code
        until(lambda: not any(_lives(pid) for pid in workers), "the workers end")  # noqa: B023 used at once
    blocks, damages = JournalReader(settings.journal_dir / "main").read(256 << 20)
    assert not damages
    assert sum(read.block.count for read in blocks if read.block.kind is BlockKind.EVENTS) == 2000


@contextlib.contextmanager
def _process(settings: Settings) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """The service as a process of its own, once it answers; killed at the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {
        "EVENTCENTER_DATA_DIR": str(settings.data_dir),
        "EVENTCENTER_INGEST_PORT": str(port),
        "EVENTCENTER_VALIDATION_WORKERS": "2",
        "EVENTCENTER_DISK_FLOOR_BYTES": "1",
    }
    program = "from eventcenter.settings import load; from ingest.service import run; run(load(dotenv=None))"
    process = subprocess.Popen([sys.executable, "-c", program], env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
            until(lambda: _answers(client), "the process answers", patience_s=60)
            yield process, client
    finally:
        process.kill()
        process.wait()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_process_needs_no_duckdb() -> None:
    program = (
        "import sys, ingest.service, ingest.worker; print([m for m in sys.modules if m.split('.')[0] in "
        "{'duckdb', 'pandas', 'pyarrow', 'fastapi', 'starlette', 'streamlit', 'queries', 'alerts', 'app'}])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _children(pid: int) -> list[int]:
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in found.stdout.split()]
