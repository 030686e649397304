"""`host:port[;host:port]` → addresses."""

import ipaddress
import re
from dataclasses import dataclass

from eventcenter.errors import InvalidInput

PROXY_PORT = 8081
"""Where a proxy speaks gRPC unless it is told otherwise."""
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_LONGEST_NAME = 253
_HIGHEST_PORT = 65535
_RULE = "addresses are host:port, several with a semicolon between them; an IPv6 address stands in brackets"


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Address:
    """A host and a port."""

    host: str
    """A name, or an IP address without brackets."""
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def ip_version(self) -> int | None:
        """4 or 6, None for a name."""
        try:
            return ipaddress.ip_address(self.host).version
        except ValueError:
            return None

    @property
    def target(self) -> str:
        """The address as gRPC wants it."""
        scheme = {4: "ipv4", 6: "ipv6", None: "dns"}[self.ip_version]
        return f"{scheme}:{self}"


def parse_addresses(text: str) -> tuple[Address, ...]:
    """The addresses in `text`, each once, in their order. Raises InvalidInput."""
    parts = [part.strip() for part in text.split(";")]
    found = dict.fromkeys(_parse(part, text) for part in parts if part)
    if not found:
        raise _wrong(
            "No address is given.", text, f"write host:port, as in rocketmq.example.com:{PROXY_PORT}"
        )
    return tuple(found)


def _parse(part: str, text: str) -> Address:
    if "://" in part:
        raise _wrong("An address has no scheme.", text, f"leave out {part.partition('://')[0]}://")
    host, colon, port = part.rpartition(":")
    if host.startswith("[") != host.endswith("]") or (":" in host and not host.startswith("[")) or not colon:
        if _is_ipv6(part.strip("[]")):
            raise _wrong(
                "The port is missing, or the IPv6 address has no brackets.",
                text,
                f"write [{part.strip('[]')}]:{PROXY_PORT}",
            )
        if not colon:
            raise _wrong("The port is missing.", text, f"write {part}:{PROXY_PORT}")
        raise _wrong(f"{part} is no address.", text, f"write host:port, as in 192.0.2.1:{PROXY_PORT}")
    if not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) <= _HIGHEST_PORT:
        raise _wrong(
            f"{port!r} is no port.", text, f"write a number from 1 to {_HIGHEST_PORT} after the colon"
        )
    if host.startswith("["):
        host = host[1:-1]
        if not _is_ipv6(host):
            raise _wrong(f"{host} is no IPv6 address.", text, f"write it as in [2001:db8::1]:{port}")
        return Address(host=str(ipaddress.IPv6Address(host)), port=int(port))
    if not _is_host(host):
        raise _wrong(f"{host!r} is no host name and no IP address.", text, "check how it is written")
    return Address(host=host.lower(), port=int(port))


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _is_host(host: str) -> bool:
    if re.fullmatch(r"[0-9.]+", host):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            return False
        return True
    labels = host.removesuffix(".").split(".")
    return len(host) <= _LONGEST_NAME and all(_LABEL.fullmatch(label) for label in labels)


def _wrong(detail: str, text: str, remedy: str) -> InvalidInput:
    return InvalidInput(detail, value=text, rule=_RULE, remedy=remedy)
