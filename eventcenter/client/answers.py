"""What the API answers, as frozen values. Moments are aware and in UTC."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec


@dataclass(frozen=True, kw_only=True)
class Session:
    """A new session: `session` is the credential."""

    session: str
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Who:
    """The person behind a session."""

    id: str
    name: str
    language: str | None = None


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """A tenant and how its people see times and texts."""

    id: str
    name: str
    title: str = ""
    time_zone: str = "UTC"
    language: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Membership:
    """A tenant that a person may act in, and the role there."""

    id: str
    name: str
    title: str = ""
    role: str | None = None


@dataclass(frozen=True, kw_only=True)
class Me:
    """Who asks: a token or a session, its role and tenant."""

    kind: str
    actor: str = ""
    role: str | None = None
    operator: bool = False
    user: Who | None = None
    tenant: Tenant | None = None
    tenants: tuple[Membership, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Bus:
    """A named stream of events and how much it holds."""

    name: str
    description: str = ""
    created_at: datetime | None = None
    events: int = 0
    last_received_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class RetentionPolicy:
    """How long and how much is kept; None is without end."""

    max_age_days: int | None = None
    max_bytes: int | None = None
    updated_at: datetime | None = None
    updated_by: str = ""


@dataclass(frozen=True, kw_only=True)
class LegalHold:
    """Nothing is removed while it is there."""

    reason: str
    set_at: datetime | None = None
    set_by: str = ""


@dataclass(frozen=True, kw_only=True)
class BusRetention:
    """What is kept of a bus and what it takes; without a policy of its own the tenant's counts."""

    name: str
    policy: RetentionPolicy | None = None
    hold: LegalHold | None = None
    events: int = 0
    bytes: int = 0
    oldest_received_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Going:
    """What goes by limits now."""

    events: int = 0
    rejects: int = 0


@dataclass(frozen=True, kw_only=True)
class Retention:
    """What is kept of a tenant, what it takes, and what each bus does."""

    policy: RetentionPolicy | None = None
    hold: LegalHold | None = None
    events: int = 0
    bytes: int = 0
    oldest_received_at: datetime | None = None
    buses: tuple[BusRetention, ...] = ()
    going: Going | None = None
    """Only after limits were set or tried."""


@dataclass(frozen=True, kw_only=True)
class Token:
    """An API token, without its secret."""

    id: str
    name: str
    role: str
    prefix: str = ""
    created_at: datetime | None = None
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class CreatedToken(Token):
    """A new token: `token` is shown once."""

    token: str


@dataclass(frozen=True, kw_only=True)
class User:
    """A member of the tenant."""

    id: str
    name: str
    role: str | None = None
    operator: bool = False
    language: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class SignInLink:
    """A one-time link, or the code that makes one."""

    code: str | None = None
    url: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class AddedUser(User):
    """A new member; `link` only where the account is new."""

    link: SignInLink | None = None


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One write: who did what to which thing, and when."""

    id: int
    actor: str
    action: str
    object: str = ""
    detail: Any = None
    at: datetime


@dataclass(frozen=True, kw_only=True)
class AuditPage:
    """Newest writes first."""

    entries: tuple[AuditEntry, ...] = ()
    next: str | None = None


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """A stored event. `event` is the CloudEvent's JSON exactly as the API sent it."""

    seq: int
    bus: str
    received_at: datetime
    event: msgspec.Raw

    @property
    def text(self) -> str:
        """The event's JSON text, every number and string as it was sent."""
        return bytes(self.event).decode()

    def members(self) -> dict[str, str]:
        """The event's members, each as its own JSON text."""
        raw = msgspec.json.decode(bytes(self.event), type=dict[str, msgspec.Raw])
        return {name: bytes(value).decode() for name, value in raw.items()}

    def attribute(self, name: str) -> str | None:
        """An attribute as text, or None where there is none; numbers and booleans as in JSON."""
        member = self.members().get(name)
        if member is None or member == "null":
            return None
        return msgspec.json.decode(member, type=str) if member.startswith('"') else member


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A message of an input that an event came by. What the broker did not tell is None."""

    outcome: str
    """stored, or duplicate where the event was known"""
    received_at: datetime
    input: str
    """The input's id."""
    topic: str
    broker: str | None = None
    queue_id: int | None = None
    queue_offset: int | None = None
    message_id: str | None = None
    keys: str | None = None
    tag: str | None = None
    born_at: datetime | None = None
    stored_at: datetime | None = None
    delivery_attempt: int | None = None


@dataclass(frozen=True, kw_only=True)
class EventPage:
    """Up to `limit` events and the cursor of the next page."""

    events: tuple[Envelope, ...] = ()
    next: str | None = None


