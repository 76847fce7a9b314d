"""The store's answers to DynamoDB's refusals: whose condition failed, and the error that the caller gets.

DynamoDB is scripted here, so that each refusal comes on cue; `tests/contract/test_stores.py` holds the
conditions themselves.
"""

import dataclasses
import re
from collections.abc import Callable
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from fakes.memory import START, a_verification, number_key
from local.template import environment
from sms_otp.adapters.config import Settings
from sms_otp.adapters.dynamodb import client
from sms_otp.adapters.dynamodb.client import ConditionFailed, Conflict, Table
from sms_otp.adapters.dynamodb.items import (
    list_key,
    number_of,
    number_pk,
    verification_item,
    verification_of,
    verification_pk,
)
from sms_otp.adapters.dynamodb.numbers import DynamoNumbers
from sms_otp.adapters.dynamodb.store import DynamoStore
from sms_otp.domain import errors
from sms_otp.domain.budgets import ShardIncrement
from sms_otp.domain.clock import Deadline, Seconds, to_milliseconds
from sms_otp.domain.commands import Policy
from sms_otp.domain.idempotency import IdempotencyRecord
from sms_otp.domain.number import Lane, Number, Send
from sms_otp.domain.ports import (
    AdmissionQuery,
    CountedGuess,
    NumberChange,
    NumberGuess,
    ProviderHandle,
    Reservation,
    StoreError,
    WriteConflict,
)
from sms_otp.domain.users import FOREVER
from sms_otp.domain.verification import Guess, State
from sms_otp.entry_points import bootstrap

NOW = Seconds(int(START))
NOW_MS = to_milliseconds(NOW)
NUMBER_KEY = number_key("+14155550123")

Answer = dict[str, Any] | Exception | Callable[[dict[str, Any]], dict[str, Any] | Exception]
Request = tuple[str, dict[str, Any]]


class Dynamo:
    """Answers each call from the script of its operation; the last answer repeats."""

    def __init__(self, **script: list[Answer]) -> None:
        self.script = script
        self.calls: list[Request] = []

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        def call(**request: Any) -> dict[str, Any]:
            self.calls.append((operation, request))
            assert len(self.calls) < 1000, "it would go on for ever"
            answers = self.script[operation]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            given = answer(request) if callable(answer) else answer
            if isinstance(given, Exception):
                raise given
            return given

        return call

    def count(self, operation: str) -> int:
        return sum(1 for called, _ in self.calls if called == operation)


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
    """A number's item, with failures of strangers at one tenant."""
    return {
        "pk": {"S": number_pk(NUMBER_KEY)},
        "failures#stranger#tenant-a": {"N": str(count)},
        "failedAt#stranger#tenant-a": {"N": str(last_at)},
        "failures#tenant-a": {"N": str(count)},
    }


def guess_at_number(policy: Policy) -> NumberGuess:
    return NumberGuess(NUMBER_KEY, "tenant-a", NOW_MS, NOW_MS * 1000, policy.number_limits("US"))


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each pause, instead of the pauses."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


HELD = a_verification()
CONDITION = "ConditionalCheckFailed"


def reservation(**changes: Any) -> Reservation:
    verification = a_verification(provider=None, provider_ref=None)
    send = Send(NOW_MS)
    number = NumberChange(verification.number_key, Number(), (send,), send, {}, NOW + Seconds(1000))
    whole: dict[str, Any] = {"verification": verification, "sent_at": NOW_MS, "number": number}
    return Reservation(**whole | changes)


@pytest.mark.parametrize(
    "refusal",
    [
        cancelled(CONDITION, "None"),
        cancelled("None", CONDITION),
        cancelled("TransactionConflict", "None"),
    ],
)
def test_a_change_since_the_read_is_a_write_conflict(refusal: ClientError) -> None:
    with pytest.raises(WriteConflict):
        store(Dynamo(transact_write_items=[refusal])).reserve(reservation())


@pytest.mark.parametrize(
    ("found", "kind", "retry_after"),
    [
        (failures_item(80), errors.NumberDisabled, None),
        (failures_item(79, NOW_MS - 1000), errors.NumberLocked, 3599),
    ],
)
def test_the_loser_of_the_race_for_the_last_guess_gets_the_reason(
    policy: Policy, found: dict[str, Any], kind: type[errors.OtpError], retry_after: int | None
) -> None:
    dynamo = Dynamo(update_item=[refused(failures_item(79, 0)), refused(found)])
    with pytest.raises(kind) as locked:
        store(dynamo).spend_number_guess(guess_at_number(policy))
    assert locked.value.retry_after == retry_after


