"""What the store makes of DynamoDB's refusals: whose condition failed, and what the caller is answered.

DynamoDB is scripted here, so that each refusal comes when it is to; `tests/contract/test_stores.py` holds the
conditions themselves.
"""

from collections.abc import Callable
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from fakes.memory import START, a_verification, number_key
from sms_otp.adapters.dynamodb.client import ConditionFailed, Conflict
from sms_otp.adapters.dynamodb.items import (
    failures_pk,
    number_pk,
    verification_item,
    verification_of,
    verification_pk,
)
from sms_otp.adapters.dynamodb.numbers import DynamoNumbers
from sms_otp.adapters.dynamodb.store import DynamoStore
from sms_otp.domain import errors
from sms_otp.domain.budgets import ShardIncrement
from sms_otp.domain.clock import Deadline, Seconds
from sms_otp.domain.commands import Policy
from sms_otp.domain.idempotency import IdempotencyRecord
from sms_otp.domain.ports import (
    AdmissionQuery,
    LogAppend,
    NumberConflict,
    ProviderHandle,
    Reservation,
    SendLog,
    StoreError,
    WriteConflict,
)
from sms_otp.domain.verification import Guess, State

NOW = Seconds(int(START))
NOW_MS = NOW * 1000
NUMBER_KEY = number_key("+14155550123")

Answer = dict[str, Any] | Exception | Callable[[dict[str, Any]], dict[str, Any] | Exception]
Request = tuple[str, dict[str, Any]]


class Dynamo:
    """Answers each call with what the script holds for its operation, and the last of it from then on."""

    def __init__(self, **script: list[Answer]) -> None:
        self.script = script
        self.asked: list[Request] = []

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        def call(**request: Any) -> dict[str, Any]:
            self.asked.append((operation, request))
            assert len(self.asked) < 1000, "it would go on for ever"
            answers = self.script[operation]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            given = answer(request) if callable(answer) else answer
            if isinstance(given, Exception):
                raise given
            return given

        return call

    def count(self, operation: str) -> int:
        return sum(1 for asked, _ in self.asked if asked == operation)


def refused(item: dict[str, Any] | None = None) -> ClientError:
    """A condition of a single write did not hold; `item` stood there."""
    response: Any = {"Error": {"Code": "ConditionalCheckFailedException", "Message": "canary"}}
    return ClientError(response | ({"Item": item} if item else {}), "UpdateItem")


def cancelled(*codes: str, item: dict[str, Any] | None = None) -> ClientError:
    """A transaction was cancelled, for these reasons one for each of its steps."""
    reasons = [{"Code": code, **({"Item": item} if item and code != "None" else {})} for code in codes]
    response: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": "canary"},
        "CancellationReasons": reasons,
    }
    return ClientError(response, "TransactWriteItems")


def failed(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "canary"}}, "AnyOperation")


def store(dynamo: Dynamo) -> DynamoStore:
    return DynamoStore(cast(Any, dynamo), "a-table")


def failures_item(count: int, last_at: int = NOW_MS) -> dict[str, Any]:
    pk = failures_pk(NUMBER_KEY, "tenant-a")
    return {"pk": {"S": pk}, "failures": {"N": str(count)}, "lastAt": {"N": str(last_at)}}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


HELD = a_verification()
CONDITION = "ConditionalCheckFailed"


def reservation(**changes: Any) -> Reservation:
    verification = a_verification(provider=None, provider_ref=None)
    number = LogAppend(verification.number_key, SendLog(), NOW + 1000)
    whole: dict[str, Any] = {"verification": verification, "sent_at": NOW_MS, "number": number}
    return Reservation(**whole | changes)


@pytest.mark.parametrize(
    ("refusal", "raised"),
    [
        (cancelled(CONDITION, "None"), NumberConflict),
        (cancelled(CONDITION, CONDITION), NumberConflict),
        (cancelled("None", CONDITION), WriteConflict),
        (cancelled("TransactionConflict", "None"), WriteConflict),
    ],
)
def test_only_a_number_that_has_moved_is_a_lost_race(refusal: ClientError, raised: type[Exception]) -> None:
    with pytest.raises(raised) as error:
        store(Dynamo(transact_write_items=[refusal])).reserve(reservation())
    assert type(error.value) is raised


