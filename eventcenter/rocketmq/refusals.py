"""What a server refused → our errors: one sentence that says what it is, one that says what to do."""

from dataclasses import dataclass
from typing import Any

from eventcenter.errors import (
    Busy,
    EventCenterError,
    Forbidden,
    InvalidInput,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from eventcenter.rocketmq.address import Address
from eventcenter.rocketmq.commands import group_command, topic_command
from eventcenter.rocketmq.stubs import definition, grpc

OK: int = definition.OK
MULTIPLE_RESULTS: int = definition.MULTIPLE_RESULTS
MESSAGE_NOT_FOUND: int = definition.MESSAGE_NOT_FOUND
TOO_MANY_REQUESTS: int = definition.TOO_MANY_REQUESTS
INVALID_RECEIPT_HANDLE: int = definition.INVALID_RECEIPT_HANDLE

_UNKNOWN_CLIENT: int = definition.UNRECOGNIZED_CLIENT_TYPE
_GROUP_MISSING = "group not found"
_SETTINGS_MISSING = '"settings" is null'
_DISCONNECTED = ("Connection refused", "Connection reset", "Socket closed", "Stream removed")
_SHOWN = 160
_Code = grpc.StatusCode


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """Whom a call asked, and about what: errors name them."""

    address: Address
    group: str | None
    """None for who only sends."""
    topic: str | None = None
    expression: str | None = None


class SettingsMissing(Unavailable):
    """The server does not know this client's settings (any more): they are to be sent again."""


def of_status(code: int, message: str, about: About) -> EventCenterError:
    """The error for a status in an answer; `code` is none of those that are no errors."""
    if code == _UNKNOWN_CLIENT or _SETTINGS_MISSING in message:
        return SettingsMissing(
            f"The proxy at {about.address} does not know this client's settings.",
            remedy="none is needed, they are sent again",
        )
    if code == definition.CONSUMER_GROUP_NOT_FOUND or _GROUP_MISSING in message:
        return _no_group(about)
    if code in {definition.TOPIC_NOT_FOUND, definition.NOT_FOUND}:
        return NotFound(
            f"RocketMQ has no topic {about.topic}.",
            value=about.topic,
            rule="a topic exists before it is read; proxies make none, and see a new one within 20 seconds",
            remedy=f"check the name and the namespace, or make it: {topic_command(about.topic or 'TOPIC')}",
        )
    said = _said(message)
    if code == definition.UNAUTHORIZED:
        return _not_known(about, said)
    if code == definition.FORBIDDEN:
        return _not_allowed(about, said)
    if code == definition.ILLEGAL_FILTER_EXPRESSION:
        return InvalidInput(
            f"RocketMQ refuses the filter of the topic {about.topic}{said}.",
            value=about.expression,
            rule="tags as in a || b, or SQL92 where the broker has enablePropertyFilter=true",
            remedy="correct the filter, or write * for all messages",
        )
    if code == TOO_MANY_REQUESTS:
        return Busy(
            f"The proxy at {about.address} has too many requests{said}.",
            retry_after=1,
            remedy="none is needed, it is asked again; more proxies help when this lasts",
        )
    if definition.BAD_REQUEST <= code < definition.UNAUTHORIZED:
        return InvalidInput(
            f"The proxy at {about.address} refuses a request{said}.",
            value=_name(code),
            remedy="check topic, consumer group and namespace",
        )
    return Unavailable(
        f"The proxy at {about.address} cannot answer{said}.",
        value=_name(code),
        remedy="it is asked again; look at the proxy's log when this lasts",
    )


def of_failure(failure: Any, about: About) -> EventCenterError:
    """The error for a call that failed (grpc.RpcError)."""
    code = failure.code()
    text = failure.details() or ""
    if _GROUP_MISSING in text:
        return _no_group(about)
    said = _said(text)
    if code is _Code.UNAUTHENTICATED:
        return _not_known(about, said)
    if code is _Code.PERMISSION_DENIED:
        return _not_allowed(about, said)
    if code is _Code.UNIMPLEMENTED:
        return UnsupportedMediaType(
            f"At {about.address} something speaks gRPC, but not RocketMQ's protocol.",
            value=str(about.address),
            rule="the address is a RocketMQ 5 proxy's",
            remedy="give the proxy's host and its grpcServerPort, 8081 by default",
        )
    if code is _Code.RESOURCE_EXHAUSTED:
        return TooLarge(
            f"A message from {about.address} is larger than what can be received{said}.",
            remedy="look at the sizes of the topic's messages",
        )
    if code in {_Code.INVALID_ARGUMENT, _Code.FAILED_PRECONDITION}:
        return InvalidInput(
            f"The proxy at {about.address} refuses a request{said}.",
            remedy="check topic, consumer group and namespace",
        )
    if code is _Code.DEADLINE_EXCEEDED:
        return Unavailable(
            f"The proxy at {about.address} does not answer in time.",
            remedy="it is asked again; check its load and the network when this lasts",
        )
    # How a connection failed is gRPC's talk, and other for each call of the same moment.
    said = "" if any(each in text for each in _DISCONNECTED) else said
    return Unavailable(
        f"No RocketMQ proxy answers at {about.address}{said}.",
        remedy="it is tried again; check the address, and whether the proxy runs",
    )


def _no_group(about: About) -> EventCenterError:
    return NotFound(
        f"RocketMQ has no consumer group {about.group}.",
        value=about.group,
        rule="a consumer group exists before a client joins it; proxies see none at brokers of RocketMQ 4",
        remedy=f"make it: {group_command(about.group or 'GROUP')}",
    )


def _not_known(about: About, said: str) -> EventCenterError:
    return Unauthenticated(
        f"RocketMQ at {about.address} does not accept the credentials{said}.",
        rule="access key and secret key are those of an account of the cluster",
        remedy="check both; list the accounts with mqadmin listUser -n NAMESERVER:9876 -c CLUSTER",
    )


def _not_allowed(about: About, said: str) -> EventCenterError:
    topic = f"Topic:{about.topic or '*'}"
    allow = "mqadmin createAcl -n NAMESERVER:9876 -c CLUSTER -s User:ACCESS_KEY -d Allow"
    if about.group is None:
        return Forbidden(
            f"RocketMQ at {about.address} does not let this account send{said}.",
            value=about.topic,
            rule="the account may PUB the topic",
            remedy=f"allow it: {allow} -r {topic} -a Pub",
        )
    return Forbidden(
        f"RocketMQ at {about.address} does not let this account read{said}.",
        value=about.topic,
        rule="the account may SUB the topic and the consumer group",
        remedy=f"allow it: {allow} -r {topic},Group:{about.group} -a Sub",
    )


def _said(message: str) -> str:
    """What the server said, as an aside; one line."""
    line = " ".join(message.split())
    if not line:
        return ""
    return f" (it says: {line if len(line) <= _SHOWN else line[:_SHOWN] + '…'})"


def _name(code: int) -> str:
    known = definition.Code.DESCRIPTOR.values_by_number.get(code)
    return str(code) if known is None else f"{code} {known.name}"
