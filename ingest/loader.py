"""Journal → archives, exactly once; runs in the server.

Each tenant's archive remembers how far it has loaded each journal, in the transaction that loads. So a
crash at any point loads nothing twice and skips nothing: the blocks are read again, and those at or
before the position are passed over. A journal file goes when all its blocks are in archives.
"""

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog

from eventcenter.archive import Archive, Archives, Poison, table_of
from eventcenter.archive.load import Reject
from eventcenter.clock import Clock, from_micros
from eventcenter.journal import (
    BlockKind,
    Damage,
    JournalReader,
    JournalScout,
    Outcome,
    OutcomeWriter,
    Position,
    ReadBlock,
    used_bytes,
)
from eventcenter.priority import give_way

_log = structlog.get_logger("loader")
_LOOK_AGAIN_S = 0.01
_GATHER_S = 0.05
_LONGEST_GATHER_S = 0.12
_PART_OF_STEP = 4
_GATHER_MANY_S = 0.4
_MANY = 500
"""Events in a step, from which on more are gathered for the next, unless somebody waits for the outcome."""
_RETRY_S = 2.0
_IDLE_CHECKPOINT_S = 5.0
_NICE = 10
_REJECT_BYTES = 256 << 10
_LEAST_EVENTS = 12_288
"""In a batch, where there is a backlog: the archive writes more than a row group of it at once for less."""
_READS_OF_LONG = 2
"""Times that long events are read further for that: a batch of them is three times as long at most."""
_RETRIED_PARTS = 16
_LIGHT_BYTES = 2 << 20
"""A tenant with more than this in a batch, or ahead of it, waits for its turn."""


@dataclass(kw_only=True)
class _Batch:
    """What was read from a journal."""

    blocks: list[ReadBlock]
    damages: list[Damage]
    by_tenant: dict[str, list[ReadBlock]]
    tables: dict[str, Any]
    """By tenant, `table_of` its blocks where that was made ahead."""

    @property
    def bytes(self) -> int:
        return _bytes(self.blocks)


@dataclass(kw_only=True)
class _Journal:
    """One writer's folder on its way into the archives."""

    folder: Path
    reader: JournalReader
    outcomes: OutcomeWriter
    ahead: Future[_Batch] | None = None
    """What is being read while the batch before is loaded."""
    behind: bool = False
    """Whether more waited than fits in a load when it was looked at last."""
    scout: JournalScout | None = None
    """Looks behind a backlog for the few blocks of other tenants."""
    passed: set[str] = field(default_factory=set)
    """Tenants of which the scout passed over a block: theirs are loaded in order, by the reader."""
    file: int = 0
    """Those before it were released when there was nothing more to read."""

    @property
    def name(self) -> str:
        return self.folder.name

    def next_batch(self, max_bytes: int) -> _Batch:
        """The next blocks: those that were read ahead, or read now."""
        if self.ahead is None:
            return self.read(max_bytes)
        ahead, self.ahead = self.ahead, None
        return ahead.result()

    def read(self, max_bytes: int) -> _Batch:
        blocks, damages = self.reader.read(max_bytes)
        for _ in range(_READS_OF_LONG):
            events = sum(block.block.count for block in blocks)
            if events >= _LEAST_EVENTS or _bytes(blocks) <= max_bytes // 2:
                break
            more, further = self.reader.read(max_bytes)
            blocks, damages = blocks + more, damages + further
        by_tenant: dict[str, list[ReadBlock]] = {}
        for block in blocks:
            by_tenant.setdefault(block.block.tenant, []).append(block)
        return _Batch(blocks=blocks, damages=damages, by_tenant=by_tenant, tables={})

    def begin_again(self) -> None:
        """Go back to the oldest file; what is loaded is passed over, by its position."""
        self.reader, self.ahead, self.scout = JournalReader(self.folder), None, None

    def read_ahead(self, max_bytes: int) -> _Batch:
        """As `read`, with all work done that needs no archive."""
        batch = self.read(max_bytes)
        batch.tables = {tenant: table_of(blocks) for tenant, blocks in batch.by_tenant.items()}
        return batch


@dataclass(kw_only=True)
class _Stuck:
    """A tenant whose archive refused a load for a passing reason: a full disk, a lack of memory."""

    first: dict[str, Position]
    """By writer, the first block that is still to be loaded."""
    since: int
    retry_at: float


