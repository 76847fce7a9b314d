"""The fields that events about one verification share."""

from typing import Any

from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.provider import CircuitOpen, Misconfigured, ProviderError
from sms_otp.domain.verification import Verification

HTTP_SERVER_ERROR = 500


def event_fields(verification: Verification, number: PhoneNumber | None = None) -> dict[str, Any]:
    """The fields of every event about a verification."""
    return {
        "number": number or PhoneNumber(verification.phone, verification.country),
        "number_key": verification.number_key,
        "verification": verification.key,
        "channel": verification.channel,
        "provider": verification.provider,
        "purpose": verification.purpose,
    }


def failure_fields(error: ProviderError) -> dict[str, Any]:
    """The fields of a provider's failure. Flags are 1 or None so that they can be summed as metrics."""
    return {
        "provider": error.provider,
        "reason": error.reason,
        "kind": type(error).__name__,
        "failed": None if isinstance(error, CircuitOpen) else 1,
        "server_error": 1 if (error.status or 0) >= HTTP_SERVER_ERROR else None,
        "misconfigured": 1 if isinstance(error, Misconfigured) else None,
    }
