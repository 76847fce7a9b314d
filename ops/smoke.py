"""`make smoke`: an end-to-end test of a stack with a test number. No message is sent.

The stack must have a number in `TestNumbers`. Exits with 1 at the first unexpected answer.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests

from ops.deployed import Deployed, StackNotFound, find

TIMEOUT_SECONDS = 30
"""Above API Gateway's limit of 29."""

Say = Callable[[str], None]


class SmokeFailed(Exception):
    """A step got an unexpected answer. The message names the step and the answer."""


@dataclass(frozen=True)
class Fixed:
    """A test number of the stack, and its fixed code."""

    number: str
    code: str

    @property
    def wrong_code(self) -> str:
        """A wrong code of the same length."""
        return "".join(str(9 - int(digit)) for digit in self.code)


def number_of(parameters: Mapping[str, str]) -> Fixed:
    """The first of `TestNumbers`. Raises `SmokeFailed` if it is empty."""
    number, _, code = parameters.get("TestNumbers", "").split(",")[0].partition("=")
    if not code:
        raise SmokeFailed("the stack has no test number: deploy it with TestNumbers and TestNumbersEnd")
    return Fixed(number, code)


class Caller:
    """A client with the first tenant's key, which reports each step."""

    def __init__(self, stack: Deployed, say: Say) -> None:
        self._base_url = stack.base_url
        self._key = stack.api_key()
        self._say = say

    def step(
        self, what: str, expected: str, method: str, path: str, body: Any = None, *, with_key: bool = True
    ) -> dict[str, Any]:
        """Send a request; `expected`: HTTP status, then errorCodes split by `|`. Raises `SmokeFailed`."""
        began = time.monotonic()
        try:
            answer = requests.request(
                method,
                f"{self._base_url}{path}",
                json=body,
                headers={"x-api-key": self._key} if with_key else {},
                timeout=TIMEOUT_SECONDS,
            )
        except requests.RequestException as error:
            raise SmokeFailed(f"{what}: {path} gave no answer ({type(error).__name__})") from None
        found = _object(answer)
        word = str(found.get("errorCode") or found.get("status") or "")
        status, _, expected_word = expected.partition(" ")
        if str(answer.status_code) != status or (expected_word and word not in expected_word.split("|")):
            raise SmokeFailed(f"{what}: {path} answered {answer.status_code} {word}, not {expected}")
        milliseconds = (time.monotonic() - began) * 1000
        self._say(f"ok  {milliseconds:6.0f} ms  {what}: {answer.status_code} {word}".rstrip())
        return found


def _object(answer: requests.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def smoke(stack: Deployed, say: Say) -> None:
    """Run every step in order, reporting each by `say`. Raises `SmokeFailed`."""
    number = number_of(stack.parameters)
    caller = Caller(stack, say)
    caller.step("the API answers", "200 healthy", "GET", "/health", with_key=False)
    caller.step("its dependencies answer", "200 healthy|degraded", "GET", "/health/deep")
    command = {"phoneNumber": number.number}
    caller.step("a request without a key is refused", "403", "POST", "/request-otp", command, with_key=False)
    made = caller.step("a code is requested", "200", "POST", "/request-otp", command)
    held = {"verificationId": made["verificationId"]}
    caller.step("the verification is pending", "200 pending", "POST", "/otp-status", held)
    wrong = {**held, "otp": number.wrong_code}
    caller.step("a wrong code is refused", "400 OTP_INCORRECT", "POST", "/verify-otp", wrong)
    right = {**held, "otp": number.code}
    caller.step("the right code verifies", "200", "POST", "/verify-otp", right)
    caller.step("the right code verifies once", "409 ALREADY_VERIFIED", "POST", "/verify-otp", right)
    caller.step("the status is verified", "200 verified", "POST", "/otp-status", held)


def main() -> None:
    """Run the test; exits with 1 and a message if a step fails."""
    parser = argparse.ArgumentParser(prog="python -m ops.smoke")
    parser.add_argument("--stack", default="", help="a stack's name (default: the local stack)")
    try:
        smoke(find(parser.parse_args().stack), print)
    except (StackNotFound, SmokeFailed) as error:
        sys.exit(f"smoke: {error}")


if __name__ == "__main__":
    main()
