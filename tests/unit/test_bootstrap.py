"""The parameters of a deployment reach the limits that they are named after, in the limits' own units."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from local.template import environment
from sms_otp.adapters.aws import clients
from sms_otp.adapters.config import Settings, settings
from sms_otp.adapters.providers import registry
from sms_otp.domain.budgets import Spans
from sms_otp.domain.clock import Milliseconds
from sms_otp.domain.commands import Policy
from sms_otp.domain.guard import Mode
from sms_otp.domain.limits import DAY, HOUR, MINUTE, GuessPolicy, SendPolicy, Window
from sms_otp.domain.prices import USD, Prices
from sms_otp.domain.provider import Channel
from sms_otp.domain.spending import SpendPolicy
from sms_otp.domain.users import Retention
from sms_otp.entry_points import bootstrap
from sms_otp.use_cases.tokens import TokenIssuer

CHOSEN: dict[str, Any] = {
    "code_length": 7,
    "code_life_seconds": 120,
    "max_attempts": 4,
    "resend_gap_seconds": 31,
    "resend_gap_max_seconds": 241,
    "sends_per_quarter_hour": 11,
    "sends_per_hour": 12,
    "sends_per_day": 13,
    "failures_before_wait": 6,
    "failure_wait_seconds": 33,
    "failure_wait_max_seconds": 3601,
    "failures_before_disabled": 99,
    "client_sends_per_hour": 14,
    "client_sends_per_day": 15,
    "daily_spend_cap": 250,
    "pumping_guard": "record",
    "allowed_countries": ("US", "GB"),
    "sms_prices": {"US": 0.01, "*": 0.07},
    "voice_countries": {"GB": 0.2, "US": None},
    "whatsapp_countries": {"*": None, "IN": 0.01},
    "users_table_name": "users",
    "test_numbers": {"+5212221234567": "246810"},
    "test_numbers_end": 1_900_000_000,
}


def policy_of(**changes: Any) -> Policy:
    defaults = Settings.from_environment(environment())
    return bootstrap.policy(dataclasses.replace(defaults, **CHOSEN | changes))


def test_each_limit_has_the_value_of_its_parameter() -> None:
    policy = policy_of()
    assert (policy.code_length, policy.code_ttl_seconds, policy.max_attempts) == (7, 120, 4)
    admission = policy.admission
    limits = policy.number_limits("US")
    windows = (Window(11, 15 * MINUTE), Window(12, HOUR), Window(13, DAY))
    assert limits.own == SendPolicy(windows, gap=Milliseconds(31_000), gap_max=Milliseconds(241_000))
    assert limits.own_guesses == GuessPolicy(6, Milliseconds(33_000), Milliseconds(3_601_000), 19)
    assert limits.stranger_guesses == GuessPolicy(24, Milliseconds(33_000), Milliseconds(3_601_000), 80)
    assert limits.disabled_at == 99
    assert admission.spend == SpendPolicy(
        Mode.RECORD, 250 * USD, 3, Spans(14, 15), Prices({"US": 0.01, "*": 0.07}, {"GB": 0.2}, {"IN": 0.01})
    )


@pytest.mark.parametrize(("listed", "countries"), [(("US", "GB"), frozenset({"US", "GB"})), (("*",), None)])
def test_a_star_is_every_country(listed: tuple[str, ...], countries: frozenset[str] | None) -> None:
    assert policy_of(allowed_countries=listed).countries == countries


@pytest.mark.parametrize(
    ("country", "channel", "allowed"),
    [
        ("GB", Channel.SMS, True),
        ("GB", Channel.VOICE, True),
        ("IN", Channel.VOICE, False),
        ("IN", Channel.WHATSAPP, True),
    ],
)
def test_voice_and_whatsapp_are_allowed_by_their_own_country_lists(
    country: str, channel: Channel, allowed: bool
) -> None:
    assert policy_of().allows(country, channel) is allowed


@pytest.mark.parametrize("channel", [Channel.VOICE, Channel.WHATSAPP])
def test_only_sms_is_allowed_by_default(channel: Channel) -> None:
    policy = bootstrap.policy(Settings.from_environment(environment()))
    assert policy.allows("US", Channel.SMS)
    assert not policy.allows("US", channel)


@pytest.mark.parametrize("flag", [True, False])
def test_each_flag_has_the_value_of_its_parameter(flag: bool) -> None:
    assert policy_of(trust_client_ip=flag, require_verification_id=not flag).trust_client_ip is flag
    assert policy_of(require_verification_id=flag, trust_client_ip=not flag).require_verification_id is flag
    assert policy_of(users_table_name="users" if flag else "").keeps_users is flag


def test_test_numbers_have_their_canonical_spelling_and_their_end() -> None:
    policy = policy_of()
    assert policy.test_numbers == {"+522221234567": "246810"}
    assert policy.test_numbers_end == 1_900_000_000


def test_a_price_comes_from_the_deployment_or_else_from_the_table() -> None:
    prices = policy_of().admission.spend.prices
    assert [prices.of(country, "sms") for country in ("US", "IN")] == [10_000, 70_000]
    assert [prices.of(country, "voice") for country in ("GB", "US", "IN")] == [200_000, 15_000, 100_000]
    assert [prices.of(country, "whatsapp") for country in ("IN", "US")] == [10_000, 10_000]
    assert [Prices(whatsapp={"BR": 0.03}).of(country, "whatsapp") for country in ("BR", "ZM")] == [
        30_000,
        270_000,
    ]
    assert Prices({"US": 0.0}).of("US", "sms") == 1, "a free code would never use up a budget"


def test_every_provider_is_listed_once_with_the_preferred_ones_first() -> None:
    defaults = Settings.from_environment(environment())
    routed = dataclasses.replace(
        defaults,
        provider_order=("sinch", "infobip"),
        provider_routes={"IN": ("infobip", "aws"), "FR": ("sinch",)},
    )
    assert bootstrap._names(routed) == ("sinch", "infobip", "aws")


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a deployment with every option in use."""
    made = dataclasses.replace(
        Settings.from_environment(environment()),
        table_name="a-table",
        users_table_name="users",
        user_retention_days=90,
        verified_user_retention_days=365,
        token_keys=(
            "arn:aws:kms:eu-west-1:123456789012:key/new",
            "arn:aws:kms:eu-west-1:123456789012:key/old",
        ),
        token_issuer="https://verify.example.com",
        provider_order=("sinch", "infobip"),
        provider_routes={"IN": ("aws",)},
        code_length=7,
    )
    monkeypatch.setattr(bootstrap, "settings", lambda: made)
    return made


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, chosen: Settings) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """The AWS clients that are created, each with its configuration."""
    del chosen
    clients_made: list[tuple[str, dict[str, Any]]] = []

    def client(service: str, **config: Any) -> object:
        clients_made.append((service, config))
        return object()

    monkeypatch.setattr(clients, "client", client)
    cached = [
        each for each in vars(bootstrap).values() if hasattr(each, "cache_clear") and each is not settings
    ]
    for each in cached:
        each.cache_clear()
    yield clients_made
    for each in cached:
        each.cache_clear()


