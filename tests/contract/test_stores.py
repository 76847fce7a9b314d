"""One suite for every store: the one in memory that unit tests use, and DynamoDB on two engines."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from fakes.memory import START, MemoryStore, a_verification, number_key, outcome
from sms_otp.adapters.dynamodb.store import DynamoStore
from sms_otp.domain import errors, keys, number
from sms_otp.domain.budgets import ShardIncrement, dumped
from sms_otp.domain.clock import Milliseconds, Seconds, to_milliseconds
from sms_otp.domain.commands import Policy
from sms_otp.domain.idempotency import IdempotencyRecord, StoredAnswer
from sms_otp.domain.limits import DAY, HOUR, MINUTE, Failures, GuessPolicy, SendPolicy, Window
from sms_otp.domain.number import (
    KEEP_VERIFICATION,
    NOTHING_KNOWN,
    Lane,
    LanePolicy,
    ListedVerification,
    Number,
    Send,
)
from sms_otp.domain.ports import (
    AdmissionQuery,
    AdmissionSnapshot,
    CountedGuess,
    FailureMigration,
    NumberChange,
    NumberGuess,
    OwnCode,
    ProviderHandle,
    Reservation,
    Store,
    WriteConflict,
)
from sms_otp.domain.verification import Guess, State, Verification
from tests.contract.engines import engine
from tests.tables import tables

NOW = Seconds(int(START))
NOW_MS = to_milliseconds(NOW)
B, C = keys.verification_key("b"), keys.verification_key("c")


@pytest.fixture(params=["memory", "dynamodb", "dynamodb-local"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    name = "moto" if request.param == "dynamodb" else request.param
    with engine(name, request) as client, tables(client, {"a-table": "Table"}):
        yield DynamoStore(client, "a-table")


@pytest.fixture
def lanes(policy: Policy) -> LanePolicy:
    return policy.number_limits("US")


def change(
    verification: Verification, before: Number = NOTHING_KNOWN, send: Send | None = None, **changes: Any
) -> NumberChange:
    """A change that adds one send and its verification to the item of a number, as it was read."""
    listed = ListedVerification(verification.created_at, verification.expires_at, "an-owner", "infobip")
    whole: dict[str, Any] = {
        "key": verification.number_key,
        "before": before,
        "sends": (*before.sends, send) if send else before.sends,
        "send": send,
        "verifications": {**before.verifications, verification.key: listed},
        "keep_until": NOW + Seconds(1000),
    }
    return NumberChange(**whole | changes)


def reserve(
    store: Store,
    before: Number = NOTHING_KNOWN,
    sent_at: Milliseconds = NOW_MS,
    extra: Mapping[str, Any] = MappingProxyType({}),
    sending: Mapping[str, Any] = MappingProxyType({}),
    **changes: Any,
) -> Reservation:
    verification = a_verification(**{"provider": None, "provider_ref": None} | changes)
    number_change = change(verification, before, **{"send": Send(sent_at), **sending})
    reservation = Reservation(verification, sent_at, number_change, **extra)
    store.reserve(reservation)
    return reservation


def known(store: Store, number_key: str = number_key("+14155550123")) -> Number:  # a constant
    return store.read(AdmissionQuery(number_key, "any tenant")).number


def counted(store: Store, lanes: LanePolicy, **changes: Any) -> CountedGuess:
    """Count a guess at the number in its lane."""
    whole: dict[str, Any] = {
        "number_key": number_key("+14155550123"),
        "tenant": "tenant-a",
        "now": NOW_MS,
        "moment": number.moment(NOW_MS, next(_guesses)),
        "policy": lanes,
    }
    return store.spend_number_guess(NumberGuess(**whole | changes))


_guesses = itertools.count()


def pending(
    store: Store, before: Number = NOTHING_KNOWN, sent_at: Milliseconds = NOW_MS, **changes: Any
) -> Verification:
    """A verification that a provider holds."""
    verification = reserve(store, before, sent_at, **changes).verification
    store.record_sent(verification.key, ProviderHandle("infobip", "ref-1", "sms", "accepted"))
    return dataclasses.replace(verification, provider="infobip", provider_ref="ref-1", delivery="accepted")


def own(verification: Verification, **changes: Any) -> OwnCode:
    """The request of a provider for our own code, for the first send of the verification."""
    whole: dict[str, Any] = {
        "key": verification.key,
        "number": 0,
        "ref": "sinch-1",
        "phone": verification.phone,
        "now": NOW,
    }
    return OwnCode(**whole | changes)


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
    query = AdmissionQuery("a-number", "tenant-a", "a-claim", ("a-counter",), ("infobip",))
    assert store.read(query) == AdmissionSnapshot()


def test_a_reservation_counts_the_send_and_moves_the_version(store: Store) -> None:
    verification = reserve(store).verification
    found = known(store)
    assert (found.sends, found.version, found.unproven) == ((Send(NOW_MS),), 1, 1)
    assert found.verifications == {
        verification.key: ListedVerification(NOW, NOW + Seconds(300), "an-owner", "infobip")
    }
    reserve(store, found, NOW_MS + Milliseconds(1), key=B)
    found = known(store)
    assert (found.sends, found.version, found.unproven) == (
        (Send(NOW_MS), Send(NOW_MS + Milliseconds(1))),
        2,
        2,
    )
    assert set(found.verifications) == {verification.key, B}


@pytest.mark.parametrize(
    "send",
    [
        Send(NOW_MS, Lane.TOKEN, "a-network"),
        Send(NOW_MS, Lane.NETWORK, "a-network"),
        Send(NOW_MS, Lane.STRANGER, "a-network", is_challenged=True),
        Send(NOW_MS, Lane.STRANGER, None, is_challenged=True),
    ],
)
def test_a_send_comes_back_with_its_lane_network_and_challenge(store: Store, send: Send) -> None:
    reserve(store, sending={"send": send, "sends": (send,)})
    assert known(store).sends == (send,)


def test_a_reservation_on_a_changed_number_conflicts_and_stores_nothing(store: Store) -> None:
    verification = reserve(store).verification
    with pytest.raises(WriteConflict):
        reserve(store, key=B)
    with pytest.raises(errors.VerificationNotFound):
        store.spend_guess(guess(verification, key=B))


def test_the_second_reservation_on_one_read_conflicts(store: Store) -> None:
    reserve(store)
    read = known(store)
    reserve(store, read, NOW_MS + Milliseconds(1), key=B)
    with pytest.raises(WriteConflict):
        reserve(store, read, NOW_MS + Milliseconds(2), key=C)


def test_a_released_reservation_leaves_no_send_and_no_verification(store: Store) -> None:
    reservation = reserve(store)
    store.release(reservation)
    found = known(store)
    assert (found.sends, found.verifications, found.unproven) == ((), {}, 0)
    assert found.version == 2, "a reader from before the release must read again"
    with pytest.raises(errors.VerificationNotFound):
        store.spend_guess(guess(reservation.verification))


def test_a_stored_verification_is_read_back_whole(store: Store) -> None:
    verification = pending(store, purpose="signup", session_hash="a-hash")
    assert store.spend_guess(guess(verification)) == dataclasses.replace(verification, attempts=1)


def test_a_verification_that_no_provider_holds_cannot_be_guessed_at(store: Store) -> None:
    verification = reserve(store).verification
    assert outcome(lambda: store.spend_guess(guess(verification))) == "VERIFICATION_NOT_FOUND"


def test_exactly_the_allowed_number_of_guesses_is_spent(store: Store) -> None:
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
        ({"now": NOW + Seconds(299)}, "ok"),
        ({"now": NOW + Seconds(300)}, "OTP_EXPIRED"),
        ({"key": C}, "VERIFICATION_NOT_FOUND"),
    ],
)
def test_a_guess_is_spent_only_by_its_tenant_session_and_number_in_time(
    store: Store, changes: dict[str, Any], expected: str
) -> None:
    verification = pending(store, session_hash="a-hash")
    assert outcome(lambda: store.spend_guess(guess(verification, **changes))) == expected
    counted = store.spend_guess(guess(verification)).attempts
    assert counted == (2 if expected == "ok" else 1), "a refused guess is not counted"


def consume(store: Store, verification: Verification, attempt: str, now: Seconds) -> None:
    lanes = LanePolicy.of(
        SendPolicy((Window(3, 15 * MINUTE), Window(5, HOUR), Window(10, DAY))),
        GuessPolicy(5, Milliseconds(1), Milliseconds(2), 100),
    )
    guessed = counted(store, lanes, number_key=verification.number_key, tenant=verification.tenant)
    store.consume(verification, guessed, attempt, now, "a-code-hash")


def test_a_verification_is_consumed_once(store: Store) -> None:
    verification = pending(store)
    consume(store, verification, "request-1", NOW)
    assert outcome(lambda: consume(store, verification, "request-2", NOW)) == "ALREADY_VERIFIED"
    assert outcome(lambda: store.spend_guess(guess(verification))) == "ALREADY_VERIFIED"


def test_a_retry_of_a_consumption_by_its_own_request_succeeds(store: Store) -> None:
    verification = pending(store)
    consume(store, verification, "request-1", NOW)
    assert outcome(lambda: consume(store, verification, "request-1", NOW)) == "ok"


def test_an_expired_verification_is_not_consumed(store: Store) -> None:
    verification = pending(store)
    assert outcome(lambda: consume(store, verification, "r", verification.expires_at)) == "OTP_EXPIRED"
    assert outcome(lambda: consume(store, verification, "r", Seconds(verification.expires_at - 1))) == "ok"


def test_a_failed_verification_can_neither_be_guessed_at_nor_consumed(store: Store) -> None:
    verification = reserve(store).verification
    store.record_failed(verification.key)
    assert outcome(lambda: consume(store, verification, "r", NOW)) == "VERIFICATION_CANCELLED"
    assert outcome(lambda: store.spend_guess(guess(verification))) == "VERIFICATION_CANCELLED"


def test_the_right_code_of_an_earlier_provider_consumes_nothing(store: Store) -> None:
    verification = pending(store)
    store.record_sent(verification.key, ProviderHandle("sinch", "ref-2", "sms", "accepted"))
    assert outcome(lambda: consume(store, verification, "r", NOW)) == "OTP_EXPIRED"
    held = dataclasses.replace(verification, provider_ref="ref-2")
    assert outcome(lambda: consume(store, held, "r", NOW)) == "ok"


def test_consuming_an_unknown_verification_does_not_create_it(store: Store) -> None:
    unknown = a_verification()
    assert outcome(lambda: consume(store, unknown, "r", NOW)) == "VERIFICATION_NOT_FOUND"
    assert outcome(lambda: store.spend_guess(guess(unknown))) == "VERIFICATION_NOT_FOUND"


def test_a_new_code_forgets_no_failures(store: Store, lanes: LanePolicy) -> None:
    reserve(store)
    counted(store, lanes)
    reserve(store, known(store), NOW_MS + Milliseconds(1), key=B)
    assert known(store).failures == {("tenant-a", Lane.STRANGER): Failures(1, NOW_MS)}


def test_a_guess_does_not_conflict_with_a_reservation(store: Store, lanes: LanePolicy) -> None:
    reserve(store)
    read = known(store)
    counted(store, lanes)
    reserve(store, read, NOW_MS + Milliseconds(1), key=B)
    assert known(store).failures_of("tenant-a", Lane.STRANGER).count == 1


def test_a_success_clears_its_own_lane_and_the_strangers_at_its_tenant_alone(
    store: Store, lanes: LanePolicy
) -> None:
    verification = pending(store)
    for tenant in ("tenant-a", "tenant-b"):
        for lane in (Lane.NETWORK, Lane.STRANGER):
            counted(store, lanes, tenant=tenant, lane=lane)
    store.consume(verification, counted(store, lanes), "r", NOW, "a-code-hash")
    found = known(store)
    assert {about: failures.count for about, failures in found.failures.items()} == {
        ("tenant-a", Lane.NETWORK): 1,
        ("tenant-b", Lane.NETWORK): 1,
        ("tenant-b", Lane.STRANGER): 1,
    }
    assert found.totals == {"tenant-b": 2}
    assert len(found.failed) == 4, "the right guess is no failure"


def test_a_success_records_the_tenant_the_token_time_and_the_network(store: Store, lanes: LanePolicy) -> None:
    first = pending(store, network="home")
    store.consume(first, counted(store, lanes), "r", NOW + Seconds(5), "a-code-hash")
    second = pending(store, known(store), NOW_MS + Milliseconds(1), key=B, network="work")
    store.consume(
        second,
        counted(store, lanes, now=NOW_MS + Milliseconds(9000)),
        "r",
        NOW + Seconds(9),
        "a-code-hash",
    )
    found = known(store)
    assert (found.verified, found.tokens_from) == (
        {"tenant-a": NOW + Seconds(9)},
        {"tenant-a": NOW + Seconds(5)},
    )
    assert (found.networks, found.unproven) == ({"home": NOW + Seconds(5), "work": NOW + Seconds(9)}, 0)


def test_a_consumption_that_is_refused_clears_no_failures(store: Store, lanes: LanePolicy) -> None:
    verification = pending(store)
    guessed = counted(store, lanes)
    refused = outcome(lambda: store.consume(verification, guessed, "r", verification.expires_at, "a-hash"))
    assert refused == "OTP_EXPIRED"
    found = known(store)
    assert (found.failures_of("tenant-a", Lane.STRANGER).count, found.verified) == (1, {})


@pytest.mark.parametrize("lane", [Lane.NETWORK, Lane.STRANGER])
def test_the_wait_of_a_lane_grows_as_the_policy_says_to_the_millisecond(
    store: Store, lanes: LanePolicy, lane: Lane
) -> None:
    guesses, now = lanes.guesses(lane), NOW_MS
    most = guesses.free + 10
    for failures in range(most):
        wait = guesses.wait_after(failures)
        if wait:
            with pytest.raises(errors.NumberLocked) as refused:
                counted(store, lanes, lane=lane, now=now + wait - 1)
            assert refused.value.retry_after == 1
        now += wait
        assert counted(store, lanes, lane=lane, now=now).lane is lane
    assert known(store).failures_of("tenant-a", lane) == Failures(most, now)


@pytest.mark.parametrize(("lane", "closed_at"), [(Lane.NETWORK, 6), (Lane.STRANGER, 7)])
def test_a_lane_may_close_where_its_wait_is_longest(
    store: Store, lanes: LanePolicy, lane: Lane, closed_at: int
) -> None:
    guesses = GuessPolicy(5, Milliseconds(1000), Milliseconds(2000), closed_at)
    lanes = dataclasses.replace(lanes, own_guesses=guesses, stranger_guesses=guesses)
    for minute in range(closed_at):
        assert counted(store, lanes, lane=lane, now=NOW_MS + minute * MINUTE).lane is lane
    assert known(store).failures_of("tenant-a", lane).count == closed_at


def test_the_eightieth_failure_of_strangers_disables_the_number_for_them(
    store: Store, lanes: LanePolicy
) -> None:
    now = NOW_MS
    for _ in range(80):
        now += DAY
        counted(store, lanes, now=now)
    with pytest.raises(errors.NumberDisabled):
        counted(store, lanes, now=now + 365 * DAY)
    assert known(store).failures_of("tenant-a", Lane.STRANGER).count == 80
    assert counted(store, lanes, now=now, lane=Lane.NETWORK).lane is Lane.NETWORK


def test_the_hundredth_failure_over_all_lanes_disables_the_number_for_everybody(
    store: Store, lanes: LanePolicy
) -> None:
    verified_before(store, lanes)
    token = {"token_issued_at": NOW + Seconds(5)}
    for opened, times in (({"lane": Lane.NETWORK}, 19), (token, 19), ({"lane": Lane.STRANGER}, 62)):
        for step in range(times):
            counted(store, lanes, now=NOW_MS + step * DAY, **opened)
    assert known(store).totals == {"tenant-a": 100}
    for opened in ({"lane": Lane.NETWORK}, token, {"lane": Lane.STRANGER}):
        late = opened | {"now": NOW_MS + 1000 * DAY}
        assert outcome(lambda late=late: counted(store, lanes, **late)) == "NUMBER_DISABLED"  # type: ignore[misc] # bound now


def verified_before(store: Store, lanes: LanePolicy) -> None:
    """Verify the number at tenant-a, five seconds after `NOW`."""
    store.consume(pending(store), counted(store, lanes), "r", NOW + Seconds(5), "a-code-hash")


@pytest.mark.parametrize(
    ("issued_at", "tenant", "lane"),
    [
        (NOW + Seconds(5), "tenant-a", Lane.TOKEN),
        (NOW + Seconds(4), "tenant-a", Lane.STRANGER),
        (NOW + Seconds(5), "tenant-b", Lane.STRANGER),
        (None, "tenant-a", Lane.STRANGER),
    ],
)
def test_a_token_opens_its_lane_where_the_numbers_item_says_so(
    store: Store, lanes: LanePolicy, issued_at: int | None, tenant: str, lane: Lane
) -> None:
    verified_before(store, lanes)
    guessed = counted(store, lanes, tenant=tenant, token_issued_at=issued_at)
    assert (guessed.lane, guessed.number.failures_of(tenant, lane).count) == (lane, 1)


def test_a_token_opens_nothing_for_a_number_that_is_not_known(store: Store, lanes: LanePolicy) -> None:
    assert counted(store, lanes, token_issued_at=NOW).lane is Lane.STRANGER


def test_the_token_of_a_disabled_number_still_opens_its_lane(store: Store, lanes: LanePolicy) -> None:
    verified_before(store, lanes)
    for step in range(80):
        counted(store, lanes, now=NOW_MS + step * DAY)
    assert counted(store, lanes, token_issued_at=NOW + Seconds(5)).lane is Lane.TOKEN


def test_an_own_lane_takes_twenty_guesses_and_then_opens_nothing(store: Store, lanes: LanePolicy) -> None:
    verified_before(store, lanes)
    opened = [
        counted(store, lanes, token_issued_at=NOW + Seconds(5), now=NOW_MS + step * DAY).lane
        for step in range(21)
    ]
    assert opened == [Lane.TOKEN] * 20 + [Lane.STRANGER]


def test_an_own_lane_that_must_wait_is_not_left_for_the_strangers(store: Store, lanes: LanePolicy) -> None:
    verified_before(store, lanes)
    for _ in range(5):
        counted(store, lanes, token_issued_at=NOW + Seconds(5))
    assert outcome(lambda: counted(store, lanes, token_issued_at=NOW + Seconds(5))) == "NUMBER_LOCKED"
    assert known(store).failures_of("tenant-a", Lane.STRANGER).count == 0


def test_a_guess_is_returned_once_and_never_after_the_verification_ended(
    store: Store, lanes: LanePolicy
) -> None:
    verification = pending(store)
    store.return_guess(verification.key)
    spent = store.spend_guess(guess(verification))
    store.return_guess(spent.key)
    store.return_guess(spent.key)
    assert store.find(verification.key) == verification
    store.consume(verification, counted(store, lanes), "r", NOW, "a-code-hash")
    ended = store.find(verification.key)
    store.return_guess(spent.key)
    assert store.find(verification.key) == ended
    store.return_guess(B)
    assert store.find(B) is None


def test_each_guess_of_a_crowd_is_returned_until_the_guesses_have_ended(store: Store) -> None:
    verification = pending(store)
    spent = [store.spend_guess(guess(verification)) for _ in range(5)]
    for each in spent[:4]:
        store.return_guess(each.key)
    assert not store.end_guesses(verification.key, 5), "four were given back"
    for _ in range(4):
        store.spend_guess(guess(verification))
    assert store.end_guesses(verification.key, 5)
    store.return_guess(verification.key)
    assert outcome(lambda: store.spend_guess(guess(verification))) == "TOO_MANY_ATTEMPTS"
    found = store.find(verification.key)
    assert found is not None
    assert found.attempts == 5


def test_the_guesses_of_a_cancelled_or_unknown_verification_do_not_end(store: Store) -> None:
    verification = pending(store)
    for _ in range(5):
        store.spend_guess(guess(verification))
    store.cancel(verification.key, "tenant-a")
    assert not store.end_guesses(verification.key, 5)
    assert not store.end_guesses(B, 5)
    assert store.find(B) is None


def test_a_verification_is_noted_as_over_where_its_number_lists_it(store: Store) -> None:
    verification = pending(store)
    for _ in range(2):
        store.end_code(verification.number_key, verification.key)
    store.end_code(verification.number_key, B)
    store.end_code(number_key("+14155550199"), verification.key)
    found = known(store)
    assert found.over == {verification.key}
    assert verification.key in found.verifications, (
        "this list is needed to erase it and to find it by its session"
    )
    assert known(store, number_key("+14155550199")) == NOTHING_KNOWN


def test_a_reservation_forgets_expired_codes_but_none_that_ended_meanwhile(store: Store) -> None:
    first = pending(store)
    store.end_code(first.number_key, first.key)
    before = known(store)
    second = pending(store, before, NOW_MS + Milliseconds(1), key=B)
    read = known(store)
    # Meanwhile the second one is over.
    store.end_code(second.number_key, second.key)
    reserve(store, read, NOW_MS + Milliseconds(2), key=C, sending={"expired": frozenset({first.key})})
    assert known(store).over == {second.key}


def test_a_reservation_keeps_a_provider_that_was_recorded_meanwhile(store: Store) -> None:
    first = reserve(store)
    read = known(store)
    handle = ProviderHandle("sinch", "sinch-1", "sms", "accepted")
    store.record_sent(first.verification.key, handle, None, first.number)
    reserve(store, read, NOW_MS + Milliseconds(1), key=B)
    found = known(store)
    assert found.verifications[first.verification.key].provider == "sinch"
    assert set(found.verifications) == {first.verification.key, B}
    # The reservation makes its own changes: it removes one entry and changes the provider of another.
    changed = {B: dataclasses.replace(found.verifications[B], provider="aws")}
    reserve(store, found, NOW_MS + Milliseconds(2), key=C, sending={"verifications": changed})
    assert known(store).verifications == changed


def test_cancelling_again_returns_the_cancelled_verification(store: Store) -> None:
    verification = pending(store)
    cancelled = [store.cancel(verification.key, verification.tenant) for _ in range(2)]
    assert cancelled == [dataclasses.replace(verification, state=State.CANCELLED)] * 2


def test_ended_failures_go_with_the_next_send_unless_a_guess_came_meanwhile(
    store: Store, lanes: LanePolicy
) -> None:
    reserve(store)
    counted(store, lanes)
    read = known(store)
    ended = {"ended": (("tenant-a", Lane.STRANGER),)}
    counted(store, lanes, now=NOW_MS + Milliseconds(1))
    with pytest.raises(WriteConflict):
        reserve(store, read, NOW_MS + Milliseconds(1), key=B, sending=ended)
    reserve(store, known(store), NOW_MS + Milliseconds(1), key=B, sending=ended)
    assert (known(store).failures, known(store).totals) == ({}, {})


def test_the_total_of_all_lanes_ends_with_the_last_of_them(store: Store, lanes: LanePolicy) -> None:
    for lane in (Lane.NETWORK, Lane.STRANGER):
        counted(store, lanes, lane=lane)
    reserve(store, known(store), sending={"ended": (("tenant-a", Lane.STRANGER),)})
    assert known(store).totals == {"tenant-a": 2}
    reserve(
        store, known(store), NOW_MS + Milliseconds(1), key=B, sending={"ended": (("tenant-a", Lane.NETWORK),)}
    )
    assert known(store).totals == {}


def test_an_old_verification_of_a_number_is_forgotten_with_the_next_send(
    store: Store, lanes: LanePolicy
) -> None:
    verified_before(store, lanes)
    reserve(store, known(store), NOW_MS + Milliseconds(1), key=B, sending={"forgotten": ("tenant-a",)})
    assert (known(store).verified, known(store).tokens_from) == ({}, {})


def test_refused_requests_are_counted_at_their_number(store: Store) -> None:
    moments = [number.moment(NOW_MS, finer) for finer in range(11)]
    for moment in moments:
        store.note_refused("n", NOW_MS, moment)
    assert known(store, "n").refused == frozenset(moments)
    assert known(store, "n").version == 0
    reserve(store, known(store, "n"), number_key="n")
    assert known(store, "n").requests_within_hour(NOW_MS) == 12


def test_no_more_than_22_refused_requests_are_kept_at_a_number(store: Store) -> None:
    for finer in range(24):
        store.note_refused("n", NOW_MS, number.moment(NOW_MS, finer))
    assert len(known(store, "n").refused) == 22


def test_refused_requests_of_an_hour_ago_make_room_for_newer_ones(store: Store) -> None:
    for finer in range(22):
        store.note_refused("n", NOW_MS, number.moment(NOW_MS, finer))
    later = Milliseconds(NOW_MS + 3_600_000)
    store.note_refused("n", later, number.moment(later, 0))
    assert known(store, "n").refused == {number.moment(later, 0)}


def test_a_number_lists_the_provider_that_took_its_code(store: Store) -> None:
    reservation = reserve(store)
    key = reservation.verification.key
    store.record_sent(key, ProviderHandle("sinch", "ref-1", "sms", "accepted"), None, reservation.number)
    assert known(store).verifications[key].provider == "sinch"


def increment(key: str, most: int | None = None, **changes: Any) -> ShardIncrement:
    """A code of 8 micro-dollars at 21:00."""
    limits = {} if most is None else {"open21": most, "open": most}
    whole: dict[str, Any] = {
        "open": {"open": 8, "open21": 8},
        "verified": {"verified": 8, "verified21": 8},
        "limits": limits,
        "keep_until": NOW + Seconds(1000),
    }
    return ShardIncrement(key, **whole | changes)


MONEY = ShardIncrement("D#day#0", spent={"spent": 8}, keep_until=NOW + Seconds(1000))
COUNTRY_DAY = "B#US#day#0"


def counts(store: Store, *keys: str) -> dict[str, Any]:
    return dict(store.read(AdmissionQuery("n", "t", counters=keys)).counters)


def spend(store: Store, index: int, *increments: ShardIncrement) -> None:
    key = keys.verification_key(f"k{index}")
    reserve(store, key=key, number_key=f"n{index}", extra={"increments": increments})


@pytest.mark.parametrize("name", ["open", "open21"])
def test_a_budget_is_spent_up_to_either_of_its_limits_and_not_once_more(store: Store, name: str) -> None:
    limited = increment(COUNTRY_DAY, limits={name: 16})
    for index in range(3):
        spend(store, index, limited)
    with pytest.raises(WriteConflict):
        spend(store, 3, limited)
    assert counts(store, COUNTRY_DAY) == {COUNTRY_DAY: {"open": 24, "open21": 24}}
    assert known(store, "n3") == Number(), "nothing of a refused send is stored"


def test_a_budget_without_a_limit_is_counted_and_never_refused(store: Store) -> None:
    for index in range(3):
        spend(store, index, increment(COUNTRY_DAY))
    assert counts(store, COUNTRY_DAY) == {COUNTRY_DAY: {"open": 24, "open21": 24}}


def test_hours_that_have_expired_are_taken_out_by_the_next_send(store: Store) -> None:
    spend(store, 0, increment(COUNTRY_DAY, open={"open": 8, "open19": 8}))
    spend(store, 1, increment(COUNTRY_DAY, expired=("open19",)))
    assert counts(store, COUNTRY_DAY) == {COUNTRY_DAY: {"open": 16, "open21": 8}}


def test_a_verification_takes_its_own_send_out_of_the_unverified_ones(store: Store) -> None:
    sent = (increment(COUNTRY_DAY), MONEY)
    verification = pending(store, counted_on=dumped(sent), extra={"increments": sent})
    consume(store, verification, "r", NOW)
    assert counts(store, COUNTRY_DAY, "D#day#0") == {
        COUNTRY_DAY: {"open": 0, "open21": 0, "verified": 8, "verified21": 8},
        "D#day#0": {"spent": 8},
    }


def test_a_release_gives_back_everything_that_was_reserved(store: Store) -> None:
    record = IdempotencyRecord("a-claim", "print", "nonce", NOW)
    sent = (increment(COUNTRY_DAY), MONEY)
    reservation = reserve(store, extra={"idempotency_record": record, "increments": sent})
    store.release(reservation)
    query = AdmissionQuery(reservation.verification.number_key, "t", "a-claim", (COUNTRY_DAY, "D#day#0"))
    snapshot = store.read(query)
    assert (snapshot.number.sends, snapshot.idempotency_record) == ((), None)
    assert snapshot.counters == {COUNTRY_DAY: {"open": 0, "open21": 0}, "D#day#0": {"spent": 0}}


def test_a_key_is_claimed_once_until_it_is_free_again(store: Store) -> None:
    first = IdempotencyRecord("a-claim", "print", "nonce", NOW)
    reserve(store, extra={"idempotency_record": first})
    assert store.read(AdmissionQuery("n", "t", record_key="a-claim")).idempotency_record == first
    late = dataclasses.replace(first, nonce="another", started_at=first.expires_at - Seconds(1))
    with pytest.raises(WriteConflict):
        reserve(store, key=B, number_key=B, extra={"idempotency_record": late})
    again = dataclasses.replace(first, nonce="another", started_at=first.expires_at)
    reserve(store, key=C, number_key=C, extra={"idempotency_record": again})
    assert store.read(AdmissionQuery("n", "t", record_key="a-claim")).idempotency_record == again


@pytest.mark.parametrize("settle", ["sent", "failed", "unknown"])
def test_the_answer_of_a_request_is_kept_for_every_outcome_of_its_send(store: Store, settle: str) -> None:
    idempotency_record = IdempotencyRecord("a-claim", "print", "nonce", NOW)
    key = reserve(store, extra={"idempotency_record": idempotency_record}).verification.key
    answered = dataclasses.replace(
        idempotency_record,
        answer=StoredAnswer(NOW + Seconds(300), Seconds(30), None if settle == "sent" else "E"),
    )
    if settle == "sent":
        store.record_sent(key, ProviderHandle("infobip", "ref", "sms", "accepted"), answered)
    elif settle == "failed":
        store.record_failed(key, answered)
    else:
        store.record_answer(answered)
    assert store.read(AdmissionQuery("n", "t", record_key="a-claim")).idempotency_record == answered


def test_a_key_is_claimed_under_both_peppers_at_once(store: Store) -> None:
    """Environments that disagree on which pepper is current still meet at one of the keys."""
    old = IdempotencyRecord("old-key", "old-print", "nonce", NOW, verification="v")
    new = IdempotencyRecord("new-key", "new-print", "nonce", NOW, verification="v")
    reserve(store, extra={"idempotency_record": dataclasses.replace(new, twin=old)})
    for record in (old, new):
        assert store.read(AdmissionQuery("n", "t", record_key=record.key)).idempotency_record == record
        with pytest.raises(WriteConflict):
            reserve(store, key=B, number_key="b", extra={"idempotency_record": record})
    answered = dataclasses.replace(
        new, answer=StoredAnswer(NOW), twin=dataclasses.replace(old, answer=StoredAnswer(NOW))
    )
    store.record_answer(answered)
    assert store.read(AdmissionQuery("n", "t", record_key="old-key")).idempotency_record == answered.twin


def test_a_key_that_reserves_nothing_is_claimed_answered_and_freed(store: Store) -> None:
    record = IdempotencyRecord("a-claim", "print", "nonce", NOW, verification="v")
    assert store.claim(record) is None
    assert store.claim(dataclasses.replace(record, nonce="another")) == record
    answered = dataclasses.replace(record, answer=StoredAnswer(error="OTP_INCORRECT", attempts_remaining=4))
    store.record_answer(answered)
    assert store.claim(dataclasses.replace(record, nonce="another")) == answered
    store.unclaim(record)
    store.unclaim(record)
    assert store.claim(dataclasses.replace(record, nonce="another")) is None


def test_a_guess_with_a_key_is_listed_by_its_verification(store: Store) -> None:
    verification = pending(store)
    record = IdempotencyRecord("a-claim", "print", "nonce", NOW)
    spent = store.spend_guess(guess(verification, idempotency_record=record))
    assert spent.idempotency_records == ("a-claim",)


def test_one_read_finds_the_records_under_both_peppers(store: Store) -> None:
    verification = reserve(store).verification
    previous = AdmissionQuery(verification.number_key, "tenant-a")
    snapshot = store.read(AdmissionQuery("under-the-new-one", "tenant-a", previous=previous))
    assert snapshot.previous is not None
    assert (snapshot.previous.number.sends, snapshot.previous.number.version) == ((Send(NOW_MS),), 1)
    assert dataclasses.replace(snapshot, previous=None) == AdmissionSnapshot()
    assert store.read(previous) == snapshot.previous


def failed(store: Store, lanes: LanePolicy, number_key: str, times: int) -> Number:
    for _ in range(times):
        counted(store, lanes, number_key=number_key)
    return known(store, number_key)


@pytest.mark.parametrize(("old", "new", "after"), [(4, 0, 4), (2, 7, 7), (7, 2, 7)])
def test_failures_move_with_the_reservation_to_the_new_key_only(
    store: Store, lanes: LanePolicy, old: int, new: int, after: int
) -> None:
    migration = FailureMigration("tenant-a", "old", failed(store, lanes, "old", old))
    before = failed(store, lanes, "new", new)
    reserve(store, before, number_key="new", sending={"migration": migration})
    assert (known(store, "old").failures, known(store, "old").totals) == ({}, {})
    assert known(store, "new").failures == {("tenant-a", Lane.STRANGER): Failures(after, NOW_MS)}
    assert known(store, "new").totals == {"tenant-a": after}


@pytest.mark.parametrize("number_key", ["old", "new"])
def test_a_guess_since_the_read_makes_a_move_of_its_failures_conflict(
    store: Store, lanes: LanePolicy, number_key: str
) -> None:
    migration = FailureMigration("tenant-a", "old", failed(store, lanes, "old", 3))
    before = failed(store, lanes, "new", 2)
    found = failed(store, lanes, number_key, 1)
    with pytest.raises(WriteConflict):
        reserve(store, before, number_key="new", sending={"migration": migration})
    assert known(store, number_key) == found


def test_verified_tenants_token_times_and_networks_move_too(store: Store, lanes: LanePolicy) -> None:
    store.consume(pending(store, network="home"), counted(store, lanes), "r", NOW + Seconds(5), "a-code-hash")
    found = known(store)
    migration = FailureMigration("tenant-a", number_key("+14155550123"), found)
    reserve(store, number_key="new", key=B, sending={"migration": migration})
    new = known(store, "new")
    assert (new.verified, new.tokens_from, new.networks) == (
        found.verified,
        found.tokens_from,
        found.networks,
    )
    assert known(store).tokens_from == found.tokens_from


def test_a_resend_counts_one_more_send_of_the_same_verification(store: Store) -> None:
    sent = (increment(COUNTRY_DAY), MONEY)
    verification = pending(store, counted_on=dumped(sent), extra={"increments": sent})
    again = Reservation(
        verification,
        NOW_MS + Milliseconds(1),
        change(verification, known(store), Send(NOW_MS + Milliseconds(1))),
        increments=sent,
        resend=True,
    )
    store.reserve(again)
    found = store.find(verification.key)
    assert found == dataclasses.replace(verification, sends=2, resends_counted_on=dumped(sent))
    consume(store, found, "r", NOW)
    assert counts(store, COUNTRY_DAY)[COUNTRY_DAY] == {
        "open": 0,
        "open21": 0,
        "verified": 8,
        "verified21": 8,
    }


def test_a_resend_that_was_not_sent_leaves_the_verification_as_it_was(store: Store) -> None:
    verification = pending(store)
    record = IdempotencyRecord("a-claim", "print", "nonce", NOW)
    again = Reservation(
        verification,
        NOW_MS + Milliseconds(1),
        change(verification, known(store), Send(NOW_MS + Milliseconds(1))),
        idempotency_record=record,
        resend=True,
    )
    store.reserve(again)
    store.release(again)
    assert store.find(verification.key) == dataclasses.replace(
        verification, sends=2, idempotency_records=("a-claim",)
    ), "except for the count of sends: its reference is not used again"
    assert known(store).sends == (Send(NOW_MS),)
    assert store.claim(record) is None


@pytest.mark.parametrize("end", ["cancelled", "verified", "moved on", "expired"])
def test_a_resend_of_an_ended_or_changed_verification_conflicts(store: Store, end: str) -> None:
    verification = pending(store)
    at = NOW_MS + Milliseconds(1)
    if end == "cancelled":
        store.cancel(verification.key, "tenant-a")
    elif end == "verified":
        consume(store, verification, "r", NOW)
    elif end == "moved on":
        store.record_sent(verification.key, ProviderHandle("sinch", "another", "sms", "accepted"))
    else:
        at = to_milliseconds(verification.expires_at)
    again = change(verification, known(store), Send(at))
    with pytest.raises(WriteConflict):
        store.reserve(Reservation(verification, at, again, resend=True))


def test_of_two_resends_on_one_read_the_second_conflicts(store: Store) -> None:
    """Otherwise both would have one reference, and a release of one would undo the count of the other."""
    verification = pending(store)
    first = change(verification, known(store), Send(NOW_MS + Milliseconds(1)))
    store.reserve(Reservation(verification, NOW_MS + Milliseconds(1), first, resend=True))
    second = change(verification, known(store), Send(NOW_MS + Milliseconds(2)))
    with pytest.raises(WriteConflict):
        store.reserve(Reservation(verification, NOW_MS + Milliseconds(2), second, resend=True))


@pytest.mark.parametrize("message", [None, "a-message"])
@pytest.mark.parametrize(
    ("end", "expected"), [("cancelled", "VERIFICATION_CANCELLED"), ("verified", "ALREADY_VERIFIED")]
)
def test_recording_a_resend_of_an_ended_verification_fails_and_changes_nothing(
    store: Store, end: str, expected: str, message: str | None
) -> None:
    verification = pending(store)
    again = change(verification, known(store), Send(NOW_MS + Milliseconds(1)))
    store.reserve(Reservation(verification, NOW_MS + Milliseconds(1), again, resend=True))
    if end == "cancelled":
        store.cancel(verification.key, "tenant-a")
    else:
        consume(store, verification, "r", NOW)
    ended = store.find(verification.key)
    holder = ProviderHandle("sinch", "another", "voice", "accepted", message)
    assert outcome(lambda: store.record_sent(verification.key, holder)) == expected
    assert store.find(verification.key) == ended


def test_only_the_tenant_cancels_and_only_a_pending_verification(store: Store) -> None:
    verification = pending(store)
    assert outcome(lambda: store.cancel(verification.key, "tenant-b")) == "VERIFICATION_NOT_FOUND"
    assert outcome(lambda: store.cancel("unknown", "tenant-a")) == "VERIFICATION_NOT_FOUND"
    assert outcome(lambda: store.cancel(verification.key, "tenant-a")) == "ok"
    assert outcome(lambda: store.cancel(verification.key, "tenant-a")) == "ok"
    assert outcome(lambda: consume(store, verification, "r", NOW)) == "VERIFICATION_CANCELLED"
    verified = pending(store, key=B, number_key=B)
    consume(store, verified, "r", NOW)
    assert outcome(lambda: store.cancel(B, "tenant-a")) == "ALREADY_VERIFIED"


def test_a_send_under_way_is_noted_once_as_given_the_verifications_own_code(store: Store) -> None:
    verification = reserve(store).verification
    noted = dataclasses.replace(verification, own_code_refs=("sinch-1",))
    assert [store.note_own_code(own(verification)) for _ in range(2)] == [noted, noted]
    assert store.find(verification.key) == noted


def test_each_send_of_a_verification_is_noted_while_it_is_under_way(store: Store) -> None:
    verification = reserve(store).verification
    store.note_own_code(own(verification))
    store.record_sent(verification.key, ProviderHandle("sinch", "sinch-1", "sms", "accepted"))
    held = store.find(verification.key)
    assert held is not None
    store.reserve(Reservation(held, NOW_MS + Milliseconds(1), resend=True))
    assert store.note_own_code(own(verification, number=1, ref="sinch-2")) == store.find(verification.key)
    found = store.find(verification.key)
    assert found is not None
    assert found.own_code_refs == ("sinch-1", "sinch-2")


@pytest.mark.parametrize(
    "changes",
    [{"key": B}, {"number": 1}, {"phone": "+14155550199"}, {"now": NOW + 300}, {"ref": "ref-1"}],
    ids=["unknown", "another send", "another number", "expired", "answered already"],
)
def test_no_own_code_is_noted_of_a_send_that_is_not_under_way(store: Store, changes: dict[str, Any]) -> None:
    verification = pending(store)
    assert store.note_own_code(own(verification, **changes)) is None
    assert store.find(verification.key) == verification


def test_no_own_code_is_noted_of_a_cancelled_verification(store: Store) -> None:
    verification = pending(store)
    store.cancel(verification.key, verification.tenant)
    assert store.note_own_code(own(verification)) is None


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
def test_a_delivery_only_moves_forward_in_any_order_of_reports(
    store: Store, reports: list[str], delivery: str, new: list[bool]
) -> None:
    verification = pending(store)
    assert [store.record_delivery(verification.key, report) for report in reports] == new
    assert store.find(verification.key) == dataclasses.replace(verification, delivery=delivery)


@pytest.mark.parametrize("report", ["delivered", "failed"])
def test_a_code_with_an_unknown_acceptance_status_can_get_a_delivery_report(
    store: Store, report: str
) -> None:
    key = reserve(store).verification.key
    store.record_sent(key, ProviderHandle("infobip", "ref-1", "voice", "unknown"))
    assert store.record_delivery(key, report) is True
    assert (found := store.find(key)) is not None
    assert found.delivery == report


@pytest.mark.parametrize("report", ["delivered", "failed"])
def test_a_delivery_report_on_an_unaccepted_code_changes_nothing(store: Store, report: str) -> None:
    verification = reserve(store).verification
    assert store.record_delivery(verification.key, report) is False
    assert store.find(verification.key) == verification
    assert store.record_delivery("unknown", report) is False
    assert store.find("unknown") is None


def test_a_delivery_report_does_not_change_the_state_of_a_verification(store: Store) -> None:
    verification = pending(store)
    consume(store, verification, "r", NOW)
    assert store.record_delivery(verification.key, "failed") is True
    assert outcome(lambda: store.spend_guess(guess(verification))) == "ALREADY_VERIFIED"


def test_a_verification_holds_the_messages_that_carry_its_code(store: Store) -> None:
    key = reserve(store).verification.key

    def messages(message_id: str | None, *, is_same_code: bool) -> tuple[str, ...]:
        handle = ProviderHandle("infobip", "ref", "sms", "accepted", message_id, is_same_code=is_same_code)
        store.record_sent(key, handle)
        found = store.find(key)
        assert found is not None
        return found.message_ids

    assert messages("first", is_same_code=False) == ("first",)
    assert messages("second", is_same_code=True) == ("first", "second")
    assert messages(None, is_same_code=True) == ("first", "second")
    assert messages("a-new-code", is_same_code=False) == ("a-new-code",)
    assert messages(None, is_same_code=False) == ()
    assert messages("again", is_same_code=True) == ("again",)


def test_numbers_list_the_verifications_that_are_still_kept(store: Store) -> None:
    first = reserve(store).verification
    other = reserve(store, key=keys.verification_key("other"), number_key="another").verification
    unknown = [f"unknown-{count}" for count in range(150)]
    number_keys = [*unknown, first.number_key, other.number_key]
    assert store.find_listed(number_keys, NOW) == {first.key, other.key}
    assert store.find_listed([first.number_key], NOW) == {first.key}
    last = first.expires_at + KEEP_VERIFICATION - Seconds(1)
    assert store.find_listed([first.number_key], last) == {first.key}
    assert store.find_listed([first.number_key], last + Seconds(1)) == frozenset()
    assert store.find_listed([], NOW) == frozenset()


def test_many_verifications_are_found_at_once(store: Store) -> None:
    known_keys = [keys.verification_key(f"key-{count}") for count in range(3)]
    held = [pending(store, key=key, number_key=f"number-{key}") for key in known_keys]
    query = [*(f"unknown-{count}" for count in range(150)), *known_keys]
    assert store.find_each(query) == {each.key: each for each in held}