class Loader:
    """Moves blocks from all writers' journals; `step` is not thread-safe, the rest is."""

    def __init__(
        self,
        folder: Path,
        archives: Archives,
        *,
        clock: Clock,
        batch_bytes: int = 48 << 20,
        disk_floor_bytes: int = 0,
        on_loaded: Callable[[str], None] = lambda _tenant: None,
    ) -> None:
        """`on_loaded` is called with a tenant's id after each commit.

        With less free disk than `disk_floor_bytes` archives are checkpointed after each load: what they log
        takes several times the space of what they hold, and the journal goes away only as they grow.
        """
        self._folder = folder
        self._archives = archives
        self._clock = clock
        self._batch_bytes = batch_bytes
        self._disk_floor_bytes = disk_floor_bytes
        self._on_loaded = on_loaded
        self._journals: dict[str, _Journal] = {}
        self._stuck: dict[str, _Stuck] = {}
        self._oldest: dict[str, int] = {}
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="loader-reads")
        self._waited_for = False
        """Whether somebody waited for the outcome of a block in the last step."""
        self.loaded_events = 0
        self.damages = 0

    def run(self, stop: threading.Event) -> None:
        """Step until `stop` is set; an error is logged and the step tried again."""
        # Who posts is waiting, an archive is not.
        give_way(_NICE)
        idle_since: float | None = None
        while not stop.is_set():
            began, before = time.monotonic(), self.loaded_events
            try:
                worked = self.step()
            except Exception:  # noqa: BLE001 whatever it is, the loader goes on
                _log.exception("a step of the loader failed; it is tried again")
                stop.wait(_RETRY_S)
                continue
            if worked:
                idle_since = None
                if not any(journal.ahead for journal in self._journals.values()):
                    # No backlog: what comes in the next moment shares a transaction.
                    stop.wait(self._gather_s(time.monotonic() - began, self.loaded_events - before))
                continue
            now = time.monotonic()
            idle_since = idle_since or now
            if now - idle_since >= _IDLE_CHECKPOINT_S:
                self._archives.checkpoint()
                idle_since = now
            stop.wait(_LOOK_AGAIN_S)
        self._readers.shutdown()
        for journal in self._journals.values():
            journal.outcomes.close()
        self._journals.clear()

    def _gather_s(self, took: float, events: int) -> float:
        """How long to gather after a step: each has a price, whatever it holds."""
        if events >= _MANY and not self._waited_for:
            return _GATHER_MANY_S
        return min(max(_GATHER_S, _PART_OF_STEP * took), _LONGEST_GATHER_S)

    def step(self) -> bool:
        """Load what each journal holds, at most one batch of each; whether there was anything."""
        self._find_journals()
        self._waited_for = False
        worked = False
        for journal in self._journals.values():
            try:
                worked |= self._retry_stuck(journal)
                worked |= self._load_next(journal)
            except BaseException:
                # What was read and is not loaded must not be taken for done.
                journal.begin_again()
                raise
        return worked

    def lag_s(self, tenant_id: str | None = None) -> float:
        """Age in seconds of the oldest block being loaded or stuck, of one tenant or of all; else 0."""
        oldest = dict(self._oldest) | {tenant: stuck.since for tenant, stuck in self._stuck.items()}
        stamps = [at for tenant, at in oldest.items() if tenant_id in {None, tenant}]
        if not stamps:
            return 0.0
        return max(0.0, (self._clock.now() - from_micros(min(stamps))).total_seconds())

    def stuck(self) -> list[str]:
        """Tenants whose archive cannot be loaded at the moment."""
        return list(self._stuck)

    def behind(self) -> bool:
        """Whether events come faster than they are archived, or did and still wait."""
        return any(journal.behind for journal in list(self._journals.values()))

    def journal_bytes(self) -> int:
        """Bytes that stand in all journal files; what is zeroed ahead does not count."""
        return sum(used_bytes(journal.folder) for journal in list(self._journals.values()))

    def _find_journals(self) -> None:
        if not self._folder.exists():
            return
        for folder in sorted(self._folder.iterdir()):
            if folder.name not in self._journals and (folder / "id").exists():
                self._journals[folder.name] = _Journal(
                    folder=folder, reader=JournalReader(folder), outcomes=OutcomeWriter(folder)
                )

    def _load_next(self, journal: _Journal) -> bool:
        batch = journal.next_batch(self._batch_bytes)
        journal.behind = batch.bytes > self._batch_bytes // 2
        for damage in batch.damages:
            self._quarantine(damage)
        if not batch.blocks:
            self._release_passed(journal)
            return bool(batch.damages)
        if journal.behind:
            # The next batch is read and split on one processor while this one is loaded on the other.
            journal.ahead = self._readers.submit(journal.read_ahead, self._batch_bytes)
        self._oldest = {tenant: theirs[0].received_at for tenant, theirs in batch.by_tenant.items()}
        heavy = {tenant for tenant, theirs in batch.by_tenant.items() if _bytes(theirs) > _LIGHT_BYTES}
        light = batch.by_tenant.keys() - heavy
        try:
            self._load_all(journal, batch, [tenant for tenant in batch.by_tenant if tenant in light])
            if journal.ahead is not None:
                self._load_behind(journal, batch.blocks[-1].position, heavy)
            self._load_all(journal, batch, [tenant for tenant in batch.by_tenant if tenant in heavy])
        finally:
            self._oldest = {}
        self._release(journal, batch.blocks[-1].position)
        return True

    def _load_all(self, journal: _Journal, batch: _Batch, tenants: Sequence[str]) -> None:
        for tenant in tenants:
            theirs = batch.by_tenant[tenant]
            if tenant in self._stuck:
                self._stuck[tenant].first.setdefault(journal.name, theirs[0].position)
            else:
                self._load(journal, tenant, theirs, batch.tables.get(tenant))
            self._oldest.pop(tenant, None)

    def _load_behind(self, journal: _Journal, after: Position, heavy: set[str]) -> None:
        """Load what tenants other than those who fill the journal have in it behind the batch.

        So they do not wait for the backlog. The reader comes to these blocks later and they are passed
        over, as a tenant's archive knows how far it was loaded.
        """
        if journal.scout is None or journal.scout.position <= after:
            journal.scout, journal.passed = JournalScout(journal.folder, after), set()
        journal.passed |= heavy | self._stuck.keys()
        by_tenant: dict[str, list[ReadBlock]] = {}
        for block in journal.scout.look(journal.passed, _LIGHT_BYTES):
            by_tenant.setdefault(block.block.tenant, []).append(block)
        for tenant, theirs in by_tenant.items():
            self._load(journal, tenant, theirs)
            if tenant in self._stuck:
                journal.passed.add(tenant)

    def _load(self, journal: _Journal, tenant: str, blocks: Sequence[ReadBlock], table: Any = None) -> None:
        journal_id = journal.reader.journal_id or b""
        try:
            archive = self._archives.tenant(tenant)
            outcomes = _load_or_bisect(
                archive,
                journal_id,
                journal.name,
                blocks,
                table=table,
                behind=journal.behind and _bytes(blocks) > _LIGHT_BYTES,
            )
        except Exception:  # noqa: BLE001 whatever it is, other tenants go on
            _log.exception("an archive cannot be loaded; its events wait in the journal", tenant=tenant)
            stuck = self._stuck.setdefault(
                tenant, _Stuck(first={}, since=blocks[0].received_at, retry_at=0.0)
            )
            stuck.first.setdefault(journal.name, blocks[0].position)
            stuck.retry_at = time.monotonic() + _RETRY_S
            return
        if shutil.disk_usage(self._folder).free < self._disk_floor_bytes:
            self._make_room(tenant)
        self.loaded_events += sum(outcome.stored for outcome in outcomes)
        self._tell(journal, archive, journal_id, blocks, outcomes)
        self._on_loaded(tenant)

    def _tell(
        self,
        journal: _Journal,
        archive: Archive,
        journal_id: bytes,
        blocks: Sequence[ReadBlock],
        outcomes: Sequence[Outcome],
    ) -> None:
        waited = {block.position for block in blocks if block.block.wants_outcome}
        if not waited:
            return
        self._waited_for = True
        told = [outcome for outcome in outcomes if outcome.position in waited]
        missing = waited - {outcome.position for outcome in told}
        if missing:
            told += archive.known_outcomes(journal_id, sorted(missing))
        journal.outcomes.write(told)

    def _retry_stuck(self, journal: _Journal) -> bool:
        """Read again, from the oldest file, what stuck tenants still need."""
        now = time.monotonic()
        due = [
            tenant
            for tenant, stuck in self._stuck.items()
            if journal.name in stuck.first and stuck.retry_at <= now
        ]
        for tenant in due:
            stuck = self._stuck.pop(tenant)
            self._make_room(tenant)
            again = JournalReader(journal.folder)
            while tenant not in self._stuck:
                # Little at a time: what was refused may have been too much for the disk or the memory.
                blocks, _ = again.read(self._batch_bytes // _RETRIED_PARTS)
                theirs = [
                    block
                    for block in blocks
                    if block.block.tenant == tenant and block.position < journal.reader.next_position
                ]
                if theirs:
                    self._load(journal, tenant, theirs)
                if not blocks or blocks[-1].position >= journal.reader.next_position:
                    break
            others = {name: place for name, place in stuck.first.items() if name != journal.name}
            if others:
                waiting = self._stuck.setdefault(
                    tenant, _Stuck(first={}, since=stuck.since, retry_at=stuck.retry_at)
                )
                waiting.first |= others
        return bool(due)

    def _make_room(self, tenant: str) -> None:
        """Empty the archive's log, which takes several times the space of what it holds."""
        try:
            self._archives.tenant(tenant).checkpoint()
        except Exception:  # noqa: BLE001 the load that follows says what is wrong
            _log.warning("an archive cannot be checkpointed", tenant=tenant, exc_info=True)

    def _release_passed(self, journal: _Journal) -> None:
        """All that stands before the reader's file is loaded, also where that file is still empty."""
        file = journal.reader.next_position.file
        if file != journal.file:
            self._release(journal, journal.reader.next_position)
            journal.file = file

    def _release(self, journal: _Journal, through: Position) -> None:
        held = [stuck.first[journal.name] for stuck in self._stuck.values() if journal.name in stuck.first]
        journal.reader.release(min([through, *held]))

    def _quarantine(self, damage: Damage) -> None:
        """Keep damaged bytes aside for a person to look at; they were never whole or are no longer."""
        self.damages += 1
        folder = damage.path.parent / "damaged"
        folder.mkdir(exist_ok=True, mode=0o700)
        copy = folder / f"{damage.path.stem}-{damage.start}.bin"
        with damage.path.open("rb") as file:
            file.seek(damage.start)
            copy.write_bytes(file.read(damage.end - damage.start))
        _log.error("the journal is damaged; the bytes were kept aside", file=str(copy))


def _bytes(blocks: Sequence[ReadBlock]) -> int:
    return sum(len(block.block.payload) for block in blocks)


def _load_or_bisect(
    archive: Archive,
    journal_id: bytes,
    writer: str,
    blocks: Sequence[ReadBlock],
    *,
    table: Any = None,
    behind: bool = False,
) -> list[Outcome]:
    """Load; where a poison block is among them, halve until it stands alone, and salvage its good lines."""
    try:
        return archive.load(journal_id, writer, blocks, table=table, behind=behind)
    except Poison as poison:
        if len(blocks) > 1:
            middle = len(blocks) // 2
            return [
                *_load_or_bisect(archive, journal_id, writer, blocks[:middle]),
                *_load_or_bisect(archive, journal_id, writer, blocks[middle:]),
            ]
        _log.exception("a poison block; its readable events are loaded", tenant=blocks[0].block.tenant)
        return _salvage(archive, journal_id, writer, blocks[0], str(poison))


def _salvage(archive: Archive, journal_id: bytes, writer: str, block: ReadBlock, error: str) -> list[Outcome]:
    if block.block.kind is not BlockKind.REJECTS:
        try:
            lines, rejects = archive.readable(block)
            # Without what a RECEIVED block tells of its messages: that may be what cannot be read.
            events = replace(block.block, kind=BlockKind.EVENTS, payload=b"".join(lines), count=len(lines))
            return archive.load(journal_id, writer, [replace(block, block=events)], rejects=rejects)
        except (Poison, ValueError) as again:
            error = str(again)
    whole = Reject(
        bus=block.block.bus,
        received_at=block.received_at,
        reason="unreadable",
        error=f"the journal's block cannot be read: {error}",
        bytes=block.block.payload[:_REJECT_BYTES],
    )
    empty = replace(block, block=replace(block.block, kind=BlockKind.EVENTS, payload=b"", count=0))
    return archive.load(journal_id, writer, [empty], rejects=[whole])
