"""Infobip 2FA applications: what an account configures, and what counts against it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from local.sandbox.credentials import INFOBIP_MESSAGE_ID
from local.sandbox.limits import WIDE, RateLimit
from local.sandbox.times import Clock, infobip_duration


@dataclass(frozen=True, slots=True)
class Application:
    """A 2FA application: Infobip's defaults, but for the rate limits, which are wide.

    `templates` maps a messageId to its text, which holds `{{pin}}`. PINs are numeric, of six digits.
    """

    templates: Mapping[str, str] = field(
        default_factory=lambda: {INFOBIP_MESSAGE_ID: "Your verification code is {{pin}}."}
    )
    pin_attempts: int = 10
    pin_time_to_live: str = "15m"
    allow_multiple_pin_verifications: bool = True
    verify_pin_limit: str = WIDE
    send_pin_per_phone_number_limit: str = WIDE


class LiveApplication:
    """An application with its counters."""

    def __init__(self, application: Application, clock: Clock) -> None:
        self.application = application
        self.time_to_live = infobip_duration(application.pin_time_to_live)
        self.verify_limit = RateLimit(application.verify_pin_limit, clock)
        self.send_limit = RateLimit(application.send_pin_per_phone_number_limit, clock)
