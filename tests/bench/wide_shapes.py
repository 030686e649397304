"""The shapes of wide events and their shares."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench.wide_audit import audit
from tests.bench.wide_kubernetes import cluster_event, pod_changed
from tests.bench.wide_tree import Tree
from tests.bench.wide_webhooks import payment, pull_request, push

VARIANTS = 16
"""Of each shape: with more or fewer containers, commits, items and optional members."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One kind of event."""

    about: str
    """The kind of thing that its events are about."""
    share: float
    variants: Sequence[Tree]


def shapes() -> list[Shape]:
    """All shapes; the same whenever it is asked."""
    rows: Sequence[tuple[str, float, Callable[[random.Random], Tree]]] = (
        ("pod", 0.22, pod_changed),
        ("pod", 0.22, cluster_event),
        ("user", 0.24, audit),
        ("repo", 0.10, push),
        ("repo", 0.06, pull_request),
        ("customer", 0.16, payment),
    )
    return [
        Shape(
            about=about,
            share=share,
            variants=[make(random.Random(f"{make.__name__} {number}")) for number in range(VARIANTS)],
        )
        for about, share, make in rows
    ]
