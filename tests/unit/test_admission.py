"""The limits on sends as a caller meets them: client, service, countries, repetition, test numbers."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from fakes.memory import START, StepClock, outcome
from sms_otp.adapters.config import Settings
from sms_otp.adapters.telemetry import metrics
from sms_otp.domain import errors, keys
from sms_otp.domain.clock import HOUR, Milliseconds, Seconds, milliseconds
from sms_otp.domain.commands import Policy, RequestOtp, VerifyOtp
from sms_otp.domain.guard import Mode
from sms_otp.domain.number import LanePolicy
from sms_otp.domain.ports import AdmissionQuery, AdmissionSnapshot, Reservation, WriteConflict
from sms_otp.domain.prices import USD, Prices
from sms_otp.domain.provider import Ambiguous, Channel, NotSent, ProviderError, Refused
from sms_otp.entry_points.bootstrap import policy as policy_of
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.verify import verify_code
from tests.unit.world import NUMBER, World


def number(index: int) -> str:
    return f"+1415555{100 + index:04d}"


A_DOLLAR, HALF_A_DOLLAR = Prices({"*": 1.0}), Prices({"*": 0.5})


def outcome_of(world: World, command: RequestOtp) -> str:
    return outcome(lambda: request_code(world.service, command, world.caller()))


def with_policy(policy: Policy, clock: StepClock, **changes: Any) -> World:
    return World(dataclasses.replace(policy, **changes), clock)


def with_spending(policy: Policy, clock: StepClock, **changes: Any) -> World:
    spend = dataclasses.replace(policy.admission.spend, **changes)
    return with_policy(policy, clock, admission=dataclasses.replace(policy.admission, spend=spend))


@pytest.fixture
def world(policy: Policy, clock: StepClock) -> World:
    return World(policy, clock)


def test_a_client_may_have_ten_codes_open_in_an_hour_across_all_numbers(
    policy: Policy, clock: StepClock
) -> None:
    world = with_spending(policy, clock, mode=Mode.OFF)
    answers = []
    for index in range(12):
        answers.append(outcome_of(world, RequestOtp(number(index), client_ip="192.0.2.7")))
        world.clock.step(60)
    assert answers == ["ok"] * 10 + ["RATE_LIMITED"] * 2
    assert outcome(lambda: world.request(number(20), client_ip="192.0.2.8")) == "ok"
    world.clock.step(3600)
    assert outcome(lambda: world.request(number(21), client_ip="192.0.2.7")) == "ok"


def test_a_client_whose_codes_are_verified_is_not_limited(world: World) -> None:
    for index in range(40):
        assert world.verify(world.request(number(index), client_ip="192.0.2.7")) == "ok"


def test_sends_of_one_client_in_the_same_millisecond_are_all_counted(world: World) -> None:
    for index in range(10):
        world.request(number(index), client_ip="192.0.2.7")
    assert outcome(lambda: world.request(number(10), client_ip="192.0.2.7")) == "RATE_LIMITED"


def test_two_sends_in_the_same_millisecond_are_logged_a_millisecond_apart(
    policy: Policy, clock: StepClock
) -> None:
    limits = policy.admission.limits_by_country["*"]
    own = dataclasses.replace(limits.own, gap=Milliseconds(0))
    without_gap = LanePolicy.of(own, limits.own_guesses)
    admission = dataclasses.replace(policy.admission, limits_by_country={"*": without_gap})
    world = with_policy(policy, clock, admission=admission)
    world.request()
    world.request()
    first, second = sorted(send.at for send in world.number().sends)
    assert (first, second - first) == (milliseconds(clock), 1)


@pytest.mark.parametrize(
    ("addresses", "one_client"),
    [
        (("2001:db8::1", "2001:db8:0:0:ffff::2"), True),
        (("2001:db8::1", "2001:db8:0:1::1"), False),
        (("::ffff:192.0.2.7", "192.0.2.7"), True),
        (("192.0.2.7", "192.0.2.8"), False),
    ],
)
def test_a_client_is_an_ipv4_address_or_an_ipv6_network_of_64(
    world: World, addresses: tuple[str, str], one_client: bool
) -> None:
    for index in range(10):
        world.request(number(index), client_ip=addresses[0])
    refused = outcome(lambda: world.request(number(10), client_ip=addresses[1])) == "RATE_LIMITED"
    assert refused is one_client


@pytest.mark.parametrize(
    "address", ["", "a", "1.2.3", "1.2.3.4.5", "192.0.2.7/24", "fe80::1%eth0%x", "٣.2.3.4"]
)
def test_an_invalid_client_address_is_refused_and_sends_nothing(world: World, address: str) -> None:
    assert outcome(lambda: world.request(client_ip=address)) == "INVALID_REQUEST"
    assert world.sends() == 0


def test_a_trusted_backend_that_names_no_client_has_no_limit_per_client(
    policy: Policy, clock: StepClock
) -> None:
    world = with_spending(policy, clock, mode=Mode.OFF)
    assert [outcome_of(world, RequestOtp(number(index))) for index in range(15)] == ["ok"] * 15


def test_the_source_address_is_the_client_when_client_ip_is_not_trusted(
    policy: Policy, clock: StepClock
) -> None:
    world = with_policy(policy, clock, trust_client_ip=False)
    answers = [
        outcome_of(world, RequestOtp(number(index), client_ip=f"192.0.2.{index}")) for index in range(11)
    ]
    assert answers == ["ok"] * 10 + ["RATE_LIMITED"]


def test_the_whole_service_stops_at_its_daily_cap_and_starts_anew_at_midnight(
    policy: Policy, clock: StepClock
) -> None:
    world = with_spending(policy, clock, daily_cap=10 * USD, prices=A_DOLLAR, mode=Mode.OFF)
    answers = [outcome_of(world, RequestOtp(number(index))) for index in range(10)]
    assert answers == ["ok"] * 8 + ["RATE_LIMITED"] * 2, "a fifth is kept for known numbers"
    with pytest.raises(errors.RateLimited) as refused:
        world.request(number(50))
    world.clock.step(refused.value.retry_after or 0)
    assert outcome(lambda: world.request(number(51))) == "ok"


def test_only_the_countries_on_the_list_are_sent_to(policy: Policy, clock: StepClock) -> None:
    world = with_policy(policy, clock, countries=frozenset({"GB"}))
    assert outcome(world.request) == "DESTINATION_NOT_ALLOWED"
    assert outcome(lambda: world.request("+447400123456")) == "ok"
    assert world.sends() == 1


def test_a_country_without_history_has_a_floor_and_a_verification_makes_room(
    policy: Policy, clock: StepClock
) -> None:
    world = with_spending(policy, clock, prices=HALF_A_DOLLAR)
    first = world.request(number(0))
    assert outcome_of(world, RequestOtp(number(1))) == "CHALLENGE_REQUIRED"
    assert outcome_of(world, RequestOtp("+447400123456")) == "ok", "another country has a budget of its own"
    assert world.verify(first) == "ok"
    assert outcome_of(world, RequestOtp(number(4))) == "ok"


def test_a_user_who_passed_a_challenge_is_sent_a_code(policy: Policy, clock: StepClock) -> None:
    world = with_spending(policy, clock, prices=HALF_A_DOLLAR)
    world.request(number(0))
    assert outcome_of(world, RequestOtp(number(1), is_challenged=True)) == "ok"
    budgets = [fields.get("budget") for event, fields in world.emitted if event == "send_decided"]
    assert budgets == ["open", "challenged"]


def test_a_voice_call_is_charged_at_its_own_price(policy: Policy, clock: StepClock) -> None:
    world = with_spending(policy, clock, prices=Prices({"*": 0.01}, {"*": 0.5}))
    assert outcome_of(world, RequestOtp(number(0), channel=Channel.VOICE)) == "ok"
    assert outcome_of(world, RequestOtp(number(1), channel=Channel.VOICE)) == "CHALLENGE_REQUIRED"


def test_a_guard_in_record_mode_emits_the_sends_that_it_would_have_refused(
    policy: Policy, clock: StepClock
) -> None:
    world = with_spending(policy, clock, prices=HALF_A_DOLLAR, mode=Mode.RECORD)
    for index in range(3):
        world.request(number(index))
    suspects = [fields["limit"] for event, fields in world.emitted if event == "send_suspect"]
    assert suspects == ["country"] * 2


def test_a_guard_that_is_off_counts_nothing(policy: Policy, clock: StepClock) -> None:
    world = with_spending(policy, clock, mode=Mode.OFF)
    world.request()
    assert [key[0] for key in world.store.counters] == ["D"]


def test_a_code_that_was_not_sent_counts_against_no_limit(world: World) -> None:
    world.provider.fails_with = lambda: NotSent("fake", "http_500")
    assert (
        outcome(lambda: world.request(client_ip="192.0.2.7", idempotency_key="k")) == "PROVIDER_UNAVAILABLE"
    )
    assert {amount for counts in world.store.counters.values() for amount in counts.values()} == {0}
    assert (world.number().sends, world.number().verifications, world.number().unproven) == ((), {}, 0)
    world.provider.fails_with = None
    assert outcome(lambda: world.request(client_ip="192.0.2.7", idempotency_key="k")) == "ok"


def test_the_same_key_and_body_get_the_same_answer_and_one_message(world: World) -> None:
    command = RequestOtp(NUMBER, purpose="signup", idempotency_key="a-key")
    first = request_code(world.service, command, world.caller())
    world.clock.step(299)
    assert request_code(world.service, command, world.caller()) == first
    assert world.sends() == 1


def test_the_same_key_with_another_body_is_refused(world: World) -> None:
    world.request(idempotency_key="a-key")
    same = RequestOtp(NUMBER, idempotency_key="a-key")
    for changed in (
        dataclasses.replace(same, purpose="login"),
        dataclasses.replace(same, session_id="a-session"),
        dataclasses.replace(same, channel=Channel.VOICE),
    ):
        assert outcome_of(world, changed) == "IDEMPOTENCY_KEY_REUSED"
    assert outcome(lambda: world.request(number(1), idempotency_key="a-key")) == "IDEMPOTENCY_KEY_REUSED"
    assert world.sends() == 1


@pytest.mark.parametrize(
    "relayed",
    [
        {"client_ip": "198.51.100.7"},
        {"device_token": "a-token"},
        {"is_challenged": True},
        {"locale": "de"},
    ],
)
def test_an_idempotency_key_ignores_client_ip_device_token_challenge_and_locale(
    world: World, relayed: dict[str, Any]
) -> None:
    first = world.request(idempotency_key="a-key", client_ip="192.0.2.10")
    assert world.request(**{"idempotency_key": "a-key", "client_ip": "192.0.2.10"} | relayed) == first
    assert world.sends() == 1


def test_another_spelling_of_the_number_is_the_same_request(world: World) -> None:
    first = world.request("+5215512345678", idempotency_key="a-key")
    assert world.request("+525512345678", idempotency_key="a-key") == first
    assert world.sends() == 1


@pytest.mark.parametrize(
    ("end", "expected"),
    [("verified", "ALREADY_VERIFIED"), ("expired", "OTP_EXPIRED"), ("cancelled", "VERIFICATION_CANCELLED")],
)
def test_a_replayed_key_is_answered_with_the_end_of_its_verification(
    world: World, end: str, expected: str
) -> None:
    verification_id = world.request(idempotency_key="a-key")
    if end == "verified":
        world.verify(verification_id)
    elif end == "expired":
        world.clock.step(300)
    else:
        world.store.cancel(keys.verification_key(verification_id), "tenant-a")
    assert outcome(lambda: world.request(idempotency_key="a-key")) == expected
    assert world.sends() == 1


def test_a_key_belongs_to_its_tenant(world: World) -> None:
    first = world.request(idempotency_key="a-key")
    world.clock.step(30)
    second = world.request(idempotency_key="a-key", tenant="tenant-b")
    assert first != second
    assert world.sends() == 2


def test_a_key_is_free_again_after_a_day_whether_or_not_its_item_is_deleted(world: World) -> None:
    first = world.request(idempotency_key="a-key")
    world.clock.step(24 * 3600)
    assert world.request(idempotency_key="a-key") != first
    assert world.sends() == 2


def test_a_second_request_under_a_running_key_gets_request_in_progress(world: World) -> None:
    record_sent = world.store.record_sent
    seen = []

    def during(*arguments: Any) -> None:
        seen.append(outcome(lambda: world.request(idempotency_key="a-key")))
        record_sent(*arguments)

    world.store.record_sent = during  # type: ignore[method-assign, assignment] # one interleaving
    world.request(idempotency_key="a-key")
    assert seen == ["REQUEST_IN_PROGRESS"]
    assert world.sends() == 1


def read_torn(world: World, meanwhile: Callable[[], object]) -> str:
    """The outcome of a repeat whose batch misses the idempotency record and sees all that `meanwhile` did."""
    read = world.store.read

    def torn(query: AdmissionQuery) -> AdmissionSnapshot:
        world.store.read = read  # type: ignore[method-assign] # the next read is whole
        meanwhile()
        return dataclasses.replace(read(query), idempotency_record=None)

    world.store.read = torn  # type: ignore[method-assign] # DynamoDB reads a batch's items one by one
    return outcome(lambda: world.request(idempotency_key="a-key"))


def test_a_repeat_whose_read_is_torn_gets_the_answer_of_the_first_request(world: World) -> None:
    assert read_torn(world, lambda: world.request(idempotency_key="a-key")) == "ok"
    assert world.sends() == 1
    assert gauges(world, "requests") == [1], "the repeat is not counted as a refused request"


def test_a_repeat_with_a_torn_read_during_the_send_gets_request_in_progress(world: World) -> None:
    record_sent, answers = world.store.record_sent, []

    def during(*arguments: Any) -> None:
        answers.append(read_torn(world, lambda: None))
        record_sent(*arguments)

    world.store.record_sent = during  # type: ignore[method-assign, assignment] # one interleaving
    world.request(idempotency_key="a-key")
    assert answers == ["REQUEST_IN_PROGRESS"]
    assert world.sends() == 1


def test_a_request_that_died_after_reserving_never_sends_again_under_its_key(world: World) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    world.store.record_sent = die  # type: ignore[method-assign, assignment] # the function is ended here
    with pytest.raises(KeyboardInterrupt):
        world.request(idempotency_key="a-key")
    world.clock.step(31)
    assert outcome(lambda: world.request(idempotency_key="a-key")) == "PROVIDER_UNAVAILABLE"
    assert world.sends() == 1


@pytest.mark.parametrize(
    ("failure", "expected"), [(Ambiguous, "PROVIDER_UNAVAILABLE"), (Refused, "PROVIDER_REJECTED")]
)
def test_a_repeated_key_gets_the_error_that_ended_the_first_request(
    world: World, failure: type[Exception], expected: str
) -> None:
    world.provider.fails_with = lambda: failure("fake", "a-reason")
    assert outcome(lambda: world.request(idempotency_key="a-key")) == expected
    world.provider.fails_with = None
    world.clock.step(3600)
    assert outcome(lambda: world.request(idempotency_key="a-key")) == expected
    assert world.sends() == 1


def test_a_refusal_before_anything_was_reserved_leaves_the_key_free(world: World) -> None:
    world.request()
    assert outcome(lambda: world.request(idempotency_key="a-key")) == "RATE_LIMITED"
    world.clock.step(30)
    assert outcome(lambda: world.request(idempotency_key="a-key")) == "ok"


def test_an_idempotency_record_stores_no_key_no_number_and_no_verification_id(
    world: World,
) -> None:
    verification_id = world.request(idempotency_key="canary-key")
    stored = repr(world.store.idempotency_records)
    for secret in (verification_id, "canary-key", NUMBER, NUMBER[1:]):
        assert secret not in stored


def test_a_send_retries_write_conflicts_and_is_refused_if_they_never_end(
    world: World,
) -> None:
    reserve, tries = world.store.reserve, []

    def conflict_twice(reservation: Reservation) -> None:
        tries.append(reservation)
        if len(tries) <= 2:
            raise WriteConflict
        reserve(reservation)

    world.store.reserve = conflict_twice  # type: ignore[method-assign] # two interleavings
    assert outcome(world.request) == "ok"

    def always_conflict(_: Reservation) -> None:
        raise WriteConflict

    world.store.reserve = always_conflict  # type: ignore[method-assign, assignment] # contention without end
    assert outcome(lambda: world.request(number(1))) == "RATE_LIMITED"
    assert world.sends() == 1


TESTS = {"test_numbers": {"+447700900001": "246810"}, "test_numbers_end": int(START) + 3600}


def test_a_test_number_counts_against_no_send_limit(policy: Policy, clock: StepClock) -> None:
    world = with_policy(policy, clock, **TESTS)
    for _ in range(20):
        world.request("+447700900001", client_ip="192.0.2.7")
    assert world.store.counters == {}
    (known,) = world.store.numbers.values()
    assert (known.sends, known.unproven) == ((), 0)
    assert world.emitted[-1][1]["number"].is_test


def test_a_send_to_a_test_number_is_emitted_and_measured_as_a_decision(
    policy: Policy, clock: StepClock
) -> None:
    world = with_policy(policy, clock, **TESTS)
    world.request("+447700900001")
    event, fields = world.emitted[0]
    assert (event, fields["requests"], fields["number"].is_test) == ("send_decided", 1, True)
    assert {"OtpRequested"} <= {metric.name for metric in metrics.measured_by(event, fields)}
    assert not {"budget", "cap_used", "unverified", "expired_unused"} & fields.keys(), "it is charged nothing"


def test_a_locked_test_number_gets_no_code(policy: Policy, clock: StepClock) -> None:
    world = with_policy(policy, clock, **TESTS)
    for _ in range(4):
        verification_id = world.request("+447700900001")
        for _ in range(5):
            world.verify(verification_id, "000000")
    assert outcome(lambda: world.request("+447700900001")) == "NUMBER_LOCKED"


def test_a_test_number_is_an_ordinary_number_after_its_end_date(policy: Policy, clock: StepClock) -> None:
    world = with_policy(policy, clock, **TESTS)
    clock.step(3600)
    assert outcome(lambda: world.request("+447700900001")) == "INVALID_PHONE_NUMBER"


def test_guesses_at_a_test_number_are_limited_as_at_any_other(policy: Policy, clock: StepClock) -> None:
    world = with_policy(policy, clock, **TESTS)
    verification_id = world.request("+447700900001")
    answers = [world.verify(verification_id, "000000") for _ in range(6)]
    assert answers == ["OTP_INCORRECT"] * 5 + ["TOO_MANY_ATTEMPTS"]


def test_a_number_alone_means_its_newest_verification_when_no_id_is_required(
    policy: Policy, clock: StepClock
) -> None:
    world = with_policy(policy, clock, require_verification_id=False)
    world.request(session_id="s")
    named = VerifyOtp(None, "123456", phone_number=NUMBER, session_id="s")
    stranger = world.caller("tenant-b")
    assert outcome(lambda: verify_code(world.service, named, stranger)) == "VERIFICATION_NOT_FOUND"
    assert outcome(lambda: verify_code(world.service, named, world.caller())) == "ok"


@pytest.mark.parametrize("failure", [NotSent, Ambiguous, Refused])
def test_a_failed_send_does_not_hide_the_earlier_code_of_the_number(
    policy: Policy, clock: StepClock, failure: type[ProviderError]
) -> None:
    world = with_policy(policy, clock, require_verification_id=False)
    world.request()
    clock.step(30)
    world.provider.fails_with = lambda: failure("fake", "scripted")
    assert outcome(world.request) in ("PROVIDER_UNAVAILABLE", "PROVIDER_REJECTED")
    world.provider.fails_with = None
    named = VerifyOtp(None, "123456", phone_number=NUMBER)
    assert outcome(lambda: verify_code(world.service, named, world.caller())) == "ok"


def test_a_guess_without_a_verification_id_is_refused_when_it_is_required(world: World) -> None:
    world.request()
    named = VerifyOtp(None, "123456", phone_number=NUMBER)
    assert outcome(lambda: verify_code(world.service, named, world.caller())) == "INVALID_REQUEST"


def test_the_old_spelling_of_a_mexican_number_is_the_same_subscriber(world: World) -> None:
    verification_id = world.request("+522221234567")
    assert outcome(lambda: world.request("+5212221234567")) == "RATE_LIMITED"
    assert world.verify(verification_id, phone_number="+5212221234567") == "ok"


@pytest.mark.parametrize("spelled", ["+5212221234567", "+522221234567"])
def test_a_mexican_test_number_is_a_test_number_in_either_spelling(
    settings: Settings, clock: StepClock, spelled: str
) -> None:
    settings = dataclasses.replace(settings, test_numbers={"+5212221234567": "246810"})
    settings = dataclasses.replace(settings, test_numbers_end=Seconds(START) + HOUR)
    world = World(policy_of(settings), clock)
    verification_id = world.request(spelled)
    assert world.emitted[-1][1]["number"].is_test
    assert world.verify(verification_id, "123456", phone_number=spelled) == "ok"


def gauges(world: World, name: str) -> list[Any]:
    """This field of each `send_decided` event that has it, oldest first."""
    return [fields[name] for event, fields in world.emitted if event == "send_decided" and name in fields]


def test_each_admitted_send_emits_the_used_share_of_the_daily_cap(policy: Policy, clock: StepClock) -> None:
    world = with_spending(policy, clock, daily_cap=5 * USD, prices=A_DOLLAR, mode=Mode.OFF)
    answers = [outcome_of(world, RequestOtp(number(index))) for index in range(5)]
    assert answers == ["ok"] * 4 + ["RATE_LIMITED"]
    assert gauges(world, "cap_used") == [20, 40, 60, 80]


def test_sends_to_a_country_count_as_unverified_until_a_user_there_verifies(
    policy: Policy, clock: StepClock
) -> None:
    world = World(policy, clock)
    world.request(number(0))
    verification_id = world.request(number(1))
    assert world.verify(verification_id) == "ok"
    world.request(number(2))
    clock.step(3600)
    world.request(number(3))
    clock.step(3600)
    world.request(number(4))
    assert gauges(world, "unverified") == [1, 2, 0, 0, 1]


def test_an_enforcing_guard_emits_the_sends_that_it_refuses(policy: Policy, clock: StepClock) -> None:
    world = with_spending(policy, clock, prices=HALF_A_DOLLAR)
    for index in range(3):
        outcome_of(world, RequestOtp(number(index)))
    suspects = [fields["limit"] for event, fields in world.emitted if event == "send_suspect"]
    assert suspects == ["country"] * 2
