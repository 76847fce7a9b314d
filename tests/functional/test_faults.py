"""Whatever fails: nobody is verified who must not be, no second SMS leaves, and each answer is documented.

Each row is one kind of fault. Beside it stands what a backend is answered, what the phone got and what
is answered when the backend asks the same again once the fault is over.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
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
from tests.functional.deployment import Answer
from tests.functional.faults import (
    NUMBER,
    Aws,
    AwsFault,
    Exchange,
    Killed,
    ProviderFault,
    World,
    aws_answer,
    aws_error,
    build_aws,
    deployed_world,
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


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        yield build_aws()
        boto3.DEFAULT_SESSION = None


@pytest.fixture(params=["infobip", "sinch"])
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(
    aws: Aws,
    provider: str,
    sandbox: str,
    clock: StepClock,
    watch: Watch,
    _log: object,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    # How long the SDK waits between its tries is added up by the test of the time budget; here it is waited.
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    with deployed_world(aws, provider, sandbox, clock, monkeypatch) as deployed:
        yield deployed
        for message in deployed.inbox():
            watch.hide("code", message["code"])
        watch.look_into(aws.dynamodb, deployed.table, clock())


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


def edited(*without: str, **changes: Any) -> ProviderFault:
    """The provider acts, and its answer says something else, or less."""

    def fault(really: Exchange) -> HttpAnswer:
        answer = really()
        content = {name: value for name, value in (answer.json() | changes).items() if name not in without}
        return HttpAnswer(answer.status, json.dumps(content).encode())

    return fault


@dataclass(frozen=True)
class Sending:
    """How a request ends, how many SMS left, how its repetition ends, how many have left by then."""

    ends: str
    sms: int
    again: str
    sms_again: int


@dataclass(frozen=True)
class Checking:
    """How the right code ends, and how it ends once more when all is well again."""

    ends: str
    again: str


NOT_SENT = Sending(UNAVAILABLE, sms=0, again=OK, sms_again=1)
"""Certainly not sent: given back, so that the repetition sends."""
NOT_KNOWN = Sending(UNAVAILABLE, sms=0, again=UNAVAILABLE, sms_again=0)
"""It may have been sent: kept, so that the repetition is told the same and sends nothing."""
SENT_UNKNOWN = Sending(UNAVAILABLE, sms=1, again=UNAVAILABLE, sms_again=1)
SENT = Sending(OK, sms=1, again=OK, sms_again=1)
FOR_GOOD = Sending(REJECTED, sms=0, again=REJECTED, sms_again=0)

NO_WORD = Checking(UNAVAILABLE, again=OK)
"""The guess is spent; the provider still knows the code."""
WORD_LOST = Checking(UNAVAILABLE, again=EXPIRED)
"""The guess is spent, and the provider has taken the code: it is right only once there."""
FORGOTTEN = Checking(EXPIRED, again=OK)

# Name, fault; how it ends at Infobip and at Sinch, which can be asked what became of a send whose answer is lost.
SENDS: list[tuple[str, ProviderFault, Sending, Sending]] = [
    ("the name does not resolve", never(NotSent("connection")), NOT_SENT, NOT_SENT),
    ("the connection is refused", never(NotSent("connection")), NOT_SENT, NOT_SENT),
    ("the connection takes too long", never(NotSent("connect_timeout")), NOT_SENT, NOT_SENT),
    ("the certificate is not the provider's", never(NotSent("tls")), NOT_SENT, NOT_SENT),
    ("the connection is reset while the request leaves", never(NoAnswer("connection")), NOT_KNOWN, NOT_KNOWN),
    ("no answer comes", never(NoAnswer("read_timeout")), NOT_KNOWN, NOT_KNOWN),
    ("the answer is lost", lost(NoAnswer("read_timeout")), SENT_UNKNOWN, SENT),
    ("the answer drips in", lost(NoAnswer("deadline")), SENT_UNKNOWN, SENT),
    ("the answer is of 10 MB", lost(NoAnswer("oversize")), SENT_UNKNOWN, SENT),
    ("400", instead(400, {}), NOT_SENT, NOT_SENT),
    ("401", instead(401, {}), NOT_SENT, NOT_SENT),
    ("403", instead(403, {}), NOT_SENT, NOT_SENT),
    ("404", instead(404, {}), NOT_SENT, NOT_SENT),
    ("409", instead(409, {}), NOT_KNOWN, NOT_KNOWN),
    ("429", instead(429, {}), NOT_SENT, NOT_SENT),
    ("429 with the seconds to wait", instead(429, {}, retry_after=7), NOT_SENT, NOT_SENT),
    ("500", instead(500, {}), NOT_SENT, NOT_SENT),
    ("500 that repeats what it was sent", instead(500, {"text": NUMBER}), NOT_SENT, NOT_SENT),
    ("502 of a gateway", instead(502, b"<html>Bad Gateway"), NOT_SENT, NOT_SENT),
    ("503", instead(503, {}), NOT_SENT, NOT_SENT),
    ("504 of a gateway", instead(504, b"<html>Gateway Timeout"), NOT_KNOWN, NOT_KNOWN),
    ("520 of a CDN", instead(520, b""), NOT_KNOWN, NOT_KNOWN),
    ("302", instead(302, b""), NOT_SENT, NOT_SENT),
    ("200 with HTML", acted(200, b"<html>Sign in"), SENT_UNKNOWN, SENT),
    ("200 with nothing", acted(200, b""), SENT_UNKNOWN, SENT),
    ("200 with half an object", acted(200, b'{"pinId": "A'), SENT_UNKNOWN, SENT),
    ("200 with a list", acted(200, b"[]"), SENT_UNKNOWN, SENT),
    ("200 with a name twice", acted(200, b'{"id":"A","id":"B","pinId":"A","pinId":"B"}'), SENT_UNKNOWN, SENT),
    ("200 with NaN", acted(200, b'{"id": NaN, "pinId": NaN}'), SENT_UNKNOWN, SENT),
    ("200 nested too deeply", acted(200, b"[" * 60_000), SENT_UNKNOWN, SENT),
    ("200 that is no UTF-8", acted(200, b'{"id": "\xff", "pinId": "\xff"}'), SENT_UNKNOWN, SENT),
    ("200 without a handle", edited("id", "pinId"), SENT_UNKNOWN, SENT),
    ("200 whose handle is null", edited(id=None, pinId=None), SENT_UNKNOWN, SENT),
    ("200 whose handle is a number", edited(id=1, pinId=1), SENT_UNKNOWN, SENT),
    ("200 whose handle is a path", edited(id="..", pinId=".."), SENT_UNKNOWN, SENT),
    ("200 whose handle is endless", edited(id="A" * 300, pinId="A" * 300), SENT_UNKNOWN, SENT),
]

CHECKS: list[tuple[str, ProviderFault, Checking, Checking]] = [
    ("the name does not resolve", never(NotSent("connection")), NO_WORD, NO_WORD),
    ("the connection takes too long", never(NotSent("connect_timeout")), NO_WORD, NO_WORD),
    ("the certificate is not the provider's", never(NotSent("tls")), NO_WORD, NO_WORD),
    ("the connection is reset while the request leaves", never(NoAnswer("connection")), NO_WORD, NO_WORD),
    ("no answer comes", never(NoAnswer("read_timeout")), NO_WORD, NO_WORD),
    ("the answer is lost", lost(NoAnswer("read_timeout")), NO_WORD, WORD_LOST),
    ("the answer drips in", lost(NoAnswer("deadline")), NO_WORD, WORD_LOST),
    ("the answer is of 10 MB", lost(NoAnswer("oversize")), NO_WORD, WORD_LOST),
    ("400", instead(400, {}), NO_WORD, NO_WORD),
    ("401", instead(401, {}), NO_WORD, NO_WORD),
    ("403", instead(403, {}), NO_WORD, NO_WORD),
    ("404, for a code that it no longer knows", instead(404, {}), FORGOTTEN, FORGOTTEN),
    ("409", instead(409, {}), NO_WORD, NO_WORD),
    ("429", instead(429, {}), NO_WORD, NO_WORD),
    ("429 with the seconds to wait", instead(429, {}, retry_after=7), NO_WORD, NO_WORD),
    ("500", instead(500, {}), NO_WORD, NO_WORD),
    ("502 of a gateway", instead(502, b"<html>Bad Gateway"), NO_WORD, NO_WORD),
    ("503", instead(503, {}), NO_WORD, NO_WORD),
    ("504 of a gateway", instead(504, b"<html>Gateway Timeout"), NO_WORD, NO_WORD),
    ("520 of a CDN", instead(520, b""), NO_WORD, NO_WORD),
    ("302", instead(302, b""), NO_WORD, NO_WORD),
    ("200 with HTML", acted(200, b"<html>Sign in"), NO_WORD, WORD_LOST),
    ("200 with nothing", acted(200, b""), NO_WORD, WORD_LOST),
    ("200 with an empty object", acted(200, b"{}"), NO_WORD, WORD_LOST),
    ("200 with half an object", acted(200, b'{"verified": true'), NO_WORD, WORD_LOST),
    ("200 with a list", acted(200, b'[{"verified": true}]'), NO_WORD, WORD_LOST),
    ("200 with a name twice", acted(200, b'{"verified":true,"verified":true}'), NO_WORD, WORD_LOST),
    ("200 with NaN", acted(200, b'{"verified": true, "status": "SUCCESSFUL", "n": NaN}'), NO_WORD, WORD_LOST),
    ("200 that says yes as text", edited(verified="true", status="successful"), NO_WORD, WORD_LOST),
    ("200 that says yes as a number", edited(verified=1, status=1), NO_WORD, WORD_LOST),
    ("200 that says null", edited(verified=None, status=None), NO_WORD, WORD_LOST),
    ("200 that says nothing", edited("verified", "status"), NO_WORD, WORD_LOST),
    ("200 about another code", edited(pinId="ANOTHER", id="another"), NO_WORD, WORD_LOST),
]


def rows(table: list[tuple[str, ProviderFault, Any, Any]]) -> Any:
    """One test for each row and provider."""
    return pytest.mark.parametrize(
        ("provider", "fault", "expected"),
        [
            pytest.param(provider, fault, expected, id=f"{provider}: {name}")
            for name, fault, *both in table
            for provider, expected in zip(("infobip", "sinch"), both, strict=True)
        ],
        indirect=["provider"],
    )


@rows(SENDS)
def test_a_provider_that_fails_to_send_causes_no_second_sms(
    fault: ProviderFault, expected: Sending, world: World
) -> None:
    world.transport.faults.append(fault)
    check_sending(world, expected)


@rows(CHECKS)
def test_a_provider_that_fails_to_check_verifies_nobody(
    fault: ProviderFault, expected: Checking, world: World
) -> None:
    verification_id, code = world.pending()
    world.transport.faults.append(fault)
    assert refused(world.verify(verification_id, WRONG_CODE))
    assert state(world) == ("pending", 1)
    world.transport.faults = [fault]
    assert told(world.verify(verification_id, code)) == expected.ends
    assert state(world) == ("pending", 2)
    world.heal()
    check_again(world, verification_id, code, expected.again)


def told(answer: Answer) -> str:
    """`ok` or the errorCode, whose status must be the documented one."""
    assert answer.status == STATUSES[answer.outcome]
    return answer.outcome


def refused(answer: Answer) -> bool:
    """Whether it is anything but a success."""
    return told(answer) != OK


def state(world: World) -> tuple[str, int]:
    """The stored state and the guesses spent."""
    item = world.verification()
    return item["state"]["S"], int(item["attempts"]["N"])


def check_sending(world: World, expected: Sending) -> None:
    """One request, and the same once more when all is well again."""
    first = told(world.request())
    sms = world.sms()
    world.heal()
    again = told(world.request(request_id="request-9"))
    assert Sending(first, sms, again, world.sms()) == expected
    assert world.reserved() >= world.sms(), "an SMS that left is on record"
    assert world.sms() <= 1


def check_again(world: World, verification_id: str, code: str, expected: str) -> None:
    """The right code once more: a success is stored, and there is no second one."""
    assert told(world.verify(verification_id, code, "request-8")) == expected
    assert (state(world)[0] == "verified") is (expected in (OK, USED))
    assert refused(world.verify(verification_id, code, "request-9"))
