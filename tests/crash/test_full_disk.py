"""A disk that is really full: 507, nothing acknowledged is lost, and it heals by itself."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.queries.filling import TENANT, Filling
from tests.support.product import Product, wait_until

MIB = 1 << 20
DISK = 160 * MIB
FLOOR = 48 * MIB
BALLAST = 40 * MIB
NDJSON = "application/x-ndjson"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a small file system can be mounted by root only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path, size: int) -> None:
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def fill_up(path: Path) -> None:
    """Take all that is left, also what somebody else takes or gives back meanwhile."""
    with path.open("ab") as file, contextlib.suppress(OSError):
        while True:
            os.write(file.fileno(), bytes(MIB))
    disk = os.statvfs(path)
    assert disk.f_bavail * disk.f_frsize < MIB


def lines(first: int, count: int) -> bytes:
    return b"\n".join(
        json.dumps(
            {
                "specversion": "1.0",
                "id": str(number),
                "source": "/s",
                "type": "t",
                "data": {"n": number, "noise": os.urandom(300).hex()},
            }
        ).encode()
        for number in range(first, first + count)
    )


def status(product: Product, token: str) -> dict[str, Any]:
    found: dict[str, Any] = product.api("GET", "/v1/status", token)[1]
    return found


@pytest.mark.timeout(180)
def test_a_full_disk_refuses_loses_nothing_and_heals(small_disk: Path) -> None:
    sizes = {"disk_floor_bytes": FLOOR, "fresh_events": 5_000, "loader_batch_bytes": 4 * MIB}
    with Product(small_disk, **sizes) as product:
        product.start("ingest", "server")
        writer, viewer = product.token("writer"), product.token("viewer")
        fill(small_disk / "ballast", BALLAST)
        accepted = _post_until_refused(product, writer, 0)
        assert accepted > 5_000
        # What was taken is archived all the same.
        wait_until(
            lambda: status(product, viewer).get("events") == accepted,
            60.0,
            lambda: f"{accepted}: {status(product, viewer)} {product.log('server')[-3000:]}",
        )

        # Not a byte is left, not even for the loader.
        fill_up(small_disk / "last")
        assert product.post("default", lines(10**7, 1), writer, NDJSON)[0] == 507
        (small_disk / "last").unlink()
        (small_disk / "ballast").unlink()

        def healed() -> bool:
            return product.post("default", lines(10**8, 1), writer, NDJSON)[0] == 200

        wait_until(healed, 30.0)
        accepted = accepted + 1
        wait_until(
            lambda: status(product, viewer).get("events") == accepted,
            60.0,
            lambda: f"{accepted}: {status(product, viewer)} {product.log('server')[-3000:]}",
        )
        again = product.post("default", lines(10**8 + 1, 5), writer, NDJSON, "?wait=archived")
        assert again[1]["stored"] == 5


def test_an_archive_whose_checkpoint_failed_is_opened_anew(small_disk: Path) -> None:
    """By the next who asks, not after a restart; the engine says so in an error of another class."""
    filling = Filling(small_disk)
    archive = filling.archives.tenant(TENANT)
    for _ in range(20):
        filling.add([filling.event(json.dumps(os.urandom(100).hex())) for _ in range(100)])
    fill_up(small_disk / "ballast")
    with pytest.raises(duckdb.IOException, match="invalidated"):
        archive.checkpoint()
    # It answers also while the disk is still full.
    assert archive.query("SELECT count(*) AS n FROM events") == [{"n": 2_000}]
    (small_disk / "ballast").unlink()
    filling.add([filling.event()])
    assert archive.query("SELECT count(*) AS n FROM events") == [{"n": 2_001}]
    filling.archives.close()


def _post_until_refused(product: Product, token: str, first: int) -> int:
    accepted = first
    while True:
        answered, body = product.post("default", lines(accepted, 500), token, NDJSON)
        if answered == 507:
            assert "disk" in json.dumps(body).lower()
            return accepted
        assert answered == 200, body
        accepted += 500
