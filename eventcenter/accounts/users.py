"""The members of a tenant. An account's name belongs to the whole installation, a membership to a tenant."""

from datetime import datetime

from eventcenter.access import Principal, Role
from eventcenter.accounts.shapes import AddedUser, Link, UserAnswer
from eventcenter.errors import Conflict, Forbidden, NotFound
from eventcenter.store import Store
from eventcenter.store.audit import audit
from eventcenter.store.bootstrap import add_link
from eventcenter.store.models import Membership, User
from eventcenter.store.sql import Session, func, select


class Users:
    """Adds, changes and removes members of the principal's tenant."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self, who: Principal) -> list[UserAnswer]:
        """The members of the tenant, by name."""
        tenant_id = who.require(Role.ADMIN)
        ask = (
            select(User, Membership)
            .join(Membership, Membership.user_id == User.id)
            .where(Membership.tenant_id == tenant_id)
            .order_by(User.name)
        )
        return self._store.read(
            lambda session: [_answer(user, member) for user, member in session.execute(ask)]
        )

    def add(self, who: Principal, *, name: str, role: str, existing: bool = False) -> AddedUser:
        """Make the user of that name a member, and an account with a sign-in link if there was none.

        With `existing`, which only operators may say, it takes the account that is there, wherever it was
        made. Raises Forbidden, NotFound, Conflict for a member or for an account that was made elsewhere.
        """
        tenant_id = who.require(Role.ADMIN)
        if existing:
            who.require_operator()

        def apply(session: Session) -> AddedUser:
            now = self._store.clock.now()
            user, link = add_member(session, tenant_id, name, role, now, existing=existing)
            audit(session, who, "user.add", f"user:{name}", {"role": role, "new": link is not None})
            member = session.get_one(Membership, (user.id, tenant_id))
            return AddedUser(**_answer(user, member).model_dump(), link=link)

        return self._store.write(apply)

    def change(self, who: Principal, user_id: str, *, role: str) -> UserAnswer:
        """Give a member another role. Raises NotFound, Conflict for the last admin."""
        tenant_id = who.require(Role.ADMIN)

        def apply(session: Session) -> UserAnswer:
            user, member = _member(session, tenant_id, user_id)
            if role != Role.ADMIN:
                _keep_an_admin(session, member)
            audit(session, who, "user.role", f"user:{user.name}", {"from": member.role, "to": role})
            member.role = role
            return _answer(user, member)

        return self._store.write(apply)

    def remove(self, who: Principal, user_id: str) -> None:
        """End a membership, at once. The account stays. Raises NotFound, Conflict for the last admin."""
        tenant_id = who.require(Role.ADMIN)

        def apply(session: Session) -> None:
            user, member = _member(session, tenant_id, user_id)
            _keep_an_admin(session, member)
            session.delete(member)
            audit(session, who, "user.remove", f"user:{user.name}", {"role": member.role})

        self._store.write(apply)

    def link(self, who: Principal, user_id: str) -> Link:
        """A new sign-in link for a member whose account this tenant made and who is in no other.

        Raises NotFound, Forbidden for every other account: a link opens all that its user may do.
        """
        tenant_id = who.require(Role.ADMIN)

        def apply(session: Session) -> Link:
            user, _ = _member(session, tenant_id, user_id)
            elsewhere = session.scalar(
                select(func.count())
                .select_from(Membership)
                .where(Membership.user_id == user_id, Membership.tenant_id != tenant_id)
            )
            if user.operator or user.home_tenant_id != tenant_id or elsewhere:
                raise Forbidden(
                    "This account is not this tenant's alone.",
                    value=user.name,
                    rule="admins make links for accounts that the tenant made and that are in no other",
                    remedy="the operator makes one: `eventcenter user link NAME`",
                )
            code, expires_at = add_link(session, user_id, self._store.clock.now())
            audit(session, who, "link.create", f"user:{user.name}")
            return Link(code=code, expires_at=expires_at)

        return self._store.write(apply)


def add_member(
    session: Session, tenant_id: str, name: str, role: str, now: datetime, *, existing: bool
) -> tuple[User, Link | None]:
    """Add a membership in a change that is under way; a link comes with a new account only.

    Whoever made an account can sign in by it. So one that another tenant made is taken only where `existing`
    says that it is meant. Raises Conflict for another account and for a member, NotFound for none.
    """
    user = session.scalar(select(User).where(User.name == name))
    link: Link | None = None
    if user is None and existing:
        raise NotFound(
            "There is no such account.",
            value=name,
            rule="`existing` names an account that is there already",
            remedy="correct the name, or leave `existing` out to make the account",
        )
    if user is None:
        user = User(name=name, operator=False, home_tenant_id=tenant_id, created_at=now)
        session.add(user)
        session.flush()
        code, expires_at = add_link(session, user.id, now)
        link = Link(code=code, expires_at=expires_at)
    elif session.get(Membership, (user.id, tenant_id)) is not None:
        raise Conflict(
            "This user is a member already.",
            value=name,
            rule="one membership for each user and tenant",
            remedy="change the member's role instead",
        )
    elif user.home_tenant_id != tenant_id and not existing:
        raise Conflict(
            "There is an account of this name already, which was not made here.",
            value=name,
            rule="somebody can sign in by it, so only an operator adds it to a tenant that did not make it",
            remedy="choose another name, or ask an operator for `eventcenter user add … --existing`",
        )
    session.add(Membership(user_id=user.id, tenant_id=tenant_id, role=role, created_at=now))
    session.flush()
    return user, link


def _member(session: Session, tenant_id: str, user_id: str) -> tuple[User, Membership]:
    member = session.get(Membership, (user_id, tenant_id))
    if member is None:
        raise NotFound(
            "The tenant has no such member.", value=user_id, remedy="GET /v1/users lists their ids"
        )
    return session.get_one(User, user_id), member


def _keep_an_admin(session: Session, leaving: Membership) -> None:
    if leaving.role != Role.ADMIN:
        return
    others = session.scalar(
        select(func.count())
        .select_from(Membership)
        .where(
            Membership.tenant_id == leaving.tenant_id,
            Membership.role == Role.ADMIN,
            Membership.user_id != leaving.user_id,
        )
    )
    if not others:
        raise Conflict(
            "This is the tenant's last admin.",
            rule="a tenant that had an admin keeps one",
            remedy="make another member admin first",
        )


def _answer(user: User, member: Membership) -> UserAnswer:
    return UserAnswer(
        id=user.id,
        name=user.name,
        role=member.role,
        language=user.language,
        created_at=member.created_at,
    )
