"""A measured figure beside its target and its reference, as text and as a table in Markdown."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure; a ratio unless it has a unit."""

    name: str
    value: float
    unit: str = "×"
    least: float | None = None
    """The target, where more is better."""
    most: float | None = None
    """The target, where less is better."""
    reference: str = ""
    """What it is a ratio to, with that one's own figure for orientation."""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.least is not None:
            return self.value >= self.least
        return None if self.most is None else self.value <= self.most

    @property
    def target(self) -> str:
        """The target in words."""
        if self.least is not None:
            return f"≥ {self.least:g}"
        return "" if self.most is None else f"≤ {self.most:g}"

    def row(self) -> tuple[str, ...]:
        """Cells of a table."""
        verdict = {None: "", True: " met", False: " **missed**"}[self.met]
        value = f"{self.value:,.0f}" if self.value >= 1000 else f"{self.value:.3g}"
        return self.name, f"{value} {self.unit}", self.target + verdict, self.reference, self.note


HEAD = ("figure", "value", "target", "reference", "")


def text(figures: Iterable[Figure]) -> str:
    """One line a figure."""
    lines = []
    for figure in figures:
        name, value, target, *more = figure.row()
        lines.append(f"  {name:<58} {value:>12}  {target:<18} {' · '.join(filter(None, more))}".rstrip())
    return "\n".join(lines)


def table(figures: Iterable[Figure]) -> str:
    """A table in Markdown."""
    rows = [HEAD, ("---",) * len(HEAD), *(figure.row() for figure in figures)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
