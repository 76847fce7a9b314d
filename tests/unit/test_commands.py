"""What callers hand over, and what of it stands in no text."""

from sms_otp.domain.commands import Callback, Policy


def test_the_body_of_a_callback_stands_in_no_text_of_it() -> None:
    callback = Callback("/v1/webhooks/sinch", {"x-timestamp": "now"}, b"canary")
    assert "canary" not in repr(callback)
    assert "/v1/webhooks/sinch" in repr(callback)


def test_the_codes_of_test_numbers_stand_in_no_text_of_a_policy(policy: Policy) -> None:
    known = {"test_numbers": {"+14155550100": "246810"}}
    text = repr(Policy(**{name: getattr(policy, name) for name in policy.__slots__} | known))
    assert "246810" not in text
    assert "code_length" in text
