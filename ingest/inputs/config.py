"""What an input is told: the members of `Input.config`, `Input.secrets` and `Fetch.ranges` in the store."""

from typing import Literal

import msgspec


class Topic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Topics of an input, and the bus that their events go to."""

    topic: str
    """A name; with `is_pattern` a pattern of names with * and ?, looked up at the name server."""
    bus: str
    is_pattern: bool = False
    filter: str = "*"
    filter_kind: Literal["tag", "sql"] = "tag"
    wrap_type: str | None = None
    """Type of the events that plain messages become; without one these are rejected."""


class RocketMq(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An input of kind `rocketmq`; all but the secret."""

    addresses: str
    """Of the proxies, host:port;host:port."""
    group: str
    topics: tuple[Topic, ...]
    name_servers: str = ""
    """host:port;host:port, or "": then patterns, lag, gaps and fetching are not to be had."""
    namespace: str = ""
    access_key: str = ""
    tls: bool = False
    tls_ca: str = ""
    """PEM; "" trusts public authorities."""
    tls_name: str = ""
    accept_unprefixed_extensions: bool = True


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed."""

    secret_key: str = ""


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """Offsets from `first` up to and with `last` of one queue, to be fetched from its broker."""

    topic: str
    broker: str
    queue_id: int
    first: int
    last: int
