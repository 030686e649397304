"""The routes of accounts."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from eventcenter.accounts import shapes
from eventcenter.accounts.service import Accounts
from eventcenter.web.auth import Admin, Operator, Signed, Viewer

Id = Annotated[str, Path(max_length=64)]
BusPath = Annotated[str, Path(max_length=127)]
_GONE = 204
_MADE = 201


def router(accounts: Accounts) -> APIRouter:
    """All routes of accounts behind their roles."""
    whole = APIRouter()
    for part in (_sign_in, _me, _tenant, _buses, _tokens, _users, _tenants, _audit):
        whole.include_router(part(accounts))
    return whole


def _sign_in(accounts: Accounts) -> APIRouter:
    router = APIRouter(prefix="/v1/sessions", tags=["sessions"])

    @router.post("", status_code=_MADE, summary="Sign in by password")
    def sign_in(body: shapes.SignIn) -> shapes.Opened:
        return accounts.sessions.sign_in(body.name, body.password.get_secret_value())

    @router.post("/link", status_code=_MADE, summary="Sign in by a one-time link's code")
    def sign_in_by_link(body: shapes.SpendLink) -> shapes.Opened:
        return accounts.sessions.spend_link(body.code.get_secret_value())

    @router.delete("/current", status_code=_GONE, summary="Sign out")
    def sign_out(who: Signed) -> Response:
        accounts.sessions.sign_out(who)
        return Response(status_code=_GONE)

    @router.put("/current/tenant", summary="Act in another of the user's tenants")
    def choose_tenant(who: Signed, body: shapes.ChooseTenant) -> shapes.Me:
        return accounts.sessions.choose_tenant(who, body.tenant)

    return router


def _me(accounts: Accounts) -> APIRouter:
    router = APIRouter(prefix="/v1/me", tags=["sessions"])

    @router.get("", summary="Who asks")
    def me(who: Signed) -> shapes.Me:
        return accounts.sessions.me(who)

    @router.patch("", summary="Change the own language")
    def change_me(who: Signed, body: shapes.ChangeMe) -> shapes.Me:
        if "language" not in body.model_fields_set:
            return accounts.sessions.me(who)
        return accounts.sessions.change_me(who, language=body.language)

    @router.put("/password", status_code=_GONE, summary="Change the own password")
    def change_password(who: Signed, body: shapes.ChangePassword) -> Response:
        current = None if body.current is None else body.current.get_secret_value()
        accounts.sessions.change_password(who, current=current, new=body.new.get_secret_value())
        return Response(status_code=_GONE)

    return router


def _tenant(accounts: Accounts) -> APIRouter:
    router = APIRouter(prefix="/v1/tenant", tags=["tenant"])

    @router.get("", summary="The tenant that the credential acts in")
    def tenant(who: Viewer) -> shapes.TenantAnswer:
        return accounts.tenants.mine(who)

    @router.patch("", summary="Change title, time zone or language of the tenant")
    def change_tenant(who: Admin, body: shapes.ChangeTenant) -> shapes.TenantAnswer:
        return accounts.tenants.change_mine(who, body)

    return router


def _buses(accounts: Accounts) -> APIRouter:
    router = APIRouter(prefix="/v1/buses", tags=["buses"])

    @router.get("", summary="The tenant's buses")
    def buses(who: Viewer) -> shapes.Buses:
        return shapes.Buses(buses=accounts.buses.all(who))

    @router.post("", status_code=_MADE, summary="Make a bus")
    def create_bus(who: Admin, body: shapes.NewBus) -> shapes.BusAnswer:
        return accounts.buses.create(who, name=body.name, description=body.description)

    @router.delete("/{name}", status_code=_GONE, summary="Delete an empty bus")
    def delete_bus(who: Admin, name: BusPath) -> Response:
        accounts.buses.delete(who, name)
        return Response(status_code=_GONE)

    return router


def _tokens(accounts: Accounts) -> APIRouter:
    router = APIRouter(prefix="/v1/tokens", tags=["tokens"])

    @router.get("", summary="The tenant's tokens")
    def tokens(who: Admin) -> shapes.Tokens:
        return shapes.Tokens(tokens=accounts.tokens.all(who))

    @router.post("", status_code=_MADE, summary="Make a token, which is shown only in this answer")
    def create_token(who: Admin, body: shapes.NewToken) -> shapes.CreatedToken:
        return accounts.tokens.create(who, name=body.name, role=body.role, expires_at=body.expires_at)

    @router.delete("/{token_id}", status_code=_GONE, summary="Revoke a token")
    def revoke_token(who: Admin, token_id: Id) -> Response:
        accounts.tokens.revoke(who, token_id)
        return Response(status_code=_GONE)

    return router


def _users(accounts: Accounts) -> APIRouter:
    router = APIRouter(prefix="/v1/users", tags=["users"])

    @router.get("", summary="The tenant's members")
    def users(who: Admin) -> shapes.Users:
        return shapes.Users(users=accounts.users.all(who))

    @router.post("", status_code=_MADE, summary="Add a member")
    def add_user(who: Admin, body: shapes.NewUser) -> shapes.AddedUser:
        return accounts.users.add(who, name=body.name, role=body.role, existing=body.existing)

    @router.patch("/{user_id}", summary="Change a member's role")
    def change_user(who: Admin, user_id: Id, body: shapes.ChangeUser) -> shapes.UserAnswer:
        return accounts.users.change(who, user_id, role=body.role)

    @router.delete("/{user_id}", status_code=_GONE, summary="End a membership")
    def remove_user(who: Admin, user_id: Id) -> Response:
        accounts.users.remove(who, user_id)
        return Response(status_code=_GONE)

    @router.post("/{user_id}/link", status_code=_MADE, summary="Make a one-time sign-in link for a member")
    def link_user(who: Admin, user_id: Id) -> shapes.Link:
        return accounts.users.link(who, user_id)

    return router


def _tenants(accounts: Accounts) -> APIRouter:
    router = APIRouter(prefix="/v1/tenants", tags=["tenants"])

    @router.get("", summary="All tenants, for operators")
    def tenants(who: Operator) -> shapes.Tenants:
        return shapes.Tenants(tenants=accounts.tenants.all(who))

    @router.post("", status_code=_MADE, summary="Make a tenant with a bus `default`")
    def create_tenant(who: Operator, body: shapes.NewTenant) -> shapes.CreatedTenant:
        return accounts.tenants.create(
            who, name=body.name, title=body.title, admin=body.admin, existing=body.existing
        )

    @router.patch("/{tenant_id}", summary="Give a tenant another title")
    def rename_tenant(who: Operator, tenant_id: Id, body: shapes.RenameTenant) -> shapes.TenantAnswer:
        return accounts.tenants.rename(who, tenant_id, title=body.title)

    return router


def _audit(accounts: Accounts) -> APIRouter:
    router = APIRouter(prefix="/v1/audit", tags=["audit"])

    @router.get("", summary="Who changed what, newest first")
    def audit(
        who: Admin,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        cursor: str | None = None,
    ) -> shapes.AuditPage:
        return accounts.trail.page(who, limit=limit, cursor=cursor)

    return router
