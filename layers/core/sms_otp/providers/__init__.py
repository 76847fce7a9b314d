"""Providers: the port in `base`, an adapter for each, and how one is built."""

import re
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from sms_otp.config import Settings
from sms_otp.errors import ServiceMisconfigured
from sms_otp.providers import hosts
from sms_otp.providers.base import Provider

if TYPE_CHECKING:
    from sms_otp.providers.transport import Transport


def build(name: str, credentials: Mapping[str, object], settings: Settings) -> Provider:
    """The adapter for `name`, from that provider's object in the provider secret.

    Raises `ServiceMisconfigured` for an unknown name or a missing field, `Misconfigured` for a field
    that is there and cannot be used; either names it and never its value.
    """
    try:
        builder = _BUILDERS[name]
    except KeyError:
        raise ServiceMisconfigured(reason="environment variable PROVIDER_ORDER") from None
    return builder(credentials, settings)


def _infobip(credentials: Mapping[str, object], settings: Settings) -> Provider:
    from sms_otp.providers.infobip import Infobip

    fields = _fields("infobip", credentials, ("apiKey", "baseUrl", "applicationId", "messageId"))
    base_url = hosts.infobip_url(fields["baseUrl"], settings)
    return Infobip(base_url, fields, _transport(), number_lookup=settings.infobip_number_lookup)


def _sinch(credentials: Mapping[str, object], settings: Settings) -> Provider:
    from sms_otp.providers.sinch import Sinch, basic, signed

    fields = _fields("sinch", credentials, ("applicationKey", "applicationSecret"))
    key, secret = fields["applicationKey"], fields["applicationSecret"]
    if settings.sinch_auth == "application":
        authorize = signed(key, secret, time.time)
    elif settings.sinch_auth == "basic":
        authorize = basic(key, secret)
    else:
        raise ServiceMisconfigured(reason="environment variable SINCH_AUTH")
    base_url = hosts.sinch_url(settings)
    return Sinch(base_url, authorize, _transport(), code_life_seconds=settings.code_life_seconds)


# An adapter is imported only where it is built, so that a function pays for the providers it uses.
_BUILDERS: Mapping[str, Callable[[Mapping[str, object], Settings], Provider]] = {
    "infobip": _infobip,
    "sinch": _sinch,
}


# What a header can hold as it is. A blank or a line's end, pasted along, would be refused by the provider.
_VISIBLE = re.compile("[!-~]+")


@cache
def _transport() -> "Transport":
    """One per execution environment, so that connections outlive a request and a fetched secret."""
    from sms_otp.providers.transport import Transport

    return Transport()


def _fields(provider: str, credentials: Mapping[str, object], names: tuple[str, ...]) -> dict[str, str]:
    """The named fields, each of them visible ASCII."""
    values: dict[str, str] = {}
    for name in names:
        value = credentials.get(name)
        if not isinstance(value, str) or not _VISIBLE.fullmatch(value):
            raise ServiceMisconfigured(reason=f"secret field {provider}.{name}")
        values[name] = value
    return values
