"""The whole product as `make up DEMO=1` starts it, and the README's lines typed into a shell beside it."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest

from eventcenter.client import Client, EventFilter
from eventcenter.demo import setup
from eventcenter.settings import PREFIX
from tests.support.product import free_port, wait_until

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
NAMES = ("INGEST", "API", "DASHBOARD", "ROBOT")
pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]


class Up:
    """`eventcenter up --demo` in a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in NAMES}
        clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        ports = {f"{PREFIX}{name}_PORT": str(port) for name, port in self.ports.items()}
        self.environment = {**clean, **ports, "COLUMNS": "300", "PYTHONUNBUFFERED": "1"}
        self.said = ""

    def start(self) -> None:
        self.said = ""
        self._terminal, inner = pty.openpty()
        os.set_blocking(self._terminal, False)
        self.errors = (self.folder / "stderr.txt").open("w+b")
        self.process = subprocess.Popen(
            [str(BIN / "eventcenter"), "up", "--demo"],
            cwd=self.folder,
            env=self.environment,
            stdout=inner,
            stderr=self.errors,
        )
        os.close(inner)
        wait_until(self._ready, 150, self._complaint)

    def _ready(self) -> bool:
        assert self.process.poll() is None, self._complaint()
        with suppress(OSError):
            self.said += os.read(self._terminal, 65536).decode()
        return "Ctrl-C stops everything" in self.said

    def _complaint(self) -> str:
        return self.said + (self.folder / "stderr.txt").read_text(errors="replace")[-4000:]

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(40)
        os.close(self._terminal)
        self.errors.close()
        return code

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def shell(self, lines: str) -> str:
        """What the shell prints for lines of a document, with this product's addresses and program."""
        for name, port in (("INGEST", 8700), ("API", 8701), ("DASHBOARD", 8501), ("ROBOT", 8702)):
            lines = lines.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.ports[name]}")
        lines = re.sub(r"(?<![\w/])\.venv/bin/eventcenter", str(BIN / "eventcenter"), lines)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", lines],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def client(self, role: str) -> closing[Client]:
        token = self.shell(f".venv/bin/eventcenter token create --role {role} --name test --quiet").strip()
        return closing(Client(self.url("API"), token))

    def children(self) -> dict[str, int]:
        """Process ids by name."""
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                command = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if f"{self.process.pid}" in command and "eventcenter.cli.process" in command:
                found[command[command.index("eventcenter.cli.process") + 1]] = int(path.name)
        return found


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("up"))
    running.start()
    yield running
    if running.process.poll() is None:
        running.stop()


