"""Whatever fails: nobody is verified who must not be, no second SMS leaves, and each answer is documented.

Each row is one kind of fault. Beside it stands what a backend is answered, what the phone got and what
is answered when the backend asks the same again once the fault is over.
"""

import json
from collections.abc import Callable, Iterator, Mapping
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

from local.sandbox.credentials import INFOBIP_API_KEY, SINCH_APPLICATION_SECRET, credentials
from local.sandbox.server import running_sandbox
from sms_otp import http
from sms_otp.idempotency import RUNNING_SECONDS
from sms_otp.providers import transport
from sms_otp.providers.transport import Answer as HttpAnswer
from sms_otp.providers.transport import NoAnswer, NotSent
from tests.fakes import StepClock
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
    deployed_world,
    faulty_aws,
)
from tests.proofs.scale import scaled

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
LOCKED = "NUMBER_LOCKED"
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
    LOCKED: 429,
    INTERNAL: 500,
    UNAVAILABLE: 503,
}

PROVIDERS = ("infobip", "sinch")
WRONG_CODE = "000000"
HANG_SECONDS = 0.7
"""How long an exchange with a provider may take, where none of its answers comes."""
CONFLICT = aws_error("TransactionCanceledException", CancellationReasons=[{"Code": "TransactionConflict"}])


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with running_sandbox() as url:
        yield url


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with faulty_aws() as account:
        yield account


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True, params=range(scaled(1, 3)), ids="try {}".format)
def _again(request: pytest.FixtureRequest) -> int:
    """Every fault more than once in `make prove`: what goes well by chance goes wrong by it too."""
    return int(request.param)


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


def never(error: BaseException) -> ProviderFault:
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

# Name, fault; how it ends at Infobip, and at Sinch, which can be asked what became of a send.
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


