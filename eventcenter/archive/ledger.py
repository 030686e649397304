"""The ledger as it is read: what an input received, as ranges of offsets (entries.py writes them)."""

from dataclasses import dataclass
from datetime import datetime

from eventcenter.archive.archive import Reader


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerRange:
    """Offsets from `first_offset` up to and with `last_offset`, and how many messages had which outcome."""

    topic: str
    broker: str
    queue_id: int
    first_offset: int
    last_offset: int
    stored: int
    duplicates: int
    rejected: int
    empty: int
    first_stored_at: datetime | None
    """When the broker stored the first of these messages; None where it did not tell."""
    last_stored_at: datetime | None

    @property
    def messages(self) -> int:
        """How many messages were received."""
        return self.stored + self.duplicates + self.rejected + self.empty

    @property
    def missing(self) -> int:
        """How many offsets of it were not received."""
        return self.last_offset - self.first_offset + 1 - self.messages


def ranges(reader: Reader, input_id: str) -> list[LedgerRange]:
    """What was received by an input, by topic, broker, queue and offset."""
    rows = reader.rows(
        "SELECT topic, broker, queue_id, first_offset, last_offset, stored, duplicates, rejected, empty,"
        " first_stored_at, last_stored_at FROM ledger WHERE input = ?"
        " ORDER BY topic, broker, queue_id, first_offset",
        [input_id],
    )
    return [LedgerRange(**row) for row in rows]