def commands(page: str) -> list[str]:
    """The shell blocks of a document that call curl."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [block for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if "curl " in block]


def test_it_prints_addresses_and_a_sign_in_link(up: Up) -> None:
    for name in NAMES:
        assert up.url(name) in up.said
    link = re.search(r"/auth/link\?code=(ecl_\S+)", up.said)
    assert link is not None
    with closing(Client(up.url("API"))) as client:
        assert client.sign_in_by_link(link[1]).session


@pytest.mark.curl
@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_the_documents_lines_work_as_printed(up: Up, page: str) -> None:
    [lines] = commands(page)
    assert up.shell(lines) == '{"accepted":1,"rejected":[]}'


@pytest.mark.curl
def test_the_lines_that_up_prints_work_too(up: Up) -> None:
    lines = re.search(r"TOKEN=.*Hello\"}}'", up.said, re.DOTALL)
    assert lines is not None
    assert "accepted" in up.shell(lines[0].replace("\r\n", "\n"))


def test_the_demo_lives(up: Up) -> None:
    k8s = EventFilter(bus=(setup.BUS,), time_field="time")
    with up.client("viewer") as client:
        before = client.histogram(k8s, by="none").total
        assert before > 10_000
        wait_until(lambda: client.histogram(k8s, by="none").total > before, 30)
        assert {rule.name for rule in client.rules()} == {str(rule["name"]) for rule in setup.RULES}
    assert httpx.get(up.url("ROBOT")).status_code == 200


def test_the_demo_makes_the_robot_speak(up: Up) -> None:
    def delivered() -> bool:
        messages = httpx.get(f"{up.url('ROBOT')}/messages").json()["messages"]
        return any(message["delivered"] and message["signature"] == "right" for message in messages)

    wait_until(delivered, 90)


def test_send_sends_a_file_and_tells_what_was_refused(up: Up) -> None:
    good = '{"specversion":"1.0","id":"%s","source":"/send","type":"com.example.sent","data":{"n":1e2}}'
    (up.folder / "good.ndjson").write_text("\n".join(good % n for n in range(3)), encoding="utf-8")
    token = "EVENTCENTER_TOKEN=$(.venv/bin/eventcenter token create --role writer --name s --quiet)"
    send = f"{token} .venv/bin/eventcenter send"
    assert up.shell(f"{send} good.ndjson") == "3 accepted, 0 rejected\n"
    (up.folder / "mixed.ndjson").write_text(f'{good % 9}\n\n{{"id":"x"}}\n', encoding="utf-8")
    told = up.shell(f"{send} mixed.ndjson 2>&1 || echo code $?")
    assert told.startswith("event 3: ")
    assert told.endswith("1 accepted, 1 rejected\ncode 1\n")
    (up.folder / "bad.ndjson").write_text('{"id":"x"}\n{"id":"y"}\n', encoding="utf-8")
    told = up.shell(f"{send} bad.ndjson 2>&1 || echo code $?")
    assert "event 1: " in told
    assert "event 2: " in told
    assert told.endswith("0 accepted, 2 rejected\ncode 1\n")
    one = f"{send} --type com.example.one --source /send --subject s --data '{{\"n\": 1e2}}' --ext trace=7"
    assert up.shell(one) == "1 accepted, 0 rejected\n"
    which = EventFilter(bus=("default",), type=("com.example.one",))
    with up.client("viewer") as client:
        wait_until(lambda: bool(client.events(which).events), 20)
        assert b"1e2" in bytes(client.events(which).events[0].event)


def test_doctor_is_content_beside_it(up: Up) -> None:
    told = up.shell(".venv/bin/eventcenter doctor")
    assert "Event Center answers there" in told
    assert "bad" not in told


def test_a_second_one_says_that_the_ports_are_taken(up: Up) -> None:
    told = up.shell(".venv/bin/eventcenter up 2>&1 || echo code $?")
    assert f"port {up.ports['INGEST']} of 127.0.0.1, where ingest would listen, is taken" in told
    assert told.endswith("code 1\n")


def test_a_killed_process_comes_back(up: Up) -> None:
    for name, port in (("ingest", "INGEST"), ("server", "API")):
        before = up.children()[name]
        os.kill(before, signal.SIGKILL)

        def again(name: str = name, before: int = before) -> bool:
            return up.children().get(name, before) != before

        def ready(port: str = port) -> bool:
            try:
                return httpx.get(f"{up.url(port)}/readyz").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(again, 30)
        wait_until(ready, 60)


def test_ctrl_c_stops_all_and_the_next_start_makes_nothing_twice(up: Up) -> None:
    assert set(up.children()) == {"ingest", "server", "dashboard", "demo"}
    assert up.stop() == 0
    assert up.children() == {}
    up.start()
    with up.client("admin") as client:
        assert len(client.rules()) == len(setup.RULES)
        assert len(client.targets()) == 1
        assert [bus.name for bus in client.buses()] == ["default", setup.BUS]
        assert len([token for token in client.tokens() if token.name == setup.TOKEN_NAME]) == 1
        total = client.histogram(EventFilter(bus=(setup.BUS,), time_field="time"), by="none").total
        assert 10_000 < total < 40_000
    assert up.stop() == 0
