"""What the tests with a real RocketMQ share."""

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.conftest import required
from tests.support.rocketmq import Broker, Unavailable, fetch, fetch_java_client, fetch_old, javac, running


@pytest.fixture
def jars() -> Path:
    """The folder of the official Java client, with the CloudEvents SDK."""
    try:
        javac()
        return fetch_java_client()
    except Unavailable as error:
        _lacking(error)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """NameServer and broker of a RocketMQ 4, with a proxy of RocketMQ 5 before them."""
    try:
        fetch()
        fetch_old()
    except Unavailable as error:
        _lacking(error)
    with running(tmp_path_factory.mktemp("old"), mode="cluster", old=True) as broker:
        yield broker


def _lacking(error: Unavailable) -> NoReturn:
    if required("rocketmq"):
        pytest.fail(str(error))
    pytest.skip(str(error))
