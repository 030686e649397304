"""The HTTP door as a raw ASGI application: no framework between a post and the journal."""

import hmac
import time
from collections.abc import MutableMapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl

import msgspec
import structlog

from eventcenter.access import Principal
from eventcenter.errors import (
    Busy,
    EventCenterError,
    InvalidInput,
    NotFound,
    Unauthenticated,
)
from eventcenter.journal import Block, BlockKind, Outcome
from eventcenter.settings import Settings
from ingest import answers, metrics
from ingest.bindings import Mode, headers_of, mode_of, read
from ingest.body import Disconnected, Receive, announced_size, is_packed, read_body
from ingest.committer import Committer
from ingest.pool import Pool
from ingest.quota import RejectQuota
from ingest.rejects import reject_line
from ingest.validation import Checked, Limits, Reject

Scope = MutableMapping[str, Any]

_log = structlog.get_logger(__name__)
_PREFIX = "/v1/buses/"
_SUFFIX = "/events"
SMALL_BODY = 64 << 10
"""Up to here a body with one event is checked in this process."""
_SMALL_BATCH = 16 << 10
"""The same for one with many, which the workers check ten times as fast."""
_OF_MANY = frozenset({Mode.BATCHED, Mode.LINES})
_BYTES_IN_HAND = 512 << 20
_REMEMBER_S = 0.05
_REMEMBERED = 4096
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_encode = msgspec.json.Encoder().encode


class Directory(Protocol):
    """Who may post where (eventcenter.store.directory)."""

    def authenticate(self, token: str) -> Principal:
        """Who the token stands for. Raises Unauthenticated."""
        ...

    def bus(self, tenant_id: str, name: str) -> None:
        """Nothing if the tenant has such a bus. Raises NotFound."""
        ...


class SizedJournal(Protocol):
    """How much the journal takes on disk."""

    def size(self) -> int:
        """Bytes."""
        ...


