"""One product with two tenants for all tests of a module."""

from collections.abc import Iterator

import pytest

from tests.acceptance.sides import Sides, two_sides


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    with two_sides(tmp_path_factory.mktemp("sides")) as found:
        yield found
