"""One suite for every store: the one in memory that the unit tests use, and DynamoDB."""

import dataclasses
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import boto3
import pytest
from moto import mock_aws

from fakes.memory import START, MemoryStore, a_verification, outcome
from local.template import resource
from sms_otp.adapters.dynamodb.store import DynamoStore
from sms_otp.domain import errors
from sms_otp.domain.budgets import Counter, ShardIncrement
from sms_otp.domain.clock import Seconds
from sms_otp.domain.commands import Policy
from sms_otp.domain.idempotency import IdempotencyRecord, StoredAnswer
from sms_otp.domain.limits import DAY, SECOND, Failures, GuessPolicy
from sms_otp.domain.ports import (
    AdmissionQuery,
    AdmissionSnapshot,
    FailureMigration,
    LogAppend,
    NumberConflict,
    ProviderHandle,
    Reservation,
    SendLog,
    Store,
    WriteConflict,
)
from sms_otp.domain.verification import Guess, Verification

NOW = Seconds(int(START))
NOW_MS = NOW * SECOND


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    with mock_aws():
        client = boto3.client("dynamodb")
        table = resource("Table")
        client.create_table(
            TableName="a-table",
            **{name: table[name] for name in ("AttributeDefinitions", "KeySchema", "BillingMode")},
        )
        yield DynamoStore(client, "a-table")


@pytest.fixture
def guesses(policy: Policy) -> GuessPolicy:
    return policy.admission.guesses


def reserve(
    store: Store,
    log: SendLog | None = None,
    sent_at: int = NOW_MS,
    extra: Mapping[str, Any] = MappingProxyType({}),
    **changes: Any,
) -> Reservation:
    verification = a_verification(**{"provider": None, "provider_ref": None} | changes)
    number = LogAppend(verification.number_key, log or SendLog(), NOW + 1000)
    reservation = Reservation(verification, sent_at, number, **extra)
    store.reserve(reservation)
    return reservation


def pending(store: Store, **changes: Any) -> Verification:
    """A verification that a provider holds."""
    verification = reserve(store, **changes).verification
    store.record_sent(verification.key, ProviderHandle("infobip", "ref-1", "sms", "accepted"))
    return dataclasses.replace(verification, provider="infobip", provider_ref="ref-1", delivery="accepted")


def guess(verification: Verification, **changes: Any) -> Guess:
    whole: dict[str, Any] = {
        "key": verification.key,
        "tenant": verification.tenant,
        "now": NOW,
        "max_attempts": 5,
        "session_hash": verification.session_hash,
    }
    return Guess(**whole | changes)


def test_a_number_that_was_never_sent_to_has_no_history(store: Store) -> None:
    query = AdmissionQuery("a-number", "tenant-a", "a-client", "a-claim", ("a-counter",), ("infobip",))
    assert store.read(query) == AdmissionSnapshot()


def test_a_reservation_counts_the_send_and_moves_the_version(store: Store) -> None:
    verification = reserve(store).verification
    log = store.read(AdmissionQuery(verification.number_key, "any tenant")).number
    assert (log.sends, log.version) == ((NOW_MS,), 1)
    reserve(store, SendLog(log.sends, log.version), NOW_MS + 1, key="b")
    log = store.read(AdmissionQuery(verification.number_key, "any tenant")).number
    assert (sorted(log.sends), log.version) == ([NOW_MS, NOW_MS + 1], 2)


def test_a_reservation_on_a_history_that_has_moved_is_a_lost_race_and_stores_nothing(store: Store) -> None:
    verification = reserve(store).verification
    with pytest.raises(NumberConflict):
        reserve(store, key="b")
    with pytest.raises(errors.VerificationNotFound):
        store.spend_guess(guess(verification, key="b"))


def test_a_history_that_has_moved_since_it_was_read_is_a_lost_race_however_long_it_is(store: Store) -> None:
    reserve(store)
    read = SendLog((NOW_MS,), 1)
    reserve(store, read, NOW_MS + 1, key="b")
    with pytest.raises(NumberConflict):
        reserve(store, read, NOW_MS + 2, key="c")


def test_a_released_reservation_leaves_no_send_and_no_verification(store: Store) -> None:
    reservation = reserve(store)
    store.release(reservation)
    log = store.read(AdmissionQuery(reservation.verification.number_key, "tenant-a")).number
    assert log.sends == ()
    assert log.version == 2, "whoever read before the release must read again"
    with pytest.raises(errors.VerificationNotFound):
        store.spend_guess(guess(reservation.verification))


