"""The circuit breaker: the failures that open it, the calls that it blocks, and its probes."""

from collections.abc import Callable
from typing import Any

import pytest

from fakes.memory import MemoryCircuits, StepClock
from sms_otp.domain.circuit import NUMBERS, OPEN, PROBE_LEASE, SLOW_SECONDS, WINDOW, State
from sms_otp.domain.clock import milliseconds
from sms_otp.domain.ports import StoreError
from sms_otp.domain.provider import (
    Ambiguous,
    CircuitOpen,
    DestinationUnavailable,
    Doubtful,
    Misconfigured,
    NotSent,
    ProviderError,
    Refused,
    Sent,
    Throttled,
    TooLate,
)
from sms_otp.use_cases.circuit_breaker import CircuitBreaker

NAME = "infobip"


class World:
    """A breaker over circuits in memory, and the clocks that it reads."""

    def __init__(self) -> None:
        self.circuits = MemoryCircuits()
        self.clock = StepClock()
        self.seconds = 0.0
        self.events: list[str] = []
        self.breaker = CircuitBreaker(self.circuits, self.clock, self.emit, lambda: self.seconds)

    def emit(self, event: str, **fields: str) -> None:
        is_fault = event == "breaker_unrecorded"
        assert fields == ({"reason": "UpdateItem: throttled"} if is_fault else {"provider": NAME})
        self.events.append(event)

    def call(self, number: str, outcome: type[ProviderError] | None = None, *, has_next: bool = True) -> Sent:
        """One send to a number, whose key begins with `number`, as a request that has read the circuits."""

        def act() -> Sent:
            if outcome is not None:
                raise outcome(NAME, "scripted")
            return Sent("ref")

        read = self.circuits.read((NAME,))
        return self.breaker.call(NAME, read, number * 8, act, has_next=lambda: has_next)

    def fail(self, number: str, outcome: type[ProviderError] = NotSent, *, has_next: bool = True) -> None:
        with pytest.raises(outcome):
            self.call(number, outcome, has_next=has_next)

    def trip(self) -> None:
        for number in "abc"[:NUMBERS]:
            self.fail(number)

    def pass_time(self, milliseconds: int) -> None:
        self.clock.step(milliseconds / 1000)

    def state(self) -> State:
        return self.circuits.held[NAME].state(milliseconds(self.clock))


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("outcome", [NotSent, Throttled, Misconfigured, Doubtful, Ambiguous])
def test_three_numbers_that_fail_within_a_minute_open_the_circuit(
    world: World, outcome: type[ProviderError]
) -> None:
    world.fail("a", outcome)
    world.fail("b", outcome)
    assert world.state() is State.CLOSED
    world.fail("c", outcome)
    assert world.state() is State.OPEN
    assert world.events == ["breaker_open"]
    with pytest.raises(CircuitOpen) as blocked:
        world.call("d")
    assert (blocked.value.reason, blocked.value.retry_after) == ("circuit_open", 30)


def test_one_number_never_opens_the_circuit_however_often_it_fails(world: World) -> None:
    for _ in range(1000):
        world.fail("a")
    world.call("d")
    assert world.events == []


@pytest.mark.parametrize("outcome", [Refused, DestinationUnavailable, TooLate])
def test_a_failure_that_is_not_the_providers_never_opens_the_circuit(
    world: World, outcome: type[ProviderError]
) -> None:
    for number in "abcdefghij":
        world.fail(number, outcome)
    assert world.circuits.held == {}


def test_numbers_that_fail_half_a_minute_apart_do_not_open_the_circuit(world: World) -> None:
    for number in "abcdef":
        world.fail(number)
        world.pass_time(WINDOW // 2)
    assert world.events == []
    assert len(world.circuits.held[NAME].failures) <= NUMBERS


def test_the_last_provider_left_is_called_although_its_circuit_is_open(world: World) -> None:
    world.trip()
    assert world.call("d", has_next=False) == Sent("ref")


def test_a_success_of_the_last_provider_left_closes_its_circuit(world: World) -> None:
    world.trip()
    world.call("d", has_next=False)
    assert world.circuits.held == {}
    assert world.events[-1] == "breaker_closed"


def test_one_request_probes_when_the_open_time_is_over(world: World) -> None:
    world.trip()
    world.pass_time(OPEN)
    read = world.circuits.read((NAME,))
    answers: list[str] = []

    def probe() -> Sent:
        with pytest.raises(CircuitOpen):
            world.breaker.call(NAME, read, "e" * 8, lambda: Sent("ref"), has_next=lambda: True)
        answers.append("probed")
        return Sent("ref")

    world.breaker.call(NAME, read, "d" * 8, probe, has_next=lambda: True)
    assert answers == ["probed"]
    assert world.events == ["breaker_open", "breaker_half_open", "breaker_closed"]


def test_a_failed_probe_reopens_the_circuit_for_its_whole_time(world: World) -> None:
    world.trip()
    world.pass_time(OPEN)
    world.fail("d")
    world.pass_time(OPEN - 1)
    with pytest.raises(CircuitOpen):
        world.call("e")
    world.pass_time(1)
    world.call("e")


@pytest.mark.parametrize("outcome", [Refused, DestinationUnavailable])
def test_a_probe_refused_because_of_its_number_lets_the_next_request_probe(
    world: World, outcome: type[ProviderError]
) -> None:
    world.trip()
    world.pass_time(OPEN)
    world.fail("d", outcome)
    assert world.state() is State.HALF_OPEN
    world.call("e")
    assert world.events[-1] == "breaker_closed"


def test_another_request_probes_after_a_probe_died(world: World) -> None:
    world.trip()
    world.pass_time(OPEN)
    read = world.circuits.read((NAME,))[NAME]
    assert world.circuits.elect(NAME, read, milliseconds(world.clock))
    with pytest.raises(CircuitOpen):
        world.call("d")
    world.pass_time(PROBE_LEASE)
    world.call("d")


def slow(world: World) -> Callable[[], Sent]:
    def act() -> Sent:
        world.seconds += SLOW_SECONDS + 0.1
        return Sent("ref")

    return act


@pytest.mark.parametrize(("has_next", "opens"), [(True, True), (False, False)])
def test_slow_successes_open_the_circuit_only_if_another_provider_is_left(
    world: World, has_next: bool, opens: bool
) -> None:
    for number in "abc":
        read = world.circuits.read((NAME,))
        world.breaker.call(NAME, read, number * 8, slow(world), has_next=lambda: has_next)
    assert (world.events == ["breaker_open"]) is opens


class Broken(MemoryCircuits):
    """Circuits that can be read and not written."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("add_failure", "open", "elect", "hand_on", "reopen", "close"):
            raise StoreError("UpdateItem: throttled")
        return super().__getattribute__(name)


def test_a_store_that_fails_stops_no_send(world: World) -> None:
    world.breaker = CircuitBreaker(Broken(), world.clock, world.emit, lambda: 0.0)
    world.trip()
    assert world.call("d") == Sent("ref")
    assert set(world.events) == {"breaker_unrecorded"}
