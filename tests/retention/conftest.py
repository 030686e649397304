"""Fixtures of retention's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.retention.stand import Stand, stand


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Stand]:
    with stand(tmp_path) as made:
        yield made
