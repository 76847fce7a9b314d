"""Who a limit per client counts: one IPv4 address, or the IPv6 network that one subscriber gets."""

import ipaddress

from sms_otp.domain.errors import InvalidRequest


def network_of(address: str) -> str:
    """The /32 of an IPv4 address, the /64 of an IPv6 one; an IPv4 address mapped into IPv6 is IPv4.

    Raises `InvalidRequest` for anything else, so that no spelling escapes the limit.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise InvalidRequest(errors=[{"pointer": "/clientIp", "detail": "an IPv4 or IPv6 address"}]) from None
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed), 64), strict=False).network_address)
