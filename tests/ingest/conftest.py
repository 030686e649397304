"""One service for the tests that leave no trace that matters to others."""

from collections.abc import Iterator

import pytest

from ingest.validation import scanner
from tests.support.ingest import Ingest, running


@pytest.fixture(scope="package")
def ingest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingest]:
    """A running service, shared by the package's tests: use ids of your own."""
    with running(tmp_path_factory.mktemp("ingest")) as found:
        yield found


@pytest.fixture(scope="session")
def scan() -> None:
    """The scan of many events in this process."""
    if not scanner.is_possible():
        pytest.skip("numba is missing")
    scanner.load()
