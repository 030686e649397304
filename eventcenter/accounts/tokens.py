"""Tokens of a tenant, and an operator's."""

from datetime import UTC, datetime

from eventcenter.access import (
    OPERATOR,
    TOKEN_PREFIX,
    TOKEN_ROLES,
    Principal,
    Role,
    credential_hash,
    new_credential,
    parse_role,
    shown_prefix,
)
from eventcenter.accounts.shapes import CreatedToken, TokenAnswer
from eventcenter.clock import rfc3339
from eventcenter.errors import InvalidInput, NotFound
from eventcenter.store import Store
from eventcenter.store.audit import audit
from eventcenter.store.models import Token
from eventcenter.store.sql import Session, select


class Tokens:
    """Makes, lists and revokes tokens of the principal's tenant. The token itself is shown once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self, who: Principal) -> list[TokenAnswer]:
        """The tokens that are not revoked, newest first."""
        tenant_id = who.require(Role.ADMIN)
        ask = (
            select(Token)
            .where(Token.tenant_id == tenant_id, Token.revoked_at.is_(None))
            .order_by(Token.created_at.desc(), Token.id)
        )
        return self._store.read(
            lambda session: [TokenAnswer.model_validate(token) for token in session.scalars(ask)]
        )

    def create(
        self, who: Principal, *, name: str, role: str, expires_at: datetime | None = None
    ) -> CreatedToken:
        """A new token of the principal's tenant. Raises InvalidInput for a role or an end that is none."""
        return self._create(who, who.require(Role.ADMIN), name, parse_role(role, TOKEN_ROLES), expires_at)

    def create_operator(
        self, who: Principal, *, name: str, expires_at: datetime | None = None
    ) -> CreatedToken:
        """A new token that administers tenants and reads nothing in them. Raises Forbidden."""
        who.require_operator()
        return self._create(who, None, name, OPERATOR, expires_at)

    def revoke(self, who: Principal, token_id: str) -> None:
        """End a token, at once at the API and within 200 ms at the ingest service. Raises NotFound."""
        self._revoke(who, who.require(Role.ADMIN), token_id)

    def revoke_operator(self, who: Principal, token_id: str) -> None:
        """End an operators' token, as `revoke`. Raises Forbidden, NotFound."""
        who.require_operator()
        self._revoke(who, None, token_id)

    def _revoke(self, who: Principal, tenant_id: str | None, token_id: str) -> None:
        def apply(session: Session) -> None:
            token = session.scalar(select(Token).where(Token.id == token_id, Token.tenant_id == tenant_id))
            if token is None or token.revoked_at is not None:
                raise NotFound(
                    "There is no such token.", value=token_id, remedy="GET /v1/tokens lists their ids"
                )
            token.revoked_at = self._store.clock.now()
            detail = {"id": token.id, "role": token.role}
            audit(session, who, "token.revoke", f"token:{token.name}", detail, tenant_id=tenant_id)

        self._store.write(apply)

    def _create(
        self, who: Principal, tenant_id: str | None, name: str, role: str, expires_at: datetime | None
    ) -> CreatedToken:
        now = self._store.clock.now()
        if expires_at is not None and expires_at <= now:
            raise InvalidInput(
                "The token would be over before it begins.",
                value=rfc3339(expires_at),
                rule="`expires_at` lies in the future",
                remedy="choose a later moment, or none",
            )
        ends = None if expires_at is None else expires_at.astimezone(UTC)
        credential = new_credential(TOKEN_PREFIX)

        def apply(session: Session) -> CreatedToken:
            token = Token(
                tenant_id=tenant_id,
                name=name,
                role=role,
                hash=credential_hash(credential),
                prefix=shown_prefix(credential),
                created_at=now,
                expires_at=ends,
            )
            session.add(token)
            session.flush()
            detail = {"id": token.id, "role": role, "expires_at": None if ends is None else rfc3339(ends)}
            audit(session, who, "token.create", f"token:{name}", detail, tenant_id=tenant_id)
            return CreatedToken(**TokenAnswer.model_validate(token).model_dump(), token=credential)

        return self._store.write(apply)
