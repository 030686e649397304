"""`eventcenter import` as a person runs it, and with everything killed in the middle."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.cli.conftest import Program
from tests.support.ingest import Ingest, event_json, running
from tests.support.product import Product, wait_until

EVENTS = 6_000
_PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def ingest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingest]:
    with running(tmp_path_factory.mktemp("ingest")) as found:
        yield found


@pytest.fixture
def importer(empty: Program, ingest: Ingest) -> Program:
    """A program that finds the service and a token in its environment, with marks of its own."""
    environment = {
        "EVENTCENTER_TOKEN": ingest.tokens["default", "writer"],
        "EVENTCENTER_PUBLIC_INGEST_URL": ingest.url,
        "XDG_STATE_HOME": str(empty.folder / "state"),
    }
    return Program(folder=empty.folder, environment=empty.environment | environment)


def write(path: Path, source: str, count: int, size: int = 10) -> bytes:
    content = b"".join(
        event_json(id=str(number), source=source, data="x" * size) + b"\n" for number in range(count)
    )
    path.write_bytes(content)
    return content


def test_files_go_in_and_the_summary_tells_how_many(importer: Program, ingest: Ingest) -> None:
    (importer.folder / "in").mkdir()
    write(importer.folder / "in" / "a.ndjson", "/cli/a", 20)
    write(importer.folder / "b", "/cli/b", 5)
    done = importer.run("import", "in", "b", "--bus", "orders")
    counts, speed = done.stdout.splitlines()
    assert counts == "25 accepted, 0 rejected"
    assert speed.startswith("2 files, 25 events in ")
    assert speed.endswith(" events/s")
    # No terminal: nothing moves on stderr.
    assert not done.stderr
    assert sum(event.source.startswith("/cli/") for event in ingest.events("orders")) == 25
    assert list((importer.folder / "state" / "eventcenter" / "imports").iterdir()) == []


def test_refusals_are_told_up_to_a_bound_and_end_with_1(importer: Program) -> None:
    good = write(importer.folder / "good", "/cli/refused", 3)
    broken = b"".join(b"{broken %d}\n" % number for number in range(30))
    (importer.folder / "a.ndjson").write_bytes(good + broken)
    done = importer.run("import", "a.ndjson", "--rejects", "refused", code=1)
    assert done.stdout.startswith("3 accepted, 30 rejected\n")
    told = done.stderr.splitlines()
    assert len(told) == 21
    assert told[0].startswith("a.ndjson, line 4: ")
    assert told[19].startswith("a.ndjson, line 23: ")
    assert told[20] == "… 30 rejected in all; all refused lines are in refused"
    assert (importer.folder / "refused").read_bytes() == broken


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["import"], "Missing argument", 2),
        (["import", "a", "--connections", "0"], "greater than or equal to 1", 2),
        (["import", "nowhere"], "No such file", 1),
        (["import", "a", "--rejects", "./a"], "name another file: --rejects FILE", 1),
        (["import", "a", "--rejects", "no/folder"], "cannot write the rejects", 1),
        (["import", "a", "--bus", "nowhere"], "nowhere", 1),
        (["import", "a", "--token", "ect_wrong"], "the same command goes on from here", 1),
        (["import", "array"], "eventcenter send", 1),
    ],
)
def test_what_cannot_be_done_is_said(importer: Program, arguments: list[str], said: str, code: int) -> None:
    content = write(importer.folder / "a", "/cli/wrong", 3)
    (importer.folder / "array").write_bytes(b"[" + content + b"]")
    done = importer.run(*arguments, code=code)
    assert said in done.stderr
    assert not done.stdout
    assert (importer.folder / "a").read_bytes() == content


def test_without_a_token_it_says_how_to_get_one(empty: Program) -> None:
    write(empty.folder / "a", "/cli", 1)
    assert "eventcenter token create --role writer" in empty.run("import", "a", code=2).stderr


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    with Product(tmp_path) as made:
        made.start("ingest", "server")
        yield made


def start(product: Product, *arguments: str) -> subprocess.Popen[str]:
    environment = product.environment() | {
        "EVENTCENTER_TOKEN": product.token("writer"),
        "XDG_STATE_HOME": str(product.folder / "state"),
        "COLUMNS": "200",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "eventcenter", "import", *arguments],
        env=environment,
        cwd=product.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has Ctrl-C ignored, also by what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


def marks(product: Product) -> list[Path]:
    return list((product.folder / "state" / "eventcenter" / "imports").glob("*.json"))


def _moved(product: Product, process: subprocess.Popen[str], before: list[bytes]) -> bool:
    """Whether the import came on and is still about it; a mark is gone once all is in."""
    assert process.poll() is None, "it ended before it could be killed"
    now = [mark.read_bytes() for mark in marks(product)]
    return bool(now) and now != before


def archived(product: Product) -> int:
    return int(product.api("GET", "/v1/status", product.token("viewer"))[1]["events"])


@pytest.mark.long
def test_killed_it_goes_on_and_every_event_is_there_once(product: Product) -> None:
    # Many parts, one at a time: on a busy machine too this test sees the import while it runs.
    write(product.folder / "a.ndjson", "/killed", EVENTS, 12_000)
    token = product.token("writer")
    for _ in range(2):
        before = [mark.read_bytes() for mark in marks(product)]
        with start(product, "a.ndjson", "--token", token, "--connections", "1") as process:
            wait_until(partial(_moved, product, process, before), _PATIENCE_S)
            process.kill()
            process.communicate()
    with start(product, "a.ndjson", "--token", token) as process:
        stdout, stderr = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 0, stderr
    assert "Going on where an earlier run stopped" in stderr
    assert stdout.startswith(f"{EVENTS} accepted, 0 rejected\n")
    assert f", {EVENTS} events" not in stdout
    assert marks(product) == []
    wait_until(lambda: archived(product) >= EVENTS, _PATIENCE_S)
    with start(product, "a.ndjson", "--token", token, "--wait") as again:
        stdout, stderr = again.communicate(timeout=_PATIENCE_S)
    assert stdout.startswith(f"{EVENTS} accepted, 0 rejected, 0 stored, {EVENTS} duplicates\n"), stderr
    assert archived(product) == EVENTS


def test_it_waits_for_a_service_that_was_killed(product: Product) -> None:
    write(product.folder / "a.ndjson", "/service", EVENTS, 5000)
    with start(product, "a.ndjson", "--wait") as process:
        wait_until(lambda: bool(marks(product)), _PATIENCE_S)
        product.kill("ingest")
        product.start("ingest")
        stdout, stderr = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 0, stderr
    assert stdout.startswith(f"{EVENTS} accepted, 0 rejected, "), stdout
    assert archived(product) == EVENTS


def test_ctrl_c_says_how_to_go_on(product: Product) -> None:
    write(product.folder / "a.ndjson", "/stopped", 3 * EVENTS, 5000)
    with start(product, "a.ndjson") as process:
        wait_until(lambda: bool(marks(product)), _PATIENCE_S)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 130
    assert "the same command goes on from here" in stderr
    assert "Traceback" not in stderr
    assert not stdout
    assert marks(product)
