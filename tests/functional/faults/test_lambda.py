"""Environments that end, freeze, run out of time or memory, and events that are delivered twice."""

from collections.abc import Callable

import pytest

from sms_otp.domain.idempotency import RUNNING_SECONDS
from sms_otp.entry_points import http
from tests.functional.faults.exchanges import lost, never
from tests.functional.faults.outcomes import (
    EXPIRED,
    INTERNAL,
    LIMITED,
    OK,
    RUNNING,
    UNAVAILABLE,
    USED,
    check_again,
    outcome_of,
    refused,
    state,
)
from tests.functional.faults.turns import PROVIDERS
from tests.functional.faults.world import AwsFault, Killed, ProviderFault, World

CODE_LIFE_SECONDS = 300


def killed(act: Callable[[], object]) -> bool:
    """Whether the environment ended during the act."""
    try:
        act()
    except Killed:
        return True
    return False


def test_a_cold_start_between_send_and_check_loses_nothing(world: World) -> None:
    verification_id, code = world.pending()
    world.restart()
    check_again(world, verification_id, code, OK)


def test_an_environment_works_after_ten_minutes_frozen(world: World) -> None:
    verification_id, code = world.pending()
    world.clock.step(600)
    assert outcome_of(world.verify(verification_id, code)) == EXPIRED
    assert world.checks() == 0
    assert outcome_of(world.request("another-key-of-another-order")) == OK
    newest = world.inbox()[0]["code"]
    assert (newest != code, world.sms()) == (True, 2)


@pytest.mark.parametrize("milliseconds", [-1, 0, 1, 999, 1_000, int(http.RESERVE_SECONDS * 1000)])
def test_with_too_little_time_left_nothing_is_started(milliseconds: int, world: World) -> None:
    verification_id, code = world.pending()
    before = world.aws.bodies[:]
    world.milliseconds = milliseconds
    assert outcome_of(world.request("another-key-of-another-order")) == UNAVAILABLE
    assert outcome_of(world.verify(verification_id, code)) == UNAVAILABLE
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
    assert outcome_of(world.request(request_id=request_id)) == again
    assert world.sms() == sms_again
    world.clock.step(RUNNING_SECONDS)
    assert outcome_of(world.request(request_id=request_id)) == (OK if again == OK else UNAVAILABLE)
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
    assert outcome_of(world.verify(verification_id, code, request_id)) == again
    assert (state(world)[0] == "verified") is (again in (OK, USED))
    assert refused(world.verify(verification_id, code, request_id))


def spoil(world: World, fault: AwsFault | ProviderFault) -> None:
    """Inject a fault at AWS or at the provider."""
    if isinstance(fault, AwsFault):
        world.aws.faults.append(fault)
    else:
        world.transport.faults.append(fault)


@pytest.mark.parametrize("fault", [never(MemoryError()), lost(MemoryError())], ids=["before", "after"])
def test_running_out_of_memory_at_the_provider_is_an_internal_error(
    fault: ProviderFault, world: World
) -> None:
    world.transport.faults.append(fault)
    assert outcome_of(world.request()) == INTERNAL
    assert world.sms() <= 1
    world.clock.step(RUNNING_SECONDS)
    assert outcome_of(world.request()) == UNAVAILABLE
    assert world.sms() <= 1
    # Wait until the code that may be on its way has expired: before, Sinch must not invalidate it.
    world.clock.step(CODE_LIFE_SECONDS)
    verification_id = world.request("another-key-of-the-same-order").body["verificationId"]
    world.transport.faults.append(fault)
    assert outcome_of(world.verify(verification_id, world.inbox()[0]["code"])) == INTERNAL


def test_an_event_that_is_delivered_twice_sends_one_sms_and_verifies_once(world: World) -> None:
    first, second = world.request(), world.request()
    assert first.body == second.body
    assert world.sms() == 1
    verification_id, code = first.body["verificationId"], world.inbox()[0]["code"]
    assert outcome_of(world.verify(verification_id, code)) == OK
    assert outcome_of(world.verify(verification_id, code)) == USED
    assert world.checks() == 1


def test_an_event_without_a_key_that_is_delivered_twice_meets_the_limit(world: World) -> None:
    assert outcome_of(world.request(key=None)) == OK
    assert outcome_of(world.request(key=None)) == LIMITED
    assert world.sms() == 1


@pytest.mark.parametrize("skew", [-120, 120])
def test_a_clock_that_is_two_minutes_off_neither_locks_out_nor_lets_in(skew: int, world: World) -> None:
    verification_id, code = world.pending()
    world.clock.step(skew)
    check_again(world, verification_id, code, OK)
    assert outcome_of(world.request("another-key-of-another-order")) == (OK if skew > 0 else LIMITED)


@pytest.mark.parametrize("skew", [-120, 120])
def test_a_clock_that_is_two_minutes_off_shifts_the_expiry_by_no_more(skew: int, world: World) -> None:
    verification_id, code = world.pending()
    world.clock.step(300 + skew)
    assert outcome_of(world.verify(verification_id, code)) == (OK if skew < 0 else EXPIRED)
