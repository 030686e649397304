"""What the routes of targets, rules and deliveries take and answer. Moments are RFC 3339 in UTC."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, SecretStr

from alerts.template import TEMPLATE_LIMIT
from eventcenter.clock import rfc3339

Moment = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]
TargetKind = Literal["dingtalk", "rocketmq"]
State = Literal["pending", "sending", "delivered", "failed", "merged"]


def _unicode(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must be Unicode text")
    return text


def _unicode_secret(secret: SecretStr) -> SecretStr:
    _unicode(secret.get_secret_value())
    return secret


Text = Annotated[str, AfterValidator(_unicode)]
Secret = Annotated[SecretStr, Field(max_length=2_000), AfterValidator(_unicode_secret)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Words(BaseModel):
    """A text in both languages."""

    en: str
    zh: str


class NewTopic(_Body):
    """A topic of RocketMQ 5 to send events to."""

    addresses: Text = Field(max_length=2_000, description="Of the proxies (gRPC): host:port;host:port.")
    topic: Text = Field(max_length=255, description="It exists, with message.type NORMAL.")
    namespace: Text = Field(default="", max_length=255)
    access_key: Text = Field(default="", max_length=255)
    secret_key: Secret | None = Field(default=None, description="It is never given back.")
    tls: bool = False
    tls_ca: Text = Field(
        default="", max_length=100_000, description="The authority's certificate (PEM); empty: public ones."
    )
    tls_name: Text = Field(default="", max_length=255, description="In the certificate, if not the host.")


class ChangeTopic(_Body):
    """What is given changes; an empty access key takes the secret key away too."""

    addresses: Text | None = Field(default=None, max_length=2_000)
    topic: Text | None = Field(default=None, max_length=255)
    namespace: Text | None = Field(default=None, max_length=255)
    access_key: Text | None = Field(default=None, max_length=255)
    secret_key: Secret | None = None
    tls: bool | None = None
    tls_ca: Text | None = Field(default=None, max_length=100_000)
    tls_name: Text | None = Field(default=None, max_length=255)


class NewTarget(_Body):
    """A robot to speak through, or a topic to send events to."""

    name: Text = Field(max_length=500)
    kind: TargetKind = "dingtalk"
    webhook: Secret | None = Field(
        default=None, description="The robot's webhook as DingTalk shows it. It is never given back."
    )
    secret: Secret | None = Field(default=None, description="SEC…, if the robot checks signatures.")
    keyword: Text | None = Field(default=None, max_length=500, description="Added where a message lacks it.")
    base_url: Text | None = Field(default=None, max_length=500, description="For operators: another base.")
    rocketmq: NewTopic | None = Field(default=None, description="Where the events go; for kind rocketmq.")
    enabled: bool = True


class ChangeTarget(_Body):
    """What is given changes; null takes secret, keyword or base_url away."""

    name: Text | None = Field(default=None, max_length=500)
    webhook: Secret | None = None
    secret: Secret | None = None
    keyword: Text | None = Field(default=None, max_length=500)
    base_url: Text | None = Field(default=None, max_length=500)
    rocketmq: ChangeTopic | None = None
    enabled: bool | None = None


class TopicAnswer(BaseModel):
    """A topic without its secret key; `has_secret` beside it tells whether there is one."""

    addresses: str
    topic: str
    namespace: str
    access_key: str
    tls: bool
    tls_ca: str
    tls_name: str


class TargetAnswer(BaseModel):
    """A target without its secrets."""

    id: str
    name: str
    kind: str
    keyword: str | None
    token_hint: str = Field(description="The end of the access token, to tell robots apart.")
    has_secret: bool
    base_url: str | None
    rocketmq: TopicAnswer | None
    enabled: bool
    health: Literal["unknown", "ok", "throttled", "broken"]
    health_text: Words
    remedy: Words | None
    created_at: Moment
    updated_at: Moment


class Targets(BaseModel):
    """The tenant's targets, by name."""

    targets: list[TargetAnswer]