def test_a_send_that_no_number_counts_loses_no_race() -> None:
    with pytest.raises(WriteConflict):
        store(Dynamo(transact_write_items=[cancelled(CONDITION)])).reserve(reservation(number=None))


@pytest.mark.parametrize(
    ("found", "reason", "retry_after"),
    [
        (failures_item(100), "disabled", 3600),
        (failures_item(99, NOW_MS - 1000), "waiting", 3599),
    ],
)
def test_the_loser_of_the_race_for_the_last_guess_is_told_why_it_must_wait(
    policy: Policy, found: dict[str, Any], reason: str, retry_after: int
) -> None:
    guesses = policy.admission.guesses
    dynamo = Dynamo(
        update_item=[refused(failures_item(99, 0))],
        transact_write_items=[cancelled(CONDITION, "None", item=found)],
    )
    with pytest.raises(errors.NumberLocked) as locked:
        store(dynamo).spend_number_guess(NUMBER_KEY, "tenant-a", NOW_MS, guesses)
    assert (locked.value.reason, locked.value.retry_after) == (reason, retry_after)


def test_a_refusal_that_the_item_no_longer_explains_is_a_lock_all_the_same(policy: Policy) -> None:
    """It was cleared in between: the guess was refused, and may not be taken for one that was spent."""
    dynamo = Dynamo(
        update_item=[refused(failures_item(99, 0))], transact_write_items=[cancelled(CONDITION, "None")]
    )
    with pytest.raises(errors.NumberLocked):
        store(dynamo).spend_number_guess(NUMBER_KEY, "tenant-a", NOW_MS, policy.admission.guesses)
    with pytest.raises(errors.NumberLocked):
        store(Dynamo(update_item=[refused()])).spend_number_guess(
            NUMBER_KEY, "tenant-a", NOW_MS, policy.admission.guesses
        )


@pytest.mark.parametrize(
    ("count", "last_at", "reason", "retry_after"),
    [
        (5, NOW_MS - 12_000, "waiting", 18),
        (6, NOW_MS, "waiting", 60),
        (98, NOW_MS, "waiting", 3600),
        (99, NOW_MS - 1, "waiting", 3600),
        (100, 0, "disabled", 3600),
    ],
)
def test_a_number_that_must_wait_is_answered_with_what_stands_in_the_table(
    policy: Policy, count: int, last_at: int, reason: str, retry_after: int
) -> None:
    dynamo = Dynamo(update_item=[refused(failures_item(count, last_at))])
    with pytest.raises(errors.NumberLocked) as locked:
        store(dynamo).spend_number_guess(NUMBER_KEY, "tenant-a", NOW_MS, policy.admission.guesses)
    assert (locked.value.reason, locked.value.retry_after) == (reason, retry_after)
    assert dynamo.count("transact_write_items") == 0


def test_the_last_guess_is_spent_with_the_numbers_list_and_neither_has_an_end(policy: Policy) -> None:
    dynamo = Dynamo(update_item=[refused(failures_item(99, 0))], transact_write_items=[{}])
    spent = store(dynamo).spend_number_guess(NUMBER_KEY, "tenant-a", NOW_MS, policy.admission.guesses)
    assert spent == 100
    ((_, request),) = [asked for asked in dynamo.asked if asked[0] == "transact_write_items"]
    keys = [step["Update"]["Key"]["pk"]["S"] for step in request["TransactItems"]]
    assert keys == [failures_pk(NUMBER_KEY, "tenant-a"), number_pk(NUMBER_KEY)]
    for step in request["TransactItems"]:
        assert "REMOVE #ttl" in step["Update"]["UpdateExpression"]


ENDED = [
    (State.VERIFIED, errors.AlreadyVerified),
    (State.CANCELLED, errors.VerificationCancelled),
    (State.FAILED, errors.VerificationCancelled),
]
CLAIM = IdempotencyRecord("a-claim", "a-fingerprint", "a-nonce", NOW)
HOLDER = ProviderHandle("infobip", "ref-2", "sms", "accepted", "a-message")


@pytest.mark.parametrize(("state", "kind"), ENDED)
def test_a_send_whose_verification_has_ended_meanwhile_is_answered_with_how(
    state: State, kind: type[errors.OtpError]
) -> None:
    item = verification_item(a_verification(state=state))
    with pytest.raises(kind):
        store(Dynamo(update_item=[refused(item)])).record_sent(
            HELD.key, ProviderHandle("a", "ref", "sms", "accepted")
        )
    with pytest.raises(kind):
        store(Dynamo(transact_write_items=[cancelled(CONDITION, "None", "None", item=item)])).record_sent(
            HELD.key, HOLDER, CLAIM
        )


