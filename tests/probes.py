"""Probe a provider as the deep health check does."""

from contextlib import suppress

from sms_otp.domain.clock import Deadline
from sms_otp.domain.provider import Health, Provider, ProviderError, Throttled
from sms_otp.use_cases.health import health_of


def probed(provider: Provider, deadline: Deadline) -> Health:
    """The provider's health."""
    try:
        with suppress(Throttled):
            provider.probe(deadline)
    except ProviderError as error:
        return health_of(error)
    return Health.UP
