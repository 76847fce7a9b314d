"""Resend, cancel and status, at the level of the use cases."""

import dataclasses
from typing import Any

import pytest

from fakes.memory import PEPPER, StepClock, number_key, outcome
from sms_otp.domain import errors
from sms_otp.domain.clock import Deadline, Seconds
from sms_otp.domain.commands import Policy, RequestOtp, ResendOtp
from sms_otp.domain.keys import callback_key, keyed, verification_key
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import AdmissionQuery, AdmissionSnapshot, Reservation, StoreError, WriteConflict
from sms_otp.domain.provider import Ambiguous, Channel, NotSent, Order, ProviderError, Refused
from sms_otp.domain.verification import State
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.resend import resend_code
from sms_otp.use_cases.sending import RESERVE_TRIES
from sms_otp.use_cases.status import Lifecycle
from tests.unit.world import NUMBER, World


@pytest.fixture
def world(policy: Policy, clock: StepClock) -> World:
    return World(policy, clock)


@pytest.fixture
def lifecycle(world: World) -> Lifecycle:
    return Lifecycle(world.service.policy, world.store, world.clock, world.service.emit)


def resend(world: World, verification_id: str, tenant: str = "tenant-a", **fields: Any) -> str:
    command = ResendOtp(verification_id, **fields)
    return outcome(lambda: resend_code(world.service, command, world.caller(tenant)))


def test_a_cancellation_is_emitted_and_a_refused_one_is_not(world: World, lifecycle: Lifecycle) -> None:
    verification_id = world.request()
    world.emitted.clear()
    lifecycle.cancel(verification_id, world.caller())
    with pytest.raises(errors.VerificationNotFound):
        lifecycle.cancel(verification_id, world.caller("tenant-b"))
    assert world.emitted == [("otp_cancelled", {"verification": verification_key(verification_id)})]


@pytest.mark.parametrize(
    ("provider", "is_over"),
    [("fake", True), (None, True), ("another", False)],
    ids=["it", "none yet", "other"],
)
def test_a_cancellation_ends_the_code_at_the_number_for_a_one_code_provider(
    world: World, provider: str | None, is_over: bool
) -> None:
    key = verification_key(verification_id := world.request())
    held = dataclasses.replace(world.store.verifications[key], provider=provider)
    world.store.verifications[key] = held
    lifecycle = Lifecycle(
        world.service.policy, world.store, world.clock, world.service.emit, frozenset({"fake"})
    )
    for _ in range(2):
        lifecycle.cancel(verification_id, world.caller())
    assert world.number().over == ({key} if is_over else set())


def test_a_cancellation_stands_even_if_updating_the_number_fails(world: World) -> None:
    def fails(*_: object) -> None:
        raise StoreError("UpdateItem: ThrottlingException")

    verification_id = world.request()
    world.store.end_code = fails  # type: ignore[method-assign, assignment] # one fault
    Lifecycle(world.service.policy, world.store, world.clock, world.service.emit, frozenset({"fake"})).cancel(
        verification_id, world.caller()
    )
    (held,) = world.store.verifications.values()
    assert held.state is State.CANCELLED
    assert world.emitted[-1] == ("store_failed", {"reason": "UpdateItem: ThrottlingException"})


def test_a_resend_keeps_its_verification_and_expiry(world: World) -> None:
    first = request_code(world.service, RequestOtp(NUMBER), world.caller())
    world.clock.step(30)
    again = resend_code(world.service, ResendOtp(first.verification_id), world.caller())
    assert (again.verification_id, again.expires_at) == (first.verification_id, first.expires_at)
    assert again.resend_after == 60
    assert world.sends() == 2
    assert world.verify(first.verification_id) == "ok"


def test_each_send_of_a_verification_has_a_reference_of_its_own(world: World) -> None:
    verification_id = world.request()
    for step in (30, 60):
        world.clock.step(step)
        assert resend(world, verification_id) == "ok"
    references = [reference for _, reference in world.provider.sent]
    assert len(set(references)) == 3


def test_a_resend_keeps_the_language_of_the_request(world: World) -> None:
    """Where the provider cannot repeat a code, a resend is a new text."""
    verification_id, send, locales = world.request(locale="pt-BR"), world.provider.send, []

    def noting(order: Order, *given: Any) -> Any:
        locales.append(order.locale)
        return send(order, *given)

    world.provider.send = noting  # type: ignore[method-assign, assignment] # one more look
    world.clock.step(30)
    assert resend(world, verification_id) == "ok"
    assert locales == ["pt-BR"]


