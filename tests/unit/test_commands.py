"""Records of what a caller sends hide numbers, codes, tokens and keys in their repr."""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import pytest

import sms_otp
from sms_otp.adapters import config
from sms_otp.adapters.providers import transport
from sms_otp.domain import callbacks, commands, keys, ports, provider, verification
from sms_otp.domain.commands import Callback, Policy
from sms_otp.use_cases import by_number

MODULES = (config, transport, callbacks, commands, keys, ports, provider, verification, by_number)

HIDDEN = {
    *("otp", "token", "device_token", "callback_key"),
    *("phone", "phone_number", "test_numbers"),
}
"""Fields that hold a number, a code, a token or a key, in any record."""
ALSO_HIDDEN = {
    ("Callback", "body"),
    ("CodeMessage", "app_hash"),
    ("HttpResponse", "body"),
    ("Peppers", "current"),
    ("Peppers", "previous"),
    ("RequestOtp", "app_hash"),
    ("Verification", "app_hash"),
}


def test_the_repr_of_a_callback_hides_its_body() -> None:
    callback = Callback("/v1/webhooks/sinch", {"x-timestamp": "now"}, b"canary")
    assert "canary" not in repr(callback)
    assert "/v1/webhooks/sinch" in repr(callback)


def test_the_repr_of_a_policy_hides_the_codes_of_test_numbers(policy: Policy) -> None:
    known = {"test_numbers": {"+14155550100": "246810"}}
    text = repr(Policy(**{name: getattr(policy, name) for name in policy.__slots__} | known))
    assert "246810" not in text
    assert "code_length" in text


def records(modules: Iterable[ModuleType]) -> list[Any]:
    """The dataclasses that these modules define and that have something to hide."""
    found = []
    for module in modules:
        classes = filter(inspect.isclass, vars(module).values())
        found += [each for each in classes if each.__module__ == module.__name__]
    return [each for each in found if dataclasses.is_dataclass(each) and hidden(each)]


def hidden(record: Any) -> set[str]:
    names = {each.name for each in dataclasses.fields(record)}
    return {name for name in names if name in HIDDEN or (record.__name__, name) in ALSO_HIDDEN}


@pytest.mark.parametrize("record", records(MODULES))
def test_the_repr_of_a_record_hides_numbers_codes_tokens_and_keys(record: Any) -> None:
    shown = object.__new__(record)
    for each in dataclasses.fields(record):
        object.__setattr__(shown, each.name, "canary" if each.name in hidden(record) else None)
    assert "canary" not in repr(shown)


def test_every_record_with_something_to_hide_is_tried() -> None:
    names = [module.name for module in pkgutil.walk_packages(sms_otp.__path__, "sms_otp.")]
    every = records(importlib.import_module(name) for name in names)
    assert {*every} == {*records(MODULES)}
    found = {(each.__name__, name) for each in every for name in hidden(each)}
    assert found >= ALSO_HIDDEN
    assert {name for _, name in found} >= HIDDEN
