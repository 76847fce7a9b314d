"""Verify a number with the client that `openapi-python-client` makes of `openapi.yaml`.

    python program.py API KEY KEY_OF_A_SPENT_PLAN SANDBOX NUMBER

Prints rows of (step, answer) as JSON. `tests/e2e/test_typed_clients.py` checks its types and runs it.
"""

import json
import sys

import httpx
from sms_otp_client import AuthenticatedClient
from sms_otp_client.api.verification import otp_status, request_otp, verify_otp
from sms_otp_client.models.otp_status import OtpStatus
from sms_otp_client.models.problem import Problem
from sms_otp_client.models.request_otp import RequestOtp
from sms_otp_client.models.requested import Requested
from sms_otp_client.models.verification_status import VerificationStatus
from sms_otp_client.models.verified import Verified
from sms_otp_client.models.verify_otp import VerifyOtp
from sms_otp_client.types import Unset


def calling(api: str, key: str) -> AuthenticatedClient:
    return AuthenticatedClient(base_url=api, token=key, prefix="", auth_header_name="x-api-key")


def problem(answer: Requested | Verified | VerificationStatus | Problem | None) -> str:
    """`400 INVALID_REQUEST /phoneNumber`, `429 RATE_LIMITED 30`."""
    assert isinstance(answer, Problem), answer
    words = [str(answer.status), answer.error_code.value]
    if not isinstance(answer.attempts_remaining, Unset):
        words.append(str(answer.attempts_remaining))
    if not isinstance(answer.errors, Unset):
        words += [each.pointer for each in answer.errors]
    return " ".join(words)


def waits(answer: Requested | Problem | None) -> bool:
    """Whether an error says when to retry."""
    return isinstance(answer, Problem) and not isinstance(answer.retry_after, Unset)


def code(sandbox: str, number: str) -> str:
    """The newest code that the phone got."""
    return str(httpx.get(f"{sandbox}/inbox", params={"to": number}).json()[0]["code"])


def main(api: str, key: str, spent: str, sandbox: str, number: str) -> None:
    client = calling(api, key)
    requested = request_otp.sync(client=client, body=RequestOtp(phone_number=number))
    assert isinstance(requested, Requested), requested
    named = requested.verification_id
    right = code(sandbox, number)
    wrong = "111111" if right != "111111" else "222222"
    again = request_otp.sync(client=client, body=RequestOtp(phone_number=number))
    incorrect = verify_otp.sync(client=client, body=VerifyOtp(verification_id=named, otp=wrong))
    unnamed = verify_otp.sync(client=client, body=VerifyOtp(otp=right))
    unknown = verify_otp.sync(client=client, body=VerifyOtp(verification_id="unknown", otp=right))
    verified = verify_otp.sync(client=client, body=VerifyOtp(verification_id=named, otp=right))
    assert isinstance(verified, Verified), verified
    status = otp_status.sync(client=client, body=OtpStatus(verification_id=named))
    assert isinstance(status, VerificationStatus), status
    body = RequestOtp(phone_number=number)
    refused = request_otp.sync(client=calling(api, "a-key-that-opens-nothing"), body=body)
    throttled = request_otp.sync(client=calling(api, spent), body=body)
    rows = [
        ("a code", requested.channel.value),
        ("another at once", problem(again)),
        ("it says when", waits(again)),
        ("a wrong code", problem(incorrect)),
        ("no verification named", problem(unnamed)),
        ("one that is unknown", problem(unknown)),
        ("the right code", verified.phone_number),
        ("its status", status.status.value),
        ("a wrong key", problem(refused)),
        ("a plan that is spent", problem(throttled)),
        ("it says when too", waits(throttled)),
    ]
    print(json.dumps(rows))


def refused_by_the_types(client: AuthenticatedClient) -> None:
    """Never called. A comment here that suppresses no finding would be one."""
    verify_otp.sync(client=client, body={"otp": "123456"})  # type: ignore[arg-type] # a body has a type
    VerifyOtp(otp=123456)  # type: ignore[arg-type] # a code is a string
    VerifyOtp(verification_id="x")  # type: ignore[call-arg] # a code is required
    RequestOtp(phone_number="+14155550123", channel="fax")  # type: ignore[arg-type] # a channel is one of a list


if __name__ == "__main__":
    main(*sys.argv[1:])
