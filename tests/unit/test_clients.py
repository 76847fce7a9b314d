"""The client that a limit per client counts, and the refusal of an unreadable address."""

import pytest

from sms_otp.domain.clients import network_of
from sms_otp.domain.errors import InvalidRequest


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:DB8:1:2::", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"),
        ("2001:db8:1:3::", "2001:db8:1:3::"),
        ("203.0.113.5:61598", "203.0.113.5"),
        ("[2001:db8::1]:443", "2001:db8::"),
        ("[2001:db8::1]", "2001:db8::"),
        ("[::ffff:192.0.2.7]:80", "192.0.2.7"),
    ],
)
def test_a_client_is_an_ipv4_address_or_the_64_bits_that_one_subscriber_gets(
    address: str, network: str
) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    "address", ["", "192.0.2", "192.0.2.7:", "192.0.2.7:port", "192.0.2.0/24", "example.com", "2001:db8::/64"]
)
def test_an_invalid_address_is_refused_by_its_pointer_and_not_echoed(address: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        network_of(address)
    assert refused.value.errors == ({"pointer": "/clientIp", "detail": "an IPv4 or IPv6 address"},)
