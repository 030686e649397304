"""Sign-in and sign-out, and what a signed-in user changes about the own account."""

from datetime import datetime, timedelta

from eventcenter.access import SESSION_PREFIX, Principal, credential_hash, new_credential
from eventcenter.accounts.passwords import Passwords
from eventcenter.accounts.shapes import Me, MyTenant, Opened, TenantAnswer, Who
from eventcenter.accounts.throttle import Throttle
from eventcenter.errors import Forbidden, InvalidInput, NotFound, Unauthenticated
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.audit import audit
from eventcenter.store.models import Membership, SessionRow, SignInLink, Tenant, User
from eventcenter.store.sql import Session, delete, or_, select, update

_LINK_PROVES_FOR = timedelta(hours=1)


class Sessions:
    """Opens, moves and ends sessions.

    A session ends `session_days` after the sign-in, or when it was not used for `session_idle_hours`. A
    change of the password ends all others of the user.
    """

    def __init__(self, store: Store, settings: Settings, passwords: Passwords) -> None:
        self._store = store
        self._life = timedelta(days=settings.session_days)
        self._idle = timedelta(hours=settings.session_idle_hours)
        self._passwords = passwords
        self._throttle = Throttle(store.clock)

    def sign_in(self, name: str, password: str) -> Opened:
        """A session for the right password. Raises Unauthenticated, or Busy after too many wrong ones."""
        self._throttle.attempt(name)
        user = self._store.read(lambda session: session.scalar(select(User).where(User.name == name)))
        stored = None if user is None else user.password_hash
        right = self._passwords.verify(stored, password)
        if user is None or stored is None or not right:
            raise Unauthenticated(
                "The name or the password is wrong.",
                rule="a user of this installation with the password that was set",
                remedy="try again, or sign in by a one-time link: an admin or the operator makes one",
            )
        self._throttle.forgive(name)
        renewed = self._passwords.hash(password) if self._passwords.is_outdated(stored) else None

        def begin(session: Session) -> Opened:
            if renewed is not None:
                session.execute(update(User).where(User.id == user.id).values(password_hash=renewed))
            return self._open(session, user, by_link=False)

        return self._store.write(begin)

    def spend_link(self, code: str) -> Opened:
        """A session for a one-time code, which is spent by it. Raises Unauthenticated."""
        digest = credential_hash(code)

        def begin(session: Session) -> Opened:
            now = self._store.clock.now()
            spend = (
                update(SignInLink)
                .where(SignInLink.hash == digest, SignInLink.used_at.is_(None), SignInLink.expires_at > now)
                .values(used_at=now)
                .returning(SignInLink.user_id)
            )
            user_id = session.execute(spend).scalar_one_or_none()
            if user_id is None:
                raise Unauthenticated(
                    "This sign-in link is used up or over.",
                    rule="a link signs in once, within 15 minutes",
                    remedy="ask an admin for a new one, or print one by `eventcenter user link NAME`",
                )
            return self._open(session, session.get_one(User, user_id), by_link=True)

        return self._store.write(begin)

    def sign_out(self, who: Principal) -> None:
        """End the session that asks. Raises Forbidden for a token."""
        user_id = who.require_user()

        def end(session: Session) -> None:
            mine = delete(SessionRow).where(SessionRow.id == who.credential_id, SessionRow.user_id == user_id)
            session.execute(mine)
            audit(session, who, "session.end", who.actor)

        self._store.write(end)

    def choose_tenant(self, who: Principal, name: str) -> Me:
        """Let the session act in another of its user's tenants. Raises NotFound without a membership."""
        user_id = who.require_user()

        def choose(session: Session) -> Me:
            mine = select(Tenant.id).join(Membership, Membership.tenant_id == Tenant.id)
            tenant_id = session.scalar(mine.where(Tenant.name == name, Membership.user_id == user_id))
            if tenant_id is None:
                raise NotFound(
                    "You are a member of no such tenant.",
                    value=name,
                    rule="the name of a tenant that GET /v1/me lists",
                    remedy="choose one of these, or ask an admin of the tenant for a membership",
                )
            moved = update(SessionRow).where(SessionRow.id == who.credential_id).values(tenant_id=tenant_id)
            session.execute(moved)
            audit(session, who, "session.tenant", f"tenant:{name}", tenant_id=tenant_id)
            return _me(session, who, tenant_id)

        return self._store.write(choose)

    def me(self, who: Principal) -> Me:
        """Who asks, and where the asker may act."""
        return self._store.read(lambda session: _me(session, who, who.tenant_id))

    def change_me(self, who: Principal, *, language: str | None) -> Me:
        """Set the user's language; None: the tenant's. Raises Forbidden for a token."""
        user_id = who.require_user()

        def change(session: Session) -> Me:
            session.get_one(User, user_id).language = language
            audit(session, who, "user.language", who.actor, {"language": language})
            session.flush()
            return _me(session, who, who.tenant_id)

        return self._store.write(change)

    def change_password(self, who: Principal, *, current: str | None, new: str) -> None:
        """Set the user's password and end all other sessions of the user.

        Raises Forbidden where the present password is needed and is missing or wrong, Busy after too many
        wrong ones, InvalidInput for a password that is the name.
        """
        user_id = who.require_user()
        user, proven = self._store.read(lambda session: self._account(session, user_id, who.credential_id))
        if user.password_hash is not None and not proven:
            self._throttle.attempt(user.name)
            if not self._passwords.verify(user.password_hash, current or ""):
                raise Forbidden(
                    "The present password is wrong or missing.",
                    rule="a new password needs the present one, or a sign-in link spent within the hour",
                    remedy="give it as `current`, or sign in by a one-time link and try again",
                )
            self._throttle.forgive(user.name)
        if new.lower() == user.name:
            raise InvalidInput(
                "The password is the user's name.",
                rule="a password that the name does not tell",
                remedy="choose another one",
            )
        digest = self._passwords.hash(new)

        def change(session: Session) -> None:
            session.get_one(User, user_id).password_hash = digest
            others = delete(SessionRow).where(
                SessionRow.user_id == user_id, SessionRow.id != who.credential_id
            )
            session.execute(others)
            session.execute(delete(SignInLink).where(SignInLink.user_id == user_id))
            audit(session, who, "user.password", who.actor)

        self._store.write(change)

    def set_password(self, who: Principal, name: str, new: str) -> None:
        """Set the password of a user by name and end all its sessions. Raises Forbidden, NotFound."""
        who.require_operator()
        digest = self._passwords.hash(new)

        def change(session: Session) -> None:
            user = session.scalar(select(User).where(User.name == name))
            if user is None:
                raise NotFound("There is no such user.", value=name, remedy="correct the name")
            user.password_hash = digest
            session.execute(delete(SessionRow).where(SessionRow.user_id == user.id))
            audit(session, who, "user.password", f"user:{name}")

        self._store.write(change)

    def sweep(self) -> int:
        """Remove sessions and links that are over; how many."""
        now = self._store.clock.now()

        def remove(session: Session) -> int:
            over = or_(SessionRow.expires_at <= now, SessionRow.last_seen_at <= now - self._idle)
            sessions = session.execute(delete(SessionRow).where(over).returning(SessionRow.id)).all()
            links = session.execute(
                delete(SignInLink).where(SignInLink.expires_at <= now).returning(SignInLink.id)
            ).all()
            return len(sessions) + len(links)

        return self._store.write(remove)

    def _account(self, session: Session, user_id: str, session_id: str | None) -> tuple[User, bool]:
        user = session.get_one(User, user_id)
        row = None if session_id is None else session.get(SessionRow, session_id)
        return user, row is not None and self._just_linked(row, self._store.clock.now())

    @staticmethod
    def _just_linked(row: SessionRow, now: datetime) -> bool:
        return row.by_link and now - row.created_at < _LINK_PROVES_FOR

    def _open(self, session: Session, user: User, *, by_link: bool) -> Opened:
        now = self._store.clock.now()
        credential = new_credential(SESSION_PREFIX)
        row = SessionRow(
            hash=credential_hash(credential),
            user_id=user.id,
            tenant_id=_first_tenant(session, user.id),
            created_at=now,
            last_seen_at=now,
            by_link=by_link,
            expires_at=now + self._life,
        )
        session.add(row)
        how = {"by": "link" if by_link else "password"}
        audit(
            session, f"user:{user.name}", "session.begin", f"user:{user.name}", how, tenant_id=row.tenant_id
        )
        return Opened(session=credential, expires_at=row.expires_at)


