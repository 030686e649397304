"""One ingest service for the tests that import through it."""

from collections.abc import Iterator

import pytest

from tests.support.ingest import Ingest, running


@pytest.fixture(scope="package")
def ingest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingest]:
    """A running service, shared by the package's tests: use ids of your own."""
    with running(tmp_path_factory.mktemp("ingest"), max_body_bytes=1 << 20) as found:
        yield found
