"""Group commit of inputs: what comes closely shares a sync, failures reach who waits, a stop keeps all."""

import threading
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from eventcenter.clock import ManualClock
from eventcenter.errors import StorageFull, Unavailable
from eventcenter.journal import Block, BlockKind, JournalReader, JournalWriter, Position
from ingest.inputs.journalling import Journalling
from tests.support.product import wait_until

APART_S = 0.019


class Watched:
    """A journal that notes when it is asked, and may be made to wait or to fail."""

    def __init__(self, writer: JournalWriter) -> None:
        self.writer = writer
        self.began: list[float] = []
        self.sizes: list[int] = []
        self.failures: list[Exception] = []
        self.open = threading.Event()
        self.open.set()

    def append(self, blocks: Sequence[Block]) -> list[Position]:
        self.began.append(time.monotonic())
        self.sizes.append(len(blocks))
        assert self.open.wait(10)
        if self.failures:
            raise self.failures.pop(0)
        return self.writer.append(blocks)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Watched]:
    writer = JournalWriter(tmp_path, clock=ManualClock())
    yield Watched(writer)
    writer.close()


@pytest.fixture
def journalling(journal: Watched) -> Iterator[Journalling]:
    made = Journalling(journal)
    made.start()
    yield made
    journal.open.set()
    made.stop()


def block(number: int) -> Block:
    return Block(kind=BlockKind.EVENTS, tenant="t", bus="default", payload=b"%d\n" % number, count=1)


def test_what_comes_during_a_sync_shares_the_next(journal: Watched, journalling: Journalling) -> None:
    journal.open.clear()
    first = journalling.commit([block(0)])
    wait_until(lambda: bool(journal.began), 10)
    others = [journalling.commit([block(number)]) for number in range(1, 6)]
    journal.open.set()
    for one in (first, *others):
        one.result(10)
    assert journal.sizes == [1, 5]


def test_syncs_keep_apart(journal: Watched, journalling: Journalling) -> None:
    for number in range(6):
        journalling.commit([block(number)]).result(10)
    assert len(journal.began) == 6
    assert all(later - former >= APART_S for former, later in pairwise(journal.began))


def test_a_failure_is_told_to_all_of_the_group_and_the_next_goes_on(
    journal: Watched, journalling: Journalling, tmp_path: Path
) -> None:
    journal.failures = [StorageFull("No room.")]
    with pytest.raises(StorageFull):
        journalling.commit([block(1)]).result(10)
    journalling.commit([block(2)]).result(10)
    blocks, _ = JournalReader(tmp_path / "main").read(1 << 20)
    assert [bytes(read.block.payload) for read in blocks] == [b"2\n"]


def test_a_stop_keeps_all_that_was_given_and_takes_nothing_more(journal: Watched) -> None:
    journalling = Journalling(journal)
    journalling.start()
    given = [journalling.commit([block(number)]) for number in range(20)]
    journalling.stop()
    assert all(one.done() for one in given)
    assert sum(journal.sizes) == 20
    with pytest.raises(Unavailable):
        journalling.commit([block(20)])
