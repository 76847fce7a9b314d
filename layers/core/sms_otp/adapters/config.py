"""The one place that reads environment variables. Each field's variable is its name in capitals.

Nothing is read at import: a handler calls `settings()`, a test builds `Settings` or calls
`Settings.from_environment` with a mapping of its own.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from typing import Any

from sms_otp.domain.clock import NO_SECONDS, Seconds
from sms_otp.domain.errors import ServiceMisconfigured
from sms_otp.domain.limits import LAST_SECONDS
from sms_otp.domain.provider import Channel


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a deployment. Every field is a parameter or a resource of `template.yaml`."""

    stage: str
    table_name: str
    provider_secret_arn: str
    pepper_secret_arn: str

    provider_order: tuple[str, ...]
    provider_routes: Mapping[str, tuple[str, ...]]
    """Provider orders by ISO 3166-1 alpha-2 country; `EU` is already expanded."""
    provider_sandbox_url: str
    """Base URL of the provider sandbox, over plain HTTP; allowed only where `stage` is `local`."""
    sinch_auth: str
    """`application` (signed requests) or `basic`."""
    infobip_number_lookup: bool
    """Whether Infobip looks the number up before it sends (`ncNeeded`; billed separately)."""
    infobip_application_id: str
    """Set where the deployment provisioned Infobip: replaces, with `infobip_message_id`, the secret's."""
    infobip_message_id: str
    infobip_message_ids: Mapping[str, str]
    """Template ids by Infobip language, such as `pt_br`, and purpose; see `Infobip`."""
    infobip_india_message_ids: Mapping[str, str]
    """Ids of the templates registered in India, for numbers there; keys as in `infobip_message_ids`."""
    infobip_message_parts: Mapping[str, int]
    """Messages that a template's text is billed as, by template id; only where more than one."""
    infobip_sender_ids: Mapping[str, str]
    """Sender that replaces the template's own, by ISO 3166-1 alpha-2 country."""

    metric_detail: str
    """`service`, or `places` for each metric by country and by provider too."""

    code_length: int
    code_life_seconds: Seconds
    max_attempts: int

    resend_gap_seconds: Seconds
    resend_gap_max_seconds: Seconds
    sends_per_quarter_hour: int
    sends_per_hour: int
    sends_per_day: int
    failures_before_wait: int
    failure_wait_seconds: Seconds
    failure_wait_max_seconds: Seconds
    failures_before_disabled: int
    trust_client_ip: bool
    """Whether to trust `clientIp` in a body as the backend's own client."""
    client_sends_per_hour: int
    client_sends_per_day: int
    daily_spend_cap: int
    """US dollars."""

    allowed_countries: tuple[str, ...]
    """ISO 3166-1 alpha-2 codes, or `*` for all; `EU` is already expanded."""
    voice_countries: Mapping[str, float | None]
    """Allowed countries that are also called; US dollars a call, or None where no price is set."""
    whatsapp_countries: Mapping[str, float | None]
    """As `voice_countries`, for WhatsApp; US dollars a message."""
    pumping_guard: str
    """`off`, `record` or `enforce`."""
    sms_prices: Mapping[str, float]
    """US dollars a message, by ISO 3166-1 alpha-2 country, `*` for the rest; overrides `domain.prices`."""

    users_table_name: str
    """Empty where no users are kept."""
    user_retention_days: int
    verified_user_retention_days: int
    """0 keeps verified users forever."""
    token_keys: tuple[str, ...]
    """ARNs of KMS keys: the first signs tokens, all are published. Empty where no tokens are issued."""
    event_bus_name: str
    """Empty where no events are published."""
    token_issuer: str
    """`iss` of the tokens; if empty, the API's own URL."""

    require_verification_id: bool
    test_numbers: Mapping[str, str] = field(repr=False)
    """Fixed codes by E.164 number; must be empty where `stage` is `prod`."""
    test_numbers_end: Seconds
    """When test numbers become ordinary numbers; 0 if not set."""

    @property
    def channel_countries(self) -> Mapping[Channel, Mapping[str, float | None]]:
        """Countries and prices of each channel other than SMS; see `voice_countries`."""
        return {Channel.VOICE: self.voice_countries, Channel.WHATSAPP: self.whatsapp_countries}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Raises `ServiceMisconfigured`, naming the variable that is missing or malformed."""
        values: dict[str, Any] = {}
        for known in fields(cls):
            variable = known.name.upper()
            try:
                parse = _BY_NAME.get(known.name) or _BY_TYPE[known.type]
                values[known.name] = parse(environment[variable])
            except (KeyError, ValueError) as error:
                raise ServiceMisconfigured(reason=f"environment variable {variable}") from error
        chosen = cls(**values)
        if contradiction := _contradiction(chosen):
            raise ServiceMisconfigured(reason=contradiction)
        return chosen


def _contradiction(chosen: Settings) -> str | None:
    """The first contradiction between settings that CloudFormation Rules cannot check, or None."""
    if chosen.test_numbers and (chosen.stage == "prod" or not chosen.test_numbers_end):
        return "TestNumbers need TestNumbersEnd, and must be empty where Stage is prod"
    if any(len(code) != chosen.code_length for code in chosen.test_numbers.values()):
        return "TestNumbers has a code that is not of CodeLength digits, and could never be verified"
    if chosen.failure_wait_seconds > chosen.failure_wait_max_seconds:
        return "the first wait after wrong codes is longer than the longest one"
    if chosen.resend_gap_seconds > chosen.resend_gap_max_seconds:
        return f"ResendGapSeconds is longer than the longest gap, {chosen.resend_gap_max_seconds} seconds"
    if chosen.resend_gap_seconds > chosen.code_life_seconds - LAST_SECONDS:
        return (
            f"ResendGapSeconds must be {LAST_SECONDS} seconds below CodeLifeSeconds:"
            " no code could be resent before it expires"
        )
    return None


def _whole(text: str) -> int:
    """Parse an integer; CloudFormation allows `6.0` and `1e2` too. Raises ValueError if it is not whole."""
    number = float(text)
    if not number.is_integer():
        raise ValueError(text)
    return int(number)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _order(text: str) -> tuple[str, ...]:
    """Provider names, each once: BatchGetItem refuses a repeated key, and a repeated try would fail again."""
    return tuple(dict.fromkeys(_words(text)))


def _codes(text: str) -> Mapping[str, str]:
    return dict(_pair(word) for word in _words(text))


def _pair(text: str) -> tuple[str, str]:
    number, separator, code = text.partition("=")
    if not separator or not code.isdigit():
        raise ValueError("not number=code")
    return number, code


def _prices(text: str) -> Mapping[str, float]:
    """Parse `US=0.008,*=0.065`."""
    return {country: float(price) for country, price in (word.split("=") for word in _words(text))}


def _parts(text: str) -> Mapping[str, int]:
    """Parse `ID=1,ID=2`, as provisioning writes it."""
    return {name: int(count) for name, count in _named(text).items()}


def _named(text: str) -> Mapping[str, str]:
    """Parse `de=ID,fr=ID`, as provisioning writes it. Raises ValueError."""
    values = {}
    for word in _words(text):
        name, separator, value = word.partition("=")
        if not separator or not value:
            raise ValueError("not name=value")
        values[name] = value
    return values


EU = ("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK").split()  # noqa: SIM905 # easier to read as one text
"""The member states of the European Union."""


def _countries(text: str) -> tuple[str, ...]:
    """Parse `GB,EU`; `EU` becomes its member states."""
    named = ((EU if word == "EU" else [word]) for word in _words(text))
    return tuple(dict.fromkeys(country for countries in named for country in countries))


def _priced_countries(text: str) -> Mapping[str, float | None]:
    """Parse `GB,US=0.015,EU=0.1`; `EU` becomes its member states, and a country's own entry overrides it."""
    named: dict[str, float | None] = {}
    for word in _words(text):
        place, _, price = word.partition("=")
        named[place] = float(price) if price else None
    union = dict.fromkeys(EU, named["EU"]) if "EU" in named else {}
    return union | {place: price for place, price in named.items() if place != "EU"}