def test_what_is_stored_of_a_verification_comes_back_whole(store: Store) -> None:
    verification = pending(store, purpose="signup", session_hash="a-hash")
    assert store.spend_guess(guess(verification)) == dataclasses.replace(verification, attempts=1)


def test_a_verification_that_no_provider_holds_cannot_be_guessed_at(store: Store) -> None:
    verification = reserve(store).verification
    assert outcome(lambda: store.spend_guess(guess(verification))) == "VERIFICATION_NOT_FOUND"


def test_exactly_as_many_guesses_are_spent_as_there_are(store: Store) -> None:
    verification = pending(store)
    answers = [outcome(lambda: store.spend_guess(guess(verification))) for _ in range(7)]
    assert answers == ["ok"] * 5 + ["TOO_MANY_ATTEMPTS"] * 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tenant": "tenant-b"}, "VERIFICATION_NOT_FOUND"),
        ({"session_hash": None}, "VERIFICATION_NOT_FOUND"),
        ({"session_hash": "another"}, "VERIFICATION_NOT_FOUND"),
        ({"phone": "+14155550199"}, "VERIFICATION_NOT_FOUND"),
        ({"phone": "+14155550123"}, "ok"),
        ({"now": NOW + 299}, "ok"),
        ({"now": NOW + 300}, "OTP_EXPIRED"),
        ({"key": "unknown"}, "VERIFICATION_NOT_FOUND"),
    ],
)
def test_a_guess_is_spent_only_by_whom_and_when_it_may_be(
    store: Store, changes: dict[str, Any], expected: str
) -> None:
    verification = pending(store, session_hash="a-hash")
    assert outcome(lambda: store.spend_guess(guess(verification, **changes))) == expected
    counted = store.spend_guess(guess(verification)).attempts
    assert counted == (2 if expected == "ok" else 1), "a refused guess is not counted"


def test_a_verification_is_consumed_once(store: Store) -> None:
    verification = pending(store)
    store.consume(verification, "request-1", NOW)
    assert outcome(lambda: store.consume(verification, "request-2", NOW)) == "ALREADY_VERIFIED"
    assert outcome(lambda: store.spend_guess(guess(verification))) == "ALREADY_VERIFIED"


def test_ones_own_retry_of_a_consumption_is_recognised_as_the_success_it_was(store: Store) -> None:
    verification = pending(store)
    store.consume(verification, "request-1", NOW)
    assert outcome(lambda: store.consume(verification, "request-1", NOW)) == "ok"


def test_an_expired_verification_is_not_consumed(store: Store) -> None:
    verification = pending(store)
    assert outcome(lambda: store.consume(verification, "r", verification.expires_at)) == "OTP_EXPIRED"
    assert outcome(lambda: store.consume(verification, "r", Seconds(verification.expires_at - 1))) == "ok"


def test_a_failed_verification_can_neither_be_guessed_at_nor_consumed(store: Store) -> None:
    verification = reserve(store).verification
    store.record_failed(verification.key)
    assert outcome(lambda: store.consume(verification, "r", NOW)) == "VERIFICATION_CANCELLED"
    assert outcome(lambda: store.spend_guess(guess(verification))) == "VERIFICATION_CANCELLED"


def test_the_right_code_of_an_earlier_holder_consumes_nothing(store: Store) -> None:
    verification = pending(store)
    store.record_sent(verification.key, ProviderHandle("sinch", "ref-2", "sms", "accepted"))
    assert outcome(lambda: store.consume(verification, "r", NOW)) == "OTP_EXPIRED"
    held = dataclasses.replace(verification, provider_ref="ref-2")
    assert outcome(lambda: store.consume(held, "r", NOW)) == "ok"


def test_an_unknown_verification_is_not_made_by_consuming_it(store: Store) -> None:
    unknown = a_verification()
    assert outcome(lambda: store.consume(unknown, "r", NOW)) == "VERIFICATION_NOT_FOUND"
    assert outcome(lambda: store.spend_guess(guess(unknown))) == "VERIFICATION_NOT_FOUND"