TRIES = {"retries": {"mode": "standard", "total_max_attempts": 2}}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kms_client", {"kms": {"connect_timeout": 0.5, "read_timeout": 1.0}}),
        ("event_bus", {"events": {"connect_timeout": 1.0, "read_timeout": 2.0}}),
        ("lifecycle", {"dynamodb": {"connect_timeout": 0.5, "read_timeout": 0.5}}),
        (
            "by_number",
            {
                "dynamodb": {"connect_timeout": 0.5, "read_timeout": 0.5},
                "secretsmanager": {"connect_timeout": 1.0, "read_timeout": 1.0},
            },
        ),
    ],
)
def test_a_client_waits_no_longer_than_its_requests_may(
    made: list[tuple[str, dict[str, Any]]], name: str, expected: dict[str, dict[str, float]]
) -> None:
    getattr(bootstrap, name)()
    assert dict(made) == {service: timeouts | TRIES for service, timeouts in expected.items()}


@pytest.mark.usefixtures("made")
def test_tokens_are_signed_with_the_first_key_and_checked_with_all() -> None:
    issuer = bootstrap.service().issue_token
    assert isinstance(issuer, TokenIssuer)
    assert (issuer.signer.key_id, issuer.issuer) == ("new", "https://verify.example.com")
    assert [key.key_id for key in bootstrap.token_keys()] == ["new", "old"]


@pytest.mark.usefixtures("made")
def test_users_are_kept_as_long_as_the_deployment_says(chosen: Settings) -> None:
    users = bootstrap._users(chosen)
    assert users is not None
    assert (users._name, users._retention) == ("users", Retention(unverified=90, verified=365))
    assert bootstrap._users(dataclasses.replace(chosen, users_table_name="")) is None


@pytest.mark.usefixtures("made")
def test_every_use_case_knows_the_providers_of_its_deployment() -> None:
    webhooks, lifecycle = bootstrap.webhooks(), bootstrap.lifecycle()
    assert (webhooks.providers, webhooks.code_length) == (frozenset({"sinch", "infobip", "aws"}), 7)
    assert lifecycle.one_code_per_number == registry.ONE_CODE_PER_NUMBER & {"sinch", "infobip", "aws"}


def test_credentials_are_those_of_the_named_provider(
    monkeypatch: pytest.MonkeyPatch, chosen: Settings
) -> None:
    class SecretCache:
        def __init__(self, of: Settings) -> None:
            assert of == chosen

        def credentials(self, provider: str) -> dict[str, str]:
            return {"of": provider}

    monkeypatch.setattr(bootstrap, "_secret_cache", SecretCache)
    assert bootstrap.credentials("infobip") == {"of": "infobip"}
