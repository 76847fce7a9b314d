"""Resend, cancel and status while a provider or DynamoDB fails."""

import pytest

from sms_otp.entry_points import http
from tests.functional.faults.exchanges import SENDS
from tests.functional.faults.outcomes import (
    CANCELLED,
    EXPIRED,
    INTERNAL,
    OK,
    UNAVAILABLE,
    Sending,
    check_again,
    outcome_of,
    state,
)
from tests.functional.faults.refusals import GUESS, READ, REFUSALS, RESERVE, Step
from tests.functional.faults.turns import AT_ONE, kinds, rows
from tests.functional.faults.world import AwsFault, ProviderFault, World

GAP = 30
"""Seconds after which a code may be sent again."""


def right_code(world: World, ended: str, first: str) -> str:
    """The right code after a resend: the newest code if it was sent, else the one before it."""
    return str(world.inbox()[0]["code"]) if ended == OK else first


@rows(SENDS)
def test_a_provider_that_fails_a_resend_causes_no_further_sms(
    fault: ProviderFault, expected: Sending, world: World
) -> None:
    verification_id, first = world.pending()
    world.clock.step(GAP)
    world.transport.faults.append(fault)
    ended = outcome_of(world.resend(verification_id))
    assert ended in (expected.ends, OK)
    assert state(world) == ("pending", 0)
    assert world.sms() <= min(2, world.reserved())
    world.heal()
    check_again(world, verification_id, right_code(world, ended, first), OK)


@AT_ONE
@kinds(REFUSALS, turn=3, of=5)
@pytest.mark.parametrize("step", [READ, Step("BatchGetItem", 2), RESERVE], ids=["find", "read", "reserve"])
def test_a_resend_that_could_not_be_reserved_sends_nothing(step: Step, kind: str, world: World) -> None:
    verification_id, first = world.pending()
    world.clock.step(GAP)
    world.aws.faults.append(step.fails(kind))
    assert outcome_of(world.resend(verification_id)) == INTERNAL
    assert (world.sms(), world.reserved()) == (1, 1)
    world.heal()
    check_again(world, verification_id, first, OK)


@kinds(REFUSALS, turn=4, of=5)
@pytest.mark.parametrize("calls", [1, 9], ids=["once", "always"])
def test_a_resend_that_could_not_be_recorded_sends_one_sms(kind: str, calls: int, world: World) -> None:
    verification_id, first = world.pending()
    world.clock.step(GAP)
    # Either call may record it: the first transaction reserves, and no other UpdateItem is made.
    world.aws.faults.append(AwsFault("TransactWriteItems", REFUSALS[kind], first=2, calls=calls))
    world.aws.faults.append(AwsFault("UpdateItem", REFUSALS[kind], calls=calls))
    ended = outcome_of(world.resend(verification_id))
    assert ended == (OK if calls == 1 else INTERNAL)
    assert (world.sms(), world.reserved(), state(world)) == (2, 2, ("pending", 0))
    world.heal()
    # Infobip sends the same code again. Sinch makes another, unknown to the service, and ends the first.
    is_lost = ended != OK and world.provider == "sinch"
    check_again(world, verification_id, right_code(world, ended, first), EXPIRED if is_lost else OK)


@AT_ONE
@kinds(REFUSALS, turn=0, of=5)
def test_a_verification_stays_pending_when_its_cancellation_fails(kind: str, world: World) -> None:
    verification_id, code = world.pending()
    world.aws.faults.append(GUESS.fails(kind))
    assert outcome_of(world.cancel(verification_id)) == INTERNAL
    assert state(world) == ("pending", 0)
    world.heal()
    assert outcome_of(world.cancel(verification_id)) == OK
    assert outcome_of(world.verify(verification_id, code)) == CANCELLED


@AT_ONE
@kinds(REFUSALS, turn=1, of=5)
@pytest.mark.parametrize("step", [READ, Step("BatchGetItem", 2)], ids=["find", "read"])
def test_a_status_that_cannot_be_read_is_an_internal_error(step: Step, kind: str, world: World) -> None:
    verification_id, _ = world.pending()
    world.aws.faults.append(step.fails(kind))
    assert outcome_of(world.status(verification_id)) == INTERNAL
    world.heal()
    assert world.status(verification_id).body["status"] == "pending"


@pytest.mark.parametrize("milliseconds", [0, int(http.RESERVE_SECONDS * 1000)])
def test_with_too_little_time_left_nothing_is_resent(milliseconds: int, world: World) -> None:
    verification_id, _ = world.pending()
    world.clock.step(GAP)
    world.milliseconds = milliseconds
    assert outcome_of(world.resend(verification_id)) == UNAVAILABLE
    assert (world.sms(), world.reserved()) == (1, 1)
