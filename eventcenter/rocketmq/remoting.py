"""How far queues reach, asked of name server and brokers: proxies do not tell it over gRPC.

The remoting protocol, as much of it as that needs. A frame is the length of what follows (4 bytes), the
length of the header (4 bytes, whose first is the kind of serialisation, 0 for JSON), the header, the body.
"""

import base64
import hashlib
import hmac
import itertools
import json
import re
import socket
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self

from eventcenter.clock import to_micros
from eventcenter.errors import EventCenterError, Forbidden, InvalidInput, NotFound, Unavailable
from eventcenter.rocketmq.address import Address, parse_addresses
from eventcenter.rocketmq.commands import topic_command
from eventcenter.rocketmq.raw import RawMessage, parse_messages
from eventcenter.rocketmq.server import Credentials

NAME_SERVER_PORT = 9876
_PULL = 11
_BROKER_INFO = 28
_OFFSET_AT = 29
_NEWEST = 30
_OLDEST = 31
_ROUTE = 105
_CLUSTERS = 106
_TOPICS = 206
_RESET = 222
_SUCCESS = 0
_NOT_SUPPORTED = 3
_NO_PERMISSION = 16
_NO_TOPIC = 17
_NOTHING_THERE = {19, 20, 21}
"""Codes of a pull: not found, retry at once, offset moved."""
_WITH_SUBSCRIPTION = 4
_READABLE = 4
_MASTER = "0"
_LONGEST_FRAME = 64 << 20
_VERSION = 493
"""Of the protocol's peers that this client behaves like: 5.3.4."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|(?<=[{,])\s*(-?\d+)\s*(?=:)')


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """One queue of a topic."""

    topic: str
    broker: str
    queue_id: int
    address: Address
    """Of the broker's master."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """The messages that a queue holds: offsets from `oldest` to below `newest`."""

    queue: Queue
    oldest: int
    newest: int
    """The offset that the next message gets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pulled:
    """Messages of one queue in the order of their offsets, and the offset to go on with."""

    messages: tuple[RawMessage, ...]
    next: int


@dataclass(frozen=True, slots=True)
class _Answer:
    code: int
    remark: str
    fields: Mapping[str, str]
    body: bytes


class Offsets:
    """Asks a cluster's name servers and brokers. Any thread may use it; use it as a context manager."""

    def __init__(
        self,
        name_servers: str | Sequence[Address],
        *,
        namespace: str = "",
        credentials: Credentials | None = None,
        timeout_s: float = 3.0,
    ) -> None:
        """`name_servers` as in `host:port;host:port`. Raises InvalidInput."""
        self._name_servers = (
            parse_addresses(name_servers) if isinstance(name_servers, str) else tuple(name_servers)
        )
        self._namespace = namespace
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._connections: dict[Address, _Connection] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connections."""
        with self._lock:
            for connection in self._connections.values():
                connection.close()
            self._connections.clear()

    def topics(self) -> list[str]:
        """The cluster's topics in alphabetical order, those of RocketMQ itself too."""
        answer = self._name_server(_TOPICS, {})
        prefix = f"{self._namespace}%" if self._namespace else ""
        names = parse_json(answer.body).get("topicList", [])
        return sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix))

    def clusters(self) -> list[str]:
        """The names of the clusters that the name server knows."""
        return sorted(parse_json(self._name_server(_CLUSTERS, {}).body).get("clusterAddrTable", {}))

    def queues(self, topic: str) -> list[Queue]:
        """The topic's readable queues on the brokers' masters. Raises NotFound without such a topic."""
        answer = self._name_server(
            _ROUTE, {"topic": self._full(topic), "acceptStandardJsonOnly": "true"}, topic
        )
        route = parse_json(answer.body)
        masters = {
            broker["brokerName"]: broker["brokerAddrs"][_MASTER]
            for broker in route.get("brokerDatas", [])
            if _MASTER in broker["brokerAddrs"]
        }
        return [
            Queue(
                topic=topic,
                broker=data["brokerName"],
                queue_id=number,
                address=parse_addresses(masters[data["brokerName"]])[0],
            )
            for data in sorted(route.get("queueDatas", []), key=lambda data: str(data["brokerName"]))
            if data["brokerName"] in masters and data["perm"] & _READABLE
            for number in range(data["readQueueNums"])
        ]

    def reach(self, topic: str) -> list[Reach]:
        """How far each of the topic's queues reaches."""
        return [
            Reach(queue=queue, oldest=self._offset(_OLDEST, queue), newest=self._offset(_NEWEST, queue))
            for queue in self.queues(topic)
        ]

    def offset_at(self, queue: Queue, moment: datetime) -> int:
        """The offset of the first message that the broker stored at `moment` or later."""
        return self._offset(_OFFSET_AT, queue, {"timestamp": str(to_micros(moment) // 1000)})

    def pull(self, queue: Queue, first: int, *, group: str, most: int = 32) -> Pulled:
        """Messages of the queue from the offset `first` on, without joining a group's consumers.

        `group` is one that exists. Where `first` lies outside what the broker holds, there are no messages,
        and `next` is where there are some.
        """
        fields = {
            "consumerGroup": self._full(group),
            "topic": self._full(queue.topic),
            "queueId": str(queue.queue_id),
            "bname": queue.broker,
            "queueOffset": str(first),
            "maxMsgNums": str(most),
            "sysFlag": str(_WITH_SUBSCRIPTION),
            "commitOffset": "0",
            "suspendTimeoutMillis": "0",
            "subscription": "*",
            "subVersion": "0",
            "expressionType": "TAG",
        }
        answer = self._ask(queue.address, _PULL, fields)
        if answer.code in _NOTHING_THERE:
            return Pulled(messages=(), next=int(answer.fields["nextBeginOffset"]))
        checked = _checked(answer, queue.address, queue.topic)
        try:
            messages = tuple(parse_messages(checked.body))
        except ValueError as error:
            raise Unavailable(
                f"What the broker at {queue.address} holds cannot be read: {error}.",
                value=f"{queue.topic}, queue {queue.queue_id}, offset {first}",
                remedy="look at the broker's log",
            ) from error
        return Pulled(messages=messages, next=int(checked.fields["nextBeginOffset"]))

    def reset(self, group: str, topic: str, to: Literal["first", "last"] | datetime) -> None:
        """Move a consumer group to another place in a topic, on all brokers: what it reads next is there.

        Raises EventCenterError; some brokers may have moved it then.
        """
        moment = {"first": "0", "last": "-1"}[to] if isinstance(to, str) else str(to_micros(to) // 1000)
        fields = {
            "topic": self._full(topic),
            "group": self._full(group),
            "timestamp": moment,
            "isForce": "true",
        }
        for address in sorted({queue.address for queue in self.queues(topic)}):
            _checked(self._ask(address, _RESET, fields), address, topic)

    def _offset(self, code: int, queue: Queue, more: Mapping[str, str] | None = None) -> int:
        fields = {
            "topic": self._full(queue.topic),
            "queueId": str(queue.queue_id),
            "bname": queue.broker,
            **(more or {}),
        }
        return int(
            _checked(self._ask(queue.address, code, fields), queue.address, queue.topic).fields["offset"]
        )

    def _name_server(self, code: int, fields: Mapping[str, str], topic: str | None = None) -> _Answer:
        failures: list[EventCenterError] = []
        for address in self._name_servers:
            try:
                return _checked(self._ask(address, code, fields), address, topic)
            except Unavailable as error:
                failures.append(error)
        raise failures[0]

    def _ask(self, address: Address, code: int, fields: Mapping[str, str]) -> _Answer:
        """One question; a connection that broke since the last one is made anew, once."""
        with self._lock:
            known = address in self._connections
            try:
                return self._connection(address).ask(code, fields)
            except OSError as error:
                self._drop(address)
                if not known:
                    raise _unreachable(address, error) from error
            try:
                return self._connection(address).ask(code, fields)
            except OSError as error:
                self._drop(address)
                raise _unreachable(address, error) from error

    def _connection(self, address: Address) -> "_Connection":
        connection = self._connections.get(address)
        if connection is None:
            connection = _Connection(address, self._credentials, self._timeout_s)
            self._connections[address] = connection
        return connection

    def _drop(self, address: Address) -> None:
        connection = self._connections.pop(address, None)
        if connection is not None:
            connection.close()

    def _full(self, topic: str) -> str:
        return f"{self._namespace}%{topic}" if self._namespace else topic


def asked_of(address: Address, timeout_s: float) -> str | None:
    """Who speaks the remoting protocol at this address, in words; None where nobody does."""
    try:
        connection = _Connection(address, None, timeout_s)
    except OSError:
        return None
    try:
        if connection.ask(_ROUTE, {"topic": "TBW102"}).code != _NOT_SUPPORTED:
            return "a name server (or a proxy's remoting port)"
        answer = connection.ask(_BROKER_INFO, {})
        version = parse_json(answer.body).get("table", {}).get("brokerVersionDesc")
    except (OSError, ValueError):
        return None
    finally:
        connection.close()
    return f"a broker's remoting port ({version})" if version else "a broker's remoting port"


class _Connection:
    """A connection to a name server or broker; one question at a time. All raises are OSError."""

    def __init__(self, address: Address, credentials: Credentials | None, timeout_s: float) -> None:
        self._credentials = credentials
        self._numbers = itertools.count(1)
        self._socket = socket.create_connection((address.host, address.port), timeout_s)
        self._socket.settimeout(timeout_s)

    def ask(self, code: int, fields: Mapping[str, str]) -> _Answer:
        number = next(self._numbers)
        header = {
            "code": code,
            "language": "PYTHON",
            "version": _VERSION,
            "opaque": number,
            "flag": 0,
            "extFields": self._signed(fields),
            "serializeTypeCurrentRPC": "JSON",
        }
        packed = json.dumps(header, ensure_ascii=False).encode()
        self._socket.sendall(struct.pack(">II", 4 + len(packed), len(packed)) + packed)
        while True:
            found, answer = self._read()
            if found == number:
                return answer

    def close(self) -> None:
        self._socket.close()

    def _signed(self, fields: Mapping[str, str]) -> dict[str, str]:
        credentials = self._credentials
        if credentials is None:
            return dict(fields)
        signed = {**fields, "AccessKey": credentials.access_key}
        text = "".join(signed[name] for name in sorted(signed))
        digest = hmac.new(credentials.secret_key.encode(), text.encode(), hashlib.sha1).digest()
        return {**signed, "Signature": base64.b64encode(digest).decode()}

    def _read(self) -> tuple[int, _Answer]:
        length, head = struct.unpack(">II", self._exactly(8))
        # The first byte of `head` tells how the header is written.
        size = head & 0xFFFFFF
        if head >> 24 or not 4 + size <= length <= _LONGEST_FRAME:
            raise ConnectionError("what answers does not speak the remoting protocol")
        try:
            header = json.loads(self._exactly(size))
            fields = header.get("extFields") or {}
            answer = (int(header["code"]), str(header.get("remark") or ""), fields)
            return int(header["opaque"]), _Answer(*answer, self._exactly(length - 4 - size))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ConnectionError("what answers does not speak the remoting protocol") from error

    def _exactly(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size:
            part = self._socket.recv(min(size, 1 << 20))
            if not part:
                raise ConnectionError("the connection was closed")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def parse_json(body: bytes) -> dict[str, Any]:
    """A JSON object as fastjson writes it: numbers may be names of members. Raises ValueError."""
    text = body.decode()
    try:
        found = json.loads(text)
    except ValueError:
        found = json.loads(_TOKEN.sub(lambda token: f'"{token[1]}"' if token[1] else token[0], text))
    if not isinstance(found, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 it is the text that is wrong
    return found


def _checked(answer: _Answer, address: Address, topic: str | None) -> _Answer:
    if answer.code == _SUCCESS:
        return answer
    if answer.code == _NO_TOPIC:
        raise NotFound(
            f"{address} knows no topic {topic}.",
            value=topic,
            rule="a topic exists before it is read; a name server knows those of the brokers that run",
            remedy="see whether its broker runs; check the name and the namespace, or make it: "
            + topic_command(topic or "TOPIC"),
        )
    said = f" (it says: {' '.join(answer.remark.split())[:160]})" if answer.remark else ""
    if answer.code == _NO_PERMISSION:
        raise Forbidden(
            f"{address} does not let this account ask for offsets{said}.",
            value=topic,
            remedy="allow it to GET the topic: mqadmin createAcl -n NAMESERVER:9876 -c CLUSTER "
            f"-s User:ACCESS_KEY -r Topic:{topic or '*'} -a Get -d Allow",
        )
    if answer.code == _NOT_SUPPORTED:
        raise InvalidInput(
            f"At {address} is no name server{said}.",
            value=str(address),
            rule=f"offsets are asked of the name server, which listens at {NAME_SERVER_PORT} by default",
            remedy="give the name server's host and port",
        )
    raise Unavailable(f"{address} cannot answer{said}.", value=answer.code, remedy="look at its log")


def _unreachable(address: Address, error: OSError) -> EventCenterError:
    return Unavailable(
        f"No name server or broker answers at {address} ({error.strerror or error}).",
        value=str(address),
        remedy=f"check the address; a name server listens at {NAME_SERVER_PORT} by default, and brokers at "
        "the address that they told it (brokerIP1)",
    )
