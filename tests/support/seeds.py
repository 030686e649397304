"""Seeds of property tests: one in every run, some in the full one, many in `make soak`."""

from typing import Any

import pytest


def seeds(some: int, many: int = 12) -> list[Any]:
    """Values of a parameter: 0, up to `some` with the mark of long tests, up to `many` with that of soak."""
    return [
        0,
        *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, some)),
        *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(some, many)),
    ]