def test_a_new_code_forgets_no_failures(store: Store, guesses: GuessPolicy) -> None:
    number_key = reserve(store).verification.number_key
    store.spend_number_guess(number_key, "tenant-a", NOW_MS, guesses)
    reserve(store, SendLog((NOW_MS,), 1), NOW_MS + 1, key="b")
    assert store.read(AdmissionQuery(number_key, "tenant-a")).failures == Failures(1, NOW_MS)


def test_consuming_clears_the_failures_of_the_number_at_that_tenant_alone(
    store: Store, guesses: GuessPolicy
) -> None:
    verification = pending(store)
    for tenant in ("tenant-a", "tenant-b"):
        store.spend_number_guess(verification.number_key, tenant, NOW_MS, guesses)
    store.consume(verification, "r", NOW)
    assert store.read(AdmissionQuery(verification.number_key, "tenant-a")).failures.count == 0
    assert store.read(AdmissionQuery(verification.number_key, "tenant-b")).failures.count == 1


def test_a_consumption_that_is_refused_clears_no_failures(store: Store, guesses: GuessPolicy) -> None:
    verification = pending(store)
    store.spend_number_guess(verification.number_key, "tenant-a", NOW_MS, guesses)
    assert outcome(lambda: store.consume(verification, "r", verification.expires_at)) == "OTP_EXPIRED"
    assert store.read(AdmissionQuery(verification.number_key, "tenant-a")).failures.count == 1


def test_the_wait_of_a_number_grows_as_the_policy_says_to_the_millisecond(
    store: Store, guesses: GuessPolicy
) -> None:
    def spend(at: int) -> str:
        return outcome(lambda: store.spend_number_guess("n", "t", at, guesses))

    now = NOW_MS
    for failures in range(20):
        wait = guesses.wait_after(failures)
        if wait:
            with pytest.raises(errors.NumberLocked) as refused:
                store.spend_number_guess("n", "t", now + wait - 1, guesses)
            assert refused.value.retry_after == 1
        now += wait
        assert spend(now) == "ok"
    assert store.read(AdmissionQuery("n", "t")).failures == Failures(20, now)


def test_the_hundredth_failure_in_a_row_disables_the_number(store: Store, guesses: GuessPolicy) -> None:
    now = NOW_MS
    for _ in range(100):
        now += DAY
        store.spend_number_guess("n", "t", now, guesses)
    with pytest.raises(errors.NumberLocked) as refused:
        store.spend_number_guess("n", "t", now + 365 * DAY, guesses)
    assert refused.value.reason == "disabled"
    assert store.read(AdmissionQuery("n", "t")).failures.count == 100


def increments(limit: int | None, *keys: str) -> dict[str, Any]:
    return {"increments": tuple(ShardIncrement(key, limit, NOW + 1000) for key in keys)}


def counters(store: Store, *keys: str) -> dict[str, Counter]:
    return dict(store.read(AdmissionQuery("n", "t", counters=keys)).counters)


def test_a_share_is_spent_up_to_its_limit_and_not_once_more(store: Store) -> None:
    for index in range(3):
        reserve(store, key=f"k{index}", number_key=f"n{index}", extra=increments(3, "D#day#0"))
    with pytest.raises(WriteConflict):
        reserve(store, key="k3", number_key="n3", extra=increments(3, "D#day#0"))
    assert counters(store, "D#day#0") == {"D#day#0": Counter(used=3)}
    assert store.read(AdmissionQuery("n3", "tenant-a")).number == SendLog(), (
        "nothing of a refused send is stored"
    )


def test_a_share_without_a_limit_is_counted_and_never_refused(store: Store) -> None:
    for index in range(3):
        reserve(store, key=f"k{index}", number_key=f"n{index}", extra=increments(None, "B#US#hour#0"))
    assert counters(store, "B#US#hour#0") == {"B#US#hour#0": Counter(used=3)}


def test_a_verification_takes_its_own_send_out_of_the_unverified_ones(store: Store) -> None:
    keys = ("B#US#hour#0", "B#US#day#0")
    verification = pending(store, counter_keys=keys, extra=increments(None, *keys, "D#day#0"))
    store.consume(verification, "r", NOW)
    assert counters(store, *keys, "D#day#0") == {
        "B#US#hour#0": Counter(used=0, verified=1),
        "B#US#day#0": Counter(used=0, verified=1),
        "D#day#0": Counter(used=1),
    }


