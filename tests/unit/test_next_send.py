"""The answer that an administrator sees predicted is the answer that the next request gets."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fakes.memory import START, StepClock, number_key, outcome
from sms_otp.domain import errors
from sms_otp.domain.admission import Admission
from sms_otp.domain.clock import DAY, HOUR, MINUTE, Seconds, to_milliseconds
from sms_otp.domain.commands import Policy, ResendOtp, VerifyOtp
from sms_otp.domain.guard import BudgetLane
from sms_otp.domain.limits import Failures
from sms_otp.domain.number import Lane
from sms_otp.domain.stops import EVERYTHING, Scope, Stop
from sms_otp.use_cases.next_send import NextSend, next_sends
from sms_otp.use_cases.resend import resend_code
from sms_otp.use_cases.verify import verify_code
from tests.unit.world import NUMBER, World

NOW = Seconds(int(START))
NEW_CLIENT = {"client_ip": "192.0.2.200"}


@pytest.fixture
def world(policy: Policy, clock: StepClock) -> World:
    return World(replace(policy, trust_client_ip=True), clock)


def decisions(world: World, number: str = NUMBER, tenants: tuple[str, ...] = ()) -> tuple[NextSend, ...]:
    return next_sends(world.service, number, world.number(), tenants)


def stranger(world: World, tenants: tuple[str, ...] = ()) -> NextSend:
    return decisions(world, tenants=tenants)[0]


def verified(world: World, **fields: Any) -> str:
    """A number that was verified, and the device token that came of it."""
    verification_id = world.request(**fields)
    answer = verify_code(world.service, VerifyOtp(verification_id, world.provider.code), world.caller())
    assert answer.device_token is not None
    return answer.device_token


def exhausted(world: World) -> None:
    """Strangers have used up their share without a challenge."""
    for index in range(3):
        world.request(client_ip=f"198.51.100.{index}")
        world.clock.step(2 * MINUTE)
    world.clock.step(2 * MINUTE)


def test_a_new_number_is_sent_a_code_for_any_tenant(world: World) -> None:
    assert decisions(world) == (NextSend(Lane.STRANGER, budget=BudgetLane.OPEN),)


def nothing(world: World) -> None:
    del world


def just_sent(world: World) -> None:
    world.request(client_ip="192.0.2.1")


def stopped(world: World) -> None:
    world.store.stops.stop([Stop(Scope.COUNTRY, "US")], Seconds(NOW + HOUR), NOW)


def failed(world: World, times: int, lane: Lane = Lane.STRANGER) -> None:
    """So many wrong codes in a row until now."""
    failures = {("tenant-a", lane): Failures(times, to_milliseconds(NOW))}
    world.store.numbers[number_key(NUMBER)] = replace(world.number(), failures=failures)


def disabled(world: World) -> None:
    failed(world, 80)


def waiting(world: World) -> None:
    failed(world, 21)


@pytest.mark.parametrize("before", [nothing, just_sent, exhausted, stopped, disabled, waiting])
def test_a_strangers_request_gets_the_predicted_answer(world: World, before: Callable[[World], None]) -> None:
    before(world)
    predicted = stranger(world, ("tenant-a",))
    answer = outcome(lambda: world.request(**NEW_CLIENT))
    assert (predicted.error.code if predicted.error else "ok") == answer
    assert (answer == "ok") == (before in (nothing, just_sent))


def test_each_refusal_says_why_and_until_when(world: World) -> None:
    stopped(world)
    refused = stranger(world).error
    assert refused is not None
    assert (refused.code, refused.reason, refused.retry_after) == ("SENDING_STOPPED", "country", HOUR)
    world.store.stops.resume([Stop(Scope.COUNTRY, "US")])
    exhausted(world)
    refused = stranger(world).error
    assert refused is not None
    assert (refused.code, refused.reason, refused.retry_after) == ("CHALLENGE_REQUIRED", "number", None)


def test_own_lanes_are_decided_apart_from_strangers(world: World) -> None:
    token = verified(world, client_ip="192.0.2.1")
    world.clock.step(HOUR)
    exhausted(world)
    as_stranger, with_token, from_usual = decisions(world, tenants=("tenant-a",))
    assert (as_stranger.comes_as, as_stranger.lane) == (Lane.STRANGER, Lane.STRANGER)
    assert as_stranger.error is not None
    assert (with_token.comes_as, with_token.lane, with_token.error) == (Lane.TOKEN, Lane.TOKEN, None)
    assert (from_usual.comes_as, from_usual.lane, from_usual.error) == (Lane.NETWORK, Lane.NETWORK, None)
    assert outcome(lambda: world.request(device_token=token, **NEW_CLIENT)) == "ok"
    assert outcome(lambda: world.request(client_ip="192.0.2.1")) == "ok"


def test_a_used_up_own_lane_falls_back_to_strangers(world: World) -> None:
    verified(world, client_ip="192.0.2.1")
    failed(world, 20, Lane.TOKEN)
    with_token = decisions(world, tenants=("tenant-a",))[1]
    assert (with_token.comes_as, with_token.lane) == (Lane.TOKEN, Lane.STRANGER)


def test_a_lane_belongs_to_the_tenant_that_verified_the_number(world: World) -> None:
    verified(world)
    world.clock.step(HOUR)
    found = decisions(world, tenants=("tenant-b", "tenant-a"))
    assert [(each.tenant, each.comes_as) for each in found if each.comes_as is not Lane.NETWORK] == [
        ("tenant-a", Lane.STRANGER),
        ("tenant-a", Lane.TOKEN),
        ("tenant-b", Lane.STRANGER),
    ]


def test_a_forgotten_network_opens_no_lane(world: World) -> None:
    verified(world, client_ip="192.0.2.1")
    world.clock.step(91 * DAY)
    assert [each.comes_as for each in decisions(world, tenants=("tenant-a",))] == [Lane.STRANGER, Lane.TOKEN]


@pytest.mark.parametrize(
    ("number", "code"), [("+441212345678", "DESTINATION_NOT_ALLOWED"), ("+12", "INVALID_PHONE_NUMBER")]
)
def test_an_unsendable_number_gets_the_error_of_its_request(world: World, number: str, code: str) -> None:
    (decision,) = decisions(world, number, tenants=("tenant-a",))
    assert decision.error is not None
    assert decision.error.code == code


def test_a_test_number_uses_no_budget_and_is_never_stopped(policy: Policy, clock: StepClock) -> None:
    number = "+14155550100"
    world = World(
        replace(policy, test_numbers={number: "246810"}, test_numbers_end=Seconds(NOW + 1000)), clock
    )
    world.store.stops.stop([EVERYTHING], Seconds(NOW + HOUR), NOW)
    assert decisions(world, number) == (NextSend(Lane.STRANGER),)


def test_a_prediction_changes_nothing(world: World) -> None:
    verified(world, client_ip="192.0.2.1")
    world.clock.step(HOUR)
    exhausted(world)
    store = world.store
    before = copy.deepcopy((store.numbers, store.counters, store.verifications, world.emitted))
    decisions(world, tenants=("tenant-a",))
    assert (store.numbers, store.counters, store.verifications, world.emitted) == before


def test_a_decision_that_always_needs_more_shards_is_rate_limited(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    verification_id = world.request()
    world.clock.step(30)
    monkeypatch.setattr(Admission, "must_read_again", lambda *_: True)
    resend = ResendOtp(verification_id)
    for act in (
        lambda: decisions(world),
        lambda: world.request(),
        lambda: resend_code(world.service, resend, world.caller()),
    ):
        with pytest.raises(errors.RateLimited) as refused:
            act()
        assert (refused.value.reason, refused.value.retry_after) == ("contended", 1)
