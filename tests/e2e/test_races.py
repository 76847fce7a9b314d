"""What must hold however many call at once: on a store that is a server, never on a mock in one process."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import requests

from tests.e2e.conftest import Backend, fresh_number

pytestmark = pytest.mark.e2e


def at_once(count: int, act: Callable[[], requests.Response]) -> Counter[str]:
    """The errorCodes (or `ok`) of `count` calls that start together."""
    start = Barrier(count)

    def run(_: int) -> str:
        start.wait(timeout=60)
        answer = act()
        return "ok" if answer.status_code == 200 else str(answer.json().get("errorCode", answer.text))

    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(run, range(count)))


def test_of_two_hundred_wrong_guesses_at_once_exactly_five_reach_the_provider(backend: Backend) -> None:
    number = fresh_number()
    verification_id = backend.request(number).json()["verificationId"]
    (message,) = backend.inbox(number)
    wrong = "111111" if message["code"] != "111111" else "222222"
    answers = at_once(200, lambda: backend.verify(verification_id, wrong))
    assert len(backend.calls("check", number)) == 5
    assert answers == {"OTP_INCORRECT": 5, "TOO_MANY_ATTEMPTS": 195}


def test_of_fifty_right_guesses_at_once_exactly_one_succeeds(backend: Backend) -> None:
    number = fresh_number()
    verification_id = backend.request(number).json()["verificationId"]
    (message,) = backend.inbox(number)
    answers = at_once(50, lambda: backend.verify(verification_id, message["code"]))
    assert answers["ok"] == 1
    assert set(answers) <= {"ok", "ALREADY_VERIFIED", "TOO_MANY_ATTEMPTS", "OTP_EXPIRED", "OTP_INCORRECT"}
    assert len(backend.calls("check", number)) <= 5


def test_of_fifty_requests_for_one_number_at_once_exactly_one_sends(backend: Backend) -> None:
    number = fresh_number()
    answers = at_once(50, lambda: backend.request(number))
    assert answers == {"ok": 1, "RATE_LIMITED": 49}
    assert len(backend.calls("send", number)) == 1
    assert len(backend.inbox(number)) == 1
