"""Group commit: what arrives while one sync runs shares the next one."""

import asyncio
import copy
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from eventcenter.errors import EventCenterError, Unavailable
from eventcenter.journal import Block, BlockKind, Outcome, Position

_log = structlog.get_logger(__name__)
_GROUP_BYTES = 32 << 20
_MERGED_BYTES = 1 << 20
_LONG_SYNC_S = 0.003
_PART_OF_SYNC = 0.25
_PAUSE_S = 0.001
_CROWD = 8
"""Requests in a group, from which on the next one gathers a moment longer too: each has a price."""
_POLL_S = 0.005
_RECENT = 8192


class Journal(Protocol):
    """The part of the journal's writer that is needed here."""

    def append(self, blocks: Sequence[Block]) -> list[Position]:
        """Append and sync; blocks. Raises Busy, StorageFull, Unavailable."""
        ...


class Outcomes(Protocol):
    """The part of the outcomes' reader that is needed here."""

    def poll(self) -> list[Outcome]:
        """The outcomes since the last call."""
        ...


@dataclass(slots=True)
class Groups:
    """Counts for the metrics."""

    syncs: int = 0
    requests: int = 0
    bytes: int = 0
    sizes: dict[int, int] = field(default_factory=dict)
    """Syncs by the number of requests that shared them."""


Told = Callable[[EventCenterError | None], None]
"""Called when it is durable, or with why it is not kept."""


@dataclass(slots=True)
class _Entry:
    """One request's blocks, and who waits for them."""

    blocks: Sequence[Block]
    done: asyncio.Future[list[Position]]


@dataclass(slots=True)
class _Group:
    """What shares a sync."""

    entries: list[_Entry] = field(default_factory=list)
    lines: dict[tuple[str, str], list[bytes]] = field(default_factory=dict)
    """Single events by tenant and bus."""
    told: list[Told] = field(default_factory=list)
    """Who waits for the lines."""
    bytes: int = 0

    @property
    def requests(self) -> int:
        return len(self.entries) + len(self.told)


class Committer:
    """Writes the blocks of many requests with one sync. Use within one event loop.

    While a thread appends and syncs one group, the next one gathers. Where syncs take long, it gathers a
    quarter of that time longer, and where many post a millisecond, because those who were just answered send
    again at once: else they would make two groups that take turns, each with half of the requests.
    """

    def __init__(self, journal: Journal, outcomes: Outcomes) -> None:
        self._journal = journal
        self._outcomes = outcomes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._gathering = _Group()
        self._full: deque[_Group] = deque()
        self._busy = False
        self._delayed: asyncio.TimerHandle | None = None
        self._wanted = 0
        self._waiting: dict[Position, asyncio.Future[Outcome]] = {}
        self._recent: OrderedDict[Position, Outcome] = OrderedDict()
        self._polling: asyncio.Task[None] | None = None
        self.groups = Groups()

    def commit(self, blocks: Sequence[Block]) -> asyncio.Future[list[Position]]:
        """A future that is done when all the blocks are durable.

        Its result are the positions of those blocks that want an outcome; it raises what the journal raises,
        and then none of the blocks is kept.
        """
        done: asyncio.Future[list[Position]] = asyncio.get_running_loop().create_future()
        self._gathering.entries.append(_Entry(blocks, done))
        self._gathered(sum(len(block.payload) for block in blocks))
        return done

    def commit_line(self, tenant: str, bus: str, line: bytes, told: Told) -> None:
        """The short way for one event's journal line: nothing is made for it but its place in the group.

        `told` is called in the event loop; it must not raise.
        """
        group = self._gathering
        lines = group.lines.get((tenant, bus))
        if lines is None:
            group.lines[tenant, bus] = [line]
        else:
            lines.append(line)
        group.told.append(told)
        self._gathered(len(line))

    async def outcome(self, position: Position, timeout_s: float) -> Outcome | None:
        """What became of the block at `position`; None where the loader did not say in time."""
        known = self._recent.pop(position, None)
        if known is not None:
            return known
        future = self._waiting.setdefault(position, asyncio.get_running_loop().create_future())
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll())
        try:
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(position, None)

    def close(self) -> None:
        """End the thread; what it writes at the moment is finished."""
        self._thread.shutdown(wait=True)

    def _gathered(self, size: int) -> None:
        group = self._gathering
        group.bytes += size
        if group.bytes >= _GROUP_BYTES:
            self._full.append(group)
            self._gathering = _Group()
        if self._delayed is not None:
            if self._gathering.requests >= self._wanted or self._full:
                self._delayed.cancel()
                self._next_group()
        elif not self._busy:
            self._busy = True
            # Requests that were read in the same turn of the loop join this group.
            asyncio.get_running_loop().call_soon(self._next_group)

    def _next_group(self) -> None:
        self._delayed = None
        if self._full:
            group = self._full.popleft()
        elif self._gathering.requests:
            group, self._gathering = self._gathering, _Group()
        else:
            self._busy = False
            return
        self._thread.submit(self._write, group, asyncio.get_running_loop())

    def _write(self, group: _Group, loop: asyncio.AbstractEventLoop) -> None:
        """In the thread: append and sync."""
        positions: list[list[Position]] = []
        error: BaseException | None = None
        start = time.monotonic()
        try:
            positions = _append(self._journal, group)
        except BaseException as raised:  # noqa: BLE001 told to those who wait
            error = raised
        took = time.monotonic() - start
        loop.call_soon_threadsafe(self._written, group, positions, error, took)

    def _written(
        self, group: _Group, positions: Sequence[list[Position]], error: BaseException | None, took: float
    ) -> None:
        waiting = self._gathering.requests
        pause = took * _PART_OF_SYNC if took > _LONG_SYNC_S else None
        if group.requests >= _CROWD:
            pause = max(pause or 0.0, _PAUSE_S)
        if pause is not None and waiting and not self._full:
            self._wanted = waiting + group.requests
            self._delayed = asyncio.get_running_loop().call_later(pause, self._next_group)
        else:
            # The thread writes while this group is answered.
            self._next_group()
        if error is None:
            self._count(group)
            for told in group.told:
                told(None)
            for entry, found in zip(group.entries, positions, strict=True):
                if not entry.done.done():
                    entry.done.set_result(found)
        else:
            for told in group.told:
                told(failure_for_one(error))
            for entry in group.entries:
                if not entry.done.done():
                    entry.done.set_exception(failure_for_one(error))

    def _count(self, group: _Group) -> None:
        self.groups.syncs += 1
        self.groups.requests += group.requests
        self.groups.bytes += group.bytes
        self.groups.sizes[group.requests] = self.groups.sizes.get(group.requests, 0) + 1

    async def _poll(self) -> None:
        while self._waiting:
            for outcome in self._outcomes.poll():
                waiting = self._waiting.get(outcome.position)
                if waiting is None:
                    # The loader may be faster than the word that the block is written.
                    self._recent[outcome.position] = outcome
                elif not waiting.done():
                    waiting.set_result(outcome)
            while len(self._recent) > _RECENT:
                self._recent.popitem(last=False)
            await asyncio.sleep(_POLL_S)


