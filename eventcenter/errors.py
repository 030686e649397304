"""One error tree. Each error says the value, the rule it broke and the way out.

    EventCenterError
    ├── InvalidInput           400  the request or setting is wrong; sending it again will not help
    ├── Unauthenticated        401  who is asking is not known
    ├── Forbidden              403  known, but not allowed
    ├── NotFound               404  no such thing in this tenant
    ├── Conflict               409  it clashes with what is there
    ├── TooLarge               413  over a limit
    ├── UnsupportedMediaType   415  no binding for this content type
    ├── Busy                   429  try again after `retry_after` seconds
    ├── Unavailable            503  a part of the product is not ready or took too long
    └── StorageFull            507  the disk is at its floor

`problem()` renders an error as RFC 9457 problem details.
"""

from typing import ClassVar

_SHOWN = 200
_PROBLEM_TYPE = "urn:eventcenter:problem:"


class EventCenterError(Exception):
    """Base of all errors that a person or a client sees.

    `detail` is one sentence; `value` what was given (cut to 200 characters), `rule` what holds,
    `remedy` what to do. None of them may contain a secret.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"
    retryable: ClassVar[bool] = False

    def __init__(
        self, detail: str, *, value: object = None, rule: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.value = None if value is None else _cut(str(value))
        self.rule = rule
        self.remedy = remedy

    def __str__(self) -> str:
        parts = [self.detail]
        if self.value is not None:
            parts.append(f"Got: {self.value}")
        if self.rule is not None:
            parts.append(f"Rule: {self.rule}")
        if self.remedy is not None:
            parts.append(f"Way out: {self.remedy}")
        return " · ".join(parts)

    def problem(self) -> dict[str, object]:
        """RFC 9457 members, plus `value`, `rule` and `remedy` where they are known."""
        body: dict[str, object] = {
            "type": _PROBLEM_TYPE + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        for name in ("value", "rule", "remedy"):
            member = getattr(self, name)
            if member is not None:
                body[name] = member
        return body


class InvalidInput(EventCenterError):
    """The request, event or setting is wrong; the same again will be refused again."""

    status = 400
    code = "invalid-input"
    title = "Invalid input"


class Unauthenticated(EventCenterError):
    """No credential, or one that is unknown, expired or revoked."""

    status = 401
    code = "unauthenticated"
    title = "Not signed in"


class Forbidden(EventCenterError):
    """The credential is good, its role is not enough."""

    status = 403
    code = "forbidden"
    title = "Not allowed"


class NotFound(EventCenterError):
    """No such thing in the asker's tenant (another tenant's things do not exist)."""

    status = 404
    code = "not-found"
    title = "Not found"


class Conflict(EventCenterError):
    """It clashes with what is there."""

    status = 409
    code = "conflict"
    title = "Conflict"


class TooLarge(EventCenterError):
    """Over a limit of size."""

    status = 413
    code = "too-large"
    title = "Too large"


class UnsupportedMediaType(EventCenterError):
    """No binding takes this content type or encoding."""

    status = 415
    code = "unsupported-media-type"
    title = "Unsupported media type"


class Busy(EventCenterError):
    """Over a rate or a bound for now; `retry_after` in seconds."""

    status = 429
    code = "busy"
    title = "Busy"
    retryable = True

    def __init__(
        self,
        detail: str,
        *,
        retry_after: int = 5,
        value: object = None,
        rule: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(detail, value=value, rule=rule, remedy=remedy)
        self.retry_after = retry_after


class Unavailable(EventCenterError):
    """A part of the product is not ready, or an answer took too long."""

    status = 503
    code = "unavailable"
    title = "Unavailable"
    retryable = True


class StorageFull(EventCenterError):
    """The file system is at its floor of free space; nothing more is accepted until space is free."""

    status = 507
    code = "storage-full"
    title = "Storage full"
    retryable = True


ERRORS: tuple[type[EventCenterError], ...] = (
    InvalidInput,
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict,
    TooLarge,
    UnsupportedMediaType,
    Busy,
    Unavailable,
    StorageFull,
)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
