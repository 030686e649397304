"""The service that the SDKs send to."""

from collections.abc import Iterator

import pytest

from tests.support.ingest import Ingest, running


@pytest.fixture(scope="package")
def ingest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingest]:
    """A running service, shared by the package's tests: use ids of your own."""
    with running(tmp_path_factory.mktemp("conformance")) as found:
        yield found
