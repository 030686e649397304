"""Who asks: principals, roles, and the random credentials that stand for them.

A credential is 256 random bits behind a prefix that says what it is: `ect_` a token, `ecs_` a session, `ecl_`
a sign-in link. The store keeps only the SHA-256 of the whole text; that is enough, because nobody can guess
256 bits, so no slow hash is needed.
"""

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from eventcenter.errors import Forbidden, InvalidInput

TOKEN_PREFIX = "ect_"  # noqa: S105 a prefix, not a secret
SESSION_PREFIX = "ecs_"
LINK_PREFIX = "ecl_"
_SHOWN_CHARACTERS = 8


class Role(StrEnum):
    """What a token or a membership allows in its tenant.

    `writer` posts events and reads nothing; `viewer` < `editor` < `admin` each add to what the one before may
    do; editors and admins may post events too.
    """

    WRITER = "writer"
    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"


OPERATOR = "operator"
"""Role of a token that administers tenants and belongs to none."""

TOKEN_ROLES: tuple[str, ...] = (Role.WRITER, Role.VIEWER, Role.EDITOR, Role.ADMIN)
MEMBER_ROLES: tuple[str, ...] = (Role.VIEWER, Role.EDITOR, Role.ADMIN)

_INCLUDES: dict[str, frozenset[str]] = {
    Role.WRITER: frozenset({Role.WRITER}),
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.EDITOR: frozenset({Role.VIEWER, Role.EDITOR, Role.WRITER}),
    Role.ADMIN: frozenset({Role.VIEWER, Role.EDITOR, Role.ADMIN, Role.WRITER}),
}


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who asks, as resolved from a credential at this very request.

    `tenant_id` and `role` are None where the credential acts in no tenant: an operator's token, or a session
    whose user has no membership in the tenant it names.
    """

    kind: Literal["token", "session", "local"]
    tenant_id: str | None
    role: str | None
    operator: bool
    actor: str
    """How the audit names it: `user:<name>` or `token:<name>`."""
    user_id: str | None = None
    credential_id: str | None = None
    """Id of the token or of the session."""

    @classmethod
    def local(cls, tenant_id: str | None = None, *, actor: str = "cli") -> "Principal":
        """Whoever runs commands on this machine, beside the data: operator, and admin of the tenant."""
        role = None if tenant_id is None else Role.ADMIN
        return cls(kind="local", tenant_id=tenant_id, role=role, operator=True, actor=actor)

    @property
    def tenant(self) -> str:
        """The id of the tenant it acts in. Raises Forbidden without one."""
        if self.tenant_id is None or self.role is None:
            raise Forbidden(
                "You act in no tenant, and this belongs to one.",
                rule="it needs a membership in the tenant or a token of it; being an operator gives none",
                remedy="ask an admin of the tenant for a membership, or choose a tenant you are a member of",
            )
        return self.tenant_id

    def may(self, role: str) -> bool:
        """Whether it acts in a tenant with a role that includes `role`."""
        return self.tenant_id is not None and self.role is not None and role in _INCLUDES.get(self.role, ())

    def require(self, role: str) -> str:
        """The tenant's id, if the role in it includes `role`. Raises Forbidden."""
        tenant = self.tenant
        if not self.may(role):
            raise Forbidden(
                f"This needs the role {role}.",
                value=self.role,
                rule="writer posts events, viewer reads, editor changes rules, admin buses, tokens and users",
                remedy="ask an admin of the tenant for a membership or a token with that role",
            )
        return tenant

    def require_operator(self) -> None:
        """Raises Forbidden for all but operators."""
        if not self.operator:
            raise Forbidden(
                "Only operators administer tenants.",
                rule="the user is an operator, or the token has the role operator",
                remedy="ask the operator of this installation",
            )

    def require_user(self) -> str:
        """The user's id. Raises Forbidden for a token, which is nobody's account."""
        if self.user_id is None:
            raise Forbidden(
                "A token has no account of its own.",
                rule="this belongs to a user who is signed in",
                remedy="sign in by password or by a sign-in link and use the session",
            )
        return self.user_id


def new_credential(prefix: str) -> str:
    """A fresh credential: `prefix` and 43 URL-safe characters (256 random bits)."""
    return prefix + secrets.token_urlsafe(32)


def credential_hash(credential: str) -> str:
    """What the store keeps of a credential: SHA-256 as 64 hex digits."""
    return hashlib.sha256(credential.encode("utf-8", "surrogatepass")).hexdigest()


def shown_prefix(credential: str) -> str:
    """The first characters, by which a person tells tokens apart."""
    return credential[:_SHOWN_CHARACTERS]


def parse_role(text: str, allowed: tuple[str, ...] = TOKEN_ROLES) -> str:
    """`text` if it is one of `allowed`. Raises InvalidInput."""
    if text not in allowed:
        raise InvalidInput(
            "There is no such role here.",
            value=text,
            rule=f"one of {', '.join(allowed)}",
            remedy="choose one of these",
        )
    return text
