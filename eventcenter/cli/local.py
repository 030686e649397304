"""The store beside this program, opened for a command; imported only by commands that need it.

What it imports takes a second to load, which `eventcenter --help` need not wait for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from eventcenter import settings
from eventcenter.access import Principal
from eventcenter.accounts import Accounts
from eventcenter.accounts.shapes import NewPassword, NewTenant, NewUser
from eventcenter.errors import InvalidInput, NotFound
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.bootstrap import bootstrap, sign_in_link
from eventcenter.store.models import Membership, Tenant, User
from eventcenter.store.sql import select

__all__ = [
    "NewTenant",
    "NewUser",
    "Password",
    "Principal",
    "admin_of",
    "checked",
    "members",
    "opened",
    "sign_in_link",
]

M = TypeVar("M", bound=BaseModel)


class Password(BaseModel):
    """A password that may be set."""

    password: NewPassword


@contextmanager
def opened() -> Iterator[tuple[Settings, Store, Accounts]]:
    """The store of the settings' data folder, which must be there."""
    chosen = settings.load()
    if chosen.database_url is None and not (chosen.data_dir / "store.db").exists():
        raise NotFound(
            "there is no Event Center data here",
            value=chosen.data_dir.absolute(),
            rule="the data folder is made when Event Center starts for the first time",
            remedy="start it once (`eventcenter up`), or name the folder: EVENTCENTER_DATA_DIR=…",
        )
    with Store.open(chosen) as store:
        bootstrap(store)
        yield chosen, store, Accounts(store, chosen)


def admin_of(store: Store, name: str) -> Principal:
    """The command line as admin of the tenant of that name."""
    tenant_id = store.read(lambda session: session.scalar(select(Tenant.id).where(Tenant.name == name)))
    if tenant_id is None:
        raise NotFound(
            "there is no such tenant",
            value=name,
            remedy="`eventcenter tenant list` names them, `eventcenter tenant create` makes one",
        )
    return Principal.local(tenant_id)


def checked(kind: type[M], values: dict[str, Any]) -> M:
    """The values as `kind`. Raises InvalidInput for the first that is wrong; a password is not repeated."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise InvalidInput(
            f"{first['loc'][0]} is wrong",
            value=None if first["loc"][0] == "password" else values[str(first["loc"][0])],
            rule=first["msg"].removeprefix("Value error, "),
        ) from None


def members(store: Store) -> list[tuple[str, bool, bool, str | None, str | None]]:
    """(user, operator?, has a password?, tenant, role) of every membership, and of users without one."""
    ask = (
        select(User.name, User.operator, User.password_hash.is_not(None), Tenant.name, Membership.role)
        .outerjoin(Membership, Membership.user_id == User.id)
        .outerjoin(Tenant, Tenant.id == Membership.tenant_id)
        .order_by(User.name, Tenant.name)
    )
    return store.read(
        lambda session: [
            (name, operator, password, tenant, role)
            for name, operator, password, tenant, role in session.execute(ask)
        ]
    )