def _first_tenant(session: Session, user_id: str) -> str | None:
    """Where the user acted last, else the first membership by the tenant's name."""
    mine = select(Membership.tenant_id).where(Membership.user_id == user_id)
    last = (
        select(SessionRow.tenant_id)
        .where(SessionRow.user_id == user_id, SessionRow.tenant_id.in_(mine))
        .order_by(SessionRow.last_seen_at.desc())
        .limit(1)
    )
    first = mine.join(Tenant, Tenant.id == Membership.tenant_id).order_by(Tenant.name).limit(1)
    return session.scalar(last) or session.scalar(first)


def _me(session: Session, who: Principal, tenant_id: str | None) -> Me:
    user = None if who.user_id is None else session.get_one(User, who.user_id)
    tenant = None if tenant_id is None else session.get_one(Tenant, tenant_id)
    if user is None:
        tenants = [] if tenant is None else [_mine(tenant, who.role or "")]
        role = who.role
    else:
        ask = (
            select(Tenant, Membership.role)
            .join(Membership, Membership.tenant_id == Tenant.id)
            .where(Membership.user_id == user.id)
            .order_by(Tenant.name)
        )
        tenants = [_mine(each, at) for each, at in session.execute(ask)]
        role = next((mine.role for mine in tenants if mine.id == tenant_id), None)
    return Me(
        kind="session" if who.kind == "session" else "token",
        actor=who.actor,
        role=role,
        operator=who.operator,
        user=None if user is None else Who.model_validate(user),
        tenant=None if tenant is None else TenantAnswer.model_validate(tenant),
        tenants=tenants,
    )


def _mine(tenant: Tenant, role: str) -> MyTenant:
    return MyTenant(id=tenant.id, name=tenant.name, title=tenant.title, role=role)
