"""Parts of the service by themselves: group commit, the quota, gzip within its bound."""

import asyncio
import gzip
import threading
import tracemalloc
from collections.abc import Sequence

import pytest

from eventcenter.errors import Busy, InvalidInput, TooLarge, Unavailable
from eventcenter.journal import Block, BlockKind, Outcome, Position
from ingest import committer as committer_module
from ingest.body import unpack
from ingest.committer import Committer
from ingest.quota import RejectQuota


class Journal:
    """Keeps what is appended; the first append waits for `go`."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.go = threading.Event()
        self.groups: list[list[Block]] = []
        self.error = error

    def append(self, blocks: Sequence[Block]) -> list[Position]:
        self.go.wait(20)
        if self.error is not None:
            raise self.error
        self.groups.append(list(blocks))
        return [Position(len(self.groups), index) for index in range(len(blocks))]


class Outcomes:
    """Tells what it is given, once."""

    def __init__(self, *found: Outcome) -> None:
        self.found = list(found)

    def poll(self) -> list[Outcome]:
        found, self.found = self.found, []
        return found


def block(bus: str, line: bytes, *, wants: bool = False, kind: BlockKind = BlockKind.EVENTS) -> Block:
    return Block(kind=kind, tenant="t", bus=bus, payload=line, count=1, wants_outcome=wants)


def test_what_comes_during_a_sync_shares_the_next_one() -> None:
    journal = Journal()

    async def post() -> list[list[Position]]:
        committer = Committer(journal, Outcomes())
        first = committer.commit([block("a", b"1\n")])
        await asyncio.sleep(0)
        later = [
            committer.commit([block("a", b"2\n")]),
            committer.commit([block("b", b"3\n", wants=True)]),
            committer.commit([block("a", b"4\n"), block("a", b"bad\n", kind=BlockKind.REJECTS)]),
        ]
        journal.go.set()
        positions = await asyncio.gather(first, *later)
        committer.close()
        assert committer.groups.sizes == {1: 1, 3: 1}
        return positions

    positions = asyncio.run(post())
    first, second = journal.groups
    assert [found.payload for found in first] == [b"1\n"]
    # Blocks of one bus are merged, except where somebody waits for one's outcome.
    assert {(found.bus, found.payload, found.count, found.kind) for found in second} == {
        ("a", b"2\n4\n", 2, BlockKind.EVENTS),
        ("b", b"3\n", 1, BlockKind.EVENTS),
        ("a", b"bad\n", 1, BlockKind.REJECTS),
    }
    assert positions == [[], [], [Position(2, 0)], []]


def test_single_lines_share_blocks_with_what_else_comes_for_their_bus() -> None:
    journal = Journal()
    told: list[object] = []

    async def post() -> None:
        committer = Committer(journal, Outcomes())
        for tenant, bus, line in (
            ("t", "a", b"1\n"),
            ("t", "b", b"2\n"),
            ("u", "a", b"3\n"),
            ("t", "a", b"4\n"),
        ):
            committer.commit_line(tenant, bus, line, told.append)
        blocks = committer.commit([block("a", b"5\n"), block("a", b"bad\n", kind=BlockKind.REJECTS)])
        journal.go.set()
        assert await blocks == []
        committer.close()
        assert committer.groups.sizes == {5: 1}
        assert committer.groups.bytes == 14

    asyncio.run(post())
    (group,) = journal.groups
    assert {(each.tenant, each.bus, each.kind, each.payload, each.count) for each in group} == {
        ("t", "a", BlockKind.EVENTS, b"1\n4\n5\n", 3),
        ("t", "b", BlockKind.EVENTS, b"2\n", 1),
        ("u", "a", BlockKind.EVENTS, b"3\n", 1),
        ("t", "a", BlockKind.REJECTS, b"bad\n", 1),
    }
    assert told == [None] * 4


def test_blocks_of_received_messages_stay_as_they_are() -> None:
    journal = Journal()
    journal.go.set()

    async def post() -> None:
        committer = Committer(journal, Outcomes())
        kind = BlockKind.RECEIVED
        await asyncio.gather(
            committer.commit([block("a", b"head 1", kind=kind)]),
            committer.commit([block("a", b"1\n"), block("a", b"head 2", kind=kind)]),
            committer.commit([block("a", b"2\n")]),
        )
        committer.close()

    asyncio.run(post())
    found = [(each.kind, each.payload, each.count) for group in journal.groups for each in group]
    assert sorted(found) == [
        (BlockKind.EVENTS, b"1\n2\n", 2),
        (BlockKind.RECEIVED, b"head 1", 1),
        (BlockKind.RECEIVED, b"head 2", 1),
    ]


def test_a_line_is_told_when_it_is_written_and_not_before() -> None:
    journal = Journal()

    async def post() -> None:
        committer = Committer(journal, Outcomes())
        told = asyncio.Event()
        committer.commit_line("t", "a", b"1\n", lambda _error: told.set())
        for _ in range(5):
            await asyncio.sleep(0)
        assert not told.is_set()
        assert not journal.groups
        journal.go.set()
        await asyncio.wait_for(told.wait(), 20)
        assert len(journal.groups) == 1
        committer.close()

    asyncio.run(post())


@pytest.mark.parametrize("comes_back", [True, False])
@pytest.mark.parametrize("changes", [{"_LONG_SYNC_S": -1.0}, {"_CROWD": 2}], ids=["a long sync", "a crowd"])
def test_those_who_were_answered_share_the_next_group(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, float], comes_back: bool
) -> None:
    # Either only the requests end the wait, or only the time.
    length = {"_PART_OF_SYNC": 1e6, "_PAUSE_S": 60.0} if comes_back else {"_PART_OF_SYNC": 0.0}
    for name, value in (changes | length).items():
        monkeypatch.setattr(committer_module, name, value)
    journal = Journal()

    async def post() -> None:
        committer = Committer(journal, Outcomes())
        done = asyncio.Event()

        def send_again(_error: object) -> None:
            if comes_back:
                asyncio.get_running_loop().call_soon(committer.commit_line, "t", "a", b"again\n", print)

        for _ in range(2):
            committer.commit_line("t", "a", b"first\n", send_again)
        for _ in range(2):
            await asyncio.sleep(0)
        assert not committer._gathering.told
        committer.commit_line("t", "a", b"late\n", lambda _error: done.set())
        journal.go.set()
        await asyncio.wait_for(done.wait(), 20)
        committer.close()

    asyncio.run(post())
    again = b"again\n" * 2 if comes_back else b""
    assert [group[0].payload for group in journal.groups] == [b"first\n" * 2, b"late\n" + again]


def test_groups_and_blocks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer_module, "_GROUP_BYTES", 100)
    monkeypatch.setattr(committer_module, "_MERGED_BYTES", 40)
    journal = Journal()
    journal.go.set()
    told: list[object] = []

    async def post() -> None:
        committer = Committer(journal, Outcomes())
        for n in range(20):
            committer.commit_line("t", "a", b"%019d\n" % n, told.append)
        await committer.commit([block("a", b"end\n")])
        committer.close()

    asyncio.run(post())
    assert [[len(each.payload) for each in group] for group in journal.groups] == [[40, 40, 20]] * 4 + [[4]]
    assert b"".join(each.payload for group in journal.groups for each in group) == b"".join(
        [*(b"%019d\n" % n for n in range(20)), b"end\n"]
    )
    assert told == [None] * 20


@pytest.mark.parametrize(
    ("error", "told"), [(Busy("full", retry_after=7), Busy), (RuntimeError("a bug"), Unavailable)]
)
def test_failed_group_tells_each_of_its_requests(error: BaseException, told: type[Exception]) -> None:
    journal = Journal(error)
    journal.go.set()

    async def post() -> list[object]:
        committer = Committer(journal, Outcomes())
        lines: list[object] = []
        for _ in range(2):
            committer.commit_line("t", "a", b"1\n", lines.append)
        answers = await asyncio.gather(
            *(committer.commit([block("a", b"1\n")]) for _ in range(3)), return_exceptions=True
        )
        committer.close()
        assert committer.groups.syncs == 0
        return [*answers, *lines]

    answers = asyncio.run(post())
    assert [type(answer) for answer in answers] == [told] * 5
    assert len({id(answer) for answer in answers}) == 5
    if isinstance(error, Busy):
        assert {getattr(answer, "retry_after", 0) for answer in answers} == {7}


def test_outcome_that_comes_before_it_is_asked_for_is_not_lost() -> None:
    early = Outcome(position=Position(1, 5), stored=1, duplicates=0, rejected=0)
    other = Outcome(position=Position(1, 6), stored=0, duplicates=1, rejected=0)
    outcomes = Outcomes(early, other)

    async def ask() -> tuple[Outcome | None, Outcome | None, Outcome | None]:
        committer = Committer(Journal(), outcomes)
        asked = await committer.outcome(Position(1, 6), 20)
        recent = await committer.outcome(Position(1, 5), 20)
        never = await committer.outcome(Position(9, 9), 0.01)
        committer.close()
        return asked, recent, never

    assert asyncio.run(ask()) == (other, early, None)


def test_quota_begins_anew_after_an_hour() -> None:
    now = 0.0
    quota = RejectQuota(100, monotonic=lambda: now)
    assert quota.take("a", 60)
    assert not quota.take("a", 60)
    assert quota.take("a", 40)
    assert quota.take("b", 100)
    now = 3600.0
    assert quota.take("a", 100)
    assert not quota.take("a", 1)


def test_bomb_costs_no_more_than_the_bound() -> None:
    bomb = gzip.compress(bytes(256 << 20))
    tracemalloc.start()
    with pytest.raises(TooLarge):
        unpack(bomb, 4 << 20)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 << 20


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, 3 << 20])
def test_gzip_up_to_the_bound(size: int) -> None:
    content = b"x" * size
    assert unpack(gzip.compress(content), 3 << 20) == content
    assert (
        unpack(gzip.compress(content[: size // 2]) + gzip.compress(content[size // 2 :]), 3 << 20) == content
    )
    with pytest.raises(InvalidInput):
        unpack(gzip.compress(content) + b"x", 3 << 20)
    if size:
        with pytest.raises(TooLarge):
            unpack(gzip.compress(content), size - 1)
