"""A real RocketMQ on this machine, for development and tests: the NameServer, and the proxy with its broker.

`make rocketmq` starts one in the background, the fixture `rocketmq` one that ends with the tests. Only the
standard library is used, so that it also runs where Event Center is not installed.
"""

from tests.support.rocketmq.broker import Broker, Failed, Kind, Ports, running
from tests.support.rocketmq.jars import VERSION, Unavailable, fetch, fetch_java_client, fetch_old, java, javac
from tests.support.rocketmq.remoting import Answer, Refused, ask

__all__ = [
    "VERSION",
    "Answer",
    "Broker",
    "Failed",
    "Kind",
    "Ports",
    "Refused",
    "Unavailable",
    "ask",
    "fetch",
    "fetch_java_client",
    "fetch_old",
    "java",
    "javac",
    "running",
]
