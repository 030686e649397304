"""`make bench`: every measurement, verified and printed. Targets are printed too, and judged by people."""

from pathlib import Path

import pytest

from tests.bench.figures import text
from tests.bench.measures import MEASURES
from tests.bench.references import chdb_missing


@pytest.mark.bench
@pytest.mark.parametrize("name", MEASURES)
def test_figures(name: str, tmp_path: Path) -> None:
    if name == "chdb" and (reason := chdb_missing()) is not None:
        pytest.skip(reason)
    figures = MEASURES[name](tmp_path)
    assert figures
    print(f"\n{name}\n{text(figures)}")
