"""The one place that reads environment variables. Each field's variable is its name in capitals.

Nothing is read at import: a handler asks for `settings()`, a test builds `Settings` or calls
`Settings.from_environment` with a mapping of its own.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from sms_otp.errors import ServiceMisconfigured


@dataclass(frozen=True, slots=True)
class Settings:
    """What a deployment has chosen. Every field is a parameter or a resource of `template.yaml`."""

    stage: str
    table_name: str
    provider_secret_arn: str
    pepper_secret_arn: str

    provider_order: tuple[str, ...]
    provider_sandbox_url: str
    """Only where `stage` is `local`: the providers' stand-in, over plain HTTP."""
    sinch_auth: str
    """`application` (signed requests) or `basic`."""
    infobip_number_lookup: bool
    """Whether Infobip looks the number up before it sends (`ncNeeded`; billed apart)."""

    code_length: int
    code_life_seconds: int
    max_attempts: int

    resend_gap_seconds: int
    resend_gap_max_seconds: int
    sends_per_quarter_hour: int
    sends_per_hour: int
    sends_per_day: int
    failures_before_wait: int
    failure_wait_seconds: int
    failure_wait_max_seconds: int
    failures_before_disabled: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Raises `ServiceMisconfigured`, naming the variable that is missing or malformed."""
        values: dict[str, Any] = {}
        for field in fields(cls):
            variable = field.name.upper()
            try:
                values[field.name] = _PARSERS[field.type](environment[variable])
            except (KeyError, ValueError) as error:
                raise ServiceMisconfigured(reason=f"environment variable {variable}") from error
        return cls(**values)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


_PARSERS: dict[Any, Any] = {str: str, int: int, bool: _flag, tuple[str, ...]: _words}


@cache
def settings() -> Settings:
    """This function's settings, read once per execution environment."""
    return Settings.from_environment(os.environ)