def test_a_client_whose_log_has_moved_makes_the_send_be_decided_anew(store: Store) -> None:
    client = LogAppend("a-client", SendLog(), NOW + 1000)
    reserve(store, extra={"client": client})
    assert store.read(AdmissionQuery("n", "t", "a-client")).client == SendLog((NOW_MS,), 1)
    with pytest.raises(WriteConflict):
        reserve(store, key="b", number_key="b", extra={"client": client})


def test_a_release_gives_back_everything_that_was_reserved(store: Store) -> None:
    idempotency_record = IdempotencyRecord("a-claim", "print", "nonce", NOW)
    client = LogAppend("a-client", SendLog(), NOW + 1000)
    reservation = reserve(
        store, extra={"client": client, "idempotency_record": idempotency_record, **increments(5, "D#day#0")}
    )
    store.release(reservation)
    snapshot = store.read(
        AdmissionQuery(reservation.verification.number_key, "t", "a-client", "a-claim", ("D#day#0",))
    )
    assert (snapshot.number.sends, snapshot.client.sends, snapshot.idempotency_record) == ((), (), None)
    assert snapshot.counters == {"D#day#0": Counter(used=0)}


def test_a_key_is_claimed_once_until_it_is_free_again(store: Store) -> None:
    first = IdempotencyRecord("a-claim", "print", "nonce", NOW)
    reserve(store, extra={"idempotency_record": first})
    assert store.read(AdmissionQuery("n", "t", record_key="a-claim")).idempotency_record == first
    late = dataclasses.replace(first, nonce="another", started_at=first.expires_at - 1)
    with pytest.raises(WriteConflict):
        reserve(store, key="b", number_key="b", extra={"idempotency_record": late})
    again = dataclasses.replace(first, nonce="another", started_at=first.expires_at)
    reserve(store, key="c", number_key="c", extra={"idempotency_record": again})
    assert store.read(AdmissionQuery("n", "t", record_key="a-claim")).idempotency_record == again


@pytest.mark.parametrize("settle", ["sent", "failed", "unknown"])
def test_the_answer_of_a_request_is_kept_whatever_became_of_its_send(store: Store, settle: str) -> None:
    idempotency_record = IdempotencyRecord("a-claim", "print", "nonce", NOW)
    key = reserve(store, extra={"idempotency_record": idempotency_record}).verification.key
    answered = dataclasses.replace(
        idempotency_record, answer=StoredAnswer(NOW + 300, 30, None if settle == "sent" else "E")
    )
    if settle == "sent":
        store.record_sent(key, ProviderHandle("infobip", "ref", "sms", "accepted"), answered)
    elif settle == "failed":
        store.record_failed(key, answered)
    else:
        store.record_answer(answered)
    assert store.read(AdmissionQuery("n", "t", record_key="a-claim")).idempotency_record == answered


def test_the_newest_verification_of_a_number_is_found_at_its_own_tenant(store: Store) -> None:
    verification = reserve(store).verification
    newer = reserve(store, SendLog((NOW_MS,), 1), NOW_MS + 1, key="newer").verification
    for each in (verification, newer):
        store.record_sent(each.key, ProviderHandle("infobip", "ref", "sms", "accepted"), newest=each)
    assert store.newest((verification.number_key,), "tenant-a") == "newer"
    assert store.newest(("no-such-number", verification.number_key), "tenant-a") == "newer"
    assert store.newest((verification.number_key,), "tenant-b") is None


def test_what_stands_under_either_pepper_is_found_in_one_reading(store: Store) -> None:
    verification = reserve(store).verification
    previous = AdmissionQuery(verification.number_key, "tenant-a")
    snapshot = store.read(AdmissionQuery("under-the-new-one", "tenant-a", previous=previous))
    assert snapshot.previous is not None
    assert (snapshot.previous.number.sends, snapshot.previous.number.version) == ((NOW_MS,), 1)
    assert dataclasses.replace(snapshot, previous=None) == AdmissionSnapshot()
    assert store.read(previous) == snapshot.previous


def failed(store: Store, number_key: str, times: int) -> Failures:
    for _ in range(times):
        store.spend_number_guess(number_key, "tenant-a", NOW_MS, GuessPolicy(50, 1000, 2000, 100))
    return store.read(AdmissionQuery(number_key, "tenant-a")).failures


def failure_migration(store: Store, old: int, new: int) -> FailureMigration:
    return FailureMigration("tenant-a", "old", "new", failed(store, "old", old), failed(store, "new", new))


