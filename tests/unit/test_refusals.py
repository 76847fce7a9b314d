"""How often a number is asked for, refused requests included."""

from fakes.memory import StepClock, outcome
from sms_otp.domain.commands import Policy
from sms_otp.domain.limits import HOUR
from sms_otp.domain.refusals import MOST_NUMBERS, MOST_REFUSALS, Refusals
from tests.unit.world import NUMBER, World

NOW = 1_800_000_000_000


def test_sends_and_refusals_of_the_last_hour_are_counted_together() -> None:
    refusals = Refusals()
    for at in (NOW - HOUR, NOW - HOUR + 1, NOW):
        refusals.note("a", at)
    sends = (NOW - HOUR, NOW - HOUR + 1, NOW - 1)
    assert refusals.asked("a", sends, NOW) == 4
    assert refusals.asked("b", (), NOW) == 0


def test_a_flood_of_numbers_and_of_requests_takes_no_more_memory_than_is_meant_for_it() -> None:
    refusals = Refusals()
    for number in range(MOST_NUMBERS + 5):
        refusals.note(str(number), NOW)
    for _ in range(MOST_REFUSALS + 5):
        refusals.note("the last", NOW)
    assert len(refusals.moments) == MOST_NUMBERS
    assert "0" not in refusals.moments
    assert refusals.asked("the last", (), NOW) == MOST_REFUSALS


def test_every_request_for_a_number_is_told_with_how_many_there_were_whatever_became_of_it(
    policy: Policy, clock: StepClock
) -> None:
    world = World(policy, clock)
    answers = [outcome(world.request) for _ in range(12)]
    assert answers == ["ok", *["RATE_LIMITED"] * 11]
    asked = [fields["asked"] for event, fields in world.told if event == "otp_asked"]
    assert asked == list(range(1, 13))
    assert world.sends() == 1
    assert NUMBER not in repr(world.told)