def test_a_resend_is_counted_by_the_limits_of_the_number(world: World) -> None:
    verification_id = world.request()
    assert resend(world, verification_id) == "RATE_LIMITED"
    world.clock.step(30)
    assert resend(world, verification_id) == "ok"
    world.clock.step(60)
    assert resend(world, verification_id) == "ok"
    world.clock.step(120)
    assert resend(world, verification_id) == "RATE_LIMITED", "three in 15 minutes are spent"


def test_no_code_is_sent_again_in_its_last_half_minute(world: World) -> None:
    """It would end before its user has read it."""
    verification_id = world.request()
    world.clock.step(270)
    assert resend(world, verification_id) == "ok"
    world.clock.step(1)
    with pytest.raises(errors.RateLimited) as refused:
        resend_code(world.service, ResendOtp(verification_id), world.caller())
    assert (refused.value.reason, refused.value.retry_after) == ("code ends", 29)
    assert world.sends() == 2
    assert world.verify(verification_id) == "ok"


def test_a_resend_refills_no_guesses_and_forgets_no_failures(world: World) -> None:
    verification_id = world.request()
    for _ in range(4):
        world.verify(verification_id, "000000")
    world.clock.step(30)
    assert resend(world, verification_id) == "ok"
    assert world.verify(verification_id, "000000") == "OTP_INCORRECT"
    assert world.verify(verification_id) == "TOO_MANY_ATTEMPTS"
    assert next(iter(world.store.failures.values())).count == 5


def test_a_resend_may_take_another_channel_and_otherwise_keeps_the_last(world: World) -> None:
    verification_id = world.request()
    world.clock.step(30)
    assert resend(world, verification_id, channel=Channel.VOICE) == "ok"
    assert next(iter(world.store.verifications.values())).channel == "voice"
    world.clock.step(60)
    requested = resend_code(world.service, ResendOtp(verification_id), world.caller())
    assert requested.channel == "voice"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"state": State.VERIFIED}, "ALREADY_VERIFIED"),
        ({"state": State.CANCELLED}, "VERIFICATION_CANCELLED"),
        ({"attempts": 5}, "TOO_MANY_ATTEMPTS"),
        ({"expires_at": 0}, "OTP_EXPIRED"),
        ({"provider_ref": None}, "VERIFICATION_NOT_FOUND"),
    ],
)
def test_nothing_is_sent_for_a_verification_that_cannot_succeed(
    world: World, changes: dict[str, Any], expected: str
) -> None:
    verification_id = world.request()
    (key,) = world.store.verifications
    world.store.verifications[key] = dataclasses.replace(world.store.verifications[key], **changes)
    world.clock.step(30)
    assert resend(world, verification_id) == expected
    assert world.sends() == 1


@pytest.mark.parametrize(
    "stranger", [{"tenant": "tenant-b", "session_id": "mine"}, {"session_id": "other"}, {}]
)
def test_only_the_requesting_tenant_and_session_may_resend(world: World, stranger: dict[str, str]) -> None:
    verification_id = world.request(session_id="mine")
    world.clock.step(30)
    assert resend(world, verification_id, **stranger) == "VERIFICATION_NOT_FOUND"
    assert resend(world, verification_id, session_id="mine") == "ok"


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Refused, "PROVIDER_REJECTED"),
        (Ambiguous, "PROVIDER_UNAVAILABLE"),
        (NotSent, "PROVIDER_UNAVAILABLE"),
    ],
)
def test_a_resend_that_fails_leaves_the_earlier_code_right(
    world: World, failure: type[ProviderError], expected: str
) -> None:
    verification_id = world.request()
    world.clock.step(30)
    world.provider.fails_with = lambda: failure("fake", "scripted")
    assert resend(world, verification_id) == expected
    world.provider.fails_with = None
    assert world.verify(verification_id) == "ok"


@pytest.mark.parametrize(
    ("end", "expected"), [("verify", "ALREADY_VERIFIED"), ("cancel", "VERIFICATION_CANCELLED")]
)
def test_a_resend_fails_if_its_verification_ends_meanwhile(
    world: World, lifecycle: Lifecycle, end: str, expected: str
) -> None:
    verification_id = world.request()
    world.clock.step(30)
    send = world.provider.send

    def meanwhile(*given: Any) -> Any:
        if end == "verify":
            assert world.verify(verification_id) == "ok"
        else:
            lifecycle.cancel(verification_id, world.caller())
        return send(*given)

    world.provider.send = meanwhile  # type: ignore[method-assign, assignment] # one interleaving
    assert resend(world, verification_id) == expected
    assert "store_failed" not in [event for event, _ in world.emitted]


