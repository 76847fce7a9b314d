"""The emulated AWS enforces IAM: without a permission the function fails, and no code is sent or verified.

So every other end-to-end test also shows that no permission is missing.
"""

import contextlib
import json
from collections.abc import Iterator

import pytest
import requests

from local.stack import LocalStack
from tests.e2e.conftest import Backend, fresh_number

pytestmark = pytest.mark.e2e


@contextlib.contextmanager
def without(stack: LocalStack, role: str, action: str) -> Iterator[None]:
    """The role as deployed, less one action."""
    iam = stack.client("iam")
    name = stack.physical_id(role)
    (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
    document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(_less(document, action)))
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))


def _less(document: dict[str, list[dict[str, object]]], action: str) -> dict[str, object]:
    (holder,) = [statement for statement in document["Statement"] if action in _actions(statement)]
    kept = [allowed for allowed in _actions(holder) if allowed != action]
    # A statement without actions is no policy.
    others = [each for each in document["Statement"] if kept or each is not holder]
    changed = [{**each, "Action": kept} if each is holder else each for each in others]
    return {**document, "Statement": changed}


def _actions(statement: dict[str, object]) -> list[str]:
    actions = statement["Action"]
    return actions if isinstance(actions, list) else [str(actions)]


def outcome(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json().get("errorCode"))


@pytest.mark.parametrize("action", ["dynamodb:BatchGetItem", "dynamodb:UpdateItem", "dynamodb:PutItem"])
def test_a_request_that_may_not_be_reserved_sends_nothing(backend: Backend, action: str) -> None:
    number = fresh_number()
    with without(backend.stack, "RequestOtpRole", action):
        assert outcome(backend.request(number)) == (500, "INTERNAL_ERROR")
    assert backend.calls("send", number) == []
    backend.requested(number)


def test_a_reservation_that_may_not_be_taken_back_stays(backend: Backend) -> None:
    number = fresh_number()
    for provider in ("infobip", "sinch"):
        backend.spoil(provider, "send", "redirect")
    with without(backend.stack, "RequestOtpRole", "dynamodb:DeleteItem"):
        assert outcome(backend.request(number)) == (503, "PROVIDER_UNAVAILABLE")
    assert outcome(backend.request(number)) == (429, "RATE_LIMITED")
    assert backend.inbox(number) == []


def test_a_guess_that_may_not_be_stored_verifies_nobody(backend: Backend) -> None:
    number = fresh_number()
    verification_id = backend.requested(number)
    code = backend.code(number)
    with without(backend.stack, "VerifyOtpRole", "dynamodb:UpdateItem"):
        assert outcome(backend.verify(verification_id, code)) == (500, "INTERNAL_ERROR")
    assert backend.calls("check", number) == []
    # Nobody was verified: otherwise this would be ALREADY_VERIFIED.
    wrong = "111111" if code != "111111" else "222222"
    assert outcome(backend.verify(verification_id, wrong)) == (400, "OTP_INCORRECT")


def test_a_number_alone_finds_its_verification_only_where_the_table_may_be_read(
    by_number: LocalStack,
) -> None:
    backend = Backend(by_number, by_number.api_key)
    number = fresh_number()
    backend.requested(number)
    guess = {"phoneNumber": number, "otp": backend.code(number)}
    with without(by_number, "VerifyOtpRole", "dynamodb:BatchGetItem"):
        assert outcome(backend.post("/verify-otp", guess)) == (500, "INTERNAL_ERROR")
    assert backend.calls("check", number) == []
    assert backend.post("/verify-otp", guess).status_code == 200


@pytest.mark.parametrize("action", ["dynamodb:BatchGetItem", "dynamodb:UpdateItem"])
def test_a_resend_that_may_not_be_reserved_sends_nothing(by_number: LocalStack, action: str) -> None:
    backend = Backend(by_number, by_number.api_key)
    number = fresh_number()
    again = {"verificationId": backend.requested(number)}
    with without(by_number, "ResendOtpRole", action):
        assert outcome(backend.post("/resend-otp", again)) == (500, "INTERNAL_ERROR")
    assert len(backend.inbox(number)) == 1
    assert backend.post("/resend-otp", again).status_code == 200
    assert len(backend.inbox(number)) == 2
