"""What the routes of inputs take and answer. Moments are RFC 3339 in UTC."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, SecretStr

from eventcenter.clock import rfc3339

Moment = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]
Position = Literal["group", "first", "last", "time"]
State = Literal["paused", "absent", "starting", "receiving", "behind", "gaps", "waiting", "broken"]
MOST_TOPICS = 200


def _unicode(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must be Unicode text")
    return text


def _unicode_secret(secret: SecretStr) -> SecretStr:
    _unicode(secret.get_secret_value())
    return secret


Text = Annotated[str, AfterValidator(_unicode)]
Secret = Annotated[SecretStr, Field(max_length=2_000), AfterValidator(_unicode_secret)]
Certificates = Annotated[str, Field(max_length=200_000), AfterValidator(_unicode)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Words(BaseModel):
    """A text in both languages."""

    en: str
    zh: str


class TopicBody(_Body):
    """Topics, and the bus that their events go to."""

    topic: Text = Field(max_length=500, description="A name; with `is_pattern` one with * and ?.")
    bus: Text = Field(max_length=500)
    is_pattern: bool = False
    filter: Text = Field(
        default="*", max_length=4_000, description="`*` for all, `a || b` for tags, or SQL92."
    )
    filter_kind: Literal["tag", "sql"] = "tag"
    wrap_type: Text | None = Field(
        default=None, max_length=500, description="Type of the events that plain messages become."
    )


class StartBody(_Body):
    """Where the group begins to read, once, when the input is made."""

    position: Position = "group"
    at: AwareDatetime | None = Field(default=None, description="For the position `time`.")


class NewInput(_Body):
    """An input from RocketMQ 5."""

    name: Text = Field(max_length=500)
    kind: Literal["rocketmq"] = "rocketmq"
    addresses: Text = Field(max_length=4_000, description="Of the proxies: host:port;host:port.")
    group: Text = Field(max_length=500, description="The consumer group, this input's alone.")
    topics: list[TopicBody] = Field(max_length=MOST_TOPICS)
    name_servers: Text = Field(
        default="", max_length=4_000, description="host:port;host:port; for patterns, lag, gaps and fetching."
    )
    namespace: Text = Field(default="", max_length=500)
    access_key: Text = Field(default="", max_length=500)
    secret_key: Secret | None = Field(default=None, description="It is never given back.")
    tls: bool = False
    tls_ca: Certificates = Field(default="", description="PEM; without it public authorities are trusted.")
    tls_name: Text = Field(default="", max_length=500)
    accept_unprefixed_extensions: bool = True
    service: Text | None = Field(
        default=None, max_length=500, description="The ingest service that runs it; null: all do."
    )
    enabled: bool = True
    start: StartBody = Field(default_factory=StartBody)


class ChangeInput(_Body):
    """What is given changes. A null secret key takes it away."""

    name: Text | None = Field(default=None, max_length=500)
    addresses: Text | None = Field(default=None, max_length=4_000)
    group: Text | None = Field(default=None, max_length=500)
    topics: list[TopicBody] | None = Field(default=None, max_length=MOST_TOPICS)
    name_servers: Text | None = Field(default=None, max_length=4_000)
    namespace: Text | None = Field(default=None, max_length=500)
    access_key: Text | None = Field(default=None, max_length=500)
    secret_key: Secret | None = None
    tls: bool | None = None
    tls_ca: Certificates | None = None
    tls_name: Text | None = Field(default=None, max_length=500)
    accept_unprefixed_extensions: bool | None = None
    service: Text | None = Field(default=None, max_length=500)
    enabled: bool | None = None


class TestInput(ChangeInput):
    """A new input's settings, or with `id` those of a saved one and what is changed in it."""

    __test__ = False

    id: str | None = Field(default=None, max_length=64)


class Problem(BaseModel):
    """What is wrong: the value, the rule, and the way out."""

    detail: str
    value: str | None = None
    rule: str | None = None
    remedy: str | None = None


class Finding(BaseModel):
    """One thing that was tried."""

    what: Literal["server", "topic", "group", "name_server", "offsets"]
    name: str = Field(description="The topic, the group, or the address.")
    ok: bool
    problem: Problem | None
    command: str | None = Field(description="RocketMQ's admin command that helps.")


class Sample(BaseModel):
    """A message that the broker has, as this input would read it."""

    topic: str
    broker: str
    queue_id: int
    offset: int
    stored_at: Moment | None
    tag: str | None
    layout: str
    events: int
    id: str | None = Field(description="Of its first event, as are type and source.")
    type: str | None
    source: str | None
    rejected: int
    error: str | None = Field(description="Why it, or the first of its events, would be rejected.")


