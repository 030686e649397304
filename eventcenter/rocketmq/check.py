"""Tries a server's settings before anything depends on them."""

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eventcenter.clock import Clock, SystemClock
from eventcenter.errors import EventCenterError, InvalidInput, Unavailable
from eventcenter.rocketmq.address import PROXY_PORT, Address
from eventcenter.rocketmq.calls import Calls, Identity, raised
from eventcenter.rocketmq.refusals import OK, of_status
from eventcenter.rocketmq.remoting import asked_of
from eventcenter.rocketmq.server import Group, Options, Server, Subscription
from eventcenter.rocketmq.stubs import grpc

_TIMEOUT_S = 3.0
_TRUST = "give the certificate of the authority that signed the proxy's, or none where a public one did"
_PROXY = (
    f"give a proxy's host and its grpcServerPort, {PROXY_PORT} by default; "
    "where there is none, upgrade brokers of RocketMQ 4 to 5, and start one: mqproxy -n NAMESERVER:9876"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A topic, or the consumer group, and what is wrong with it."""

    topic: str | None
    """None for the consumer group."""
    problem: EventCenterError | None
    """None where all is well."""


Tell = Callable[[Finding], None]


def check(
    server: Server, group: Group, *, options: Options | None = None, clock: Clock | None = None
) -> None:
    """Whether the first proxy that answers knows topics and group, and lets us read; receives nothing.

    Raises the EventCenterError that says what to change.
    """

    def tell(found: Finding) -> None:
        if found.problem is not None:
            raise found.problem

    examine(server, group, tell, options=options, clock=clock)


def examine(
    server: Server, group: Group, tell: Tell, *, options: Options | None = None, clock: Clock | None = None
) -> Address:
    """`check`, to the end: `tell` gets a finding for each topic, then one for the group.

    The proxy that answered. Raises the EventCenterError that says what to change where none does.
    """
    options = options or Options(request_s=_TIMEOUT_S)
    identity = Identity.new(group.name)
    failures: list[EventCenterError] = []
    for address in server.addresses:
        # Sockets tell why nothing answers; gRPC only that it does not.
        calls = Calls(server, address, identity, clock or SystemClock())
        try:
            _examine(calls, group, options, tell)
        except Unavailable as error:
            failures.append(diagnosed(server, address) or error)
        else:
            return address
        finally:
            calls.close()
    raise failures[0]


def _examine(calls: Calls, group: Group, options: Options, tell: Tell) -> None:
    """Raises Unavailable where the proxy does not answer."""
    there = []
    for subscription in group.subscriptions:
        problem = _problem_of(lambda one=subscription: calls.route(one, options.request_s))  # type: ignore[misc]
        if problem is None:
            there.append(subscription)
        tell(Finding(topic=subscription.topic, problem=problem))
    # A group may read a topic, or not: those that are not there would hide what it says.
    tell(Finding(topic=None, problem=_problem_of(lambda: _join(calls, there, options))))


def _problem_of(call: Callable[[], object]) -> EventCenterError | None:
    try:
        call()
    except Unavailable:
        raise
    except EventCenterError as error:
        return error
    return None


def _join(calls: Calls, subscriptions: Sequence[Subscription], options: Options) -> None:
    with _settled(calls, subscriptions, options):
        calls.heartbeat(options.request_s)
    with contextlib.suppress(EventCenterError):
        calls.goodbye(options.request_s)


@contextlib.contextmanager
def _settled(calls: Calls, subscriptions: Sequence[Subscription], options: Options) -> Iterator[None]:
    """A telemetry stream whose settings the proxy took."""
    settings = calls.settings(subscriptions, request_s=options.request_s, poll_s=options.poll_s)
    about = calls.about()
    stream: Any = calls.telemetry(settings, 4 * options.request_s)
    try:
        for command in stream:
            if command.status.code not in {OK, 0}:
                raise of_status(command.status.code, command.status.message, about)
            if command.HasField("settings"):
                break
        else:
            raise Unavailable(
                f"The proxy at {calls.address} does not take the settings.",
                remedy="look at the proxy's log",
            )
        yield
    except grpc.RpcError as failure:
        error = raised(failure, about)
        if error is not None:
            raise error from failure
    finally:
        stream.cancel()


def diagnosed(server: Server, address: Address) -> EventCenterError | None:
    """Why no proxy answers at this address, as far as plain sockets can tell."""
    try:
        socket.create_connection((address.host, address.port), _TIMEOUT_S).close()
    except socket.gaierror:
        return Unavailable(
            f"The name {address.host} is not known here.",
            value=str(address),
            remedy="check how it is written, and this machine's DNS",
        )
    except ConnectionRefusedError:
        return Unavailable(
            f"Nothing listens at {address}.",
            value=str(address),
            rule=f"a proxy listens at its grpcServerPort, {PROXY_PORT} by default",
            remedy="check host and port, and whether the proxy runs",
        )
    except OSError as error:
        return Unavailable(
            f"{address} cannot be reached ({error.strerror or error}).",
            value=str(address),
            remedy="check the address, the network, and firewalls between here and there",
        )
    who = asked_of(address, _TIMEOUT_S)
    if who is not None:
        return InvalidInput(
            f"At {address} {who} answers, not a proxy.",
            value=str(address),
            rule="events are received with gRPC, which the proxy of RocketMQ 5 speaks",
            remedy=_PROXY,
        )
    return _tls_problem(server, address)


def _tls_problem(server: Server, address: Address) -> EventCenterError | None:
    if server.tls is None:
        if _shakes_hands(address, None, verified=False) is not None:
            return None
        return InvalidInput(
            f"The proxy at {address} wants TLS.",
            value=str(address),
            rule="both sides use TLS, or none does",
            remedy="turn TLS on for this input",
        )
    problem = _shakes_hands(address, server, verified=True)
    if isinstance(problem, ssl.SSLCertVerificationError):
        return InvalidInput(
            f"The certificate of the proxy at {address} is not trusted: {problem.verify_message}.",
            value=str(address),
            rule="it is signed by the given authority, and made for the address's host name",
            remedy=_TRUST,
        )
    if problem is None:
        return None
    return InvalidInput(
        f"At {address} nothing speaks TLS.",
        value=str(address),
        rule="both sides use TLS, or none does",
        remedy="turn TLS off for this input, or on at the proxy",
    )


def _shakes_hands(address: Address, server: Server | None, *, verified: bool) -> OSError | None:
    """Why no TLS connection can be made; None where one can."""
    tls = None if server is None else server.tls
    context = ssl.create_default_context(
        cadata=None if tls is None or tls.ca is None else tls.ca.decode("ascii")
    )
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    name = address.host if tls is None or tls.name is None else tls.name
    try:
        with (
            socket.create_connection((address.host, address.port), _TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=name),
        ):
            return None
    except OSError as error:
        return error