def test_a_refusal_that_the_item_no_longer_explains_is_still_a_lock(policy: Policy) -> None:
    """The failures were cleared in between: the guess was refused, and must not count as spent."""
    for item in (failures_item(79, 0), None):
        dynamo = Dynamo(update_item=[refused(item), refused()])
        with pytest.raises(errors.NumberLocked) as locked:
            store(dynamo).spend_number_guess(guess_at_number(policy))
        assert (locked.value.retry_after, dynamo.count("update_item")) == (1, 2)


@pytest.mark.parametrize(
    ("count", "last_at", "kind", "retry_after"),
    [
        (20, NOW_MS - 12_000, errors.NumberLocked, 18),
        (21, NOW_MS, errors.NumberLocked, 60),
        (78, NOW_MS, errors.NumberLocked, 3600),
        (79, NOW_MS - 1, errors.NumberLocked, 3600),
        (80, 0, errors.NumberDisabled, None),
    ],
)
def test_a_locked_number_is_answered_from_the_item_in_the_table(
    policy: Policy, count: int, last_at: int, kind: type[errors.OtpError], retry_after: int | None
) -> None:
    dynamo = Dynamo(update_item=[refused(failures_item(count, last_at))])
    with pytest.raises(kind) as locked:
        store(dynamo).spend_number_guess(guess_at_number(policy))
    assert locked.value.retry_after == retry_after
    assert dynamo.count("update_item") == 1


def test_the_last_guess_is_one_update_and_leaves_an_item_that_never_expires(policy: Policy) -> None:
    disabled = failures_item(80)
    dynamo = Dynamo(update_item=[refused(failures_item(79, 0)), {"Attributes": disabled}])
    spent = store(dynamo).spend_number_guess(guess_at_number(policy))
    assert spent.number.failures_of("tenant-a", Lane.STRANGER).count == 80
    (_, _), (_, request) = dynamo.calls
    ttl = next(alias for alias, name in request["ExpressionAttributeNames"].items() if name == "ttl")
    (value,) = re.findall(f"{ttl} = (:v[0-9]+)", request["UpdateExpression"])
    assert request["ExpressionAttributeValues"][value] == {"N": str(FOREVER)}


ENDED = [
    (State.VERIFIED, errors.AlreadyVerified),
    (State.CANCELLED, errors.VerificationCancelled),
    (State.FAILED, errors.VerificationCancelled),
]
RECORD = IdempotencyRecord("a-claim", "a-fingerprint", "a-nonce", NOW)
HANDLE = ProviderHandle("infobip", "ref-2", "sms", "accepted", "a-message")