class Tried(BaseModel):
    """What came of trying an input's settings."""

    ok: bool
    findings: list[Finding]
    samples: list[Sample]
    samples_note: Words | None = Field(description="Why there are none, or not all.")


class TopicAnswer(BaseModel):
    """Topics of an input as they were given."""

    topic: str
    bus: str
    is_pattern: bool
    filter: str
    filter_kind: Literal["tag", "sql"]
    wrap_type: str | None


class StartAnswer(BaseModel):
    """Where the input began."""

    position: Position
    at: Moment | None


class StatusAnswer(BaseModel):
    """How an input is."""

    state: State
    text: Words
    remedy: Words | None
    problems: list[Problem]
    services: list[str] = Field(description="Ingest services that run it at the moment.")
    brokers: list[str]
    lag_messages: int | None = Field(description="Null where it is not known.")
    lag_s: float | None
    rate_s: float | None = Field(description="Messages received in a second, of the last seconds.")
    received: int = Field(description="Messages in the ledger.")
    stored: int
    duplicates: int
    rejected: int
    empty: int
    missing: int = Field(description="Offsets that are neither in the ledger nor under way.")
    last_received_at: Moment | None
    reach_at: Moment | None = Field(description="When brokers were last asked what they have.")
    reach_problem: Problem | None


class InputAnswer(BaseModel):
    """An input without its secret."""

    id: str
    name: str
    kind: str
    addresses: str
    group: str
    topics: list[TopicAnswer]
    name_servers: str
    namespace: str
    access_key: str
    has_secret: bool
    tls: bool
    tls_ca: str
    tls_name: str
    accept_unprefixed_extensions: bool
    service: str | None
    enabled: bool
    start: StartAnswer
    created_at: Moment
    updated_at: Moment
    status: StatusAnswer


class Inputs(BaseModel):
    """The tenant's inputs, by name."""

    inputs: list[InputAnswer]


class CompleteAnswer(BaseModel):
    """All messages that the brokers stored from `since` to `until` were received; or why that is not said."""

    since: Moment | None
    until: Moment | None
    why: str | None
    text: Words


class TopicState(BaseModel):
    """A topic that is read, patterns looked up."""

    topic: str
    bus: str | None = Field(description="Null for one that is no longer read.")
    filtered: bool
    received: int
    lag_messages: int | None
    missing: int
    complete: CompleteAnswer


class QueueState(BaseModel):
    """One queue: what was received, and what its broker has (offsets up to below `newest`)."""

    topic: str
    broker: str
    queue_id: int
    received: int
    stored: int
    duplicates: int
    rejected: int
    empty: int
    first_offset: int | None
    last_offset: int | None
    first_stored_at: Moment | None
    last_stored_at: Moment | None
    oldest: int | None
    newest: int | None
    lag_messages: int | None


class GapAnswer(BaseModel):
    """Offsets from `first` up to and with `last` of which `count` were not received."""

    topic: str
    broker: str
    queue_id: int
    first: int
    last: int
    count: int
    kind: Literal["missing", "late", "deleted", "scattered", "filtered"]
    fetching: bool
    text: Words


class InputDetail(InputAnswer):
    """An input with all that is known of its queues."""

    topic_states: list[TopicState]
    queues: list[QueueState]
    gaps: list[GapAnswer]
    gaps_more: int = Field(description="Gaps that are not listed.")


class NewFetch(_Body):
    """Fetch again what the brokers stored from `from` up to before `to`."""

    from_at: AwareDatetime = Field(alias="from")
    to_at: AwareDatetime = Field(alias="to")


class FetchAnswer(BaseModel):
    """Messages that are fetched again: a time range (`backfill`) or what is missing (`gap`)."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    id: str
    reason: Literal["backfill", "gap"]
    state: Literal["waiting", "running", "done", "failed"]
    service: str
    from_at: Moment | None = Field(serialization_alias="from")
    to_at: Moment | None = Field(serialization_alias="to")
    done: int = Field(description="Offsets looked at, of `total`.")
    total: int
    found: int = Field(description="Messages that the broker still had.")
    problem: Problem | None
    created_at: Moment
    created_by: str
    finished_at: Moment | None


class Fetches(BaseModel):
    """Newest first."""

    fetches: list[FetchAnswer]
