"""The client that a limit counts: one IPv4 address, or the IPv6 network that one subscriber gets."""

import ipaddress
import re

from sms_otp.domain.errors import InvalidRequest

_WITH_PORT = re.compile(r"(?:\[(?P<bracketed>[^\[\]]*)\]|(?P<ipv4>[0-9.]+))(?::[0-9]{1,5})?", re.ASCII)
"""`203.0.113.5:61598`, `[2001:db8::1]:443`, `[2001:db8::1]`: as proxies and load balancers write a client."""


def network_of(address: str) -> str:
    """The /32 of an IPv4 address, the /64 of an IPv6 one; an IPv4 address mapped into IPv6 is IPv4.

    A port, brackets and an IPv6 zone are accepted and ignored. Raises `InvalidRequest` for anything else, so
    that no spelling escapes the limit.
    """
    written = _WITH_PORT.fullmatch(address.strip(" "))
    bare = (written["bracketed"] or written["ipv4"] or "") if written else address.strip(" ")
    try:
        parsed = ipaddress.ip_address(bare)
    except ValueError:
        raise InvalidRequest(errors=[{"pointer": "/clientIp", "detail": "an IPv4 or IPv6 address"}]) from None
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed), 64), strict=False).network_address)
