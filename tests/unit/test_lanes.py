"""Lanes, device tokens and lost answers, as a backend sees them."""

import dataclasses
from typing import Any

import pytest

from fakes.memory import StepClock, outcome
from sms_otp.domain import errors, keys
from sms_otp.domain.clock import DAY
from sms_otp.domain.commands import Policy, Requested, RequestOtp, ResendOtp, Verified, VerifyOtp
from sms_otp.domain.keys import IdForm
from sms_otp.domain.number import Lane
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.resend import resend_code
from sms_otp.use_cases.verify import verify_code
from tests.unit.world import NUMBER, World

RIGHT, WRONG = "123456", "000000"
HOME, ELSEWHERE = "192.0.2.7", "198.51.100.99"


@pytest.fixture
def world(policy: Policy, clock: StepClock) -> World:
    return World(policy, clock)


def verified(world: World, verification_id: str | None, otp: str = RIGHT, **fields: Any) -> Verified:
    return verify_code(world.service, VerifyOtp(verification_id, otp, **fields), world.caller())


def token(world: World, **fields: Any) -> str:
    """The device token of a user who verified a minute ago."""
    found = verified(world, world.request(**fields)).device_token
    world.clock.step(60)
    assert found is not None
    return found


def resend(world: World, verification_id: str, **fields: Any) -> Requested:
    return resend_code(world.service, ResendOtp(verification_id, **fields), world.caller())


def newest(world: World) -> Any:
    return [*world.store.verifications.values()][-1]


def test_a_stranger_cannot_lock_out_the_holder_of_a_device_token(world: World) -> None:
    device = token(world)
    for _ in range(80):
        world.clock.step(3600)
        world.fail(1)
    for index in range(12):
        outcome(lambda index=index: world.request(client_ip=f"198.51.100.{index}"))  # type: ignore[misc] # bound now
    assert outcome(world.request) == "NUMBER_DISABLED"
    verification_id = world.request(device_token=device)
    assert newest(world).lane is Lane.TOKEN
    assert verified(world, verification_id, device_token=device).verified_at == int(world.clock())
    world.clock.step(DAY)
    assert outcome(world.request) == "ok", "and the success has cleared what the strangers did"


def test_a_token_of_another_tenant_or_number_opens_no_lane(world: World) -> None:
    device = token(world)
    world.request(tenant="tenant-b", device_token=device)
    assert newest(world).lane is Lane.STRANGER
    world.request("+14155550124", device_token=device)
    assert newest(world).lane is Lane.STRANGER


def test_a_usual_network_opens_a_lane_for_ninety_days(world: World) -> None:
    world.verify(world.request(client_ip=HOME))
    world.clock.step(90 * DAY - 1)
    world.request(client_ip=HOME)
    assert newest(world).lane is Lane.NETWORK
    world.clock.step(1)
    world.request(client_ip=HOME)
    assert newest(world).lane is Lane.STRANGER


def test_a_guess_counts_in_the_lane_of_its_request(world: World) -> None:
    verification_id = world.request(device_token=token(world))
    world.fail(20)
    assert world.verify(verification_id, WRONG) == "OTP_INCORRECT"
    assert world.number().failures_of("tenant-a", Lane.TOKEN).count == 1


def test_a_client_ip_is_accepted_as_proxies_write_it(world: World) -> None:
    for address in ("203.0.113.5:61598", "[2001:db8::1]:443", "[2001:db8::1]", "2001:db8::1", " 203.0.113.5"):
        world.clock.step(3600)
        assert outcome(lambda address=address: world.request(client_ip=address)) == "ok"  # type: ignore[misc] # bound now
    assert len({key for key in world.store.counters if key.startswith("C#")}) == 2
    for address in (
        "203.0.113.5:",
        "203.0.113.5:port",
        "[203.0.113.5",
        "[]:443",
        "2001:db8::1]:443",
        "[::1]x",
    ):
        assert outcome(lambda address=address: world.request(client_ip=address)) == "INVALID_REQUEST"  # type: ignore[misc] # bound now


def test_another_network_gets_a_code_after_one_used_its_share(world: World) -> None:
    for _ in range(3):
        world.request(client_ip=ELSEWHERE)
        world.clock.step(240)
    assert outcome(lambda: world.request(client_ip=ELSEWHERE)) == "RATE_LIMITED"
    world.clock.step(300)
    assert outcome(lambda: world.request(client_ip=HOME)) == "ok"


