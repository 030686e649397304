"""`eventcenter up`, `serve` and `dashboard`: run the product."""

import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from eventcenter import settings
from eventcenter.cli.addresses import addresses
from eventcenter.cli.output import err, out
from eventcenter.settings import Settings
from eventcenter.supervisor import Child, Supervisor, check_ports

_HELLO = '{"specversion":"1.0","id":"1","source":"/hello","type":"com.example.hello","data":{"text":"Hello"}}'


def up(
    *,
    demo: Annotated[
        bool, typer.Option("--demo", help="Also feed a small Kubernetes cluster's events on bus k8s.")
    ] = False,
    rocketmq: Annotated[
        str | None,
        typer.Option(
            "--rocketmq",
            metavar="HOST:PORT",
            help="Receive from this RocketMQ 5 proxy: makes an input, unless it is there.",
        ),
    ] = None,
    rocketmq_nameserver: Annotated[
        str | None,
        typer.Option(
            "--rocketmq-nameserver",
            metavar="HOST:PORT",
            help="Its name server; without one it is looked for at the proxy's host, port 9876.",
        ),
    ] = None,
    rocketmq_topic: Annotated[
        str,
        typer.Option("--rocketmq-topic", metavar="TOPIC", help="The topic; its events go to bus default."),
    ] = "events",
    rocketmq_group: Annotated[
        str, typer.Option("--rocketmq-group", metavar="GROUP", help="The consumer group.")
    ] = "eventcenter",
) -> None:
    """Start everything: ingest service, server and dashboard; Ctrl-C stops all.

    Prints the addresses and a link that signs you in once. Exit code: 0 stopped as asked, 1 could not start.
    """
    chosen = settings.load()
    children = _children(chosen, "ingest", "server", "dashboard", *(["demo"] if demo else []))
    said: list[str] = []

    def prepared() -> None:
        if rocketmq is not None:
            from eventcenter.cli.first_input import first_input

            said.append(
                first_input(
                    chosen,
                    addresses=rocketmq,
                    name_servers=rocketmq_nameserver,
                    topic=rocketmq_topic,
                    group=rocketmq_group,
                )
            )

    _run(chosen, children, lambda: _say_up(chosen, demo=demo, more=said), prepared)


def serve() -> None:
    """Start ingest service and server without the dashboard; Ctrl-C or SIGTERM stops both.

    Exit code: 0 stopped as asked, 1 could not start.
    """
    chosen = settings.load()

    def say() -> None:
        out.print(f"Events go to   {chosen.ingest_url}", markup=False)
        out.print(f"The API is at  {chosen.api_url}", markup=False)
        out.print("Ctrl-C stops both.")

    _run(chosen, _children(chosen, "ingest", "server"), say)


def dashboard() -> None:
    """Start the dashboard alone, for a server that runs already; Ctrl-C stops it.

    Exit code: 0 stopped as asked, 1 could not start.
    """
    chosen = settings.load()
    out.print(f"The dashboard is at  {chosen.dashboard_url}", markup=False)
    Supervisor(_children(chosen, "dashboard"), say=_relay).run_until_signal(_nothing)


def _run(
    chosen: Settings,
    children: list[Child],
    ready: Callable[[], None],
    prepared: Callable[[], None] | None = None,
) -> None:
    check_ports(children)
    prepare(chosen)
    (prepared or _nothing)()
    err.print("Starting…")
    Supervisor(children, say=_relay).run_until_signal(ready)
    err.print("Stopped.")


def prepare(chosen: Settings) -> None:
    """Make the data folder (0700) and a store that is up to date, with tenant and bus `default`."""
    from eventcenter.store import Store
    from eventcenter.store.bootstrap import bootstrap
    from eventcenter.store.secrets import SecretBox

    chosen.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with Store.open(chosen) as store:
        bootstrap(store, SecretBox(chosen))


def _say_up(chosen: Settings, *, demo: bool, more: list[str]) -> None:
    program = _program()
    lines = [
        "",
        f"Dashboard     {chosen.dashboard_url}",
        f"API           {chosen.api_url}",
        f"Events go to  {chosen.ingest_url}",
        *([f"Demo's robot  http://127.0.0.1:{chosen.robot_port} (stands in for DingTalk)"] if demo else []),
        *more,
        "",
        *_say_sign_in(chosen, program),
        "",
        "Send an event:",
        f"  TOKEN=$({program} token create --role writer --name curl --quiet)",
        f"  curl {chosen.ingest_url}/v1/buses/default/events \\",
        "    -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/cloudevents+json' \\",
        f"    -d '{_HELLO}'",
        "",
        "Ctrl-C stops everything.",
    ]
    for line in lines:
        out.print(line, markup=False)


def _say_sign_in(chosen: Settings, program: str) -> list[str]:
    """How to sign in. The link is a credential: it goes to a terminal, never into a file or a log."""
    later = f"A password for later: {program} user password admin"
    if not out.is_terminal:
        how = "Sign in by the link that this prints (it works once, within 15 minutes):"
        return [how, f"  {program} user link admin", later]
    return ["Sign in (once, within 15 minutes):", f"  {_sign_in_url(chosen)}", later]


def _sign_in_url(chosen: Settings) -> str:
    from eventcenter.store import Store
    from eventcenter.store.bootstrap import FIRST_USER, sign_in_link

    with Store.open(chosen) as store:
        return f"{chosen.dashboard_url}/auth/link?code={sign_in_link(store, FIRST_USER)}"


def _program() -> str:
    """What a person types here to run this program."""
    called = Path(sys.argv[0])
    found = shutil.which(called.name)
    if found is not None and called.exists() and Path(found).samefile(called):
        return called.name
    if called.name != "eventcenter":
        return "python -m eventcenter"
    whole, here = called.absolute(), Path.cwd()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)


_relay_lock = threading.Lock()


def _relay(name: str, line: str) -> None:
    with _relay_lock:
        sys.stderr.write(f"{name:<10} | {line}\n")
        sys.stderr.flush()


def _nothing() -> None:
    return


def _children(chosen: Settings, *names: str) -> list[Child]:
    found = addresses(chosen)
    return [
        Child(
            name=name,
            command=(sys.executable, "-m", "eventcenter.cli.process", name, "--parent", str(os.getpid())),
            address=(found[name].host, found[name].port),
            port_setting=found[name].setting,
            ready_url=found[name].ready_url,
        )
        for name in names
    ]
