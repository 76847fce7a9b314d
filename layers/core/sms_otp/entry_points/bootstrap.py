"""Dependency injection: builds the service once per execution environment.

The only module that knows every other one. Handlers call it; tests build their own service. Nothing is built
at import.
"""

import time
from functools import cache
from typing import TYPE_CHECKING, Any

from sms_otp.adapters.aws import clients
from sms_otp.adapters.aws.secrets import SecretCache
from sms_otp.adapters.config import Settings, settings
from sms_otp.adapters.dynamodb.circuits import DynamoCircuits
from sms_otp.adapters.dynamodb.store import DynamoStore
from sms_otp.adapters.providers import registry
from sms_otp.adapters.providers.test_numbers import FixedCodes
from sms_otp.adapters.telemetry import events
from sms_otp.domain import phone
from sms_otp.domain.admission import AdmissionPolicy
from sms_otp.domain.budgets import Spans, shards_for
from sms_otp.domain.circuit import CLOSED
from sms_otp.domain.clock import milliseconds, to_milliseconds
from sms_otp.domain.commands import Policy
from sms_otp.domain.guard import Mode
from sms_otp.domain.limits import DAY, HOUR, MINUTE, GuessPolicy, SendPolicy, Window
from sms_otp.domain.number import LanePolicy
from sms_otp.domain.prices import EVERYWHERE, USD, Prices
from sms_otp.domain.spending import SpendPolicy
from sms_otp.domain.users import Retention
from sms_otp.use_cases.circuit_breaker import CircuitBreaker
from sms_otp.use_cases.failover import Router
from sms_otp.use_cases.service import Service
from sms_otp.use_cases.status import Lifecycle

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from sms_otp.adapters.aws import kms
    from sms_otp.adapters.dynamodb.users import UsersTable
    from sms_otp.domain.ports import IssueToken
    from sms_otp.domain.provider import Provider
    from sms_otp.use_cases.administration import Administration
    from sms_otp.use_cases.by_number import ByNumber
    from sms_otp.use_cases.health import HealthCheck
    from sms_otp.use_cases.stopping import SendingControl
    from sms_otp.use_cases.tokens import PublicKey
    from sms_otp.use_cases.webhooks import Webhooks

# Seconds and tries of every call to AWS. botocore's own defaults (60 s, up to 10 tries) outlive the request.
DYNAMODB_TIMEOUTS = {"connect_timeout": 0.5, "read_timeout": 0.5}
SECRETS_TIMEOUTS = {"connect_timeout": 1.0, "read_timeout": 1.0}
KMS_TIMEOUTS = {"connect_timeout": 0.5, "read_timeout": 1.0}
EVENTS_TIMEOUTS = {"connect_timeout": 1.0, "read_timeout": 2.0}
AWS_TRIES = 2


@cache
def service() -> Service:
    """The deployed service."""
    chosen = settings()
    secret_cache = _secret_cache(chosen)
    return Service(
        policy=policy(chosen),
        store=_store(chosen),
        providers=Router(
            chosen.provider_order,
            chosen.provider_routes,
            secret_cache,
            _builder(chosen),
            FixedCodes(_test_numbers(chosen)),
            CircuitBreaker(DynamoCircuits(_dynamodb(), chosen.table_name), time.time, events.emit),
            events.emit,
            registry.ONE_CODE_PER_NUMBER,
            registry.CHANNELS,
        ),
        peppers=secret_cache.peppers,
        clock=time.time,
        emit=events.emit,
        issue_token=_token_issuer(chosen) if chosen.token_keys else None,
    )


def _test_numbers(chosen: Settings) -> "Mapping[str, str]":
    """Fixed codes by canonical number, as requests look them up; a miss would send a real code."""
    return {phone.canonical(number): code for number, code in chosen.test_numbers.items()}


def _token_issuer(chosen: Settings) -> "IssueToken":
    # Imported here, so that a deployment without tokens does not pay for it.
    from sms_otp.adapters.aws.kms import KmsKey
    from sms_otp.use_cases.tokens import TokenIssuer

    return TokenIssuer(KmsKey(kms_client, chosen.token_keys[0]), chosen.token_issuer)


