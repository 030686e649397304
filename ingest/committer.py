"""Group commit: what arrives while one sync runs shares the next one."""

import asyncio
import copy
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from eventcenter.errors import EventCenterError, Unavailable
from eventcenter.journal import Block, BlockKind, Outcome, Position

_log = structlog.get_logger(__name__)
_GROUP_BYTES = 32 << 20
_MERGED_BYTES = 1 << 20
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


@dataclass(slots=True)
class _Entry:
    """One request's blocks, and who waits for them."""

    blocks: Sequence[Block]
    done: asyncio.Future[list[Position]]


class Committer:
    """Writes the blocks of many requests with one sync. Use within one event loop.

    While a thread appends and syncs one group, the next one gathers.
    """

    def __init__(self, journal: Journal, outcomes: Outcomes) -> None:
        self._journal = journal
        self._outcomes = outcomes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._pending: list[_Entry] = []
        self._busy = False
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
        self._pending.append(_Entry(blocks, done))
        if not self._busy:
            self._busy = True
            # Requests that were read in the same turn of the loop join this group.
            asyncio.get_running_loop().call_soon(self._next_group)
        return done

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

    def _next_group(self) -> None:
        if not self._pending:
            self._busy = False
            return
        size, taken = 0, 0
        for entry in self._pending:
            size += sum(len(block.payload) for block in entry.blocks)
            taken += 1
            if size >= _GROUP_BYTES:
                break
        group, self._pending = self._pending[:taken], self._pending[taken:]
        loop = asyncio.get_running_loop()
        append = loop.run_in_executor(self._thread, _append, self._journal, group)
        append.add_done_callback(lambda future: self._written(group, size, future))

    def _written(
        self, group: list[_Entry], size: int, append: "asyncio.Future[list[list[Position]]]"
    ) -> None:
        error = append.exception()
        if error is None:
            self._count(group, size)
            for entry, positions in zip(group, append.result(), strict=True):
                if not entry.done.done():
                    entry.done.set_result(positions)
        else:
            for entry in group:
                if not entry.done.done():
                    entry.done.set_exception(_copy(error))
        self._next_group()

    def _count(self, group: list[_Entry], size: int) -> None:
        self.groups.syncs += 1
        self.groups.requests += len(group)
        self.groups.bytes += size
        self.groups.sizes[len(group)] = self.groups.sizes.get(len(group), 0) + 1

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


def _append(journal: Journal, group: list[_Entry]) -> list[list[Position]]:
    """Append the group's blocks; per entry the positions of those that want an outcome."""
    blocks: list[Block] = []
    merged: dict[tuple[BlockKind, str, str], list[Block]] = {}
    wanted: list[list[int]] = []
    for entry in group:
        mine: list[int] = []
        for block in entry.blocks:
            if block.wants_outcome:
                mine.append(len(blocks))
                blocks.append(block)
            elif len(block.payload) >= _MERGED_BYTES:
                blocks.append(block)
            else:
                merged.setdefault((block.kind, block.tenant, block.bus), []).append(block)
        wanted.append(mine)
    for alike in merged.values():
        blocks.extend(_merge(alike))
    positions = journal.append(blocks)
    return [[positions[index] for index in mine] for mine in wanted]


def _merge(alike: list[Block]) -> list[Block]:
    """Blocks of one kind for one bus as few larger ones: the loader's work is per block."""
    if len(alike) == 1:
        return alike
    result: list[Block] = []
    run: list[Block] = []
    size = 0
    for block in alike:
        if run and size + len(block.payload) > _MERGED_BYTES:
            result.append(_join(run))
            run, size = [], 0
        run.append(block)
        size += len(block.payload)
    result.append(_join(run))
    return result


def _join(run: list[Block]) -> Block:
    return Block(
        kind=run[0].kind,
        tenant=run[0].tenant,
        bus=run[0].bus,
        payload=b"".join(block.payload for block in run),
        count=sum(block.count for block in run),
    )


def _copy(error: BaseException) -> EventCenterError:
    """The error for one of several waiters: an exception with a traceback is not shared."""
    if isinstance(error, EventCenterError):
        fresh = copy.copy(error)
        fresh.__cause__ = error
        return fresh
    _log.error("the journal failed in a way it should not", exc_info=error)
    return Unavailable("The journal cannot be written.", remedy="look at the service's log; send it again")
