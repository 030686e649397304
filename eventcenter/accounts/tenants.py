"""Tenants: the own one for its members, all of them for operators."""

from eventcenter.access import Principal, Role
from eventcenter.accounts.shapes import ChangeTenant, CreatedTenant, Link, TenantAnswer
from eventcenter.accounts.users import add_member
from eventcenter.errors import Conflict, NotFound
from eventcenter.store import Store
from eventcenter.store.audit import audit
from eventcenter.store.bootstrap import DEFAULT_BUS
from eventcenter.store.models import Bus, Tenant
from eventcenter.store.sql import Session, select


class Tenants:
    """Reads and changes tenants. An operator sees names and titles, never what is in them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def mine(self, who: Principal) -> TenantAnswer:
        """The tenant that the principal acts in."""
        tenant_id = who.require(Role.VIEWER)
        return self._store.read(
            lambda session: TenantAnswer.model_validate(session.get_one(Tenant, tenant_id))
        )

    def change_mine(self, who: Principal, change: ChangeTenant) -> TenantAnswer:
        """Set title, time zone or language of the own tenant."""
        tenant_id = who.require(Role.ADMIN)
        given = change.model_dump(exclude_none=True)

        def apply(session: Session) -> TenantAnswer:
            tenant = session.get_one(Tenant, tenant_id)
            for name, value in given.items():
                setattr(tenant, name, value)
            audit(session, who, "tenant.change", f"tenant:{tenant.name}", given)
            return TenantAnswer.model_validate(tenant)

        return self._store.write(apply)

    def all(self, who: Principal) -> list[TenantAnswer]:
        """Every tenant, by name. Raises Forbidden for all but operators."""
        who.require_operator()
        ask = select(Tenant).order_by(Tenant.name)
        return self._store.read(
            lambda session: [TenantAnswer.model_validate(tenant) for tenant in session.scalars(ask)]
        )

    def create(
        self,
        who: Principal,
        *,
        name: str,
        title: str = "",
        admin: str | None = None,
        existing: bool = False,
    ) -> CreatedTenant:
        """Make a tenant with a bus `default`, and a membership for `admin`, who is made if new.

        `existing` says that `admin` has an account already. The operator gets no membership. Raises
        Forbidden, Conflict if the tenant's name is taken or the admin's against expectation, NotFound.
        """
        who.require_operator()

        def make(session: Session) -> CreatedTenant:
            if session.scalar(select(Tenant.id).where(Tenant.name == name)) is not None:
                raise Conflict(
                    "There is such a tenant already.",
                    value=name,
                    rule="a tenant's name is unique and never changes",
                    remedy="choose another name",
                )
            now = self._store.clock.now()
            tenant = Tenant(name=name, title=title or name, time_zone="UTC", language="en", created_at=now)
            session.add(tenant)
            session.flush()
            session.add(Bus(tenant_id=tenant.id, name=DEFAULT_BUS, created_at=now))
            link: Link | None = None
            if admin is not None:
                _, link = add_member(session, tenant.id, admin, Role.ADMIN, now, existing=existing)
            detail = {"title": tenant.title, "admin": admin}
            audit(session, who, "tenant.create", f"tenant:{name}", detail, tenant_id=tenant.id)
            answer = TenantAnswer.model_validate(tenant)
            return CreatedTenant(**answer.model_dump(), link=link)

        return self._store.write(make)

    def rename(self, who: Principal, tenant_id: str, *, title: str) -> TenantAnswer:
        """Give a tenant another title. Raises Forbidden, NotFound."""
        who.require_operator()

        def apply(session: Session) -> TenantAnswer:
            tenant = session.get(Tenant, tenant_id)
            if tenant is None:
                raise NotFound(
                    "There is no such tenant.", value=tenant_id, remedy="GET /v1/tenants lists their ids"
                )
            tenant.title = title
            audit(
                session, who, "tenant.change", f"tenant:{tenant.name}", {"title": title}, tenant_id=tenant.id
            )
            return TenantAnswer.model_validate(tenant)

        return self._store.write(apply)
