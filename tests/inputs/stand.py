"""Two tenants, inputs over HTTP, ledgers in real archives, and services that tell what a test wants."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from eventcenter.archive import Archives
from eventcenter.clock import to_micros
from eventcenter.event import Event, encode_line
from eventcenter.journal import Block, BlockKind, Position, ReadBlock, Received, ReceivedMessage, pack
from eventcenter.store.secrets import SecretBox
from ingest.inputs import status
from ingest.inputs.api import router
from ingest.inputs.inputs import Inputs
from ingest.inputs.keeper import Keeper
from ingest.inputs.status import FetchStatus, InputStatus, Reach, ServiceStatus
from tests.support.api import Api, World, world

JOURNAL = b"i" * 16
NEW: Mapping[str, Any] = {
    "name": "orders",
    "addresses": "192.0.2.1:8081",
    "group": "eventcenter",
    "topics": [{"topic": "orders", "bus": "default"}],
}
SECRET = "a-secret-key-of-rocketmq"
SIGNED = {**NEW, "access_key": "account", "secret_key": SECRET}


@dataclass(kw_only=True)
class Stand:
    """`default` and `other` have the bus `default`; what is kept between looks is kept for no time."""

    world: World
    archives: Archives
    inputs: Inputs
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    seconds: float = 0.0
    """Of the clock by which gaps grow old."""

    def as_(self, role: str, tenant: str = "default") -> Api:
        return self.world.as_(role, tenant)

    @property
    def keeper(self) -> Keeper:
        return self.inputs.keeper

    def now_ms(self) -> int:
        return to_micros(self.world.clock.now()) // 1000

    def make(self, tenant: str = "default", **changes: Any) -> str:
        """A new input's id."""
        return str(self.as_("admin", tenant).post("/v1/inputs", {**NEW, **changes})["id"])

    def tell(
        self,
        inputs: Mapping[str, InputStatus] | None = None,
        *,
        service: str = "main",
        fetches: Mapping[str, FetchStatus] | None = None,
        age_s: float = 0.0,
    ) -> None:
        """What an ingest service tells of its inputs."""
        folder = self.world.settings.journal_dir
        (folder / service).mkdir(parents=True, exist_ok=True)
        told = ServiceStatus(
            service=service,
            written_at=self.now_ms() - int(age_s * 1000),
            inputs=dict(inputs or {}),
            fetches=dict(fetches or {}),
        )
        status.write(folder, told)

    def reach(self, oldest: int, newest: int, topic: str = "orders") -> dict[str, Any]:
        """Members of an InputStatus: what the one queue of the broker holds."""
        reach = Reach(topic=topic, broker="broker-a", queue_id=0, oldest=oldest, newest=newest)
        return {"state": "receiving", "reach": (reach,), "reach_at": self.now_ms()}

    def receive(
        self, input_id: str, offsets: Sequence[int], *, tenant: str = "default", topic: str = "orders"
    ) -> None:
        """Messages of an input, each stored by the broker at the second of its offset."""
        messages = tuple(
            ReceivedMessage(
                events=1,
                rejected=0,
                topic=topic,
                broker="broker-a",
                queue_id=0,
                queue_offset=offset,
                message_id=f"m{offset}",
                stored_at=self.now_ms() - 100_000 + offset * 1000,
            )
            for offset in offsets
        )
        lines = b"".join(encode_line(Event(id=f"e{n}", source="/s", type="t")) for n in offsets)
        tenant_id = self.world.tenants[tenant]
        block = Block(
            kind=BlockKind.RECEIVED,
            tenant=tenant_id,
            bus="default",
            payload=pack(Received(input=input_id, messages=messages), lines),
            count=len(messages),
        )
        read = ReadBlock(
            position=Position(1, next(self.numbers)),
            received_at=to_micros(self.world.clock.now()),
            block=block,
        )
        self.archives.tenant(tenant_id).load(JOURNAL, "main", [read])

    def problem(self, method: str, path: str, body: Any = None, *, role: str = "admin") -> dict[str, Any]:
        answer = self.as_(role).ask(method, path, body)
        assert answer.status_code >= 400, answer.text
        problem: dict[str, Any] = answer.json()
        return problem

    def actions(self) -> list[tuple[str, str]]:
        """What the audit of `default` says of inputs, oldest first."""
        rows = self.as_("admin").get("/v1/audit?limit=500")["audit"]
        return [
            (row["action"], row["object"]) for row in reversed(rows) if row["action"].startswith("input.")
        ]


@contextmanager
def stand(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    monkeypatch.setattr("ingest.inputs.looks._STATUS_KEPT_S", 0.0)
    monkeypatch.setattr("ingest.inputs.looks._LEDGER_KEPT_S", 0.0)
    with world(folder) as made:
        archives = Archives(made.settings.tenants_dir)
        inputs = Inputs(
            store=made.store,
            archives=archives,
            secrets=SecretBox(made.settings),
            settings=made.settings,
            usage=lambda _: {},
        )
        there = Stand(world=made, archives=archives, inputs=inputs)
        inputs.ages.seconds = lambda: there.seconds
        made.api.app.include_router(router(inputs))
        try:
            yield there
        finally:
            archives.close()
