"""What was asked for → an input's settings, or why they cannot be."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from eventcenter.errors import EventCenterError, InvalidInput
from eventcenter.event import SPECVERSION
from eventcenter.rocketmq.address import parse_addresses
from eventcenter.rocketmq.server import Group, Tls
from eventcenter.settings import SERVICE_NAME
from ingest.inputs.config import RocketMq, Secrets, Topic
from ingest.inputs.connection import server_of, subscription_of
from ingest.inputs.shapes import TopicBody
from ingest.validation import Limits
from ingest.validation.attributes import check_attributes

_NAME_LIMIT = 127
_MOST_ADDRESSES = 32
_PATTERN = re.compile(r"[a-zA-Z0-9_*?|-]{1,127}")
_NAMESPACE = re.compile(r"[a-zA-Z0-9_%|-]{0,127}")
_TLS_NAME = re.compile(r"[a-zA-Z0-9._-]{1,253}")
_ADDRESS_OF = {"addresses": "proxies", "name_servers": "name servers"}


def name_of(text: str) -> str:
    """An input's name. Raises InvalidInput."""
    held = text.strip()
    if not held or len(held) > _NAME_LIMIT or any(unicodedata.category(c)[0] == "C" for c in held):
        raise InvalidInput(
            "This is no usable name.",
            value=text,
            rule=f"a name is one line of 1 to {_NAME_LIMIT} characters, none of them hidden",
            remedy="choose another name",
        )
    return held


def config_from(given: dict[str, Any]) -> RocketMq:
    """The settings among `given`, whose topics are bodies or topics already. Raises InvalidInput."""
    topics = [_topic(one) for one in given["topics"]]
    texts = {
        name: str(given.get(name) or "").strip()
        for name in ("addresses", "group", "name_servers", "namespace", "access_key", "tls_name")
    }
    return RocketMq(
        **texts,
        topics=tuple(topics),
        tls=bool(given.get("tls")),
        tls_ca=str(given.get("tls_ca") or "").strip(),
        accept_unprefixed_extensions=bool(given.get("accept_unprefixed_extensions", True)),
    )


def check(config: RocketMq, held: Secrets, *, buses: set[str], limits: Limits) -> None:
    """Raises InvalidInput for settings that cannot work, whatever the cluster is like."""
    for name, what in _ADDRESS_OF.items():
        text = getattr(config, name)
        if (text or name == "addresses") and len(parse_addresses(text)) > _MOST_ADDRESSES:
            raise InvalidInput(
                f"There are too many {what}.",
                value=len(parse_addresses(text)),
                rule=f"at most {_MOST_ADDRESSES} addresses",
                remedy="name some of them: the others are found by these",
            )
    if _NAMESPACE.fullmatch(config.namespace) is None:
        raise InvalidInput(
            f"{config.namespace!r} is no namespace.",
            value=config.namespace,
            rule="letters, digits, and the characters % | _ -, at most 127",
            remedy="check how it is written, or leave it empty",
        )
    if config.tls_name and _TLS_NAME.fullmatch(config.tls_name) is None:
        raise InvalidInput(
            f"{config.tls_name!r} is no name of a certificate.",
            value=config.tls_name,
            rule="it is a host name",
            remedy="check how it is written, or leave it empty",
        )
    if config.tls_ca:
        Tls(ca=config.tls_ca.encode())
    if config.tls_ca and not config.tls:
        raise InvalidInput(
            "An authority's certificate is given, and TLS is off.",
            rule="certificates are for encrypted connections",
            remedy="turn TLS on, or leave the certificate out",
        )
    server_of(config, held)
    _check_topics(config, buses, limits)


def check_service(text: str | None) -> str | None:
    """The name of an ingest service, None for all of them. Raises InvalidInput."""
    held = (text or "").strip() or None
    if held is not None and re.fullmatch(SERVICE_NAME, held) is None:
        raise InvalidInput(
            f"{held!r} is no name of an ingest service.",
            value=held,
            rule="lower-case letters, digits, - and _, at most 63: EVENTCENTER_INGEST_NAME of that service",
            remedy="check how it is written, or leave it empty for all services",
        )
    return held


