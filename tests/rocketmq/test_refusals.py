"""What is said of calls that failed."""

import grpc
import pytest

from eventcenter.rocketmq.address import Address
from eventcenter.rocketmq.refusals import About, of_failure


class Failure:
    """As gRPC tells of one."""

    def __init__(self, text: str) -> None:
        self._text = text

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return self._text


ABOUT = About(address=Address(host="proxy", port=8081), group="g", topic="t")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Stream removed (Socket closed)",
        "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.1:8081: Connection refused",
    ],
)
def test_a_connection_that_broke_is_told_in_one_sentence(text: str) -> None:
    """The same one, whatever call met it: a page shows it once."""
    assert of_failure(Failure(text), ABOUT).detail == "No RocketMQ proxy answers at proxy:8081."


def test_what_a_server_says_is_passed_on() -> None:
    found = of_failure(Failure("the proxy\nis busy"), ABOUT)
    assert found.detail == "No RocketMQ proxy answers at proxy:8081 (it says: the proxy is busy)."
