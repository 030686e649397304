"""Carries out `eventcenter import` and tells about it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from eventcenter.cli.output import err
from eventcenter.errors import EventCenterError, InvalidInput
from eventcenter.importing import Import, Listener, Memory, Poster, Reject, Result, Source, reader, sources
from eventcenter.importing import Progress as Reached
from eventcenter.importing.memory import default_folder
from eventcenter.sender import Sender, is_loopback

_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be imported, and how."""

    files: Sequence[str]
    token: str
    bus: str | None
    url: str
    wait: bool
    rejects: Path | None
    restart: bool
    connections: int


def carry_out(order: Order) -> bool:
    """Import, with progress on stderr and the summary on stdout; whether all went in.

    Raises EventCenterError where it could not go on, KeyboardInterrupt.
    """
    files = sources(order.files)
    _check_rejects(order.rejects, files)
    poster = Poster(
        lambda bus, persistence: Sender(order.url, bus=bus, token=order.token, persistence=persistence),
        # Within one machine packing costs more than it saves.
        packed=not is_loopback(order.url),
        wait_archived=order.wait,
        all_refusals=order.rejects is not None,
    )
    begin = time.perf_counter()
    with _Display(files, poster) as display:
        work = Import(
            files,
            reader=lambda source: reader(source, order.bus),
            door=poster,
            memory=Memory(default_folder(), url=order.url, bus=order.bus, token=order.token),
            connections=order.connections,
            rejects=order.rejects,
            listener=display.listener,
        )
        try:
            result = work.run(restart=order.restart)
        except (EventCenterError, KeyboardInterrupt):
            err.print("The import stopped; the same command goes on from here.", markup=False)
            raise
        finally:
            poster.close()
    _summary(result, order, time.perf_counter() - begin)
    return result.good


def _check_rejects(rejects: Path | None, files: Sequence[Source]) -> None:
    if rejects is not None and any(rejects.resolve() == file.path.resolve() for file in files):
        raise InvalidInput(
            "the file for the rejects is one of the files to import",
            value=rejects,
            rule="it is written anew",
            remedy="name another file: --rejects FILE",
        )


def _summary(result: Result, order: Order, seconds: float) -> None:
    if result.rejected > _SHOWN:
        where = f"; all refused lines are in {order.rejects}" if order.rejects else ""
        err.print(f"… {result.rejected} rejected in all{where}", markup=False)
    counts = [f"{result.accepted} accepted", f"{result.rejected} rejected"]
    if order.wait:
        counts += [f"{result.stored} stored", f"{result.duplicates} duplicates"]
    if result.not_stored:
        counts.append(f"{result.not_stored} not stored because their id stands for another event")
    if result.not_archived:
        counts.append(f"{result.not_archived} safe but not archived yet")
    if result.broken:
        counts.append(f"{result.broken} files broken")
    typer.echo(", ".join(counts))
    rate = result.events / seconds if seconds else 0.0
    files = "1 file" if result.files == 1 else f"{result.files} files"
    typer.echo(f"{files}, {result.events} events in {seconds:.1f} s, {rate:.0f} events/s")


class _Display:
    """A bar for people, nothing where stderr is no terminal; refusals and faults are always told."""

    def __init__(self, files: Sequence[Source], poster: Poster) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[events]:,} events"),
            TextColumn("{task.fields[rate]:,.0f}/s"),
            TimeRemainingColumn(),
            _Waiting(poster),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        total = sum(file.size for file in files)
        self._task = self._progress.add_task("importing", total=total, events=0, rate=0.0)
        self._shown = 0
        self._begin = time.perf_counter()
        self._begun = False
        self.listener = Listener(
            progress=self._reached, reject=self._refused, resumed=self._resumed, broken=self._broken
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _reached(self, reached: Reached) -> None:
        if self._progress.disable:
            return
        if not self._begun:
            # What an earlier run did says nothing about this one's speed.
            self._progress.reset(self._task, completed=reached.read)
            self._begun = True
        self._progress.update(
            self._task,
            completed=reached.read,
            description=reached.path.name,
            events=reached.events,
            rate=reached.events / max(time.perf_counter() - self._begin, 0.001),
        )

    def _refused(self, reject: Reject) -> None:
        self._shown += 1
        if self._shown <= _SHOWN:
            err.print(f"{reject.path}, {reject.unit} {reject.number}: {reject.error}", markup=False)

    def _resumed(self, events: int) -> None:
        err.print(
            f"Going on where an earlier run stopped: {events} events are in already. "
            "(--restart begins anew.)",
            markup=False,
        )

    def _broken(self, error: InvalidInput) -> None:
        err.print(str(error), markup=False)


class _Waiting(ProgressColumn):
    """Says when the service is busy or away."""

    max_refresh = 0.5

    def __init__(self, poster: Poster) -> None:
        super().__init__()
        self._poster = poster

    def render(self, task: Task) -> Text:  # noqa: ARG002 rich's signature
        return Text("the service is busy or away, waiting" if self._poster.waiting else "")
