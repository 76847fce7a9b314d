"""A device token is valid only for its own number, tenant, pepper and lifetime."""

import base64

import pytest

from fakes.memory import PEPPER, START
from sms_otp.domain import device_token
from sms_otp.domain.clock import Seconds
from sms_otp.domain.device_token import LIFE_SECONDS
from sms_otp.domain.keys import Peppers

NUMBER, NOW = "+14155550123", Seconds(START)
NEW = "another-pepper-for-tests-that-is-long-enough"
TOKEN = device_token.made(PEPPER, "tenant-a", NUMBER, NOW, "a-verification")


def issued_at(
    token: str | None = TOKEN,
    peppers: Peppers = Peppers(PEPPER),  # noqa: B008 # frozen
    tenant: str = "tenant-a",
    number: str = NUMBER,
    now: Seconds = NOW,
) -> int | None:
    return device_token.issued_at(token, peppers, tenant, number, now)


def test_a_token_says_when_its_number_was_verified_at_its_tenant() -> None:
    assert issued_at() == NOW


def test_each_verification_has_a_device_token_of_its_own() -> None:
    assert device_token.made(PEPPER, "tenant-a", NUMBER, NOW, "a-verification") == TOKEN
    assert device_token.made(PEPPER, "tenant-a", NUMBER, NOW, "another") != TOKEN


def test_the_form_of_a_token_is_pinned() -> None:
    """Tokens outlive deployments: a new form is a new version, beside the old one."""
    assert TOKEN == "AQBrSdIApHU-xrUm74SHs3BCvZ3ijQRrVDaU5WZN61ZxvtOEkYbRaRzbyTAr2ZNrqus"


@pytest.mark.parametrize(
    "other", [{"tenant": "tenant-b"}, {"number": "+14155550124"}, {"peppers": Peppers(NEW)}]
)
def test_a_token_is_invalid_for_another_tenant_number_or_pepper(other: dict[str, str]) -> None:
    assert issued_at(**other) is None  # type: ignore[arg-type] # one of several kinds


@pytest.mark.parametrize("peppers", [Peppers(NEW, PEPPER), Peppers(PEPPER, NEW)])
def test_a_token_is_accepted_under_either_pepper_while_it_rotates(peppers: Peppers) -> None:
    assert issued_at(peppers=peppers) == NOW


def test_a_token_is_valid_for_ninety_days_from_its_issue() -> None:
    assert issued_at(now=NOW + LIFE_SECONDS - Seconds(1)) == NOW
    assert issued_at(now=NOW + LIFE_SECONDS) is None
    assert issued_at(now=NOW - Seconds(1)) is None


def test_any_changed_bit_makes_a_token_invalid() -> None:
    raw = base64.urlsafe_b64decode(TOKEN + "=")
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        assert issued_at(base64.urlsafe_b64encode(bytes(changed)).rstrip(b"=").decode()) is None


@pytest.mark.parametrize(
    "token",
    [None, "", "a", TOKEN + "=", TOKEN[:-1], TOKEN + "A", f" {TOKEN}", TOKEN.replace("-", "+"), "é" * 67],
)
def test_a_token_in_any_other_spelling_is_invalid(token: str | None) -> None:
    assert issued_at(token) is None
