"""`python -m eventcenter.cli.process NAME [--parent PID]`: one of the product's processes.

Each is imported only when it is the one to run: the ingest process must not load DuckDB.
"""

import argparse
import contextlib
import gc
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping

from eventcenter import logs, settings
from eventcenter.allocator import keep_freed_memory
from eventcenter.cli.parent import end_with
from eventcenter.errors import EventCenterError
from eventcenter.settings import Settings


@contextlib.contextmanager
def _importing() -> Iterator[None]:
    """Look for no garbage meanwhile: there is none, and it would take an eighth of the time until ready."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _ingest(chosen: Settings) -> None:
    with _importing():
        from ingest.service import run

    run(chosen)


def _server(chosen: Settings) -> None:
    with _importing():
        from eventcenter.server import run

    run(chosen)


def _dashboard(chosen: Settings) -> None:
    # Named by text, because nothing may import app: it only talks to the API. Here it is merely started.
    importlib.import_module("app.server").run(chosen)


def _demo(chosen: Settings) -> None:
    from eventcenter.demo.run import run

    run(chosen)


PROCESSES: Mapping[str, Callable[[Settings], None]] = {
    "ingest": _ingest,
    "server": _server,
    "dashboard": _dashboard,
    "demo": _demo,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the process until it is told to stop; returns 0, or 1 with one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m eventcenter.cli.process", description=__doc__)
    parser.add_argument("name", choices=sorted(PROCESSES))
    parser.add_argument("--parent", type=int, help="end when this process is no longer the parent")
    chosen = parser.parse_args(arguments)
    if chosen.parent is not None:
        end_with(chosen.parent)
    keep_freed_memory()
    try:
        found = settings.load()
        logs.configure(level=found.log_level, process=chosen.name)
        # The module below reads no arguments of ours.
        sys.argv[1:] = []
        PROCESSES[chosen.name](found)
    except EventCenterError as error:
        print(f"{chosen.name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
