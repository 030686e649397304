"""One product for all tests here: to start it takes longer than any of them."""

from collections.abc import Iterator

import pytest

from tests.acceptance.sides import Sides, two_sides


@pytest.fixture(scope="session")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    with two_sides(tmp_path_factory.mktemp("sides")) as found:
        yield found
