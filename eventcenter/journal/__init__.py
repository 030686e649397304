"""The journal: what was acknowledged, in files, until it is in an archive.

One folder per writer (an ingest service), read by the loader. `docs/decisions/0001-journal.md` has the why.
"""

from eventcenter.journal.format import Block, BlockKind, Position, ReadBlock
from eventcenter.journal.outcomes import Outcome, OutcomeReader, OutcomeWriter
from eventcenter.journal.reader import Damage, JournalReader, used_bytes
from eventcenter.journal.received import Received, ReceivedMessage, lines_of, pack, unpack
from eventcenter.journal.scout import JournalScout
from eventcenter.journal.writer import JournalWriter

__all__ = [
    "Block",
    "BlockKind",
    "Damage",
    "JournalReader",
    "JournalScout",
    "JournalWriter",
    "Outcome",
    "OutcomeReader",
    "OutcomeWriter",
    "Position",
    "ReadBlock",
    "Received",
    "ReceivedMessage",
    "lines_of",
    "pack",
    "unpack",
    "used_bytes",
]
