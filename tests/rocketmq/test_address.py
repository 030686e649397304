import pytest

from eventcenter.errors import InvalidInput
from eventcenter.rocketmq.address import Address, parse_addresses


@pytest.mark.parametrize(
    ("text", "shown", "targets"),
    [
        ("127.0.0.1:8081", ["127.0.0.1:8081"], ["ipv4:127.0.0.1:8081"]),
        ("Proxy.Example.com:80", ["proxy.example.com:80"], ["dns:proxy.example.com:80"]),
        ("rocketmq_proxy:8081", ["rocketmq_proxy:8081"], ["dns:rocketmq_proxy:8081"]),
        ("[::1]:8081", ["[::1]:8081"], ["ipv6:[::1]:8081"]),
        ("[2001:DB8:0::1]:1", ["[2001:db8::1]:1"], ["ipv6:[2001:db8::1]:1"]),
        (" a:1 ; b:2;a:1; ", ["a:1", "b:2"], ["dns:a:1", "dns:b:2"]),
        ("10.0.0.1:65535;[::2]:1", ["10.0.0.1:65535", "[::2]:1"], ["ipv4:10.0.0.1:65535", "ipv6:[::2]:1"]),
    ],
)
def test_addresses(text: str, shown: list[str], targets: list[str]) -> None:
    found = parse_addresses(text)
    assert [str(address) for address in found] == shown
    assert [address.target for address in found] == targets
    assert parse_addresses(";".join(shown)) == found


@pytest.mark.parametrize(
    ("text", "detail", "remedy"),
    [
        ("", "No address is given.", "write host:port, as in rocketmq.example.com:8081"),
        (" ; ", "No address is given.", "write host:port, as in rocketmq.example.com:8081"),
        ("proxy", "The port is missing.", "write proxy:8081"),
        ("a:1;proxy", "The port is missing.", "write proxy:8081"),
        ("::1", "The port is missing, or the IPv6 address has no brackets.", "write [::1]:8081"),
        ("[::1]", "The port is missing, or the IPv6 address has no brackets.", "write [::1]:8081"),
        ("http://proxy:80", "An address has no scheme.", "leave out http://"),
        ("proxy:", "'' is no port.", "write a number from 1 to 65535 after the colon"),
        ("proxy:0", "'0' is no port.", "write a number from 1 to 65535 after the colon"),
        ("proxy:65536", "'65536' is no port.", "write a number from 1 to 65535 after the colon"),
        ("proxy:8o81", "'8o81' is no port.", "write a number from 1 to 65535 after the colon"),
        ("proxy:²", "'²' is no port.", "write a number from 1 to 65535 after the colon"),
        ("1.2.3.400:80", "'1.2.3.400' is no host name and no IP address.", "check how it is written"),
        ("a b:80", "'a b' is no host name and no IP address.", "check how it is written"),
        (":80", "'' is no host name and no IP address.", "check how it is written"),
        ("a:b:80", "a:b:80 is no address.", "write host:port, as in 192.0.2.1:8081"),
        ("[1.2.3.4]:80", "1.2.3.4 is no IPv6 address.", "write it as in [2001:db8::1]:80"),
    ],
)
def test_what_is_no_address(text: str, detail: str, remedy: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_addresses(text)
    assert caught.value.detail == detail
    assert caught.value.remedy == remedy
    assert caught.value.value == text
    assert caught.value.rule


def test_an_address_knows_its_kind() -> None:
    assert [Address(host=host, port=1).ip_version for host in ("1.2.3.4", "::1", "a")] == [4, 6, None]
