"""doctor finds what is wrong, says what to do, and ends with the right code."""

import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eventcenter.clock import ManualClock
from eventcenter.journal import Block, BlockKind, JournalWriter
from tests.cli.conftest import Program


@pytest.fixture
def findings(program: Program) -> "Findings":
    return Findings(program)


class Findings:
    """What doctor says about a program's folder, by what it is about."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def look(self, code: int = 0) -> dict[str, tuple[str, str]]:
        """{about: (level, found)}; an arrow line is added to the finding it belongs to."""
        found: dict[str, tuple[str, str]] = {}
        about = ""
        for line in self.program.run("doctor", code=code).stdout.splitlines():
            if line.lstrip().startswith("→"):
                found[about] = (found[about][0], f"{found[about][1]} {line.strip()}")
            else:
                level, _, rest = line.partition("  ")
                about, _, text = rest.strip().partition(": ")
                found[about] = (level.strip(), text)
        return found


def test_a_good_installation_is_good(findings: Findings) -> None:
    found = findings.look()
    assert found["Data folder"][0] == "good"
    assert found["Store"][0] == "good"
    assert found["Store's schema"][0] == "good"
    assert found["Secret key"] == ("good", "opens what the store has sealed")


def test_an_empty_folder_is_no_fault(empty: Program) -> None:
    found = Findings(empty).look()
    assert found["Store"][0] == "note"
    assert list(empty.folder.iterdir()) == []


def test_a_damaged_store_is_found(findings: Findings) -> None:
    path = findings.program.folder / "data" / "store.db"
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\0" * 8192)
    level, found = findings.look(code=1)["Store"]
    assert level == "bad"
    assert "backup" in found


@pytest.mark.parametrize("content", [None, b"A" * 43 + b"=", b"short"])
def test_a_key_that_is_missing_or_another_is_found(findings: Findings, content: bytes | None) -> None:
    path = findings.program.folder / "data.key"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    level, found = findings.look(code=1)["Secret key"]
    assert level == "bad"
    assert "→" in found


def test_open_folders_and_keys_are_warned_of(findings: Findings) -> None:
    (findings.program.folder / "data").chmod(0o755)
    (findings.program.folder / "data.key").chmod(0o644)
    found = findings.look()
    assert found["Data folder"][0] == "warning"
    assert "chmod 700" in found["Data folder"][1]


def journal(folder: Path, clock: ManualClock) -> Path:
    writer = JournalWriter(folder, clock=clock, max_bytes=1 << 30, segment_bytes=1 << 10, disk_floor_bytes=0)
    for _ in range(3):
        block = Block(kind=BlockKind.EVENTS, tenant="a", bus="b", payload=b"x" * 900 + b"\n", count=2)
        writer.append([block])
    writer.close()
    return min((folder / "main").glob("*.journal"))


def test_a_journal_is_read_and_damage_found(findings: Findings) -> None:
    first = journal(findings.program.folder / "data" / "journal", ManualClock())
    assert findings.look()["Journal main"] == ("good", "6 events in 3 blocks can be read")
    with first.open("r+b") as file:
        file.seek(200)
        file.write(b"?" * 50)
    assert findings.look(code=1)["Journal main"][0] == "bad"


def test_a_clock_behind_the_data_is_warned_of(findings: Findings) -> None:
    journal(findings.program.folder / "data" / "journal", ManualClock(datetime(2100, 1, 1, tzinfo=UTC)))
    level, found = findings.look()["Clock"]
    assert level == "warning"
    assert "NTP" in found


def test_a_taken_port_is_told(findings: Findings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        findings.program.environment["EVENTCENTER_API_PORT"] = str(port)
        level, found = findings.look(code=1)[f"Port {port} (server)"]
    assert level == "bad"
    assert "EVENTCENTER_API_PORT=…" in found