@cache
def administration() -> "Administration":
    """The administrators' operations on a number."""
    # Imported here, so that no other function pays for it.
    from sms_otp.adapters.dynamodb.numbers import DynamoNumbers
    from sms_otp.use_cases.administration import Administration

    chosen = settings()
    return Administration(
        policy=policy(chosen),
        numbers=DynamoNumbers(_dynamodb(), chosen.table_name, _users(chosen)),
        peppers=_secret_cache(chosen).peppers,
        clock=time.time,
        emit=events.emit,
    )


@cache
def sending_control() -> "SendingControl":
    """The administrators' kill switch: stops and resumes sending."""
    # Imported here, so that no other function pays for it.
    from sms_otp.adapters.dynamodb.stops import DynamoStops
    from sms_otp.use_cases.stopping import SendingControl

    return SendingControl(DynamoStops(_dynamodb(), settings().table_name), time.time, events.emit)


@cache
def token_keys() -> "tuple[PublicKey, ...]":
    """The public keys that verify tokens."""
    from sms_otp.adapters.aws.kms import KmsKey

    return tuple(KmsKey(kms_client, arn) for arn in settings().token_keys)


@cache
def kms_client() -> "kms.Client":
    """A client of KMS, made for the first token or public key."""
    client: kms.Client = _client("kms", KMS_TIMEOUTS)
    return client


@cache
def event_bus() -> Any:
    """A client of EventBridge."""
    return _client("events", EVENTS_TIMEOUTS)


@cache
def lifecycle() -> Lifecycle:
    """Status and cancellation, which need neither provider nor secret."""
    chosen = settings()
    ends_codes = registry.ONE_CODE_PER_NUMBER & {*_names(chosen)}
    return Lifecycle(policy(chosen), _store(chosen), time.time, events.emit, ends_codes)


@cache
def by_number() -> "ByNumber":
    """Finds a verification by its number."""
    # Imported here: only Twilio's API uses it, which most deployments leave out.
    from sms_otp.use_cases.by_number import ByNumber

    chosen = settings()
    return ByNumber(policy(chosen), _store(chosen), _secret_cache(chosen).peppers, time.time)


@cache
def webhooks() -> "Webhooks":
    """The callbacks of the providers that this deployment uses."""
    # Imported here, so that no other function pays for it.
    from sms_otp.adapters.providers import aws_events
    from sms_otp.adapters.providers.callbacks import READERS
    from sms_otp.use_cases.webhooks import Webhooks

    chosen = settings()
    secret_cache = _secret_cache(chosen)
    return Webhooks(
        store=_store(chosen),
        credentials=secret_cache.credentials,
        renew=secret_cache.renew_credentials,
        readers=READERS,
        read_from_aws=aws_events.read,
        providers=frozenset(_names(chosen)),
        peppers=secret_cache.peppers,
        code_length=chosen.code_length,
        clock=time.time,
        emit=events.emit,
    )


@cache
def health_check() -> "HealthCheck":
    """The deep health check."""
    # Imported here, so that no other function pays for it.
    from sms_otp.use_cases.health import HealthCheck

    chosen = settings()
    names = _names(chosen)
    # Before the check's deadline begins, so that a cold start makes no dependency look down.
    registry.prepare(names, chosen)
    if chosen.token_keys:
        kms_client()
    circuits = DynamoCircuits(_dynamodb(), chosen.table_name)

    def breakers(names: tuple[str, ...]) -> dict[str, str]:
        found, now = circuits.read(names), milliseconds(time.time)
        return {name: found.get(name, CLOSED).state(now) for name in names}

    return HealthCheck(
        names=names,
        breakers=breakers,
        secret_cache=_secret_cache(chosen),
        build=_builder(chosen),
        emit=events.emit,
        read_token_keys=_read_token_keys if chosen.token_keys else None,
    )


def _read_token_keys() -> None:
    """Read every token key from KMS and check that it is an Ed25519 key. Raises `TokenError`."""
    from sms_otp.use_cases.tokens import key_set

    token_keys.cache_clear()  # a key caches its public half
    key_set(token_keys())


