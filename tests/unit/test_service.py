"""The use cases, over a store in memory and a provider that keeps its codes in memory."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fakes.memory import StepClock, number_key, outcome
from sms_otp.adapters.telemetry import metrics
from sms_otp.domain import errors
from sms_otp.domain.clock import Deadline
from sms_otp.domain.commands import Policy, RequestOtp, VerifyOtp
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import AdmissionQuery, AdmissionSnapshot, Reservation, StoreError, WriteConflict
from sms_otp.domain.provider import (
    Ambiguous,
    Channel,
    Check,
    CircuitOpen,
    Doubtful,
    Misconfigured,
    NotSent,
    ProviderError,
    Refused,
    Throttled,
)
from sms_otp.domain.users import Consent
from sms_otp.domain.verification import State
from sms_otp.use_cases.event_fields import failure_fields
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.verify import verify_code
from tests.unit.world import NUMBER, World


@pytest.fixture
def world(policy: Policy, clock: StepClock) -> World:
    return World(policy, clock)


def test_the_right_code_verifies_and_clears_the_failures_of_the_number(world: World) -> None:
    verification_id = world.request(purpose="signup")
    assert world.verify(verification_id, "000000") == "OTP_INCORRECT"
    verified = verify_code(world.service, VerifyOtp(verification_id, "123456"), world.caller())
    assert (verified.phone_number, verified.purpose) == (NUMBER, "signup")
    assert world.store.failures == {}


def test_the_answer_to_a_request_says_when_to_resend(world: World) -> None:
    requested = request_code(world.service, RequestOtp(NUMBER), world.caller())
    assert requested.expires_at == int(world.clock()) + 300
    assert requested.resend_after == 30
    world.clock.step(29)
    assert outcome(world.request) == "RATE_LIMITED"
    world.clock.step(1)
    assert outcome(world.request) == "ok"


def test_neither_the_verification_id_nor_the_session_is_stored(world: World) -> None:
    verification_id = world.request(session_id="a-session")
    stored = repr(world.store.verifications)
    assert verification_id not in stored
    assert "a-session" not in stored


def test_a_code_works_once(world: World) -> None:
    verification_id = world.request()
    assert [world.verify(verification_id) for _ in range(3)] == ["ok", "ALREADY_VERIFIED", "ALREADY_VERIFIED"]
    assert world.guesses() == 1


def test_the_sixth_guess_never_reaches_the_provider_even_if_it_is_right(world: World) -> None:
    verification_id = world.request()
    assert [world.verify(verification_id, "000000") for _ in range(5)] == ["OTP_INCORRECT"] * 5
    world.clock.step(3600 * 24)
    world.store.failures.clear()
    assert world.verify(verification_id) == "OTP_EXPIRED"
    assert world.guesses() == 5


def test_spent_guesses_are_refused_before_the_code_expires(world: World) -> None:
    verification_id = world.request()
    for _ in range(5):
        world.verify(verification_id, "000000")
    assert world.verify(verification_id) == "TOO_MANY_ATTEMPTS"
    assert world.guesses() == 5


def test_each_wrong_code_says_how_many_guesses_are_left(world: World) -> None:
    verification_id = world.request()
    remaining = []
    for _ in range(5):
        with pytest.raises(errors.OtpIncorrect) as refused:
            verify_code(world.service, VerifyOtp(verification_id, "000000"), world.caller())
        remaining.append(refused.value.attempts_remaining)
    assert remaining == [4, 3, 2, 1, 0]


@pytest.mark.parametrize(("seconds", "expected"), [(299, "ok"), (300, "OTP_EXPIRED"), (301, "OTP_EXPIRED")])
def test_a_code_is_refused_from_the_second_of_its_expiry(world: World, seconds: int, expected: str) -> None:
    verification_id = world.request()
    world.clock.step(seconds)
    assert world.verify(verification_id) == expected
    assert world.guesses() == (expected == "ok")


def test_a_code_that_expires_while_the_provider_thinks_is_refused(world: World) -> None:
    verification_id = world.request()
    world.clock.step(299)
    check = world.provider.check

    def slow_check(*arguments: Any, **named: Any) -> Check:
        world.clock.step(2)
        return check(*arguments, **named)

    world.provider.check = slow_check  # type: ignore[method-assign] # one slow provider
    assert world.verify(verification_id) == "OTP_EXPIRED"
    assert next(iter(world.store.verifications.values())).state is State.PENDING


@pytest.mark.parametrize(
    "stranger",
    [{"tenant": "tenant-b"}, {"session_id": "another"}, {}, {"phone_number": "+14155550199"}],
)
def test_only_the_requesting_tenant_session_and_number_may_verify(
    world: World, stranger: dict[str, str]
) -> None:
    verification_id = world.request(session_id="mine")
    named = {"session_id": "mine"} if "phone_number" in stranger else {}
    assert world.verify(verification_id, **named | stranger) == "VERIFICATION_NOT_FOUND"
    assert world.guesses() == 0
    assert next(iter(world.store.verifications.values())).attempts == 0
    assert world.verify(verification_id, session_id="mine", phone_number=NUMBER) == "ok"


@pytest.mark.parametrize(
    "otp", ["", "12345", "1234567", "12345a", "１２３４５６", "123456\n", "-12345", "12 456"]
)
def test_a_code_of_the_wrong_form_is_no_guess(world: World, otp: str) -> None:
    verification_id = world.request()
    assert world.verify(verification_id, otp) == "INVALID_OTP_FORMAT"
    assert next(iter(world.store.verifications.values())).attempts == 0
    assert world.guesses() == 0


def test_a_number_that_failed_too_often_must_wait_and_a_new_code_does_not_help(world: World) -> None:
    world.fail(15)
    first = world.request()
    for _ in range(5):
        world.verify(first, "000000")
    world.clock.step(29)
    assert outcome(world.request) == "NUMBER_LOCKED"
    world.clock.step(1)
    second = world.request()
    assert world.verify(second, "000000") == "OTP_INCORRECT"
    assert world.verify(second) == "NUMBER_LOCKED", "the right code during a wait is refused like a wrong one"
    assert world.guesses() == 6
    world.clock.step(60)
    assert world.verify(second) == "ok"
    assert world.store.failures == {}


def test_a_guess_that_a_lock_refuses_is_refunded(world: World) -> None:
    """A stranger's failures lock the number, but use up no guesses of the owner's code."""
    verification_id = world.request()
    world.fail(20)
    for _ in range(7):
        assert world.verify(verification_id) == "NUMBER_LOCKED"
    (held,) = world.store.verifications.values()
    assert held.attempts == 0
    world.clock.step(30)
    assert world.verify(verification_id) == "ok"


def test_a_guess_that_cannot_be_refunded_is_still_refused(world: World) -> None:
    def fails(*_: object) -> None:
        raise StoreError("UpdateItem: ThrottlingException")

    verification_id = world.request()
    world.fail(20)
    world.store.return_guess = fails  # type: ignore[method-assign, assignment] # one fault
    assert world.verify(verification_id) == "NUMBER_LOCKED"
    assert next(iter(world.store.verifications.values())).attempts == 1


def test_a_number_that_strangers_disabled_has_its_own_error(world: World) -> None:
    for _ in range(80):
        world.clock.step(3600)
        world.fail(1)
    with pytest.raises(errors.NumberDisabled) as refused:
        world.request()
    assert refused.value.retry_after is None
    assert outcome(lambda: world.request(tenant="tenant-b")) == "ok"


def test_the_failures_of_one_tenant_do_not_lock_the_number_at_another(world: World) -> None:
    world.fail(20)
    assert outcome(world.request) == "NUMBER_LOCKED"
    assert outcome(lambda: world.request(tenant="tenant-b")) == "ok"


def test_the_last_wrong_guess_says_how_long_to_wait_for_another_code(world: World) -> None:
    verification_id = world.request()
    waits = []
    for _ in range(5):
        with pytest.raises(errors.OtpIncorrect) as refused:
            verify_code(world.service, VerifyOtp(verification_id, "000000"), world.caller())
        waits.append(refused.value.retry_after)
        world.clock.step(2)
    assert waits == [None] * 4 + [22]
    world.clock.step(21)
    assert outcome(world.request) == "ok"


def test_a_wrong_guess_that_locks_the_number_says_how_long(world: World) -> None:
    world.fail(21 - 1 - 1)
    verification_id = world.request()
    with pytest.raises(errors.OtpIncorrect) as refused:
        verify_code(world.service, VerifyOtp(verification_id, "000000"), world.caller())
    assert (refused.value.attempts_remaining, refused.value.retry_after) == (4, 30)


def test_sends_to_a_number_are_counted_over_all_tenants(world: World) -> None:
    answers = []
    for tenant in ("a", "b", "c", "d"):
        answers.append(outcome(lambda tenant=tenant: world.request(tenant=tenant)))  # type: ignore[misc] # bound now
        world.clock.step(240)
    assert answers == ["ok", "ok", "ok", "RATE_LIMITED"]
    assert world.sends() == 3


def test_a_lost_race_is_an_answer_and_nothing_is_sent(world: World) -> None:
    read = world.store.read

    def read_then_lose(query: AdmissionQuery) -> AdmissionSnapshot:
        found = read(query)
        world.store.read = read  # type: ignore[method-assign] # the other request reads as usual
        world.request()
        return found

    world.store.read = read_then_lose  # type: ignore[method-assign] # one interleaving
    with pytest.raises(errors.RateLimited) as refused:
        request_code(world.service, RequestOtp(NUMBER), world.caller())
    assert refused.value.retry_after == 30
    assert world.sends() == 1


CERTAINLY_NOT_SENT = [Throttled, NotSent, Misconfigured]


@pytest.mark.parametrize("failure", CERTAINLY_NOT_SENT)
def test_a_message_that_was_certainly_not_sent_costs_the_number_nothing(
    world: World, failure: type[ProviderError]
) -> None:
    world.provider.fails_with = lambda: failure("fake", "http_500")
    assert outcome(world.request) == "PROVIDER_UNAVAILABLE"
    world.provider.fails_with = None
    assert outcome(world.request) == "ok"
    assert len(world.store.verifications) == 1


def test_a_send_whose_outcome_is_unknown_stays_reserved(world: World) -> None:
    world.provider.fails_with = lambda: Ambiguous("fake", "timeout")
    with pytest.raises(errors.ProviderUnavailable) as refused:
        request_code(world.service, RequestOtp(NUMBER), world.caller())
    assert refused.value.retry_after == 30
    world.provider.fails_with = None
    assert outcome(world.request) == "RATE_LIMITED"
    assert world.sends() == 1


@pytest.mark.parametrize(("failure", "failed"), [(NotSent, 1), (CircuitOpen, None)])
def test_a_provider_that_its_open_breaker_skips_has_not_failed(
    world: World, failure: type[ProviderError], failed: int | None
) -> None:
    world.provider.fails_with = lambda: failure("fake", "scripted")
    assert outcome(world.request) == "PROVIDER_UNAVAILABLE"
    (fields,) = [fields for event, fields in world.emitted if event == "provider_failed"]
    assert fields["failed"] == failed


def test_a_number_that_the_provider_rejects_stays_counted_and_fails(world: World) -> None:
    world.provider.fails_with = lambda: Refused("fake", "opted_out")
    assert outcome(world.request) == "PROVIDER_REJECTED"
    assert next(iter(world.store.verifications.values())).state is State.FAILED
    assert outcome(world.request) == "RATE_LIMITED"


def test_a_failed_release_keeps_the_send_reserved_and_the_answer(world: World) -> None:
    def no_release(_: object) -> None:
        raise StoreError("TransactWriteItems: ThrottlingException")

    world.store.release = no_release  # type: ignore[method-assign, assignment] # one fault
    world.provider.fails_with = lambda: NotSent("fake", "http_500")
    assert outcome(world.request) == "PROVIDER_UNAVAILABLE"
    assert ("release_failed", {"reason": "TransactWriteItems: ThrottlingException"}) in world.emitted


@pytest.mark.parametrize(
    ("failure", "method", "event", "answer"),
    [
        (Refused, "record_failed", "rejection_unrecorded", "PROVIDER_REJECTED"),
        (Ambiguous, "record_answer", "doubt_unrecorded", "PROVIDER_UNAVAILABLE"),
    ],
)
def test_a_send_outcome_that_cannot_be_stored_has_its_own_event(
    world: World, failure: type[ProviderError], method: str, event: str, answer: str
) -> None:
    def fails(*_: object) -> None:
        raise StoreError("throttled")

    setattr(world.store, method, fails)
    world.provider.fails_with = lambda: failure("fake", "scripted")
    command = RequestOtp(NUMBER, idempotency_key="a-key")
    assert outcome(lambda: request_code(world.service, command, world.caller())) == answer
    assert (event, {"reason": "throttled"}) in world.emitted


@pytest.mark.parametrize("failure", [*CERTAINLY_NOT_SENT, Ambiguous, Refused])
def test_a_failed_check_verifies_nobody_and_the_guess_stays_spent(
    world: World, failure: type[ProviderError]
) -> None:
    verification_id = world.request()
    world.provider.fails_with = lambda: failure("fake", "http_500")
    assert world.verify(verification_id) == "PROVIDER_UNAVAILABLE"
    held = next(iter(world.store.verifications.values()))
    assert (held.state, held.attempts) == (State.PENDING, 1)


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (Check.WRONG, "OTP_INCORRECT"),
        (Check.EXPIRED, "OTP_EXPIRED"),
        (Check.EXHAUSTED, "TOO_MANY_ATTEMPTS"),
        (Check.UNKNOWN, "OTP_EXPIRED"),
    ],
)
def test_every_check_result_but_correct_is_refused(world: World, check: Check, expected: str) -> None:
    verification_id = world.request()
    world.provider.check = lambda *_, **__: check  # type: ignore[method-assign] # one answer
    assert world.verify(verification_id) == expected


@pytest.mark.parametrize("check", [Check.WRONG, Check.EXPIRED, Check.EXHAUSTED, Check.UNKNOWN])
def test_a_wrong_guess_is_measured_once_for_any_check_result(world: World, check: Check) -> None:
    verification_id = world.request()
    world.provider.check = lambda *_, **__: check  # type: ignore[method-assign] # one answer
    refused = {"path": "/verify-otp", "error_code": world.verify(verification_id)}
    emitted = [*world.emitted, ("request_refused", refused)]
    measured = [metric.name for event, fields in emitted for metric in metrics.measured_by(event, fields)]
    assert measured.count("VerifySuccess") == measured.count("NumberFailures") == 1
    assert measured.count("OtpIncorrect") == (check is Check.WRONG)


def test_an_exhausted_code_must_wait_for_its_expiry(world: World) -> None:
    verification_id = world.request()
    world.clock.step(100)
    world.provider.check = lambda *_, **__: Check.EXHAUSTED  # type: ignore[method-assign] # one answer
    with pytest.raises(errors.TooManyAttempts) as refused:
        verify_code(world.service, VerifyOtp(verification_id, "000000"), world.caller())
    assert refused.value.retry_after == 200


STORE_STEPS = ["read", "reserve", "record_sent", "spend_guess", "spend_number_guess", "consume"]


@pytest.mark.parametrize("step", STORE_STEPS)
def test_a_store_failure_verifies_nobody_and_sends_at_most_once(world: World, step: str) -> None:
    def fail(*_: object) -> None:
        raise StoreError(f"{step}: InternalServerError")

    verification_id = world.request("+14155550188")
    sends = world.sends()
    setattr(world.store, step, fail)

    def attempt(act: Callable[[], Any]) -> bool:
        try:
            act()
        except (StoreError, errors.OtpError):
            return False
        return True

    requested = attempt(world.request)
    verified = attempt(
        lambda: verify_code(world.service, VerifyOtp(verification_id, "123456"), world.caller())
    )
    assert [requested, verified].count(False) == 1, "exactly the use case that takes this step fails"
    assert world.sends() - sends == (step not in ("read", "reserve"))


def test_every_event_carries_the_number_only_as_an_object_that_hides_it(world: World) -> None:
    verification_id = world.request()
    world.verify(verification_id, "000000")
    world.verify(verification_id)
    expected = ["send_decided", "otp_requested", "otp_incorrect", "otp_verified"]
    assert [event for event, _ in world.emitted] == expected
    for _, fields in world.emitted:
        assert isinstance(fields["number"], PhoneNumber)
        assert NUMBER not in repr(fields)
        assert "123456" not in repr(fields)


CONTEXT = {"number": PhoneNumber(NUMBER, "US"), "number_key": number_key(NUMBER), "lane": "stranger"}


def refused_by(act: Callable[[], object]) -> errors.OtpError:
    with pytest.raises(errors.OtpError) as refused:
        act()
    return refused.value


@pytest.mark.parametrize("otp", ["000000", "123456"])
def test_a_refused_guess_names_its_verification_in_the_log(world: World, otp: str) -> None:
    """Both when the provider refuses it and when the store does because the code was used."""
    verification_id = world.request()
    (key,) = world.store.verifications
    if otp == "123456":
        assert world.verify(verification_id) == "ok"
    refused = refused_by(lambda: verify_code(world.service, VerifyOtp(verification_id, otp), world.caller()))
    assert refused.context == {"verification": key}


def test_a_request_that_loses_a_race_names_its_number_and_is_counted(world: World) -> None:
    read = world.store.read

    def read_then_lose(query: AdmissionQuery) -> AdmissionSnapshot:
        found = read(query)
        world.store.read = read  # type: ignore[method-assign] # the other request reads as usual
        world.request()
        return found

    world.store.read = read_then_lose  # type: ignore[method-assign] # one interleaving
    refused = refused_by(world.request)
    assert (refused.reason, refused.context) == ("number", CONTEXT)
    assert world.emitted[-1] == ("send_decided", {**CONTEXT, "requests": 2})


def test_a_rate_limited_request_names_the_limit_and_the_wait(world: World) -> None:
    world.request()
    world.clock.step(13)
    refused = refused_by(world.request)
    assert (refused.reason, refused.retry_after) == ("number", 17)
    assert refused.context == CONTEXT


def test_requests_and_guesses_say_how_long_a_locked_number_must_wait(world: World) -> None:
    verification_id = world.request()
    world.fail(15)
    for _ in range(5):
        world.verify(verification_id, "000000")
    world.clock.step(12)
    refused = refused_by(world.request)
    assert (refused.code, refused.reason, refused.retry_after) == ("NUMBER_LOCKED", "waiting", 18)
    world.clock.step(18)
    second = world.request()
    world.verify(second, "000000")
    world.clock.step(11)
    refused = refused_by(lambda: verify_code(world.service, VerifyOtp(second, "123456"), world.caller()))
    assert (refused.code, refused.reason, refused.retry_after) == ("NUMBER_LOCKED", "waiting", 49)


def test_spent_guesses_are_refused_until_the_code_expires(world: World) -> None:
    verification_id = world.request()
    for _ in range(5):
        world.verify(verification_id, "000000")
    world.clock.step(100)
    refused = refused_by(
        lambda: verify_code(world.service, VerifyOtp(verification_id, "123456"), world.caller())
    )
    assert (refused.code, refused.attempts_remaining, refused.retry_after) == ("TOO_MANY_ATTEMPTS", 0, 200)


def test_a_refused_country_is_named_in_the_log(policy: Policy, clock: StepClock) -> None:
    world = World(replace(policy, countries=frozenset({"GB"})), clock)
    refused = refused_by(world.request)
    assert (refused.code, refused.reason) == ("DESTINATION_NOT_ALLOWED", "country")
    assert refused.context == {"number": PhoneNumber(NUMBER, "US")}
    assert outcome(lambda: world.request("+447400123456")) == "ok"


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.VOICE])
def test_a_landline_is_sent_no_code_on_any_channel(world: World, channel: Channel) -> None:
    refused = refused_by(lambda: world.request("+61212345678", channel=channel))
    assert (refused.code, refused.reason) == ("DESTINATION_NOT_ALLOWED", "kind of number")
    assert world.sends() == 0


def test_an_invalid_field_is_named_by_its_json_pointer(world: World) -> None:
    consent = refused_by(lambda: world.request(consent=Consent("terms", "form")))
    assert [error["pointer"] for error in consent.errors] == ["/consent"]
    unnamed = refused_by(
        lambda: verify_code(world.service, VerifyOtp(None, "123456", phone_number=NUMBER), world.caller())
    )
    assert [error["pointer"] for error in unnamed.errors] == ["/verificationId"]
    client = refused_by(lambda: world.request(client_ip="not-an-address"))
    assert [error["pointer"] for error in client.errors] == ["/clientIp"]


@pytest.mark.parametrize("operation", ["request", "verify"])
def test_nothing_is_started_after_the_deadline(world: World, operation: str) -> None:
    verification_id = world.request()
    world.clock.step(60)
    late = replace(world.caller(), deadline=Deadline(0))
    acts: dict[str, Callable[[], object]] = {
        "request": lambda: request_code(world.service, RequestOtp(NUMBER), late),
        "verify": lambda: verify_code(world.service, VerifyOtp(verification_id, "123456"), late),
    }
    refused = refused_by(acts[operation])
    assert (refused.code, refused.reason, refused.retry_after) == ("PROVIDER_UNAVAILABLE", "deadline", 5)
    assert (world.sends(), world.guesses()) == (1, 0)
    assert next(iter(world.store.verifications.values())).attempts == 0


def test_a_request_is_refused_after_five_write_conflicts(world: World) -> None:
    tries = []

    def always_moved(reservation: Reservation) -> None:
        tries.append(reservation)
        raise WriteConflict

    world.store.reserve = always_moved  # type: ignore[method-assign] # contention without end
    refused = refused_by(world.request)
    assert (refused.code, refused.reason, refused.retry_after) == ("RATE_LIMITED", "contended", 1)
    assert len(tries) == 5


def test_an_admitted_send_is_emitted_with_its_requests_and_share_of_the_cap(
    world: World,
) -> None:
    world.request(purpose="login")
    (key,) = world.store.verifications
    assert world.emitted[0] == (
        "send_decided",
        {
            "number": PhoneNumber(NUMBER, "US"),
            "number_key": number_key(NUMBER),
            "verification": key,
            "channel": "sms",
            "provider": None,
            "purpose": "login",
            "lane": "stranger",
            "requests": 1,
            "budget": "open",
            "cap_used": 0.0,
            "unverified": 1,
            "expired_unused": None,
        },
    )


def test_a_verification_lists_the_idempotency_keys_of_its_guesses(world: World) -> None:
    assert world.verify(world.request(), idempotency_key="a-key") == "ok"
    (held,) = world.store.verifications.values()
    assert held.idempotency_records == tuple(world.store.idempotency_records)


def test_a_refusal_that_cannot_be_stored_is_still_answered_and_logged(world: World) -> None:
    def fail(*_: object) -> None:
        raise StoreError("UpdateItem: ThrottlingException")

    world.request()
    world.store.note_refused = fail  # type: ignore[method-assign, assignment] # one fault
    assert outcome(world.request) == "RATE_LIMITED"
    assert ("store_failed", {"reason": "UpdateItem: ThrottlingException"}) in world.emitted


@pytest.mark.parametrize(
    ("failure", "flags"),
    [
        (Doubtful("infobip", "http_500", status=500), (1, 1, None)),
        (NotSent("infobip", "http_499", status=499), (1, None, None)),
        (NotSent("infobip", "tls"), (1, None, None)),
        (Misconfigured("infobip", "http_401"), (1, None, 1)),
        (CircuitOpen("infobip", "circuit_open"), (None, None, None)),
    ],
)
def test_a_providers_failure_is_counted_by_its_kind_and_status(
    failure: ProviderError, flags: tuple[int | None, ...]
) -> None:
    fields = failure_fields(failure)
    assert (fields["failed"], fields["server_error"], fields["misconfigured"]) == flags
    expected = ("infobip", failure.reason, type(failure).__name__)
    assert (fields["provider"], fields["reason"], fields["kind"]) == expected


def test_two_refusals_at_the_same_moment_are_both_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sms_otp.use_cases.sending.secrets.randbelow", lambda _: 7)
    world.request()
    for _ in range(2):
        assert outcome(world.request) == "RATE_LIMITED"
    first, second = sorted(world.number().refused)
    assert (first % 1000, second - first) == (7, 1)


def test_the_guess_that_disables_a_number_has_no_retry_after(world: World) -> None:
    for _ in range(79):
        world.fail(1)
        world.clock.step(3600)
    verification_id = world.request()
    with pytest.raises(errors.OtpIncorrect) as refused:
        verify_code(world.service, VerifyOtp(verification_id, "000000"), world.caller())
    assert (refused.value.retry_after, refused.value.attempts_remaining) == (None, 4)
    assert world.verify(verification_id) == "NUMBER_DISABLED"


def test_a_right_guess_is_not_replayed_for_a_deleted_verification(world: World) -> None:
    verification_id = world.request()
    assert world.verify(verification_id, idempotency_key="a-key") == "ok"
    world.store.verifications.clear()
    assert world.verify(verification_id, idempotency_key="a-key") == "ALREADY_VERIFIED"