def test_past_the_unchallenged_share_a_challenge_is_required_and_suffices(world: World) -> None:
    for index in range(3):
        world.request(client_ip=f"198.51.100.{index}")
    with pytest.raises(errors.ChallengeRequired) as refused:
        world.request(client_ip=HOME)
    assert refused.value.retry_after is None
    assert outcome(lambda: world.request(client_ip=HOME, is_challenged=True)) == "ok"


# A verification that is named by its number.


def test_a_verification_is_found_by_its_number_and_session(world: World) -> None:
    verification_id = world.request(session_id="a-session")
    found = verified(world, None, phone_number=NUMBER, session_id="a-session")
    assert found.verification_id == verification_id


@pytest.mark.parametrize("stranger", [{"session_id": "another"}, {"phone_number": "+14155550124"}])
def test_another_session_or_number_does_not_find_the_verification(
    world: World, stranger: dict[str, str]
) -> None:
    world.request(session_id="a-session")
    named = {"phone_number": NUMBER, "session_id": "a-session"} | stranger
    assert outcome(lambda: verified(world, None, **named)) == "VERIFICATION_NOT_FOUND"
    assert newest(world).attempts == 0


def test_a_session_finds_its_newest_verification(world: World) -> None:
    world.request(session_id="a-session")
    world.clock.step(30)
    second = world.request(session_id="a-session")
    world.clock.step(60)
    world.request(session_id="another")
    assert verified(world, None, phone_number=NUMBER, session_id="a-session").verification_id == second


def test_a_verification_in_twilios_form_keeps_its_id(world: World) -> None:
    made = world.request(session_id="a-session", id_form=IdForm.TWILIO)
    assert made.startswith("VE")
    assert verified(world, None, phone_number=NUMBER, session_id="a-session").verification_id == made
    assert world.verify(made, session_id="a-session") == "ok"


# Answers that were lost.


def test_a_right_code_repeated_by_its_session_gets_the_same_answer_for_two_minutes(world: World) -> None:
    verification_id = world.request(session_id="a-session")
    first = verified(world, verification_id, session_id="a-session")
    world.clock.step(119)
    assert verified(world, verification_id, session_id="a-session") == first
    assert verified(world, None, phone_number=NUMBER, session_id="a-session") == first
    assert (world.guesses(), newest(world).attempts) == (1, 1)
    world.clock.step(1)
    assert outcome(lambda: verified(world, verification_id, session_id="a-session")) == "ALREADY_VERIFIED"


@pytest.mark.parametrize(
    ("session", "repeated", "expected"),
    [
        (None, {}, "ALREADY_VERIFIED"),
        ("a-session", {"otp": WRONG}, "ALREADY_VERIFIED"),
        ("a-session", {"session_id": "another"}, "VERIFICATION_NOT_FOUND"),
        ("a-session", {"session_id": None}, "VERIFICATION_NOT_FOUND"),
        ("a-session", {"tenant": "tenant-b"}, "VERIFICATION_NOT_FOUND"),
        ("a-session", {"phone_number": "+14155550124"}, "VERIFICATION_NOT_FOUND"),
    ],
)
def test_a_verified_answer_is_replayed_only_to_its_session(
    world: World, session: str | None, repeated: dict[str, Any], expected: str
) -> None:
    verification_id = world.request(session_id=session)
    world.verify(verification_id, session_id=session)
    assert world.verify(verification_id, **{"session_id": session} | repeated) == expected


def test_a_guess_repeated_with_its_key_is_answered_again_and_counted_once(world: World) -> None:
    verification_id = world.request()
    for _ in range(3):
        with pytest.raises(errors.OtpIncorrect) as refused:
            verified(world, verification_id, WRONG, idempotency_key="a-key")
        assert refused.value.attempts_remaining == 4
    assert outcome(lambda: verified(world, verification_id, idempotency_key="a-key")) == (
        "IDEMPOTENCY_KEY_REUSED"
    )
    first = verified(world, verification_id, idempotency_key="another")
    world.clock.step(3600)
    assert verified(world, verification_id, idempotency_key="another") == first
    assert (world.guesses(), newest(world).attempts) == (2, 2)


def test_a_guess_without_a_providers_answer_leaves_its_key_free(world: World) -> None:
    verification_id = world.request()
    world.provider.fails_with = lambda: errors_provider()
    assert (
        outcome(lambda: verified(world, verification_id, idempotency_key="a-key")) == "PROVIDER_UNAVAILABLE"
    )
    world.provider.fails_with = None
    assert outcome(lambda: verified(world, verification_id, idempotency_key="a-key")) == "ok"


