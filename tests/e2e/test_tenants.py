"""Two API keys, two tenants: neither sees the other's verifications, by status, body or counters.

Only sends are counted per number across tenants, because every code costs its owner.
"""

from typing import Any

import pytest
import requests

from local.stack import LocalStack
from tests.e2e.conftest import Backend, fresh_number, passed

pytestmark = pytest.mark.e2e

UNKNOWN = "an-unknown-id"
GUESSES = 5
"""Attempts of a verification."""
STRANGERS_FREE_FAILURES = 20
"""Failures of all strangers together at one number and tenant before it locks."""


@pytest.fixture
def other(stack: LocalStack) -> Backend:
    """The second tenant, on the same deployment."""
    return Backend(stack, stack.second_api_key)


def seen(answer: requests.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    """All by which a caller can distinguish two answers, without the fields that differ in any two."""
    body = answer.json()
    del body["instance"]
    own = ("date", "x-amzn-requestid", "x-amz-apigw-id", "x-amzn-trace-id", "x-amz-request-id", "x-amz-id-2")
    return (
        answer.status_code,
        body,
        {name: value for name, value in answer.headers.items() if name.lower() not in own},
    )


def wrong(code: str) -> str:
    return "111111" if code != "111111" else "222222"


def record_of(backend: Backend, verification_id: str) -> dict[str, Any]:
    """What its own tenant sees of a verification, without the countdown."""
    answer = backend.post("/otp-status", {"verificationId": verification_id})
    assert answer.status_code == 200
    return {name: value for name, value in answer.json().items() if name != "resendAfter"}


def pending(backend: Backend, number: str) -> tuple[str, str]:
    return backend.requested(number), backend.code(number)


def verified(backend: Backend, number: str) -> tuple[str, str]:
    verification_id, code = pending(backend, number)
    assert backend.verify(verification_id, code).status_code == 200
    return verification_id, code


def locked(backend: Backend, number: str) -> tuple[str, str]:
    verification_id, code = pending(backend, number)
    for _ in range(GUESSES):
        assert backend.verify(verification_id, wrong(code)).status_code == 400
    return verification_id, code


def cancelled(backend: Backend, number: str) -> tuple[str, str]:
    verification_id, code = pending(backend, number)
    assert backend.post("/cancel-otp", {"verificationId": verification_id}).status_code == 200
    return verification_id, code


@pytest.mark.parametrize("state", [pending, verified, locked, cancelled])
def test_another_tenants_verification_is_answered_like_an_unknown_one(
    backend: Backend, other: Backend, state: Any
) -> None:
    number = fresh_number()
    verification_id, code = state(backend, number)
    calls, status = backend.every_call(number), record_of(backend, verification_id)
    for path, fields in (
        ("/verify-otp", {"otp": code}),
        ("/verify-otp", {"otp": wrong(code)}),
        ("/resend-otp", {}),
        ("/otp-status", {}),
        ("/cancel-otp", {}),
    ):
        foreign = other.post(path, {"verificationId": verification_id, **fields})
        assert seen(foreign) == seen(other.post(path, {"verificationId": UNKNOWN, **fields}))
        assert foreign.json()["errorCode"] == "VERIFICATION_NOT_FOUND"
    assert backend.every_call(number) == calls
    assert record_of(backend, verification_id) == status


def test_another_tenants_guesses_spend_no_attempt_of_verification_or_number(
    backend: Backend, other: Backend
) -> None:
    number = fresh_number()
    verification_id, code = pending(backend, number)
    for _ in range(2 * GUESSES):
        assert other.verify(verification_id, wrong(code)).status_code == 404
    assert backend.verify(verification_id, wrong(code)).json()["attemptsRemaining"] == GUESSES - 1
    assert backend.verify(verification_id, code).status_code == 200


def test_an_idempotency_key_belongs_to_one_tenant(backend: Backend, other: Backend) -> None:
    mine, theirs = fresh_number(), fresh_number()
    headers = {"Idempotency-Key": f"order-{mine}"}
    first = backend.post("/request-otp", {"phoneNumber": mine}, **headers)
    foreign = other.post("/request-otp", {"phoneNumber": theirs}, **headers)
    assert (first.status_code, foreign.status_code) == (200, 200)
    assert first.json()["verificationId"] != foreign.json()["verificationId"]
    assert len(backend.inbox(mine)) == len(backend.inbox(theirs)) == 1

    again = backend.post("/request-otp", {"phoneNumber": mine}, **headers)
    assert (again.status_code, again.json()) == (200, first.json())
    reused = backend.post("/request-otp", {"phoneNumber": theirs}, **headers)
    assert (reused.status_code, reused.json()["errorCode"]) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_an_idempotency_key_replays_no_answer_of_another_tenant(backend: Backend, other: Backend) -> None:
    number = fresh_number()
    headers = {"Idempotency-Key": f"order-{number}"}
    assert backend.post("/request-otp", {"phoneNumber": number}, **headers).status_code == 200
    refused = other.post("/request-otp", {"phoneNumber": number}, **headers)
    assert (refused.status_code, refused.json()["errorCode"]) == (429, "RATE_LIMITED")
    assert len(backend.inbox(number)) == 1


def test_a_number_gets_no_more_codes_because_two_tenants_ask(by_number: LocalStack) -> None:
    one, two = Backend(by_number, by_number.api_key), Backend(by_number, by_number.second_api_key)
    number = fresh_number()
    assert [tenant.request(number).status_code for tenant in (one, two, one)] == [200] * 3
    refusals = [tenant.request(number) for tenant in (one, two)]
    assert {refused.json()["errorCode"] for refused in refusals} == {"RATE_LIMITED"}
    assert len(one.inbox(number)) == 3


def test_wrong_codes_at_one_tenant_lock_the_number_only_there(by_number: LocalStack) -> None:
    one, two = Backend(by_number, by_number.api_key), Backend(by_number, by_number.second_api_key)
    number = fresh_number()
    mine, my_code = pending(one, number)
    theirs, their_code = pending(two, number)
    for _ in range(STRANGERS_FREE_FAILURES // GUESSES):
        passed(one, number, 3600)
        locked(one, number)

    waits = one.verify(mine, my_code)
    assert (waits.status_code, waits.json()["errorCode"]) == (429, "NUMBER_LOCKED")
    assert two.verify(theirs, wrong(their_code)).json()["attemptsRemaining"] == GUESSES - 1
    assert two.verify(theirs, their_code).status_code == 200
    assert one.verify(mine, my_code).json()["errorCode"] == "NUMBER_LOCKED"


def test_a_number_alone_names_no_verification_of_another_tenant(by_number: LocalStack) -> None:
    one, two = Backend(by_number, by_number.api_key), Backend(by_number, by_number.second_api_key)
    number, unused = fresh_number(), fresh_number()
    code = pending(one, number)[1]
    foreign = two.post("/verify-otp", {"phoneNumber": number, "otp": code})
    unknown = two.post("/verify-otp", {"phoneNumber": unused, "otp": code})
    assert seen(foreign) == seen(unknown)
    assert foreign.json()["errorCode"] == "VERIFICATION_NOT_FOUND"
    assert one.calls("check", number) == []
    assert one.post("/verify-otp", {"phoneNumber": number, "otp": code}).status_code == 200
