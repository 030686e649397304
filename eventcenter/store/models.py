"""The tables of the relational store.

Every table that belongs to a tenant has `tenant_id`, and every question about it must name the tenant.
Ids are 32 hex digits of a random UUID unless a comment says otherwise; moments are aware and in UTC.
The models have no relationships, so flush a row before you add another one that refers to it.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from eventcenter.store.columns import UtcDateTime

_ID = String(32)
_HASH = String(64)


def new_id() -> str:
    """A fresh id: 32 hex digits."""
    return uuid.uuid4().hex


class Base(DeclarativeBase):
    """Names every constraint, so that a migration can name it too."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 SQLAlchemy's own form
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[str]: JSON,
    }


def _id_key() -> Mapped[str]:
    return mapped_column(_ID, primary_key=True, default=new_id)


def _tenant() -> Mapped[str]:
    return mapped_column(_ID, ForeignKey("tenant.id"))


class Meta(Base):
    """Facts about the store itself, such as the check value of the secret key."""

    __tablename__ = "meta"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class Tenant(Base):
    """The unit of isolation. `name` is a slug, unique and never changed; `title` is for people."""

    __tablename__ = "tenant"

    id: Mapped[str] = _id_key()
    name: Mapped[str] = mapped_column(String(63), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")
    language: Mapped[str] = mapped_column(String(8), default="en")
    created_at: Mapped[datetime]


class Bus(Base):
    """A named stream of a tenant's events."""

    __tablename__ = "bus"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[str] = _id_key()
    tenant_id: Mapped[str] = _tenant()
    name: Mapped[str] = mapped_column(String(127))
    description: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]


class User(Base):
    """A person, known to the whole installation. Without `password_hash` (argon2) only a link signs in."""

    __tablename__ = "user_account"

    id: Mapped[str] = _id_key()
    name: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(255))
    operator: Mapped[bool] = mapped_column(default=False)
    language: Mapped[str | None] = mapped_column(String(8))
    home_tenant_id: Mapped[str | None] = mapped_column(_ID, ForeignKey("tenant.id"))
    """The tenant whose admin made the account, None for the operator's: only there may admins renew links."""
    created_at: Mapped[datetime]


