"""Builds the adapter of each provider from its credentials and the settings."""

import re
import time
from collections.abc import Callable, Collection, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from sms_otp.adapters.aws import clients
from sms_otp.adapters.config import Settings
from sms_otp.adapters.providers import hosts
from sms_otp.domain.errors import ServiceMisconfigured
from sms_otp.domain.provider import Channel, Provider

if TYPE_CHECKING:
    from sms_otp.adapters.providers.aws import Client
    from sms_otp.adapters.providers.transport import Transport


CHANNELS: Mapping[str, frozenset[Channel]] = {
    "infobip": frozenset({Channel.SMS, Channel.VOICE}),
    "sinch": frozenset({Channel.SMS, Channel.VOICE, Channel.WHATSAPP}),
    "aws": frozenset({Channel.SMS}),
}
"""The channels of each provider. Known without its adapter, which is imported only to build it."""
ONE_CODE_PER_NUMBER = frozenset({"sinch"})
"""Providers whose new verification of a number ends its earlier one (Sinch Verification API, "Start")."""


def build(name: str, credentials: Mapping[str, object], settings: Settings) -> Provider:
    """The adapter for `name`, from that provider's object in the provider secret.

    Raises `ServiceMisconfigured` for an unknown name or a missing field, `Misconfigured` for a field
    that is present but unusable. Both name the field, never its value.
    """
    try:
        builder = _BUILDERS[name]
    except KeyError:
        raise ServiceMisconfigured(reason="environment variable PROVIDER_ORDER") from None
    return builder(credentials, settings)


def prepare(names: Collection[str], settings: Settings) -> None:
    """Import and create in advance what building and calling these providers needs.

    Raises `Misconfigured` for a wrong sandbox URL.
    """
    load(names)
    _transport()
    if "aws" in names:
        _end_user_messaging(hosts.aws_url(settings))


def _infobip(credentials: Mapping[str, object], settings: Settings) -> Provider:
    from sms_otp.adapters.providers.infobip import Infobip

    ids = _infobip_ids(settings)
    needed = tuple(name for name in ("apiKey", "baseUrl", "applicationId", "messageId") if name not in ids)
    held = {**fields("infobip", credentials, needed), **ids}
    base_url = hosts.infobip_url(held["baseUrl"], settings)
    return Infobip(
        base_url,
        held,
        _transport(),
        message_ids=settings.infobip_message_ids,
        india_message_ids=settings.infobip_india_message_ids,
        sender_ids=settings.infobip_sender_ids,
        number_lookup=settings.infobip_number_lookup,
        code_length=settings.code_length,
        message_parts=settings.infobip_message_parts,
    )


def _infobip_ids(settings: Settings) -> Mapping[str, str]:
    """The ids of an Infobip that the deployment provisioned; empty if they are in the secret."""
    if not settings.infobip_application_id:
        return {}
    return {"applicationId": settings.infobip_application_id, "messageId": settings.infobip_message_id}


def _sinch(credentials: Mapping[str, object], settings: Settings) -> Provider:
    from sms_otp.adapters.providers.sinch import Sinch, basic, signed

    held = fields("sinch", credentials, ("applicationKey", "applicationSecret"))
    key, secret = held["applicationKey"], held["applicationSecret"]
    if settings.sinch_auth == "application":
        authorize = signed(key, secret, time.time)
    elif settings.sinch_auth == "basic":
        authorize = basic(key, secret)
    else:
        raise ServiceMisconfigured(reason="environment variable SINCH_AUTH")
    return Sinch(hosts.sinch_url(settings), authorize, _transport())


def _aws(credentials: Mapping[str, object], settings: Settings) -> Provider:
    from sms_otp.adapters.providers.aws import Aws

    # The optional fields may hold blanks: some are texts of messages.
    texts = {name: value for name, value in credentials.items() if isinstance(value, str)}
    held = texts | fields("aws", credentials, ("codeKey", "originationIdentity"))
    return Aws(held, _end_user_messaging(hosts.aws_url(settings)), code_length=settings.code_length)


def load(names: Collection[str]) -> None:
    """Import the adapters of these providers and their HTTP client."""
    for name in names:
        import_module(f"sms_otp.adapters.providers.{name}")
    if {"infobip", "sinch"} & {*names}:
        from sms_otp.adapters.providers import transport

        transport.load()


# An adapter is imported only where it is built, so that a function pays for the providers it uses.
_BUILDERS: Mapping[str, Callable[[Mapping[str, object], Settings], Provider]] = {
    "infobip": _infobip,
    "sinch": _sinch,
    "aws": _aws,
}
NAMES = frozenset(_BUILDERS)


# Characters that a header can hold unescaped.
_VISIBLE = re.compile("[!-~]+")


@cache
def _transport() -> "Transport":
    """One per execution environment, so that connections outlive a request and a fetched secret."""
    from sms_otp.adapters.providers.transport import Transport

    return Transport()


@cache
def _end_user_messaging(endpoint_url: str | None) -> "Client":
    """One per execution environment. Only `endpoint_url` changes its host, no proxy or variable does."""
    from sms_otp.adapters.providers.transport import CONNECT_SECONDS, READ_SECONDS

    client: Client = clients.client(
        "pinpoint-sms-voice-v2",
        endpoint_url=endpoint_url,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 1},
        ignore_configured_endpoint_urls=True,
        proxies={},
    )
    return client


def fields(provider: str, credentials: Mapping[str, object], names: tuple[str, ...]) -> dict[str, str]:
    """The named fields, without surrounding blanks and line ends from a paste.

    Raises `ServiceMisconfigured`, naming a field that is missing or not visible ASCII.
    """
    values: dict[str, str] = {}
    for name in names:
        value = credentials.get(name)
        text = value.strip() if isinstance(value, str) else ""
        if not _VISIBLE.fullmatch(text):
            raise ServiceMisconfigured(reason=f"secret field {provider}.{name}")
        values[name] = text
    return values
