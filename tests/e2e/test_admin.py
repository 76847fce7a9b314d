"""Administrators sign their requests; the emulated AWS checks that, and tells the function who it was."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.stack import LocalStack
from local.stack_file import REGION
from local.template import ROOT
from tests.e2e.conftest import Backend, fresh_number
from tests.e2e.test_iam_enforced import outcome, without

pytestmark = pytest.mark.e2e

ROOT_KEY = Credentials("test", "test")
CONSENT = {"textVersion": "terms-2026-11", "source": "sign-up-form"}
OF_NUMBERS = ("/admin/number-status", "/admin/unlock-number", "/admin/erase-number")
OF_SENDING = ("/admin/stop-sending", "/admin/resume-sending")
RUNBOOK = ROOT / "docs/operations.md"


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


@pytest.fixture
def _sending(keeping: LocalStack) -> Iterator[None]:
    """Nothing stays stopped for another test."""
    yield
    key = {"pk": {"S": "S#"}}
    keeping.client("dynamodb").delete_item(TableName=keeping.physical_id("Table"), Key=key)


def admin(stack: LocalStack, path: str, number: str, signer: Credentials = ROOT_KEY) -> requests.Response:
    """A signed request about a number."""
    return signed(stack, path, {"phoneNumber": number}, signer)


def signed(
    stack: LocalStack, path: str, members: dict[str, Any], signer: Credentials = ROOT_KEY
) -> requests.Response:
    """A signed request."""
    body = json.dumps(members)
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


def paste(stack: LocalStack, command: str) -> dict[str, Any]:
    """What a shell prints for a command of the runbook, once the functions that it uses are defined."""
    (function,) = re.findall(r"^admin\(\) .*$", RUNBOOK.read_text(), re.MULTILINE)
    variables = {
        "PATH": os.environ["PATH"],
        "API": stack.base_url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ROOT_KEY.access_key,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY.secret_key,
    }
    done = subprocess.run(  # noqa: S603 - commands of our own pages
        ["/bin/bash", "-c", f"{function}\n{command}"],
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


@pytest.mark.usefixtures("_sending")
def test_the_runbooks_commands_stop_and_resume_sending_while_codes_are_checked(backend: Backend) -> None:
    stack, number, other = backend.stack, fresh_number(), fresh_number()
    verification_id = backend.requested(number)
    stopped = paste(stack, """admin stop-sending '{"all": true}'""")
    assert [stop["scope"] for stop in stopped["stops"]] == ["all"]

    refused = backend.request(other)
    assert outcome(refused) == (503, "SENDING_STOPPED")
    assert 86_000 < int(refused.headers["Retry-After"]) == refused.json()["retryAfter"] <= 86_400
    again = backend.post("/resend-otp", {"verificationId": verification_id})
    assert outcome(again) == (503, "SENDING_STOPPED")
    (decision,) = admin(stack, "/admin/number-status", other).json()["nextRequest"]
    assert (decision["errorCode"], decision["reason"]) == ("SENDING_STOPPED", "all")
    assert backend.every_call(other) == []
    assert backend.verify(verification_id, backend.code(number)).status_code == 200

    assert paste(stack, """admin resume-sending '{"all": true}'""")["stops"] == []
    assert backend.request(other).status_code == 200


@pytest.mark.usefixtures("_sending")
def test_every_stop_of_the_runbook_holds_until_it_is_resumed_there(backend: Backend) -> None:
    section = RUNBOOK.read_text().partition("\n## Stopping sending\n")[2].partition("\n## ")[0]
    commands = re.findall(r"^admin (?:stop|resume)-sending .+$", section, re.MULTILINE)
    standing = [len(paste(backend.stack, command)["stops"]) for command in commands]
    assert standing == [1, 3, 4, 5, 3, 2, 1, 0]
    assert backend.request(fresh_number()).status_code == 200


@pytest.mark.usefixtures("_sending")
def test_another_provider_sends_while_one_is_stopped(backend: Backend) -> None:
    number = fresh_number()
    assert signed(backend.stack, "/admin/stop-sending", {"providers": ["infobip"]}).status_code == 200
    verification_id = backend.requested(number)
    assert [message["provider"] for message in backend.inbox(number)] == ["sinch"]
    assert backend.verify(verification_id, backend.code(number)).status_code == 200


def test_a_country_that_there_is_not_is_refused_where_it_stands(backend: Backend) -> None:
    answer = signed(backend.stack, "/admin/stop-sending", {"countries": ["GB", "UK"]})
    assert outcome(answer) == (400, "INVALID_REQUEST")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/countries/1"]


@pytest.mark.parametrize("path", OF_NUMBERS + OF_SENDING)
def test_nobody_is_let_in_without_a_signature_of_somebody_who_may(
    backend: Backend, stranger: Credentials, path: str
) -> None:
    stack = backend.stack
    body = {"all": True} if path in OF_SENDING else {"phoneNumber": fresh_number()}
    assert requests.post(f"{stack.base_url}{path}", json=body, timeout=30).status_code == 403
    assert backend.post(path, body).status_code == 403, "an API key opens nothing here"
    forged = Credentials("test-of-nobody", "a-secret-that-is-none")
    # API Gateway has no response of its own for an access key that nobody has: it is DEFAULT_4XX's.
    assert outcome(signed(stack, path, body, forged)) == (400, "INVALID_REQUEST")
    assert signed(stack, path, body, stranger).status_code == 403


def test_where_the_users_may_not_be_read_nothing_is_said_to_be_erased(backend: Backend) -> None:
    number = fresh_number()
    backend.requested(number, consent=CONSENT)
    with without(backend.stack, "AdminRole", "dynamodb:Query"):
        assert outcome(admin(backend.stack, "/admin/erase-number", number)) == (500, "INTERNAL_ERROR")
    assert admin(backend.stack, "/admin/erase-number", number).status_code == 200
