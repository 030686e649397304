"""One sentence each that says what is wrong, and one that says what to do."""

import datetime as dt
import socket
import threading
from collections import deque
from collections.abc import Iterator

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from eventcenter.errors import (
    EventCenterError,
    Forbidden,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from eventcenter.rocketmq.address import Address
from eventcenter.rocketmq.check import Finding, check, examine
from eventcenter.rocketmq.server import Credentials, Group, Options, Server, Subscription, Tls
from eventcenter.rocketmq.stubs import definition
from tests.rocketmq.standin import Proxy
from tests.rocketmq.standin_remoting import Remoting

GROUP = Group(name="group", subscriptions=(Subscription(topic="events"),))
QUICK = Options(request_s=1.0)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy("events") as standin:
        yield standin


def certificate(name: str) -> tuple[bytes, bytes]:
    """A private key and a certificate that it signed itself, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start.replace(year=2100))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return (
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        made.public_bytes(serialization.Encoding.PEM),
    )


def failure(server: Server, group: Group = GROUP) -> EventCenterError:
    with pytest.raises(EventCenterError) as caught:
        check(server, group, options=QUICK)
    error = caught.value
    assert error.detail.endswith(".")
    assert error.remedy
    return error


def of(proxy: Proxy, tls: Tls | None = None) -> Server:
    return Server(addresses=(proxy.address,), tls=tls)


def test_all_is_well(proxy: Proxy) -> None:
    check(of(proxy), GROUP, options=QUICK)
    assert proxy.polls == 0
    assert len(proxy.goodbyes) == 1


def test_all_is_well_at_the_second_address(proxy: Proxy) -> None:
    with Proxy("events") as gone:
        pass
    check(Server(addresses=(gone.address, proxy.address)), GROUP, options=QUICK)


def test_nothing_listens() -> None:
    with Proxy("events") as gone:
        pass
    error = failure(of(gone))
    assert isinstance(error, Unavailable)
    assert error.detail == f"Nothing listens at {gone.address}."


def test_an_unknown_name() -> None:
    error = failure(Server.at("no-such-host.invalid:8081"))
    assert isinstance(error, Unavailable)
    assert error.detail == "The name no-such-host.invalid is not known here."


@pytest.mark.long
def test_something_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = Address(host="127.0.0.1", port=silent.getsockname()[1])
        error = failure(Server(addresses=(address,)))
    assert isinstance(error, Unavailable)


def test_a_name_server() -> None:
    with Remoting({105: lambda _: (17, {}, b"")}) as standin:
        error = failure(Server(addresses=(standin.address,)))
    assert isinstance(error, InvalidInput)
    assert error.detail.startswith(f"At {standin.address} a name server")
    assert "8081" in str(error)


def test_a_broker_without_proxy() -> None:
    info = b'{"table":{"brokerVersionDesc":"V4_9_4"}}'
    with Remoting({28: lambda _: (0, {}, info)}) as standin:
        error = failure(Server(addresses=(standin.address,)))
    assert isinstance(error, InvalidInput)
    assert error.detail == f"At {standin.address} a broker's remoting port (V4_9_4) answers, not a proxy."
    assert "mqproxy -n NAMESERVER:9876" in str(error.remedy)


def test_another_grpc_server() -> None:
    from concurrent.futures import ThreadPoolExecutor

    server = grpc.server(ThreadPoolExecutor(2))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        error = failure(Server.at(f"127.0.0.1:{port}"))
    finally:
        server.stop(0).wait()
    assert isinstance(error, UnsupportedMediaType)


def test_a_missing_topic(proxy: Proxy) -> None:
    error = failure(of(proxy), Group(name="group", subscriptions=(Subscription(topic="other"),)))
    assert isinstance(error, NotFound)
    assert "mqadmin updateTopic -n NAMESERVER:9876 -c CLUSTER -t other " in str(error)


def test_a_missing_group(proxy: Proxy) -> None:
    error = failure(of(proxy), Group(name="other", subscriptions=GROUP.subscriptions))
    assert isinstance(error, NotFound)
    assert "mqadmin updateSubGroup -n NAMESERVER:9876 -c CLUSTER -g other" in str(error)


def test_a_missing_group_is_told_beside_a_missing_topic(proxy: Proxy) -> None:
    found: list[Finding] = []
    other = Group(name="other", subscriptions=(Subscription(topic="other"),))
    examine(of(proxy), other, found.append, options=QUICK)
    assert [(one.topic, type(one.problem)) for one in found] == [("other", NotFound), (None, NotFound)]


@pytest.mark.parametrize("answer", [definition.UNAUTHORIZED, grpc.StatusCode.UNAUTHENTICATED])
def test_a_wrong_secret(proxy: Proxy, answer: object) -> None:
    status = (
        definition.Status(code=answer, message="check signature failed")
        if isinstance(answer, int)
        else answer
    )
    proxy.answers["QueryRoute"] = deque([status])
    credentials = Credentials(access_key="key", secret_key="top-secret")
    error = failure(Server(addresses=(proxy.address,), credentials=credentials))
    assert isinstance(error, Unauthenticated)
    assert "top-secret" not in str(error)


@pytest.mark.parametrize("answer", [definition.FORBIDDEN, grpc.StatusCode.PERMISSION_DENIED])
def test_no_permission(proxy: Proxy, answer: object) -> None:
    status = definition.Status(code=answer) if isinstance(answer, int) else answer
    proxy.answers["Telemetry"] = deque([status])
    error = failure(of(proxy))
    assert isinstance(error, Forbidden)
    assert "Group:group" in str(error)


def test_a_filter_that_is_refused(proxy: Proxy) -> None:
    proxy.answers["Telemetry"] = deque([definition.Status(code=definition.ILLEGAL_FILTER_EXPRESSION)])
    assert isinstance(failure(of(proxy)), InvalidInput)


@pytest.fixture
def encrypted() -> Iterator[tuple[Proxy, bytes]]:
    key, ca = certificate("proxy.test")
    proxy = Proxy("events")
    proxy.start(grpc.ssl_server_credentials([(key, ca)]))
    yield proxy, ca
    proxy.stop()


def test_tls_with_an_authority_of_ones_own(encrypted: tuple[Proxy, bytes]) -> None:
    proxy, ca = encrypted
    check(of(proxy, Tls(ca=ca, name="proxy.test")), GROUP, options=QUICK)


def test_a_certificate_that_is_not_trusted(encrypted: tuple[Proxy, bytes]) -> None:
    error = failure(of(encrypted[0], Tls(name="proxy.test")))
    assert isinstance(error, InvalidInput)
    assert "is not trusted: self-signed certificate." in error.detail


def test_a_certificate_of_another_name(encrypted: tuple[Proxy, bytes]) -> None:
    proxy, ca = encrypted
    error = failure(of(proxy, Tls(ca=ca, name="other.test")))
    assert isinstance(error, InvalidInput)
    assert "other.test" in error.detail


def test_a_server_that_wants_tls(encrypted: tuple[Proxy, bytes]) -> None:
    error = failure(of(encrypted[0]))
    assert isinstance(error, InvalidInput)
    assert error.detail == f"The proxy at {encrypted[0].address} wants TLS."


def test_a_server_without_tls(proxy: Proxy) -> None:
    error = failure(of(proxy, Tls()))
    assert isinstance(error, InvalidInput)
    assert error.detail == f"At {proxy.address} nothing speaks TLS."


def test_certificates_that_are_none(proxy: Proxy) -> None:
    with pytest.raises(InvalidInput) as caught:
        Tls(ca=b"no certificate")
    assert caught.value.remedy


def test_no_thread_is_left(proxy: Proxy) -> None:
    before = {thread for thread in threading.enumerate() if "grpc" not in thread.name}
    check(of(proxy), GROUP, options=QUICK)
    assert not [
        thread for thread in threading.enumerate() if "rocketmq" in thread.name and thread not in before
    ]