def test_a_resend_that_was_certainly_not_sent_costs_nothing(world: World) -> None:
    verification_id = world.request()
    world.clock.step(30)
    world.provider.fails_with = lambda: NotSent("fake", "scripted")
    resend(world, verification_id)
    world.provider.fails_with = None
    assert resend(world, verification_id) == "ok"


def test_a_verified_resend_settles_every_send_and_counts_one_verified(
    world: World,
) -> None:
    verification_id = world.request()
    world.clock.step(30)
    resend(world, verification_id)
    assert world.verify(verification_id) == "ok"
    country, block = ({**counts} for key, counts in world.store.counters.items() if key[0] in "BP")
    assert (country["open"], country["verified"]) == (0, 8_000), "a code to the US, in micro-dollars"
    assert (block["used"], block["verified"]) == (0, 1)


def test_a_cancelled_code_is_never_right_and_cancelling_again_changes_nothing(
    world: World, lifecycle: Lifecycle
) -> None:
    verification_id = world.request()
    for _ in range(2):
        lifecycle.cancel(verification_id, world.caller())
    assert world.verify(verification_id) == "VERIFICATION_CANCELLED"
    assert world.guesses() == 0


def test_a_verified_verification_cannot_be_cancelled(world: World, lifecycle: Lifecycle) -> None:
    verification_id = world.request()
    world.verify(verification_id)
    assert outcome(lambda: lifecycle.cancel(verification_id, world.caller())) == "ALREADY_VERIFIED"


def test_another_tenant_can_neither_cancel_nor_read_the_status(world: World, lifecycle: Lifecycle) -> None:
    verification_id = world.request()
    for act in (lifecycle.cancel, lifecycle.status):
        for given in (verification_id, "unknown"):
            with pytest.raises(errors.VerificationNotFound):
                act(given, world.caller("tenant-b"))
    assert world.verify(verification_id) == "ok"


def test_the_status_follows_the_life_of_a_verification(world: World, lifecycle: Lifecycle) -> None:
    verification_id = world.request()

    def status() -> tuple[str, int, int]:
        now = lifecycle.status(verification_id, world.caller())
        return now.status, now.attempts_remaining, now.resend_after

    assert status() == ("pending", 5, 30)
    world.verify(verification_id, "000000")
    world.clock.step(31)
    assert status() == ("pending", 4, 0)
    for _ in range(4):
        world.verify(verification_id, "000000")
    assert status() == ("locked", 0, 0)
    world.clock.step(269)
    assert status() == ("expired", 0, 0)


@pytest.mark.parametrize(
    ("state", "expected"),
    [(State.VERIFIED, "verified"), (State.CANCELLED, "cancelled"), (State.FAILED, "failed")],
)
def test_the_status_keeps_a_final_state_after_the_expiry(
    world: World, lifecycle: Lifecycle, state: State, expected: str
) -> None:
    verification_id = world.request()
    (key,) = world.store.verifications
    world.store.verifications[key] = dataclasses.replace(world.store.verifications[key], state=state)
    world.clock.step(301)
    assert lifecycle.status(verification_id, world.caller()).status == expected


def test_the_status_has_the_channel_and_the_delivery(world: World, lifecycle: Lifecycle) -> None:
    status = lifecycle.status(world.request(channel=Channel.VOICE), world.caller())
    assert (status.channel, status.delivery) == ("voice", "accepted")


def test_a_resend_that_loses_every_race_is_rate_limited(world: World) -> None:
    """A resend that runs out of tries without an answer would be an error of the service."""
    verification_id = world.request()
    world.clock.step(30)
    reserve, tries = world.store.reserve, list[Reservation]()

    def always_moved(reservation: Reservation) -> None:
        tries.append(reservation)
        raise WriteConflict

    world.store.reserve = always_moved  # type: ignore[method-assign] # contention without end
    with pytest.raises(errors.RateLimited) as refused:
        resend_code(world.service, ResendOtp(verification_id), world.caller())
    assert (refused.value.reason, refused.value.retry_after) == ("contended", 1)
    assert (len(tries), world.sends()) == (RESERVE_TRIES, 1)
    world.store.reserve = reserve  # type: ignore[method-assign] # it rests
    assert resend(world, verification_id) == "ok"


def test_a_resend_that_loses_a_race_for_the_number_says_when_the_next_may_be_sent(world: World) -> None:
    verification_id = world.request()
    world.clock.step(30)
    read = world.store.read

    def read_then_lose(query: AdmissionQuery) -> AdmissionSnapshot:
        found = read(query)
        world.store.read = read  # type: ignore[method-assign] # the other request reads as usual
        assert resend(world, verification_id) == "ok"
        return found

    world.store.read = read_then_lose  # type: ignore[method-assign] # one interleaving
    with pytest.raises(errors.RateLimited) as refused:
        resend_code(world.service, ResendOtp(verification_id), world.caller())
    assert (refused.value.reason, refused.value.retry_after) == ("number", 60)
    context = {"number": PhoneNumber(NUMBER, "US"), "number_key": number_key(NUMBER), "lane": "stranger"}
    assert refused.value.context == context
    assert world.emitted[-1] == ("send_decided", {**context, "requests": 3})
    assert world.sends() == 2


