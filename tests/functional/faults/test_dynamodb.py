"""DynamoDB fails within a request or a guess: nothing is sent unreserved, nobody verified unstored."""

import dataclasses
from typing import Any

import pytest

from sms_otp.adapters.providers.transport import RequestNotSent
from sms_otp.domain.idempotency import RUNNING_SECONDS
from tests.functional.faults.exchanges import never
from tests.functional.faults.outcomes import (
    EXPIRED,
    INTERNAL,
    LIMITED,
    LOCKED,
    OK,
    RUNNING,
    SENT,
    UNAVAILABLE,
    UNKNOWN,
    USED,
    Sending,
    check_again,
    check_sending,
    outcome_of,
    state,
)
from tests.functional.faults.refusals import (
    CONFLICT,
    CONSUME,
    GUESS,
    NEVER_CONSUMED,
    NO_ANSWER,
    NUMBERS_GUESS,
    READ,
    RECORD,
    REFUSALS,
    RESERVE,
    Step,
)
from tests.functional.faults.turns import AT_ONE, kinds
from tests.functional.faults.world import AwsFault, World, aws_answer, aws_error


@AT_ONE
@kinds(REFUSALS, turn=0, of=5)
@pytest.mark.parametrize("step", [READ, RESERVE], ids=["read", "reserve"])
def test_a_send_that_could_not_be_reserved_is_not_made(step: Step, kind: str, world: World) -> None:
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
    assert (outcome_of(world.request()), world.sms()) == (UNAVAILABLE, 1)


@AT_ONE
@kinds(REFUSALS, turn=3, of=5)
def test_a_release_that_fails_leaves_the_send_counted_and_not_repeated(kind: str, world: World) -> None:
    world.transport.faults.append(never(RequestNotSent("connection")))
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
    assert outcome_of(world.verify(verification_id, code)) == INTERNAL
    assert state(world) == ("pending", spent)
    assert world.checks() == (step is NEVER_CONSUMED)
    world.heal()
    check_again(world, verification_id, code, OK)


@pytest.mark.parametrize("provider", ["sinch"], indirect=True)
@kinds(REFUSALS, turn=2, of=5)
def test_a_success_that_could_not_be_stored_is_stored_at_the_second_try(kind: str, world: World) -> None:
    verification_id, code = world.pending()
    world.aws.faults.append(CONSUME.fails(kind))
    assert outcome_of(world.verify(verification_id, code)) == OK
    assert (state(world), world.checks()) == (("verified", 1), 1)
    world.heal()
    check_again(world, verification_id, code, USED)


@pytest.mark.parametrize("provider", ["sinch"], indirect=True)
def test_a_code_that_only_the_provider_has_accepted_is_expired(world: World) -> None:
    """Sinch accepts a code once. That answer was lost with the write, so the user needs a new code."""
    verification_id, code = world.pending()
    world.aws.faults.append(NEVER_CONSUMED.fails("internal error"))
    assert outcome_of(world.verify(verification_id, code)) == INTERNAL
    world.heal()
    check_again(world, verification_id, code, EXPIRED)


@AT_ONE
@pytest.mark.parametrize("step", [READ, RESERVE, RECORD], ids=["read", "reserve", "record"])
@pytest.mark.parametrize("commits", [False, True], ids=["before it is done", "after it is done"])
@pytest.mark.parametrize("error", [aws_error("InternalServerError", 500), NO_ANSWER], ids=["500", "lost"])
def test_a_call_that_fails_once_in_a_request_is_retried_and_done_once(
    step: Step, commits: bool, error: Any, world: World
) -> None:
    world.aws.faults.append(AwsFault(step.operation, error, step.first, tries=1, commits=commits))
    check_sending(world, SENT)


@AT_ONE
@pytest.mark.parametrize("step", [GUESS, NUMBERS_GUESS, CONSUME], ids=["guess", "number", "consume"])
@pytest.mark.parametrize("commits", [False, True], ids=["before it is done", "after it is done"])
@pytest.mark.parametrize("error", [aws_error("InternalServerError", 500), NO_ANSWER], ids=["500", "lost"])
def test_a_call_that_fails_once_in_a_guess_is_retried(
    step: Step, commits: bool, error: Any, world: World
) -> None:
    """A guess whose answer was lost is counted again: twice is safe, and not at all would not be."""
    verification_id, code = world.pending()
    world.aws.faults.append(AwsFault(step.operation, error, step.first, tries=1, commits=commits))
    assert outcome_of(world.verify(verification_id, code)) == OK
    assert state(world) == ("verified", 2 if step is GUESS and commits else 1)
    world.heal()
    check_again(world, verification_id, code, USED)


@AT_ONE
def test_a_reservation_whose_answers_are_all_lost_stays_and_sends_nothing(world: World) -> None:
    world.aws.faults.append(AwsFault("TransactWriteItems", NO_ANSWER, commits=True))
    check_sending(world, Sending(INTERNAL, sms=0, again=RUNNING, sms_again=0))
    assert world.reserved() == 1
    world.clock.step(RUNNING_SECONDS)
    assert (outcome_of(world.request()), world.sms()) == (UNAVAILABLE, 0)
    assert (outcome_of(world.request("another-key-of-the-same-order")), world.sms()) == (OK, 1)


