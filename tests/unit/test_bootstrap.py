"""The parameters of a deployment reach the limits that they are named after, in the limits' own units."""

import dataclasses
from typing import Any

import pytest

from local.template import environment
from sms_otp.adapters.config import Settings
from sms_otp.domain.budgets import Spans
from sms_otp.domain.clock import Milliseconds
from sms_otp.domain.commands import Policy
from sms_otp.domain.guard import Mode
from sms_otp.domain.limits import DAY, HOUR, MINUTE, GuessPolicy, SendPolicy, Window
from sms_otp.domain.prices import USD, Prices
from sms_otp.domain.provider import Channel
from sms_otp.domain.spending import SpendPolicy
from sms_otp.entry_points import bootstrap

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


def test_each_limit_is_the_parameter_that_is_named_after_it() -> None:
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
def test_a_channel_other_than_sms_goes_where_its_own_list_says(
    country: str, channel: Channel, allowed: bool
) -> None:
    assert policy_of().allows(country, channel) is allowed


@pytest.mark.parametrize("channel", [Channel.VOICE, Channel.WHATSAPP])
def test_no_channel_but_sms_goes_anywhere_by_default(channel: Channel) -> None:
    policy = bootstrap.policy(Settings.from_environment(environment()))
    assert policy.allows("US", Channel.SMS)
    assert not policy.allows("US", channel)


@pytest.mark.parametrize("flag", [True, False])
def test_each_flag_is_the_parameter_that_is_named_after_it(flag: bool) -> None:
    assert policy_of(trust_client_ip=flag, require_verification_id=not flag).trust_client_ip is flag
    assert policy_of(require_verification_id=flag, trust_client_ip=not flag).require_verification_id is flag
    assert policy_of(users_table_name="users" if flag else "").keeps_users is flag


def test_test_numbers_are_known_by_their_canonical_spelling_and_until_their_end() -> None:
    policy = policy_of()
    assert policy.test_numbers == {"+522221234567": "246810"}
    assert policy.test_numbers_end == 1_900_000_000


def test_a_price_is_the_deployments_own_or_one_of_the_tables() -> None:
    prices = policy_of().admission.spend.prices
    assert [prices.of(country, "sms") for country in ("US", "IN")] == [10_000, 70_000]
    assert [prices.of(country, "voice") for country in ("GB", "US", "IN")] == [200_000, 15_000, 100_000]
    assert [prices.of(country, "whatsapp") for country in ("IN", "US")] == [10_000, 10_000]
    assert [Prices(whatsapp={"BR": 0.03}).of(country, "whatsapp") for country in ("BR", "ZM")] == [
        30_000,
        270_000,
    ]
    assert Prices({"US": 0.0}).of("US", "sms") == 1, "a code that costs nothing would end no budget"


def test_every_provider_that_codes_are_sent_by_is_named_once_the_preferred_ones_first() -> None:
    defaults = Settings.from_environment(environment())
    routed = dataclasses.replace(
        defaults,
        provider_order=("sinch", "infobip"),
        provider_routes={"IN": ("infobip", "aws"), "FR": ("sinch",)},
    )
    assert bootstrap._names(routed) == ("sinch", "infobip", "aws")
