"""Messages of an input → blocks of the journal."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from eventcenter.errors import InvalidInput
from eventcenter.journal import Block, BlockKind, Received, ReceivedMessage, pack
from ingest.bindings.rocketmq import Decoded, Decoding, Message, Origin, decode
from ingest.bindings.rocketmq.message import shown_message
from ingest.quota import RejectQuota
from ingest.rejects import reject_line
from ingest.validation import Limits, Reject
from ingest.validation.checked import reject


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """What becomes of a topic's messages."""

    bus: str
    decoding: Decoding


@dataclass(slots=True)
class _Part:
    """What goes to one bus."""

    messages: list[ReceivedMessage]
    lines: list[bytes]
    rejects: list[bytes]
    events: int = 0


class Receiving:
    """One input's way into the journal. Any thread may use it."""

    def __init__(
        self,
        *,
        input_id: str,
        tenant_id: str,
        routes: Mapping[str, Route],
        commit: Callable[[Sequence[Block]], "Future[None]"],
        limits: Limits,
        quota: RejectQuota,
    ) -> None:
        """`routes` by topic."""
        self._input = input_id
        self._tenant = tenant_id
        self._routes = routes
        self._commit = commit
        self._limits = limits
        self._quota = quota
        self.rejected = 0
        """Events that were refused."""

    def store(self, messages: Sequence[Message]) -> "Future[None]":
        """Journal what they carry; what cannot be an event becomes a reject."""
        parts: dict[str, _Part] = {}
        for message in messages:
            route = self._routes[message.topic]
            self._add(parts, route.bus, decode(message, self._limits, route.decoding))
        return self._commit(self._blocks(parts))

    def reject(self, message: Message, why: str) -> "Future[None]":
        """Journal a message whose body cannot be trusted as a reject."""
        error = InvalidInput(
            f"The message arrived broken: {why}.",
            value=message.message_id,
            rule="the body is the one that its digest and its encoding tell",
            remedy="look at its producer, and send it again",
        )
        origin = Origin.of(message)
        shown = shown_message(origin, message.properties, message.body)
        parts = {self._routes[message.topic].bus: _Part([], [], [])}
        [part] = parts.values()
        self._refuse(part, [reject(0, error, shown, self._limits.max_event_bytes)], origin, "")
        part.messages.append(_message(origin, 0, 1))
        return self._commit(self._blocks(parts))

    def _add(self, parts: dict[str, _Part], bus: str, decoded: Decoded) -> None:
        part = parts.get(bus)
        if part is None:
            part = parts[bus] = _Part([], [], [])
        checked = decoded.checked
        part.messages.append(_message(decoded.origin, checked.count, len(checked.rejects)))
        part.lines.append(checked.payload)
        part.events += checked.count
        if checked.rejects:
            self._refuse(part, checked.rejects, decoded.origin, decoded.content_type)

    def _refuse(self, part: _Part, rejects: Sequence[Reject], origin: Origin, content_type: str) -> None:
        self.rejected += len(rejects)
        for one in rejects:
            line = reject_line(one, content_type)
            if not self._quota.take(self._tenant, len(line)):
                # Nothing vanishes: where it came from is told, and there it can be fetched.
                line = reject_line(replace(one, data=shown_message(origin, None, b"")), content_type)
            part.rejects.append(line)

    def _blocks(self, parts: Mapping[str, _Part]) -> list[Block]:
        blocks: list[Block] = []
        for bus, part in parts.items():
            if part.rejects:
                blocks.append(self._block(BlockKind.REJECTS, bus, b"".join(part.rejects), len(part.rejects)))
            head = Received(input=self._input, messages=tuple(part.messages))
            payload = pack(head, b"".join(part.lines))
            blocks.append(self._block(BlockKind.RECEIVED, bus, payload, part.events))
        return blocks

    def _block(self, kind: BlockKind, bus: str, payload: bytes, count: int) -> Block:
        return Block(kind=kind, tenant=self._tenant, bus=bus, payload=payload, count=count)


def _message(origin: Origin, events: int, rejected: int) -> ReceivedMessage:
    return ReceivedMessage(
        events=events,
        rejected=rejected,
        topic=origin.topic,
        broker=origin.broker,
        queue_id=origin.queue_id,
        queue_offset=origin.queue_offset,
        message_id=origin.message_id,
        keys=origin.keys,
        tag=origin.tag,
        born_at=origin.born_at,
        stored_at=origin.stored_at,
        delivery_attempt=origin.delivery_attempt,
    )
