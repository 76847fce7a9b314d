"""Administrators sign their requests; the emulated AWS checks the signature and passes on the signer."""

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
def backend(with_users: LocalStack) -> Backend:
    return Backend(with_users, with_users.api_key)


@pytest.fixture
def stranger(with_users: LocalStack) -> Iterator[Credentials]:
    """The credentials of an IAM user without any permission."""
    iam = with_users.client("iam")
    iam.create_user(UserName="stranger")
    key = iam.create_access_key(UserName="stranger")["AccessKey"]
    yield Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    iam.delete_access_key(UserName="stranger", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="stranger")


@pytest.fixture
def _sending(with_users: LocalStack) -> Iterator[None]:
    """Resumes all sending at the end, so that no other test finds it stopped."""
    yield
    key = {"pk": {"S": "S#"}}
    with_users.client("dynamodb").delete_item(TableName=with_users.physical_id("Table"), Key=key)


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
    """All items of both tables, as JSON."""
    client = stack.client("dynamodb")
    items: list[dict[str, Any]] = []
    for table in (stack.physical_id("Table"), stack.physical_id("UsersTable")):
        for page in client.get_paginator("scan").paginate(TableName=table):
            items += page["Items"]
    return json.dumps(items)


def test_an_administrator_reads_and_erases_a_number_with_its_consent(backend: Backend) -> None:
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
    assert (erased["complete"], erased["repeatAfter"]) == (False, 30), "the code could still be guessed"
    assert admin(stack, "/admin/number-status", number).json()["users"] == []


def test_unlocking_a_number_removes_its_locks_and_the_code_still_verifies(backend: Backend) -> None:
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
    """Run a command of the runbook in a shell, with its function `admin`. Returns the JSON that it prints."""
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
def test_every_stop_in_the_runbook_lasts_until_the_runbook_resumes_it(backend: Backend) -> None:
    section = RUNBOOK.read_text().partition("\n## Stopping sending\n")[2].partition("\n## ")[0]
    commands = re.findall(r"^admin (?:stop|resume)-sending .+$", section, re.MULTILINE)
    counts = [len(paste(backend.stack, command)["stops"]) for command in commands]
    assert counts == [1, 3, 4, 5, 3, 2, 1, 0]
    assert backend.request(fresh_number()).status_code == 200


@pytest.mark.usefixtures("_sending")
def test_another_provider_sends_while_one_is_stopped(backend: Backend) -> None:
    number = fresh_number()
    assert signed(backend.stack, "/admin/stop-sending", {"providers": ["infobip"]}).status_code == 200
    verification_id = backend.requested(number)
    assert [message["provider"] for message in backend.inbox(number)] == ["sinch"]
    assert backend.verify(verification_id, backend.code(number)).status_code == 200


def test_an_unknown_country_is_refused_with_a_pointer_to_it(backend: Backend) -> None:
    answer = signed(backend.stack, "/admin/stop-sending", {"countries": ["GB", "UK"]})
    assert outcome(answer) == (400, "INVALID_REQUEST")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/countries/1"]


@pytest.mark.parametrize("path", OF_NUMBERS + OF_SENDING)
def test_an_admin_request_needs_the_signature_of_an_allowed_principal(
    backend: Backend, stranger: Credentials, path: str
) -> None:
    stack = backend.stack
    body = {"all": True} if path in OF_SENDING else {"phoneNumber": fresh_number()}
    assert requests.post(f"{stack.base_url}{path}", json=body, timeout=30).status_code == 403
    assert backend.post(path, body).status_code == 403, "an API key gives no access here"
    forged = Credentials("unknown-access-key", "unknown-secret")
    # API Gateway has no response type for an unknown access key, so DEFAULT_4XX answers.
    assert outcome(signed(stack, path, body, forged)) == (400, "INVALID_REQUEST")
    assert signed(stack, path, body, stranger).status_code == 403


def test_an_erasure_fails_if_the_users_table_may_not_be_read(backend: Backend) -> None:
    number = fresh_number()
    backend.requested(number, consent=CONSENT)
    with without(backend.stack, "AdminRole", "dynamodb:Query"):
        assert outcome(admin(backend.stack, "/admin/erase-number", number)) == (500, "INTERNAL_ERROR")
    assert admin(backend.stack, "/admin/erase-number", number).status_code == 200
