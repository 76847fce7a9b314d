"""The provider of the numbers whose code a parameter fixes."""

import pytest

from sms_otp.adapters.providers.test_numbers import FixedCodes
from sms_otp.domain.clock import Deadline, Seconds
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.provider import Channel, Check, CodeMessage, Sent

NUMBER = "+14155550100"
DEADLINE = Deadline(10)
PROVIDER = FixedCodes({NUMBER: "246810"})
MESSAGE = CodeMessage(
    PhoneNumber(NUMBER, "ZZ", is_test=True),
    channel=Channel.SMS,
    locale=None,
    reference="our-reference",
    ttl_seconds=Seconds(300),
)


def test_the_number_is_the_reference_of_every_send() -> None:
    assert PROVIDER.send(MESSAGE, DEADLINE) == Sent(NUMBER)
    assert PROVIDER.resend(NUMBER, MESSAGE, DEADLINE) == Sent(NUMBER, is_same_code=True)


@pytest.mark.parametrize(
    ("ref", "otp", "check"),
    [
        (NUMBER, "246810", Check.CORRECT),
        (NUMBER, "246811", Check.WRONG),
        ("+14155550101", "246810", Check.UNKNOWN),
    ],
)
def test_only_the_fixed_code_is_right(ref: str, otp: str, check: Check) -> None:
    assert PROVIDER.check(ref, otp, channel=Channel.SMS, deadline=DEADLINE) is check