class Application:
    """`POST /v1/buses/{bus}/events`, `/healthz`, `/readyz` and `/metrics`."""

    def __init__(
        self,
        *,
        settings: Settings,
        directory: Directory,
        committer: Committer,
        journal: SizedJournal,
        pool: Pool | None = None,
        quota: RejectQuota | None = None,
    ) -> None:
        """Without a pool every body is checked in this process; without a quota it has one of its own."""
        self._settings = settings
        self.limits = Limits.of(settings)
        self._directory = directory
        self.committer = committer
        self._pool = pool
        self._quota = quota or RejectQuota(settings.reject_quota_bytes)
        self.counts = metrics.Counts()
        self._metrics = metrics.Metrics(self.counts, committer.groups, journal.size)
        self.in_hand = 0
        """Bytes of bodies that are read, checked or written at the moment."""
        self._remembered: dict[tuple[bytes, str], tuple[str, float]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: answers.Send) -> None:
        """ASGI 3."""
        if scope["type"] != "http":
            return
        content_type = answers.JSON
        headers: answers.Headers = ()
        try:
            path: str = scope["path"]
            bus = bus_of(path)
            if bus is not None:
                if scope["method"] != "POST":
                    status, body, content_type, headers = _not_allowed(scope["method"], "POST")
                else:
                    status, body, content_type = await self._post(scope, receive, bus)
            else:
                status, body, content_type, headers = self._other(scope, path)
        except Disconnected:
            return
        except EventCenterError as error:
            status, content_type = error.status, answers.PROBLEM
            body, headers = answers.problem(error)
        except Exception:  # noqa: BLE001 the last line of defence: logged, answered
            _log.exception("a request failed in a way it should not", path=scope["path"])
            status, content_type = EventCenterError.status, answers.PROBLEM
            body, _ = answers.problem(
                EventCenterError(
                    "The request failed; the service's log says why.",
                    remedy="send it again; tell the operator",
                )
            )
        self.counts.answered(status)
        await answers.answer(send, status, body, content_type, headers)

    def is_full(self) -> bool:
        """Whether no further body may be read at the moment."""
        return self.in_hand >= _BYTES_IN_HAND

    def took_one(self) -> None:
        """Count a post of one event that is answered."""
        self.counts.events += 1
        self.counts.answered(200)

    async def _post(self, scope: Scope, receive: Receive, bus: str) -> tuple[int, bytes, bytes]:
        raw_headers: Sequence[tuple[bytes, bytes]] = scope["headers"]
        headers = dict(raw_headers)
        tenant = self.tenant(headers.get(b"authorization", b""), bus)
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        mode = mode_of(content_type)
        packed = b"content-encoding" in headers and is_packed(headers[b"content-encoding"].decode("latin-1"))
        wait = bool(scope["query_string"]) and _waits(scope["query_string"])
        announced = headers.get(b"content-length", b"").decode("latin-1")
        size = announced_size(announced, self.limits.max_body_bytes)
        if self.in_hand + size > _BYTES_IN_HAND:
            raise Busy(
                "The bodies being read fill the memory for them.",
                rule=f"at most {_BYTES_IN_HAND} bytes at once",
                remedy="send it again",
                retry_after=1,
            )
        self.in_hand += size
        try:
            body = await read_body(receive, packed=packed, max_bytes=self.limits.max_body_bytes)
            self.in_hand += len(body) - size
            size = len(body)
            event_headers = headers_of(raw_headers) if mode is Mode.BINARY else []
            small = _SMALL_BATCH if mode in _OF_MANY else SMALL_BODY
            if self._pool is None or len(body) <= small:
                checked = read(mode, event_headers, body, self.limits)
            else:
                checked = await self._pool.check(mode, event_headers, body)
            return await self._keep(checked, tenant, bus, content_type, wait=wait)
        finally:
            self.in_hand -= size

    def tenant(self, authorization: bytes, bus: str) -> str:
        """The tenant that the sender may post to this bus of. Raises Unauthenticated, Forbidden, NotFound."""
        now = time.monotonic()
        known = self._remembered.get((authorization, bus))
        if known is not None and known[1] > now:
            return known[0]
        tenant = self._directory.authenticate(_bearer(authorization)).require("writer")
        self._directory.bus(tenant, bus)
        if len(self._remembered) >= _REMEMBERED:
            self._remembered.clear()
        self._remembered[authorization, bus] = (tenant, now + _REMEMBER_S)
        return tenant

    async def _keep(
        self, checked: Checked, tenant: str, bus: str, content_type: str, *, wait: bool
    ) -> tuple[int, bytes, bytes]:
        blocks: list[Block] = []
        if checked.count:
            blocks.append(
                Block(
                    kind=BlockKind.EVENTS,
                    tenant=tenant,
                    bus=bus,
                    payload=checked.payload,
                    count=checked.count,
                    wants_outcome=wait,
                )
            )
        if checked.rejects:
            self.counts.rejects += len(checked.rejects)
            kept = self._reject_lines(checked.rejects, tenant, content_type)
            if kept:
                blocks.append(
                    Block(
                        kind=BlockKind.REJECTS,
                        tenant=tenant,
                        bus=bus,
                        payload=b"".join(kept),
                        count=len(kept),
                    )
                )
        if not checked.count and checked.rejects:
            await self._keep_rejects(blocks)
            status, body = answers.refused(checked.rejects)
            return status, body, answers.PROBLEM
        positions = await self.committer.commit(blocks) if blocks else []
        self.counts.events += checked.count
        if not wait:
            if checked.rejects:
                return 200, answers.accepted(checked.count, checked.rejects), answers.JSON
            return 200, answers.all_accepted(checked.count), answers.JSON
        outcome: Outcome | None = None
        if positions:
            outcome = await self.committer.outcome(positions[0], self._settings.wait_archived_s)
        return (
            200,
            answers.accepted(checked.count, checked.rejects, waited=True, outcome=outcome),
            answers.JSON,
        )

    async def _keep_rejects(self, blocks: Sequence[Block]) -> None:
        if not blocks:
            return
        try:
            await self.committer.commit(blocks)
        except EventCenterError:
            # The answer is that the events are wrong; that they were not kept changes nothing for the sender.
            _log.warning("rejects could not be kept")

    def _reject_lines(self, rejects: Sequence[Reject], tenant: str, content_type: str) -> list[bytes]:
        lines: list[bytes] = []
        for place, reject in enumerate(rejects):
            line = reject_line(reject, content_type)
            if not self._quota.take(tenant, len(line)):
                self.counts.rejects_not_kept += len(rejects) - place
                break
            lines.append(line)
        return lines

    def _other(self, scope: Scope, path: str) -> tuple[int, bytes, bytes, answers.Headers]:
        if path not in {"/healthz", "/readyz", "/metrics"}:
            raise NotFound(
                "There is nothing at this address.",
                value=path,
                rule="events go to /v1/buses/{bus}/events",
                remedy="post to /v1/buses/default/events",
            )
        if scope["method"] not in {"GET", "HEAD"}:
            return _not_allowed(scope["method"], "GET, HEAD")
        if path == "/metrics":
            self._check_metrics_reader(scope)
            return 200, self._metrics.text(), metrics.CONTENT_TYPE, ()
        return 200, b'{"status":"ok"}', answers.JSON, ()

    def _check_metrics_reader(self, scope: Scope) -> None:
        headers = dict(scope["headers"])
        wanted = self._settings.metrics_token
        if b"authorization" in headers:
            token = _bearer(headers[b"authorization"])
            if wanted is not None and hmac.compare_digest(token.encode(), wanted.encode()):
                return
            self._directory.authenticate(token).require_operator()
            return
        client = scope.get("client")
        forwarded = b"x-forwarded-for" in headers or b"forwarded" in headers
        if client is None or client[0] not in _LOOPBACK or forwarded:
            raise Unauthenticated(
                "Metrics are for operators.",
                rule="a request from loopback, an operator's token, or that of EVENTCENTER_METRICS_TOKEN",
                remedy="send Authorization: Bearer with such a token",
            )


def bus_of(path: str) -> str | None:
    """The bus that an address names; None where events are not posted to it."""
    if path.startswith(_PREFIX) and path.endswith(_SUFFIX):
        return path[len(_PREFIX) : -len(_SUFFIX)]
    return None


def _bearer(authorization: bytes) -> str:
    """The token of an Authorization header. Raises Unauthenticated."""
    scheme, _, token = authorization.decode("latin-1").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated(
            "No token was sent.",
            value=scheme[:20] or None,
            rule="each request carries Authorization: Bearer ect_…",
            remedy="make a token in Settings › Tokens or by `eventcenter token create`",
        )
    return token


def _waits(query: bytes) -> bool:
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name == "wait":
            if value != "archived":
                raise InvalidInput(
                    "There is nothing else to wait for.",
                    value=value,
                    rule="wait is archived, or not there: the answer always waits for the journal",
                    remedy="send ?wait=archived",
                )
            return True
    return False


def _not_allowed(method: str, allowed: str) -> tuple[int, bytes, bytes, answers.Headers]:
    body = _encode(
        {
            "type": "urn:eventcenter:problem:method-not-allowed",
            "title": "Method not allowed",
            "status": 405,
            "detail": "This address does not take this method.",
            "value": method,
            "rule": f"the methods here: {allowed}",
            "remedy": "use one of these methods",
        }
    )
    return 405, body, answers.PROBLEM, ((b"allow", allowed.encode()),)
