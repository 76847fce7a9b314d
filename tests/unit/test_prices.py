"""The table of prices that applies where a deployment names none."""

from collections.abc import Mapping

import phonenumbers
import pytest

from sms_otp.domain.prices import EVERYWHERE, SMS_DOLLARS, SOURCES, VOICE_DOLLARS, Prices


@pytest.mark.parametrize("prices", [SMS_DOLLARS, VOICE_DOLLARS])
def test_a_price_is_above_zero_and_of_a_country_that_numbers_are_from(prices: Mapping[str, float]) -> None:
    assert prices.keys() - {EVERYWHERE} <= phonenumbers.SUPPORTED_REGIONS
    assert min(prices.values()) > 0


def test_each_price_of_an_sms_has_one_source() -> None:
    sourced = [country for countries in SOURCES for country in countries.split() if countries != "voice"]
    assert sorted(sourced) == sorted(SMS_DOLLARS)


@pytest.mark.parametrize("channel", ["sms", "voice", "whatsapp"])
def test_each_channel_has_a_price_for_a_country_without_its_own(channel: str) -> None:
    assert Prices().of("AQ", channel) == Prices().of(EVERYWHERE, channel) > 1
