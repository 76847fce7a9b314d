"""One suite for every store: the one in memory that the unit tests use, and DynamoDB."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from sms_otp import errors
from sms_otp.limits import DAY, SECOND, Failures, GuessPolicy
from sms_otp.ports import LostRace, Reservation, SendLog, Store
from sms_otp.service import Policy
from sms_otp.store import DynamoStore
from sms_otp.verification import Guess, Verification
from tests.fakes import START, MemoryStore, a_verification, outcome
from tests.template import resource

NOW = int(START)
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
    return policy.guesses


def reserve(store: Store, log: SendLog | None = None, sent_at: int = NOW_MS, **changes: Any) -> Reservation:
    verification = a_verification(**{"provider": None, "provider_ref": None} | changes)
    reservation = Reservation(verification, log or SendLog(), sent_at, keep_until=NOW + 1000)
    store.reserve(reservation)
    return reservation


def pending(store: Store, **changes: Any) -> Verification:
    """A verification that a provider holds."""
    verification = reserve(store, **changes).verification
    store.record_sent(verification.key, "infobip", "ref-1")
    return dataclasses.replace(verification, provider="infobip", provider_ref="ref-1")


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
    assert store.read_number("a-number", "tenant-a") == (SendLog(), Failures())


def test_a_reservation_counts_the_send_and_moves_the_version(store: Store) -> None:
    verification = reserve(store).verification
    log, _ = store.read_number(verification.number_key, "any tenant")
    assert (log.sends, log.version) == ((NOW_MS,), 1)
    reserve(store, SendLog(log.sends, log.version), NOW_MS + 1, key="b")
    log, _ = store.read_number(verification.number_key, "any tenant")
    assert (sorted(log.sends), log.version) == ([NOW_MS, NOW_MS + 1], 2)


def test_a_reservation_on_a_history_that_has_moved_is_a_lost_race_and_stores_nothing(store: Store) -> None:
    verification = reserve(store).verification
    with pytest.raises(LostRace):
        reserve(store, key="b")
    with pytest.raises(errors.VerificationNotFound):
        store.spend_guess(guess(verification, key="b"))


def test_a_released_reservation_leaves_no_send_and_no_verification(store: Store) -> None:
    reservation = reserve(store)
    store.release(reservation)
    log, _ = store.read_number(reservation.verification.number_key, "tenant-a")
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
    assert outcome(lambda: store.consume(verification, "r", verification.expires_at - 1)) == "ok"


def test_a_failed_verification_can_neither_be_guessed_at_nor_consumed(store: Store) -> None:
    verification = reserve(store).verification
    store.record_failed(verification.key)
    assert outcome(lambda: store.consume(verification, "r", NOW)) == "VERIFICATION_CANCELLED"
    assert outcome(lambda: store.spend_guess(guess(verification))) == "VERIFICATION_CANCELLED"


def test_an_unknown_verification_is_not_made_by_consuming_it(store: Store) -> None:
    unknown = a_verification()
    assert outcome(lambda: store.consume(unknown, "r", NOW)) == "VERIFICATION_NOT_FOUND"
    assert outcome(lambda: store.spend_guess(guess(unknown))) == "VERIFICATION_NOT_FOUND"


def test_consuming_clears_the_failures_of_the_number_at_that_tenant_alone(
    store: Store, guesses: GuessPolicy
) -> None:
    verification = pending(store)
    for tenant in ("tenant-a", "tenant-b"):
        store.spend_number_guess(verification.number_key, tenant, NOW_MS, guesses)
    store.consume(verification, "r", NOW)
    assert store.read_number(verification.number_key, "tenant-a")[1].count == 0
    assert store.read_number(verification.number_key, "tenant-b")[1].count == 1


def test_a_consumption_that_is_refused_clears_no_failures(store: Store, guesses: GuessPolicy) -> None:
    verification = pending(store)
    store.spend_number_guess(verification.number_key, "tenant-a", NOW_MS, guesses)
    assert outcome(lambda: store.consume(verification, "r", verification.expires_at)) == "OTP_EXPIRED"
    assert store.read_number(verification.number_key, "tenant-a")[1].count == 1


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
    assert store.read_number("n", "t")[1] == Failures(20, now)


def test_the_hundredth_failure_in_a_row_disables_the_number(store: Store, guesses: GuessPolicy) -> None:
    now = NOW_MS
    for _ in range(100):
        now += DAY
        store.spend_number_guess("n", "t", now, guesses)
    with pytest.raises(errors.NumberLocked) as refused:
        store.spend_number_guess("n", "t", now + 365 * DAY, guesses)
    assert refused.value.reason == "disabled"
    assert store.read_number("n", "t")[1].count == 100
