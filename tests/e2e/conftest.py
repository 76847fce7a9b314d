"""The template, deployed to an emulated AWS that enforces IAM, and a caller over HTTP."""

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from local.stack import LocalStack

_numbers: dict[str, Iterator[int]] = defaultdict(itertools.count)
"""How many numbers tests have used, by area code."""

AREAS = ("415", "212", "305", "312", "404", "503", "617", "702")

SECOND = {
    "PumpingGuard": "record",
    "RequireVerificationId": "false",
    "ResendGapSeconds": "0",
    "KeepUsers": "true",
    "IssueTokens": "true",
    "TokenIssuer": "https://verify.example.com",
    "SnapStart": "true",
    "TwilioApi": "true",
    "EventBusName": "default",
}
"""The parameters of the second deployment. What is off by default is on there."""


def fresh_number(area: str = "") -> str:
    """A number that no test has used, of the ranges reserved for fiction: 800 over eight area codes.

    `area` is one of a country that `ROUTES` has, 416 in Canada or 787 on Puerto Rico: 100 each.
    """
    index = next(_numbers[area])
    of_area = area or AREAS[index // 100]
    assert area == "" or index < 100, f"no unused number is left in {area}"
    return f"+1{of_area}55501{index % 100:02d}"


@dataclasses.dataclass
class Backend:
    """A team's backend, which requests and verifies codes, and the phone, which receives them."""

    stack: LocalStack
    api_key: str

    def post(self, path: str, body: Any, **headers: str) -> requests.Response:
        return requests.post(
            f"{self.stack.base_url}{path}",
            json=body,
            headers={"x-api-key": self.api_key, **headers},
            timeout=30,
        )

    def request(self, number: str, **fields: Any) -> requests.Response:
        return self.post("/request-otp", {"phoneNumber": number, **fields})

    def requested(self, number: str, **fields: Any) -> str:
        """The verificationId of a code that is on its way."""
        answer = self.request(number, **fields)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["verificationId"])

    def verify(self, verification_id: str, otp: str, **fields: Any) -> requests.Response:
        return self.post("/verify-otp", {"verificationId": verification_id, "otp": otp, **fields})

    def inbox(self, number: str) -> list[dict[str, Any]]:
        return self._sandbox("GET", "/inbox", params={"to": number}).json()  # type: ignore[no-any-return] # a list

    def code(self, number: str) -> str:
        """The newest code that the phone received."""
        return str(self.inbox(number)[0]["code"])

    def calls(self, operation: str, number: str) -> list[dict[str, Any]]:
        """The provider calls of one kind about one number."""
        return [call for call in self.every_call(number) if call["operation"] == operation]

    def every_call(self, number: str) -> list[dict[str, Any]]:
        """The provider calls about one number."""
        return [call for call in self._sandbox("GET", "/calls").json() if call["to"] == number]

    def spoil(self, provider: str, operation: str, fault: str, times: int = 1) -> None:
        order = {"provider": provider, "operation": operation, "fault": fault, "times": times}
        self._sandbox("POST", "/faults", json=order)

    def _sandbox(self, method: str, path: str, **named: Any) -> requests.Response:
        answer = requests.request(method, f"{self.stack.sandbox_url}{path}", timeout=10, **named)
        answer.raise_for_status()
        return answer


ROUTES = "CA=aws;PR=sinch"
"""A country for each provider that is not the first one."""

SENDER = "arn:aws:sms-voice:us-east-1:000000000000:sender-id/SANDBOX/CA"

RECORDING = {"PumpingGuard": "record"}
"""Tests use dozens of numbers of one block and verify few, which the guard would stop as pumping."""
FIRST = {"ProviderRoutes": ROUTES, "AwsSmsIdentityArn": SENDER} | RECORDING


def passed(backend: Backend, number: str, seconds: int) -> None:
    """Make the number's sends this much older, so that no test has to wait."""
    table = backend.stack.outputs["TableName"]
    client = backend.stack.client("dynamodb")
    found = client.scan(TableName=table)["Items"]
    of_number = {item["numberKey"]["S"] for item in found if item.get("phone", {}).get("S") == number}
    for item in found:
        if item["pk"]["S"].removeprefix("N#") in of_number:
            parted = [send.partition(":") for send in item["sends"]["SS"]]
            older = [f"{int(at) - seconds * 1000}:{about}" for at, _, about in parted]
            client.put_item(TableName=table, Item=item | {"sends": {"SS": older}})


def close_circuits(stack: LocalStack) -> None:
    """Forget the failures of earlier tests, or they would keep a provider from the next one."""
    client, table = stack.client("dynamodb"), stack.outputs["TableName"]
    for provider in ("infobip", "sinch", "aws"):
        client.delete_item(TableName=table, Key={"pk": {"S": f"K#{provider}"}})


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """One deployment with the template's defaults, Infobip first but for `ROUTES`."""
    with LocalStack(parameters=FIRST) as running:
        yield running


@pytest.fixture(scope="session")
def by_number() -> Iterator[LocalStack]:
    """A second deployment, which finds a number's newest verification by the number and has no resend gap."""
    with LocalStack(parameters=SECOND) as running:
        yield running


@pytest.fixture(scope="session")
def with_users(by_number: LocalStack) -> LocalStack:
    """The second deployment, which also keeps users."""
    return by_number


@pytest.fixture(scope="session")
def with_twilio_api(by_number: LocalStack) -> LocalStack:
    """The second deployment, which also has the API of Twilio Verify."""
    return by_number


@pytest.fixture(scope="session")
def with_tokens(by_number: LocalStack) -> LocalStack:
    """The second deployment, which also issues tokens."""
    return by_number


@pytest.fixture
def backend(stack: LocalStack) -> Iterator[Backend]:
    calling = Backend(stack, stack.api_key)
    yield calling
    requests.delete(f"{stack.sandbox_url}/faults", timeout=10)
    close_circuits(stack)