def rows(table: list[tuple[str, ProviderFault, Any, Any]]) -> pytest.MarkDecorator:
    """One test for each row and provider; outside of `make prove`, of the two in turn."""
    every = scaled(quick=2, full=1)
    return pytest.mark.parametrize(
        ("provider", "fault", "expected"),
        [
            pytest.param(provider, fault, expected, id=f"{provider}: {name}")
            for row, (name, fault, *both) in enumerate(table)
            for provider, expected in list(zip(PROVIDERS, both, strict=True))[row % every :: every]
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
    """One request, and the same once more in a new environment, when all is well again."""
    first = told(world.request())
    sms = world.sms()
    world.heal()
    world.restart()
    again = told(world.request(request_id="request-9"))
    assert Sending(first, sms, again, world.sms()) == expected
    assert world.reserved() >= world.sms(), "an SMS that left is on record"
    assert world.sms() <= 1


def check_again(world: World, verification_id: str, code: str, expected: str) -> None:
    """The right code once more: a success is stored, and there is no second one."""
    world.restart()
    assert told(world.verify(verification_id, code, "request-8")) == expected
    assert (state(world)[0] == "verified") is (expected in (OK, USED))
    assert refused(world.verify(verification_id, code, "request-9"))


# ----------------------------------------------------------------------------------------- providers' sockets


@pytest.mark.parametrize("operation", ["send", "check"])
@pytest.mark.parametrize("fault", ["timeout", "lost", "drip"])
def test_a_provider_that_hangs_is_left_behind_at_the_deadline(
    operation: str, fault: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over real sockets. Whether a request leaves in so short a time is up to the machine; safety is not."""
    monkeypatch.setattr(transport, "TOTAL_SECONDS", HANG_SECONDS)
    if operation == "check":
        verification_id, code = world.pending()
        world.spoil_provider("check", fault)
        assert told(world.verify(verification_id, code)) == UNAVAILABLE
        assert state(world) == ("pending", 1)
        return
    # Sinch is asked what became of it, and does not say either.
    world.spoil_provider("send", fault)
    world.spoil_provider("status", "timeout")
    assert told(world.request()) == UNAVAILABLE
    world.heal()
    told(world.request(request_id="request-9"))
    assert world.sms() <= 1


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("refused", FOR_GOOD),
        ("401", NOT_SENT),
        ("429", NOT_SENT),
        ("500", NOT_SENT),
        ("502", NOT_SENT),
        ("redirect", NOT_SENT),
    ],
)
def test_a_provider_that_fails_in_its_own_words_causes_no_second_sms(
    fault: str, expected: Sending, world: World
) -> None:
    world.spoil_provider("send", fault)
    check_sending(world, expected)


# ------------------------------------------------------------------------------------------ DynamoDB

NO_CONNECTION = EndpointConnectionError(endpoint_url="https://dynamodb.invalid")
NO_ANSWER = ReadTimeoutError(endpoint_url="https://dynamodb.invalid")

REFUSALS: dict[str, Callable[[str], Any] | BaseException] = {
    "the table's throughput is exceeded": aws_error("ProvisionedThroughputExceededException"),
    "throttled": aws_error("ThrottlingException"),
    "the account's limit is reached": aws_error("RequestLimitExceeded"),
    "internal error": aws_error("InternalServerError", 500),
    "service unavailable": aws_error("ServiceUnavailable", 503),
    "the item collection is too large": aws_error("ItemCollectionSizeLimitExceededException"),
    "access denied": aws_error("AccessDeniedException"),
    "the key may not be used": aws_error("KMSAccessDeniedException"),
    "no such table": aws_error("ResourceNotFoundException"),
    "invalid parameters": aws_error("ValidationException"),
    "expired credentials": aws_error("ExpiredTokenException"),
    "unknown credentials": aws_error("UnrecognizedClientException"),
    "a transaction with this token runs": aws_error("TransactionInProgressException"),
    "cancelled for its throughput": aws_error(
        "TransactionCanceledException", CancellationReasons=[{"Code": "ThrottlingError"}]
    ),
    "cancelled, without a reason": aws_error("TransactionCanceledException"),
    "an error without a code": aws_answer(400, {}),
    "HTML of a gateway": aws_answer(502, b"<html>Bad Gateway"),
    "connection refused": NO_CONNECTION,
    "connection too slow": ConnectTimeoutError(endpoint_url="https://dynamodb.invalid"),
    "connection closed": ConnectionClosedError(endpoint_url="https://dynamodb.invalid"),
    "no answer, and nothing done": NO_ANSWER,
}
"""AWS does nothing, in every try of the SDK's."""


def kinds(table: Mapping[str, object], turn: int, of: int) -> pytest.MarkDecorator:
    """All of a table's faults in `make prove`; otherwise a share of them, so that all turns see them all."""
    every = scaled(quick=of, full=1)
    return pytest.mark.parametrize("kind", list(table)[turn % every :: every])


AT_ONE = pytest.mark.parametrize("provider", ["infobip"], indirect=True)
"""Where the provider makes no difference."""


@dataclass(frozen=True)
class Step:
    """The call that is spoiled: which operation, and the how manieth of them in its request."""

    operation: str
    first: int = 1
    calls: int = 1

    def fails(self, kind: str) -> AwsFault:
        """AWS refuses it every time it is tried."""
        return AwsFault(self.operation, REFUSALS[kind], self.first, self.calls)


READ, RESERVE, RECORD = Step("BatchGetItem"), Step("TransactWriteItems"), Step("TransactWriteItems", 2)
GUESS, NUMBERS_GUESS, CONSUME = Step("UpdateItem"), Step("UpdateItem", 2), Step("TransactWriteItems")
NEVER_CONSUMED = Step("TransactWriteItems", calls=2)
"""A success is stored at the second try too."""


@AT_ONE
@kinds(REFUSALS, turn=0, of=5)
@pytest.mark.parametrize("step", [READ, RESERVE], ids=["read", "reserve"])
def test_nothing_is_sent_that_could_not_be_reserved(step: Step, kind: str, world: World) -> None:
    world.aws.faults.append(step.fails(kind))
    check_sending(world, Sending(INTERNAL, sms=0, again=OK, sms_again=1))


@AT_ONE
@kinds(REFUSALS, turn=1, of=5)
def test_a_send_that_could_not_be_recorded_is_recorded_at_the_second_try(kind: str, world: World) -> None:
    world.aws.faults.append(RECORD.fails(kind))
    check_sending(world, SENT)


@AT_ONE
@kinds(REFUSALS, turn=2, of=5)
def test_a_send_that_is_never_recorded_is_not_repeated(kind: str, world: World) -> None:
    world.aws.faults.append(AwsFault("TransactWriteItems", REFUSALS[kind], first=2, calls=9))
    check_sending(world, Sending(INTERNAL, sms=1, again=RUNNING, sms_again=1))
    world.clock.step(RUNNING_SECONDS)
    assert (told(world.request()), world.sms()) == (UNAVAILABLE, 1)


@AT_ONE
@kinds(REFUSALS, turn=3, of=5)
def test_a_release_that_fails_leaves_the_send_counted_and_not_repeated(kind: str, world: World) -> None:
    world.transport.faults.append(never(NotSent("connection")))
    world.aws.faults.append(RECORD.fails(kind))
    check_sending(world, Sending(UNAVAILABLE, sms=0, again=RUNNING, sms_again=0))
    assert world.reserved() == 1


@AT_ONE
@kinds(REFUSALS, turn=4, of=5)
@pytest.mark.parametrize(
    ("step", "spent"),
    [(GUESS, 0), (NUMBERS_GUESS, 1), (NEVER_CONSUMED, 1)],
    ids=["guess", "number", "consume"],
)
def test_nobody_is_verified_while_dynamodb_refuses(step: Step, spent: int, kind: str, world: World) -> None:
    verification_id, code = world.pending()
    world.aws.faults.append(step.fails(kind))
    assert told(world.verify(verification_id, code)) == INTERNAL
    assert state(world) == ("pending", spent)
    assert world.checks() == (step is NEVER_CONSUMED)
    world.heal()
    check_again(world, verification_id, code, OK)


@pytest.mark.parametrize("provider", ["sinch"], indirect=True)
@kinds(REFUSALS, turn=2, of=5)
def test_a_success_that_could_not_be_stored_is_stored_at_the_second_try(kind: str, world: World) -> None:
    verification_id, code = world.pending()
    world.aws.faults.append(CONSUME.fails(kind))
    assert told(world.verify(verification_id, code)) == OK
    assert (state(world), world.checks()) == (("verified", 1), 1)
    world.heal()
    check_again(world, verification_id, code, USED)


@pytest.mark.parametrize("provider", ["sinch"], indirect=True)
def test_a_code_that_only_the_provider_has_taken_is_right_no_more(world: World) -> None:
    """Sinch says yes once. The answer to that was lost with the write, so the user needs a new code."""
    verification_id, code = world.pending()
    world.aws.faults.append(NEVER_CONSUMED.fails("internal error"))
    assert told(world.verify(verification_id, code)) == INTERNAL
    world.heal()
    check_again(world, verification_id, code, EXPIRED)


@AT_ONE
@pytest.mark.parametrize("step", [READ, RESERVE, RECORD], ids=["read", "reserve", "record"])
@pytest.mark.parametrize("commits", [False, True], ids=["before it is done", "after it is done"])
@pytest.mark.parametrize("error", [aws_error("InternalServerError", 500), NO_ANSWER], ids=["500", "lost"])
def test_what_fails_once_in_a_request_is_tried_again_and_done_once(
    step: Step, commits: bool, error: Any, world: World
) -> None:
    world.aws.faults.append(AwsFault(step.operation, error, step.first, tries=1, commits=commits))
    check_sending(world, SENT)


@AT_ONE
@pytest.mark.parametrize("step", [GUESS, NUMBERS_GUESS, CONSUME], ids=["guess", "number", "consume"])
@pytest.mark.parametrize("commits", [False, True], ids=["before it is done", "after it is done"])
@pytest.mark.parametrize("error", [aws_error("InternalServerError", 500), NO_ANSWER], ids=["500", "lost"])
def test_what_fails_once_in_a_guess_is_tried_again(
    step: Step, commits: bool, error: Any, world: World
) -> None:
    """A guess whose answer was lost is counted again: twice is safe, and not at all would not be."""
    verification_id, code = world.pending()
    world.aws.faults.append(AwsFault(step.operation, error, step.first, tries=1, commits=commits))
    assert told(world.verify(verification_id, code)) == OK
    assert state(world) == ("verified", 2 if step is GUESS and commits else 1)
    world.heal()
    check_again(world, verification_id, code, USED)


@AT_ONE
def test_a_reservation_whose_answers_are_all_lost_sends_nothing_and_stays(world: World) -> None:
    world.aws.faults.append(AwsFault("TransactWriteItems", NO_ANSWER, commits=True))
    check_sending(world, Sending(INTERNAL, sms=0, again=RUNNING, sms_again=0))
    assert world.reserved() == 1
    world.clock.step(RUNNING_SECONDS)
    assert (told(world.request()), world.sms()) == (UNAVAILABLE, 0)
    assert (told(world.request("another-key-of-the-same-order")), world.sms()) == (OK, 1)


@AT_ONE
def test_a_record_whose_answers_are_all_lost_is_a_record(world: World) -> None:
    world.aws.faults.append(AwsFault("TransactWriteItems", NO_ANSWER, first=2, commits=True))
    check_sending(world, SENT)


def test_a_success_whose_answers_are_lost_is_recognised_at_the_second_try(world: World) -> None:
    verification_id, code = world.pending()
    world.aws.faults.append(AwsFault("TransactWriteItems", NO_ANSWER, commits=True))
    assert told(world.verify(verification_id, code)) == OK
    assert state(world) == ("verified", 1)
    world.heal()
    check_again(world, verification_id, code, USED)


def test_a_success_whose_answers_are_all_lost_was_used_when_it_is_asked_for_again(world: World) -> None:
    verification_id, code = world.pending()
    world.aws.faults.append(AwsFault("TransactWriteItems", NO_ANSWER, calls=2, commits=True))
    assert told(world.verify(verification_id, code)) == INTERNAL
    assert state(world) == ("verified", 1)
    world.heal()
    check_again(world, verification_id, code, USED)


@AT_ONE
@pytest.mark.parametrize("step", [RESERVE, RECORD], ids=["reserve", "record"])
def test_a_conflict_with_another_transaction_is_waited_out_in_a_request(step: Step, world: World) -> None:
    world.aws.faults.append(AwsFault(step.operation, CONFLICT, step.first, calls=2))
    check_sending(world, SENT)


@AT_ONE
@pytest.mark.parametrize("step", [GUESS, NUMBERS_GUESS, CONSUME], ids=["guess", "number", "consume"])
def test_a_conflict_with_another_transaction_is_waited_out_in_a_guess(step: Step, world: World) -> None:
    verification_id, code = world.pending()
    world.aws.faults.append(AwsFault(step.operation, CONFLICT, step.first, calls=2))
    assert told(world.verify(verification_id, code)) == OK
    assert state(world) == ("verified", 1)


@AT_ONE
def test_an_endless_conflict_ends_a_guess_and_not_the_limit(world: World) -> None:
    verification_id, code = world.pending()
    world.aws.faults.append(AwsFault("UpdateItem", CONFLICT, calls=99))
    assert told(world.verify(verification_id, code)) == INTERNAL
    assert state(world) == ("pending", 0)


@AT_ONE
def test_an_endless_conflict_ends_a_success_unconsumed(world: World) -> None:
    verification_id, code = world.pending()
    world.aws.faults.append(AwsFault("TransactWriteItems", CONFLICT, calls=99))
    assert told(world.verify(verification_id, code)) == INTERNAL
    assert state(world) == ("pending", 1)


@AT_ONE
def test_a_condition_that_fails_for_no_visible_reason_sends_and_verifies_nothing(world: World) -> None:
    nothing_there = aws_error("ConditionalCheckFailedException")
    world.aws.faults.append(AwsFault("TransactWriteItems", nothing_there, calls=9))
    assert (told(world.request()), world.sms()) in ((LIMITED, 0), (RUNNING, 0))
    world.heal()
    verification_id, code = world.pending()
    for step, ends, spent in ((GUESS, UNKNOWN, 0), (NUMBERS_GUESS, LOCKED, 1), (CONSUME, UNKNOWN, 2)):
        world.aws.faults = [AwsFault(step.operation, nothing_there, step.first)]
        assert told(world.verify(verification_id, code)) == ends
        assert state(world) == ("pending", spent)


@AT_ONE
def test_keys_that_dynamodb_did_not_get_to_are_not_taken_for_absent(world: World) -> None:
    left = aws_answer(200, {"Responses": {}, "UnprocessedKeys": {"Table": {"Keys": [{"pk": {"S": "N#1"}}]}}})
    world.aws.faults.append(AwsFault("BatchGetItem", left))
    check_sending(world, Sending(INTERNAL, sms=0, again=OK, sms_again=1))


def test_every_read_is_strongly_consistent(world: World) -> None:
    """A stale read could miss a send that is already counted."""
    asked = world.aws.bodies
    verification_id, code = world.pending()
    assert told(world.verify(verification_id, code)) == OK
    reads = [body for operation, body in asked if operation in ("BatchGetItem", "Query", "Scan")]
    assert reads
    assert all(table["ConsistentRead"] for body in reads for table in body["RequestItems"].values())


# ------------------------------------------------------------------------------------------ other operations

GAP = 30
"""Seconds after which a code may be sent again."""


def right_code(world: World, ended: str, first: str) -> str:
    """After a resend: the newest code if it went, else the one before it."""
    return str(world.inbox()[0]["code"]) if ended == OK else first


@rows(SENDS)
def test_a_provider_that_fails_to_send_again_causes_no_further_sms(
    fault: ProviderFault, expected: Sending, world: World
) -> None:
    verification_id, first = world.pending()
    world.clock.step(GAP)
    world.transport.faults.append(fault)
    ended = told(world.resend(verification_id))
    assert ended in (expected.ends, OK)
    assert state(world) == ("pending", 0)
    assert world.sms() <= min(2, world.reserved())
    world.heal()
    check_again(world, verification_id, right_code(world, ended, first), OK)


@AT_ONE
@kinds(REFUSALS, turn=3, of=5)
@pytest.mark.parametrize("step", [READ, Step("BatchGetItem", 2), RESERVE], ids=["find", "read", "reserve"])
def test_nothing_is_sent_again_that_could_not_be_reserved(step: Step, kind: str, world: World) -> None:
    verification_id, first = world.pending()
    world.clock.step(GAP)
    world.aws.faults.append(step.fails(kind))
    assert told(world.resend(verification_id)) == INTERNAL
    assert (world.sms(), world.reserved()) == (1, 1)
    world.heal()
    check_again(world, verification_id, first, OK)


@kinds(REFUSALS, turn=4, of=5)
@pytest.mark.parametrize("calls", [1, 9], ids=["once", "always"])
def test_a_resend_that_could_not_be_recorded_is_one_sms(kind: str, calls: int, world: World) -> None:
    verification_id, first = world.pending()
    world.clock.step(GAP)
    # Whichever of the two stores it: the first is the reservation, and an UpdateItem nothing else.
    world.aws.faults.append(AwsFault("TransactWriteItems", REFUSALS[kind], first=2, calls=calls))
    world.aws.faults.append(AwsFault("UpdateItem", REFUSALS[kind], calls=calls))
    ended = told(world.resend(verification_id))
    assert ended == (OK if calls == 1 else INTERNAL)
    assert (world.sms(), world.reserved(), state(world)) == (2, 2, ("pending", 0))
    world.heal()
    # Infobip sends the same code again. Sinch makes another, which nothing here knows, and ends the first.
    is_lost = ended != OK and world.provider == "sinch"
    check_again(world, verification_id, right_code(world, ended, first), EXPIRED if is_lost else OK)


@AT_ONE
@kinds(REFUSALS, turn=0, of=5)
def test_what_could_not_be_cancelled_is_still_pending(kind: str, world: World) -> None:
    verification_id, code = world.pending()
    world.aws.faults.append(GUESS.fails(kind))
    assert told(world.cancel(verification_id)) == INTERNAL
    assert state(world) == ("pending", 0)
    world.heal()
    assert told(world.cancel(verification_id)) == OK
    assert told(world.verify(verification_id, code)) == CANCELLED


@AT_ONE
@kinds(REFUSALS, turn=1, of=5)
@pytest.mark.parametrize("step", [READ, Step("BatchGetItem", 2)], ids=["find", "read"])
def test_a_status_that_cannot_be_read_is_no_status(step: Step, kind: str, world: World) -> None:
    verification_id, _ = world.pending()
    world.aws.faults.append(step.fails(kind))
    assert told(world.status(verification_id)) == INTERNAL
    world.heal()
    assert world.status(verification_id).body["status"] == "pending"


@pytest.mark.parametrize("milliseconds", [0, int(http.RESERVE_SECONDS * 1000)])
def test_with_too_little_time_left_nothing_is_sent_again(milliseconds: int, world: World) -> None:
    verification_id, _ = world.pending()
    world.clock.step(GAP)
    world.milliseconds = milliseconds
    assert told(world.resend(verification_id)) == UNAVAILABLE
    assert (world.sms(), world.reserved()) == (1, 1)


# ------------------------------------------------------------------------------------------ items

WRONG_TYPES: list[dict[str, Any]] = [{"BOOL": True}, {"NULL": True}, {"M": {}}, {"B": b"?"}]
WHOLE = (
    *("tenant", "phone", "country", "numberKey", "channel", "createdAt", "expiresAt", "state"),
    *("attempts", "provider", "providerRef"),
)
"""Without any of these a verification is none."""


@AT_ONE
@pytest.mark.parametrize("attribute", WHOLE)
def test_a_verification_that_is_not_whole_verifies_nobody(attribute: str, world: World) -> None:
    verification_id, code = world.pending()
    whole = world.verification()
    other = {"S": "?"} if "N" in whole[attribute] else {"N": "1"}
    less = {name: value for name, value in whole.items() if name != attribute}
    for spoiled in (less, *(whole | {attribute: value} for value in (other, *WRONG_TYPES))):
        world.change(spoiled)
        assert told(world.verify(verification_id, code)) in (INTERNAL, UNKNOWN, UNAVAILABLE, CANCELLED)
        assert world.verification().get("state") != {"S": "verified"}
    assert world.checks() == 0
    world.change(whole)


@AT_ONE
@pytest.mark.parametrize(
    ("attribute", "value", "ends"),
    [
        ("state", "locked", INTERNAL),
        ("state", "VERIFIED", INTERNAL),
        ("state", "failed", CANCELLED),
        ("state", "cancelled", CANCELLED),
        ("state", "verified", USED),
        ("channel", "pigeon", INTERNAL),
        ("provider", "nobody", UNAVAILABLE),
        ("tenant", "somebody-else", UNKNOWN),
        ("sessionHash", "0" * 64, UNKNOWN),
    ],
)
def test_a_verification_that_says_something_else_verifies_nobody(
    attribute: str, value: str, ends: str, world: World
) -> None:
    verification_id, code = world.pending()
    world.change(world.verification() | {attribute: {"S": value}})
    assert told(world.verify(verification_id, code)) == ends
    assert world.checks() == 0


@AT_ONE
def test_an_attribute_of_a_later_version_is_left_alone(world: World) -> None:
    verification_id, code = world.pending()
    world.change(world.verification() | {"ofALaterVersion": {"M": {"deep": {"N": "1"}}}})
    assert told(world.verify(verification_id, code)) == OK
    assert world.verification()["ofALaterVersion"] == {"M": {"deep": {"N": "1"}}}


@AT_ONE
def test_a_verification_that_is_expired_and_not_yet_deleted_verifies_nobody(world: World) -> None:
    verification_id, code = world.pending()
    item = world.verification()
    world.clock.now = int(item["ttl"]["N"]) + 1
    assert told(world.verify(verification_id, code)) == EXPIRED
    assert (state(world), world.checks()) == (("pending", 0), 0)


@AT_ONE
@pytest.mark.parametrize(
    ("kind", "attribute"), [("N", "sends"), ("N", "version"), ("I", "fingerprint"), ("I", "claimedAt")]
)
def test_a_log_or_claim_that_cannot_be_read_sends_nothing(kind: str, attribute: str, world: World) -> None:
    world.pending()
    [whole] = world.items(kind)
    for value in WRONG_TYPES:
        world.change(whole | {attribute: value})
        assert told(world.request()) == INTERNAL
    assert world.sms() == 1


@AT_ONE
def test_failures_that_cannot_be_read_verify_nobody(world: World) -> None:
    verification_id, code = world.pending()
    assert told(world.verify(verification_id, WRONG_CODE)) == WRONG
    [whole] = world.items("F")
    for value in WRONG_TYPES:
        world.change(whole | {"failures": value})
        assert told(world.verify(verification_id, code)) in (INTERNAL, LOCKED, SPENT)
    assert (state(world)[0], world.checks()) == ("pending", 1)


# ------------------------------------------------------------------------------------------ Secrets Manager

PEPPER_CALL, PROVIDER_CALL = 1, 2
"""A cold environment's first request fetches both secrets, in this order."""

SECRETS_FAIL: dict[str, Callable[[str], Any] | BaseException] = {
    "throttled": aws_error("ThrottlingException"),
    "internal error": aws_error("InternalServiceError", 500),
    "access denied": aws_error("AccessDeniedException"),
    "no such secret": aws_error("ResourceNotFoundException"),
    "cannot be decrypted": aws_error("DecryptionFailure"),
    "no value yet": aws_error("ResourceNotFoundException", Message="no staging label AWSCURRENT"),
    "connection refused": EndpointConnectionError(endpoint_url="https://secretsmanager.invalid"),
    "no answer": ReadTimeoutError(endpoint_url="https://secretsmanager.invalid"),
    "HTML": aws_answer(200, b"<html>Sign in"),
    "no text": aws_answer(200, {"SecretBinary": "AAAA"}),
    "nothing": aws_answer(200, {}),
    "not JSON": aws_answer(200, {"SecretString": "sandbox-infobip-key"}),
    "a list": aws_answer(200, {"SecretString": "[]"}),
    "nested too deeply": aws_answer(200, {"SecretString": "[" * 60_000}),
    "an empty object": aws_answer(200, {"SecretString": "{}"}),
    "numbers for texts": aws_answer(
        200,
        {"SecretString": json.dumps({"pepper": 1, "infobip": {"apiKey": 1}, "sinch": {"applicationKey": 1}})},
    ),
    "empty texts": aws_answer(
        200,
        {
            "SecretString": json.dumps(
                {"pepper": "", "infobip": {"apiKey": ""}, "sinch": {"applicationKey": ""}}
            )
        },
    ),
    "a line's end within": aws_answer(
        200,
        {
            "SecretString": json.dumps(
                {
                    "pepper": "short\n",
                    "infobip": {"apiKey": "a\nb", "baseUrl": "x", "applicationId": "x", "messageId": "x"},
                    "sinch": {"applicationKey": "a\nb", "applicationSecret": "x"},
                }
            )
        },
    ),
}


@AT_ONE
@kinds(SECRETS_FAIL, turn=0, of=3)
def test_without_the_pepper_nothing_is_reserved_or_sent(kind: str, world: World) -> None:
    world.aws.faults.append(AwsFault("GetSecretValue", SECRETS_FAIL[kind], first=PEPPER_CALL))
    check_sending(world, Sending(INTERNAL, sms=0, again=OK, sms_again=1))


@kinds(SECRETS_FAIL, turn=1, of=3)
def test_without_credentials_nothing_is_sent_and_the_reservation_is_given_back(
    kind: str, world: World
) -> None:
    world.aws.faults.append(AwsFault("GetSecretValue", SECRETS_FAIL[kind], first=PROVIDER_CALL, calls=9))
    check_sending(world, NOT_SENT)
    assert world.reserved() == 1


@kinds(SECRETS_FAIL, turn=2, of=3)
def test_without_credentials_nobody_is_verified(kind: str, world: World) -> None:
    verification_id, code = world.pending()
    world.restart()
    world.aws.faults.append(AwsFault("GetSecretValue", SECRETS_FAIL[kind], calls=9))
    assert told(world.verify(verification_id, code)) in (INTERNAL, UNAVAILABLE)
    assert (state(world), world.checks()) == (("pending", 1), 0)
    world.heal()
    check_again(world, verification_id, code, OK)


def test_credentials_that_are_rotated_in_flight_are_fetched_anew(world: World, sandbox: str) -> None:
    right = json.dumps(credentials(sandbox))
    wrong = right.replace(INFOBIP_API_KEY, "the-key-before").replace(SINCH_APPLICATION_SECRET, "YmVmb3JlIQ==")
    world.put_secret("provider_secret_arn", wrong)
    assert told(world.request()) == UNAVAILABLE  # which puts the old ones into the cache
    world.put_secret("provider_secret_arn", right)
    check_sending(world, SENT)


def test_credentials_that_are_rotated_between_send_and_check_are_fetched_anew(
    world: World, sandbox: str
) -> None:
    verification_id, code = world.pending()
    right = json.dumps(credentials(sandbox))
    wrong = right.replace(INFOBIP_API_KEY, "the-key-before").replace(SINCH_APPLICATION_SECRET, "YmVmb3JlIQ==")
    world.put_secret("provider_secret_arn", wrong)
    world.restart()
    assert told(world.verify(verification_id, code)) == UNAVAILABLE
    world.put_secret("provider_secret_arn", right)
    assert told(world.verify(verification_id, code)) == OK
    assert state(world) == ("verified", 2)


def test_a_key_that_is_refused_for_good_is_fetched_once_per_request(world: World, sandbox: str) -> None:
    wrong = json.dumps(credentials(sandbox)).replace(INFOBIP_API_KEY, "an-older-key")
    world.put_secret("provider_secret_arn", wrong.replace(SINCH_APPLICATION_SECRET, "b2xkZXIhIQ=="))
    assert told(world.request()) == UNAVAILABLE
    assert world.aws.calls["GetSecretValue"] == PROVIDER_CALL + 1
    assert told(world.request()) == UNAVAILABLE
    assert world.aws.calls["GetSecretValue"] == 1


# ------------------------------------------------------------------------------------------ Lambda


def killed(act: Callable[[], object]) -> bool:
    """Whether the environment ended within it."""
    try:
        act()
    except Killed:
        return True
    return False


def test_a_cold_start_between_send_and_check_loses_nothing(world: World) -> None:
    verification_id, code = world.pending()
    world.restart()
    check_again(world, verification_id, code, OK)


def test_an_environment_that_was_frozen_for_ten_minutes_goes_on_as_new(world: World) -> None:
    verification_id, code = world.pending()
    world.clock.step(600)
    assert told(world.verify(verification_id, code)) == EXPIRED
    assert world.checks() == 0
    assert told(world.request("another-key-of-another-order")) == OK
    newest = world.inbox()[0]["code"]
    assert (newest != code, world.sms()) == (True, 2)


@pytest.mark.parametrize("milliseconds", [-1, 0, 1, 999, 1_000, int(http.RESERVE_SECONDS * 1000)])
def test_with_too_little_time_left_nothing_is_begun(milliseconds: int, world: World) -> None:
    verification_id, code = world.pending()
    before = world.aws.bodies[:]
    world.milliseconds = milliseconds
    assert told(world.request("another-key-of-another-order")) == UNAVAILABLE
    assert told(world.verify(verification_id, code)) == UNAVAILABLE
    assert (world.aws.bodies, world.sms(), state(world), world.checks()) == (before, 1, ("pending", 0), 0)


KILLED_REQUESTS: list[tuple[str, AwsFault | ProviderFault, int, str, int]] = [
    ("before the reservation", AwsFault("TransactWriteItems", Killed()), 0, OK, 1),
    ("after the reservation", AwsFault("TransactWriteItems", Killed(), commits=True), 0, RUNNING, 0),
    ("before the send", never(Killed()), 0, RUNNING, 0),
    ("after the send", lost(Killed()), 1, RUNNING, 1),
    ("before the record", AwsFault("TransactWriteItems", Killed(), first=2), 1, RUNNING, 1),
    ("after the record", AwsFault("TransactWriteItems", Killed(), first=2, commits=True), 1, OK, 1),
]


@pytest.mark.parametrize(
    ("fault", "sms", "again", "sms_again"),
    [pytest.param(*row, id=name) for name, *row in KILLED_REQUESTS],
)
@pytest.mark.parametrize("request_id", ["request-1", "request-9"], ids=["same id", "new id"])
def test_a_request_that_is_killed_sends_no_second_sms(
    fault: AwsFault | ProviderFault, sms: int, again: str, sms_again: int, request_id: str, world: World
) -> None:
    spoil(world, fault)
    assert killed(world.request)
    assert world.sms() == sms
    world.heal()
    world.restart()
    assert told(world.request(request_id=request_id)) == again
    assert world.sms() == sms_again
    world.clock.step(RUNNING_SECONDS)
    assert told(world.request(request_id=request_id)) == (OK if again == OK else UNAVAILABLE)
    assert world.sms() == sms_again


KILLED_GUESSES: list[tuple[str, AwsFault | ProviderFault, tuple[str, int], str, str]] = [
    ("before the count", AwsFault("UpdateItem", Killed()), ("pending", 0), OK, OK),
    ("after the count", AwsFault("UpdateItem", Killed(), commits=True), ("pending", 1), OK, OK),
    ("after the number's count", AwsFault("UpdateItem", Killed(), 2, commits=True), ("pending", 1), OK, OK),
    ("before the check", never(Killed()), ("pending", 1), OK, OK),
    ("after the provider's yes", lost(Killed()), ("pending", 1), OK, EXPIRED),
    ("before the consuming write", AwsFault("TransactWriteItems", Killed()), ("pending", 1), OK, EXPIRED),
    ("before the reply", AwsFault("TransactWriteItems", Killed(), commits=True), ("verified", 1), USED, USED),
]


@pytest.mark.parametrize(
    ("provider", "fault", "stored", "again"),
    [
        pytest.param(provider, fault, stored, again, id=f"{provider}: {name}")
        for name, fault, stored, *both in KILLED_GUESSES
        for provider, again in zip(PROVIDERS, both, strict=True)
    ],
    indirect=["provider"],
)
@pytest.mark.parametrize("request_id", ["request-2", "request-9"], ids=["same id", "new id"])
def test_a_guess_that_is_killed_verifies_at_most_once(
    fault: AwsFault | ProviderFault, stored: tuple[str, int], again: str, request_id: str, world: World
) -> None:
    verification_id, code = world.pending()
    spoil(world, fault)
    assert killed(lambda: world.verify(verification_id, code))
    assert state(world) == stored
    world.heal()
    world.restart()
    assert told(world.verify(verification_id, code, request_id)) == again
    assert (state(world)[0] == "verified") is (again in (OK, USED))
    assert refused(world.verify(verification_id, code, request_id))


def spoil(world: World, fault: AwsFault | ProviderFault) -> None:
    """Whichever of the two it is."""
    if isinstance(fault, AwsFault):
        world.aws.faults.append(fault)
    else:
        world.transport.faults.append(fault)


@pytest.mark.parametrize("fault", [never(MemoryError()), lost(MemoryError())], ids=["before", "after"])
def test_out_of_memory_at_the_provider_is_an_answer_and_no_success(
    fault: ProviderFault, world: World
) -> None:
    world.transport.faults.append(fault)
    assert told(world.request()) == INTERNAL
    assert world.sms() <= 1
    world.clock.step(RUNNING_SECONDS)
    assert told(world.request()) == UNAVAILABLE
    assert world.sms() <= 1
    verification_id = world.request("another-key-of-the-same-order").body["verificationId"]
    world.transport.faults.append(fault)
    assert told(world.verify(verification_id, world.inbox()[0]["code"])) == INTERNAL


def test_an_event_that_is_delivered_twice_sends_one_sms_and_verifies_once(world: World) -> None:
    first, second = world.request(), world.request()
    assert first.body == second.body
    assert world.sms() == 1
    verification_id, code = first.body["verificationId"], world.inbox()[0]["code"]
    assert told(world.verify(verification_id, code)) == OK
    assert told(world.verify(verification_id, code)) == USED
    assert world.checks() == 1


def test_an_event_without_a_key_that_is_delivered_twice_meets_the_limit(world: World) -> None:
    assert told(world.request(key=None)) == OK
    assert told(world.request(key=None)) == LIMITED
    assert world.sms() == 1


@pytest.mark.parametrize("skew", [-120, 120])
def test_a_clock_that_is_two_minutes_off_neither_locks_out_nor_lets_in(skew: int, world: World) -> None:
    verification_id, code = world.pending()
    world.clock.step(skew)
    check_again(world, verification_id, code, OK)
    assert told(world.request("another-key-of-another-order")) == (OK if skew > 0 else LIMITED)


@pytest.mark.parametrize("skew", [-120, 120])
def test_a_clock_that_is_two_minutes_off_shifts_the_expiry_by_no_more(skew: int, world: World) -> None:
    verification_id, code = world.pending()
    world.clock.step(300 + skew)
    assert told(world.verify(verification_id, code)) == (OK if skew < 0 else EXPIRED)


def test_each_kind_of_fault_is_one_of_many() -> None:
    """The matrix does not shrink unseen."""
    kinds = len(SENDS) + len(CHECKS) + len(REFUSALS) + len(SECRETS_FAIL)
    kinds += len(KILLED_REQUESTS) + len(KILLED_GUESSES)
    assert kinds >= 120
