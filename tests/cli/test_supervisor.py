"""The supervisor against real little processes."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eventcenter.errors import Conflict, Unavailable
from eventcenter.supervisor import Child, Patience, Supervisor, check_ports
from tests.support.product import wait_until

QUICK = Patience(ready_s=10, stop_s=1, backoff_first_s=0.01, backoff_most_s=0.05)


def script(name: str, code: str) -> Child:
    return Child(name=name, command=(sys.executable, "-u", "-c", code))


class Running:
    """A supervisor on a thread of its own."""

    def __init__(self, *children: Child) -> None:
        self.lines: list[tuple[str, str]] = []
        self.error: Exception | None = None
        self.ready = threading.Event()
        self.supervisor = Supervisor(
            children, say=lambda name, line: self.lines.append((name, line)), patience=QUICK
        )
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.supervisor.run(self.ready.set)
        except Exception as error:  # noqa: BLE001 looked at by the test
            self.error = error

    def said(self, name: str) -> list[str]:
        return [line for who, line in list(self.lines) if who == name]

    def stop(self) -> None:
        self.supervisor.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def run() -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(*children: Child) -> Running:
        started.append(Running(*children))
        return started[-1]

    yield start
    for running in started:
        running.stop()


FOREVER = "import os, signal; print(os.getpid()); signal.pause()"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()[2] != "Z"


def test_it_starts_all_relays_their_lines_and_stops_all(run: Callable[..., Running]) -> None:
    running = run(script("one", FOREVER), script("two", FOREVER))
    wait_until(lambda: bool(running.said("one") and running.said("two")), 15)
    assert running.ready.wait(5)
    pids = [int(running.said(name)[0]) for name in ("one", "two")]
    running.stop()
    assert not any(alive(pid) for pid in pids)


def test_what_crashes_starts_again(run: Callable[..., Running]) -> None:
    running = run(script("one", FOREVER))
    wait_until(lambda: len(running.said("one")) == 1, 15)
    os.kill(int(running.said("one")[0]), signal.SIGKILL)
    wait_until(lambda: len(running.said("one")) == 2, 15)
    assert "was killed by signal 9" in running.said("supervisor")[0]


def test_what_ignores_the_polite_signal_is_killed(run: Callable[..., Running]) -> None:
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + FOREVER
    running = run(script("deaf", code))
    wait_until(lambda: bool(running.said("deaf")), 15)
    pid = int(running.said("deaf")[0])
    running.stop()
    assert not alive(pid)


def test_a_child_that_ends_before_it_is_ready_ends_all(run: Callable[..., Running]) -> None:
    child = Child(
        name="broken",
        command=(sys.executable, "-c", "raise SystemExit('no disk')"),
        ready_url="http://127.0.0.1:1/readyz",
    )
    running = run(script("one", FOREVER), child)
    running.thread.join(20)
    assert isinstance(running.error, Unavailable)
    assert "broken ended with exit code 1" in str(running.error)
    wait_until(lambda: "no disk" in running.said("broken"), 15)
    assert not running.ready.is_set()


def test_a_taken_port_is_named_with_the_setting_that_moves_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        child = Child(
            name="ingest", command=(), address=("127.0.0.1", port), port_setting="EVENTCENTER_INGEST_PORT"
        )
        with pytest.raises(Conflict, match=f"port {port} of 127.0.0.1") as caught:
            check_ports([child])
    assert "EVENTCENTER_INGEST_PORT=…" in str(caught.value)
    check_ports([child])


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_children_end_when_the_supervisor_is_killed() -> None:
    child = (
        "import os, sys, signal; from eventcenter.cli.parent import end_with; "
        "end_with(int(sys.argv[1])); print(os.getpid(), flush=True); signal.pause()"
    )
    parent = (
        "import os, subprocess, sys; "
        "subprocess.Popen([sys.executable, '-c', sys.argv[1], str(os.getpid())]).wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent, child], stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        pid = int(supervisor.stdout.readline())
        supervisor.kill()
    wait_until(lambda: not alive(pid), 15)
