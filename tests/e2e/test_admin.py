"""Administrators sign their requests; the emulated AWS checks that, and tells the function who it was."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.stack import LocalStack
from local.stack_file import REGION
from tests.e2e.conftest import Backend, fresh_number
from tests.e2e.test_iam_enforced import outcome, without

pytestmark = pytest.mark.e2e

ROOT_KEY = Credentials("test", "test")
CONSENT = {"textVersion": "terms-2026-11", "source": "sign-up-form"}
PATHS = ("/admin/number-status", "/admin/unlock-number", "/admin/erase-number")


@pytest.fixture
def backend(keeping: LocalStack) -> Backend:
    return Backend(keeping, keeping.api_key)


@pytest.fixture
def stranger(keeping: LocalStack) -> Iterator[Credentials]:
    """Of an IAM user who may do nothing."""
    iam = keeping.client("iam")
    iam.create_user(UserName="stranger")
    key = iam.create_access_key(UserName="stranger")["AccessKey"]
    yield Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    iam.delete_access_key(UserName="stranger", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="stranger")


def admin(stack: LocalStack, path: str, number: str, signer: Credentials = ROOT_KEY) -> requests.Response:
    """A signed request."""
    body = json.dumps({"phoneNumber": number})
    request = AWSRequest("POST", f"{stack.base_url}{path}", {"Content-Type": "application/json"}, body)
    SigV4Auth(signer, "execute-api", REGION).add_auth(request)
    return requests.post(str(request.url), data=body, headers=dict(request.headers), timeout=30)


def everything(stack: LocalStack) -> str:
    """All that the tables hold."""
    client = stack.client("dynamodb")
    items: list[dict[str, Any]] = []
    for table in (stack.physical_id("Table"), stack.physical_id("UsersTable")):
        for page in client.get_paginator("scan").paginate(TableName=table):
            items += page["Items"]
    return json.dumps(items)


def test_a_number_is_looked_at_and_erased_with_its_consent(backend: Backend) -> None:
    stack, number = backend.stack, fresh_number()
    verification_id = backend.requested(number, purpose="sign-up", consent=CONSENT)
    assert backend.verify(verification_id, backend.code(number)).status_code == 200

    status = admin(stack, "/admin/number-status", number)
    assert status.status_code == 200, status.text
    (user,) = status.json()["users"]
    assert (user["status"], user["purposes"]) == ("verified", ["sign-up"])
    assert CONSENT.items() <= user["consent"].items()
    assert status.json()["verifications"][0]["status"] == "verified"
    assert number in everything(stack)

    erased = admin(stack, "/admin/erase-number", number).json()
    assert {"users": 1, "verifications": 1}.items() <= erased["erased"].items()
    assert number.removeprefix("+") not in everything(stack)
    assert (erased["complete"], erased["repeatAfter"]) == (False, 30), "the code could still be guessed at"
    assert admin(stack, "/admin/number-status", number).json()["users"] == []


def test_an_administrators_unlocking_lets_the_number_be_guessed_at_again(backend: Backend) -> None:
    number = fresh_number()
    verification_id = backend.requested(number)
    code = backend.code(number)
    wrong = "111111" if code != "111111" else "222222"
    for _ in range(4):
        assert outcome(backend.verify(verification_id, wrong)) == (400, "OTP_INCORRECT")
    unlocked = admin(backend.stack, "/admin/unlock-number", number)
    assert (unlocked.status_code, unlocked.json()["tenants"]) == (200, 1)
    assert admin(backend.stack, "/admin/number-status", number).json()["locks"] == []
    assert backend.verify(verification_id, code).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_nobody_is_let_in_without_a_signature_of_somebody_who_may(
    backend: Backend, stranger: Credentials, path: str
) -> None:
    stack, number = backend.stack, fresh_number()
    body = {"phoneNumber": number}
    assert requests.post(f"{stack.base_url}{path}", json=body, timeout=30).status_code == 403
    assert backend.post(path, body).status_code == 403, "an API key opens nothing here"
    forged = Credentials("test-of-nobody", "a-secret-that-is-none")
    assert admin(stack, path, number, forged).status_code == 403
    assert admin(stack, path, number, stranger).status_code == 403


def test_where_the_users_may_not_be_read_nothing_is_said_to_be_erased(backend: Backend) -> None:
    number = fresh_number()
    backend.requested(number, consent=CONSENT)
    with without(backend.stack, "AdminRole", "dynamodb:Query"):
        assert outcome(admin(backend.stack, "/admin/erase-number", number)) == (500, "INTERNAL_ERROR")
    assert admin(backend.stack, "/admin/erase-number", number).status_code == 200
