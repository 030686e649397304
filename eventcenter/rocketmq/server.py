"""What is known about a RocketMQ cluster before it is asked, and what is wanted from it."""

import re
import ssl
from dataclasses import dataclass, field
from enum import StrEnum

from eventcenter.errors import InvalidInput
from eventcenter.rocketmq.address import Address, parse_addresses

_NAME = re.compile(r"[%|a-zA-Z0-9_-]+")
_LONGEST_TOPIC = 127
_LONGEST_GROUP = 255
_SHORTEST_INVISIBLE_S = 10
_LONGEST_INVISIBLE_S = 12 * 3600
_SHORTEST_POLL_S = 5
_LONGEST_POLL_S = 20
LARGEST_BATCH = 32
"""The broker refuses to hand out more at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """An account of the cluster; the secret is never shown."""

    access_key: str
    secret_key: str = field(repr=False)

    @classmethod
    def given(cls, access_key: str, secret_key: str) -> "Credentials | None":
        """The account; None where neither is given. Raises InvalidInput."""
        if not access_key and not secret_key:
            return None
        return cls(access_key=access_key, secret_key=secret_key)

    def __post_init__(self) -> None:
        if not self.access_key or not self.secret_key:
            raise InvalidInput(
                "Access key and secret key belong together.",
                rule="both are given, or none",
                remedy="give both, or none where the cluster asks for none",
            )
        if not self.access_key.isascii() or not self.access_key.isprintable() or "," in self.access_key:
            raise InvalidInput(
                "The access key cannot be sent.",
                value=self.access_key,
                rule="an access key has printable ASCII characters and no comma",
                remedy="check how it is written",
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Tls:
    """Encrypted connections."""

    ca: bytes | None = field(default=None, repr=False)
    """The certificates to trust (PEM); None: those that gRPC brings with it."""
    name: str | None = None
    """The name that the server's certificate must have, where it is not the address's."""

    @classmethod
    def given(cls, ca: str, name: str) -> "Tls":
        """From texts, which may be empty. Raises InvalidInput."""
        return cls(ca=ca.encode() if ca.strip() else None, name=name or None)

    def __post_init__(self) -> None:
        if self.ca is not None:
            try:
                ssl.create_default_context(cadata=self.ca.decode("ascii"))
            except (ssl.SSLError, ValueError) as error:
                raise InvalidInput(
                    f"The authority's certificate cannot be read ({error}).",
                    rule="certificates in PEM: -----BEGIN CERTIFICATE----- and what follows",
                    remedy="give the file that the cluster's operator has for clients",
                ) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A cluster's proxies."""

    addresses: tuple[Address, ...]
    namespace: str = ""
    credentials: Credentials | None = None
    tls: Tls | None = None

    def __post_init__(self) -> None:
        if not self.addresses:
            raise InvalidInput(
                "No address is given.",
                rule="a server has the address of one proxy or more",
                remedy="give host:port of a proxy",
            )

    @classmethod
    def at(
        cls,
        addresses: str,
        *,
        namespace: str = "",
        credentials: Credentials | None = None,
        tls: Tls | None = None,
    ) -> "Server":
        """The server at `host:port[;host:port]`. Raises InvalidInput."""
        return cls(
            addresses=parse_addresses(addresses), namespace=namespace, credentials=credentials, tls=tls
        )

    def __str__(self) -> str:
        return ";".join(map(str, self.addresses))


class FilterKind(StrEnum):
    """Languages of filters; brokers evaluate them."""

    TAG = "tag"
    """`*` for all, `a || b` for these tags."""
    SQL = "sql"
    """SQL92 over properties; the broker needs enablePropertyFilter=true."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription:
    """A topic, and which of its messages."""

    topic: str
    expression: str = "*"
    kind: FilterKind = FilterKind.TAG

    def __post_init__(self) -> None:
        _check_name("topic", self.topic, _LONGEST_TOPIC)
        if not self.expression.strip():
            raise InvalidInput(
                f"The filter of the topic {self.topic} is empty.",
                rule="a filter says which messages are wanted",
                remedy="write * for all",
            )

    @property
    def is_whole(self) -> bool:
        """Whether no message is filtered out, so that offsets without a message are gaps."""
        return self.kind is FilterKind.TAG and self.expression.strip() == "*"


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """A consumer group and what it reads."""

    name: str
    subscriptions: tuple[Subscription, ...]

    def __post_init__(self) -> None:
        _check_name("consumer group", self.name, _LONGEST_GROUP)
        topics = [subscription.topic for subscription in self.subscriptions]
        if not topics:
            raise InvalidInput(
                "No topic is given.",
                rule="an input reads one topic or more",
                remedy="name a topic",
            )
        if len(set(topics)) < len(topics):
            raise InvalidInput(
                "A topic is there twice.",
                value=", ".join(topics),
                rule="a consumer group has one filter for each topic",
                remedy="name it once; tags are joined with ||",
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How messages are fetched; the defaults suit most."""

    batch_size: int = LARGEST_BATCH
    invisible_s: int = 30
    """How long nobody else gets a message that was received: at least twice the longest time to store it."""
    poll_s: int = 15
    """How long the server waits for a message before it answers that there is none."""
    threads: int = 3
    """Receiving threads for each topic of each broker."""
    unacked_batches: int = 64
    """For each topic of each broker; when so many are not yet durable, no more is received."""
    broken_attempts: int = 3
    """A message that arrives broken this often is rejected."""
    request_s: float = 5.0
    """The longest wait for an answer to anything but a poll."""
    heartbeat_s: float = 10.0
    route_s: float = 30.0

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("batch_size", self.batch_size, 1, LARGEST_BATCH),
            ("invisible_s", self.invisible_s, _SHORTEST_INVISIBLE_S, _LONGEST_INVISIBLE_S),
            ("poll_s", self.poll_s, _SHORTEST_POLL_S, _LONGEST_POLL_S),
            ("threads", self.threads, 1, 64),
            ("unacked_batches", self.unacked_batches, 1, 10_000),
            ("broken_attempts", self.broken_attempts, 1, 16),
        ):
            if not least <= value <= most:
                raise InvalidInput(
                    f"{name} is out of its range.",
                    value=value,
                    rule=f"{name} is from {least} to {most}",
                    remedy="give a number in this range",
                )


def _check_name(what: str, name: str, longest: int) -> None:
    if len(name) > longest or _NAME.fullmatch(name) is None:
        raise InvalidInput(
            f"{name!r} is no name of a {what}.",
            value=name,
            rule=f"letters, digits, and the characters % | _ -, at most {longest}",
            remedy="check how it is written",
        )
