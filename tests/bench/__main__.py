"""`python -m tests.bench report [NAME…]`: measure and print a table in Markdown, for docs/performance.md.

The sizes are those of `make bench`, from the environment (tests/bench/sizes.py).
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench.figures import table, text
from tests.bench.measures import MEASURES


def main() -> None:
    """Measure what is asked for, in order; progress goes to stderr."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("command", choices=["report"])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASURES)}; default all")
    parser.add_argument("--folder", type=Path, help="where data folders are made, on the disk to be measured")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(MEASURES):
        parser.error(f"{', '.join(sorted(unknown))}: one of {', '.join(MEASURES)}")
    figures = []
    for name in chosen.names or MEASURES:
        folder = Path(tempfile.mkdtemp(prefix=f"bench-{name}-", dir=chosen.folder))
        try:
            found = MEASURES[name](folder)
        finally:
            shutil.rmtree(folder)
        print(f"{name}\n{text(found)}", file=sys.stderr, flush=True)
        figures += found
    print(table(figures))


if __name__ == "__main__":
    main()
