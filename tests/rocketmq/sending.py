"""Producers for tests: a batching one on the protocol's stubs, the official one in a process of its own."""

import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import grpc

from eventcenter.rocketmq.stubs import Stub, definition, service
from tests.support.rocketmq import java

_JAVA = Path(__file__).with_name("java") / "Send.java"
_OFFICIAL = """
import json, sys
from rocketmq import ClientConfiguration, Credentials, Message, Producer
endpoint, topic = sys.argv[1:]
producer = Producer(ClientConfiguration(endpoint, Credentials()), (topic,))
producer.startup()
for line in sys.stdin:
    given = json.loads(line)
    message = Message()
    message.topic, message.body = topic, given["body"].encode()
    if given.get("tag"):
        message.tag = given["tag"]
    for key in given.get("keys", ()):
        message.keys = key
    for name, value in given.get("properties", {}).items():
        message.add_property(name, value)
    print(producer.send(message).message_id, flush=True)
producer.shutdown()
"""


def message(topic: str, body: bytes, *, tag: str | None = None, **properties: str) -> Any:
    """A message of the protocol, ready to be sent."""
    system = definition.SystemProperties(
        message_id=uuid.uuid4().hex.upper(),
        message_type=definition.NORMAL,
        body_encoding=definition.IDENTITY,
        **({} if tag is None else {"tag": tag}),
    )
    system.born_timestamp.GetCurrentTime()
    return definition.Message(
        topic=definition.Resource(name=topic), body=body, user_properties=properties, system_properties=system
    )


class Sender:
    """Sends many messages in one call. Any thread may use it; use it as a context manager."""

    def __init__(self, endpoint: str) -> None:
        options = [("grpc.max_reconnect_backoff_ms", 500), ("grpc.initial_reconnect_backoff_ms", 100)]
        self._channel = grpc.insecure_channel(f"ipv4:{endpoint}", options=options)
        self._stub = Stub(self._channel)
        self._metadata = (
            ("x-mq-client-id", uuid.uuid4().hex),
            ("x-mq-language", "PYTHON"),
            ("x-mq-protocol", "GRPC_V2"),
            ("x-mq-client-version", "5.1.2"),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def send(self, messages: Sequence[Any]) -> bool:
        """Whether the broker says that it has all of them."""
        request = service.SendMessageRequest(messages=messages)
        try:
            answer = self._stub.SendMessage(request, timeout=5, metadata=self._metadata)
        except grpc.RpcError:
            return False
        return all(entry.status.code == definition.OK for entry in answer.entries) and bool(answer.entries)


class Load:
    """Sends numbered messages, batch after batch, until it is told to stop."""

    def __init__(self, endpoint: str, topic: str, *, batch: int = 32, pause_s: float = 0.02) -> None:
        self._sender = Sender(endpoint)
        self._topic = topic
        self._batch = batch
        self._pause_s = pause_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent: set[bytes] = set()
        """What the broker said that it has."""
        self.tried = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with self._sender:
            while not self._ended.wait(self._pause_s):
                bodies = [b"%d" % (self.tried + number) for number in range(self._batch)]
                self.tried += len(bodies)
                if self._sender.send([message(self._topic, body) for body in bodies]):
                    self.sent.update(bodies)


def send_officially(endpoint: str, topic: str, messages: Sequence[dict[str, Any]], home: Path) -> list[str]:
    """Send with the official producer; the messages' ids. It writes a log to the home directory."""
    done = subprocess.run(
        [sys.executable, "-c", _OFFICIAL, endpoint, topic],
        input="".join(json.dumps(each) + "\n" for each in messages),
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def send_with_java(
    endpoint: str, topic: str, jars: Path, lines: Sequence[dict[str, Any]], home: Path
) -> list[str]:
    """Send with the official Java client, see Send.java; the messages' ids. It logs to the home directory."""
    done = subprocess.run(
        [
            *(java(), f"-Duser.home={home}", "-Dfile.encoding=UTF-8", "-Xmx256m"),
            *("-cp", f"{jars}/*", str(_JAVA), endpoint, topic),
        ],
        input="".join(json.dumps(line) + "\n" for line in lines),
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        encoding="utf-8",
        timeout=100 + len(lines) / 100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()
