"""Sends a request and brings back an answer, whatever happens on the way.

No redirect is followed, TLS is verified, proxies of the environment are not trusted, the whole exchange has
one deadline, and no more than 64 KiB of an answer are read.
"""

import time
from dataclasses import replace
from typing import Final

import httpx

from alerts.targets import dingtalk
from alerts.targets.dingtalk import Request
from alerts.targets.kind import Sent
from eventcenter.connections import KEPT

TIMEOUT_S: Final = 10.0
CONNECT_S: Final = 5.0
ANSWER_LIMIT: Final = 64 * 1024


def new_transport() -> httpx.BaseTransport:
    """The way out to targets.

    A bare transport, because a client writes every address to its log, and this one holds the token.
    """
    return httpx.HTTPTransport(verify=True, trust_env=False, limits=KEPT)


def send(transport: httpx.BaseTransport, request: Request, *secrets: str | None) -> Sent:
    """Send `request`; never raises for what the other side or the network does.

    `secrets` are masked where the answer repeats them.
    """
    begun = time.monotonic()
    status: int | None = None
    try:
        outgoing = httpx.Request(
            "POST",
            request.url,
            params=dict(request.parameters),
            headers={"User-Agent": "EventCenter/1", "Accept": "application/json", **request.headers},
            content=request.body,
            extensions={"timeout": httpx.Timeout(TIMEOUT_S, connect=CONNECT_S).as_dict()},
        )
        response = transport.handle_request(outgoing)
        try:
            status = response.status_code
            body = _read(response, begun + TIMEOUT_S)
        finally:
            response.close()
        answer = dingtalk.classify(status, body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # An httpx error's text may hold the address, and that holds the token.
        answer = dingtalk.no_answer(_reason(error))
    answer = replace(answer, text=dingtalk.masked(answer.text, *secrets))
    return Sent(status=status, answers=(answer,), latency_ms=round((time.monotonic() - begun) * 1000))


def _read(response: httpx.Response, deadline: float) -> bytes:
    parts: list[bytes] = []
    length = 0
    for part in response.iter_bytes():
        parts.append(part)
        length += len(part)
        if length > ANSWER_LIMIT or time.monotonic() > deadline:
            break
    return b"".join(parts)[:ANSWER_LIMIT]


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.ConnectError):
        text = str(error).lower()
        return "the TLS certificate is not accepted" if "certificate" in text else "no connection"
    return f"the connection broke ({type(error).__name__})"
