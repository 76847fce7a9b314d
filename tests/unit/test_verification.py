"""The verifications that may be guessed at, and the errors of a guess at any other."""

import dataclasses
from typing import Any

import pytest

from fakes.memory import START, a_verification
from sms_otp.domain.clock import Seconds
from sms_otp.domain.verification import (
    Guess,
    State,
    Verification,
    cancel_error,
    consume_error,
    guess_error,
    status_of,
)

NOW = Seconds(int(START))


def a_guess(**changes: Any) -> Guess:
    whole: dict[str, Any] = {
        "key": a_verification().key,
        "tenant": "tenant-a",
        "now": NOW,
        "max_attempts": 5,
    }
    return Guess(**whole | changes)


def code(found: Verification | None, guess: Guess) -> str | None:
    refused = guess_error(found, guess)
    return None if refused is None else refused.code


def test_a_pending_verification_may_be_guessed_at() -> None:
    assert guess_error(a_verification(), a_guess()) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"state": State.VERIFIED}, "ALREADY_VERIFIED"),
        ({"state": State.CANCELLED}, "VERIFICATION_CANCELLED"),
        ({"state": State.FAILED}, "VERIFICATION_CANCELLED"),
        ({"attempts": 5}, "TOO_MANY_ATTEMPTS"),
        ({"attempts": 4}, None),
        ({"provider_ref": None}, "VERIFICATION_NOT_FOUND"),
    ],
)
def test_the_state_decides_the_error_of_a_guess(changes: dict[str, Any], expected: str | None) -> None:
    assert code(a_verification(**changes), a_guess()) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(-1, None), (0, "OTP_EXPIRED"), (1, "OTP_EXPIRED")])
def test_a_code_ends_at_the_second_of_its_expiry(seconds: int, expected: str | None) -> None:
    found = a_verification()
    assert code(found, a_guess(now=found.expires_at + seconds)) == expected


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(
    "stranger",
    [
        {"tenant": "tenant-b"},
        {"session_hash": "another"},
        {"session_hash": None},
        {"phone": "+14155550199"},
    ],
)
def test_a_stranger_gets_the_error_of_a_missing_verification(state: State, stranger: dict[str, Any]) -> None:
    found = a_verification(state=state, attempts=5, session_hash="mine")
    guess = dataclasses.replace(a_guess(session_hash="mine", now=NOW + 999), **stranger)
    assert code(found, guess) == "VERIFICATION_NOT_FOUND" == code(None, guess)


def test_a_session_for_a_verification_without_one_is_a_stranger() -> None:
    assert code(a_verification(), a_guess(session_hash="any")) == "VERIFICATION_NOT_FOUND"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, "VERIFICATION_NOT_FOUND"),
        (a_verification(state=State.VERIFIED), "ALREADY_VERIFIED"),
        (a_verification(state=State.CANCELLED), "VERIFICATION_CANCELLED"),
        (a_verification(), "OTP_EXPIRED"),
    ],
)
def test_a_right_code_that_comes_too_late_gets_the_reason(found: Verification | None, expected: str) -> None:
    assert consume_error(found).code == expected


def test_spent_guesses_are_answered_with_the_seconds_until_the_code_ends() -> None:
    found = a_verification(attempts=5)
    refused = guess_error(found, a_guess(now=found.expires_at - 17))
    assert refused is not None
    assert (refused.retry_after, refused.attempts_remaining) == (17, 0)


@pytest.mark.parametrize(
    ("changes", "tenant", "expected"),
    [
        ({}, "tenant-a", None),
        ({"state": State.CANCELLED}, "tenant-a", None),
        ({"state": State.VERIFIED}, "tenant-a", "ALREADY_VERIFIED"),
        ({"state": State.VERIFIED}, "tenant-b", "VERIFICATION_NOT_FOUND"),
        ({}, "tenant-b", "VERIFICATION_NOT_FOUND"),
    ],
)
def test_a_cancellation_by_a_stranger_or_after_verification_is_refused(
    changes: dict[str, Any], tenant: str, expected: str | None
) -> None:
    refused = cancel_error(a_verification(**changes), tenant)
    assert (None if refused is None else refused.code) == expected
    assert getattr(cancel_error(None, tenant), "code", None) == "VERIFICATION_NOT_FOUND"


@pytest.mark.parametrize(
    ("changes", "seconds", "expected"),
    [
        ({}, -1, "pending"),
        ({}, 0, "expired"),
        ({"attempts": 4}, -1, "pending"),
        ({"attempts": 5}, -1, "locked"),
        ({"attempts": 6}, -1, "locked"),
        ({"attempts": 5}, 0, "expired"),
        ({"state": State.FAILED}, 0, "failed"),
    ],
)
def test_a_status_is_computed_from_the_clock_and_the_guesses(
    changes: dict[str, Any], seconds: int, expected: str
) -> None:
    found = a_verification(**changes)
    assert status_of(found, Seconds(found.expires_at + seconds), 5) == expected
