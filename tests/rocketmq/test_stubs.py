"""The official package's protocol is used without running the rest of it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def printed(code: str, home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_they_come_without_the_packages_clients_and_their_log_files(tmp_path: Path) -> None:
    code = (
        "import sys, threading, ingest.inputs.rocketmq.consumer\n"
        "print(sorted(m for m in sys.modules if m.partition('.')[0] in {'rocketmq', 'opentelemetry'}),"
        " threading.active_count())"
    )
    names = "".join(
        f", 'rocketmq.grpc_protocol.{n}'" for n in ("definition_pb2", "service_pb2", "service_pb2_grpc")
    )
    assert printed(code, tmp_path) == f"['rocketmq.grpc_protocol'{names}] 1"
    assert not list(tmp_path.iterdir())


def test_settings_need_no_package_of_the_extra(tmp_path: Path) -> None:
    code = (
        "import sys, eventcenter.rocketmq.server as s\n"
        "print(s.Server.at('a:1'), [m for m in ('grpc', 'google.protobuf') if m in sys.modules])"
    )
    assert printed(code, tmp_path) == "a:1 []"


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['grpc'] = None\n"
        "try: import eventcenter.rocketmq.stubs\n"
        "except Exception as error: print(type(error).__name__, error.remedy)"
    )
    said = printed(code, tmp_path)
    assert said.startswith("Unavailable ")
    assert "[rocketmq]" in said


def test_the_package_itself_can_be_imported_afterwards(tmp_path: Path) -> None:
    code = (
        "import eventcenter.rocketmq.stubs as stubs, rocketmq\n"
        "from rocketmq.grpc_protocol import definition_pb2\n"
        "print(rocketmq.Producer.__name__, definition_pb2 is stubs.definition)"
    )
    assert printed(code, tmp_path) == "Producer True"