def check_start(position: str, at: datetime | None, config: RocketMq) -> None:
    """Raises InvalidInput for a starting position that cannot be set."""
    if (position == "time") != (at is not None):
        raise InvalidInput(
            "A moment belongs to the starting position `time`.",
            value=position,
            rule="position `time` has `at`, the others have not",
            remedy="give `at`, or choose another position",
        )
    if position != "group" and not config.name_servers:
        raise InvalidInput(
            "The starting position cannot be set.",
            value=position,
            rule="the group's position is set at the brokers, which are found by the name server",
            remedy="give the name server's address, or begin where the group stands (`group`)",
        )


def _check_topics(config: RocketMq, buses: set[str], limits: Limits) -> None:
    plain = [topic for topic in config.topics if not topic.is_pattern]
    patterns = [topic for topic in config.topics if topic.is_pattern]
    subscriptions = tuple(subscription_of(topic) for topic in plain)
    # A pattern reads one topic or more, whose names are not known yet.
    stand_in = (subscription_of(Topic(topic="pattern", bus="")),) if patterns and not plain else ()
    Group(name=config.group, subscriptions=subscriptions or stand_in)
    for topic in patterns:
        if _PATTERN.fullmatch(topic.topic) is None:
            raise InvalidInput(
                f"{topic.topic!r} is no pattern of topics.",
                value=topic.topic,
                rule="letters, digits, | _ -, with * for any characters and ? for one, at most 127",
                remedy="check how it is written",
            )
        subscription_of(topic, "any")
    if patterns and not config.name_servers:
        raise InvalidInput(
            "A pattern of topics cannot be looked up.",
            value=patterns[0].topic,
            rule="the topics that a pattern means are known to the name server",
            remedy="give the name server's address, or name each topic",
        )
    _check_once([topic.topic for topic in patterns])
    for topic in config.topics:
        if topic.filter_kind == "tag":
            _check_tags(topic)
        if topic.bus not in buses:
            raise InvalidInput(
                f"There is no bus {topic.bus!r}.",
                value=topic.bus,
                rule="the bus of a topic is one of the tenant's",
                remedy="GET /v1/buses lists their names; make it first, or choose another",
            )
        if topic.wrap_type is not None:
            _check_type(topic.wrap_type, limits)


def _check_once(patterns: Sequence[str]) -> None:
    if len(set(patterns)) < len(patterns):
        raise InvalidInput(
            "A pattern is there twice.",
            value=", ".join(patterns),
            rule="each pattern is given once",
            remedy="leave one of them out",
        )


def _check_tags(topic: Topic) -> None:
    if any(not tag.strip() or any(c.isspace() for c in tag.strip()) for tag in topic.filter.split("||")):
        raise InvalidInput(
            f"The filter of the topic {topic.topic} is no list of tags.",
            value=topic.filter,
            rule="* for all messages, or tags as in a || b",
            remedy="correct it; conditions on properties are of the kind sql",
        )


def _check_type(text: str, limits: Limits) -> None:
    try:
        check_attributes({"id": "i", "source": "s", "type": text, "specversion": SPECVERSION}, limits)
    except EventCenterError as error:
        raise InvalidInput(
            "Plain messages cannot become events of this type.",
            value=text,
            rule=error.rule or error.detail,
            remedy="choose another type, or none: then plain messages are rejected",
        ) from error


def _topic(one: TopicBody | Topic) -> Topic:
    if isinstance(one, Topic):
        return one
    return Topic(
        topic=one.topic.strip(),
        bus=one.bus,
        is_pattern=one.is_pattern,
        filter=one.filter.strip(),
        filter_kind=one.filter_kind,
        wrap_type=(one.wrap_type or "").strip() or None,
    )
