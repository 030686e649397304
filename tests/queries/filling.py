"""Archives with events in them, without a journal on disk."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from eventcenter.archive import Archives
from eventcenter.clock import ManualClock, to_micros
from eventcenter.event import Event, encode_line
from eventcenter.journal import Block, BlockKind, Position, ReadBlock, Received, ReceivedMessage, pack
from queries import Queries

JOURNAL = b"j" * 16
TENANT = "a" * 32
OTHER = "b" * 32


class Filling:
    """A clock, archives, queries over them, and ways to put events in."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.archives = Archives(folder)
        self.queries = Queries(self.archives, self.clock, cursor_key=b"k" * 32)
        self._blocks = count(1)
        self._ids = count(1)

    def event(self, data: str | bytes | None = None, **fields: Any) -> Event:
        """An event with an id of its own; `data` is JSON text."""
        raw = data.encode() if isinstance(data, str) else data
        made: dict[str, Any] = {"id": f"e{next(self._ids)}", "source": "/test", "type": "test.made"}
        return Event(**(made | fields), data=raw, data_kind=None if raw is None else "json")

    def add(self, events: Sequence[Event], *, tenant: str = TENANT, bus: str = "default") -> None:
        """Load events, received now."""
        self._load(BlockKind.EVENTS, b"".join(map(encode_line, events)), len(events), tenant, bus)

    def reject(
        self,
        raw: bytes,
        *,
        reason: str = "invalid",
        tenant: str = TENANT,
        bus: str = "default",
        index: int = 0,
    ) -> None:
        """Load a reject, received now."""
        line = {
            "reason": reason,
            "error": "type is missing",
            "bytes": raw,
            "content_type": "application/json",
            "index": index,
        }
        self._load(BlockKind.REJECTS, msgspec.json.encode(line) + b"\n", 1, tenant, bus)

    def receive(
        self, event: Event, message: ReceivedMessage, *, tenant: str = TENANT, bus: str = "default"
    ) -> None:
        """Load an event that came by a message of the input `in1`, received now."""
        payload = pack(Received(input="in1", messages=(message,)), encode_line(event))
        self._load(BlockKind.RECEIVED, payload, 1, tenant, bus)

    def _load(self, kind: BlockKind, payload: bytes, events: int, tenant: str, bus: str) -> None:
        block = Block(kind=kind, tenant=tenant, bus=bus, payload=payload, count=events)
        place = Position(1, next(self._blocks))
        read = ReadBlock(position=place, received_at=to_micros(self.clock.now()), block=block)
        self.archives.tenant(tenant).load(JOURNAL, "main", [read])
