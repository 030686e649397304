"""Answers as bytes: small JSON bodies and RFC 9457 problems."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from eventcenter.errors import Busy, EventCenterError, InvalidInput, Unauthenticated, UnsupportedMediaType
from eventcenter.journal import Outcome
from ingest.validation import Reject
from ingest.validation.limits import MAX_REJECTS_TOLD

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

JSON = b"application/json"
PROBLEM = b"application/problem+json"
_INVALID = {name: str(value) for name, value in InvalidInput("").problem().items()}
_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=256)
def all_accepted(count: int) -> bytes:
    """The answer for a body without rejects."""
    return b'{"accepted":%d,"rejected":[]}' % count


def accepted(
    count: int, rejects: Sequence[Reject], *, waited: bool = False, outcome: Outcome | None = None
) -> bytes:
    """The answer for a body of which something was accepted (or that was empty).

    Rejects are named up to a bound; `rejected_more` counts the others. `archived`, `stored`, `duplicates` and
    `not_stored` (refused by the archive, for example an id used for another event) tell what the loader did.
    """
    body: dict[str, object] = {"accepted": count, **_rejected(rejects)}
    if waited:
        body["archived"] = outcome is not None or count == 0
        if outcome is not None:
            body["stored"], body["duplicates"] = outcome.stored, outcome.duplicates
            if outcome.rejected:
                body["not_stored"] = outcome.rejected
        elif count == 0:
            body["stored"], body["duplicates"] = 0, 0
    return _encode(body)


def refused(rejects: Sequence[Reject]) -> tuple[int, bytes]:
    """Status and problem for a body of which nothing was accepted; the first reject speaks for it."""
    members = dict(rejects[0].problem)
    if len(rejects) > 1:
        # Only what is alone too large answers 413: a body of many is wrong, not large.
        members.update(type=_INVALID["type"], title=_INVALID["title"], status=InvalidInput.status)
        members["detail"] = f"None of {len(rejects)} events was accepted. The first: {members['detail']}"
    return int(members["status"]), _encode({**members, "accepted": 0, **_rejected(rejects)})


def problem(error: EventCenterError) -> tuple[bytes, Headers]:
    """Body and headers of an error."""
    headers: Headers = ()
    if isinstance(error, Busy):
        headers = ((b"retry-after", str(error.retry_after).encode()),)
    elif isinstance(error, Unauthenticated):
        headers = ((b"www-authenticate", b'Bearer realm="Event Center"'),)
    elif isinstance(error, UnsupportedMediaType):
        headers = ((b"accept-encoding", b"gzip"),)
    return _encode(error.problem()), headers


async def answer(
    send: Send, status: int, body: bytes, content_type: bytes = JSON, headers: Headers = ()
) -> None:
    """Send an answer."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type),
                (b"content-length", b"%d" % len(body)),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


def _rejected(rejects: Sequence[Reject]) -> dict[str, object]:
    told: dict[str, object] = {
        "rejected": [{"index": reject.index, "error": reject.error} for reject in rejects[:MAX_REJECTS_TOLD]]
    }
    if len(rejects) > MAX_REJECTS_TOLD:
        told["rejected_more"] = len(rejects) - MAX_REJECTS_TOLD
    return told
