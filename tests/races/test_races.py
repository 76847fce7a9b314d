"""What must hold however many call at once."""

import itertools
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from sms_otp.clock import Deadline
from sms_otp.commands import Caller, RequestOtp, VerifyOtp
from sms_otp.service import Service
from tests.fakes import outcome
from tests.races.conftest import calls, inbox

requests_made = itertools.count()
numbers = (f"+1{area}55501{line:02d}" for area in (212, 305, 312, 404, 415, 503) for line in range(100))


def caller() -> Caller:
    return Caller("tenant-a", f"request-{next(requests_made)}", Deadline(60))


def at_once(count: int, act: Callable[[], Any]) -> Counter[str]:
    """How often each errorCode (or `ok`) was the answer to `count` calls that start together."""
    start = Barrier(count)

    def run(_: int) -> str:
        start.wait(timeout=60)
        return outcome(act)

    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(run, range(count)))


def pending(service: Service, sandbox: str) -> tuple[str, str, str, str]:
    """A number, its verificationId, the right code and a wrong one."""
    number = next(numbers)
    verification_id = service.request(RequestOtp(number), caller()).verification_id
    right = inbox(sandbox, number)[0]["code"]
    return number, verification_id, right, "111111" if right != "111111" else "222222"


def test_of_two_hundred_wrong_guesses_at_once_exactly_five_reach_the_provider(
    service: Service, sandbox: str
) -> None:
    number, verification_id, right, wrong = pending(service, sandbox)
    answers = at_once(200, lambda: service.verify(VerifyOtp(verification_id, wrong), caller()))
    assert calls(sandbox, "check", number) == 5
    assert answers == {"OTP_INCORRECT": 5, "TOO_MANY_ATTEMPTS": 195}
    assert outcome(lambda: service.verify(VerifyOtp(verification_id, right), caller())) == "TOO_MANY_ATTEMPTS"


def test_of_fifty_right_guesses_at_once_exactly_one_succeeds(service: Service, sandbox: str) -> None:
    number, verification_id, right, _ = pending(service, sandbox)
    answers = at_once(50, lambda: service.verify(VerifyOtp(verification_id, right), caller()))
    assert answers["ok"] == 1
    assert calls(sandbox, "check", number) <= 5


def test_of_two_hundred_requests_for_one_number_at_once_exactly_one_sends(
    service: Service, sandbox: str
) -> None:
    number = next(numbers)
    answers = at_once(200, lambda: service.request(RequestOtp(number), caller()))
    assert answers == {"ok": 1, "RATE_LIMITED": 199}
    assert calls(sandbox, "send", number) == len(inbox(sandbox, number)) == 1
