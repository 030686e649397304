"""What the routes take and answer. Moments are RFC 3339 in UTC."""

import unicodedata
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MOST_DAYS = 36_500
LEAST_BYTES = 1_000_000
MOST_BYTES = (1 << 53) - 1
_LONGEST_SUBJECT = 65_536


def _one_line(text: str) -> str:
    if any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in text):
        raise ValueError("must be one line without control characters")
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


def _subject(text: str) -> str:
    if not text or any(unicodedata.category(c) in {"Cc", "Cs"} for c in text):
        raise ValueError("must be an event's subject: Unicode text without control characters, not empty")
    return text


Reason = Annotated[str, Field(max_length=1000), AfterValidator(_one_line)]
BusName = Annotated[str, Field(max_length=127)]
Days = Annotated[int, Field(strict=True, ge=1, le=MOST_DAYS)]
Bytes = Annotated[int, Field(strict=True, ge=LEAST_BYTES, le=MOST_BYTES)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class Limits(_Body):
    """How long and how much is kept; null keeps without end."""

    max_age_days: Days | None = Field(default=None, description="Days since an event was received.")
    max_bytes: Bytes | None = Field(default=None, description="Bytes of archive; the oldest events go first.")
    dry_run: bool = Field(default=False, description="Change nothing: only say what would go.")


class NewHold(_Body):
    reason: Reason


class NewDeletion(_Body):
    """The subject exactly as the events have it, on one bus or, without, on all."""

    subject: Annotated[str, Field(max_length=_LONGEST_SUBJECT), AfterValidator(_subject)]
    bus: BusName | None = None
    reason: Reason
    dry_run: bool = Field(default=False, description="Remove nothing: only say what would go.")


class PolicyAnswer(_Answer):
    """Limits that somebody set."""

    max_age_days: int | None
    max_bytes: int | None
    updated_at: datetime
    updated_by: str


class HoldAnswer(_Answer):
    """A legal hold: nothing is removed while it is there."""

    reason: str
    set_at: datetime
    set_by: str


class BusRetention(_Answer):
    """A bus. Without a `policy` of its own it falls under the tenant's."""

    name: str
    policy: PolicyAnswer | None
    hold: HoldAnswer | None
    events: int
    bytes: int
    oldest_received_at: datetime | None


class Going(_Answer):
    """What goes by the limits as they are (or would be), at the next run of the job."""

    events: int
    rejects: int


class RetentionAnswer(_Answer):
    """The tenant's policy and hold, those of its buses, and what they take."""

    policy: PolicyAnswer | None
    hold: HoldAnswer | None
    events: int
    bytes: int
    oldest_received_at: datetime | None
    buses: list[BusRetention]


class ChangedRetention(RetentionAnswer):
    dry_run: bool
    going: Going


class Counted(_Answer):
    """Events of one bus and type."""

    bus: str
    type: str
    events: int
    first_received_at: datetime
    last_received_at: datetime


class Report(_Answer):
    """What a deletion took away, or would."""

    events: int
    by_type: list[Counted]
    duplicates: int
    rejects: int
    segments: int
    first_received_at: datetime | None
    last_received_at: datetime | None
    remains: list[str]


class DeletionAnswer(_Answer):
    """A deletion; `id` is null for a dry run. `subject_hash` tells whether two are of the same subject."""

    id: str | None
    subject_hash: str
    bus: str | None
    reason: str
    state: str
    asked_at: datetime
    asked_by: str
    finished_at: datetime | None
    report: Report | None


class Deletions(_Answer):
    """Newest first; `next` is the cursor of the following page."""

    deletions: list[DeletionAnswer]
    next: str | None
