"""From the Authorization header to a principal, resolved anew for every request.

A router takes one of the dependencies `Signed` (any principal), `Writer`, `Viewer`, `Editor`, `Admin` (that
role in a tenant; `.tenant` is its id) or `Operator`.
"""

import threading
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from eventcenter.access import SESSION_PREFIX, TOKEN_PREFIX, Principal, Role, credential_hash
from eventcenter.errors import Unauthenticated
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.directory import token_principal
from eventcenter.store.models import Membership, SessionRow, Token, User
from eventcenter.store.sql import Session, and_, select, update

_NOTE_EVERY = timedelta(minutes=1)
_NOTED_AT_MOST = 10_000

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="A token (`ect_…`) of one tenant and role, or a session (`ecs_…`) from POST /v1/sessions.",
)


class Authenticator:
    """Resolves tokens and sessions in the store; notes their use at most once a minute each."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._idle = timedelta(hours=settings.session_idle_hours)
        self._noted: dict[str, datetime] = {}
        self._noted_lock = threading.Lock()

    def authenticate(self, credential: str | None) -> Principal:
        """Who the credential stands for. Raises Unauthenticated for all but a live token or session."""
        if credential is None:
            raise Unauthenticated(
                "The request has no credential.",
                rule="addresses under /v1, but the sign-in, want `Authorization: Bearer <token or session>`",
                remedy="send a token of Settings › Tokens, or sign in",
            )
        digest = credential_hash(credential)
        now = self._store.clock.now()
        if credential.startswith(TOKEN_PREFIX):
            found = self._store.read(lambda session: _token(session, digest, now))
        elif credential.startswith(SESSION_PREFIX):
            found = self._store.read(lambda session: _session(session, digest, now, now - self._idle))
        else:
            found = None
        if found is None:
            raise Unauthenticated(
                "The credential is not accepted.",
                rule="a token that is neither revoked nor expired, or a session that did not end",
                remedy="sign in again, or ask an admin of the tenant for a new token",
            )
        self._note_use(found, now)
        return found

    def _note_use(self, who: Principal, now: datetime) -> None:
        credential_id = who.credential_id
        if credential_id is None:
            return
        with self._noted_lock:
            last = self._noted.get(credential_id)
            if last is not None and now - last < _NOTE_EVERY:
                return
            if len(self._noted) >= _NOTED_AT_MOST:
                self._noted.clear()
            self._noted[credential_id] = now
        # Not waited for: a lost note costs a minute of precision, a wait would cost every request a sync.
        self._store.submit(lambda session: _note(session, who.kind, credential_id, now))


def principal(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
) -> Principal:
    """The dependency that says who asks. Raises Unauthenticated."""
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator.authenticate(None if credentials is None else credentials.credentials)


@cache
def require(role: str) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency that gives a principal whose role in a tenant includes `role`. Raises Forbidden."""

    # Not plain functions: those are handed to a thread, which takes longer than the look.
    async def allowed(who: Annotated[Principal, Depends(principal)]) -> Principal:
        who.require(role)
        return who

    return allowed


async def require_operator(who: Annotated[Principal, Depends(principal)]) -> Principal:
    """The dependency for operators. Raises Forbidden."""
    who.require_operator()
    return who


Signed = Annotated[Principal, Depends(principal)]
Writer = Annotated[Principal, Depends(require(Role.WRITER))]
Viewer = Annotated[Principal, Depends(require(Role.VIEWER))]
Editor = Annotated[Principal, Depends(require(Role.EDITOR))]
Admin = Annotated[Principal, Depends(require(Role.ADMIN))]
Operator = Annotated[Principal, Depends(require_operator)]


def _token(session: Session, digest: str, now: datetime) -> Principal | None:
    token = session.scalar(select(Token).where(Token.hash == digest, Token.revoked_at.is_(None)))
    if token is None or (token.expires_at is not None and token.expires_at <= now):
        return None
    return token_principal(token.id, token.tenant_id, token.name, token.role)


def _session(session: Session, digest: str, now: datetime, seen_after: datetime) -> Principal | None:
    ask = (
        select(SessionRow, User, Membership)
        .join(User, User.id == SessionRow.user_id)
        .outerjoin(
            Membership,
            and_(Membership.user_id == SessionRow.user_id, Membership.tenant_id == SessionRow.tenant_id),
        )
        .where(SessionRow.hash == digest)
    )
    found = session.execute(ask).one_or_none()
    if found is None:
        return None
    row, user, membership = found
    if row.expires_at <= now or row.last_seen_at <= seen_after:
        return None
    return Principal(
        kind="session",
        tenant_id=None if membership is None else membership.tenant_id,
        role=None if membership is None else membership.role,
        operator=user.operator,
        actor=f"user:{user.name}",
        user_id=user.id,
        credential_id=row.id,
    )


def _note(session: Session, kind: str, credential_id: str, now: datetime) -> None:
    if kind == "token":
        session.execute(update(Token).where(Token.id == credential_id).values(last_used_at=now))
    else:
        session.execute(update(SessionRow).where(SessionRow.id == credential_id).values(last_seen_at=now))
