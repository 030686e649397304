"""What a new installation begins with, and the sign-in links that let its first user in."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from eventcenter.access import LINK_PREFIX, Role, credential_hash, new_credential
from eventcenter.errors import NotFound, Unavailable
from eventcenter.store.audit import audit
from eventcenter.store.models import Bus, Membership, Meta, SignInLink, Tenant, User
from eventcenter.store.secrets import SecretBox
from eventcenter.store.store import ReadOnlyStore, Store

DEFAULT_TENANT = "default"
DEFAULT_BUS = "default"
FIRST_USER = "admin"
LINK_LIFE = timedelta(minutes=15)
_KEY_CHECK = "secret_key_check"
_CHECKED = b"event center"


def bootstrap(store: Store, box: SecretBox | None = None) -> bool:
    """Make tenant `default`, bus `default` and user `admin` in an empty store; True if it was empty.

    `admin` is an operator and admin of `default`, without a password until one is set: a sign-in link lets it
    in. With `box`, the store is tied to its key. Raises Unavailable if the store was made with another key.
    """

    def begin(session: Session) -> bool:
        if box is not None:
            _check_key(session, box)
        if session.scalar(select(Tenant.id).limit(1)) is not None:
            return False
        now = store.clock.now()
        tenant = Tenant(name=DEFAULT_TENANT, title="Default", created_at=now)
        user = User(name=FIRST_USER, operator=True, created_at=now)
        session.add_all([tenant, user])
        session.flush()
        session.add(Bus(tenant_id=tenant.id, name=DEFAULT_BUS, description="", created_at=now))
        session.add(Membership(user_id=user.id, tenant_id=tenant.id, role=Role.ADMIN, created_at=now))
        audit(session, "first start", "tenant.create", f"tenant:{tenant.name}", tenant_id=tenant.id)
        return True

    return store.write(begin)


def sign_in_link(store: Store, user: str) -> str:
    """A code that signs the user of that name in, once, within 15 minutes. Raises NotFound.

    The code is a credential: print it to a terminal only.
    """

    def make(session: Session) -> str:
        user_id = session.scalar(select(User.id).where(User.name == user))
        if user_id is None:
            raise NotFound("There is no such user.", value=user, remedy="`eventcenter user list` names them")
        code, _ = add_link(session, user_id, store.clock.now())
        audit(session, "cli", "link.create", f"user:{user}")
        return code

    return store.write(make)


def add_link(session: Session, user_id: str, now: datetime) -> tuple[str, datetime]:
    """Add a sign-in link for a user in a change that is under way: its code, kept nowhere, and its end."""
    code = new_credential(LINK_PREFIX)
    link = SignInLink(hash=credential_hash(code), user_id=user_id, expires_at=now + LINK_LIFE)
    session.add(link)
    return code, link.expires_at


def opens_with(store: ReadOnlyStore, box: SecretBox) -> bool:
    """Whether the store is tied to the box's key; False if it is tied to none yet.

    Raises Unavailable if it was made with another key.
    """
    check = store.read(lambda session: session.get(Meta, _KEY_CHECK))
    return check is not None and box.decrypt(check.value.encode("ascii")) == _CHECKED


def _check_key(session: Session, box: SecretBox) -> None:
    check = session.get(Meta, _KEY_CHECK)
    if check is None:
        session.add(Meta(name=_KEY_CHECK, value=box.encrypt(_CHECKED).decode("ascii")))
    elif box.decrypt(check.value.encode("ascii")) != _CHECKED:
        raise Unavailable("The store's check of its secret key does not hold.", remedy="restore a copy")
