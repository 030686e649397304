"""What the commands print: results on stdout, everything else on stderr."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

out = Console(file=None, highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """Rows under their names; tab-separated without a head when the output is read by a program."""
    if not out.is_terminal:
        for row in rows:
            sys.stdout.write("\t".join(row) + "\n")
        return
    if not rows:
        err.print(empty, markup=False)
        return
    drawn = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        drawn.add_row(*row)
    out.print(drawn, markup=False)
