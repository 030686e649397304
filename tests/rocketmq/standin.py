"""A stand-in for a RocketMQ proxy: for the faults that a real one does not produce on demand.

Like a real one it hands out nothing to clients whose settings it does not know, and what was handed out comes
again when it was not acknowledged in time (here: when the test says so).
"""

import hashlib
import itertools
import queue
import threading
import time
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import grpc

from eventcenter.rocketmq.address import Address
from eventcenter.rocketmq.stubs import Servicer, add_to_server, definition, service

OK = definition.Status(code=definition.OK)


class Proxy(Servicer):  # type: ignore[misc]
    """Serves on a free port of 127.0.0.1 from `start` to `stop`; may be started again on the same port."""

    def __init__(self, *topics: str, group: str = "group", broker: str = "broker-a") -> None:
        self.topics = topics
        self.group = group
        self.broker = broker
        self.port = 0
        self.waiting: dict[str, deque[Any]] = {topic: deque() for topic in topics}
        self.out: dict[str, Any] = {}
        """Handed out and not acknowledged, by receipt handle."""
        self.acked: list[str] = []
        """Ids of acknowledged messages."""
        self.ack_calls: list[int] = []
        """Entries of each call."""
        self.answers: dict[str, deque[Any]] = {}
        """Statuses that the next calls are answered with, by the call's name."""
        self.metadata: dict[str, dict[str, str]] = {}
        """Of the last call of each name."""
        self.commands: deque[Any] = deque()
        """Sent on each telemetry stream before the settings are answered."""
        self.mute_settings = 0
        """So many times settings are taken without an answer."""
        self.settings: list[Any] = []
        self.heartbeats = 0
        self.goodbyes: list[str] = []
        self.polls = 0
        self.pause_s = 0.0
        """Between two messages of an answer."""
        self.changed = threading.Condition()
        self._known: set[str] = set()
        self._streams: set[queue.SimpleQueue[Any]] = set()
        self._numbers = itertools.count()
        self._server: Any = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> Address:
        return Address(host="127.0.0.1", port=self.port)

    def start(self, credentials: Any = None) -> None:
        options = [("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)]
        self._server = grpc.server(ThreadPoolExecutor(32), options=options)
        add_to_server(self, self._server)
        target = f"127.0.0.1:{self.port}"
        if credentials is None:
            self.port = self._server.add_insecure_port(target)
        else:
            self.port = self._server.add_secure_port(target, credentials)
        self._server.start()

    def stop(self) -> None:
        """As when it is killed: it forgets its clients."""
        self.break_telemetry()
        self._server.stop(0).wait()
        self._known.clear()

    def forget_clients(self) -> None:
        """They are to send their settings again."""
        self._known.clear()

    def break_telemetry(self) -> None:
        for stream in list(self._streams):
            stream.put(None)

    def put(self, topic: str, body: bytes, **system: Any) -> str:
        """A message for the next poll; its id."""
        message_id = f"id-{next(self._numbers)}"
        digest = definition.Digest(type=definition.MD5, checksum=hashlib.md5(body).hexdigest().upper())
        fields = {"message_id": message_id, "body_digest": digest, "delivery_attempt": 1, "queue_offset": 7}
        wire = definition.Message(
            topic=definition.Resource(name=topic),
            body=body,
            system_properties=definition.SystemProperties(**{**fields, **system}),
        )
        with self.changed:
            self.waiting[topic].append(wire)
            self.changed.notify_all()
        return message_id

    def put_packed(self, topic: str, body: bytes, wbits: int) -> str:
        packer = zlib.compressobj(wbits=wbits)
        packed = packer.compress(body) + packer.flush()
        return self.put(topic, packed, body_encoding=definition.GZIP)

    def hand_out_again(self) -> None:
        """What was handed out and not acknowledged: its invisible time is over."""
        with self.changed:
            for wire in self.out.values():
                wire.system_properties.delivery_attempt += 1
                self.waiting[wire.topic.name].append(wire)
            self.out.clear()
            self.changed.notify_all()

    def wait(self, condition: Any, timeout_s: float = 10.0) -> None:
        """Until the condition holds."""
        until = time.monotonic() + timeout_s
        with self.changed:
            while not condition():
                assert time.monotonic() < until, "it never came to that"
                self.changed.wait(0.02)

    # ---- the protocol

    def QueryRoute(self, request: Any, context: Any) -> Any:  # noqa: N802
        if (status := self._answer("QueryRoute", context)) is not None:
            return service.QueryRouteResponse(status=status)
        if request.topic.name not in self.topics:
            return service.QueryRouteResponse(status=definition.Status(code=definition.TOPIC_NOT_FOUND))
        endpoints = definition.Endpoints(
            scheme=definition.IPv4, addresses=[definition.Address(host="127.0.0.1", port=self.port)]
        )
        broker = definition.Broker(name=self.broker, endpoints=endpoints)
        queues = [
            definition.MessageQueue(
                topic=request.topic, id=number, permission=definition.READ_WRITE, broker=broker
            )
            for number in range(2)
        ]
        return service.QueryRouteResponse(status=OK, message_queues=queues)

    def Heartbeat(self, request: Any, context: Any) -> Any:  # noqa: N802
        status = self._answer("Heartbeat", context)
        self.heartbeats += 1
        if status is None and self._client(context) not in self._known:
            status = definition.Status(code=definition.UNRECOGNIZED_CLIENT_TYPE)
        return service.HeartbeatResponse(status=status or OK)

    def NotifyClientTermination(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.goodbyes.append(self._client(context))
        return service.NotifyClientTerminationResponse(status=OK)

    def Telemetry(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:  # noqa: N802
        if (status := self._answer("Telemetry", context)) is not None:
            yield service.TelemetryCommand(status=status)
            return
        client = self._client(context)
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._streams.add(answers)

        def read() -> None:
            try:
                for command in requests:
                    self._take(client, command, answers)
            except Exception:  # noqa: BLE001 the stream broke
                pass
            answers.put(None)

        threading.Thread(target=read, daemon=True).start()
        try:
            yield from iter(answers.get, None)
        finally:
            self._streams.discard(answers)
        context.abort(grpc.StatusCode.UNAVAILABLE, "the stream ends")

    def _take(self, client: str, command: Any, answers: "queue.SimpleQueue[Any]") -> None:
        with self.changed:
            if command.settings.subscription.group.name != self.group:
                answers.put(
                    service.TelemetryCommand(
                        status=definition.Status(code=definition.CONSUMER_GROUP_NOT_FOUND)
                    )
                )
                return
            self.settings.append(command.settings)
            for early in self.commands:
                answers.put(early)
            if self.mute_settings:
                self.mute_settings -= 1
            else:
                self._known.add(client)
                answers.put(service.TelemetryCommand(status=OK, settings=command.settings))
            self.changed.notify_all()

    def ReceiveMessage(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        status = self._answer("ReceiveMessage", context)
        self.polls += 1
        if status is None and self._client(context) not in self._known:
            text = 'Cannot invoke "getSubscription()" because "settings" is null. NullPointerException'
            status = definition.Status(code=definition.INTERNAL_SERVER_ERROR, message=text)
        if status is not None:
            yield service.ReceiveMessageResponse(status=status)
            return
        wires = self._next(request, context)
        code = definition.OK if wires else definition.MESSAGE_NOT_FOUND
        yield service.ReceiveMessageResponse(status=definition.Status(code=code))
        for wire in wires:
            yield service.ReceiveMessageResponse(message=wire)
            if self.pause_s:
                threading.Event().wait(self.pause_s)

    def _next(self, request: Any, context: Any) -> list[Any]:
        waiting = self.waiting[request.message_queue.topic.name]
        until = time.monotonic() + request.long_polling_timeout.ToMilliseconds() / 1000
        with self.changed:
            while not waiting and context.is_active() and time.monotonic() < until:
                self.changed.wait(0.05)
            if not context.is_active():
                return []
            wires = [waiting.popleft() for _ in range(min(len(waiting), request.batch_size))]
            for wire in wires:
                handle = f"handle-{next(self._numbers)}"
                wire.system_properties.receipt_handle = handle
                self.out[handle] = wire
            return wires

    def AckMessage(self, request: Any, context: Any) -> Any:  # noqa: N802
        if (status := self._answer("AckMessage", context)) is not None:
            return service.AckMessageResponse(status=status)
        with self.changed:
            self.ack_calls.append(len(request.entries))
            results = [self._ack(entry) for entry in request.entries]
            self.changed.notify_all()
        codes = {result.status.code for result in results}
        code = codes.pop() if len(codes) == 1 else definition.MULTIPLE_RESULTS
        return service.AckMessageResponse(status=definition.Status(code=code), entries=results)

    def _ack(self, entry: Any) -> Any:
        wire = self.out.pop(entry.receipt_handle, None)
        code = definition.INVALID_RECEIPT_HANDLE if wire is None else definition.OK
        if wire is not None:
            self.acked.append(wire.system_properties.message_id)
        return service.AckMessageResultEntry(
            message_id=entry.message_id,
            receipt_handle=entry.receipt_handle,
            status=definition.Status(code=code),
        )

    def _answer(self, name: str, context: Any) -> Any:
        self.metadata[name] = dict(context.invocation_metadata())
        statuses = self.answers.get(name)
        if not statuses:
            return None
        status = statuses.popleft()
        if isinstance(status, grpc.StatusCode):
            context.abort(status, "refused by the test")
        return status

    @staticmethod
    def _client(context: Any) -> str:
        return str(dict(context.invocation_metadata())["x-mq-client-id"])
