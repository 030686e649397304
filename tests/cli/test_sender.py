"""The sender against answers of every kind."""

import gzip
import json
from collections.abc import Callable

import httpx
import pytest

from eventcenter.errors import Busy, EventCenterError, Forbidden, StorageFull, Unavailable
from eventcenter.sender import Persistence, Sender

Handler = Callable[[httpx.Request], httpx.Response]


class Service:
    """Gives the answers it was told, one a request, and remembers what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sender(self, *, attempts: int = 3) -> Sender:
        return Sender(
            "http://127.0.0.1:1/",
            bus="a/b",
            token="ect_t",
            transport=httpx.MockTransport(self._answer),
            persistence=Persistence(attempts=attempts, wait=self.pauses.append),
        )


def ok(**more: object) -> httpx.Response:
    return httpx.Response(200, json={"accepted": 2, "rejected": [], **more})


def refused(status: int, headers: dict[str, str] | None = None, **more: object) -> httpx.Response:
    return httpx.Response(status, headers=headers, json={"detail": "because", "remedy": "so", **more})


def test_lines_go_as_compressed_ndjson_to_the_bus() -> None:
    service = Service(ok(stored=2, duplicates=0))
    receipt = service.sender().send_lines([b'{"a":1}', b'{"a":2}'], wait_archived=True)
    assert (receipt.accepted, receipt.rejected, receipt.stored) == (2, (), 2)
    [request] = service.requests
    assert str(request.url) == "http://127.0.0.1:1/v1/buses/a%2Fb/events?wait=archived"
    assert request.headers["authorization"] == "Bearer ect_t"
    assert request.headers["content-type"] == "application/x-ndjson"
    assert gzip.decompress(request.read()) == b'{"a":1}\n{"a":2}\n'


@pytest.mark.parametrize(
    "busy",
    [refused(429), refused(503), refused(502), refused(504), refused(507), httpx.ConnectError("no")],
)
def test_what_may_work_later_is_sent_again(busy: httpx.Response | Exception) -> None:
    service = Service(busy, ok())
    assert service.sender().send_lines([b"{}"]).accepted == 2
    assert service.requests[0].read() == service.requests[1].read()
    assert service.pauses == [0.5]


def test_pauses_grow_and_follow_the_services_wish() -> None:
    service = Service(refused(503), refused(429, {"Retry-After": "7"}), refused(503), ok())
    service.sender(attempts=4).send_lines([b"{}"])
    assert service.pauses == [0.5, 7.0, 14.0]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(429), Busy),
        (refused(507), StorageFull),
        (refused(503), Unavailable),
        (httpx.ConnectError("no"), Unavailable),
    ],
)
def test_patience_ends(answer: httpx.Response | Exception, kind: type[EventCenterError]) -> None:
    service = Service(answer, answer)
    with pytest.raises(kind):
        service.sender(attempts=2).send_lines([b"{}"])


def test_a_refusal_is_raised_at_once() -> None:
    service = Service(refused(403))
    with pytest.raises(Forbidden, match="because"):
        service.sender().send_lines([b"{}"])


def test_rejects_are_told_one_by_one() -> None:
    service = Service(
        httpx.Response(200, json={"accepted": 1, "rejected": [{"index": 1, "error": "no id"}]}),
        refused(400, rejected=[{"index": 0, "error": "no source"}]),
        refused(400),
    )
    sender = service.sender()
    assert [(r.index, r.error) for r in sender.send_lines([b"{}", b"{}"]).rejected] == [(1, "no id")]
    nothing = sender.send_lines([b"{}"])
    assert (nothing.accepted, [(r.index, r.error) for r in nothing.rejected]) == (0, [(0, "no source")])
    unlisted = sender.send_lines([b"{}", b"{}"])
    assert [r.error for r in unlisted.rejected] == ["because", "because"]


def test_one_event_goes_in_binary_mode() -> None:
    service = Service(httpx.Response(200, content=json.dumps({"accepted": 1}).encode()))
    receipt = service.sender().send_binary({"ce-id": "1", "content-type": "text/plain"}, b"x")
    assert receipt.accepted == 1
    assert service.requests[0].headers["ce-id"] == "1"
    assert service.requests[0].read() == b"x"
