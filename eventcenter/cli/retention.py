"""`eventcenter retention` and `delete-subject`: what is kept, for the owner of the data folder."""

import time
from typing import Annotated, Final

import typer

from eventcenter.cli.addresses import addresses
from eventcenter.cli.admin import DEFAULT_TENANT, InTenant
from eventcenter.cli.output import err, table
from eventcenter.supervisor import answers

retention = typer.Typer(no_args_is_help=True, help="Say how long events are kept; set and lift legal holds.")

OneBus = Annotated[
    str | None, typer.Option("--bus", help="Name of the bus. Default: the tenant.", show_default=False)
]
_LOOK_AGAIN_S: Final = 0.2


@retention.command("show")
def show_retention(*, in_tenant: InTenant = DEFAULT_TENANT) -> None:
    """Show the tenant's policy and hold, and those of its buses.

    How much each bus holds is in Settings › Retention.
    """
    from eventcenter.cli import kept, local

    with local.opened() as (_, store, _accounts):
        found = kept.policies(store, local.admin_of(store, in_tenant).tenant)
    table(("BUS", "DAYS", "BYTES", "LEGAL HOLD"), found, empty="")


@retention.command("set")
def set_retention(
    *,
    bus: OneBus = None,
    days: Annotated[
        int | None, typer.Option(help="Days that events are kept. Default: without end.", show_default=False)
    ] = None,
    most: Annotated[
        int | None,
        typer.Option("--bytes", help="Bytes of archive that are kept. Default: any.", show_default=False),
    ] = None,
    in_tenant: InTenant = DEFAULT_TENANT,
) -> None:
    """Set how long and how much is kept, of one bus or of all buses without a policy of their own.

    What is older, or the oldest of what is too much, is removed within minutes while Event Center runs.

    For example: eventcenter retention set --bus k8s --days 30
    """
    from eventcenter.cli import kept, local

    wanted = local.checked(kept.Limits, {"max_age_days": days, "max_bytes": most})
    with local.opened() as (_, store, _accounts):
        kept.PolicyBook(store).set(local.admin_of(store, in_tenant), bus, wanted)
    err.print("Set.")


@retention.command("reset")
def reset_retention(*, bus: OneBus = None, in_tenant: InTenant = DEFAULT_TENANT) -> None:
    """Take a policy away: a bus falls under the tenant's again, a tenant keeps everything."""
    from eventcenter.cli import kept, local

    with local.opened() as (_, store, _accounts):
        kept.PolicyBook(store).reset(local.admin_of(store, in_tenant), bus)
    err.print("Reset.")


@retention.command("hold")
def hold_retention(
    *,
    reason: Annotated[str, typer.Option(help="Why; shown to whom it refuses something.")],
    bus: OneBus = None,
    in_tenant: InTenant = DEFAULT_TENANT,
) -> None:
    """Set a legal hold: nothing of the bus or tenant is removed, by nobody, until it is lifted."""
    from eventcenter.cli import kept, local

    wanted = local.checked(kept.NewHold, {"reason": reason})
    with local.opened() as (_, store, _accounts):
        kept.PolicyBook(store).hold(local.admin_of(store, in_tenant), bus, wanted.reason)
    err.print("Held.")


@retention.command("lift")
def lift_retention(*, bus: OneBus = None, in_tenant: InTenant = DEFAULT_TENANT) -> None:
    """Lift a legal hold."""
    from eventcenter.cli import kept, local

    with local.opened() as (_, store, _accounts):
        kept.PolicyBook(store).lift(local.admin_of(store, in_tenant), bus)
    err.print("Lifted.")


def delete_subject(
    subject: Annotated[str, typer.Argument(help="The subject, exactly as the events have it.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; kept in the audit and in the report.")],
    bus: Annotated[
        str | None, typer.Option("--bus", help="Only of this bus. Default: of all.", show_default=False)
    ] = None,
    in_tenant: InTenant = DEFAULT_TENANT,
) -> None:
    """Delete all events of one subject, for good, and print the report.

    The running server does it; without one it is done at the next start. Exit code: 0 done or waiting,
    1 refused, or stopped by a legal hold.
    """
    from eventcenter.cli import kept, local

    wanted = local.checked(kept.NewDeletion, {"subject": subject, "bus": bus, "reason": reason})
    with local.opened() as (chosen, store, _accounts), kept.deletions(chosen, store) as book:
        who = local.admin_of(store, in_tenant)
        found = book.ask(who, wanted, wait_s=0)
        if not answers(addresses(chosen)["server"].ready_url):
            err.print(f"Deletion {found.id} is done when Event Center is started.", markup=False)
            return
        while found.report is None:
            time.sleep(_LOOK_AGAIN_S)
            found = book.get(who, str(found.id))
    table(
        ("BUS", "TYPE", "EVENTS"),
        [(one.bus, one.type, str(one.events)) for one in found.report.by_type],
        empty="There were no events of this subject.",
    )
    rest = f"{found.report.duplicates} repeats and {found.report.rejects} rejects went with them."
    err.print(f"Deletion {found.id}: {found.report.events} events. {rest}", markup=False)
    err.print("What may remain: " + "; ".join(found.report.remains) + ".", markup=False)
    if found.state != "done":
        err.print("A legal hold stopped it before the end.")
        raise typer.Exit(1)
