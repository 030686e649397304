"""`python -m tests.bench.rocketmq`: how fast messages come from a real RocketMQ on this machine.

The messages lie in the broker before the consumer begins; who stores them does nothing. Both share the
processors.
"""

import argparse
import multiprocessing
import resource
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from eventcenter.rocketmq.server import Group, Options, Server, Subscription
from ingest.bindings.rocketmq import Message
from ingest.inputs.rocketmq.consumer import Consumer
from tests.rocketmq.sending import Sender, message
from tests.support.rocketmq import Broker, running

_PATIENCE_S = 300
_SENDERS = 4
_BATCH = 32
_BODY_BYTES = 400


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


def measure(endpoint: str, topic: str, messages: int, threads: int, answer: Any) -> None:
    """Receive all; answers messages/s, CPU µs per message, and how many came."""
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
    if not messages:
        while not consumer.health().counts.polls:
            time.sleep(0.05)
    until = time.monotonic() + _PATIENCE_S
    while consumer.health().counts.acknowledged < messages and time.monotonic() < until:
        time.sleep(0.05)
    cpu_s = _cpu_s() - before
    counts = consumer.health().counts
    consumer.stop()
    rate = counts.acknowledged / max(nothing.last_at - nothing.first_at, 1e-9)
    answer.send((rate, cpu_s / max(counts.acknowledged, 1) * 1e6, nothing.count))


def main() -> None:
    """Print a line for each number of receiving threads."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rocketmq", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2, 4])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "rocketmq") as broker:
        for threads in chosen.threads:
            rate, cpu_us, came = _run(broker, f"bench-{threads}", chosen.messages, threads)
            print(
                f"{threads} threads: {rate:,.0f} messages/s, {cpu_us:.0f} µs CPU each, {came} came",
                flush=True,
            )


def _run(broker: Broker, topic: str, messages: int, threads: int) -> tuple[float, float, int]:
    broker.create_topic(topic)
    broker.create_group(topic)
    # A group begins at the end of what is there when it first asks: it asks while there is nothing.
    _in_process(measure, broker.endpoint, topic, 0, 1)
    _fill(broker.endpoint, topic, messages)
    found: tuple[float, float, int] = _in_process(measure, broker.endpoint, topic, messages, threads)
    return found


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
