"""The directory: who may post where, answered from memory in the ingest process."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from eventcenter.access import OPERATOR, TOKEN_PREFIX, Principal, credential_hash
from eventcenter.errors import NotFound, Unauthenticated, Unavailable
from eventcenter.store.models import Bus, Token
from eventcenter.store.store import ReadOnlyStore

_CHECK_EVERY_S = 0.2
_AT_ONCE = 500
_TOKEN_RULE = f"a token begins with {TOKEN_PREFIX} and is neither revoked nor expired"
_TOKEN_REMEDY = "make a token in Settings › Tokens or by `eventcenter token create`"  # noqa: S105 a sentence


@dataclass(frozen=True, kw_only=True)
class _Known:
    principal: Principal
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class _Snapshot:
    version: int | str
    tokens: dict[str, _Known]
    """By the hash of the token."""
    buses: frozenset[tuple[str, str]]
    """Tenant's id and bus's name."""


class Directory:
    """All live tokens and buses in memory, renewed when the store changed.

    A change is noticed within 200 ms. What is not in memory is looked up in the store at once, so a new token
    or bus works from its first request. Safe to use from many threads. Raises Unavailable when the store does
    not answer at the start; afterwards it goes on with what it knows while the store is out of reach.
    """

    def __init__(self, store: ReadOnlyStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._checked = time.monotonic()
        self._snapshot = self._load({})

    def authenticate(self, token: str) -> Principal:
        """Who the token stands for. Raises Unauthenticated for all but a live token."""
        self._renew()
        digest = credential_hash(token)
        known = self._snapshot.tokens.get(digest)
        if known is None and token.startswith(TOKEN_PREFIX):
            known = self._store.read(lambda session: _live_token(session, digest))
        if known is None or _is_over(known.expires_at, self._store.clock.now()):
            raise unknown_token()
        return known.principal

    def bus(self, tenant_id: str, name: str) -> None:
        """Nothing if the tenant has such a bus. Raises NotFound."""
        self._renew()
        if (tenant_id, name) in self._snapshot.buses:
            return
        if not self._store.read(lambda session: _has_bus(session, tenant_id, name)):
            raise NotFound(
                "There is no such bus.",
                value=name,
                rule="events go to a bus of the token's tenant",
                remedy="make the bus in Settings › Buses, or post to `default`",
            )

    def _renew(self) -> None:
        now = time.monotonic()
        if now - self._checked < _CHECK_EVERY_S or not self._lock.acquire(blocking=False):
            return
        try:
            self._checked = now
            if self._store.data_version() != self._snapshot.version:
                self._snapshot = self._load(self._snapshot.tokens)
        except Unavailable:
            # Posts that can be answered from memory are not refused because the store is out of reach.
            return
        finally:
            self._lock.release()

    def _load(self, known: Mapping[str, _Known]) -> _Snapshot:
        # The version is asked first: a change in between makes one more load, never a missed one.
        version = self._store.data_version()
        return self._store.read(lambda session: _everything(session, version, known))


def unknown_token() -> Unauthenticated:
    """The one answer for a token that is missing, unknown, revoked or expired."""
    return Unauthenticated("The token is not accepted.", rule=_TOKEN_RULE, remedy=_TOKEN_REMEDY)


def _everything(session: Session, version: int | str, known: Mapping[str, _Known]) -> _Snapshot:
    # A token never changes but by its revocation, so what is known of the live ones need not be read again.
    live = session.scalars(select(Token.hash).where(Token.revoked_at.is_(None))).all()
    unread = [digest for digest in live if digest not in known]
    tokens = {digest: known[digest] for digest in live if digest in known}
    for some in (unread[at : at + _AT_ONCE] for at in range(0, len(unread), _AT_ONCE)):
        rows = session.execute(_TOKENS.where(Token.hash.in_(some)))
        tokens.update((row[0], _known(*row[1:])) for row in rows)
    buses = session.execute(select(Bus.tenant_id, Bus.name))
    return _Snapshot(version=version, tokens=tokens, buses=frozenset((row[0], row[1]) for row in buses))


_TOKENS = select(Token.hash, Token.id, Token.tenant_id, Token.name, Token.role, Token.expires_at)


def _live_token(session: Session, digest: str) -> _Known | None:
    row = session.execute(_TOKENS.where(Token.hash == digest, Token.revoked_at.is_(None))).one_or_none()
    return None if row is None else _known(*row[1:])


def _has_bus(session: Session, tenant_id: str, name: str) -> bool:
    found = select(Bus.id).where(Bus.tenant_id == tenant_id, Bus.name == name)
    return session.scalar(found) is not None


def _known(token_id: str, tenant_id: str | None, name: str, role: str, expires_at: datetime | None) -> _Known:
    return _Known(principal=token_principal(token_id, tenant_id, name, role), expires_at=expires_at)


def token_principal(token_id: str, tenant_id: str | None, name: str, role: str) -> Principal:
    """The principal that a token stands for; one with role `operator` acts in no tenant."""
    operator = role == OPERATOR
    return Principal(
        kind="token",
        tenant_id=None if operator else tenant_id,
        role=None if operator else role,
        operator=operator,
        actor=f"token:{name}",
        credential_id=token_id,
    )


def _is_over(expires_at: datetime | None, now: datetime) -> bool:
    return expires_at is not None and expires_at <= now
