"""`eventcenter doctor`."""

import typer
from rich.progress import BarColumn, Progress, TextColumn

from eventcenter import settings
from eventcenter.cli.checks import CHECKS, Finding, Level, Patient
from eventcenter.cli.output import err, out
from eventcenter.clock import SystemClock

_MARKS = {
    Level.GOOD: "[green]good   [/]",
    Level.NOTE: "[dim]note   [/]",
    Level.WARNING: "[yellow]warning[/]",
    Level.BAD: "[red]bad    [/]",
}


def doctor() -> None:
    """Look at everything that Event Center needs, say what was found and what to do.

    Changes nothing, and may run beside a running Event Center. Exit code: 0 nothing is bad, 1 something is.
    """
    chosen = settings.load()
    worst = Level.GOOD
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    ) as progress:
        task = progress.add_task("looking", total=len(CHECKS))
        for done, check in enumerate(CHECKS):

            def advance(share: float, done: int = done) -> None:
                progress.update(task, completed=done + share)

            for finding in check(Patient(settings=chosen, clock=SystemClock(), progress=advance)):
                _say(finding)
                worst = Level.BAD if finding.level is Level.BAD else worst
            progress.update(task, completed=done + 1)
    if worst is Level.BAD:
        raise typer.Exit(1)


def _say(finding: Finding) -> None:
    out.print(_MARKS[finding.level], end="  ")
    out.print(f"{finding.about}: {finding.found}", markup=False)
    if finding.remedy:
        out.print(f"         → {finding.remedy}", markup=False)
