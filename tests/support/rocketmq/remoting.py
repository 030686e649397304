"""RocketMQ's own protocol, as far as its administrator needs it.

A command takes milliseconds this way, and seconds with the administrator's program: that starts a JVM for
each.
"""

import json
import socket
from dataclasses import dataclass
from typing import Any

SEND = 10
UPDATE_TOPIC = 17
UPDATE_CONFIG = 25
NEWEST_OFFSET = 30
ROUTE = 105
CLUSTER = 106
UPDATE_GROUP = 200
GROUPS = 201
GROUP = 352

_PATIENCE_S = 10.0
_VERSION = 501  # of the protocol: that of RocketMQ 5


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a NameServer or a broker answered."""

    fields: dict[str, str]
    body: bytes


class Refused(Exception):
    """It understood the request and says no."""

    def __init__(self, *, request: int, code: int, remark: str) -> None:
        super().__init__(f"request {request} was answered with {code}: {remark}")
        self.code = code


def ask(port: int, request: int, fields: dict[str, Any] | None = None, body: bytes = b"") -> Answer:
    """One request to this machine's port; raises Refused, or OSError where nobody answers.

    A frame is the length of all that follows, that of the header, the header in JSON, and the body.
    """
    header = json.dumps(
        {
            "code": request,
            "language": "PYTHON",
            "version": _VERSION,
            "opaque": 1,
            "flag": 0,
            "extFields": {name: _text(value) for name, value in (fields or {}).items()},
            "serializeTypeCurrentRPC": "JSON",
        }
    ).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S) as connection:
        length = 4 + len(header) + len(body)
        connection.sendall(length.to_bytes(4) + len(header).to_bytes(4) + header + body)
        frame = _read(connection, int.from_bytes(_read(connection, 4)))
    # The highest byte says how the header is written: 0, as JSON.
    end = 4 + int.from_bytes(frame[1:4])
    answer = json.loads(frame[4:end])
    if answer["code"]:
        raise Refused(request=request, code=answer["code"], remark=answer.get("remark") or "")
    return Answer(fields=answer.get("extFields") or {}, body=frame[end:])


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(connection: socket.socket, size: int) -> bytes:
    read = bytearray()
    while len(read) < size:
        part = connection.recv(size - len(read))
        if not part:
            raise ConnectionResetError("RocketMQ closed the connection in the middle of its answer")
        read += part
    return bytes(read)
