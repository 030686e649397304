"""An input's settings → what RocketMQ's clients want to know."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from eventcenter.rocketmq.remoting import Offsets
from eventcenter.rocketmq.server import Credentials, FilterKind, Server, Subscription, Tls
from eventcenter.store.models import Input
from eventcenter.store.secrets import SecretBox
from ingest.bindings.rocketmq import Decoding
from ingest.inputs.config import RocketMq, Secrets, Topic

_OF_ROCKETMQ = (
    "RMQ_SYS_",
    "TBW102",
    "SCHEDULE_TOPIC_XXXX",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
    "rmq_sys_",
)


def config_of(row: Input) -> RocketMq:
    """What the input is told."""
    return msgspec.convert(row.config, RocketMq)


def stored(config: RocketMq) -> dict[str, Any]:
    """As the store keeps it."""
    kept: dict[str, Any] = msgspec.to_builtins(config)
    return kept


def opened(row: Input, secrets: SecretBox) -> Secrets:
    """What is sealed. Raises Unavailable where another key sealed it."""
    return msgspec.json.decode(secrets.decrypt(row.secrets), type=Secrets)


def sealed(held: Secrets, secrets: SecretBox) -> bytes:
    """As the store keeps it."""
    return secrets.encrypt(msgspec.json.encode(held))


def server_of(config: RocketMq, held: Secrets) -> Server:
    """The proxies. Raises InvalidInput."""
    return Server.at(
        config.addresses,
        namespace=config.namespace,
        credentials=Credentials.given(config.access_key, held.secret_key),
        tls=Tls.given(config.tls_ca, config.tls_name) if config.tls else None,
    )


def offsets_of(config: RocketMq, held: Secrets, *, timeout_s: float = 3.0) -> Offsets:
    """Name servers and brokers, where name servers are given. Raises InvalidInput."""
    return Offsets(
        config.name_servers,
        namespace=config.namespace,
        credentials=Credentials.given(config.access_key, held.secret_key),
        timeout_s=timeout_s,
    )


def subscription_of(topic: Topic, name: str | None = None) -> Subscription:
    """What is read of the topic, or of one that its pattern found. Raises InvalidInput."""
    return Subscription(
        topic=name or topic.topic, expression=topic.filter, kind=FilterKind(topic.filter_kind)
    )


def decoding_of(config: RocketMq, topic: Topic) -> Decoding:
    """How the topic's messages become events."""
    return Decoding(
        cluster=config.namespace or "default",
        accept_unprefixed_extensions=config.accept_unprefixed_extensions,
        wrap_type=topic.wrap_type,
    )


def is_whole(topic: Topic) -> bool:
    """Whether no message is filtered out."""
    return topic.filter_kind == "tag" and topic.filter.strip() == "*"


def matching(pattern: str, names: list[str]) -> list[str]:
    """The topics that a pattern means; those of RocketMQ itself are never meant."""
    return [
        name for name in names if not name.startswith(("%", *_OF_ROCKETMQ)) and fnmatchcase(name, pattern)
    ]


def resolved(config: RocketMq, offsets: Offsets | None) -> Mapping[str, Topic]:
    """Each topic by its name, patterns looked up; the first that means a topic holds.

    Raises EventCenterError where a pattern has to be looked up and the name servers do not answer.
    """
    found = {topic.topic: topic for topic in config.topics if not topic.is_pattern}
    patterns = [topic for topic in config.topics if topic.is_pattern]
    if patterns and offsets is not None:
        names = offsets.topics()
        for topic in patterns:
            for name in matching(topic.topic, names):
                found.setdefault(name, topic)
    return found
