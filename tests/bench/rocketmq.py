"""How fast messages of a real RocketMQ are archived, beside the official consumer that only counts them.

The messages lie in the broker before either begins, and the broker shares the processors.
"""

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from eventcenter.rocketmq.server import Group, Options, Server, Subscription
from ingest.bindings.rocketmq import Message
from ingest.inputs.rocketmq.consumer import Consumer
from tests.bench import sizes
from tests.bench.figures import Figure
from tests.rocketmq.product import add_input, archived
from tests.rocketmq.sending import Sender, message
from tests.support.product import Product
from tests.support.rocketmq import Broker, running

_PATIENCE_S = 300
_SENDERS = 4
_BATCH = 32
_BODY_BYTES = 400
_LOOK_S = 0.25
_OFFICIAL_THREADS = 20
_OFFICIAL = """
import json, os, resource, sys, threading, time
from rocketmq import ClientConfiguration, ConsumeResult, Credentials, FilterExpression
from rocketmq import MessageListener, PushConsumer
endpoint, topic, wanted, threads, patience = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
done, lock, times, seen = threading.Event(), threading.Lock(), [], [0]
class Nothing(MessageListener):
    def consume(self, message):
        with lock:
            seen[0] += 1
            if seen[0] in (1, wanted):
                times.append(time.monotonic())
            if seen[0] == wanted:
                done.set()
        return ConsumeResult.SUCCESS
consumer = PushConsumer(
    ClientConfiguration(endpoint, Credentials()), topic, Nothing(), {topic: FilterExpression()},
    consumption_thread_count=threads,
)
consumer.startup()
done.wait(patience)
used = resource.getrusage(resource.RUSAGE_SELF)
end = times[1] if len(times) > 1 else time.monotonic()
took = end - times[0] if times else 0
print(json.dumps({"seconds": took, "cpu_s": used.ru_utime + used.ru_stime, "came": seen[0]}))
sys.stdout.flush()
os._exit(0)  # its shutdown waits for threads that sleep
"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a receiver did."""

    rate: float
    """Messages a second, from the first to the last."""
    cpu_us: float
    """The client's processor time for each, its start included."""
    came: int

    def __str__(self) -> str:
        return f"{self.rate:,.0f} messages/s, {self.cpu_us:.0f} µs CPU each, {self.came:,} came"


class Receiver(Protocol):
    """Receives `messages` messages of a topic; the group of its name begins at the first of them."""

    def __call__(self, broker: Broker, topic: str, messages: int) -> Measured: ...


class Nothing:
    """Takes messages and counts them."""

    def __init__(self) -> None:
        self.count = 0
        self.first_at = self.last_at = 0.0
        self._lock = threading.Lock()
        self._done: Future[None] = Future()
        self._done.set_result(None)

    def store(self, messages: Sequence[Message]) -> Future[None]:
        with self._lock:
            self.last_at = time.monotonic()
            self.first_at = self.first_at or self.last_at
            self.count += len(messages)
        return self._done

    def reject(self, _message: Message, why: str) -> Future[None]:
        raise AssertionError(why)