def _names(chosen: Settings) -> tuple[str, ...]:
    """The providers that send codes, the preferred ones first."""
    orders = (chosen.provider_order, *chosen.provider_routes.values())
    return tuple(dict.fromkeys(name for order in orders for name in order))


def _builder(chosen: Settings) -> "Callable[[str, Mapping[str, str]], Provider]":
    return lambda name, credentials: registry.build(name, credentials, chosen)


def credentials(provider: str) -> "Mapping[str, str]":
    """A provider's current credentials. Raises `ServiceMisconfigured`."""
    return _secret_cache(settings()).credentials(provider)


def _secret_cache(chosen: Settings) -> SecretCache:
    return SecretCache(
        _client("secretsmanager", SECRETS_TIMEOUTS),
        chosen.provider_secret_arn,
        chosen.pepper_secret_arn,
        time.time,
    )


def _store(chosen: Settings) -> DynamoStore:
    return DynamoStore(_dynamodb(), chosen.table_name, _users(chosen))


def _users(chosen: Settings) -> "UsersTable | None":
    if not chosen.users_table_name:
        return None
    from sms_otp.adapters.dynamodb.users import UsersTable

    retention = Retention(chosen.user_retention_days, chosen.verified_user_retention_days)
    return UsersTable(_dynamodb(), chosen.users_table_name, retention)


@cache
def _dynamodb() -> "DynamoDBClient":
    client: DynamoDBClient = _client("dynamodb", DYNAMODB_TIMEOUTS)
    return client


def policy(chosen: Settings) -> Policy:
    """The limits that a deployment's parameters set."""
    return Policy(
        code_length=chosen.code_length,
        code_ttl_seconds=chosen.code_life_seconds,
        max_attempts=chosen.max_attempts,
        admission=AdmissionPolicy(
            limits_by_country={EVERYWHERE: _number_limits(chosen)},
            spend=SpendPolicy(
                mode=Mode(chosen.pumping_guard),
                daily_cap=chosen.daily_spend_cap * USD,
                shards=shards_for(chosen.daily_spend_cap),
                network=Spans(chosen.client_sends_per_hour, chosen.client_sends_per_day),
                prices=Prices(
                    chosen.sms_prices, _priced(chosen.voice_countries), _priced(chosen.whatsapp_countries)
                ),
            ),
        ),
        countries=_places(chosen.allowed_countries),
        channel_countries={name: _places(named) for name, named in chosen.channel_countries.items()},
        trust_client_ip=chosen.trust_client_ip,
        require_verification_id=chosen.require_verification_id,
        keeps_users=bool(chosen.users_table_name),
        test_numbers=_test_numbers(chosen),
        test_numbers_end=chosen.test_numbers_end,
    )


def _places(countries: "Collection[str]") -> frozenset[str] | None:
    return None if "*" in countries else frozenset(countries)


def _priced(countries: "Mapping[str, float | None]") -> dict[str, float]:
    return {country: price for country, price in countries.items() if price is not None}


def _number_limits(chosen: Settings) -> LanePolicy:
    windows = (
        Window(chosen.sends_per_quarter_hour, 15 * MINUTE),
        Window(chosen.sends_per_hour, HOUR),
        Window(chosen.sends_per_day, DAY),
    )
    return LanePolicy.of(
        own=SendPolicy(
            windows,
            gap=to_milliseconds(chosen.resend_gap_seconds),
            gap_max=to_milliseconds(chosen.resend_gap_max_seconds),
        ),
        own_guesses=GuessPolicy(
            free=chosen.failures_before_wait,
            wait=to_milliseconds(chosen.failure_wait_seconds),
            wait_max=to_milliseconds(chosen.failure_wait_max_seconds),
            closed_at=chosen.failures_before_disabled,
        ),
    )


def _client(service: str, timeouts: "Mapping[str, Any]") -> Any:
    return clients.client(service, **timeouts, retries={"mode": "standard", "total_max_attempts": AWS_TRIES})
