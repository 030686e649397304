"""What the accounts' routes take and answer. Moments are RFC 3339 in UTC."""

import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 256
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


def _matching(pattern: str, rule: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if compiled.fullmatch(text) is None:
            raise ValueError(rule)
        return text

    return check


def _one_line(text: str) -> str:
    if any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} or c in _BIDI for c in text):
        raise ValueError("must be one line without control or direction characters")
    return text.strip()


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _zone(text: str) -> str:
    if text not in _zones():
        raise ValueError("must be a time zone of the IANA database, such as Asia/Shanghai")
    return text


def _password(secret: SecretStr) -> SecretStr:
    if not SHORTEST_PASSWORD <= len(secret.get_secret_value()) <= LONGEST_PASSWORD:
        raise ValueError(f"must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    return secret


def _unicode(secret: SecretStr) -> SecretStr:
    if any(unicodedata.category(c) == "Cs" for c in secret.get_secret_value()):
        raise ValueError("must be Unicode text")
    return secret


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


Slug = Annotated[
    str,
    AfterValidator(
        _matching(
            r"[a-z0-9][a-z0-9-]{0,62}",
            "must be 1 to 63 lower-case letters, digits and hyphens, with a letter or digit first",
        )
    ),
]
BusName = Annotated[
    str,
    AfterValidator(
        _matching(
            r"[a-zA-Z0-9][a-zA-Z0-9-]{0,126}",
            "must be 1 to 127 letters, digits and hyphens, with a letter or digit first",
        )
    ),
]
UserName = Annotated[
    str,
    BeforeValidator(_lower),
    AfterValidator(
        _matching(
            r"[a-z0-9][a-z0-9._@+-]{0,63}",
            "must be 1 to 64 letters, digits and . _ @ + -, with a letter or digit first",
        )
    ),
]
Line = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]
Title = Annotated[Line, AfterValidator(_not_empty)]
Description = Annotated[str, Field(max_length=1000), AfterValidator(_one_line)]
NewPassword = Annotated[SecretStr, AfterValidator(_unicode), AfterValidator(_password)]
GivenPassword = Annotated[SecretStr, Field(max_length=LONGEST_PASSWORD), AfterValidator(_unicode)]
TimeZone = Annotated[str, AfterValidator(_zone)]
Language = Literal["en", "zh"]
TokenRole = Literal["writer", "viewer", "editor", "admin"]
MemberRole = Literal["viewer", "editor", "admin"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class SignIn(_Body):
    """A name and its password."""

    name: Annotated[str, BeforeValidator(_lower), Field(max_length=200)]
    password: GivenPassword


class SpendLink(_Body):
    """The code of a one-time sign-in link."""

    code: Annotated[SecretStr, Field(max_length=200)]


class Opened(_Answer):
    """A new session; `session` is the credential and shown only here."""

    session: str
    expires_at: datetime


class ChangeMe(_Body):
    language: Language | None = None


class ChangePassword(_Body):
    """`current` is needed where there is a password and the session did not just begin with a link."""

    current: GivenPassword | None = None
    new: NewPassword


class ChooseTenant(_Body):
    tenant: Annotated[str, Field(max_length=200, description="The tenant's name.")]


class Who(_Answer):
    id: str
    name: str
    language: str | None


class TenantAnswer(_Answer):
    id: str
    name: str
    title: str
    time_zone: str
    language: str
    created_at: datetime


class MyTenant(_Answer):
    id: str
    name: str
    title: str
    role: str


class Me(_Answer):
    """Who asks. `role` and `tenant` are null where the credential acts in no tenant."""

    kind: Literal["token", "session"]
    actor: str
    role: str | None
    operator: bool
    user: Who | None
    tenant: TenantAnswer | None
    tenants: list[MyTenant]


class ChangeTenant(_Body):
    title: Title | None = None
    time_zone: TimeZone | None = None
    language: Language | None = None


class NewBus(_Body):
    name: BusName
    description: Description = ""


class BusAnswer(_Answer):
    name: str
    description: str
    created_at: datetime
    events: int
    last_received_at: datetime | None


class Buses(_Answer):
    buses: list[BusAnswer]


class NewToken(_Body):
    name: Title
    role: TokenRole
    expires_at: AwareDatetime | None = None


class TokenAnswer(_Answer):
    """A token without its secret. `last_used_at` is when the API last saw it, to the minute."""

    id: str
    name: str
    role: str
    prefix: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


class CreatedToken(TokenAnswer):
    """A new token; `token` is the credential and shown only here."""

    token: str


class Tokens(_Answer):
    tokens: list[TokenAnswer]


_EXISTING = "Operators only: the account is there already, of whatever tenant, and this very one is meant."


class NewUser(_Body):
    name: UserName
    role: MemberRole
    existing: bool = Field(default=False, description=_EXISTING)


class ChangeUser(_Body):
    role: MemberRole


class Link(_Answer):
    """A one-time sign-in link; `code` is the credential and shown only here."""

    code: str
    expires_at: datetime


class UserAnswer(_Answer):
    """A member of the tenant."""

    id: str
    name: str
    role: str
    language: str | None
    created_at: datetime


class AddedUser(UserAnswer):
    """`link` only where the account is new: nobody gets a link for somebody else's account."""

    link: Link | None


class Users(_Answer):
    users: list[UserAnswer]


class NewTenant(_Body):
    name: Slug
    title: Line = ""
    admin: UserName | None = None
    existing: bool = Field(default=False, description=_EXISTING)


class RenameTenant(_Body):
    title: Title


class CreatedTenant(TenantAnswer):
    """`link` only where `admin` names an account that was made with the tenant."""

    link: Link | None


class Tenants(_Answer):
    tenants: list[TenantAnswer]


class AuditEntry(_Answer):
    id: int
    actor: str
    action: str
    object: str
    detail: dict[str, Any]
    at: datetime


class AuditPage(_Answer):
    """Newest first; `next` is the cursor of the following page."""

    audit: list[AuditEntry]
    next: str | None
