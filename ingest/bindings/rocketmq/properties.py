"""Message properties → attributes, in the layouts that producers use.

The RocketMQ binding is a draft (apache/rocketmq-externals, rocketmq-cloudevents-binding), which the
CloudEvents Java SDK (cloudevents-rocketmq) and apache/rocketmq-eventbridge each follow in their own way.
"""

import json
import re
from collections.abc import Mapping
from functools import lru_cache

from eventcenter.errors import InvalidInput
from ingest.validation.attributes import CONTROL, CORE, EXTENSION_NAME, Problem, refusal
from ingest.validation.json_text import parse
from ingest.validation.limits import Limits

REQUIRED = ("specversion", "id", "source", "type")
EXTENSIONS = "USEREXT_KEY"
"""The property in which rocketmq-eventbridge carries extension attributes, as one JSON object."""
PREFIX = "CE_"

_PREFIXED = re.compile(r"(?:ce_|cloudevents[_:])(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)
_LONGEST_EXTENSION = 20
_UNPREFIXED = re.compile("[a-z0-9]+")
_NO_EXTENSION = CORE | {"data"}
_NOT_SENT = frozenset({"data", "data_base64"})
_LONGEST_NAME = 100
_CONTENT_TYPE = "contenttype"
# fmt: off
_OF_THE_BROKER = frozenset({
    "1ST_POP_TIME", "ARRIVE_TIME", "BORN_TIMESTAMP", "BUYER_ID", "CHECK_IMMUNITY_TIME_IN_SECONDS", "CLUSTER",
    "CONSUME_START_TIME", "CORRECTION_FLAG", "CORRELATION_ID", "DELAY", "DLQ_ORIGIN_MESSAGE_ID",
    "DLQ_ORIGIN_TOPIC", "DUP_INFO", "EXTEND_UNIQ_INFO", "INNER_BASE", "INNER_MULTI_DISPATCH",
    "INNER_MULTI_QUEUE_OFFSET", "INNER_NUM", "INSTANCE_ID", "KEYS", "MAX_OFFSET", "MAX_RECONSUME_TIMES",
    "MIN_OFFSET", "MQ2_FLAG", "MSG_REGION", "MSG_TYPE", "ORIGIN_MESSAGE_ID", "PGROUP", "POP_CK",
    "POP_CK_OFFSET", "PROPERTY_FORWARD_QUEUE_ID", "PUSH_REPLY_TIME", "REAL_QID", "REAL_TOPIC",
    "RECONSUME_TIME", "REDIRECT", "REPLY_TO_CLIENT", "RETRY_TOPIC", "TAGS", "TIMER_DELAY_LEVEL",
    "TIMER_DELAY_MS", "TIMER_DELAY_SEC", "TIMER_DELIVER_MS", "TIMER_DEL_MS", "TIMER_DEL_UNIQKEY",
    "TIMER_DEQUEUE_MS", "TIMER_ENQUEUE_MS", "TIMER_OUT_MS", "TIMER_ROLL_TIMES", "TRACE_CONTEXT", "TRACE_ON",
    "TRANSACTION_CHECK_TIMES", "TRANSFER_FLAG", "TRAN_MSG", "TRAN_PREPARED_QUEUE_OFFSET", "TTL", "UNIQ_KEY",
    "WAIT",
})
# fmt: on


def is_of_the_broker(name: str) -> bool:
    """Whether clients and brokers use this property for themselves (MessageConst of RocketMQ 5).

    No such name can pass for an extension attribute's: all have capitals or an underscore.
    """
    return name in _OF_THE_BROKER or name.startswith("__")


class Prefixed:
    """Attributes in prefixed properties (RocketMQ binding, section 3.1.3), in any case of letters."""

    def __init__(self, properties: Mapping[str, str]) -> None:
        self._texts: dict[str, str] = {}
        self._twice: list[Problem] = []
        for name, value in properties.items():
            attribute = _known(name) if len(name) <= _LONGEST_NAME else _attribute_of(name)
            if attribute is None:
                continue
            if self._texts.setdefault(attribute, value) != value:
                self._twice.append(_given_twice(attribute, value))
        specversion = self._texts.get("specversion", "")
        if specversion.startswith('"'):
            # As in the draft's examples. Who does not quote this one may mean the quotes of the others.
            self._texts = {name: unquoted(value) for name, value in self._texts.items()}

    def __contains__(self, attribute: str) -> bool:
        return attribute in self._texts

    def content_type(self) -> str:
        """The media type that tells the layout, "" without one.

        It is `CE_contenttype` in the draft and the Java SDK, `CE_datacontenttype` in the draft's own SDK.
        """
        text = self._texts.get(_CONTENT_TYPE) or self._texts.get("datacontenttype") or ""
        return unquoted(text)

    def attributes(self) -> dict[str, str]:
        """The attributes' texts by name.

        Raises InvalidInput where two properties disagree, or one is not allowed.
        """
        texts = dict(self._texts)
        problems = list(self._twice)
        if _CONTENT_TYPE in texts:
            content_type = unquoted(texts.pop(_CONTENT_TYPE))
            if texts.setdefault("datacontenttype", content_type) != content_type:
                problems.append(_given_twice("datacontenttype", content_type))
        if not _NOT_SENT.isdisjoint(texts):
            problems += [
                Problem(
                    f"The property {PREFIX}{name} is not allowed.",
                    texts[name],
                    "in binary mode the body is the data",
                    "leave the property out",
                )
                for name in sorted(_NOT_SENT & texts.keys())
            ]
        if problems:
            raise refusal(problems)
        return texts


def unprefixed_extensions(properties: Mapping[str, str], attributes: Mapping[str, str]) -> dict[str, str]:
    """Extension attributes under their own names, as the Java SDK writes them; none that `attributes` has."""
    return {
        name: value
        for name, value in properties.items()
        if len(name) <= _LONGEST_EXTENSION and _may_be_unprefixed(name) and name not in attributes
    }


@lru_cache(maxsize=4096)
def _may_be_unprefixed(name: str) -> bool:
    return name not in _NO_EXTENSION and _UNPREFIXED.fullmatch(name) is not None


def is_eventbridge(properties: Mapping[str, str]) -> bool:
    """Whether all required attributes are there without a prefix, as in apache/rocketmq-eventbridge."""
    return all(name in properties for name in REQUIRED)


def eventbridge_attributes(properties: Mapping[str, str], limits: Limits) -> dict[str, object]:
    """Attributes under their own names, and the extension attributes in `USEREXT_KEY`.

    Raises InvalidInput where that is no JSON object or says something else than another property.
    """
    members: dict[str, object] = {
        name: value
        for name, value in properties.items()
        if name != "data" and EXTENSION_NAME.fullmatch(name) is not None
    }
    text = properties.get(EXTENSIONS)
    if text is None:
        return members
    try:
        extensions = parse(text.encode(), limits.max_nesting)
    except InvalidInput as error:
        raise InvalidInput(
            f"The property {EXTENSIONS}: {error.detail}",
            value=error.value,
            rule=error.rule,
            remedy=error.remedy,
        ) from error
    if not isinstance(extensions, dict):
        raise refusal(
            [
                Problem(
                    f"The property {EXTENSIONS} is not a JSON object.",
                    text,
                    "it holds extension attributes as one JSON object (apache/rocketmq-eventbridge)",
                    'send {"name":"value"}, or leave it out',
                )
            ]
        )
    problems: list[Problem] = []
    for name, value in extensions.items():
        if name in _NOT_SENT:
            problems.append(
                Problem(
                    f"The property {EXTENSIONS} has the member {name}.",
                    None,
                    "it holds extension attributes, the body is the data",
                    "leave the member out",
                )
            )
        elif value is not None and members.setdefault(name, value) != value:
            problems.append(_given_twice(name, str(members[name])))
    if problems:
        raise refusal(problems)
    return members


def kept_properties(properties: Mapping[str, str]) -> str | None:
    """A producer's own properties as a JSON object, in alphabetical order; None without any."""
    kept = {name: properties[name] for name in sorted(properties) if not is_of_the_broker(name)}
    if not kept:
        return None
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    return CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def unquoted(text: str) -> str:
    """The text of a JSON string; what is none stays."""
    if not text.startswith('"'):
        return text
    try:
        found = str(json.loads(text))
        # A lone surrogate is no text.
        found.encode()
    except ValueError:
        return text
    return found


def _attribute_of(name: str) -> str | None:
    """The attribute's name, in lower case where it is ASCII; None for a property without prefix."""
    found = _PREFIXED.fullmatch(name)
    if found is None:
        return None
    return found[1].lower() if found[1].isascii() else found[1]


_known = lru_cache(maxsize=4096)(_attribute_of)


def _given_twice(attribute: str, value: str) -> Problem:
    return Problem(
        f"`{attribute}` is there twice, with different values.",
        value,
        "an attribute is sent once, whatever prefix and case its property's name has",
        "send it once",
    )
