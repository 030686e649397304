"""`eventcenter token`, `tenant` and `user`: what the owner of the data folder may do without signing in."""

import sys
from datetime import datetime, timedelta
from typing import Annotated

import typer

from eventcenter.access import OPERATOR, TOKEN_ROLES, Role
from eventcenter.cli.output import err, out, table
from eventcenter.clock import rfc3339
from eventcenter.settings import Settings

DEFAULT_TENANT = "default"

token = typer.Typer(no_args_is_help=True, help="Make, list and revoke tokens, with which programs come in.")
tenant = typer.Typer(no_args_is_help=True, help="Make and list tenants, which share nothing.")
user = typer.Typer(no_args_is_help=True, help="Add and list users, and let them sign in.")

InTenant = Annotated[str, typer.Option("--tenant", help="Name of the tenant.")]
Existing = Annotated[
    bool,
    typer.Option("--existing", help="The user is there already, made by any tenant, and is meant."),
]


@token.command("create")
def create_token(
    *,
    role: Annotated[str, typer.Option(help=f"One of {', '.join(TOKEN_ROLES)}, {OPERATOR}.")],
    name: Annotated[str, typer.Option(help="What the token is for; shown in lists and in the audit.")],
    in_tenant: InTenant = DEFAULT_TENANT,
    days: Annotated[
        int | None, typer.Option(min=1, help="Days until it ends. Default: it does not.", show_default=False)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the token only.")] = False,
) -> None:
    """Make a token and print it: it is shown this once and kept nowhere.

    For example: TOKEN=$(eventcenter token create --role writer --name curl --quiet)
    """
    from eventcenter.cli import local

    with local.opened() as (_, store, accounts):
        ends = None if days is None else store.clock.now() + timedelta(days=days)
        if role == OPERATOR:
            made = accounts.tokens.create_operator(local.Principal.local(), name=name, expires_at=ends)
        else:
            made = accounts.tokens.create(
                local.admin_of(store, in_tenant), name=name, role=role, expires_at=ends
            )
    if not quiet:
        where = "all tenants' administration" if role == OPERATOR else f"tenant {in_tenant}"
        err.print(f"Token {name} ({role}) for {where}. Keep it now: it is not shown again.", markup=False)
    typer.echo(made.token)


@token.command("list")
def list_tokens(*, in_tenant: InTenant = DEFAULT_TENANT) -> None:
    """List the tenant's tokens that are not revoked."""
    from eventcenter.cli import local

    with local.opened() as (_, store, accounts):
        found = accounts.tokens.all(local.admin_of(store, in_tenant))
    table(
        ("ID", "NAME", "ROLE", "BEGINS", "CREATED", "LAST USED", "ENDS"),
        [
            (
                one.id,
                one.name,
                one.role,
                one.prefix + "…",
                _when(one.created_at),
                _when(one.last_used_at),
                _when(one.expires_at),
            )
            for one in found
        ],
        empty=f"Tenant {in_tenant} has no tokens.",
    )


@token.command("revoke")
def revoke_token(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, as `token list` shows it.")],
    *,
    in_tenant: InTenant = DEFAULT_TENANT,
) -> None:
    """End a token, at once."""
    from eventcenter.cli import local

    with local.opened() as (_, store, accounts):
        accounts.tokens.revoke(local.admin_of(store, in_tenant), token_id)
    err.print("Revoked.")


@tenant.command("create")
def create_tenant(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens; never changes.")],
    *,
    title: Annotated[str, typer.Option(help="How people call it. Default: the name.")] = "",
    admin: Annotated[
        str | None, typer.Option(help="User who administers it; made if new.", show_default=False)
    ] = None,
    existing: Existing = False,
) -> None:
    """Make a tenant with a bus `default`."""
    from eventcenter.cli import local

    wanted = local.checked(local.NewTenant, {"name": name, "title": title, "admin": admin})
    with local.opened() as (chosen, _, accounts):
        made = accounts.tenants.create(
            local.Principal.local(),
            name=wanted.name,
            title=wanted.title,
            admin=wanted.admin,
            existing=existing,
        )
    err.print(f"Made tenant {made.name}.", markup=False)
    if made.link is not None:
        _say_link(chosen, f"{admin}", made.link.code)


@tenant.command("list")
def list_tenants() -> None:
    """List all tenants."""
    from eventcenter.cli import local

    with local.opened() as (_, _store, accounts):
        found = accounts.tenants.all(local.Principal.local())
    table(
        ("NAME", "TITLE", "TIME ZONE", "LANGUAGE", "CREATED"),
        [(one.name, one.title, one.time_zone, one.language, _when(one.created_at)) for one in found],
        empty="There are no tenants.",
    )


@user.command("add")
def add_user(
    name: Annotated[str, typer.Argument(help="Letters, digits and . _ @ + -")],
    *,
    role: Annotated[str, typer.Option(help="viewer, editor or admin.")] = Role.VIEWER,
    in_tenant: InTenant = DEFAULT_TENANT,
    existing: Existing = False,
) -> None:
    """Make a user a member of a tenant; a new user gets a link that signs in once."""
    from eventcenter.cli import local

    wanted = local.checked(local.NewUser, {"name": name, "role": role})
    with local.opened() as (chosen, store, accounts):
        added = accounts.users.add(
            local.admin_of(store, in_tenant), name=wanted.name, role=wanted.role, existing=existing
        )
    err.print(f"{added.name} is {added.role} of tenant {in_tenant}.", markup=False)
    if added.link is not None:
        _say_link(chosen, added.name, added.link.code)


@user.command("list")
def list_users() -> None:
    """List all users with their tenants."""
    from eventcenter.cli import local

    with local.opened() as (_, store, _accounts):
        rows = local.members(store)
    table(
        ("NAME", "OPERATOR", "PASSWORD", "TENANT", "ROLE"),
        [
            (name, _yes(operator), _yes(password), in_tenant or "", role or "")
            for name, operator, password, in_tenant, role in rows
        ],
        empty="There are no users.",
    )


@user.command("link")
def link_user(name: Annotated[str, typer.Argument(help="Name of the user.")] = "admin") -> None:
    """Print a link that signs the user in, once, within 15 minutes."""
    from eventcenter.cli import local

    with local.opened() as (chosen, store, _):
        code = local.sign_in_link(store, name.lower())
    _say_link(chosen, name, code)


@user.command("password")
def set_password(
    name: Annotated[str, typer.Argument(help="Name of the user.")] = "admin",
    *,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read the password from stdin instead of asking.")
    ] = False,
) -> None:
    """Set a user's password and end all sessions of the user."""
    from eventcenter.cli import local

    if stdin:
        given = sys.stdin.readline().rstrip("\n")
    else:
        given = typer.prompt("New password", hide_input=True, confirmation_prompt=True)
    checked = local.checked(local.Password, {"password": given})
    with local.opened() as (_, _store, accounts):
        accounts.sessions.set_password(
            local.Principal.local(), name.lower(), checked.password.get_secret_value()
        )
    err.print(f"The password of {name} is set.", markup=False)


def sign_in_url(chosen: Settings, code: str) -> str:
    """The dashboard's address that spends a sign-in code."""
    return f"{chosen.dashboard_url}/auth/link?code={code}"


def _say_link(chosen: Settings, name: str, code: str) -> None:
    err.print(f"This signs {name} in once, within 15 minutes:", markup=False)
    out.print(sign_in_url(chosen, code), markup=False)


def _when(moment: datetime | None) -> str:
    return "" if moment is None else rfc3339(moment.replace(microsecond=0))


def _yes(truth: object) -> str:
    return "yes" if truth else "no"
