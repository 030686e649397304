"""The open archives: a few at once, their memory within one budget."""

import threading
from collections import OrderedDict
from pathlib import Path

from eventcenter.archive.archive import Archive

_LEAST_MEMORY = 64 << 20


class Archives:
    """All tenants' archives below one folder; thread-safe.

    At most `most_open` stay open, the longest unused sleeps first; the open ones share `memory_bytes`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        memory_bytes: int = 768 << 20,
        most_open: int = 16,
        timeout_s: float = 30,
        fresh_events: int | None = None,
    ) -> None:
        self.folder = folder
        self._memory_bytes = memory_bytes
        self._most_open = most_open
        self._timeout_s = timeout_s
        self._fresh_events = fresh_events
        self._mutex = threading.Lock()
        self._archives: OrderedDict[str, Archive] = OrderedDict()
        self._share = memory_bytes

    def tenant(self, tenant_id: str) -> Archive:
        """The tenant's archive; made on first use. `tenant_id` is the store's id."""
        if not tenant_id.isalnum():
            raise ValueError(f"not a tenant's id: {tenant_id!r}")
        with self._mutex:
            archive = self._archives.get(tenant_id)
            if archive is None:
                archive = Archive(
                    self.folder / tenant_id,
                    memory_bytes=self._share,
                    timeout_s=self._timeout_s,
                    fresh_events=self._fresh_events,
                )
                self._archives[tenant_id] = archive
            self._archives.move_to_end(tenant_id)
            self._make_room()
            return archive

    @property
    def scratch_folder(self) -> Path:
        """Where settling may spill: beside the tenants' folders, never among their files."""
        return self.folder.parent / "tmp" / "settling"

    def awake(self) -> dict[str, Archive]:
        """The open archives by tenant."""
        with self._mutex:
            return {name: archive for name, archive in self._archives.items() if archive.is_open}

    def checkpoint(self) -> None:
        """Checkpoint all open archives; for idle moments."""
        for archive in self.awake().values():
            archive.checkpoint()

    def close(self) -> None:
        """Close all."""
        with self._mutex:
            for archive in self._archives.values():
                archive.close()
            self._archives.clear()

    def _make_room(self) -> None:
        awake = [archive for archive in self._archives.values() if archive.is_open]
        for archive in awake[: max(0, len(awake) - self._most_open)]:
            archive.sleep()
        awake = [archive for archive in awake if archive.is_open]
        # In powers of two: each change of the share opens the archives again.
        sharing = 1 << (max(1, min(len(awake), self._most_open)) - 1).bit_length()
        share = max(_LEAST_MEMORY, self._memory_bytes // sharing)
        if share != self._share:
            self._share = share
            for archive in self._archives.values():
                archive.set_memory(share)