class Template(_Body):
    """Texts with `${path}` and `${path | filter}`."""

    title: Text = Field(default="", max_length=2 * TEMPLATE_LIMIT)
    text: Text = Field(default="", max_length=2 * TEMPLATE_LIMIT)


class RuleBody(_Body):
    """A rule as a whole."""

    name: Text = Field(max_length=500)
    buses: list[Text] = Field(default_factory=list, max_length=1_000, description="None: all buses.")
    pattern: dict[str, Any]
    template: Template = Field(default_factory=Template, description="Empty where the target is a topic.")
    cooldown_s: int = Field(default=0, description="Seconds of rest after a message, by received_at.")
    target_id: str = Field(max_length=64)
    enabled: bool = True


class ChangeRule(_Body):
    """Switch a rule on or off."""

    enabled: bool


class PreviewBody(_Body):
    """A rule, as far as it is written."""

    name: Text = Field(default="", max_length=500)
    buses: list[Text] = Field(default_factory=list, max_length=1_000)
    pattern: dict[str, Any] = Field(default_factory=dict)
    template: Template = Field(default_factory=Template)
    cooldown_s: int = 0
    target_id: str | None = Field(default=None, max_length=64)
    rule_id: str | None = Field(
        default=None, max_length=64, description="The saved rule that this changes; the message links to it."
    )
    event_seq: int | None = None


class TestBody(_Body):
    """With which event; without one, with the newest that matches."""

    event_seq: int | None = None


class RuleAnswer(BaseModel):
    """A rule, and how it does."""

    id: str
    name: str
    buses: list[str]
    pattern: dict[str, Any]
    template: Template
    cooldown_s: int
    target_id: str
    enabled: bool
    created_at: Moment
    updated_at: Moment
    last_fired_at: Moment | None
    alerts_24h: int = Field(description="Matches of the last 24 hours that were or will be sent.")
    suppressed_24h: int = Field(description="Matches of the last 24 hours that the cooldown held back.")
    sentence: Words


class Rules(BaseModel):
    """The tenant's rules, by name."""

    rules: list[RuleAnswer]


class Said(BaseModel):
    """What the target gets: DingTalk's markdown, or for a topic the event as JSON."""

    form: Literal["markdown", "event"] = "markdown"
    title: str
    text: str


class Sent(BaseModel):
    """A test that was sent, or waits for the robot's budget."""

    delivery_id: str
    state: State
    outcome: str | None
    text: Words | None
    remedy: Words | None


class Named(BaseModel):
    """A thing by id and name."""

    id: str
    name: str


class EventReference(BaseModel):
    """The event that a delivery speaks of."""

    seq: int
    id: str
    type: str
    source: str
    bus: str


class LastAttempt(BaseModel):
    """How the newest attempt went."""

    outcome: str | None
    errcode: int | None
    text: Words | None
    latency_ms: int | None


class AttemptAnswer(BaseModel):
    """One request and its answer, credentials masked."""

    started_at: Moment
    finished_at: Moment | None
    request: dict[str, Any]
    status: int | None
    response: str | None
    errcode: int | None
    outcome: str | None
    text: Words | None
    latency_ms: int | None


class _Delivery(BaseModel):
    id: str
    kind: Literal["event", "digest", "test"]
    state: State
    reason: str | None = Field(description="Why it failed: expired, rejected, bug, too_long, …")
    rule: Named | None
    target: Named | None
    event: EventReference | None
    digest_id: str | None = Field(description="The digest that took it in.")
    created_at: Moment
    updated_at: Moment
    last: LastAttempt | None


class DeliveryAnswer(_Delivery):
    """A message on its way; `attempts` is their number."""

    attempts: int


class DeliveryDetail(_Delivery):
    """A delivery with its message and all attempts, oldest first."""

    payload: Said
    merged: int = Field(description="How many alerts a digest stands for.")
    attempts: list[AttemptAnswer]


class Deliveries(BaseModel):
    """A page of deliveries, newest first."""

    deliveries: list[DeliveryAnswer]
    next: str | None
