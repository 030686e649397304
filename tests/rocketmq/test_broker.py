"""The RocketMQ for development and tests comes up, keeps its messages through kill -9, and leaves nothing."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from tests.support.product import wait_until
from tests.support.rocketmq import Broker, Failed, Ports, Refused, ask, jars, remoting

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.rocketmq, pytest.mark.long]


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.support.rocketmq", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def port_options(ports: Ports) -> list[str]:
    return [f"--{field.name}={getattr(ports, field.name)}" for field in fields(Ports)]


def send(broker: Broker, topic: str, body: bytes) -> None:
    fixed = {"defaultTopic": "TBW102", "defaultTopicQueueNums": 4, "queueId": 0, "sysFlag": 0, "flag": 0}
    moment = {"bornTimestamp": 0, "reconsumeTimes": 0, "properties": ""}
    ask(
        broker.ports.broker,
        remoting.SEND,
        {"producerGroup": "tests", "topic": topic, **fixed, **moment},
        body,
    )


def newest(broker: Broker, topic: str) -> int:
    answer = ask(broker.ports.broker, remoting.NEWEST_OFFSET, {"topic": topic, "queueId": 0})
    return int(answer.fields["offset"])


def queues(broker: Broker, topic: str) -> list[int]:
    """How many queues of the topic each broker has, by the NameServer."""
    route = ask(
        broker.ports.nameserver, remoting.ROUTE, {"topic": topic, "acceptStandardJsonOnly": True}
    ).body
    return [data["readQueueNums"] for data in json.loads(route)["queueDatas"]]


def group(broker: Broker, name: str) -> dict[str, object]:
    found = ask(broker.ports.broker, remoting.GROUP, {"group": name}).body
    settings: dict[str, object] = json.loads(found)
    return settings


def test_topics_and_groups_are_made_and_changed(rocketmq: Broker) -> None:
    with pytest.raises(Refused):
        ask(rocketmq.ports.nameserver, remoting.ROUTE, {"topic": "made"})
    rocketmq.create_topic("made", queues=2)
    assert queues(rocketmq, "made") == [2]
    rocketmq.create_topic("made", queues=3, kind="FIFO")
    wait_until(lambda: queues(rocketmq, "made") == [3], 10)

    rocketmq.create_group("made")
    assert group(rocketmq, "made")["retryMaxTimes"] == 16
    rocketmq.create_group("made", ordered=True, retries=1)
    assert group(rocketmq, "made")["retryMaxTimes"] == 1
    assert group(rocketmq, "made")["consumeMessageOrderly"] is True


def test_a_killed_one_comes_back_with_its_messages(rocketmq: Broker) -> None:
    rocketmq.create_topic("kept")
    rocketmq.create_group("kept")
    for number in range(10):
        send(rocketmq, "kept", b"%d" % number)
    assert newest(rocketmq, "kept") == 10
    before = rocketmq.pid("proxy")

    rocketmq.kill()
    assert rocketmq.alive == {"nameserver"}
    with pytest.raises(OSError, match="refused"):
        newest(rocketmq, "kept")

    rocketmq.start()
    assert rocketmq.alive == {"nameserver", "proxy"}
    assert rocketmq.pid("proxy") != before
    assert newest(rocketmq, "kept") == 10
    assert queues(rocketmq, "kept") == [4]
    assert group(rocketmq, "kept")["groupName"] == "kept"
    send(rocketmq, "kept", b"one more")
    assert newest(rocketmq, "kept") == 11


def test_up_and_down_say_what_they_find(tmp_path: Path) -> None:
    folder, ports = tmp_path / "state", Ports.free()
    try:
        first = command("up", f"--folder={folder}", *port_options(ports))
        assert first.returncode == 0, first.stderr
        assert f"127.0.0.1:{ports.grpc}" in first.stdout
        assert "runs already" not in first.stdout
        found = Broker.of(folder)
        assert found is not None
        assert found.alive == {"nameserver", "proxy"}
        assert queues(found, "events") == [4]
        assert group(found, "eventcenter")["groupName"] == "eventcenter"

        # Also with other ports: it says where it runs.
        second = command("up", f"--folder={folder}", *port_options(Ports.free()))
        assert second.returncode == 0, second.stderr
        assert "runs already" in second.stdout
        assert f"127.0.0.1:{ports.grpc}" in second.stdout
        assert found.alive == {"nameserver", "proxy"}

        other = command("up", f"--folder={tmp_path / 'other'}", *port_options(ports))
        assert other.returncode == 1
        assert f"somebody listens already on {ports.nameserver}" in other.stderr
    finally:
        last = command("down", f"--folder={folder}")
    assert last.returncode == 0, last.stderr
    assert "stopped" in last.stdout
    assert not folder.exists()
    assert not ports.taken()
    again = command("down", f"--folder={folder}")
    assert (again.returncode, again.stdout) == (0, "No RocketMQ runs here.\n")


def test_it_goes_with_the_process_that_uses_it_however_that_ends(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from tests.support.rocketmq import running\n"
        "with running(Path(sys.argv[1])): print('runs', flush=True); time.sleep(60)"
    )
    folder = tmp_path / "state"
    user = subprocess.Popen([sys.executable, "-c", code, str(folder)], cwd=ROOT, stdout=subprocess.PIPE)
    assert user.stdout is not None
    with user.stdout:
        assert user.stdout.readline() == b"runs\n"
        os.kill(user.pid, signal.SIGKILL)
        user.wait()
    wait_until(lambda: not folder.exists(), 20)


def test_one_that_cannot_start_says_the_end_of_its_log_and_leaves_nothing_running(tmp_path: Path) -> None:
    ports = Ports.free()
    broken = Broker(tmp_path, replace(ports, grpc=ports.remoting))
    with pytest.raises(Failed, match=r"(?s)RocketMQ's proxy cannot start:\n.*Address already in use"):
        broken.start()
    assert not broken.alive
    assert not ports.taken()


def test_without_its_jars_it_ends_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROCKETMQ_LIB", str(tmp_path))
    broken = Broker(tmp_path / "state", Ports.free())
    with pytest.raises(Failed, match=r"(?s)RocketMQ's nameserver has ended:\n.*NamesrvStartup"):
        broken.start()
    assert not broken.alive


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROCKETMQ_LIB", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(jars.Unavailable, match="mvn is not on the PATH"):
        jars.fetch()
    with pytest.raises(jars.Unavailable, match="java is not on the PATH"):
        jars.java()
