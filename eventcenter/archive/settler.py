"""The background loop that settles all open archives; runs in the server."""

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import structlog

from eventcenter.archive import settle
from eventcenter.archive.archive import Archive
from eventcenter.archive.manifest import Layout
from eventcenter.archive.pool import Archives
from eventcenter.archive.segment import Scratch
from eventcenter.priority import give_way

_log = structlog.get_logger("settler")
NICE: Final = 10
"""Of all that works on archives in the background: as the loader, which waits for what they hold."""
_LOOK_AGAIN_S: Final = 0.5
_RETRY_S: Final = 60.0
_IDLE_S: Final = 10.0
_FLOORS_TO_SETTLE: Final = 2
"""Settling needs disk before it frees any; it does not take what ingest may still use."""
_FLOORS_TO_WAIT: Final = 8
"""Fresh events take four times the disk of settled ones: where it is short, they wait for no quiet moment."""
_LOOK_ANYWAY_S: Final = 30.0
"""Deletions may leave holes in an archive that is as it was otherwise."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far settling is behind in one archive."""

    waiting_events: int
    """That could be settled and are not yet."""
    waiting_s: float
    """For how long some have been waiting, in seconds."""


@dataclass(frozen=True, kw_only=True)
class _Looked:
    """What an archive was like when there was nothing to do in it."""

    layout: Layout
    loaded_at: float
    idle: bool
    at: float

    def holds(self, now: "_Looked") -> bool:
        """Whether there is still nothing to do, unless paths were asked for."""
        return (
            self.layout is now.layout
            and (self.loaded_at, self.idle) == (now.loaded_at, now.idle)
            and now.at - self.at < _LOOK_ANYWAY_S
        )


class Settler:
    """Settles, merges and promotes, a step at a time."""

    def __init__(
        self,
        archives: Archives,
        *,
        memory_bytes: int,
        disk_floor_bytes: int = 0,
        loading: Callable[[], bool] = lambda: False,
    ) -> None:
        """`memory_bytes` is for sorting; what does not fit spills to disk.

        While `loading()`, only archives in which much waits are settled: what is received goes first.
        """
        self._archives = archives
        self._memory_bytes = memory_bytes
        self._disk_floor_bytes = disk_floor_bytes
        self._loading = loading
        self._making = threading.Lock()
        self._progress: dict[str, Progress] = {}
        self._since: dict[str, float] = {}
        self._retry_at: dict[str, float] = {}
        self._looked: dict[str, _Looked] = {}
        self.steps = 0

    @property
    def progress(self) -> Mapping[str, Progress]:
        """By tenant, of the archives that are open."""
        return MappingProxyType(dict(self._progress))

    def scratch(self) -> Scratch:
        """An instance to make a segment in; waits for others that make one, since memory is meant for one."""
        self._making.acquire()
        try:
            return Scratch(
                self._archives.scratch_folder, memory_bytes=self._memory_bytes, on_close=self._making.release
            )
        except BaseException:
            self._making.release()
            raise

    def run(self, stop: threading.Event) -> None:
        """Step until `stop` is set."""
        give_way(NICE)
        while not stop.is_set():
            if not self.step(stop):
                stop.wait(_LOOK_AGAIN_S)

    def step(self, stop: threading.Event | None = None) -> bool:
        """One step for each open archive that needs one; whether there was any."""
        worked = False
        awake = self._archives.awake()
        for tenant in self._progress.keys() - awake.keys():
            del self._progress[tenant]
            self._since.pop(tenant, None)
            self._looked.pop(tenant, None)
        for tenant, archive in awake.items():
            if stop is not None and stop.is_set():
                break
            if time.monotonic() < self._retry_at.get(tenant, 0.0):
                continue
            try:
                worked |= self._step(tenant, archive)
            except Exception:  # noqa: BLE001 whatever it is, other tenants go on
                _log.exception("an archive cannot be settled; it is tried again", tenant=tenant)
                self._retry_at[tenant] = time.monotonic() + _RETRY_S
        return worked

    def _step(self, tenant: str, archive: Archive) -> bool:
        asked = archive.save_paths()
        now, loaded_at = time.monotonic(), archive.loaded_at
        idle = now - loaded_at > _IDLE_S
        look = _Looked(layout=archive.layout(), loaded_at=loaded_at, idle=idle, at=now)
        before = self._looked.pop(tenant, None)
        if before is not None and before.holds(look) and not asked:
            self._looked[tenant] = before
            return False
        self._note(tenant, archive)
        if not self._has_room(_FLOORS_TO_SETTLE) or self._can_wait(look.layout):
            return False
        worked = settle.step(archive, self.scratch, idle=idle)
        if worked:
            self.steps += 1
            self._note(tenant, archive)
        else:
            self._looked[tenant] = look
        return worked

    def _note(self, tenant: str, archive: Archive) -> None:
        waiting = settle.waiting_events(archive)
        if not waiting:
            self._since.pop(tenant, None)
        since = self._since.setdefault(tenant, time.monotonic()) if waiting else time.monotonic()
        self._progress[tenant] = Progress(waiting_events=waiting, waiting_s=time.monotonic() - since)

    def _can_wait(self, layout: Layout) -> bool:
        """Whether what is received goes first, and neither events nor disk ask for settling meanwhile."""
        return self._loading() and not settle.much_waits(layout) and self._has_room(_FLOORS_TO_WAIT)

    def _has_room(self, floors: int) -> bool:
        """Whether so many times the disk's floor is free."""
        folder = self._archives.folder
        return not folder.exists() or shutil.disk_usage(folder).free > floors * self._disk_floor_bytes
