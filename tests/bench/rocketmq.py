"""`python -m tests.bench.rocketmq`: how fast messages come from a real RocketMQ on this machine.

The official PushConsumer, which does nothing with them, beside what Event Center receives with. The messages
lie in the broker before either begins, and the broker shares the processors.
"""

import argparse
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
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from eventcenter.rocketmq.server import Group, Options, Server, Subscription
from ingest.bindings.rocketmq import Message
from ingest.inputs.rocketmq.consumer import Consumer
from tests.rocketmq.sending import Sender, message
from tests.support.rocketmq import Broker, running

_PATIENCE_S = 300
_SENDERS = 4
_BATCH = 32
_BODY_BYTES = 400
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


def consumer(broker: Broker, topic: str, messages: int, *, threads: int) -> Measured:
    """Event Center's consumer, in a process of its own; who stores the messages does nothing."""
    measured: Measured = _in_process(_consume, broker.endpoint, topic, messages, threads)
    return measured


def compare(broker: Broker, ours: Receiver, *, messages: int, official_messages: int) -> float:
    """Print both; how many times as many messages a second ours receives."""
    theirs = receive(broker, "bench-official", official_messages, official)
    print(f"official PushConsumer, {_OFFICIAL_THREADS} threads: {theirs}", flush=True)
    found = receive(broker, "bench-ours", messages, ours)
    print(f"Event Center: {found}", flush=True)
    ratio = found.rate / theirs.rate
    print(
        f"{ratio:.1f} times as many messages/s, {theirs.cpu_us / found.cpu_us:.1f} times less CPU", flush=True
    )
    return ratio


def receive(broker: Broker, topic: str, messages: int, receiver: Receiver) -> Measured:
    """Let a receiver have a topic full of messages."""
    broker.create_topic(topic)
    broker.create_group(topic)
    # A group begins at the end of what is there when it first asks: it asks while there is nothing.
    _in_process(_consume, broker.endpoint, topic, 0, 1)
    _fill(broker.endpoint, topic, messages)
    return receiver(broker, topic, messages)


def main() -> None:
    """Print a line for the official consumer, and one for ours."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rocketmq", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--official-messages", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=2, help="of our consumer, for each topic")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "rocketmq") as broker:
        compare(
            broker,
            partial(consumer, threads=chosen.threads),
            messages=chosen.messages,
            official_messages=chosen.official_messages,
        )


def _consume(endpoint: str, topic: str, messages: int, threads: int, answer: Any) -> None:
    """Receive all, or with no messages only join the group."""
    nothing = Nothing()
    consumer = Consumer(
        Server.at(endpoint),
        Group(name=topic, subscriptions=(Subscription(topic=topic),)),
        store=nothing.store,
        reject=nothing.reject,
        options=Options(threads=threads, poll_s=5),
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
            left = share
            while left > 0:
                batch = [
                    message(topic, body, CE_id=f"{left - n}", **properties) for n in range(min(left, _BATCH))
                ]
                assert sender.send(batch)
                left -= len(batch)

    threads = [threading.Thread(target=send, args=(messages // _SENDERS,)) for _ in range(_SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
