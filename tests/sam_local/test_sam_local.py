"""The functions in real containers: built as for AWS, started by `sam local`, on the local stack."""

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from local.containers import docker_host, require_image, sam_local
from local.stack import LocalStack, aws_environment
from local.stack_file import ROOT, LocalStackError

pytestmark = pytest.mark.sam_local

INVOKE_SECONDS = 120


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """A local stack that containers reach. Docker or the image missing is a failure, not a reason to skip."""
    try:
        require_image()
        with LocalStack(host=docker_host()) as running:
            yield running
    except LocalStackError as error:
        pytest.fail(str(error), pytrace=False)


def test_a_code_sent_by_one_container_is_verified_by_another(stack: LocalStack) -> None:
    requested = invoke(stack, "RequestOtpFunction", event("request_otp-sms.json"))
    verification = json.loads(requested["body"])
    number = json.loads(event("request_otp-sms.json")["body"])["phoneNumber"]
    code = newest_code(stack, number)

    wrong = verify(stack, verification["verificationId"], other_than(code))
    right = verify(stack, verification["verificationId"], code)
    again = verify(stack, verification["verificationId"], code)

    assert (requested["statusCode"], verification["success"]) == (200, True)
    assert (wrong["statusCode"], json.loads(wrong["body"])["errorCode"]) == (400, "OTP_INCORRECT")
    assert (right["statusCode"], json.loads(right["body"])["phoneNumber"]) == (200, number)
    assert (again["statusCode"], json.loads(again["body"])["errorCode"]) == (409, "ALREADY_VERIFIED")


def test_the_health_function_answers_from_a_container(stack: LocalStack) -> None:
    answer = invoke(stack, "HealthFunction", event("health-up.json"))

    assert (answer["statusCode"], json.loads(answer["body"])["status"]) == (200, "healthy")


def verify(stack: LocalStack, verification_id: str, otp: str) -> dict[str, Any]:
    proxied = event("verify_otp-code.json")
    return invoke(
        stack,
        "VerifyOtpFunction",
        {**proxied, "body": json.dumps({"verificationId": verification_id, "otp": otp})},
    )


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "events" / name).read_text())
    return loaded


def invoke(stack: LocalStack, function: str, proxied: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603 - a command of our own, no shell
        sam_local(stack.file, "invoke", function, "--event", "-"),
        input=json.dumps(proxied),
        env=aws_environment(stack.aws_endpoint_url),
        capture_output=True,
        text=True,
        timeout=INVOKE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def newest_code(stack: LocalStack, number: str) -> str:
    inbox = f"{stack.sandbox_url}/inbox?to={quote(number, safe='')}"
    with urllib.request.urlopen(inbox, timeout=5) as answer:  # noqa: S310 - the sandbox's own URL
        messages = json.load(answer)
    return str(messages[0]["code"])


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"
