"""Two tenants with events in real archives, retention over HTTP, and a keeper that tests step."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from eventcenter.archive import Archive, Archives
from eventcenter.archive.segment import Scratch
from eventcenter.clock import to_micros
from eventcenter.event import Event, encode_line
from eventcenter.journal import Block, BlockKind, Position, ReadBlock
from eventcenter.retention import Keeper, Retention, api
from eventcenter.store.secrets import SecretBox
from tests.support.api import Api, World, world

JOURNAL = b"j" * 16
BUSES = ("default", "orders")


@dataclass(kw_only=True)
class Stand:
    """`default` and `other` have the buses `default` and `orders`."""

    world: World
    archives: Archives
    retention: Retention
    numbers: Iterator[int]

    @property
    def keeper(self) -> Keeper:
        return self.retention.keeper

    def as_(self, role: str, tenant: str = "default") -> Api:
        return self.world.as_(role, tenant)

    def archive(self, tenant: str = "default") -> Archive:
        return self.archives.tenant(self.world.tenants[tenant])

    def add(self, subjects: Sequence[str | None], *, bus: str = "default", tenant: str = "default") -> None:
        """Events received now, one for each subject."""
        events = [Event(id=f"e{next(self.numbers)}", source="/s", type="t", subject=one) for one in subjects]
        self._load(BlockKind.EVENTS, b"".join(map(encode_line, events)), len(events), bus, tenant)

    def reject(self, raw: bytes, *, bus: str = "default", tenant: str = "default") -> None:
        line = {
            "reason": "invalid",
            "error": "x",
            "bytes": raw,
            "content_type": "application/json",
            "index": 0,
        }
        self._load(BlockKind.REJECTS, msgspec.json.encode(line) + b"\n", 1, bus, tenant)

    def _load(self, kind: BlockKind, payload: bytes, number: int, bus: str, tenant: str) -> None:
        block = Block(kind=kind, tenant=self.world.tenants[tenant], bus=bus, payload=payload, count=number)
        place = Position(1, next(self.numbers))
        read = ReadBlock(position=place, received_at=to_micros(self.world.clock.now()), block=block)
        self.archive(tenant).load(JOURNAL, "main", [read])

    def subjects(self, bus: str = "default", tenant: str = "default") -> list[str | None]:
        sql = "SELECT subject FROM events WHERE bus = ? ORDER BY seq"
        return [row["subject"] for row in self.archive(tenant).query(sql, [bus])]

    def pass_days(self, days: float) -> None:
        self.world.clock.advance(timedelta(days=days).total_seconds())

    def actions(self) -> list[tuple[str, str]]:
        """What the audit of `default` says, oldest first, of retention."""
        rows = self.as_("admin").get("/v1/audit?limit=500")["audit"]
        named = ("retention.", "hold.", "deletion.")
        return [(row["action"], row["object"]) for row in reversed(rows) if row["action"].startswith(named)]

    def problem(self, method: str, path: str, body: Any = None, *, role: str = "admin") -> dict[str, Any]:
        answer = self.as_(role).ask(method, path, body)
        assert answer.status_code >= 400, answer.text
        problem: dict[str, Any] = answer.json()
        return problem


@contextmanager
def stand(folder: Path) -> Iterator[Stand]:
    with world(folder) as made:
        archives = Archives(made.settings.tenants_dir)
        retention = Retention(
            store=made.store,
            archives=archives,
            secrets=SecretBox(made.settings),
            settings=made.settings,
            make_scratch=lambda: Scratch(folder / "scratch", memory_bytes=64 << 20),
        )
        made.api.app.include_router(api.router(retention))
        for tenant in made.tenants:
            made.as_("admin", tenant).post("/v1/buses", {"name": "orders"})
        try:
            yield Stand(world=made, archives=archives, retention=retention, numbers=count(1))
        finally:
            archives.close()
