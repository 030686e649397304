from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.queries.filling import Filling


@pytest.fixture
def filling(tmp_path: Path) -> Iterator[Filling]:
    made = Filling(tmp_path / "archives")
    yield made
    made.archives.close()