class Membership(Base):
    """A user's role in a tenant: viewer, editor or admin."""

    __tablename__ = "membership"
    __table_args__ = (Index(None, "tenant_id"),)

    user_id: Mapped[str] = mapped_column(_ID, ForeignKey("user_account.id"), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(_ID, ForeignKey("tenant.id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]


class Token(Base):
    """A credential of one tenant and one role; with role `operator` of no tenant.

    `hash` is the SHA-256 of the whole token; `prefix` its first eight characters, to tell tokens apart. A
    token never changes but by its revocation and its use, which the directory relies on.
    """

    __tablename__ = "token"
    __table_args__ = (Index(None, "tenant_id"),)

    id: Mapped[str] = _id_key()
    tenant_id: Mapped[str | None] = mapped_column(_ID, ForeignKey("tenant.id"))
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(16))
    hash: Mapped[str] = mapped_column(_HASH, unique=True)
    prefix: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SessionRow(Base):
    """A sign-in of a user, acting as one tenant at a time. Ends at `expires_at` or when long unused."""

    __tablename__ = "session"
    __table_args__ = (Index(None, "user_id"), Index(None, "expires_at"))

    id: Mapped[str] = _id_key()
    hash: Mapped[str] = mapped_column(_HASH, unique=True)
    user_id: Mapped[str] = mapped_column(_ID, ForeignKey("user_account.id"))
    tenant_id: Mapped[str | None] = mapped_column(_ID, ForeignKey("tenant.id"))
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    by_link: Mapped[bool] = mapped_column(default=False)
    """Begun with a sign-in link, which proves the account as a password does."""
    expires_at: Mapped[datetime]


class SignInLink(Base):
    """A code that signs its user in once, before `expires_at`."""

    __tablename__ = "sign_in_link"
    __table_args__ = (Index(None, "user_id"),)

    id: Mapped[str] = _id_key()
    hash: Mapped[str] = mapped_column(_HASH, unique=True)
    user_id: Mapped[str] = mapped_column(_ID, ForeignKey("user_account.id"))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Target(Base):
    """Where alerts go. `config` is public, `secrets` encrypted by the secret box and never shown."""

    __tablename__ = "target"
    __table_args__ = (UniqueConstraint("tenant_id", "name"), Index(None, "robot_hash"))

    id: Mapped[str] = _id_key()
    tenant_id: Mapped[str] = _tenant()
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(32), default="dingtalk")
    robot_hash: Mapped[str] = mapped_column(_HASH)
    """SHA-256 of the robot's token: who shares a robot shares its budget, over all tenants. Of the id where
    nothing is shared."""
    config: Mapped[dict[str, Any]]
    secrets: Mapped[bytes] = mapped_column(LargeBinary)
    enabled: Mapped[bool] = mapped_column(default=True)
    health: Mapped[str] = mapped_column(String(16), default="unknown")
    """unknown, ok, throttled or broken."""
    health_detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Rule(Base):
    """An event pattern on some buses (none: all), a message template and the target it speaks to."""

    __tablename__ = "rule"
    __table_args__ = (UniqueConstraint("tenant_id", "name"), Index(None, "target_id"))

    id: Mapped[str] = _id_key()
    tenant_id: Mapped[str] = _tenant()
    name: Mapped[str] = mapped_column(String(200))
    buses: Mapped[list[str]]
    pattern: Mapped[dict[str, Any]]
    template: Mapped[dict[str, Any]]
    """`{"title": …, "text": …}`"""
    cooldown_s: Mapped[int] = mapped_column(default=0)
    from_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    """It fires on events after this one only, so that a new rule does not fire on history."""
    target_id: Mapped[str] = mapped_column(_ID, ForeignKey("target.id"))
    enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Cursor(Base):
    """How far a reader of a tenant's archive came: everything up to and with `seq` is done."""

    __tablename__ = "cursor"

    tenant_id: Mapped[str] = mapped_column(_ID, ForeignKey("tenant.id"), primary_key=True)
    reader: Mapped[str] = mapped_column(String(64), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, default=0)
    updated_at: Mapped[datetime]


class RuleState(Base):
    """What a rule remembers from batch to batch."""

    __tablename__ = "rule_state"

    rule_id: Mapped[str] = mapped_column(_ID, ForeignKey("rule.id", ondelete="CASCADE"), primary_key=True)
    tenant_id: Mapped[str] = _tenant()
    last_fired_at: Mapped[datetime | None]
    suppressed: Mapped[int] = mapped_column(default=0)


class Alert(Base):
    """One event matched one rule. It outlives the rule, so `rule_id` is no foreign key."""

    __tablename__ = "alert"
    __table_args__ = (UniqueConstraint("tenant_id", "rule_id", "seq"), Index(None, "tenant_id", "created_at"))

    id: Mapped[str] = _id_key()
    tenant_id: Mapped[str] = _tenant()
    rule_id: Mapped[str] = mapped_column(_ID)
    seq: Mapped[int] = mapped_column(BigInteger)
    bus: Mapped[str] = mapped_column(String(127))
    event_id: Mapped[str] = mapped_column(Text)
    event_source: Mapped[str] = mapped_column(Text)
    event_type: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime]
    created_at: Mapped[datetime]
    suppressed: Mapped[bool] = mapped_column(default=False)


class OutboxItem(Base):
    """A message that must go out. It outlives rule and target, so those ids are no foreign keys.

    `state`: pending → sending → delivered or failed; a pending one that a digest took in is merged.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index(None, "state", "not_before"),
        Index(None, "tenant_id", "created_at"),
        Index(None, "target_id", "state"),
        Index(None, "digest_id"),
        Index(None, "alert_id"),
    )

    id: Mapped[str] = _id_key()
    tenant_id: Mapped[str] = _tenant()
    target_id: Mapped[str] = mapped_column(_ID)
    rule_id: Mapped[str | None] = mapped_column(_ID)
    alert_id: Mapped[str | None] = mapped_column(_ID)
    kind: Mapped[str] = mapped_column(String(16))
    """event, digest or test."""
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    """Which run of the server holds the lease; another run's lease is over."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    digest_id: Mapped[str | None] = mapped_column(_ID)


