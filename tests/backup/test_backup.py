"""A backup of the running product comes back whole; a damaged one does not come back at all."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.product import Product, wait_until

NDJSON = "application/x-ndjson"


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    with Product(tmp_path / "one") as made:
        made.start("ingest", "server")
        yield made


def lines(first: int, count: int) -> bytes:
    return b"".join(
        json.dumps(
            {"specversion": "1.0", "id": str(number), "source": "/s", "type": "t", "data": {"n": number}}
        ).encode()
        + b"\n"
        for number in range(first, first + count)
    )


def run(product: Product, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "eventcenter", *arguments],
        env=product.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def archived(product: Product, token: str) -> int:
    found: dict[str, Any] = product.api("GET", "/v1/status", token)[1]
    return int(found["events"])


@pytest.mark.long
def test_a_backup_under_load_comes_back_whole(product: Product, tmp_path: Path) -> None:
    writer, viewer = product.token("writer"), product.token("viewer")
    assert product.post("default", lines(0, 500), writer, NDJSON, "?wait=archived")[0] == 200
    stop = threading.Event()

    def keep_posting() -> None:
        first = 500
        while not stop.is_set():
            assert product.post("default", lines(first, 20), writer, NDJSON)[0] == 200
            first += 20

    poster = threading.Thread(target=keep_posting)
    poster.start()
    try:
        made = Path(run(product, "backup", "first").splitlines()[0])
    finally:
        stop.set()
        poster.join()
    assert made == product.settings.backups_folder / "first"
    kept = sum(
        entry["events"] for entry in json.loads((made / "backup.json").read_text())["archives"].values()
    )
    assert kept >= 500

    with Product(tmp_path / "two") as other:
        shutil.rmtree(other.settings.data_dir)
        shutil.copy(product.settings.secret_key_path, other.settings.secret_key_path)
        found = run(other, "restore", str(made))
        assert f"Restored {kept} events" in found
        assert "counts and checksums are right" in run(other, "doctor")
        again = run(other, "restore", str(made), code=1)
        assert "There is data already" in again
        other.start("ingest", "server")
        wait_until(lambda: archived(other, viewer) >= kept, 30.0)
        # What is sent again is known, and what is new is stored: the journal begins anew.
        answer = other.post("default", lines(0, 500) + lines(10**6, 3), writer, NDJSON, "?wait=archived")
        assert (answer[1]["stored"], answer[1]["duplicates"]) == (3, 500)


def test_a_damaged_backup_changes_nothing(product: Product, tmp_path: Path) -> None:
    writer = product.token("writer")
    product.post("default", lines(0, 50), writer, NDJSON, "?wait=archived")
    product.stop("server")
    made = Path(run(product, "backup", "offline").splitlines()[0])
    victim = next(made.glob("tenants/*/main.duckdb"))
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    with Product(tmp_path / "two") as other:
        shutil.rmtree(other.settings.data_dir)
        found = run(other, "restore", str(made), code=1)
        assert "main.duckdb" in found
        assert "nothing was restored" in found
        assert not other.settings.data_dir.exists()
        victim.unlink()
        assert "it is missing" in run(other, "restore", str(made), code=1)
    assert "This is not a backup" in run(product, "restore", str(tmp_path), code=1)