@pytest.mark.parametrize(("old", "new", "after"), [(4, 0, 4), (2, 7, 7), (7, 2, 7)])
def test_failures_are_carried_over_with_the_reservation_and_stand_in_one_place(
    store: Store, old: int, new: int, after: int
) -> None:
    reserve(store, extra={"failure_migration": failure_migration(store, old, new)})
    assert store.read(AdmissionQuery("old", "tenant-a")).failures == Failures()
    assert store.read(AdmissionQuery("new", "tenant-a")).failures == Failures(after, NOW_MS)


@pytest.mark.parametrize("number_key", ["old", "new"])
def test_a_guess_that_came_before_its_failures_were_carried_over_has_it_decided_anew(
    store: Store, number_key: str
) -> None:
    stale = failure_migration(store, 3, 2)
    counted = failed(store, number_key, 1)
    with pytest.raises(WriteConflict):
        reserve(store, extra={"failure_migration": stale})
    assert store.read(AdmissionQuery(number_key, "tenant-a")).failures == counted
    assert store.read(AdmissionQuery("n", "t")).number == SendLog()


def test_a_resend_counts_one_more_send_of_the_same_verification(store: Store) -> None:
    verification = pending(
        store, counter_keys=("B#US#hour#0",), extra=increments(None, "D#day#0", "B#US#hour#0")
    )
    again = Reservation(
        verification,
        NOW_MS + 1,
        LogAppend(verification.number_key, SendLog((NOW_MS,), 1), NOW + 1000),
        increments=increments(None, "D#day#0", "B#US#hour#0")["increments"],
        resend=True,
    )
    store.reserve(again)
    found = store.find(verification.key)
    assert found == dataclasses.replace(verification, sends=2, resend_counter_keys=("B#US#hour#0",))
    store.consume(found, "r", NOW)
    assert counters(store, "B#US#hour#0") == {"B#US#hour#0": Counter(used=0, verified=1)}


def test_a_resend_that_was_not_sent_leaves_the_verification_as_it_was(store: Store) -> None:
    verification = pending(store)
    number = LogAppend(verification.number_key, SendLog((NOW_MS,), 1), NOW + 1000)
    again = Reservation(verification, NOW_MS + 1, number, resend=True)
    store.reserve(again)
    store.release(again)
    assert store.find(verification.key) == verification
    assert store.read(AdmissionQuery(verification.number_key, "t")).number.sends == (NOW_MS,)


@pytest.mark.parametrize("end", ["cancelled", "verified", "moved on", "expired"])
def test_no_resend_brings_a_verification_back_to_life(store: Store, end: str) -> None:
    verification = pending(store)
    at = NOW_MS + 1
    if end == "cancelled":
        store.cancel(verification.key, "tenant-a")
    elif end == "verified":
        store.consume(verification, "r", NOW)
    elif end == "moved on":
        store.record_sent(verification.key, ProviderHandle("sinch", "another", "sms", "accepted"))
    else:
        at = verification.expires_at * SECOND
    number = LogAppend(verification.number_key, SendLog((NOW_MS,), 1), NOW + 1000)
    with pytest.raises(WriteConflict):
        store.reserve(Reservation(verification, at, number, resend=True))


def test_of_two_resends_that_read_the_same_verification_one_decides_anew(store: Store) -> None:
    """Else both would be one send by their reference, and giving one back would take the other's count."""
    verification = pending(store)
    first = LogAppend(verification.number_key, SendLog((NOW_MS,), 1), NOW + 1000)
    second = LogAppend(verification.number_key, SendLog((NOW_MS, NOW_MS + 1), 2), NOW + 1000)
    store.reserve(Reservation(verification, NOW_MS + 1, first, resend=True))
    with pytest.raises(WriteConflict):
        store.reserve(Reservation(verification, NOW_MS + 2, second, resend=True))


@pytest.mark.parametrize("message", [None, "a-message"])
@pytest.mark.parametrize(
    ("end", "expected"), [("cancelled", "VERIFICATION_CANCELLED"), ("verified", "ALREADY_VERIFIED")]
)
def test_a_resend_that_ends_after_its_verification_does_is_told_so_and_changes_nothing(
    store: Store, end: str, expected: str, message: str | None
) -> None:
    verification = pending(store)
    number = LogAppend(verification.number_key, SendLog((NOW_MS,), 1), NOW + 1000)
    store.reserve(Reservation(verification, NOW_MS + 1, number, resend=True))
    if end == "cancelled":
        store.cancel(verification.key, "tenant-a")
    else:
        store.consume(verification, "r", NOW)
    ended = store.find(verification.key)
    holder = ProviderHandle("sinch", "another", "voice", "accepted", message)
    assert outcome(lambda: store.record_sent(verification.key, holder)) == expected
    assert store.find(verification.key) == ended