def test_a_rate_limited_resend_is_counted_and_names_its_number(
    world: World,
) -> None:
    verification_id = world.request()
    world.emitted.clear()
    world.clock.step(13)
    with pytest.raises(errors.RateLimited) as refused:
        resend_code(world.service, ResendOtp(verification_id), world.caller())
    assert (refused.value.reason, refused.value.retry_after) == ("number", 17)
    context = {"number": PhoneNumber(NUMBER, "US"), "number_key": number_key(NUMBER), "lane": "stranger"}
    assert refused.value.context == context
    assert world.emitted == [("send_decided", {**context, "requests": 2})]


def test_a_resend_sends_the_remaining_lifetime_and_its_own_reference(
    world: World,
) -> None:
    orders, send = list[Order](), world.provider.send

    def noting(order: Order, *given: Any) -> Any:
        orders.append(order)
        return send(order, *given)

    world.provider.send = noting  # type: ignore[method-assign, assignment] # one more look
    verification_id = world.request()
    world.clock.step(40)
    assert resend(world, verification_id) == "ok"
    key = verification_key(verification_id)
    to, handed_back = PhoneNumber(NUMBER, "US"), callback_key(PEPPER, key)
    assert orders == [
        Order(to, Channel.SMS, None, key, Seconds(300), number_key(NUMBER), callback_key=handed_back),
        Order(to, Channel.SMS, None, f"{key}-1", Seconds(260), number_key(NUMBER), callback_key=handed_back),
    ]


@pytest.mark.parametrize("trusted", [False, True])
def test_a_resend_counts_at_the_client_of_the_first_request(
    policy: Policy, clock: StepClock, trusted: bool
) -> None:
    world = World(dataclasses.replace(policy, trust_client_ip=trusted), clock)
    verification_id = world.request(client_ip="192.0.2.7")
    world.clock.step(30)
    assert resend(world, verification_id) == "ok"
    caller, named = (keyed(PEPPER, "client", address) for address in ("198.51.100.1", "192.0.2.7"))
    (counted,) = (key for key in world.store.counters if key.startswith("C#"))
    assert counted == (f"C#{named}" if trusted else f"C#{caller}"), "at the client of the first request"
    assert set(world.store.counters[counted].values()) == {2}


def test_a_resend_after_the_deadline_sends_nothing(world: World) -> None:
    verification_id = world.request()
    world.clock.step(30)
    late = dataclasses.replace(world.caller(), deadline=Deadline(0))
    with pytest.raises(errors.ProviderUnavailable) as refused:
        resend_code(world.service, ResendOtp(verification_id), late)
    assert (refused.value.reason, refused.value.retry_after) == ("deadline", 5)
    assert world.sends() == 1


@pytest.mark.parametrize(("milliseconds", "seconds"), [(30_000, 30), (1_001, 2), (1, 1), (0, 0)])
def test_a_status_says_in_whole_seconds_when_the_next_code_may_be_sent(
    world: World, lifecycle: Lifecycle, milliseconds: int, seconds: int
) -> None:
    verification_id = world.request()
    world.clock.step(30 - milliseconds / 1000)
    assert lifecycle.status(verification_id, world.caller()).resend_after == seconds


def test_a_repeated_resend_with_a_torn_read_gets_the_first_answer(world: World) -> None:
    verification_id = world.request()
    world.clock.step(30)
    read = world.store.read

    def torn(query: AdmissionQuery) -> AdmissionSnapshot:
        world.store.read = read  # type: ignore[method-assign] # the next read is whole
        assert resend(world, verification_id, idempotency_key="a-key") == "ok"
        return dataclasses.replace(read(query), idempotency_record=None)

    world.store.read = torn  # type: ignore[method-assign] # DynamoDB reads a batch's items one by one
    assert resend(world, verification_id, idempotency_key="a-key") == "ok"
    assert world.sends() == 2


def test_a_status_counts_the_sends_of_its_own_network(world: World, lifecycle: Lifecycle) -> None:
    verification_id = world.request(client_ip="198.51.100.1")
    world.clock.step(31)
    world.request(client_ip="198.51.100.2")
    assert lifecycle.status(verification_id, world.caller()).resend_after == 0
