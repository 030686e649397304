"""Seeds of property tests: some in every run, many in `make soak`."""

from typing import Any

import pytest


def seeds(some: int, many: int = 12) -> list[Any]:
    """Values of a parameter: 0 up to `some`, and from there up to `many` with the mark of long tests."""
    return [*range(some), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(some, many))]
