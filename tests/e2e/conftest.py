"""The template, deployed to an emulated AWS, and a caller of it over HTTP."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from local.stack import LocalStack

_numbers = itertools.count()


def fresh_number() -> str:
    """A number that no test has used, of the ranges reserved for fiction: 800 over eight area codes."""
    index = next(_numbers)
    area = ("415", "212", "305", "312", "404", "503", "617", "702")[index // 100 % 8]
    return f"+1{area}55501{index % 100:02d}"


@dataclasses.dataclass
class Backend:
    """What a team's backend does: it asks for codes and verifies them, and looks at what the phone got."""

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

    def verify(self, verification_id: str, otp: str, **fields: Any) -> requests.Response:
        return self.post("/verify-otp", {"verificationId": verification_id, "otp": otp, **fields})

    def inbox(self, number: str) -> list[dict[str, Any]]:
        return self._sandbox("GET", "/inbox", params={"to": number}).json()  # type: ignore[no-any-return] # a list

    def calls(self, operation: str, number: str) -> list[dict[str, Any]]:
        """The provider calls of one kind about one number."""
        every = self._sandbox("GET", "/calls").json()
        return [call for call in every if call["operation"] == operation and call["to"] == number]

    def spoil(self, provider: str, operation: str, fault: str, times: int = 1) -> None:
        wanted = {"provider": provider, "operation": operation, "fault": fault, "times": times}
        self._sandbox("POST", "/faults", json=wanted)

    def _sandbox(self, method: str, path: str, **named: Any) -> requests.Response:
        answer = requests.request(method, f"{self.stack.sandbox_url}{path}", timeout=10, **named)
        answer.raise_for_status()
        return answer


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """One deployment with the template's defaults, Infobip first."""
    with LocalStack() as running:
        yield running


@pytest.fixture
def backend(stack: LocalStack) -> Iterator[Backend]:
    yield Backend(stack, stack.api_key)
    requests.delete(f"{stack.sandbox_url}/faults", timeout=10)
