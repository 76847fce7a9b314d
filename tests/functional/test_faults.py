"""Whatever fails, and wherever: nobody is verified who must not be, no second SMS leaves, every answer is documented.

Each row is one kind of fault. Beside it stands what a backend is answered, what the phone got and what
is answered when the backend asks the same again once the fault is over.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.retries.standard import ExponentialBackoff
from moto import mock_aws

from local.sandbox.server import running_sandbox
from sms_otp import http
from sms_otp.providers.transport import Answer as HttpAnswer
from sms_otp.providers.transport import NoAnswer, NotSent
from tests.fakes import PEPPER, StepClock
from tests.functional.canaries import Watch
from tests.functional.faults import (
    NUMBER,
    AwsFault,
    Exchange,
    Killed,
    ProviderFault,
    World,
    aws_answer,
    aws_error,
    build_world,
)

OK = "ok"
UNAVAILABLE = "PROVIDER_UNAVAILABLE"
REJECTED = "PROVIDER_REJECTED"
INTERNAL = "INTERNAL_ERROR"
RUNNING = "REQUEST_IN_PROGRESS"
WRONG = "OTP_INCORRECT"
EXPIRED = "OTP_EXPIRED"
SPENT = "TOO_MANY_ATTEMPTS"
USED = "ALREADY_VERIFIED"
UNKNOWN = "VERIFICATION_NOT_FOUND"
LIMITED = "RATE_LIMITED"
CANCELLED = "VERIFICATION_CANCELLED"

STATUSES = {
    OK: 200,
    WRONG: 400,
    UNKNOWN: 404,
    USED: 409,
    RUNNING: 409,
    EXPIRED: 410,
    CANCELLED: 410,
    REJECTED: 422,
    SPENT: 429,
    LIMITED: 429,
    INTERNAL: 500,
    UNAVAILABLE: 503,
}

WRONG_CODE = "000000"
SOON = 300
"""Milliseconds until the deadline where it must end the wait."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with running_sandbox() as url:
        yield url


@pytest.fixture(params=["infobip", "sinch"])
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(
    provider: str,
    sandbox: str,
    clock: StepClock,
    watch: Watch,
    _log: object,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    # How long the SDK waits between its tries is added up by the test of the time budget; here it is waited.
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    with mock_aws():
        built = build_world(provider, sandbox, clock, monkeypatch)
        yield built
        for message in built.inbox():
            watch.hide("code", message["code"])
        watch.look_into(built.dynamodb, built.table, clock())
        built.restart()


# ------------------------------------------------------------------------------------------ providers


def never(error: Exception) -> ProviderFault:
    """The provider does not get the request."""

    def fault(_really: Exchange) -> HttpAnswer:
        raise error

    return fault


def lost(error: BaseException) -> ProviderFault:
    """The provider acts, and its answer does not come back."""

    def fault(really: Exchange) -> HttpAnswer:
        really()
        raise error

    return fault


def instead(status: int, body: object = None, retry_after: int | None = None) -> ProviderFault:
    """The provider answers this and does not act."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda _really: HttpAnswer(status, content, retry_after)


def acted(status: int, body: bytes) -> ProviderFault:
    """The provider acts and answers this."""

    def fault(really: Exchange) -> HttpAnswer:
        really()
        return HttpAnswer(status, body)

    return fault


def edited(**changes: Any) -> ProviderFault:
    """The provider acts, and its answer says something else; `None` takes a member away."""

    def fault(really: Exchange) -> HttpAnswer:
        answer = really()
        content = answer.json() | changes
        return HttpAnswer(answer.status, json.dumps(content).encode())

    return fault


@dataclass(frozen=True)
class Sending:
    """How a request ends, how many SMS left, how its repetition ends and how many have left by then."""

    ends: str
    sms: int
    again: str
    sms_again: int


@dataclass(frozen=True)
class Checking:
    """How the right code ends, how the wrong one, and how the right one ends once more."""

    ends: str
    wrong: str
    again: str
