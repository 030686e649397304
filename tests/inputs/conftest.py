"""Fixtures of the tests of inputs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.inputs.stand import Stand, stand


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    with stand(tmp_path, monkeypatch) as made:
        yield made
