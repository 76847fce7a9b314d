"""The only hosts that a provider's credentials may be sent to."""

import ipaddress
import re

from sms_otp.adapters.config import Settings
from sms_otp.domain.provider import Misconfigured

SINCH_URL = "https://verification.api.sinch.com"

# The whole URL is matched rather than parsed, in lower case and without a final slash: no port, path, user or
# escape can hide in it.
# An account's host names its region (`api`, `api-us`, `api-in`); Infobip's portal shows it without a scheme.
_INFOBIP_URL = re.compile(r"(?:https://)?((?:[a-z0-9-]{1,63}\.)?api(?:-[a-z]{2,4})?\.infobip\.com)")
_SANDBOX_URL = re.compile(r"http://([a-z0-9.-]+|\[::1\])(:[0-9]{1,5})?")

_SANDBOX_NAMES = ("localhost", "host.docker.internal")
_SANDBOX_NETWORKS = tuple(map(ipaddress.ip_network, ("127.0.0.0/8", "172.16.0.0/12", "::1/128")))


def infobip_url(configured: str, settings: Settings) -> str:
    """Infobip's base URL: an account's own host, in any region, the shared host, or the sandbox.

    Raises `Misconfigured`, naming the wrong setting.
    """
    sandbox = _sandbox_url("infobip", settings)
    if sandbox:
        return sandbox
    host = _INFOBIP_URL.fullmatch(configured.lower().removesuffix("/"))
    if host is None:
        raise Misconfigured("infobip", "secret field infobip.baseUrl")
    return f"https://{host[1]}"


def sinch_url(settings: Settings) -> str:
    """Sinch's base URL, or the sandbox's. Raises `Misconfigured`, naming the wrong setting."""
    return _sandbox_url("sinch", settings) or SINCH_URL


def aws_url(settings: Settings) -> str | None:
    """The sandbox's URL if one is set; else None, for boto3 to use its region's host.

    Raises `Misconfigured`, naming the wrong setting.
    """
    return _sandbox_url("aws", settings)


def _sandbox_url(provider: str, settings: Settings) -> str | None:
    """The sandbox's base URL, if one is set.

    Raises `Misconfigured` if the stack is not local: its operator would believe that nothing is sent.
    """
    if not settings.provider_sandbox_url:
        return None
    url = _SANDBOX_URL.fullmatch(settings.provider_sandbox_url)
    if settings.stage != "local" or url is None or not _is_on_this_machine(url[1].strip("[]")):
        raise Misconfigured(provider, "environment variable PROVIDER_SANDBOX_URL")
    return f"{url[0]}/{provider}"


def _is_on_this_machine(host: str) -> bool:
    """Whether it is loopback, or the host as a container reaches it: by name or a bridge's address."""
    if host in _SANDBOX_NAMES:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _SANDBOX_NETWORKS)