@dataclass(frozen=True, kw_only=True)
class Series:
    """Counts over time of one name; None stands for all the rest."""

    name: str | None = None
    points: tuple[tuple[datetime, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Counts in steps of `step` seconds over the half-open range [from, to)."""

    step: float
    from_: datetime
    to: datetime
    series: tuple[Series, ...] = ()
    total: int = 0


@dataclass(frozen=True, kw_only=True)
class TopValue:
    """A value and how many events have it."""

    value: str | None = None
    count: int


@dataclass(frozen=True, kw_only=True)
class Reject:
    """An event or body that was refused; `text` is its beginning."""

    id: int
    bus: str
    received_at: datetime
    reason: str
    error: str = ""
    content_type: str | None = None
    event_index: int | None = None
    size: int = 0
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class RejectDetail(Reject):
    """A reject with all its bytes."""

    base64: str = ""


@dataclass(frozen=True, kw_only=True)
class RejectPage:
    """Newest rejects first."""

    rejects: tuple[Reject, ...] = ()
    next: str | None = None


@dataclass(frozen=True, kw_only=True)
class TargetWarning:
    """A target that does not deliver, and what to do."""

    id: str
    name: str
    health: str = ""
    remedy: str | None = None


@dataclass(frozen=True, kw_only=True)
class BusCount:
    """Events on a bus."""

    name: str
    events: int = 0


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A backup and how far it is: `state` is running, done or failed, `share` 0 to 1."""

    name: str
    state: str
    share: float = 0.0
    bytes: int = 0
    events: int = 0
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Status:
    """How the tenant's flow stands: counts, and lags in seconds or events."""

    events: int = 0
    rejects: int = 0
    duplicates: int = 0
    last_seq: int = 0
    loader_lag_s: float | None = None
    journal_bytes: int | None = None
    rule_lag_events: int = 0
    outbox_pending: int = 0
    outbox_oldest_s: float | None = None
    broken_targets: tuple[TargetWarning, ...] = ()
    buses: Any = None


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A topic of RocketMQ that events are sent to as they are."""

    addresses: str
    topic: str
    namespace: str = ""
    access_key: str = ""
    tls: bool = False
    tls_ca: str = ""
    tls_name: str = ""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where messages go. Secrets are never part of it."""

    id: str
    name: str
    kind: str = "dingtalk"
    keyword: str | None = None
    token_hint: str = ""
    has_secret: bool = False
    base_url: str | None = None
    rocketmq: Topic | None = None
    enabled: bool = True
    health: str = "unknown"
    health_text: Any = None
    remedy: Any = None
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Template:
    """The message: text with `${path}` places."""

    title: str = ""
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Message:
    """What the target will get: `form` is markdown, or event for its JSON."""

    form: str = "markdown"
    title: str = ""
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A test message: how it went, in words of both languages."""

    delivery_id: str
    state: str = "pending"
    outcome: str | None = None
    text: Any = None
    remedy: Any = None


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """A pattern as a sentence in each language."""

    en: str = ""
    zh: str = ""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Events of `buses` that match `pattern` make `target_id` speak, at most once per `cooldown_s`."""

    id: str
    name: str
    buses: tuple[str, ...] = ()
    pattern: msgspec.Raw
    template: Template = field(default_factory=Template)
    cooldown_s: int = 0
    target_id: str | None = None
    enabled: bool = True
    created_at: datetime | None = None
    updated_at: datetime | None = None
    last_fired_at: datetime | None = None
    alerts_24h: int = 0
    suppressed_24h: int = 0
    sentence: Sentence | None = None

    @property
    def pattern_text(self) -> str:
        """The pattern's JSON, every number as it was written."""
        return bytes(self.pattern).decode()


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a rule would do: how often, and with which message for which event."""

    sentence: Sentence = field(default_factory=Sentence)
    matched_24h: int = 0
    sample: Envelope | None = None
    message: Message | None = None
    problems: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Named:
    """A thing by id and name."""

    id: str
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class DeliveryEvent:
    """The event that a delivery speaks of."""

    seq: int
    id: str = ""
    type: str = ""
    source: str = ""
    bus: str = ""


@dataclass(frozen=True, kw_only=True)
class LastAttempt:
    """How the last attempt went."""

    outcome: str | None = None
    errcode: int | None = None
    text: Any = None
    latency_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One request to a target; `request` is masked."""

    started_at: datetime
    finished_at: datetime | None = None
    request: Any = None
    status: int | None = None
    response: str | None = None
    errcode: int | None = None
    outcome: str | None = None
    text: Any = None
    latency_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message on its way: pending, sending, delivered, failed or merged into a digest."""

    id: str
    kind: str = "event"
    state: str
    reason: str | None = None
    rule: Named | None = None
    target: Named | None = None
    event: DeliveryEvent | None = None
    attempts: int = 0
    created_at: datetime
    updated_at: datetime | None = None
    last: LastAttempt | None = None


@dataclass(frozen=True, kw_only=True)
class DeliveryDetail:
    """A delivery with its message and every attempt."""

    id: str
    kind: str = "event"
    state: str
    reason: str | None = None
    rule: Named | None = None
    target: Named | None = None
    event: DeliveryEvent | None = None
    attempts: tuple[Attempt, ...] = ()
    created_at: datetime
    updated_at: datetime | None = None
    payload: Any = None
    merged: int = 0
    last: LastAttempt | None = None


@dataclass(frozen=True, kw_only=True)
class DeliveryPage:
    """Newest deliveries first."""

    deliveries: tuple[Delivery, ...] = ()
    next: str | None = None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong with an input: the value, the rule, and the way out."""

    detail: str
    value: str | None = None
    rule: str | None = None
    remedy: str | None = None


@dataclass(frozen=True, kw_only=True)
class InputTopic:
    """Topics of an input, and the bus that their events go to."""

    topic: str
    bus: str
    is_pattern: bool = False
    filter: str = "*"
    filter_kind: str = "tag"
    wrap_type: str | None = None


@dataclass(frozen=True, kw_only=True)
class InputStart:
    """Where an input began: group, first, last or time."""

    position: str = "group"
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class InputStatus:
    """How an input is; None where something is not known."""

    state: str
    text: Any = None
    remedy: Any = None
    problems: tuple[Problem, ...] = ()
    services: tuple[str, ...] = ()
    brokers: tuple[str, ...] = ()
    lag_messages: int | None = None
    lag_s: float | None = None
    rate_s: float | None = None
    received: int = 0
    stored: int = 0
    duplicates: int = 0
    rejected: int = 0
    empty: int = 0
    missing: int = 0
    last_received_at: datetime | None = None
    reach_at: datetime | None = None
    reach_problem: Problem | None = None


@dataclass(frozen=True, kw_only=True)
class Complete:
    """Since when and until when all messages were received, or why that is not said."""

    since: datetime | None = None
    until: datetime | None = None
    why: str | None = None
    text: Any = None


@dataclass(frozen=True, kw_only=True)
class TopicState:
    """A topic that is read."""

    topic: str
    bus: str | None = None
    filtered: bool = False
    received: int = 0
    lag_messages: int | None = None
    missing: int = 0
    complete: Complete = field(default_factory=Complete)


@dataclass(frozen=True, kw_only=True)
class QueueState:
    """One queue: what was received, and what its broker has."""

    topic: str
    broker: str
    queue_id: int
    received: int = 0
    first_offset: int | None = None
    last_offset: int | None = None
    last_stored_at: datetime | None = None
    oldest: int | None = None
    newest: int | None = None
    lag_messages: int | None = None


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Offsets of a queue, first and last included, of which `count` were not received."""

    topic: str
    broker: str
    queue_id: int
    first: int
    last: int
    count: int
    kind: str
    fetching: bool = False
    text: Any = None


@dataclass(frozen=True, kw_only=True)
class Input:
    """Where events come from by themselves. The secret is never part of it; the last four: of one alone."""

    id: str
    name: str
    kind: str = "rocketmq"
    addresses: str = ""
    group: str = ""
    topics: tuple[InputTopic, ...] = ()
    name_servers: str = ""
    namespace: str = ""
    access_key: str = ""
    has_secret: bool = False
    tls: bool = False
    tls_ca: str = ""
    tls_name: str = ""
    accept_unprefixed_extensions: bool = True
    service: str | None = None
    enabled: bool = True
    start: InputStart = field(default_factory=InputStart)
    created_at: datetime | None = None
    status: InputStatus
    topic_states: tuple[TopicState, ...] = ()
    queues: tuple[QueueState, ...] = ()
    gaps: tuple[Gap, ...] = ()
    gaps_more: int = 0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was tried, and RocketMQ's admin command that helps."""

    what: str
    name: str
    ok: bool
    problem: Problem | None = None
    command: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A message that the broker has, as the input would read it."""

    topic: str
    broker: str = ""
    queue_id: int = 0
    offset: int = 0
    stored_at: datetime | None = None
    tag: str | None = None
    layout: str = ""
    events: int = 0
    id: str | None = None
    type: str | None = None
    source: str | None = None
    rejected: int = 0
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What came of trying an input's settings."""

    ok: bool
    findings: tuple[Finding, ...] = ()
    samples: tuple[Sample, ...] = ()
    samples_note: Any = None


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """Messages that are fetched again: `state` is waiting, running, done or failed."""

    id: str
    reason: str
    state: str
    service: str = ""
    from_: datetime | None = None
    to: datetime | None = None
    done: int = 0
    total: int = 0
    found: int = 0
    problem: Problem | None = None
    created_at: datetime
    created_by: str = ""
    finished_at: datetime | None = None
