"""Every use case applies the limits of the number's country."""

from dataclasses import replace

import pytest

from fakes.memory import PEPPERS, StepClock
from sms_otp.domain import errors
from sms_otp.domain.clock import Deadline
from sms_otp.domain.commands import Policy, RequestOtp, ResendOtp, VerifyOtp
from sms_otp.domain.limits import MINUTE, SECOND
from sms_otp.domain.ports import Erased, NumberRecord
from sms_otp.use_cases.administration import Administration, Administrator
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.resend import resend_code
from sms_otp.use_cases.status import Lifecycle
from sms_otp.use_cases.verify import verify_code
from tests.unit.world import NUMBER, World

BRITISH = "+447400123456"
ADMINISTRATOR = Administrator("an-arn", Deadline(10))


@pytest.fixture
def policy(policy: Policy) -> Policy:
    """Numbers in Great Britain wait longer between two codes, and after the first wrong one."""
    everywhere = policy.number_limits("US")
    own = replace(everywhere.own, gap=4 * MINUTE, gap_max=4 * MINUTE)
    guesses = replace(everywhere.stranger_guesses, free=4, wait=90 * SECOND)
    british = replace(everywhere, own=own, network=own, stranger_guesses=guesses)
    limits = {**policy.admission.limits_by_country, "GB": british}
    return replace(policy, admission=replace(policy.admission, limits_by_country=limits))


@pytest.fixture
def world(policy: Policy, clock: StepClock) -> World:
    return World(policy, clock)


class Stored:
    """The world's store, as an administrator reads it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def record_of(self, number_key: str, _now: int) -> NumberRecord:
        return NumberRecord(self._world.store.numbers[number_key])

    def unlock(self, _number_key: str, _now: int) -> int:
        raise NotImplementedError

    def erase(self, _number_key: str, _now: int, _deadline: Deadline) -> Erased:
        raise NotImplementedError


def administration(world: World) -> Administration:
    return Administration(
        world.service.policy, Stored(world), lambda: PEPPERS, world.clock, lambda *_, **__: None
    )


def test_a_country_that_is_not_named_has_the_limits_of_every_other(policy: Policy) -> None:
    assert policy.number_limits("FR") == policy.number_limits("ZZ") == policy.number_limits("US")
    assert policy.number_limits("GB") != policy.number_limits("US")


@pytest.mark.parametrize(("number", "gap"), [(NUMBER, 30), (BRITISH, 240)])
def test_the_resend_gap_follows_the_numbers_country(world: World, number: str, gap: int) -> None:
    requested = request_code(world.service, RequestOtp(number), world.caller())
    assert requested.resend_after == gap
    lifecycle = Lifecycle(world.service.policy, world.store, world.clock, world.service.emit)
    assert lifecycle.status(requested.verification_id, world.caller()).resend_after == gap
    assert administration(world).status(number, ADMINISTRATOR).resend_after == gap
    again = ResendOtp(requested.verification_id)
    world.clock.step(gap - 1)
    with pytest.raises(errors.RateLimited) as refused:
        resend_code(world.service, again, world.caller())
    assert refused.value.retry_after == 1
    world.clock.step(1)
    assert resend_code(world.service, again, world.caller()).verification_id == requested.verification_id


@pytest.mark.parametrize(("number", "waits"), [(NUMBER, [None] * 4 + [30]), (BRITISH, [None] * 3 + [90])])
def test_the_wait_after_a_wrong_code_follows_the_numbers_country(
    world: World, number: str, waits: list[int | None]
) -> None:
    verification_id = world.request(number)
    for wait in waits:
        with pytest.raises(errors.OtpIncorrect) as wrong:
            verify_code(world.service, VerifyOtp(verification_id, "000000"), world.caller())
        assert wrong.value.retry_after == wait
    locks = administration(world).status(number, ADMINISTRATOR).locks
    assert [lock.retry_after for lock in locks] == [waits[-1] if number == BRITISH else 0]


def test_a_locked_number_is_refused_by_the_limits_of_its_country(world: World) -> None:
    verification_id = world.request(BRITISH)
    answers = [world.verify(verification_id, "000000") for _ in range(5)]
    assert answers == ["OTP_INCORRECT"] * 4 + ["NUMBER_LOCKED"]


def test_the_price_depends_on_country_and_channel(policy: Policy) -> None:
    spend = policy.admission.spend
    assert spend.price("US", "sms") < spend.price("US", "voice") < spend.price("FR", "voice")


def test_codes_go_to_the_countries_that_are_named_or_to_all(policy: Policy) -> None:
    named = replace(policy, countries=frozenset({"GB"}))
    assert (named.sends_to("GB"), named.sends_to("US")) == (True, False)
    assert replace(policy, countries=None).sends_to("US")
