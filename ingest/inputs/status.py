"""How an ingest service tells the server how its inputs are: a file in its folder of the journal."""

import os
from pathlib import Path

import msgspec

from eventcenter.errors import EventCenterError

_NAME = "inputs.json"


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An EventCenterError in parts, see `eventcenter.errors`."""

    detail: str
    value: str | None = None
    rule: str | None = None
    remedy: str | None = None


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """The messages that a queue holds at its broker: offsets from `oldest` to below `newest`."""

    topic: str
    broker: str
    queue_id: int
    oldest: int
    newest: int


class InputStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How an input is in one ingest service."""

    state: str
    """starting, receiving, waiting (for room in the journal), broken (`problems` say why), stopping"""
    problems: tuple[Problem, ...] = ()
    brokers: tuple[str, ...] = ()
    topics: tuple[tuple[str, str], ...] = ()
    """Topic and bus, patterns looked up."""
    received: int = 0
    """Messages since the service began with it, as are the next three."""
    acknowledged: int = 0
    rejected: int = 0
    """Events that were refused, and broken messages."""
    expired: int = 0
    """Acknowledged too late, so that they come again."""
    last_received_at: int | None = None
    """ms since 1970."""
    reach: tuple[Reach, ...] = ()
    """As of `reach_at`; none where there is no name server or it does not answer."""
    reach_at: int | None = None
    """ms since 1970."""
    reach_problem: Problem | None = None


class FetchStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How far the fetching of a range is."""

    done: int
    """Offsets looked at, of `total`."""
    total: int
    found: int
    """Messages that the broker still had."""
    finished: bool = False
    problem: Problem | None = None


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """All inputs of one ingest service."""

    service: str
    written_at: int
    """ms since 1970; older than some seconds, the service does not run."""
    inputs: dict[str, InputStatus] = {}
    """By the input's id."""
    fetches: dict[str, FetchStatus] = {}
    """By the fetch's id; a finished one stays until the store says so too."""


def problem_of(error: EventCenterError) -> Problem:
    """An error's sentences."""
    members = error.problem()
    said = {name: str(members[name]) for name in ("value", "rule", "remedy") if name in members}
    return Problem(detail=str(members["detail"]), **said)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ServiceStatus).decode


def write(journal_dir: Path, status: ServiceStatus) -> None:
    """Replace the service's file; not synced, as it is written anew each second. Raises OSError."""
    path = journal_dir / status.service / _NAME
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(_encode(status))
    fresh.replace(path)


def read(journal_dir: Path) -> list[ServiceStatus]:
    """What all ingest services told last, in the order of their names."""
    found: list[ServiceStatus] = []
    for path in sorted(journal_dir.glob(f"*/{_NAME}")):
        try:
            found.append(_decode(path.read_bytes()))
        except (FileNotFoundError, msgspec.DecodeError):
            continue
    return found