def official(broker: Broker, topic: str, messages: int) -> Measured:
    """The official PushConsumer with 20 threads. It writes a log to the home directory."""
    with tempfile.TemporaryDirectory() as home:
        arguments = [broker.endpoint, topic, *map(str, (messages, _OFFICIAL_THREADS, _PATIENCE_S))]
        done = subprocess.run(
            [sys.executable, "-c", _OFFICIAL, *arguments],
            env={**os.environ, "HOME": home},
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S + 60,
            check=True,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    return Measured(
        rate=found["came"] / max(found["seconds"], 1e-9),
        cpu_us=found["cpu_s"] / max(found["came"], 1) * 1e6,
        came=found["came"],
    )


def consumer(broker: Broker, topic: str, messages: int) -> Measured:
    """Event Center's consumer, in a process of its own; who stores the messages does nothing."""
    measured: Measured = _in_process(_consume, broker.endpoint, topic, messages)
    return measured


def archiving(broker: Broker, topic: str, messages: int) -> Measured:
    """Event Center, from the topic until all is archived; its processor time is that of all its processes."""
    with tempfile.TemporaryDirectory() as folder, Product(Path(folder)) as product:
        product.start("server", "ingest")
        token = product.token("viewer")
        pids = [product.pid("server"), product.pid("ingest")]
        before = sum(map(_cpu_of, pids))
        add_input(product, broker, topic, [{"topic": topic, "bus": "default"}])
        seen = first = archived(product, token)
        first_at = last_at = time.monotonic()
        until = first_at + _PATIENCE_S
        while seen < messages and time.monotonic() < until:
            time.sleep(_LOOK_S)
            seen, last_at = archived(product, token), time.monotonic()
            if not first:
                first, first_at = seen, last_at
        cpu_s = sum(map(_cpu_of, pids)) - before
    return Measured(
        rate=(seen - first) / max(last_at - first_at, 1e-9),
        cpu_us=cpu_s / max(seen, 1) * 1e6,
        came=seen,
    )


def measure(folder: Path) -> list[Figure]:
    """The official consumer and Event Center, each with a topic full of messages."""
    rounds = max(sizes.MESSAGES // (5 * _SENDERS * _BATCH), 1)
    few, messages = rounds * _SENDERS * _BATCH, 5 * rounds * _SENDERS * _BATCH
    with running(folder / "rocketmq") as broker:
        # A broker takes three times as long for its first hundred thousand messages.
        receive(broker, "bench-warm", messages, consumer)
        theirs = receive(broker, "bench-official", few, official)
        receiving = receive(broker, "bench-receiving", messages, consumer)
        ours = receive(broker, "bench-archived", messages, archiving)
    for found, wanted in ((theirs, few), (receiving, messages), (ours, messages)):
        assert found.came >= wanted, found
    reference = f"official PushConsumer, {_OFFICIAL_THREADS} threads: {theirs}"
    return [
        Figure(
            name="RocketMQ: messages archived a second",
            value=ours.rate / theirs.rate,
            least=5,
            reference=reference,
            note=str(ours),
        ),
        Figure(
            name="RocketMQ: messages received a second, not stored",
            value=receiving.rate / theirs.rate,
            reference=reference,
            note=str(receiving),
        ),
    ]


def receive(broker: Broker, topic: str, messages: int, receiver: Receiver) -> Measured:
    """Let a receiver have a topic full of messages."""
    broker.create_topic(topic)
    broker.create_group(topic)
    # A group begins at the end of what is there when it first asks: it asks while there is nothing.
    _in_process(_consume, broker.endpoint, topic, 0)
    _fill(broker.endpoint, topic, messages)
    return receiver(broker, topic, messages)


def _consume(endpoint: str, topic: str, messages: int, answer: Any) -> None:
    """Receive all, or with no messages only join the group."""
    nothing = Nothing()
    consumer = Consumer(
        Server.at(endpoint),
        Group(name=topic, subscriptions=(Subscription(topic=topic),)),
        store=nothing.store,
        reject=nothing.reject,
        options=Options(poll_s=5),
    )
    before = _cpu_s()
    consumer.start()
    until = time.monotonic() + _PATIENCE_S
    while not messages and not consumer.health().counts.polls and time.monotonic() < until:
        time.sleep(0.05)
    while consumer.health().counts.acknowledged < messages and time.monotonic() < until:
        time.sleep(0.05)
    cpu_s = _cpu_s() - before
    counts = consumer.health().counts
    consumer.stop()
    rate = counts.acknowledged / max(nothing.last_at - nothing.first_at, 1e-9)
    cpu_us = cpu_s / max(counts.acknowledged, 1) * 1e6
    answer.send(Measured(rate=rate, cpu_us=cpu_us, came=nothing.count))


def _in_process(target: Any, *arguments: object) -> Any:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(*arguments, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    finally:
        process.join()


def _fill(endpoint: str, topic: str, messages: int) -> None:
    properties = {
        "CE_specversion": "1.0",
        "CE_source": "/bench/orders",
        "CE_type": "com.example.order.created",
        "CE_contenttype": "application/json",
    }
    body = b'{"text":"%s"}' % (b"x" * (_BODY_BYTES - 11))

    def send(share: int) -> None:
        with Sender(endpoint) as sender:
            for start in range(0, messages // _SENDERS, _BATCH):
                batch = [
                    message(topic, body, CE_id=f"{share}-{start + n}", **properties) for n in range(_BATCH)
                ]
                assert sender.send(batch)

    threads = [threading.Thread(target=send, args=(share,)) for share in range(_SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _cpu_of(pid: int) -> float:
    """Seconds of the processor that a process took (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
