"""Checks a deployment's settings before any function gets them, and computes their digest.

CloudFormation checks each parameter against a pattern; this checks settings against each other and against
the list of countries. `make deploy` runs it first, so that most faults are found within a second.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sms_otp.adapters.config import Settings
from sms_otp.adapters.providers import registry
from sms_otp.domain import phone
from sms_otp.domain.errors import DeploymentRefused, ServiceMisconfigured
from sms_otp.domain.provider import Channel
from sms_otp.domain.service_day import KEPT_FOR_KNOWN

DIGEST_LENGTH = 16
LONGEST_STACK_NAME = 37
"""CloudFormation truncates role names to 64 characters, and the token key's policy names a role."""
EVERYWHERE = "*"
PARAMETERS = {Channel.VOICE: "VoiceCountries", Channel.WHATSAPP: "WhatsappCountries"}
"""The parameter with the countries of each channel but SMS."""


def accept(properties: Mapping[str, Any]) -> Mapping[str, str]:
    """The attributes of Custom::DeployedSettings. Raises `DeploymentRefused`.

    `Environment` holds the functions' environment variables. A change of any other property must also publish
    a new version of every function.
    """
    faults = list(faults_of(properties["Environment"], properties["AwsSmsIdentityArn"]))
    if faults:
        raise DeploymentRefused(" ".join(faults))
    return {"Digest": digest(properties)}


def digest(properties: Mapping[str, Any]) -> str:
    """A hash of the properties that do not begin with `Service`, short enough for a version's description."""
    named = {name: value for name, value in properties.items() if not name.startswith("Service")}
    text = json.dumps(named, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def faults_of(environment: Mapping[str, str], aws_sms_identity_arn: str) -> Iterator[str]:
    """The faults in the functions' environment, one sentence each."""
    try:
        settings = Settings.from_environment(environment)
    except ServiceMisconfigured as wrong:
        yield f"{wrong.reason}."
        return
    if len(environment["POWERTOOLS_SERVICE_NAME"]) > LONGEST_STACK_NAME:
        yield f"The stack's name has more than {LONGEST_STACK_NAME} characters."
    yield from country_faults_of(settings)
    yield from price_faults_of(settings)
    yield from channel_faults_of(settings)
    routed = [name for order in settings.provider_routes.values() for name in order]
    if "aws" in (*settings.provider_order, *routed) and not aws_sms_identity_arn:
        yield "AwsSmsIdentityArn must say what aws sends from: ProviderOrder or ProviderRoutes names aws."


def country_faults_of(settings: Settings) -> Iterator[str]:
    """The countries in the settings that do not exist, one sentence each."""
    yield from _unknown("AllowedCountries", settings.allowed_countries)
    yield from _unknown("ProviderRoutes", settings.provider_routes)
    yield from _unknown("SmsPrices", settings.sms_prices)
    for channel, countries in settings.channel_countries.items():
        yield from _unknown(PARAMETERS[channel], countries)
    yield from _unknown("InfobipSenderIds", settings.infobip_sender_ids)


def price_faults_of(settings: Settings) -> Iterator[str]:
    """The prices that exceed what DailySpendCap leaves for new numbers in a day, one sentence each."""
    most = settings.daily_spend_cap * (1 - 1 / KEPT_FOR_KNOWN)
    channels = {PARAMETERS[channel]: prices for channel, prices in settings.channel_countries.items()}
    for parameter, prices in {"SmsPrices": settings.sms_prices, **channels}.items():
        for country, price in prices.items():
            if price is not None and price > most:
                yield (
                    f"{parameter} has {country}={price:g}, and DailySpendCap leaves {most:g} USD a day"
                    " to new numbers."
                )


def channel_faults_of(settings: Settings) -> Iterator[str]:
    """The channels' countries that no provider serves or AllowedCountries lacks, one sentence each."""
    allowed = {*settings.allowed_countries}
    for channel, countries in settings.channel_countries.items():
        for country in countries:
            order = settings.provider_routes.get(country, settings.provider_order)
            able = [name for name, channels in registry.CHANNELS.items() if channel in channels]
            if not set(able) & set(order):
                yield (
                    f"{PARAMETERS[channel]} has {country}, where no provider in use has the channel:"
                    f" name {' or '.join(able)} in ProviderOrder or ProviderRoutes."
                )
            if EVERYWHERE not in {country, *allowed} and country not in allowed:
                yield f"{PARAMETERS[channel]} has {country}, and AllowedCountries has not."


def _unknown(parameter: str, countries: Iterable[str]) -> Iterator[str]:
    for country in sorted(set(countries) - {EVERYWHERE}):
        if (fault := phone.country_fault(country)) is not None:
            yield f"{parameter} has {country}, which is {fault}."
