"""How long it is known of gaps that they are there: as long as they are young, messages may be under way."""

import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import Final

from ingest.inputs import ledger
from ingest.inputs.ledger import Gap, GapKind, Place, Queue, Seen

LATE_S: Final = 60.0
"""A broker that got no acknowledgement hands a message out again after this time."""


class Ages:
    """Remembers since when each missing offset is seen. Any thread may ask."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, Place], list[Seen]] = {}

    def look(self, input_id: str, queues: Iterable[Queue]) -> None:
        """Take note of the gaps that are there now."""
        now = self.seconds()
        with self._lock:
            for queue in queues:
                key = input_id, (queue.topic, queue.broker, queue.queue_id)
                gaps = [gap for gap in queue.gaps if gap.kind is GapKind.MISSING]
                parts = ledger.seen(self._seen.pop(key, []), gaps, now)
                if parts:
                    self._seen[key] = parts

    def older(self, input_id: str, gap: Gap, age_s: float) -> list[tuple[int, int]]:
        """The parts of a gap, first and last offset, that are seen for so long."""
        before = self.seconds() - age_s
        with self._lock:
            parts = self._seen.get((input_id, (gap.topic, gap.broker, gap.queue_id)), [])
            return [
                (max(one.first, gap.first), min(one.last, gap.last))
                for one in parts
                if one.since <= before and one.first <= gap.last and gap.first <= one.last
            ]

    def keep(self, input_ids: Collection[str]) -> None:
        """Forget all inputs but these."""
        with self._lock:
            self._seen = {key: parts for key, parts in self._seen.items() if key[0] in input_ids}
