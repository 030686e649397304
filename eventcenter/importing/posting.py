"""A part to the service, and what it answered, with every refused line."""

import gzip
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eventcenter.errors import TooLarge
from eventcenter.importing.part import Part, Single
from eventcenter.sender import Persistence, Refusal, Sender

_FEW = 1000
"""The service tells the reasons of so many refusals in one answer."""

_ATTEMPTS = 150
_LONGEST_PAUSE_S = 5.0


class Stopped(Exception):
    """The import was told to stop while a request waited for its next attempt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A refused event: its number in the file, its reason, its line."""

    number: int
    error: str
    line: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """What became of a part's events; `stored` and `duplicates` are known only where waited for."""

    accepted: int = 0
    rejected: int = 0
    refused: Sequence[Refused] = ()
    """At least the first 1000 of the rejected, all where all were asked for."""
    stored: int = 0
    duplicates: int = 0
    not_stored: int = 0
    """Accepted, then refused by the archive."""
    not_archived: int = 0
    """Accepted, and not archived when the service's patience ended."""


class Poster:
    """Posts parts to the buses of the service at `url`. Threads may share it."""

    def __init__(
        self,
        make_sender: Callable[[str, Persistence], Sender],
        *,
        packed: bool = False,
        wait_archived: bool = False,
        all_refusals: bool = False,
    ) -> None:
        """`make_sender` gives a sender for a bus; bodies go as gzip if `packed`.

        With `all_refusals` every refused line is found, however many there are.
        """
        self._make_sender = make_sender
        self._packed = packed
        self._wait_archived = wait_archived
        self._all_refusals = all_refusals
        self._senders: dict[str, Sender] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._waiting = 0

    @property
    def waiting(self) -> bool:
        """Whether a request waits for its next attempt."""
        return self._waiting > 0

    def post(self, part: Part) -> Posted:
        """Send a part, again and again for about ten minutes while the service is busy or away.

        Raises what the service refuses as a whole as an error of eventcenter.errors, Stopped.
        """
        sender = self._sender(part.bus)
        posted = self._post_lines(sender, part.body, part.number) if part.body else Posted()
        for single in part.singles:
            posted = _sum(posted, self._post_single(sender, single))
        return posted

    def stop(self) -> None:
        """Let no request wait for a next attempt."""
        self._stopped.set()

    def close(self) -> None:
        for sender in self._senders.values():
            sender.close()

    def _sender(self, bus: str) -> Sender:
        with self._lock:
            if bus not in self._senders:
                persistence = Persistence(
                    attempts=_ATTEMPTS, longest_pause_s=_LONGEST_PAUSE_S, wait=self._pause
                )
                self._senders[bus] = self._make_sender(bus, persistence)
            return self._senders[bus]

    def _pause(self, seconds: float) -> None:
        with self._lock:
            self._waiting += 1
        try:
            if self._stopped.wait(seconds):
                raise Stopped
        finally:
            with self._lock:
                self._waiting -= 1

    def _post_lines(self, sender: Sender, body: bytes, number: Callable[[int], int]) -> Posted:
        """Send lines; in halves where they are too many or too large for one request of that service.

        `number` gives a line's number in the file by its index in the body.
        """
        try:
            receipt = sender.send_body(
                gzip.compress(body, compresslevel=1) if self._packed else body,
                packed=self._packed,
                wait_archived=self._wait_archived,
            )
        except TooLarge as error:
            cut = body.rfind(b"\n", 0, len(body) // 2) + 1 or body.find(b"\n") + 1
            if cut in {0, len(body)}:
                return _refused(number(0), str(error), body)
            before = body.count(b"\n", 0, cut)
            return _sum(
                self._post_lines(sender, body[:cut], number),
                self._post_lines(sender, body[cut:], lambda index: number(before + index)),
            )
        rejected = len(receipt.rejected) + receipt.rejected_more
        refused: list[Refused] = []
        if rejected:
            lines = _events(body, receipt.accepted + rejected)
            refusals = list(receipt.rejected)
            if receipt.rejected_more and self._all_refusals:
                refusals += _further(sender, [line for _, line in lines], refusals[-1].index + 1)
            refused = [
                Refused(number=number(lines[each.index][0]), error=each.error, line=lines[each.index][1])
                for each in refusals
            ]
        return Posted(
            accepted=receipt.accepted,
            rejected=rejected,
            refused=refused,
            stored=receipt.stored or 0,
            duplicates=receipt.duplicates or 0,
            not_stored=receipt.not_stored,
            not_archived=receipt.accepted if receipt.archived is False else 0,
        )

    def _post_single(self, sender: Sender, single: Single) -> Posted:
        try:
            receipt = sender.send_binary(single.headers, single.body, wait_archived=self._wait_archived)
        except TooLarge as error:
            return _refused(single.number, str(error), single.body)
        if receipt.rejected:
            return _refused(single.number, receipt.rejected[0].error, single.body)
        return Posted(
            accepted=receipt.accepted,
            stored=receipt.stored or 0,
            duplicates=receipt.duplicates or 0,
            not_stored=receipt.not_stored,
            not_archived=receipt.accepted if receipt.archived is False else 0,
        )


def _further(sender: Sender, lines: Sequence[bytes], start: int) -> list[Refusal]:
    """The refusals from line `start` on, by sending these again in bodies small enough that all are told."""
    found: list[Refusal] = []
    for begin in range(start, len(lines), _FEW):
        receipt = sender.send_body(b"\n".join(lines[begin : begin + _FEW]) + b"\n")
        found += [Refusal(index=each.index + begin, error=each.error) for each in receipt.rejected]
    return found


def _events(body: bytes, count: int) -> list[tuple[int, bytes]]:
    """(index, text) of the lines that the service counted: empty lines count for nothing there."""
    lines = list(enumerate(body.removesuffix(b"\n").split(b"\n")))
    if len(lines) == count:
        return lines
    return [(index, line) for index, line in lines if line.strip()]


def _refused(number: int, error: str, line: bytes) -> Posted:
    return Posted(rejected=1, refused=(Refused(number=number, error=error, line=line.rstrip(b"\n")),))


def _sum(one: Posted, other: Posted) -> Posted:
    return Posted(
        accepted=one.accepted + other.accepted,
        rejected=one.rejected + other.rejected,
        refused=(*one.refused, *other.refused),
        stored=one.stored + other.stored,
        duplicates=one.duplicates + other.duplicates,
        not_stored=one.not_stored + other.not_stored,
        not_archived=one.not_archived + other.not_archived,
    )
