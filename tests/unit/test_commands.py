"""What callers hand over, and what of it stands in no text."""

import dataclasses
import importlib
import inspect
import pkgutil
from typing import Any

import pytest

import sms_otp
from sms_otp.domain.commands import Callback, Policy

HIDDEN = {
    *("otp", "token", "device_token", "callback_key"),
    *("phone", "phone_number", "test_numbers"),
}
"""Fields that hold a number, a code, a token or a key, in whichever record."""
ALSO_HIDDEN = {
    ("Callback", "body"),
    ("CodeMessage", "app_hash"),
    ("HttpResponse", "body"),
    ("Peppers", "current"),
    ("Peppers", "previous"),
    ("RequestOtp", "app_hash"),
    ("Verification", "app_hash"),
}


def test_the_body_of_a_callback_stands_in_no_text_of_it() -> None:
    callback = Callback("/v1/webhooks/sinch", {"x-timestamp": "now"}, b"canary")
    assert "canary" not in repr(callback)
    assert "/v1/webhooks/sinch" in repr(callback)


def test_the_codes_of_test_numbers_stand_in_no_text_of_a_policy(policy: Policy) -> None:
    known = {"test_numbers": {"+14155550100": "246810"}}
    text = repr(Policy(**{name: getattr(policy, name) for name in policy.__slots__} | known))
    assert "246810" not in text
    assert "code_length" in text


def records() -> list[Any]:
    """Every dataclass of the code."""
    found = []
    for module in pkgutil.walk_packages(sms_otp.__path__, "sms_otp."):
        members = vars(importlib.import_module(module.name)).values()
        found += [each for each in members if inspect.isclass(each) and each.__module__ == module.name]
    return [each for each in found if dataclasses.is_dataclass(each)]


def hidden(record: Any) -> set[str]:
    names = {each.name for each in dataclasses.fields(record)}
    return {name for name in names if name in HIDDEN or (record.__name__, name) in ALSO_HIDDEN}


@pytest.mark.parametrize("record", [each for each in records() if hidden(each)])
def test_no_text_of_a_record_shows_a_number_code_token_or_key(record: Any) -> None:
    shown = object.__new__(record)
    for each in dataclasses.fields(record):
        object.__setattr__(shown, each.name, "canary" if each.name in hidden(record) else None)
    assert "canary" not in repr(shown)


def test_every_field_that_is_to_be_hidden_is_one_of_a_record() -> None:
    found = {(each.__name__, name) for each in records() for name in hidden(each)}
    assert found >= ALSO_HIDDEN
    assert {name for _, name in found} >= HIDDEN
