"""The whole product as a consumer of a real RocketMQ, for tests."""

import hashlib
import json
import random
import threading
import time
from collections.abc import Sequence
from typing import Any, Self

from eventcenter.store import Store
from eventcenter.store.models import Fetch, Input, Tenant
from eventcenter.store.secrets import SecretBox
from eventcenter.store.sql import select
from tests.rocketmq.sending import Sender, message
from tests.support.product import Product, wait_until
from tests.support.rocketmq import Broker

_FIRST = "first-"
"""How the ids of events begin that `begun` sends."""


def add_input(
    product: Product,
    broker: Broker,
    group: str,
    topics: Sequence[dict[str, Any]],
    *,
    tenant: str = "default",
    service: str | None = None,
    **config: Any,
) -> str:
    """An input, written straight into the store; its id."""
    with Store.open(product.settings) as store:
        secrets = SecretBox(product.settings)

        def add(session: Any) -> str:
            tenant_id = session.scalar(select(Tenant.id).where(Tenant.name == tenant))
            made = Input(
                tenant_id=tenant_id,
                name=group,
                config={
                    "addresses": broker.endpoint,
                    "name_servers": broker.nameserver,
                    "group": group,
                    "topics": list(topics),
                    **config,
                },
                secrets=secrets.encrypt(b"{}"),
                claim=hashlib.sha256(f"{broker.endpoint} {group}".encode()).hexdigest(),
                service=service,
                start={"position": "group"},
                created_at=store.clock.now(),
                updated_at=store.clock.now(),
            )
            session.add(made)
            session.flush()
            return str(made.id)

        return str(store.write(add))


def change_input(product: Product, input_id: str, **values: Any) -> None:
    """Change an input's columns straight in the store."""
    with Store.open(product.settings) as store:

        def change(session: Any) -> None:
            found = session.get(Input, input_id)
            for name, value in values.items():
                setattr(found, name, value)
            found.updated_at = store.clock.now()

        store.write(change)


def add_fetch(
    product: Product, input_id: str, ranges: Sequence[dict[str, Any]], *, service: str = "main"
) -> str:
    """A range to be read again, written straight into the store; its id."""
    with Store.open(product.settings) as store:

        def add(session: Any) -> str:
            found = session.get(Input, input_id)
            made = Fetch(
                tenant_id=found.tenant_id,
                input_id=input_id,
                reason="backfill",
                service=service,
                ranges=list(ranges),
                created_at=store.clock.now(),
                created_by="test",
            )
            session.add(made)
            session.flush()
            return str(made.id)

        return str(store.write(add))


def rows(product: Product, token: str, sql: str, **parameters: Any) -> list[list[Any]]:
    """The rows of a SQL question."""
    body = {"sql": sql, "parameters": parameters, "limit": 100_000}
    status, answer = product.api("POST", "/v1/query", token, body)
    assert status == 200, answer
    found: list[list[Any]] = answer["rows"]
    return found


def begun(product: Product, token: str, broker: Broker, topic: str) -> None:
    """Send one event after another until one goes through: the group's place is at its topic's end by then.

    Others of them may come later.
    """
    with Sender(broker.endpoint) as sender:
        end = time.monotonic() + 60
        number = 0
        while rows(product, token, "SELECT count(*) FROM events") == [[0]]:
            assert time.monotonic() < end, product.log("ingest")
            assert sender.send([binary(topic, f"{_FIRST}{number}", "{}")])
            number += 1
            pause(0.3)


def archived(product: Product, token: str) -> int:
    """How many events the archive holds but for those of `begun`; -1 where the server does not answer."""
    asked = f"SELECT count(*) FROM events WHERE NOT starts_with(id, '{_FIRST}')"
    try:
        return int(rows(product, token, asked)[0][0])
    except (OSError, AssertionError):
        return -1


def wait_archived(product: Product, token: str, count: int, timeout_s: float = 90.0) -> None:
    """Until so many events are there."""
    wait_until(
        lambda: archived(product, token) >= count,
        timeout_s,
        lambda: f"{archived(product, token)} of {count} events came\n{product.log('ingest')}",
    )


def wait_all(product: Product, token: str, flow: "Flow", timeout_s: float = 400.0) -> None:
    """Until all is there that the broker said it has."""
    left = set(flow.sent)

    def all_there() -> bool:
        there = rows(product, token, "SELECT id FROM events WHERE starts_with(id, $t)", t=f"{flow.topic}-")
        left.difference_update(name for (name,) in there)
        return not left

    wait_until(
        all_there,
        timeout_s,
        lambda: f"{len(left)} of {len(flow.sent)} are missing, such as {sorted(left)[:3]}",
    )


class Flow:
    """Sends numbered events, batch after batch, until it is told to stop."""

    def __init__(self, broker: Broker, topic: str, *, seed: int, pause_s: float = 0.02) -> None:
        self._broker = broker
        self.topic = topic
        self._chance = random.Random(seed)
        self._pause_s = pause_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent: dict[str, str] = {}
        """What the broker said that it has: the data's text by the event's id."""
        self.tried: dict[str, str] = {}
        """All that it may have."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with Sender(self._broker.endpoint) as sender:
            while not self._ended.wait(self._pause_s):
                start = len(self.tried)
                batch = {
                    f"{self.topic}-{start + n}": json.dumps({"n": start + n, "x": self._chance.random()})
                    for n in range(self._chance.randint(1, 40))
                }
                self.tried |= batch
                if sender.send([binary(self.topic, name, data) for name, data in batch.items()]):
                    self.sent |= batch


def binary(topic: str, event_id: str, data: str, **attributes: str) -> Any:
    """A message that carries an event in binary mode."""
    return message(
        topic,
        data.encode(),
        tag="order.paid",
        CE_specversion="1.0",
        CE_id=event_id,
        CE_source="/shop",
        CE_type="order.paid",
        CE_contenttype="application/json",
        **attributes,
    )


def pause(seconds: float) -> None:
    """Let load run for a while: the time itself is what the test is about."""
    time.sleep(seconds)