def errors_provider() -> Exception:
    from sms_otp.domain.provider import Ambiguous

    return Ambiguous("fake", "timeout")


def test_a_guess_repeated_while_the_first_runs_is_in_progress(world: World) -> None:
    verification_id, answers = world.request(), []
    check = world.provider.check

    def during(*given: Any, **named: Any) -> Any:
        answers.append(outcome(lambda: verified(world, verification_id, idempotency_key="a-key")))
        return check(*given, **named)

    world.provider.check = during  # type: ignore[method-assign] # one interleaving
    assert outcome(lambda: verified(world, verification_id, idempotency_key="a-key")) == "ok"
    assert answers == ["REQUEST_IN_PROGRESS"]
    assert world.guesses() == 1


def test_neither_the_code_nor_the_token_of_a_guess_is_stored(world: World) -> None:
    verification_id = world.request(session_id="a-session")
    found = verified(world, verification_id, session_id="a-session", idempotency_key="a-key")
    stored = repr((world.store.verifications, world.store.idempotency_records, world.store.numbers))
    for secret in (f"'{RIGHT}'", "a-key'", "'a-session'", str(found.device_token), verification_id):
        assert secret not in stored


def test_a_resend_repeated_with_its_key_sends_no_further_code(world: World) -> None:
    verification_id = world.request()
    world.clock.step(30)
    first = resend(world, verification_id, idempotency_key="a-key")
    assert resend(world, verification_id, idempotency_key="a-key") == first
    assert world.sends() == 2
    world.verify(verification_id)
    assert outcome(lambda: resend(world, verification_id, idempotency_key="a-key")) == "ALREADY_VERIFIED"
    assert outcome(lambda: resend(world, verification_id, session_id="x", idempotency_key="a-key")) == (
        "VERIFICATION_NOT_FOUND"
    )


def test_a_refunded_resend_reuses_no_reference(policy: Policy, clock: StepClock) -> None:
    from sms_otp.domain.provider import NotSent

    limits = {"*": policy.number_limits("US").without_gap()}
    admission = dataclasses.replace(policy.admission, limits_by_country=limits)
    world = World(dataclasses.replace(policy, admission=admission), clock)
    verification_id = world.request()
    for failing in (True, False, True, False):
        world.provider.fails_with = (lambda: NotSent("fake", "refused")) if failing else None
        outcome(lambda: resend(world, verification_id))
    references = [reference for _, reference in world.provider.sent]
    assert len(references) == len(set(references)) == 5


# For the alarms.


def test_requests_of_the_last_hour_are_counted_even_if_refused(
    world: World,
) -> None:
    answers = [outcome(world.request) for _ in range(14)]
    assert answers == ["ok", *["RATE_LIMITED"] * 13]
    requests = [fields["requests"] for event, fields in world.emitted if event == "send_decided"]
    assert requests == [*range(1, 13), 12, 12]
    assert len(world.number().refused) == 10, "eleven requests are written down, and no more"
    world.clock.step(3600)
    assert outcome(world.request) == "ok"
    assert [fields["requests"] for event, fields in world.emitted if event == "send_decided"][-1] == 1


def test_failed_guesses_of_the_last_hour_are_counted_across_successes(world: World) -> None:
    for wrong in (3, 4):
        verification_id = world.request()
        for _ in range(wrong):
            world.verify(verification_id, WRONG)
        assert world.verify(verification_id) == "ok"
        world.clock.step(60)
    failures = [fields["failures"] for event, fields in world.emitted if event == "otp_incorrect"]
    assert failures == [1, 2, 3, 4, 5, 6, 7]
    world.clock.step(3600)
    world.verify(world.request(), WRONG)
    assert [fields["failures"] for event, fields in world.emitted if event == "otp_incorrect"][-1] == 1


def test_a_caller_cannot_choose_the_id_that_consumes_a_code(world: World) -> None:
    caller = world.caller()
    for _ in range(2):
        verification_id = request_code(world.service, RequestOtp(NUMBER), caller).verification_id
        verify_code(world.service, VerifyOtp(verification_id, RIGHT), caller)
        world.clock.step(60)
    ids = [held.verified_by for held in world.store.verifications.values()]
    assert len(set(ids)) == 2
    assert caller.request_id not in ids
    assert keys.verification_key(verification_id) not in ids
