"""Infobip 2FA applications: configuration and rate-limit counters."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from local.sandbox.codes import NUMERIC
from local.sandbox.credentials import INFOBIP_MESSAGE_ID
from local.sandbox.limits import WIDE, RateLimit
from local.sandbox.times import Clock, infobip_duration

UNSAID_PIN_LENGTH = 4
"""Default of a template without `pinLength` (unspecified; the default of e-mail templates)."""


@dataclass(frozen=True, slots=True)
class Template:
    """A message template. `text` contains `{{pin}}`; `pin_type` is a key of `ALPHABETS`."""

    text: str = "Your verification code is {{pin}}."
    pin_type: str = NUMERIC
    pin_length: int = UNSAID_PIN_LENGTH


@dataclass(frozen=True, slots=True)
class Application:
    """A 2FA application with Infobip's defaults. `templates` are by messageId."""

    templates: Mapping[str, Template] = field(
        default_factory=lambda: {INFOBIP_MESSAGE_ID: Template(pin_length=6)}
    )
    enabled: bool = True
    pin_attempts: int = 10
    pin_time_to_live: str = "15m"
    allow_multiple_pin_verifications: bool = True
    verify_pin_limit: str = "1/3s"
    send_pin_per_application_limit: str = "10000/1d"
    send_pin_per_phone_number_limit: str = "3/1d"


def wide_application(code_length: int = 6) -> Application:
    """An application with limits that no test reaches, so that only the service's limits refuse."""
    return Application(
        templates={INFOBIP_MESSAGE_ID: Template(pin_length=code_length)},
        verify_pin_limit=WIDE,
        send_pin_per_application_limit=WIDE,
        send_pin_per_phone_number_limit=WIDE,
    )


class LiveApplication:
    """An application with its counters."""

    def __init__(self, application: Application, clock: Clock) -> None:
        self.application = application
        self.time_to_live = infobip_duration(application.pin_time_to_live)
        self.verify_limit = RateLimit(application.verify_pin_limit, clock)
        self._of_application = RateLimit(application.send_pin_per_application_limit, clock)
        self._of_number = RateLimit(application.send_pin_per_phone_number_limit, clock)

    def may_send(self, number: str) -> bool:
        """Whether one more PIN may go to this number; counts it if so."""
        return self._of_number.allows(number) and self._of_application.allows("")