@pytest.mark.parametrize(("state", "kind"), ENDED)
def test_a_send_whose_verification_ended_meanwhile_gets_the_reason(
    state: State, kind: type[errors.OtpError]
) -> None:
    item = verification_item(a_verification(state=state))
    with pytest.raises(kind):
        store(Dynamo(update_item=[refused(item)])).record_sent(
            HELD.key, ProviderHandle("a", "ref", "sms", "accepted")
        )
    with pytest.raises(kind):
        store(Dynamo(transact_write_items=[cancelled(CONDITION, "None", "None", item=item)])).record_sent(
            HELD.key, HANDLE, RECORD
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
def test_a_failed_condition_of_another_item_is_not_the_verifications(refusal: ClientError) -> None:
    """Else a deleted idempotency record would look like a used code."""
    with pytest.raises(ConditionFailed):
        store(Dynamo(transact_write_items=[refusal])).record_sent(HELD.key, HANDLE, RECORD)


def consume(dynamo: Dynamo, request_id: str = "a-request") -> None:
    policy = bootstrap.policy(Settings.from_environment(environment()))
    counted = CountedGuess(Lane.STRANGER, Number(), guess_at_number(policy))
    store(dynamo).consume(
        a_verification(counted_on=("B#US#0|open=8|verified=8",)), counted, request_id, NOW, "a-hash"
    )


@pytest.mark.parametrize(("state", "kind"), [*ENDED, (State.PENDING, errors.OtpExpired)])
def test_a_right_code_that_cannot_be_consumed_gets_the_reason(
    state: State, kind: type[errors.OtpError]
) -> None:
    item = verification_item(a_verification(state=state, verified_by="another-request"))
    with pytest.raises(kind):
        consume(Dynamo(transact_write_items=[cancelled(CONDITION, "None", "None", item=item)]))
    with pytest.raises(errors.VerificationNotFound):
        consume(Dynamo(transact_write_items=[cancelled(CONDITION, "None", "None")]))


def test_a_retried_consumption_is_recognised_by_its_request_id() -> None:
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
def test_a_counter_that_cannot_be_written_does_not_fail_the_verification(fault: ClientError) -> None:
    answers: list[Answer] = [fault] * (4 if "TransactionConflict" in str(fault.response) else 1)
    dynamo = Dynamo(transact_write_items=[*answers, {}])
    consume(dynamo)
    sizes = [len(request["TransactItems"]) for _, request in dynamo.calls]
    assert {*sizes[:-1]} == {3}
    assert sizes[-1] == 2, "the verification and its failures alone"


def test_a_refused_guess_gets_its_error_from_the_item() -> None:
    guess = Guess(HELD.key, "tenant-a", NOW + Seconds(283), 5)
    spent = verification_item(a_verification(attempts=5))
    with pytest.raises(errors.TooManyAttempts) as refusal:
        store(Dynamo(update_item=[refused(spent)])).spend_guess(guess)
    assert (refusal.value.retry_after, refusal.value.attempts_remaining) == (17, 0)
    for item in (None, verification_item(a_verification())):
        with pytest.raises(errors.VerificationNotFound):
            store(Dynamo(update_item=[refused(item)])).spend_guess(guess)


def test_a_refused_cancellation_gets_its_error_from_the_item() -> None:
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
def test_a_fault_is_named_by_its_operation_and_error_code_only(fault: Exception, reason: str) -> None:
    faulty = store(
        Dynamo(batch_get_item=[fault], update_item=[fault], transact_write_items=[fault], query=[fault])
    )
    for act, operation in (
        (lambda: faulty.find(HELD.key), "BatchGetItem"),
        (lambda: faulty.record_answer(RECORD), "UpdateItem"),
        (lambda: faulty.release(reservation()), "TransactWriteItems"),
    ):
        with pytest.raises(StoreError) as error:
            cast(Callable[[], object], act)()
        assert str(error.value) == error.value.reason == f"{operation}: {reason}"


def test_a_conflicting_write_is_tried_four_times_at_most() -> None:
    conflict = failed("TransactionConflictException")
    dynamo = Dynamo(update_item=[conflict, conflict, conflict, {"Attributes": {}}])
    store(dynamo).record_answer(RECORD)
    assert dynamo.count("update_item") == 4
    dynamo = Dynamo(update_item=[conflict])
    with pytest.raises(Conflict) as error:
        store(dynamo).record_answer(RECORD)
    assert (error.value.reason, dynamo.count("update_item")) == ("UpdateItem: conflict", 4)


def test_a_conflicting_write_pauses_at_most_300_milliseconds_in_all(pauses: list[float]) -> None:
    dynamo = Dynamo(update_item=[failed("TransactionConflictException")])
    with pytest.raises(Conflict):
        store(dynamo).record_answer(RECORD)
    for pause, least in zip(pauses, (0.01, 0.02, 0.04, 0.08), strict=True):
        assert least <= pause < 2 * least


def test_a_read_pauses_50_to_100_milliseconds_before_its_unprocessed_keys(pauses: list[float]) -> None:
    left = {"UnprocessedKeys": {"a-table": {"Keys": [{"pk": {"S": "v"}}]}}, "Responses": {}}
    with pytest.raises(StoreError):
        store(Dynamo(batch_get_item=[left])).find(HELD.key)
    (pause,) = pauses
    assert 0.05 <= pause < 0.1


def test_a_read_repeats_unprocessed_keys_once() -> None:
    pk = verification_pk(HELD.key)
    left = {"UnprocessedKeys": {"a-table": {"Keys": [{"pk": {"S": pk}}]}}, "Responses": {}}
    whole = {"Responses": {"a-table": [verification_item(HELD)]}}
    dynamo = Dynamo(batch_get_item=[left, whole])
    assert store(dynamo).find(HELD.key) == HELD
    assert dynamo.calls[1][1] == {
        "RequestItems": {"a-table": {"Keys": [{"pk": {"S": pk}}], "ConsistentRead": True}}
    }
    with pytest.raises(StoreError, match="BatchGetItem: throttled"):
        store(Dynamo(batch_get_item=[left])).read(AdmissionQuery(NUMBER_KEY, "tenant-a"))


def test_an_incomplete_verification_item_is_malformed() -> None:
    for name in ("tenant", "phone", "numberKey", "createdAt", "expiresAt", "state"):
        item = verification_item(HELD)
        del item[name]
        if name == "state":
            item["state"] = {"S": "unheard-of"}
        with pytest.raises(StoreError, match="malformed item"):
            verification_of(item)


def test_an_erasure_stops_at_its_deadline_and_says_when_to_repeat() -> None:
    ticks = iter(range(1000))
    held = [dataclasses.replace(HELD, key=f"{index:064x}") for index in range(100)]
    listed = {
        "pk": {"S": number_pk(NUMBER_KEY)},
        "version": {"N": "1"},
        "verifications": {"M": {list_key(each.key): {"S": f"{NOW}:{NOW}:an-owner:"} for each in held}},
    }
    dynamo = Dynamo(
        batch_get_item=[
            {"Responses": {"a-table": [listed]}},
            {"Responses": {"a-table": [verification_item(each) for each in held]}},
        ],
        delete_item=[lambda _: {}],
    )
    numbers = DynamoNumbers(cast(Any, dynamo), "a-table", None)
    erased = numbers.erase(NUMBER_KEY, NOW, Deadline(20, monotonic=lambda: float(next(ticks))))
    assert erased.retry_after == 1
    assert 10 < dynamo.count("delete_item") < 30


def test_a_release_refunds_each_part_of_a_reservation() -> None:
    dynamo = Dynamo(transact_write_items=[{}])
    increments = (ShardIncrement("D#0", spent={"spent": 5}), ShardIncrement("C#a-client", open={"used7": 1}))
    store(dynamo).release(reservation(idempotency_record=RECORD, increments=increments))
    ((_, request),) = dynamo.calls
    assert [
        (kind, content["Key"]["pk"]["S"])
        for step in request["TransactItems"]
        for kind, content in step.items()
    ] == [
        ("Delete", verification_pk(HELD.key)),
        ("Update", number_pk(NUMBER_KEY)),
        ("Delete", "I#a-claim"),
        ("Update", "D#0"),
        ("Update", "C#a-client"),
    ]


@pytest.mark.parametrize(
    "malformed",
    [
        {"sends": {"SS": ["1800000000000:s:"]}, "verifications": {"M": {"a": {"S": "1:2:owner"}}}},
        {"sends": {"SS": ["1800000000000"]}},
        {"sends": {"SS": ["soon:s:"]}},
        {"failures#stranger#tenant-a": {"N": "1"}},
        {"failures#unheard-of#tenant-a": {"N": "1"}},
        {"version": {"S": "1"}},
        {"networks": {"M": {"a": {"S": "1"}}}},
    ],
)
def test_an_incomplete_number_item_is_malformed(malformed: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="malformed item"):
        number_of({"pk": {"S": number_pk(NUMBER_KEY)}, **malformed})


def test_an_unlocking_that_always_conflicts_fails_after_five_tries() -> None:
    dynamo = Dynamo(batch_get_item=[{"Responses": {"a-table": [failures_item(3)]}}], update_item=[refused()])
    with pytest.raises(StoreError, match="UpdateItem: contended"):
        DynamoNumbers(cast(Any, dynamo), "a-table", None).unlock(NUMBER_KEY, NOW)
    assert dynamo.count("update_item") == 5


def test_a_partition_is_read_a_page_at_a_time_to_its_end() -> None:
    last = {"pk": {"S": "last"}}
    dynamo = Dynamo(query=[{"Items": [{"a": 1}], "LastEvaluatedKey": last}, {"Items": [{"a": 2}]}])
    assert [*Table(cast(Any, dynamo), "a-table").partition("pk", "a")] == [{"a": 1}, {"a": 2}]
    first, second = (request for _, request in dynamo.calls)
    assert first["ConsistentRead"] is second["ConsistentRead"] is True
    assert (first.get("ExclusiveStartKey"), second["ExclusiveStartKey"]) == (None, last)


def test_a_write_is_not_retried_after_half_a_second_of_conflicts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allowed: list[float] = []

    def expired(seconds: float) -> Deadline:
        allowed.append(seconds)
        return Deadline(0)

    monkeypatch.setattr(client, "Deadline", expired)
    dynamo = Dynamo(transact_write_items=[cancelled("TransactionConflict")])
    with pytest.raises(Conflict):
        Table(cast(Any, dynamo), "a-table").transact([])
    assert (dynamo.count("transact_write_items"), allowed) == (1, [0.5])


def test_a_transaction_that_is_cancelled_for_no_condition_is_reported() -> None:
    dynamo = Dynamo(transact_write_items=[cancelled("None", "ThrottlingError")])
    with pytest.raises(StoreError, match="TransactWriteItems: cancelled"):
        Table(cast(Any, dynamo), "a-table").transact([])


def test_an_erasure_that_a_reservation_overtakes_reads_the_number_again() -> None:
    listed = {
        "pk": {"S": number_pk(NUMBER_KEY)},
        "version": {"N": "1"},
        "verifications": {"M": {list_key(HELD.key): {"S": f"{NOW}:{NOW}:an-owner:"}}},
    }
    of_number = {"Responses": {"a-table": [listed]}}
    of_verification = {"Responses": {"a-table": [verification_item(HELD)]}}
    dynamo = Dynamo(
        batch_get_item=[of_number, of_verification, of_number, of_verification],
        delete_item=[{"Attributes": {"pk": {"S": "V#"}}}],
        transact_write_items=[cancelled(CONDITION, item=listed), {}],
    )
    erased = DynamoNumbers(cast(Any, dynamo), "a-table", None).erase(NUMBER_KEY, NOW, Deadline(20))
    assert (dynamo.count("transact_write_items"), erased.retry_after) == (2, 30)
