"""The values that are stored, measured and answered for channels, deliveries, checks and health."""

import pytest

from sms_otp.domain.clock import Seconds
from sms_otp.domain.provider import (
    Channel,
    Check,
    CircuitOpen,
    Delivery,
    Health,
    Misconfigured,
    NotSent,
    Sent,
)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (Channel, {"sms", "voice", "whatsapp"}),
        (Delivery, {"accepted", "delivered", "failed", "unknown"}),
        (Check, {"correct", "wrong", "expired", "exhausted", "unknown"}),
        (Health, {"up", "misconfigured", "down"}),
    ],
)
def test_each_enum_has_the_values_that_items_metrics_and_answers_hold(
    words: type[Channel], expected: set[str]
) -> None:
    assert {*words} == expected
    assert all(word.name == word.value.upper() for word in words)


def test_a_sent_code_is_accepted_and_not_delivered() -> None:
    assert Sent("ref") == Sent("ref", Delivery.ACCEPTED, None)


def test_a_failure_has_its_provider_reason_wait_and_status() -> None:
    failed = Misconfigured("sinch", "http_401", retry_after=Seconds(3), status=401)
    assert (failed.provider, failed.reason, failed.retry_after, failed.status) == (
        "sinch",
        "http_401",
        3,
        401,
    )
    assert str(failed) == "sinch: http_401"
    bare = CircuitOpen("sinch", "circuit_open")
    assert (bare.retry_after, bare.status) == (None, None)
    assert isinstance(bare, NotSent)
