"""Which provider is asked, and what happens when it refuses our credentials."""

from collections.abc import Mapping
from typing import ClassVar

import pytest

from sms_otp.clock import Deadline
from sms_otp.errors import ServiceMisconfigured
from sms_otp.phone import PhoneNumber
from sms_otp.providers.base import Channel, Check, Misconfigured, Sent
from sms_otp.providers.fixed import FixedCodes
from sms_otp.providers.router import Router

TO = PhoneNumber("+14155550123", "US")
TESTS = FixedCodes({"+14155550100": "246810"})


class Vault:
    """Holds one key per provider; `rotated` is what a fresh look finds."""

    def __init__(self, rotated: str = "old-key") -> None:
        self.key, self.rotated, self.forgotten = "old-key", rotated, 0

    def credentials(self, provider: str) -> Mapping[str, str]:
        return {"provider": provider, "key": self.key}

    def forget_credentials(self) -> None:
        self.key, self.forgotten = self.rotated, self.forgotten + 1


class KeyedProvider:
    """Takes one key and refuses every other as a 401 would."""

    name: ClassVar[str] = "keyed"
    channels: ClassVar[frozenset[Channel]] = frozenset(Channel)
    asked: ClassVar[list[str]] = []

    def __init__(self, credentials: Mapping[str, str], right_key: str) -> None:
        self.credentials, self.right_key = credentials, right_key

    def _ask(self) -> None:
        self.asked.append(self.credentials["key"])
        if self.credentials["key"] != self.right_key:
            raise Misconfigured(self.credentials["provider"], "http_401")

    def send(
        self, to: PhoneNumber, *, channel: Channel, locale: str | None, reference: str, deadline: Deadline
    ) -> Sent:
        del to, channel, locale, deadline
        self._ask()
        return Sent(ref=f"{self.credentials['provider']}:{reference}")

    def check(self, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        del ref, otp, channel, deadline
        self._ask()
        return Check.CORRECT


@pytest.fixture(autouse=True)
def _nobody_was_asked() -> None:
    KeyedProvider.asked.clear()


def router(vault: Vault, right_key: str = "old-key", order: tuple[str, ...] = ("infobip", "sinch")) -> Router:
    return Router(order, vault, lambda _, credentials: KeyedProvider(credentials, right_key), TESTS)


def send(asked: Router) -> tuple[str, Sent]:
    return asked.send(TO, channel=Channel.SMS, locale=None, reference="r", deadline=Deadline(5))


def check(asked: Router, holder: str) -> Check:
    return asked.check(holder, "ref", "123456", channel=Channel.SMS, deadline=Deadline(5))


@pytest.mark.parametrize("order", [("infobip", "sinch"), ("sinch", "infobip"), ("sinch",)])
def test_the_first_of_the_order_sends(order: tuple[str, ...]) -> None:
    assert send(router(Vault(), order=order)) == (order[0], Sent(ref=f"{order[0]}:r"))


def test_the_holder_of_a_code_checks_it_even_if_it_no_longer_sends() -> None:
    assert check(router(Vault(), order=("sinch",)), "infobip") is Check.CORRECT


def test_a_provider_is_built_once_for_the_same_credentials() -> None:
    built: list[str] = []

    def build(name: str, credentials: Mapping[str, str]) -> KeyedProvider:
        built.append(name)
        return KeyedProvider(credentials, "old-key")

    asked = Router(("infobip",), Vault(), build, TESTS)
    for _ in range(3):
        send(asked)
    assert built == ["infobip"]


def test_refused_credentials_are_fetched_anew_once_and_the_request_goes_through() -> None:
    vault = Vault(rotated="new-key")
    assert send(router(vault, right_key="new-key"))[0] == "infobip"
    assert KeyedProvider.asked == ["old-key", "new-key"]
    assert vault.forgotten == 1


def test_credentials_that_are_still_the_same_are_not_tried_again() -> None:
    with pytest.raises(Misconfigured):
        check(router(Vault(), right_key="another"), "infobip")
    assert KeyedProvider.asked == ["old-key"]


def test_fresh_credentials_that_are_refused_too_are_the_end_of_it() -> None:
    with pytest.raises(Misconfigured):
        send(router(Vault(rotated="new-key"), right_key="another"))
    assert KeyedProvider.asked == ["old-key", "new-key"]


def test_an_empty_order_is_a_misconfiguration() -> None:
    with pytest.raises(ServiceMisconfigured) as refused:
        router(Vault(), order=())
    assert refused.value.reason == "environment variable PROVIDER_ORDER"


@pytest.mark.parametrize(
    ("ref", "otp", "expected"),
    [
        ("+14155550100", "246810", Check.CORRECT),
        ("+14155550100", "246811", Check.WRONG),
        ("+14155550199", "246810", Check.UNKNOWN),
    ],
)
def test_a_test_number_has_its_fixed_code_and_no_provider_is_asked(
    ref: str, otp: str, expected: Check
) -> None:
    asked = router(Vault())
    to = PhoneNumber("+14155550100", "ZZ", is_test=True)
    sent = asked.send(to, channel=Channel.SMS, locale=None, reference="r", deadline=Deadline(5))
    assert sent == ("test", Sent(ref="+14155550100"))
    assert asked.check("test", ref, otp, channel=Channel.SMS, deadline=Deadline(5)) is expected
    assert KeyedProvider.asked == []
