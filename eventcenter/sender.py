"""Sends events to an ingest service, and sends again what may not have arrived: ids make that safe."""

import gzip
import ipaddress
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from eventcenter.client.wire import decode, problem
from eventcenter.connections import KEPT
from eventcenter.errors import InvalidInput, Unavailable

BATCH_BYTES = 4 << 20
"""Most bytes of events in one request, before compression."""

_FIRST_PAUSE_S = 0.5
_RETRIED = frozenset({429, 502, 503, 504, 507})


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was refused: its place in the request and why."""

    index: int
    error: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What the service answered; `stored` and `duplicates` only where the archive was waited for."""

    accepted: int
    rejected: tuple[Refusal, ...] = ()
    rejected_more: int = 0
    """Refused too, without being named in `rejected`."""
    archived: bool | None = None
    stored: int | None = None
    duplicates: int | None = None
    not_stored: int = 0
    """Accepted, then refused by the archive: their id stands for another event."""


@dataclass(frozen=True, kw_only=True)
class Persistence:
    """How often a request is tried, and what waits in between (seconds)."""

    attempts: int = 8
    longest_pause_s: float = 30.0
    wait: Callable[[float], None] = time.sleep


class Sender:
    """Posts to one bus of the ingest service at `url`, as the holder of `token`.

    Raises what the service refuses as an error of eventcenter.errors. 429, 502, 503, 504, 507 and a lost
    connection are tried again with growing pauses (or the service's own Retry-After) before they are raised.
    """

    def __init__(
        self,
        url: str,
        *,
        bus: str,
        token: str,
        transport: httpx.BaseTransport | None = None,
        persistence: Persistence | None = None,
    ) -> None:
        self._url = f"{url.rstrip('/')}/v1/buses/{quote(bus, safe='')}/events"
        self._persistence = persistence or Persistence()
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
            transport=transport,
            limits=KEPT,
            # A proxy of the environment is for other machines.
            trust_env=not is_loopback(url),
        )

    def send_lines(self, events: Sequence[bytes], *, wait_archived: bool = False) -> Receipt:
        """Send events, each the JSON of one CloudEvent on one line; at most about BATCH_BYTES together."""
        body = gzip.compress(b"\n".join(events) + b"\n", compresslevel=1)
        headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
        return self._post(headers, body, wait_archived=wait_archived, count=len(events))

    def send_body(self, body: bytes, *, packed: bool = False, wait_archived: bool = False) -> Receipt:
        """Send NDJSON as it is, or gzip of NDJSON; counts in the answer leave out empty lines."""
        headers = {"Content-Type": "application/x-ndjson"}
        if packed:
            headers["Content-Encoding"] = "gzip"
        return self._post(headers, body, wait_archived=wait_archived, count=None)

    def send_binary(self, headers: Mapping[str, str], body: bytes, *, wait_archived: bool = False) -> Receipt:
        """Send one event in the binary mode of CloudEvents' HTTP binding."""
        return self._post(headers, body, wait_archived=wait_archived, count=1)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _post(
        self, headers: Mapping[str, str], body: bytes, *, wait_archived: bool, count: int | None
    ) -> Receipt:
        query = {"wait": "archived"} if wait_archived else {}
        pause = _FIRST_PAUSE_S
        for last in range(self._persistence.attempts - 1, -1, -1):
            try:
                answer = self._http.post(self._url, content=body, headers=dict(headers), params=query)
            except httpx.InvalidURL as error:
                raise InvalidInput("the address of the ingest service is none", value=self._url) from error
            except httpx.TransportError as error:
                if not last:
                    raise Unavailable(
                        f"the ingest service does not answer ({type(error).__name__})",
                        value=self._url,
                        remedy="check that it runs there: `eventcenter up` or `eventcenter serve`",
                    ) from error
            else:
                if answer.status_code not in _RETRIED or not last:
                    return _receipt(answer, count)
                pause = max(pause, _retry_after(answer))
            self._persistence.wait(min(pause, self._persistence.longest_pause_s))
            pause *= 2
        raise AssertionError("the last attempt returns or raises")


def _receipt(answer: httpx.Response, count: int | None) -> Receipt:
    """What an answer says; without a `count` of what was sent, only events that it names are refused."""
    if answer.status_code == 200:
        return decode(answer.content, Receipt)
    error = problem(answer.status_code, answer.headers, answer.content)
    if answer.status_code not in {400, 413}:
        raise error
    # Nothing of it was valid: the answer is a problem that lists the refusals.
    try:
        listed = msgspec.json.decode(answer.content, type=_Problem)
    except msgspec.DecodeError:
        listed = _Problem()
    if listed.rejected:
        return Receipt(accepted=0, rejected=listed.rejected, rejected_more=listed.rejected_more)
    if answer.status_code == 413 or count is None:
        raise error
    refused = (Refusal(index=index, error=error.detail) for index in range(count))
    return Receipt(accepted=0, rejected=tuple(refused))


class _Problem(msgspec.Struct, frozen=True):
    rejected: tuple[Refusal, ...] = ()
    rejected_more: int = 0


def _retry_after(answer: httpx.Response) -> float:
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else 0.0


def is_loopback(url: str) -> bool:
    """Whether the address is one of this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