def test_only_the_tenant_cancels_and_only_what_is_pending(store: Store) -> None:
    verification = pending(store)
    assert outcome(lambda: store.cancel(verification.key, "tenant-b")) == "VERIFICATION_NOT_FOUND"
    assert outcome(lambda: store.cancel("unknown", "tenant-a")) == "VERIFICATION_NOT_FOUND"
    assert outcome(lambda: store.cancel(verification.key, "tenant-a")) == "ok"
    assert outcome(lambda: store.cancel(verification.key, "tenant-a")) == "ok"
    assert outcome(lambda: store.consume(verification, "r", NOW)) == "VERIFICATION_CANCELLED"
    verified = pending(store, key="b", number_key="b")
    store.consume(verified, "r", NOW)
    assert outcome(lambda: store.cancel("b", "tenant-a")) == "ALREADY_VERIFIED"


@pytest.mark.parametrize(
    ("reports", "delivery", "new"),
    [
        (["delivered"], "delivered", [True]),
        (["failed"], "failed", [True]),
        (["delivered", "delivered"], "delivered", [True, False]),
        (["failed", "failed"], "failed", [True, False]),
        (["delivered", "failed"], "delivered", [True, False]),
        (["failed", "delivered"], "delivered", [True, True]),
        (["unknown"], "unknown", [True]),
        (["unknown", "unknown"], "unknown", [True, False]),
        (["unknown", "failed"], "failed", [True, True]),
        (["failed", "unknown"], "failed", [True, False]),
        (["unknown", "delivered"], "delivered", [True, True]),
        (["delivered", "unknown"], "delivered", [True, False]),
    ],
)
def test_a_delivery_goes_forward_alone_and_ends_the_same_in_any_order(
    store: Store, reports: list[str], delivery: str, new: list[bool]
) -> None:
    verification = pending(store)
    assert [store.record_delivery(verification.key, report) for report in reports] == new
    assert store.find(verification.key) == dataclasses.replace(verification, delivery=delivery)


@pytest.mark.parametrize("report", ["delivered", "failed"])
def test_a_code_that_was_taken_in_words_nobody_knows_may_be_reported_on(store: Store, report: str) -> None:
    key = reserve(store).verification.key
    store.record_sent(key, ProviderHandle("infobip", "ref-1", "voice", "unknown"))
    assert store.record_delivery(key, report) is True
    assert (found := store.find(key)) is not None
    assert found.delivery == report


@pytest.mark.parametrize("report", ["delivered", "failed"])
def test_a_delivery_of_what_was_never_accepted_changes_nothing(store: Store, report: str) -> None:
    verification = reserve(store).verification
    assert store.record_delivery(verification.key, report) is False
    assert store.find(verification.key) == verification
    assert store.record_delivery("unknown", report) is False
    assert store.find("unknown") is None


def test_a_delivery_changes_no_state_that_a_verification_is_in(store: Store) -> None:
    verification = pending(store)
    store.consume(verification, "r", NOW)
    assert store.record_delivery(verification.key, "failed") is True
    assert outcome(lambda: store.spend_guess(guess(verification))) == "ALREADY_VERIFIED"


def test_a_message_leads_to_its_verification_at_its_own_provider(store: Store) -> None:
    key = reserve(store).verification.key
    store.record_sent(key, ProviderHandle("infobip", "ref-1", "sms", "accepted", "a-message"))
    asked = ["a-message", *(f"another-{count}" for count in range(150))]
    assert store.find_messages("infobip", asked) == {"a-message": (key, "ref-1")}
    assert store.find_messages("sinch", asked) == {}
    assert store.find_messages("infobip", []) == {}


def test_many_verifications_are_found_at_once(store: Store) -> None:
    held = [pending(store, key=f"key-{count}", number_key=f"number-{count}") for count in range(3)]
    keys = [*(f"unknown-{count}" for count in range(150)), *(each.key for each in held)]
    assert store.find_each(keys) == {each.key: each for each in held}
