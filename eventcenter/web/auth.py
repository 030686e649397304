"""From the Authorization header to a principal, as the store has it at the moment of the request.

A router takes one of the dependencies `Signed` (any principal), `Writer`, `Viewer`, `Editor`, `Admin` (that
role in a tenant; `.tenant` is its id) or `Operator`.
"""

import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.concurrency import run_in_threadpool
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
_REMEMBERED_AT_MOST = 10_000

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="A token (`ect_…`) of one tenant and role, or a session (`ecs_…`) from POST /v1/sessions.",
)


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What the store says of a credential; whether it still counts is for the clock to say."""

    principal: Principal
    expires_at: datetime | None
    last_seen_at: datetime | None = None
    """None for a token, which may be idle for as long as it lives."""

    def counts(self, now: datetime, idle: timedelta) -> bool:
        """Whether it has neither expired nor been left alone for too long."""
        if self.expires_at is not None and self.expires_at <= now:
            return False
        return self.last_seen_at is None or self.last_seen_at > now - idle


class _Memory:
    """What was read of credentials, by their digests, for as long as nothing in the store has changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version: int | str | None = None
        self._found: dict[str, _Found] = {}

    def knows(self, digest: str) -> bool:
        """Whether it is worth to ask for the store's version."""
        return digest in self._found

    def get(self, digest: str, version: int | str | None) -> _Found | None:
        """What was read when the store was at this very version."""
        with self._lock:
            return self._found.get(digest) if version is not None and version == self._version else None

    def put(self, digest: str, version: int | str | None, found: _Found) -> None:
        """Keep what was read after the store had told this version."""
        if version is None:
            return
        with self._lock:
            if version != self._version or len(self._found) >= _REMEMBERED_AT_MOST:
                self._found.clear()
            self._version = version
            self._found[digest] = found


class Authenticator:
    """Resolves tokens and sessions in the store; notes their use at most once a minute each."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._idle = timedelta(hours=settings.session_idle_hours)
        self._memory = _Memory()
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
        # Asked first: what changes in between is read again, never missed.
        version = self._store.version_at_hand()
        found = None
        if credential.startswith(TOKEN_PREFIX):
            found = self._store.read(lambda session: _token(session, digest))
        elif credential.startswith(SESSION_PREFIX):
            found = self._store.read(lambda session: _session(session, digest))
        now = self._store.clock.now()
        if found is None or not found.counts(now, self._idle):
            raise Unauthenticated(
                "The credential is not accepted.",
                rule="a token that is neither revoked nor expired, or a session that did not end",
                remedy="sign in again, or ask an admin of the tenant for a new token",
            )
        self._memory.put(digest, version, found)
        self._note_use(found.principal, now)
        return found.principal

    def remembered(self, credential: str | None) -> Principal | None:
        """The same without reading, where nothing in the store changed since it was read; quick."""
        if credential is None:
            return None
        digest = credential_hash(credential)
        if not self._memory.knows(digest):
            return None
        found = self._memory.get(digest, self._store.version_at_hand())
        now = self._store.clock.now()
        if found is None or not found.counts(now, self._idle):
            return None
        self._note_use(found.principal, now)
        return found.principal

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


async def principal(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
) -> Principal:
    """The dependency that says who asks. Raises Unauthenticated."""
    authenticator: Authenticator = request.app.state.authenticator
    credential = None if credentials is None else credentials.credentials
    known = authenticator.remembered(credential)
    if known is not None:
        return known
    # A thread is for reading alone: to be handed to one takes longer than the look.
    return await run_in_threadpool(authenticator.authenticate, credential)


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


def _token(session: Session, digest: str) -> _Found | None:
    token = session.scalar(select(Token).where(Token.hash == digest, Token.revoked_at.is_(None)))
    if token is None:
        return None
    who = token_principal(token.id, token.tenant_id, token.name, token.role)
    return _Found(principal=who, expires_at=token.expires_at)


def _session(session: Session, digest: str) -> _Found | None:
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
    who = Principal(
        kind="session",
        tenant_id=None if membership is None else membership.tenant_id,
        role=None if membership is None else membership.role,
        operator=user.operator,
        actor=f"user:{user.name}",
        user_id=user.id,
        credential_id=row.id,
    )
    return _Found(principal=who, expires_at=row.expires_at, last_seen_at=row.last_seen_at)


def _note(session: Session, kind: str, credential_id: str, now: datetime) -> None:
    if kind == "token":
        session.execute(update(Token).where(Token.id == credential_id).values(last_used_at=now))
    else:
        session.execute(update(SessionRow).where(SessionRow.id == credential_id).values(last_seen_at=now))