@pytest.mark.parametrize(
    "refusal",
    [
        cancelled("None", CONDITION, "None"),
        cancelled("None", CONDITION, "None", item=verification_item(a_verification(state=State.VERIFIED))),
        cancelled(CONDITION, "None", "None"),
    ],
    ids=["another item's", "another item's, which is shown", "of a verification that is gone"],
)
def test_the_condition_of_another_item_says_nothing_of_the_verification(refusal: ClientError) -> None:
    """Else an idempotency record that is gone would be a code that was used."""
    with pytest.raises(ConditionFailed):
        store(Dynamo(transact_write_items=[refusal])).record_sent(HELD.key, HOLDER, CLAIM)


def consume(dynamo: Dynamo, request_id: str = "a-request") -> None:
    store(dynamo).consume(a_verification(counter_keys=("B#US#0",)), request_id, NOW)


@pytest.mark.parametrize(("state", "kind"), [*ENDED, (State.PENDING, errors.OtpExpired)])
def test_a_right_code_that_cannot_be_consumed_is_answered_with_why(
    state: State, kind: type[errors.OtpError]
) -> None:
    item = verification_item(a_verification(state=state, verified_by="another-request"))
    with pytest.raises(kind):
        consume(Dynamo(transact_write_items=[cancelled(CONDITION, "None", "None", item=item)]))
    with pytest.raises(errors.VerificationNotFound):
        consume(Dynamo(transact_write_items=[cancelled(CONDITION, "None", "None")]))


def test_ones_own_consumption_is_recognised_by_the_requests_id_alone() -> None:
    own = verification_item(a_verification(state=State.VERIFIED, verified_by="a-request"))
    consume(Dynamo(transact_write_items=[cancelled(CONDITION, "None", "None", item=own)]))
    cancelled_by_it = verification_item(a_verification(state=State.CANCELLED, verified_by="a-request"))
    with pytest.raises(errors.VerificationCancelled):
        consume(Dynamo(transact_write_items=[cancelled(CONDITION, "None", "None", item=cancelled_by_it)]))


@pytest.mark.parametrize(
    "fault",
    [cancelled("None", "None", CONDITION), failed("ThrottlingException"), cancelled("TransactionConflict")],
    ids=["a counter's condition", "throttled", "a conflict"],
)
def test_a_counter_that_cannot_be_written_costs_no_success(fault: ClientError) -> None:
    answers: list[Answer] = [fault] * (4 if "TransactionConflict" in str(fault.response) else 1)
    dynamo = Dynamo(transact_write_items=[*answers, {}])
    consume(dynamo)
    sizes = [len(request["TransactItems"]) for _, request in dynamo.asked]
    assert {*sizes[:-1]} == {3}
    assert sizes[-1] == 2, "the verification and its failures alone"


def test_a_guess_is_refused_for_what_stands_there() -> None:
    guess = Guess(HELD.key, "tenant-a", Seconds(NOW + 283), 5)
    spent = verification_item(a_verification(attempts=5))
    with pytest.raises(errors.TooManyAttempts) as refusal:
        store(Dynamo(update_item=[refused(spent)])).spend_guess(guess)
    assert (refusal.value.retry_after, refusal.value.attempts_remaining) == (17, 0)
    for item in (None, verification_item(a_verification())):
        with pytest.raises(errors.VerificationNotFound):
            store(Dynamo(update_item=[refused(item)])).spend_guess(guess)


def test_a_cancellation_is_refused_for_what_stands_there() -> None:
    for item, kind in (
        (verification_item(a_verification(state=State.VERIFIED)), errors.AlreadyVerified),
        (None, errors.VerificationNotFound),
    ):
        with pytest.raises(kind):
            store(Dynamo(update_item=[refused(item)])).cancel(HELD.key, "tenant-a")
    again = verification_item(a_verification(state=State.CANCELLED))
    store(Dynamo(update_item=[refused(again)])).cancel(HELD.key, "tenant-a")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (failed("ThrottlingException"), "ThrottlingException"),
        (ReadTimeoutError(endpoint_url="https://canary.example"), "ReadTimeoutError"),
    ],
)
def test_a_fault_is_named_by_its_operation_and_awss_code_alone(fault: Exception, reason: str) -> None:
    faulty = store(
        Dynamo(batch_get_item=[fault], update_item=[fault], transact_write_items=[fault], query=[fault])
    )
    for act, operation in (
        (lambda: faulty.find(HELD.key), "BatchGetItem"),
        (lambda: faulty.record_answer(CLAIM), "UpdateItem"),
        (lambda: faulty.release(reservation()), "TransactWriteItems"),
    ):
        with pytest.raises(StoreError) as error:
            cast(Callable[[], object], act)()
        assert str(error.value) == error.value.reason == f"{operation}: {reason}"