def _append(journal: Journal, group: _Group) -> list[list[Position]]:
    """Append the group's blocks; per entry the positions of those that want an outcome."""
    blocks: list[Block] = []
    merged: dict[tuple[BlockKind, str, str], list[tuple[bytes, int]]] = {
        (BlockKind.EVENTS, tenant, bus): _joined(lines) for (tenant, bus), lines in group.lines.items()
    }
    wanted: list[list[int]] = []
    for entry in group.entries:
        mine: list[int] = []
        for block in entry.blocks:
            if block.wants_outcome:
                mine.append(len(blocks))
                blocks.append(block)
            elif block.kind is BlockKind.RECEIVED or len(block.payload) >= _MERGED_BYTES:
                # The payload of the first has a head, so it cannot be one with another's.
                blocks.append(block)
            else:
                merged.setdefault((block.kind, block.tenant, block.bus), []).append(
                    (block.payload, block.count)
                )
        wanted.append(mine)
    for (kind, tenant, bus), parts in merged.items():
        blocks.extend(
            Block(kind=kind, tenant=tenant, bus=bus, payload=payload, count=count)
            for payload, count in _merge(parts)
        )
    positions = journal.append(blocks)
    return [[positions[index] for index in mine] for mine in wanted]


def _joined(lines: list[bytes]) -> list[tuple[bytes, int]]:
    """Payloads and counts of single events: mostly one payload of all."""
    if sum(map(len, lines)) <= _MERGED_BYTES:
        return [(b"".join(lines), len(lines))]
    return [(line, 1) for line in lines]


def _merge(parts: list[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    """Payloads and counts for one bus as few larger ones: the loader's work is per block."""
    run: list[bytes] = []
    size = lines = 0
    for payload, count in parts:
        if run and size + len(payload) > _MERGED_BYTES:
            yield b"".join(run), lines
            run, size, lines = [], 0, 0
        run.append(payload)
        size += len(payload)
        lines += count
    yield b"".join(run), lines


def failure_for_one(error: BaseException) -> EventCenterError:
    """Why the journal did not append, for one of several waiters: one with a traceback is not shared."""
    if isinstance(error, EventCenterError):
        fresh = copy.copy(error)
        fresh.__cause__ = error
        return fresh
    _log.error("the journal failed in a way it should not", exc_info=error)
    return Unavailable("The journal cannot be written.", remedy="look at the service's log; send it again")
