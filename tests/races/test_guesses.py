"""Concurrent guesses: none beyond the limit reaches a provider, and a code verifies once.

Exact, on DynamoDB as on its emulation: how many guesses reach a provider, of a verification
and of a number, since each is counted by one conditional write before; and that a code is right **at
most** once, by one conditional write after.

Best effort: that of many right guesses one **does** succeed. The emulation makes one write after
the other. On DynamoDB, the transaction of a success can meet others on its items; it is tried again for
about a second, and then its caller gets an error, the guess spent and nobody verified.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

import pytest

from fakes.memory import PEPPERS, StepClock, outcome
from sms_otp.domain.commands import RequestOtp, VerifyOtp
from sms_otp.domain.keys import keyed, verification_key
from sms_otp.domain.number import Lane
from sms_otp.domain.ports import AdmissionQuery, Providers
from sms_otp.domain.provider import Check
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.service import Service
from sms_otp.use_cases.verify import verify_code
from tests.proofs.scale import scaled
from tests.races.crowd import caller, fresh_numbers, tally
from tests.races.servers import calls, inbox

CROWD = scaled(100, 1000)
ROUNDS = scaled(1, 20)


class Watched:
    """The providers, and every guess that reached one."""

    def __init__(self, providers: Providers) -> None:
        self._providers = providers
        self._lock = Lock()
        self.guesses: list[str] = []
        self.candidates, self.ends_a_code = providers.candidates, providers.ends_a_code
        self.send, self.resend, self.turns = providers.send, providers.resend, providers.turns

    def check(self, name: str, ref: str, otp: str, **how: Any) -> Check:
        with self._lock:
            self.guesses.append(otp)
        return self._providers.check(name, ref, otp, **how)


def request(service: Service, number: str) -> str:
    return request_code(service, RequestOtp(number), caller()).verification_id


def code_sent_to(sandbox: str, number: str) -> tuple[str, str]:
    """The right code and a wrong one."""
    right: str = inbox(sandbox, number)[0]["code"]
    return right, "111111" if right != "111111" else "222222"


def guesses(
    service: Service, verification_id: str, codes: Sequence[str], token: str | None = None
) -> list[Callable[[], str]]:
    """One caller for each code."""

    def guess(code: str) -> Callable[[], str]:
        command = VerifyOtp(verification_id, code, device_token=token)
        return lambda: outcome(lambda: verify_code(service, command, caller()))

    return [guess(code) for code in codes]


def test_exactly_five_concurrent_wrong_guesses_reach_the_provider(service: Service, sandbox: str) -> None:
    for _, number in zip(range(ROUNDS), fresh_numbers(), strict=False):
        verification_id = request(service, number)
        right, wrong = code_sent_to(sandbox, number)
        answers = tally(guesses(service, verification_id, [wrong] * CROWD))
        assert answers == {"OTP_INCORRECT": 5, "TOO_MANY_ATTEMPTS": CROWD - 5}
        assert calls(sandbox, "check", number) == 5
        assert tally(guesses(service, verification_id, [right])) == {"TOO_MANY_ATTEMPTS": 1}


def test_exactly_one_concurrent_right_guess_succeeds(service: Service, sandbox: str) -> None:
    for _, number in zip(range(ROUNDS), fresh_numbers(), strict=False):
        verification_id = request(service, number)
        right, _ = code_sent_to(sandbox, number)
        answers = tally(guesses(service, verification_id, [right] * CROWD))
        assert answers["ok"] == 1
        assert calls(sandbox, "check", number) <= 5
        assert tally(guesses(service, verification_id, [right])) == {"ALREADY_VERIFIED": 1}


@pytest.mark.parametrize("rights", [1, CROWD // 4])
def test_a_right_guess_among_wrong_ones_succeeds_only_in_the_first_five(
    service: Service, sandbox: str, rights: int
) -> None:
    watched = Watched(service.providers)
    service = replace(service, providers=watched)
    for index, number in zip(range(scaled(1, 3)), fresh_numbers(), strict=False):
        watched.guesses.clear()
        verification_id = request(service, number)
        right, wrong = code_sent_to(sandbox, number)
        codes = [right] * rights + [wrong] * (CROWD - rights)
        random.Random(index).shuffle(codes)  # noqa: S311 - an order to try, not a secret
        answers = tally(guesses(service, verification_id, codes))
        assert answers["ok"] == (right in watched.guesses)
        assert len(watched.guesses) <= 5
        assert len(watched.guesses) == 5 or answers["ok"]


def test_guesses_at_several_verifications_share_the_numbers_free_failures(
    build: Callable[..., Service], sandbox: str
) -> None:
    """Each wait then allows one guess, and is never shorter than the policy's. Other guesses are returned."""
    service = build(ResendGapSeconds="0", SendsPerQuarterHour="10", SendsPerHour="10", FailuresBeforeWait="1")
    clock, number = service.clock, next(fresh_numbers())
    assert isinstance(clock, StepClock)
    ids = [request(service, number) for _ in range(4)]
    _, wrong = code_sent_to(sandbox, number)
    crowd = [guess for each in ids for guess in guesses(service, each, [wrong] * (CROWD // 4))]
    answers = tally(crowd)
    assert calls(sandbox, "check", number) == answers["OTP_INCORRECT"] == 4
    assert spent(service, ids) == 4, "a guess that a lock refuses is returned"
    for reached, wait in enumerate((30, 60, 120), start=5):
        clock.step(wait - 1)
        assert outcome(lambda: request(service, number)) == "NUMBER_LOCKED"
        clock.step(1)
        verification_id = request(service, number)
        answers = tally(guesses(service, verification_id, [wrong] * CROWD))
        assert answers["OTP_INCORRECT"] == 1
        assert set(answers) <= {"OTP_INCORRECT", "NUMBER_LOCKED", "TOO_MANY_ATTEMPTS"}
        assert calls(sandbox, "check", number) == reached
        assert spent(service, [verification_id]) == 1


def test_concurrent_guesses_in_two_lanes_are_limited_by_their_own_lane(
    build: Callable[..., Service], sandbox: str
) -> None:
    service = build(ResendGapSeconds="0", SendsPerQuarterHour="10", SendsPerHour="10", FailuresBeforeWait="1")
    for _, number in zip(range(ROUNDS), fresh_numbers(), strict=False):
        first = request(service, number)
        command = VerifyOtp(first, code_sent_to(sandbox, number)[0])
        token = verify_code(service, command, caller()).device_token
        ids = [request(service, number) for _ in range(2)]
        owned = request(service, number)
        wrong = code_sent_to(sandbox, number)[1]
        strangers = [guess for each in ids for guess in guesses(service, each, [wrong] * (CROWD // 4))]
        owner = guesses(service, owned, [wrong] * (CROWD // 2), token)
        tally([*strangers, *owner])
        number_key = keyed(PEPPERS.current, "number", number)
        known = service.store.read(AdmissionQuery(number_key, "tenant-a")).number
        counts = {lane: failures.count for (_, lane), failures in known.failures.items()}
        assert counts == {Lane.TOKEN: 1, Lane.STRANGER: 4}
        assert known.totals == {"tenant-a": 5}
        assert calls(sandbox, "check", number) == 1 + 5
        assert (spent(service, ids), spent(service, [owned])) == (4, 1)


def spent(service: Service, ids: Sequence[str]) -> int:
    """The guesses that these verifications have spent."""
    found = (service.store.find(verification_key(each)) for each in ids)
    return sum(each.attempts for each in found if each)
