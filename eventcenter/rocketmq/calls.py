"""The calls to one proxy as plain functions: metadata, deadlines, and errors that say what to do."""

import hashlib
import hmac
import queue
import socket
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eventcenter.clock import Clock
from eventcenter.errors import EventCenterError
from eventcenter.rocketmq.address import Address
from eventcenter.rocketmq.refusals import (
    INVALID_RECEIPT_HANDLE,
    MULTIPLE_RESULTS,
    OK,
    About,
    of_failure,
    of_status,
)
from eventcenter.rocketmq.server import Server, Subscription
from eventcenter.rocketmq.stubs import Stub, definition, grpc, service

_VERSION = "5.1.2"
"""Of the protocol's stubs."""
_SCHEMES = {4: definition.IPv4, 6: definition.IPv6, None: definition.DOMAIN_NAME}
_ANSWERED = {OK, MULTIPLE_RESULTS, INVALID_RECEIPT_HANDLE}
_OPTIONS: tuple[tuple[str, int], ...] = (
    # Messages are as large as the brokers allow.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 60_000),
    # gRPC would wait up to two minutes before it tries again.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Each consumer has its own connection, which ends with it.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    # Answers are read in the thread that asks: half the CPU for each message. The name is that of
    # grpc.experimental.ChannelOptions, whose import would load asyncio's side of gRPC too.
    ("SingleThreadedUnaryStream", 1),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Who calls."""

    client_id: str
    """Unique for each consumer."""
    group: str | None
    """None: it only sends."""

    @classmethod
    def new(cls, group: str | None) -> "Identity":
        """One that nobody had before."""
        host = socket.gethostname().encode("ascii", "replace").decode()
        return cls(client_id=f"eventcenter@{host}@{uuid.uuid4().hex}", group=group)


class Calls:
    """A connection to one proxy. Any thread may call; all raise EventCenterError."""

    def __init__(self, server: Server, address: Address, identity: Identity, clock: Clock) -> None:
        """Nothing is sent before the first call."""
        self.address = address
        self._server = server
        self._identity = identity
        self._clock = clock
        self._group = definition.Resource(resource_namespace=server.namespace, name=identity.group or "")
        self._fixed = [
            ("x-mq-client-id", identity.client_id),
            ("x-mq-language", "PYTHON"),
            ("x-mq-protocol", "GRPC_V2"),
            ("x-mq-client-version", _VERSION),
        ]
        if server.namespace:
            self._fixed.append(("x-mq-namespace", server.namespace))
        self._channel = _channel(server, address)
        self._stub = Stub(self._channel)

    def about(self, subscription: Subscription | None = None) -> About:
        """What errors of these calls name."""
        if subscription is None:
            return About(address=self.address, group=self._identity.group)
        return About(
            address=self.address,
            group=self._identity.group,
            topic=subscription.topic,
            expression=subscription.expression,
        )

    def endpoints(self) -> Any:
        """The address as the protocol writes it."""
        return definition.Endpoints(
            scheme=_SCHEMES[self.address.ip_version],
            addresses=[definition.Address(host=self.address.host, port=self.address.port)],
        )

    def topic(self, name: str) -> Any:
        """The topic as the protocol writes it."""
        return definition.Resource(resource_namespace=self._server.namespace, name=name)

    def settings(self, subscriptions: Sequence[Subscription], *, request_s: float, poll_s: float) -> Any:
        """The command that tells a proxy what this client reads."""
        settings = definition.Settings(
            client_type=definition.SIMPLE_CONSUMER,
            access_point=self.endpoints(),
            subscription=definition.Subscription(
                group=self._group,
                subscriptions=[
                    definition.SubscriptionEntry(topic=self.topic(each.topic), expression=expression_of(each))
                    for each in subscriptions
                ],
            ),
            user_agent=definition.UA(
                language=definition.PYTHON, version=_VERSION, platform="python", hostname=socket.gethostname()
            ),
        )
        settings.request_timeout.FromMilliseconds(int(request_s * 1000))
        settings.subscription.long_polling_timeout.FromMilliseconds(int(poll_s * 1000))
        return service.TelemetryCommand(settings=settings)

    def route(self, subscription: Subscription, timeout_s: float) -> list[Any]:
        """The topic's message queues (protocol's MessageQueue)."""
        request = service.QueryRouteRequest(topic=self.topic(subscription.topic), endpoints=self.endpoints())
        answer = self._ask(self._stub.QueryRoute, request, timeout_s, self.about(subscription))
        return list(answer.message_queues)

    def heartbeat(self, timeout_s: float) -> None:
        """Say that this client lives. Raises SettingsMissing where the proxy does not know it."""
        request = service.HeartbeatRequest(group=self._group, client_type=definition.SIMPLE_CONSUMER)
        self._ask(self._stub.Heartbeat, request, timeout_s, self.about())

    def goodbye(self, timeout_s: float) -> None:
        """Say that this client ends."""
        request = service.NotifyClientTerminationRequest(group=self._group)
        self._ask(self._stub.NotifyClientTermination, request, timeout_s, self.about())

    def telemetry(self, settings: Any, timeout_s: float | None = None) -> Any:
        """The stream of what both sides tell, begun with the settings: iterate over it, cancel it.

        Raises grpc.RpcError while it is read, ValueError where the connection was closed.
        """
        commands: queue.SimpleQueue[Any] = queue.SimpleQueue()
        commands.put(settings)
        # This side says nothing more and leaves the stream open until it breaks.
        stream = self._stub.Telemetry(iter(commands.get, None), timeout=timeout_s, metadata=self._metadata())
        if not stream.add_callback(lambda: commands.put(None)):
            commands.put(None)
        return stream

    def receive(self, request: Any, timeout_s: float) -> Any:
        """The stream of an answer to a poll: iterate over it, cancel it. Raises grpc.RpcError then."""
        return self._stub.ReceiveMessage(request, timeout=timeout_s, metadata=self._metadata())

    def receive_request(
        self,
        message_queue: Any,
        subscription: Subscription,
        *,
        batch_size: int,
        invisible_s: float,
        poll_s: float,
    ) -> Any:
        """What asks for messages; it can be sent again and again."""
        request = service.ReceiveMessageRequest(
            group=self._group,
            message_queue=message_queue,
            filter_expression=expression_of(subscription),
            batch_size=batch_size,
            auto_renew=False,
        )
        request.invisible_duration.FromMilliseconds(int(invisible_s * 1000))
        request.long_polling_timeout.FromMilliseconds(int(poll_s * 1000))
        return request

    def ack(self, subscription: Subscription, entries: Sequence[Any], timeout_s: float) -> list[Any]:
        """Acknowledge messages in one call; the entries' results, or [] where all went well."""
        request = service.AckMessageRequest(
            group=self._group, topic=self.topic(subscription.topic), entries=entries
        )
        answer = self._ask(self._stub.AckMessage, request, timeout_s, self.about(subscription))
        code = answer.status.code
        if code == INVALID_RECEIPT_HANDLE and not answer.entries:
            # One word for all of them.
            return [
                service.AckMessageResultEntry(receipt_handle=entry.receipt_handle, status=answer.status)
                for entry in entries
            ]
        return [] if code == OK else list(answer.entries)

    def send(self, messages: Sequence[Any], topic: str, timeout_s: float) -> Any:
        """Send messages of one topic in one call (protocol's SendMessageResponse); what it refuses is in it.

        Raises EventCenterError where no answer comes.
        """
        request = service.SendMessageRequest(messages=messages)
        about = About(address=self.address, group=None, topic=topic)
        return self._answered(self._stub.SendMessage, request, timeout_s, about)

    def close(self) -> None:
        """End the connection; calls under way fail."""
        self._channel.close()

    def _answered(self, method: Any, request: Any, timeout_s: float, about: About) -> Any:
        try:
            return method(request, timeout=timeout_s, metadata=self._metadata())
        except grpc.RpcError as failure:
            raise of_failure(failure, about) from failure
        except ValueError as closed:  # gRPC's word for a call on a channel that was closed
            raise of_status(definition.INTERNAL_ERROR, str(closed), about) from closed

    def _ask(self, method: Any, request: Any, timeout_s: float, about: About) -> Any:
        answer = self._answered(method, request, timeout_s, about)
        status = answer.status
        has_results = len(getattr(answer, "entries", ())) > 0
        if status.code not in _ANSWERED and not has_results:
            raise of_status(status.code, status.message, about)
        return answer

    def _metadata(self) -> list[tuple[str, str]]:
        moment = self._clock.now().strftime("%Y%m%dT%H%M%SZ")
        metadata = [*self._fixed, ("x-mq-date-time", moment), ("x-mq-request-id", uuid.uuid4().hex)]
        credentials = self._server.credentials
        if credentials is not None:
            signature = hmac.new(credentials.secret_key.encode(), moment.encode(), hashlib.sha1).hexdigest()
            account = f"Credential={credentials.access_key}"
            signed = f"MQv2-HMAC-SHA1 {account}, SignedHeaders=x-mq-date-time, Signature={signature}"
            metadata.append(("authorization", signed))
        return metadata


def expression_of(subscription: Subscription) -> Any:
    """The filter as the protocol writes it."""
    return definition.FilterExpression(
        type=definition.FilterType.Value(subscription.kind.name), expression=subscription.expression
    )


def raised(failure: BaseException, about: About) -> EventCenterError | None:
    """The error for a stream that failed; None where this side cancelled it."""
    if isinstance(failure, EventCenterError):
        return failure
    if isinstance(failure, grpc.RpcError):
        return None if _is_cancelled(failure) else of_failure(failure, about)
    return of_status(definition.INTERNAL_ERROR, str(failure), about)


def _is_cancelled(failure: Any) -> bool:
    return bool(failure.code() is grpc.StatusCode.CANCELLED)


def _channel(server: Server, address: Address) -> Any:
    if server.tls is None:
        return grpc.insecure_channel(address.target, options=_OPTIONS)
    options: list[tuple[str, int | str]] = [*_OPTIONS]
    if server.tls.name is not None:
        options.append(("grpc.ssl_target_name_override", server.tls.name))
    credentials = grpc.ssl_channel_credentials(root_certificates=server.tls.ca)
    return grpc.secure_channel(address.target, credentials, options=options)