@AT_ONE
def test_a_record_of_a_send_counts_even_when_all_its_answers_are_lost(world: World) -> None:
    world.aws.faults.append(AwsFault("TransactWriteItems", NO_ANSWER, first=2, commits=True))
    check_sending(world, SENT)


def test_a_success_whose_answers_are_lost_is_recognised_at_the_second_try(world: World) -> None:
    verification_id, code = world.pending()
    world.aws.faults.append(AwsFault("TransactWriteItems", NO_ANSWER, commits=True))
    assert outcome_of(world.verify(verification_id, code)) == OK
    assert state(world) == ("verified", 1)
    world.heal()
    check_again(world, verification_id, code, USED)


def test_a_success_whose_answers_are_all_lost_is_already_verified_next_time(world: World) -> None:
    verification_id, code = world.pending()
    world.aws.faults.append(AwsFault("TransactWriteItems", NO_ANSWER, calls=2, commits=True))
    assert outcome_of(world.verify(verification_id, code)) == INTERNAL
    assert state(world) == ("verified", 1)
    world.heal()
    check_again(world, verification_id, code, USED)


@AT_ONE
@pytest.mark.parametrize("step", [RESERVE, RECORD], ids=["reserve", "record"])
def test_a_request_retries_after_a_transaction_conflict(step: Step, world: World) -> None:
    world.aws.faults.append(AwsFault(step.operation, CONFLICT, step.first, calls=2))
    check_sending(world, SENT)


@AT_ONE
@pytest.mark.parametrize("step", [GUESS, NUMBERS_GUESS, CONSUME], ids=["guess", "number", "consume"])
def test_a_guess_retries_after_a_transaction_conflict(step: Step, world: World) -> None:
    verification_id, code = world.pending()
    world.aws.faults.append(AwsFault(step.operation, CONFLICT, step.first, calls=2))
    assert outcome_of(world.verify(verification_id, code)) == OK
    assert state(world) == ("verified", 1)


@AT_ONE
def test_an_endless_conflict_fails_a_guess_without_counting_it(world: World) -> None:
    verification_id, code = world.pending()
    world.aws.faults.append(AwsFault("UpdateItem", CONFLICT, calls=99))
    assert outcome_of(world.verify(verification_id, code)) == INTERNAL
    assert state(world) == ("pending", 0)


@AT_ONE
def test_an_endless_conflict_leaves_a_success_unconsumed(world: World) -> None:
    verification_id, code = world.pending()
    world.aws.faults.append(AwsFault("TransactWriteItems", CONFLICT, calls=99))
    assert outcome_of(world.verify(verification_id, code)) == INTERNAL
    assert state(world) == ("pending", 1)


@AT_ONE
def test_a_condition_that_fails_for_no_visible_reason_sends_and_verifies_nothing(world: World) -> None:
    nothing_there = aws_error("ConditionalCheckFailedException")
    world.aws.faults.append(AwsFault("TransactWriteItems", nothing_there, calls=9))
    assert (outcome_of(world.request()), world.sms()) in ((LIMITED, 0), (RUNNING, 0))
    world.heal()
    verification_id, code = world.pending()
    twice = dataclasses.replace(NUMBERS_GUESS, calls=2)
    for step, ends, spent in ((GUESS, UNKNOWN, 0), (twice, LOCKED, 0), (CONSUME, UNKNOWN, 1)):
        world.aws.faults = [AwsFault(step.operation, nothing_there, step.first, step.calls)]
        assert outcome_of(world.verify(verification_id, code)) == ends
        assert state(world) == ("pending", spent)


def unprocessed(world: World) -> AwsFault:
    """A read that returns its keys as unprocessed."""
    table = {world.table: {"Keys": [{"pk": {"S": "N#1"}}]}}
    return AwsFault("BatchGetItem", aws_answer(200, {"Responses": {}, "UnprocessedKeys": table}))


@AT_ONE
def test_unprocessed_keys_are_requested_once_more(world: World) -> None:
    del world.aws.bodies[:]
    world.aws.faults.append(unprocessed(world))
    assert (outcome_of(world.request()), world.sms()) == (OK, 1)
    reads = [body for operation, body in world.aws.bodies if operation == "BatchGetItem"]
    again = reads[1]["RequestItems"][world.table]
    assert again == {"Keys": [{"pk": {"S": "N#1"}}], "ConsistentRead": True}


@AT_ONE
def test_unprocessed_keys_are_not_treated_as_absent(world: World) -> None:
    world.aws.faults.append(dataclasses.replace(unprocessed(world), calls=2))
    check_sending(world, Sending(INTERNAL, sms=0, again=OK, sms_again=1))


def test_every_read_is_strongly_consistent(world: World) -> None:
    """A stale read could miss a send that is already counted."""
    bodies = world.aws.bodies
    verification_id, code = world.pending()
    assert outcome_of(world.verify(verification_id, code)) == OK
    reads = [body for operation, body in bodies if operation in ("BatchGetItem", "Query", "Scan")]
    assert reads
    assert all(table["ConsistentRead"] for body in reads for table in body["RequestItems"].values())