def test_a_write_that_another_transaction_holds_off_is_tried_four_times_and_no_more() -> None:
    conflict = failed("TransactionConflictException")
    dynamo = Dynamo(update_item=[conflict, conflict, conflict, {"Attributes": {}}])
    store(dynamo).record_answer(CLAIM)
    assert dynamo.count("update_item") == 4
    dynamo = Dynamo(update_item=[conflict])
    with pytest.raises(Conflict) as error:
        store(dynamo).record_answer(CLAIM)
    assert (error.value.reason, dynamo.count("update_item")) == ("UpdateItem: conflict", 4)


def test_a_read_asks_once_more_for_what_dynamodb_did_not_get_to() -> None:
    pk = verification_pk(HELD.key)
    left = {"UnprocessedKeys": {"a-table": {"Keys": [{"pk": {"S": pk}}]}}, "Responses": {}}
    whole = {"Responses": {"a-table": [verification_item(HELD)]}}
    dynamo = Dynamo(batch_get_item=[left, whole])
    assert store(dynamo).find(HELD.key) == HELD
    assert dynamo.asked[1][1] == {
        "RequestItems": {"a-table": {"Keys": [{"pk": {"S": pk}}], "ConsistentRead": True}}
    }
    with pytest.raises(StoreError, match="BatchGetItem: throttled"):
        store(Dynamo(batch_get_item=[left])).read(AdmissionQuery(NUMBER_KEY, "tenant-a"))


def test_an_item_that_is_no_whole_verification_verifies_nobody() -> None:
    for name in ("tenant", "phone", "numberKey", "createdAt", "expiresAt", "state"):
        item = verification_item(HELD)
        del item[name]
        if name == "state":
            item["state"] = {"S": "unheard-of"}
        with pytest.raises(StoreError, match="malformed item"):
            verification_of(item)


LISTS_MORE = verification_item(HELD)


def test_an_erasure_stops_at_its_deadline_and_asks_to_be_repeated() -> None:
    """A verification that lists more messages each time it is read would hold it up for ever."""
    ticks = iter(range(1000))
    listed = {
        "pk": {"S": number_pk(NUMBER_KEY)},
        "version": {"N": "1"},
        "verifications": {"M": {HELD.key: {"N": str(NOW)}}},
        "tenants": {"SS": ["tenant-a"]},
    }
    dynamo = Dynamo(
        batch_get_item=[
            {"Responses": {"a-table": [listed]}},
            {"Responses": {"a-table": [verification_item(HELD)]}},
        ],
        # What is deleted without a condition is not refused.
        delete_item=[lambda request: refused(LISTS_MORE) if "ConditionExpression" in request else {}],
    )
    numbers = DynamoNumbers(cast(Any, dynamo), "a-table", None)
    erased = numbers.erase(NUMBER_KEY, NOW, Deadline(20, monotonic=lambda: float(next(ticks))))
    assert erased.retry_after == 1
    assert 10 < dynamo.count("delete_item") < 30


def test_a_release_gives_back_each_part_of_a_reservation() -> None:
    dynamo = Dynamo(transact_write_items=[{}])
    entry = LogAppend("a-client", SendLog(), NOW)
    store(dynamo).release(
        reservation(client=entry, idempotency_record=CLAIM, increments=(ShardIncrement("D#0", 5, NOW),))
    )
    ((_, request),) = dynamo.asked
    assert [
        (kind, content["Key"]["pk"]["S"])
        for step in request["TransactItems"]
        for kind, content in step.items()
    ] == [
        ("Delete", verification_pk(HELD.key)),
        ("Update", number_pk(NUMBER_KEY)),
        ("Update", "C#a-client"),
        ("Delete", "I#a-claim"),
        ("Update", "D#0"),
    ]
