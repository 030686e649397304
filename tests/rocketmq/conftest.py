"""What the tests with a real RocketMQ share."""

from pathlib import Path

import pytest

from tests.conftest import required
from tests.support.rocketmq import Unavailable, fetch_java_client, javac


@pytest.fixture
def jars() -> Path:
    """The folder of the official Java client, with the CloudEvents SDK."""
    try:
        javac()
        return fetch_java_client()
    except Unavailable as error:
        if required("rocketmq"):
            pytest.fail(str(error))
        pytest.skip(str(error))
