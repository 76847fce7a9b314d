"""Outcomes of faults: the answer to the backend, the messages on the phone, the answer to a repetition."""

from dataclasses import dataclass

from tests.functional.deployment import Answer
from tests.functional.faults.world import World

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

WRONG_CODE = "000000"


@dataclass(frozen=True)
class Sending:
    """A request's outcome and the SMS sent by then; its repetition's outcome and the SMS sent by then."""

    ends: str
    sms: int
    again: str
    sms_again: int


@dataclass(frozen=True)
class Checking:
    """The outcome of the right code during a fault, and again once the fault is over."""

    ends: str
    again: str


NOT_SENT = Sending(UNAVAILABLE, sms=0, again=OK, sms_again=1)
"""Certainly not sent: the reservation is released, so that the repetition sends."""
NOT_KNOWN = Sending(UNAVAILABLE, sms=0, again=UNAVAILABLE, sms_again=0)
"""It may have been sent: the repetition gets the same answer and sends nothing."""
SENT_UNKNOWN = Sending(UNAVAILABLE, sms=1, again=UNAVAILABLE, sms_again=1)
SENT = Sending(OK, sms=1, again=OK, sms_again=1)
FOR_GOOD = Sending(REJECTED, sms=0, again=REJECTED, sms_again=0)

NO_VERDICT = Checking(UNAVAILABLE, again=OK)
"""The guess is spent; the provider still knows the code."""
VERDICT_LOST = Checking(UNAVAILABLE, again=EXPIRED)
"""The guess is spent, and the provider has used up the code, which it accepts only once."""
FORGOTTEN = Checking(EXPIRED, again=OK)


def outcome_of(answer: Answer) -> str:
    """`ok` or the errorCode, whose status must be the documented one."""
    assert answer.status == STATUSES[answer.outcome]
    return answer.outcome


def refused(answer: Answer) -> bool:
    """Whether the answer is an error."""
    return outcome_of(answer) != OK


def state(world: World) -> tuple[str, int]:
    """The stored state and the guesses spent."""
    item = world.verification()
    return item["state"]["S"], int(item["attempts"]["N"])


def check_sending(world: World, expected: Sending) -> None:
    """Send a request, then repeat it in a new environment once the fault is over."""
    first = outcome_of(world.request())
    sms = world.sms()
    world.heal()
    world.restart()
    again = outcome_of(world.request(request_id="request-9"))
    assert Sending(first, sms, again, world.sms()) == expected
    assert world.reserved() >= world.sms(), "an SMS that left is on record"
    assert world.sms() <= 1


def check_again(world: World, verification_id: str, code: str, expected: str) -> None:
    """Send the right code again: a success is stored, and there is no second success."""
    world.restart()
    assert outcome_of(world.verify(verification_id, code, "request-8")) == expected
    assert (state(world)[0] == "verified") is (expected in (OK, USED))
    assert refused(world.verify(verification_id, code, "request-9"))
