"""The events that sending and checking emit, and the metrics that these events add.

The service and the router are real; the providers are scripted.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from fakes.memory import PEPPERS, MemoryStore, NoBreaker, StepClock, number_key, outcome
from sms_otp.adapters.providers.test_numbers import FixedCodes
from sms_otp.adapters.telemetry import metrics
from sms_otp.domain import errors, keys
from sms_otp.domain.clock import Deadline, Seconds
from sms_otp.domain.commands import Caller, Policy, Requested, RequestOtp, ResendOtp, VerifyOtp
from sms_otp.domain.guard import Mode
from sms_otp.domain.keys import Peppers
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import Reservation, StoreError, WriteConflict
from sms_otp.domain.prices import Prices
from sms_otp.domain.provider import (
    Ambiguous,
    Channel,
    Check,
    CircuitOpen,
    DestinationUnavailable,
    Doubtful,
    Misconfigured,
    NotSent,
    Provider,
    ProviderError,
    Refused,
    Sent,
    Throttled,
    TooLate,
)
from sms_otp.domain.stops import EVERYTHING, Scope, Stop
from sms_otp.use_cases.circuit_breaker import CircuitBreaker
from sms_otp.use_cases.failover import Router
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.resend import resend_code
from sms_otp.use_cases.service import Service
from sms_otp.use_cases.status import Lifecycle
from sms_otp.use_cases.verify import verify_code
from tests.unit.world import NUMBER, World

Emitted = list[tuple[str, dict[str, Any]]]
Measured = list[tuple[str, float, str | None]]

PRICE = Prices().dollars("US", "sms")


class Scripted:
    """A provider that fails as the test scripts it, and otherwise accepts `123456`."""

    name: ClassVar[str] = "scripted"

    def __init__(self, name: str, failures: Mapping[str, ProviderError]) -> None:
        self._name, self._failures = name, failures

    def send(self, *_: Any, **__: Any) -> Sent:
        self._fail()
        return Sent(f"{self._name}-ref")

    def resend(self, *_: Any, **__: Any) -> Sent:
        self._fail()
        return Sent(f"{self._name}-ref-again", message_id=f"{self._name}-message")

    def check(self, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        del ref, channel, deadline
        self._fail()
        return Check.CORRECT if otp == "123456" else Check.WRONG

    def probe(self, deadline: Deadline) -> None:
        del deadline

    def _fail(self) -> None:
        if self._name in self._failures:
            raise self._failures[self._name]


class Secrets:
    """The same credentials whenever they are fetched."""

    def credentials(self, provider: str) -> Mapping[str, str]:
        return {"provider": provider}

    def forget_credentials(self) -> None:
        pass


class Routed(World):
    """A service over the real router."""

    def __init__(
        self, policy: Policy, clock: StepClock, channels: Mapping[str, frozenset[Channel]] | None = None
    ) -> None:
        super().__init__(policy, clock)
        self.failures: dict[str, ProviderError] = {}

        def emit(event: str, **fields: Any) -> None:
            self.emitted.append((event, fields))

        def build(name: str, _: Mapping[str, str]) -> Provider:
            return Scripted(name, self.failures)

        order = ("infobip", "sinch")
        tests = FixedCodes({"+14155550100": "246810"})
        router = Router(order, {}, Secrets(), build, tests, NoBreaker(), emit, channels=channels or {})
        self.store = MemoryStore()
        self.service = Service(policy, self.store, router, lambda: PEPPERS, clock, emit)

    def events(self, *names: str) -> Emitted:
        """The events of these names, in order."""
        return [(event, fields) for event, fields in self.emitted if event in names]

    def measured(self) -> Measured:
        """(metric, value, its event's provider) of everything emitted, except how long it took."""
        return [row for row in measured_of(self.emitted) if row[0] != "ProviderLatency"]


def measured_of(emitted: Emitted) -> Measured:
    found = []
    for event, fields in emitted:
        for metric in metrics.measured_by(event, fields):
            value = metric.value if isinstance(metric.value, int) else fields.get(metric.value)
            if value is not None:
                found.append((metric.name, value, fields.get("provider")))
    return found


@pytest.fixture
def world(policy: Policy, clock: StepClock) -> Routed:
    return Routed(policy, clock)


ABOUT = {
    "number": PhoneNumber(NUMBER, "US"),
    "number_key": number_key(NUMBER),
    "channel": "sms",
    "purpose": "login",
}


@pytest.mark.parametrize(
    ("failure", "flags", "more"),
    [
        (Doubtful("infobip", "http_503", status=503), (1, 1, None), ["ProviderServerError"]),
        (Doubtful("infobip", "http_500", status=500), (1, 1, None), ["ProviderServerError"]),
        (NotSent("infobip", "no_connection"), (1, None, None), []),
        (Throttled("infobip", "http_429", status=429), (1, None, None), []),
        (DestinationUnavailable("infobip", "no_route", status=422), (1, None, None), []),
        (Throttled("infobip", "http_499", status=499), (1, None, None), []),
        (Misconfigured("infobip", "http_401", status=401), (1, None, 1), ["ProviderMisconfigured"]),
        (CircuitOpen("infobip", "circuit_open"), (None, None, None), None),
    ],
    ids=lambda value: str(value) if isinstance(value, ProviderError) else "",
)
def test_a_failover_emits_provider_failed_and_failed_over(
    world: Routed, failure: ProviderError, flags: tuple[int | None, ...], more: list[str] | None
) -> None:
    world.failures["infobip"] = failure
    world.request(purpose="login")
    (key,) = world.store.verifications
    about = ABOUT | {"verification": key, "provider": "infobip"}
    failed, server_error, misconfigured = flags
    assert world.events("provider_failed", "failed_over", "otp_requested")[:2] == [
        (
            "provider_failed",
            {
                **about,
                "reason": failure.reason,
                "kind": type(failure).__name__,
                "failed": failed,
                "server_error": server_error,
                "misconfigured": misconfigured,
            },
        ),
        ("failed_over", about),
    ]
    errors_of = [] if more is None else ["ProviderError", *more]
    expected = [(name, 1, "infobip") for name in [*errors_of, "FailedOver"]]
    assert [row for row in world.measured() if row[2] == "infobip"] == expected


def test_a_send_is_emitted_with_its_provider_its_reference_and_its_price(world: Routed) -> None:
    world.failures["infobip"] = NotSent("infobip", "no_connection")
    world.request(purpose="login")
    (key,) = world.store.verifications
    assert world.events("otp_requested") == [
        (
            "otp_requested",
            {
                **ABOUT,
                "verification": key,
                "provider": "sinch",
                "provider_ref": "sinch-ref",
                "cost": PRICE,
                "same_code": None,
                "app_hash_sent": None,
            },
        )
    ]
    assert ("OtpSent", 1, "sinch") in world.measured()
    assert ("EstimatedCost", PRICE, "sinch") in world.measured()


def test_a_resend_that_fails_over_is_emitted_like_a_send(world: Routed) -> None:
    verification_id = world.request(purpose="login")
    world.clock.step(30)
    world.emitted.clear()
    world.failures["infobip"] = Throttled("infobip", "http_429", status=429)
    resend_code(world.service, ResendOtp(verification_id, Channel.VOICE), world.caller())
    emitted = world.events("provider_failed", "failed_over", "otp_resent")
    assert [(event, fields["provider"], fields["channel"]) for event, fields in emitted] == [
        ("provider_failed", "infobip", "voice"),
        ("failed_over", "infobip", "voice"),
        ("otp_resent", "sinch", "voice"),
    ]
    names = [(name, provider) for name, _, provider in world.measured()]
    for expected in (("ProviderError", "infobip"), ("FailedOver", "infobip"), ("OtpResent", "sinch")):
        assert expected in names


def test_a_resend_is_emitted_with_the_message_id_of_its_delivery_reports(world: Routed) -> None:
    verification_id = world.request()
    world.clock.step(30)
    resend_code(world.service, ResendOtp(verification_id), world.caller())
    ((_, fields),) = world.events("otp_resent")
    assert (fields["provider"], fields["provider_ref"]) == ("infobip", "infobip-message")


def test_a_send_to_a_test_number_has_no_cost_and_no_reference(policy: Policy, clock: StepClock) -> None:
    numbers: dict[str, Any] = {"test_numbers": {"+14155550100": "246810"}, "test_numbers_end": 2_000_000_000}
    world = Routed(replace(policy, **numbers), clock)
    world.request("+14155550100")
    ((_, fields),) = world.events("otp_requested")
    assert (fields["provider"], fields["provider_ref"], fields["cost"]) == ("test", None, None)
    assert world.measured()[-1] == ("OtpSent", 1, "test")


@pytest.mark.parametrize("again", [False, True], ids=["request", "resend"])
@pytest.mark.parametrize(
    ("failure", "event", "code", "retry_after", "measured"),
    [
        (Refused("sinch", "opted_out"), "otp_rejected", "PROVIDER_REJECTED", None, "SendRefused"),
        (Ambiguous("sinch", "timeout"), "provider_failed", "PROVIDER_UNAVAILABLE", "gap", "ProviderError"),
        (Doubtful("sinch", "500"), "provider_failed", "PROVIDER_UNAVAILABLE", "gap", "ProviderError"),
        (
            DestinationUnavailable("sinch", "42201"),
            "provider_failed",
            "PROVIDER_UNAVAILABLE",
            "gap",
            "ProviderError",
        ),
        (NotSent("sinch", "dns"), "provider_failed", "PROVIDER_UNAVAILABLE", 5, "ProviderError"),
        (
            Throttled("sinch", "http_429", retry_after=Seconds(17)),
            "provider_failed",
            "PROVIDER_UNAVAILABLE",
            17,
            "ProviderError",
        ),
        (TooLate("sinch", "deadline"), "provider_failed", "PROVIDER_UNAVAILABLE", 5, "ProviderError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ProviderError) else "",
)
def test_a_send_that_no_provider_took_emits_its_failure_and_its_retry_after(
    world: Routed,
    failure: ProviderError,
    event: str,
    code: str,
    retry_after: int | str | None,
    measured: str,
    again: bool,
) -> None:
    act: Callable[[], object] = world.request
    if again:
        verification_id = world.request()
        world.clock.step(30)

        def act() -> object:
            return resend_code(world.service, ResendOtp(verification_id), world.caller())

    world.emitted.clear()
    world.failures["infobip"] = NotSent("infobip", "no_connection")
    world.failures["sinch"] = failure
    with pytest.raises(errors.OtpError) as refused:
        act()
    gap = 60 if again else 30
    assert (refused.value.code, refused.value.retry_after) == (
        code,
        gap if retry_after == "gap" else retry_after,
    )
    assert refused.value.reason == (
        "ambiguous" if isinstance(failure, (Ambiguous, Doubtful)) else failure.reason
    )
    emitted = world.events("provider_failed", "otp_rejected")[1:]
    assert [(name, fields["provider"], fields["reason"]) for name, fields in emitted] == [
        (event, "sinch", failure.reason)
    ]
    assert (measured, 1, "sinch") in world.measured()


def test_a_repeated_request_of_unknown_outcome_is_answered_with_the_same_wait(world: Routed) -> None:
    world.failures["infobip"] = Ambiguous("infobip", "timeout")
    command = RequestOtp(NUMBER, idempotency_key="a-key")
    waits = []
    for _ in range(2):
        with pytest.raises(errors.ProviderUnavailable) as refused:
            request_code(world.service, command, world.caller())
        waits.append(refused.value.retry_after)
        world.failures.clear()
    assert waits == [30, 30]


def test_a_store_fault_while_recording_a_send_is_emitted_and_retried(world: Routed) -> None:
    record, tries = world.store.record_sent, list[str]()

    def fails_once(key: str, *given: Any) -> None:
        tries.append(key)
        if len(tries) == 1:
            raise StoreError("UpdateItem: ThrottlingException")
        record(key, *given)

    world.store.record_sent = fails_once  # type: ignore[method-assign, assignment] # one fault
    verification_id = world.request()
    assert world.events("store_failed") == [("store_failed", {"reason": "UpdateItem: ThrottlingException"})]
    assert world.verify(verification_id) == "ok"


def test_a_failed_check_is_emitted_with_its_provider_and_has_a_retry_after(
    world: Routed,
) -> None:
    verification_id = world.request()
    world.emitted.clear()
    world.failures["infobip"] = Throttled("infobip", "http_429", retry_after=Seconds(7), status=429)
    with pytest.raises(errors.ProviderUnavailable) as refused:
        verify_code(world.service, VerifyOtp(verification_id, "123456"), world.caller())
    assert (refused.value.retry_after, refused.value.reason) == (7, "http_429")
    ((_, fields),) = world.events("provider_failed")
    assert (fields["provider"], fields["kind"], fields["failed"]) == ("infobip", "Throttled", 1)
    assert world.measured() == [("ProviderError", 1, "infobip")]


def test_a_guess_is_emitted_with_the_country_and_provider_that_it_is_measured_by(world: Routed) -> None:
    verification_id = world.request(purpose="login")
    world.emitted.clear()
    world.clock.step(7)
    assert world.verify(verification_id, "000000") == "OTP_INCORRECT"
    world.clock.step(5)
    assert world.verify(verification_id) == "ok"
    (key,) = world.store.verifications
    about = ABOUT | {"verification": key, "provider": "infobip"}
    assert world.events("otp_incorrect", "otp_verified") == [
        ("otp_incorrect", {**about, "check": "wrong", "attempts": 1, "failures": 1, "lane": "stranger"}),
        ("otp_verified", {**about, "seconds": 12, "attempts": 2, "lane": "stranger"}),
    ]
    assert world.measured() == [
        ("OtpIncorrect", 1, "infobip"),
        ("VerifySuccess", 0, "infobip"),
        ("NumberFailures", 1, "infobip"),
        ("OtpVerified", 1, "infobip"),
        ("VerifySuccess", 1, "infobip"),
        ("TimeToVerify", 12, "infobip"),
    ]


def sends(world: Routed) -> int:
    """The sends that count against the number's limits."""
    return len(world.store.numbers[number_key(NUMBER)].sends)


@pytest.mark.parametrize(
    ("first", "second", "counted"),
    [
        (NotSent("infobip", "dns"), NotSent("sinch", "dns"), 0),
        (Throttled("infobip", "http_429"), Misconfigured("sinch", "http_401"), 0),
        (DestinationUnavailable("infobip", "http_429"), NotSent("sinch", "dns"), 1),
        (NotSent("infobip", "dns"), DestinationUnavailable("sinch", "42901"), 1),
        (NotSent("infobip", "dns"), Refused("sinch", "40300"), 1),
        (NotSent("infobip", "dns"), Ambiguous("sinch", "timeout"), 1),
        (NotSent("infobip", "dns"), Doubtful("sinch", "http_500"), 1),
        (Doubtful("infobip", "http_500"), NotSent("sinch", "dns"), 2),
        (Doubtful("infobip", "http_500"), Doubtful("sinch", "http_500"), 2),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ProviderError) else str(value),
)
def test_a_failed_send_stays_counted_unless_it_certainly_cost_nothing(
    world: Routed, first: ProviderError, second: ProviderError, counted: int
) -> None:
    world.failures |= {"infobip": first, "sinch": second}
    with pytest.raises(errors.OtpError):
        world.request()
    assert sends(world) == counted


def test_a_second_send_after_a_5xx_counts_twice_and_verifies(world: Routed) -> None:
    world.failures["infobip"] = Doubtful("infobip", "http_500", status=500)
    verification_id = world.request()
    assert sends(world) == 2
    assert world.verify(verification_id) == "ok"


def test_a_5xx_does_not_fail_over_where_the_numbers_windows_are_full(world: Routed) -> None:
    for _ in range(2):
        world.request()
        world.clock.step(240)
    world.failures["infobip"] = Doubtful("infobip", "http_500", status=500)
    with pytest.raises(errors.ProviderUnavailable):
        world.request()
    assert sends(world) == 3
    assert [fields["provider"] for _, fields in world.events("otp_requested")] == ["infobip"] * 2


def test_a_channel_that_no_provider_has_is_an_invalid_request_and_not_counted(
    policy: Policy, clock: StepClock
) -> None:
    sms = dict.fromkeys(("infobip", "sinch"), frozenset({Channel.SMS}))
    world = Routed(policy, clock, sms)
    with pytest.raises(errors.InvalidRequest) as refused:
        request_code(world.service, RequestOtp(NUMBER, Channel.VOICE), world.caller())
    assert [error["pointer"] for error in refused.value.errors] == ["/channel"]
    assert world.store.numbers == {}


@pytest.mark.parametrize("order", [("infobip",), ("infobip", "sinch")], ids=["one provider", "two"])
@pytest.mark.parametrize("kind", [DestinationUnavailable, Refused, Doubtful, Ambiguous, NotSent, Throttled])
def test_one_number_never_blocks_the_providers_for_other_numbers(
    policy: Policy, clock: StepClock, order: tuple[str, ...], kind: type[ProviderError]
) -> None:
    """However the provider fails for it, and however often a code is requested."""
    unguarded = replace(policy.admission.spend, mode=Mode.OFF)
    policy = replace(policy, admission=replace(policy.admission, spend=unguarded))
    world = Routed(policy, clock)
    store = MemoryStore()
    breaker = CircuitBreaker(store.circuits, clock, world.service.emit)

    def build(name: str, _: Mapping[str, str]) -> Provider:
        return Scripted(name, world.failures)

    router = Router(order, {}, Secrets(), build, FixedCodes({}), breaker, world.service.emit)
    world.service = Service(policy, store, router, lambda: PEPPERS, clock, world.service.emit)
    for _ in range(8):
        world.failures |= {name: kind(name, "scripted") for name in order}
        with pytest.raises(errors.OtpError):
            world.request()
        clock.step(5)
    world.failures.clear()
    for index in range(50):
        world.request(f"+141555501{index + 30:02d}")


def one_code_at_sinch(policy: Policy, clock: StepClock, *order: str) -> Routed:
    """A service over real routing; at Sinch a new code ends the number's earlier one."""
    world = Routed(policy, clock)

    def build(name: str, _: Mapping[str, str]) -> Provider:
        return Scripted(name, world.failures)

    router = Router(
        order, {}, Secrets(), build, FixedCodes({}), NoBreaker(), world.service.emit, frozenset({"sinch"})
    )
    world.service = replace(world.service, providers=router)
    return world


def holders(world: Routed) -> list[str | None]:
    return [verification.provider for verification in world.store.verifications.values()]


def test_a_code_in_hand_stays_valid_when_another_provider_is_left(policy: Policy, clock: StepClock) -> None:
    world = one_code_at_sinch(policy, clock, "sinch", "infobip")
    first = world.request()
    clock.step(60)
    world.request(session_id="b" * 20)
    assert holders(world) == ["sinch", "infobip"]
    assert world.verify(first) == "ok"


def test_a_failover_invalidates_no_code_in_hand(policy: Policy, clock: StepClock) -> None:
    world = one_code_at_sinch(policy, clock, "infobip", "sinch")
    world.failures["infobip"] = NotSent("infobip", "dns")
    world.request()
    clock.step(60)
    with pytest.raises(errors.ProviderUnavailable):
        world.request(session_id="b" * 20)
    assert holders(world) == ["sinch"]


def test_a_stranger_waits_for_a_code_in_hand_when_no_other_provider_is_left(
    policy: Policy, clock: StepClock
) -> None:
    world = one_code_at_sinch(policy, clock, "sinch")
    world.request(session_id="a" * 20)
    clock.step(60)
    with pytest.raises(errors.RateLimited) as refused:
        world.request(session_id="b" * 20)
    assert (refused.value.reason, refused.value.retry_after) == ("code in hand", 240)
    clock.step(240)
    world.request(session_id="b" * 20)


def test_the_session_that_requested_a_code_may_request_another(policy: Policy, clock: StepClock) -> None:
    world = one_code_at_sinch(policy, clock, "sinch")
    for _ in range(2):
        world.request(session_id="a" * 20)
        clock.step(60)
    assert holders(world) == ["sinch", "sinch"]


def test_a_number_that_was_verified_since_has_no_code_in_hand(policy: Policy, clock: StepClock) -> None:
    world = one_code_at_sinch(policy, clock, "sinch")
    assert world.verify(world.request()) == "ok"
    clock.step(60)
    world.request(session_id="b" * 20)


def locked(world: Routed, verification_id: str) -> None:
    """Guess wrong until no guess is left."""
    for _ in range(world.service.policy.max_attempts):
        world.verify(verification_id, "000000")


def cancelled(world: Routed, verification_id: str) -> None:
    Lifecycle(
        world.service.policy, world.store, world.clock, world.service.emit, frozenset({"sinch"})
    ).cancel(verification_id, world.caller())


@pytest.mark.parametrize("end", [cancelled, locked], ids=["cancelled", "locked"])
def test_a_verification_that_is_over_has_no_code_in_hand(
    policy: Policy, clock: StepClock, end: Callable[[Routed, str], None]
) -> None:
    world = one_code_at_sinch(policy, clock, "sinch", "infobip")
    end(world, world.request())
    clock.step(60)
    world.request(session_id="b" * 20)
    assert holders(world) == ["sinch", "sinch"]


@pytest.mark.parametrize("kind", [Refused, DestinationUnavailable])
def test_a_code_that_was_certainly_not_sent_is_not_in_hand(
    policy: Policy, clock: StepClock, kind: type[ProviderError]
) -> None:
    world = one_code_at_sinch(policy, clock, "sinch")
    world.failures["sinch"] = kind("sinch", "scripted")
    for session in ("a" * 20, "b" * 20):
        with pytest.raises(errors.OtpError) as refused:
            world.request(session_id=session)
        assert refused.value.reason == "scripted"
        clock.step(60)


@pytest.mark.parametrize("kind", [Doubtful, Ambiguous])
def test_a_code_that_may_have_been_sent_is_in_hand(
    policy: Policy, clock: StepClock, kind: type[ProviderError]
) -> None:
    world = one_code_at_sinch(policy, clock, "sinch")
    world.failures["sinch"] = kind("sinch", "scripted")
    with pytest.raises(errors.ProviderUnavailable):
        world.request(session_id="a" * 20)
    world.failures.clear()
    clock.step(60)
    with pytest.raises(errors.RateLimited) as refused:
        world.request(session_id="b" * 20)
    assert refused.value.reason == "code in hand"


def test_a_code_stays_in_hand_while_a_guess_is_left(policy: Policy, clock: StepClock) -> None:
    world = one_code_at_sinch(policy, clock, "sinch")
    verification_id = world.request(session_id="a" * 20)
    for _ in range(policy.max_attempts - 1):
        world.verify(verification_id, "000000", session_id="a" * 20)
    clock.step(60)
    with pytest.raises(errors.RateLimited):
        world.request(session_id="b" * 20)


def test_a_failed_resend_leaves_the_earlier_code_in_hand(policy: Policy, clock: StepClock) -> None:
    world = one_code_at_sinch(policy, clock, "sinch")
    verification_id = world.request()
    world.failures["sinch"] = DestinationUnavailable("sinch", "scripted")
    clock.step(60)
    with pytest.raises(errors.ProviderUnavailable):
        resend_code(world.service, ResendOtp(verification_id), world.caller())
    clock.step(120)
    with pytest.raises(errors.RateLimited) as refused:
        world.request(session_id="b" * 20)
    assert refused.value.reason == "code in hand"


def rotated(world: Routed) -> None:
    """The next pepper is in use, and the previous one is still read."""
    peppers = Peppers("the-next-pepper-that-is-long-enough", PEPPERS.current)
    world.service = replace(world.service, peppers=lambda: peppers)


def test_a_code_in_hand_stays_valid_while_the_pepper_rotates(policy: Policy, clock: StepClock) -> None:
    world = one_code_at_sinch(policy, clock, "sinch", "infobip")
    first = world.request(session_id="a" * 20)
    rotated(world)
    clock.step(60)
    world.request(session_id="b" * 20)
    assert holders(world) == ["sinch", "infobip"]
    assert world.verify(first, session_id="a" * 20) == "ok"


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_session_may_request_another_code_while_the_pepper_rotates(
    policy: Policy, clock: StepClock, is_cancelled: bool
) -> None:
    world = one_code_at_sinch(policy, clock, "sinch")
    first = world.request(session_id="a" * 20)
    if is_cancelled:
        cancelled(world, first)
    rotated(world)
    clock.step(60)
    world.request(session_id=("b" if is_cancelled else "a") * 20)
    assert holders(world) == ["sinch", "sinch"]


def stopped(world: Routed, provider: str, seconds: int = 600) -> None:
    now = Seconds(int(world.clock()))
    world.store.stops.stop([Stop(Scope.PROVIDER, provider)], Seconds(now + seconds), now)


def test_the_other_provider_sends_while_one_is_stopped(policy: Policy, clock: StepClock) -> None:
    world = Routed(policy, clock)
    first = world.request()
    stopped(world, "infobip")
    clock.step(60)
    world.request()
    assert holders(world) == ["infobip", "sinch"]
    (listed,) = [
        each.provider
        for key, each in world.number().verifications.items()
        if key != keys.verification_key(first)
    ]
    assert listed == "sinch"
    assert world.verify(first) == "ok", "the code that it sent before is still valid"


def test_nothing_is_sent_while_every_provider_is_stopped(policy: Policy, clock: StepClock) -> None:
    world = Routed(policy, clock)
    stopped(world, "infobip", 600)
    stopped(world, "sinch", 60)
    with pytest.raises(errors.SendingStopped) as refused:
        world.request()
    assert (refused.value.reason, refused.value.retry_after) == ("provider", 60)
    clock.step(60)
    world.request()
    assert holders(world) == ["sinch"]


def test_a_stop_is_the_reason_when_the_providers_left_lack_the_channel(
    policy: Policy, clock: StepClock
) -> None:
    world = Routed(policy, clock, {"sinch": frozenset({Channel.SMS})})
    stopped(world, "infobip")
    with pytest.raises(errors.SendingStopped) as refused:
        request_code(world.service, RequestOtp(NUMBER, Channel.VOICE), world.caller())
    assert (refused.value.reason, refused.value.retry_after) == ("provider", 600)
    assert world.store.numbers == {}


def test_a_resend_goes_through_another_provider_while_the_holder_is_stopped(
    policy: Policy, clock: StepClock
) -> None:
    world = Routed(policy, clock)
    verification_id = world.request()
    stopped(world, "infobip")
    clock.step(60)
    resend_code(world.service, ResendOtp(verification_id), world.caller())
    assert holders(world) == ["sinch"]
    assert world.verify(verification_id) == "ok"


def test_a_resend_is_sent_by_the_holder_although_all_others_are_stopped(
    policy: Policy, clock: StepClock
) -> None:
    world = Routed(policy, clock)
    stopped(world, "infobip")
    verification_id = world.request()
    world.service = replace(world.service, providers=only(world, "infobip"))
    clock.step(60)
    resend_code(world.service, ResendOtp(verification_id), world.caller())
    assert holders(world) == ["sinch"], "no order names it any more"


def only(world: Routed, *order: str) -> Router:
    """Routing after a deployment that changed the order."""

    def build(name: str, _: Mapping[str, str]) -> Provider:
        return Scripted(name, world.failures)

    return Router(order, {}, Secrets(), build, FixedCodes({}), NoBreaker(), world.service.emit)


def test_a_code_in_hand_stays_valid_while_the_other_provider_is_stopped(
    policy: Policy, clock: StepClock
) -> None:
    world = one_code_at_sinch(policy, clock, "sinch", "infobip")
    world.request(session_id="a" * 20)
    stopped(world, "infobip")
    clock.step(60)
    with pytest.raises(errors.RateLimited) as refused:
        world.request(session_id="b" * 20)
    assert (refused.value.reason, refused.value.retry_after) == ("code in hand", 240)


def test_a_resend_for_a_stopped_holder_ends_no_code_of_another_session(
    policy: Policy, clock: StepClock
) -> None:
    world = one_code_at_sinch(policy, clock, "sinch", "infobip")
    world.request(session_id="a" * 20)
    clock.step(60)
    second = world.request(session_id="b" * 20)
    assert holders(world) == ["sinch", "infobip"]
    stopped(world, "infobip")
    clock.step(120)
    command = ResendOtp(second, session_id="b" * 20)
    with pytest.raises(errors.RateLimited) as refused:
        resend_code(world.service, command, world.caller())
    assert (refused.value.reason, refused.value.retry_after) == ("code in hand", 120)
    clock.step(120)
    resend_code(world.service, command, world.caller())
    assert holders(world) == ["sinch", "sinch"]


def test_no_second_send_is_made_after_a_doubtful_one_once_sending_is_stopped(
    policy: Policy, clock: StepClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Routed(policy, clock)

    def stop_and_fail(*_: Any) -> Sent:
        now = Seconds(int(clock()))
        world.store.stops.stop([EVERYTHING], Seconds(now + 60), now)
        raise Doubtful("infobip", "http_500", status=500)

    monkeypatch.setattr(Scripted, "send", stop_and_fail)
    with pytest.raises(errors.ProviderUnavailable):
        world.request()
    assert sends(world) == 1


def test_a_stop_does_not_apply_to_a_test_number(policy: Policy, clock: StepClock) -> None:
    number = "+14155550100"
    policy = replace(policy, test_numbers={number: "246810"}, test_numbers_end=Seconds(clock() + 1000))
    world = Routed(policy, clock)
    now = Seconds(int(clock()))
    world.store.stops.stop([EVERYTHING], Seconds(now + 600), now)
    assert world.verify(world.request(number), "246810") == "ok"


def resend(world: Routed, verification_id: str, **fields: Any) -> Requested:
    return resend_code(world.service, ResendOtp(verification_id, **fields), world.caller())


def test_a_resend_that_may_have_gone_out_is_counted_again_and_verifies(world: Routed) -> None:
    verification_id = world.request()
    world.clock.step(30)
    world.failures["infobip"] = Doubtful("infobip", "http_500", status=500)
    resend(world, verification_id)
    (held,) = world.store.verifications.values()
    assert (sends(world), held.sends, held.provider) == (3, 3, "sinch")
    assert world.verify(verification_id) == "ok"


@pytest.mark.parametrize(("seconds", "counted"), [(2.0, 2), (1.9, 1)])
def test_a_second_send_is_made_only_where_two_seconds_are_left(
    world: Routed, seconds: float, counted: int
) -> None:
    world.failures["infobip"] = Doubtful("infobip", "http_500", status=500)
    caller = Caller(
        "tenant-a", "a-request", Deadline(seconds, monotonic=lambda: 0.0), "198.51.100.1", "https://api.test"
    )
    answer = outcome(lambda: request_code(world.service, RequestOtp(NUMBER), caller))
    assert answer == ("ok" if counted == 2 else "PROVIDER_UNAVAILABLE")
    assert sends(world) == counted


@pytest.mark.parametrize(("lost", "answer"), [(4, "ok"), (5, "PROVIDER_UNAVAILABLE")])
def test_a_second_send_retries_a_write_conflict_four_times(world: Routed, lost: int, answer: str) -> None:
    world.failures["infobip"] = Doubtful("infobip", "http_500", status=500)
    reserve, tries = world.store.reserve, list[Reservation]()

    def conflict(reservation: Reservation) -> None:
        tries.append(reservation)
        if 1 < len(tries) <= 1 + lost:
            raise WriteConflict
        reserve(reservation)

    world.store.reserve = conflict  # type: ignore[method-assign] # contention for a while
    assert outcome(world.request) == answer
    assert len(tries) == (6 if lost == 5 else 2 + lost)


def test_a_resend_that_is_refused_is_refused_again_under_its_key(world: Routed) -> None:
    verification_id = world.request()
    world.clock.step(30)
    world.failures["infobip"] = Refused("infobip", "REJECTED_DND")
    for _ in range(2):
        with pytest.raises(errors.ProviderRejected):
            resend(world, verification_id, idempotency_key="a-key")
        world.failures.clear()
    assert sends(world) == 2


def own_code(world: Routed) -> str:
    """A verification whose code its provider requested from us."""
    verification_id = world.request()
    (key,) = world.store.verifications
    held = world.store.verifications[key]
    refs = ("infobip-ref", "infobip-ref-again")
    world.store.verifications[key] = replace(held, own_code_refs=refs)
    world.clock.step(30)
    return verification_id


@pytest.mark.parametrize(
    ("change", "same_code"),
    [
        ({}, True),
        ({"own_code_refs": ("infobip-ref",)}, False),
        ({"own_code_refs": ("infobip-ref-again",)}, False),
        ({"own_code_refs": ()}, False),
    ],
)
def test_a_resend_has_the_same_code_where_both_are_our_own(
    world: Routed, change: dict[str, Any], same_code: bool
) -> None:
    verification_id = own_code(world)
    (key,) = world.store.verifications
    world.store.verifications[key] = replace(world.store.verifications[key], **change)
    assert resend(world, verification_id).same_code is same_code


def test_a_resend_reports_another_code_when_the_lookup_fails(world: Routed) -> None:
    verification_id = own_code(world)
    find, found = world.store.find, list[str]()

    def fails_later(key: str) -> Any:
        found.append(key)
        if len(found) > 1:
            raise StoreError("GetItem: ThrottlingException")
        return find(key)

    world.store.find = fails_later  # type: ignore[method-assign] # one fault
    assert resend(world, verification_id).same_code is False
    assert world.events("store_failed") == [("store_failed", {"reason": "GetItem: ThrottlingException"})]


def test_a_device_token_lets_its_owner_end_a_code_in_hand(policy: Policy, clock: StepClock) -> None:
    world = one_code_at_sinch(policy, clock, "sinch")
    command = VerifyOtp(world.request(), "123456")
    token = verify_code(world.service, command, world.caller()).device_token
    clock.step(60)
    world.request(session_id="a" * 20)
    clock.step(60)
    assert outcome(lambda: world.request(session_id="b" * 20)) == "RATE_LIMITED"
    assert outcome(lambda: world.request(session_id="b" * 20, device_token=token)) == "ok"
