"""The program `eventcenter`.

This file stays empty of imports: `eventcenter.cli.process` starts the ingest process, which must not load
what the commands need.
"""


def main() -> None:
    """Run the program with the arguments of this process; exit codes: 0 done, 1 failed, 2 wrong usage."""
    from eventcenter.cli.commands import run

    run()