def _routes(text: str) -> Mapping[str, tuple[str, ...]]:
    """Parse `IN=infobip;EU=sinch,infobip`; a country's own route overrides `EU`'s. Raises ValueError."""
    routes: dict[str, tuple[str, ...]] = {}
    for route in filter(None, (part.strip() for part in text.split(";"))):
        place, separator, order = route.partition("=")
        if not separator or not _order(order):
            raise ValueError("not country=providers")
        routes[place] = _order(order)
    union = routes.pop("EU", None)
    return (dict.fromkeys(EU, union) if union else {}) | routes


def _date(text: str) -> Seconds:
    return Seconds(datetime.fromisoformat(f"{text}T00:00:00+00:00").timestamp()) if text else NO_SECONDS


_BY_TYPE: Mapping[Any, Callable[[str], Any]] = {
    str: str,
    int: _whole,
    bool: _flag,
    tuple[str, ...]: _words,
    Mapping[str, str]: _codes,
    Mapping[str, tuple[str, ...]]: _routes,
}
_BY_NAME: Mapping[str, Callable[[str], Any]] = {
    "provider_order": _order,
    "allowed_countries": _countries,
    "infobip_message_ids": _named,
    "infobip_india_message_ids": _named,
    "infobip_sender_ids": _named,
    "infobip_message_parts": _parts,
    "sms_prices": _prices,
    "voice_countries": _priced_countries,
    "whatsapp_countries": _priced_countries,
    "test_numbers_end": _date,
}


def starts_on_demand() -> bool:
    """Whether Lambda initializes this environment to serve requests, and not to take a snapshot."""
    return os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") in ("on-demand", "provisioned-concurrency")


def stage() -> str:
    """The stage, for a function that must answer even if its other settings are invalid; empty if unset."""
    return os.environ.get("STAGE", "")


def metric_detail() -> str:
    """The metric detail, so that a function with invalid settings still measures its failures."""
    return os.environ.get("METRIC_DETAIL", "service")


@cache
def settings() -> Settings:
    """The function's settings, read once per execution environment. Raises `ServiceMisconfigured`."""
    return Settings.from_environment(os.environ)
