"""Rotation of a pepper loses nothing that was counted, promised or sent under the old one."""

import dataclasses

import pytest

from fakes.memory import PEPPER, StepClock, outcome
from sms_otp.domain import errors
from sms_otp.domain.commands import Policy, ResendOtp
from sms_otp.domain.keys import Peppers
from sms_otp.use_cases.resend import resend_code
from tests.unit.world import NUMBER, World

NEW = "another-pepper-for-tests-that-is-long-enough"
OLD_ALONE = Peppers(PEPPER)
ANNOUNCED = Peppers(PEPPER, NEW)
IN_USE = Peppers(NEW, PEPPER)
NEW_ALONE = Peppers(NEW)


class Rotating(World):
    """A world whose pepper changes."""

    def __init__(self, policy: Policy, clock: StepClock) -> None:
        super().__init__(policy, clock)
        self.peppers = OLD_ALONE
        self.service = dataclasses.replace(self.service, peppers=lambda: self.peppers)

    def locked_after(self, guesses: int) -> str:
        """The outcome of a request after so many wrong guesses at one verification each."""
        for _ in range(guesses):
            assert self.verify(self.request(), "000000") == "OTP_INCORRECT"
            self.clock.step(3600)
        return outcome(self.request)


@pytest.fixture
def world(policy: Policy, clock: StepClock) -> Rotating:
    return Rotating(policy, clock)


@pytest.mark.parametrize("after", [ANNOUNCED, IN_USE, NEW_ALONE])
def test_a_verification_survives_a_change_of_the_pepper(world: Rotating, after: Peppers) -> None:
    verification_id = world.request()
    world.peppers = after
    assert world.verify(verification_id, "000000") == "OTP_INCORRECT"
    assert world.verify(verification_id) == "ok"


@pytest.mark.parametrize("after", [ANNOUNCED, IN_USE])
def test_a_number_is_not_sent_to_more_often_for_a_new_pepper(world: Rotating, after: Peppers) -> None:
    for _ in range(2):
        world.request()
        world.clock.step(240)
    world.peppers = after
    world.request()
    assert outcome(world.request) == "RATE_LIMITED"
    world.clock.step(240)
    assert outcome(world.request) == "RATE_LIMITED", "the fourth within a quarter of an hour"
    assert world.sends() == 3


def test_sends_under_both_peppers_count_once_and_outlast_the_rotation(world: Rotating) -> None:
    for peppers in (OLD_ALONE, ANNOUNCED, IN_USE):
        world.peppers = peppers
        world.request()
        world.clock.step(300)
    world.peppers = NEW_ALONE
    world.clock.step(301)
    assert outcome(world.request) == "ok", "of the three the first is older than a quarter of an hour"
    assert outcome(world.request) == "RATE_LIMITED"


def test_environments_before_and_after_the_rotation_count_together(
    world: Rotating,
) -> None:
    for peppers in (IN_USE, ANNOUNCED, IN_USE):
        world.peppers = peppers
        world.request()
        world.clock.step(240)
    world.peppers = ANNOUNCED
    assert outcome(world.request) == "RATE_LIMITED"


def test_a_client_is_not_served_more_often_for_a_new_pepper(world: Rotating) -> None:
    numbers = [f"+1415555{100 + index:04d}" for index in range(11)]
    for index, number in enumerate(numbers[:10]):
        world.peppers = OLD_ALONE if index < 5 else IN_USE
        world.request(number, client_ip="192.0.2.7")
    assert outcome(lambda: world.request(numbers[10], client_ip="192.0.2.7")) == "RATE_LIMITED"


def test_wrong_guesses_are_not_forgotten_for_a_new_pepper(world: Rotating) -> None:
    verification_id = world.request()
    for _ in range(3):
        assert world.verify(verification_id, "000000") == "OTP_INCORRECT"
    world.fail(16)
    world.clock.step(300)
    world.peppers = IN_USE
    assert world.verify(world.request(), "000000") == "OTP_INCORRECT"
    world.clock.step(25)
    assert outcome(world.request) == "NUMBER_LOCKED", "the twentieth in a row, under either pepper"


def test_a_number_that_must_wait_waits_under_the_new_pepper_too(world: Rotating) -> None:
    verification_id = world.request()
    for _ in range(5):
        world.verify(verification_id, "000000")
    world.fail(15)
    world.peppers = IN_USE
    assert outcome(world.request) == "NUMBER_LOCKED"
    world.clock.step(30)
    assert outcome(world.request) == "ok"


def test_migrated_failures_are_cleared_for_good_by_a_right_code(world: Rotating) -> None:
    verification_id = world.request()
    for _ in range(4):
        world.verify(verification_id, "000000")
    world.clock.step(300)
    world.peppers = IN_USE
    assert world.verify(world.request()) == "ok"
    world.clock.step(300)
    assert world.verify(world.request(), "000000") == "OTP_INCORRECT"
    assert [failures.count for failures in world.store.failures.values()] == [1]


def test_a_repeated_request_gets_the_same_answer_after_the_rotation(world: Rotating) -> None:
    first = world.request(idempotency_key="a-key")
    world.peppers = IN_USE
    assert world.request(idempotency_key="a-key") == first
    assert world.sends() == 1
    other = outcome(lambda: world.request("+14155550124", idempotency_key="a-key"))
    assert other == "IDEMPOTENCY_KEY_REUSED"
    assert world.verify(first) == "ok"


def test_a_resend_counts_together_with_the_sends_before_the_rotation(world: Rotating) -> None:
    verification_id = world.request()
    world.clock.step(30)
    world.peppers = IN_USE
    resend_code(world.service, ResendOtp(verification_id), world.caller())
    assert outcome(world.request) == "RATE_LIMITED"
    assert world.verify(verification_id, "000000") == "OTP_INCORRECT"
    assert world.verify(verification_id) == "ok"


def test_a_verification_found_by_number_is_found_after_the_rotation(policy: Policy, clock: StepClock) -> None:
    world = Rotating(dataclasses.replace(policy, require_verification_id=False), clock)
    world.request()
    world.peppers = IN_USE
    assert world.verify(None, phone_number=NUMBER) == "ok"  # type: ignore[arg-type] # without an id


def test_a_block_of_numbers_is_not_sent_to_more_often_for_a_new_pepper(
    policy: Policy, clock: StepClock
) -> None:
    world = Rotating(policy, clock)
    for index in range(10):
        world.peppers = OLD_ALONE if index < 6 else IN_USE
        world.request(f"+1415555{100 + index:04d}")
    assert outcome(lambda: world.request("+14155550199")) == "CHALLENGE_REQUIRED"


def test_a_retry_without_a_matching_pepper_is_not_sent_again(world: Rotating) -> None:
    """The rotation was reverted: the key is known under the old pepper, the verification under the new."""
    world.peppers = IN_USE
    world.request(idempotency_key="a-key")
    world.peppers = OLD_ALONE
    with pytest.raises(errors.OtpExpired) as refused:
        world.request(idempotency_key="a-key")
    assert refused.value.reason == "no pepper names it"
    assert world.sends() == 1
