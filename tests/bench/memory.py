"""Memory of processes with all that they started, from /proc, sampled while something happens."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_EVERY_S = 0.1
_KIB = 1024


class Memory:
    """Samples until the block ends; then `peak` and `peaks` are bytes of resident memory.

    Pages of mapped files count too, shared ones once in each process: never less than what is really used.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self.peak = 0
        """Of all together at one moment."""
        self.peaks = dict.fromkeys(pids, 0)
        """Of each with its children; not at the same moment."""
        self.peak_private = 0
        """Of all together, without mapped files."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            found = {name: resident(pid) for name, pid in self._pids.items()}
            for name, (bytes_, _) in found.items():
                self.peaks[name] = max(self.peaks[name], bytes_)
            self.peak = max(self.peak, sum(bytes_ for bytes_, _ in found.values()))
            self.peak_private = max(self.peak_private, sum(private for _, private in found.values()))


def resident(pid: int) -> tuple[int, int]:
    """Resident bytes of a process and its descendants, and how many of them belong to no file."""
    whole = private = 0
    # Processes come and go between the looks.
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name in {"VmRSS", "RssAnon"}:
                size = int(value.split()[0]) * _KIB
                if name == "VmRSS":
                    whole += size
                else:
                    private += size
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                of_child = resident(int(child))
                whole, private = whole + of_child[0], private + of_child[1]
    return whole, private
