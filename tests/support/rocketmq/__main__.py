"""`python -m tests.support.rocketmq up|down`: a RocketMQ in the background; `make rocketmq` calls it."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from tests.support.rocketmq.broker import Broker, Failed, Ports
from tests.support.rocketmq.jars import VERSION, Unavailable, fetch, fetch_java_client, fetch_old, library

_FOLDER = Path(".rocketmq")


def main() -> int:
    """Exit code: 0 done, also where there was nothing to do; 1 failed; 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.rocketmq", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start it in the background")
    down = commands.add_parser("down", help="stop it and remove its messages")
    commands.add_parser("fetch", help="fetch the jars, which `up` does too, and those that only tests need")
    for command in (up, down):
        command.add_argument("--folder", type=Path, default=_FOLDER, help="where it keeps everything")
    for port in fields(Ports):
        up.add_argument(f"--{port.name}", type=int, default=port.default, metavar="PORT")
    up.add_argument("--topic", default="events")
    up.add_argument("--group", default="eventcenter")
    given = parser.parse_args()
    try:
        if given.command == "up":
            ports = Ports(**{port.name: getattr(given, port.name) for port in fields(Ports)})
            _up(given.folder, ports, given.topic, given.group)
        elif given.command == "down":
            _down(given.folder)
        else:
            print(fetch(), fetch_old(), fetch_java_client(), sep="\n")
    except (Unavailable, Failed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _up(folder: Path, ports: Ports, topic: str, group: str) -> None:
    broker = Broker.of(folder)
    # What lives has its ports already; the rest of it is started on them again.
    if broker is None or not broker.alive:
        broker = Broker(folder, ports)
    already = broker.alive == set(broker.names)
    if not already:
        if not library().is_dir():
            print(f"Fetching RocketMQ {VERSION} (once; 100 MB)…", flush=True)
        broker.start()
    broker.create_topic(topic)
    broker.create_group(group)
    print(
        f"RocketMQ {VERSION} runs{' already' if already else ''}, with topic {topic} and group {group}.\n\n"
        f"  gRPC, for clients of RocketMQ 5    {broker.endpoint}\n"
        f"  NameServer                         {broker.nameserver}\n"
        f"  broker                             127.0.0.1:{broker.ports.broker}\n"
        f"  for clients of RocketMQ 4          127.0.0.1:{broker.ports.remoting}\n"
        f"  messages and logs                  {folder}\n\n"
        "To stop it and remove its messages: make rocketmq-down"
    )


def _down(folder: Path) -> None:
    broker = Broker.of(folder)
    ran = broker is not None and bool(broker.alive)
    if broker is not None:
        broker.remove()
    print("RocketMQ is stopped, and its messages are removed." if ran else "No RocketMQ runs here.")


if __name__ == "__main__":
    sys.exit(main())