class Attempt(Base):
    """One request of a delivery, written before it goes out. `request` is masked."""

    __tablename__ = "attempt"
    __table_args__ = (
        Index(None, "robot_hash", "started_at"),
        Index(None, "tenant_id", "started_at"),
        Index(None, "started_at"),
    )

    id: Mapped[str] = _id_key()
    tenant_id: Mapped[str] = _tenant()
    outbox_id: Mapped[str] = mapped_column(_ID, ForeignKey("outbox.id", ondelete="CASCADE"), index=True)
    target_id: Mapped[str] = mapped_column(_ID)
    robot_hash: Mapped[str] = mapped_column(_HASH)
    """Empty where another attempt's request brought it too: each request counts once for the pace."""
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    request: Mapped[dict[str, Any]]
    status: Mapped[int | None]
    response: Mapped[str | None] = mapped_column(Text)
    errcode: Mapped[int | None]
    outcome: Mapped[str | None] = mapped_column(String(32))
    latency_ms: Mapped[int | None]


class RetentionRow(Base):
    """How long and how much is kept, of a bus or, with the empty name, of the tenant's other buses."""

    __tablename__ = "retention"

    tenant_id: Mapped[str] = mapped_column(_ID, ForeignKey("tenant.id"), primary_key=True)
    bus: Mapped[str] = mapped_column(String(127), primary_key=True)
    max_age_days: Mapped[int | None]
    max_bytes: Mapped[int | None] = mapped_column(BigInteger)
    updated_at: Mapped[datetime]
    updated_by: Mapped[str] = mapped_column(String(300))


class Hold(Base):
    """A legal hold on a bus or, with the empty name, on the whole tenant: nothing of it is removed."""

    __tablename__ = "hold"

    tenant_id: Mapped[str] = mapped_column(_ID, ForeignKey("tenant.id"), primary_key=True)
    bus: Mapped[str] = mapped_column(String(127), primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    set_at: Mapped[datetime]
    set_by: Mapped[str] = mapped_column(String(300))


class Deletion(Base):
    """The deletion of one subject's events. `subject` is sealed by the secret box, and goes at the end."""

    __tablename__ = "deletion"
    __table_args__ = (Index(None, "tenant_id", "asked_at"), Index(None, "state"))

    id: Mapped[str] = _id_key()
    tenant_id: Mapped[str] = _tenant()
    subject: Mapped[bytes | None] = mapped_column(LargeBinary)
    subject_hash: Mapped[str] = mapped_column(_HASH)
    bus: Mapped[str | None] = mapped_column(String(127))
    reason: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    """waiting, running, done, or stopped by a legal hold"""
    asked_at: Mapped[datetime]
    asked_by: Mapped[str] = mapped_column(String(300))
    finished_at: Mapped[datetime | None]
    report: Mapped[dict[str, Any] | None]


class Input(Base):
    """Where events come from by themselves. `config` and `secrets` are as `ingest.inputs.config` says."""

    __tablename__ = "input"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[str] = _id_key()
    tenant_id: Mapped[str] = _tenant()
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(32), default="rocketmq")
    config: Mapped[dict[str, Any]]
    secrets: Mapped[bytes] = mapped_column(LargeBinary)
    claim: Mapped[str] = mapped_column(_HASH, unique=True)
    """SHA-256 of cluster and consumer group: two inputs with one group, of whatever tenants, would each get a
    part."""
    enabled: Mapped[bool] = mapped_column(default=True)
    service: Mapped[str | None] = mapped_column(String(63))
    """The ingest service that runs it; None: all do."""
    start: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Where it began: {"position": "group"|"first"|"last"|"time", "at": RFC 3339}."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Fetch(Base):
    """Messages that an ingest service is to read again from their brokers: a time range, or gaps."""

    __tablename__ = "fetch"
    __table_args__ = (Index(None, "tenant_id", "input_id", "created_at"), Index(None, "state"))

    id: Mapped[str] = _id_key()
    tenant_id: Mapped[str] = _tenant()
    input_id: Mapped[str] = mapped_column(_ID, ForeignKey("input.id", ondelete="CASCADE"))
    reason: Mapped[str] = mapped_column(String(16))
    """backfill or gap"""
    service: Mapped[str] = mapped_column(String(63))
    """The ingest service that is to do it."""
    ranges: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    """waiting (or under way), done, failed"""
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """{"found": …, "total": …, "problem": …} once it is done or failed."""
    from_at: Mapped[datetime | None]
    to_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(300))
    finished_at: Mapped[datetime | None]


class Audit(Base):
    """Who changed what, written in the same transaction as the change. Never holds a secret."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "tenant_id", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[str | None] = mapped_column(_ID, ForeignKey("tenant.id"))
    actor: Mapped[str] = mapped_column(String(300))
    action: Mapped[str] = mapped_column(String(64))
    object: Mapped[str] = mapped_column(String(300))
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    at: Mapped[datetime]
