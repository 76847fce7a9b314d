"""The state of verifications and numbers in DynamoDB: combines writes into transactions and maps failed
conditions to errors. Single writes and their conditions are in `writes` and `number_writes`.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sms_otp.adapters.dynamodb.circuits import circuit_of, circuit_pk
from sms_otp.adapters.dynamodb.client import (
    ConditionFailed,
    Conflict,
    Item,
    Table,
    WriteRequest,
    put,
    update,
)
from sms_otp.adapters.dynamodb.counter_writes import change, count_send, take_out
from sms_otp.adapters.dynamodb.items import (
    counts_of,
    idempotency_pk,
    idempotency_record_of,
    number_of,
    number_pk,
    verification_item,
    verification_of,
    verification_pk,
)
from sms_otp.adapters.dynamodb.number_writes import (
    clear_number,
    end_listed,
    forget_refused,
    leave_behind,
    note_refused,
    release_number,
    relist,
    reserve_number,
    spend_lane,
)
from sms_otp.adapters.dynamodb.stops import STOPS_PK, stops_of
from sms_otp.adapters.dynamodb.writes import (
    HAS_GUESSES,
    HAS_HOLDER,
    HAS_NO_GUESSES,
    HAS_NO_SESSION,
    HAS_SPENT,
    IS_ALIVE,
    IS_HELD_BY,
    IS_NEW,
    IS_OF_NUMBER,
    IS_OF_SESSION,
    IS_OF_TENANT,
    IS_PENDING,
    MAY_GO_ON,
    delete_record,
    note_own_code,
    put_answer,
    put_record,
    send_again,
    unsend,
)
from sms_otp.domain import errors
from sms_otp.domain.budgets import OpenCount, changes_of_success
from sms_otp.domain.clock import SECOND, Milliseconds, Seconds, to_seconds
from sms_otp.domain.idempotency import IdempotencyRecord
from sms_otp.domain.number import Lane, disables, guess_lane, hour_old, lock
from sms_otp.domain.ports import (
    AdmissionQuery,
    AdmissionSnapshot,
    CountedGuess,
    NumberChange,
    NumberGuess,
    OwnCode,
    ProviderHandle,
    Reservation,
    StoreError,
    WriteConflict,
)
from sms_otp.domain.stops import NO_STOPS
from sms_otp.domain.verification import (
    DELIVERY_BEFORE,
    Guess,
    State,
    Verification,
    cancel_error,
    consume_error,
    guess_error,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from sms_otp.adapters.dynamodb.users import UsersTable


class DynamoStore:
    """Implements `ports.Store` on one DynamoDB table. Safe to share between requests."""

    def __init__(self, client: "DynamoDBClient", table: str, users: "UsersTable | None" = None) -> None:
        self._table = Table(client, table)
        self._users = users

    def read(self, query: AdmissionQuery) -> AdmissionSnapshot:
        """See `ports.Store`."""
        previous = query.previous
        found = self._table.read([*_keys_of(query), *(_keys_of(previous) if previous else ())])
        return replace(_snapshot(query, found), previous=_snapshot(previous, found) if previous else None)

    def reserve(self, reservation: Reservation) -> None:
        """See `ports.Store`."""
        number, verification = reservation.number, reservation.verification
        writes = [reserve_number(number)] if number else []
        writes.append(
            send_again(reservation) if reservation.resend else put(verification_item(verification), IS_NEW)
        )
        if reservation.idempotency_record:
            writes += put_record(reservation.idempotency_record)
        if number and number.carried and (left := leave_behind(number.carried)):
            writes.append(left)
        writes += map(count_send, reservation.increments)
        try:
            self._reserve(writes, reservation)
        except (ConditionFailed, Conflict) as conflict:
            raise WriteConflict from conflict

    def _reserve(self, writes: list[WriteRequest], reservation: Reservation) -> None:
        if self._users is None or reservation.resend:
            self._table.transact(writes)
            return
        verification, now = reservation.verification, reservation.sent_at
        try:
            self._table.transact([*writes, self._users.requested(verification, to_seconds(now))])
        except ConditionFailed as failed:
            if failed.at != len(writes):
                raise
            self._table.transact(
                [*writes, self._users.requested(verification, to_seconds(now), lives_on=True)]
            )

    def release(self, reservation: Reservation) -> None:
        """See `ports.Store`."""
        number, record = reservation.number, reservation.idempotency_record
        writes = [unsend(reservation)]
        if number:
            writes.append(release_number(number, reservation))
        if record:
            writes += delete_record(record)
        writes += map(take_out, reservation.increments)
        self._table.transact(writes)

    def find(self, key: str) -> Verification | None:
        """See `ports.Store`."""
        pk = verification_pk(key)
        found = self._table.read([pk]).get(pk)
        return verification_of(found) if found else None

    def cancel(self, key: str, tenant: str) -> Verification:
        """See `ports.Store`."""
        write_request = update(
            verification_pk(key),
            "SET #state = :cancelled",
            f"{IS_OF_TENANT} AND {IS_PENDING}",
            tenant=tenant,
            pending=State.PENDING,
            cancelled=State.CANCELLED,
        )
        try:
            return verification_of(self._table.update(write_request))
        except ConditionFailed as failed:
            found = verification_of(failed.item) if failed.item else None
            if found is None:
                raise errors.VerificationNotFound from failed
            if (refused := cancel_error(found, tenant)) is not None:
                raise refused from failed
            return found

    def end_code(self, number_key: str, key: str) -> None:
        """See `ports.Store`."""
        try:
            self._table.update(end_listed(number_key, key))
        except ConditionFailed:
            return

    def record_sent(
        self,
        key: str,
        holder: ProviderHandle,
        idempotency_record: IdempotencyRecord | None = None,
        number: NumberChange | None = None,
    ) -> None:
        """See `ports.Store`."""
        held_by: dict[str, Any] = {
            "provider": holder.provider,
            "ref": holder.ref,
            "channel": holder.channel,
            "delivery": holder.delivery,
        }
        expression = "SET provider = :provider, providerRef = :ref, channel = :channel, delivery = :delivery"
        extra_writes = []
        listed = number.verifications.get(key) if number else None
        if number and listed and listed.provider != holder.provider:
            extra_writes.append(relist(number.key, key, replace(listed, provider=holder.provider)))
        if holder.message_id:
            held_by["messages"] = frozenset({holder.message_id})
            expression += " ADD messages :messages" if holder.is_same_code else ", messages = :messages"
        elif not holder.is_same_code:
            expression += " REMOVE messages"
        try:
            self._settle(key, expression, held_by, idempotency_record, *extra_writes)
        except ConditionFailed as failed:
            if failed.at or failed.item is None:
                raise
            raise consume_error(verification_of(failed.item)) from failed

    def record_failed(self, key: str, idempotency_record: IdempotencyRecord | None = None) -> None:
        """See `ports.Store`."""
        self._settle(key, "SET #state = :failed", {"failed": State.FAILED}, idempotency_record)

    def _settle(
        self,
        key: str,
        expression: str,
        values: dict[str, Any],
        idempotency_record: IdempotencyRecord | None,
        *extra_writes: WriteRequest,
    ) -> None:
        """Write a send's result to the verification, and the answer to the idempotency record if any."""
        settle = update(verification_pk(key), expression, IS_PENDING, pending=State.PENDING, **values)
        writes = [settle, *(put_answer(idempotency_record) if idempotency_record else []), *extra_writes]
        if len(writes) == 1:
            self._table.update(settle)
        else:
            self._table.transact(writes)

    def record_answer(self, idempotency_record: IdempotencyRecord) -> None:
        """See `ports.Store`."""
        for write_request in put_answer(idempotency_record):
            self._table.update(write_request)

    def claim(self, idempotency_record: IdempotencyRecord) -> IdempotencyRecord | None:
        """See `ports.Store`."""
        try:
            self._table.transact(put_record(idempotency_record))
        except ConditionFailed as failed:
            return idempotency_record_of(failed.item)
        return None

    def unclaim(self, idempotency_record: IdempotencyRecord) -> None:
        """See `ports.Store`."""
        self._table.transact(delete_record(idempotency_record))

    def note_own_code(self, request: OwnCode) -> Verification | None:
        """See `ports.Store`."""
        try:
            return verification_of(self._table.update(note_own_code(request)))
        except ConditionFailed:
            return None

    def record_delivery(self, key: str, delivery: str) -> bool:
        """See `ports.Store`."""
        before = {word: word for word in DELIVERY_BEFORE[delivery]}
        condition = f"{HAS_HOLDER} AND delivery IN ({', '.join(f':{word}' for word in before)})"
        write_request = update(
            verification_pk(key), "SET delivery = :reported", condition, reported=delivery, **before
        )
        try:
            self._table.update(write_request)
        except ConditionFailed:
            return False
        return True

    def find_listed(self, number_keys: Collection[str], now: Seconds) -> frozenset[str]:
        """See `ports.Store`."""
        found = self._table.read_many(map(number_pk, number_keys))
        return frozenset(key for item in found.values() for key in number_of(item).kept(now))

    def find_each(self, keys: Collection[str]) -> dict[str, Verification]:
        """See `ports.Store`."""
        pks = {verification_pk(key): key for key in keys}
        found = self._table.read_many(pks)
        return {pks[pk]: verification_of(item) for pk, item in found.items()}

    def spend_guess(self, guess: Guess) -> Verification:
        """See `ports.Store`."""
        conditions = [IS_OF_TENANT, IS_PENDING, IS_ALIVE, HAS_GUESSES, HAS_HOLDER]
        values: dict[str, Any] = {
            "tenant": guess.tenant,
            "pending": State.PENDING,
            "now": guess.now,
            "max": guess.max_attempts,
            "one": 1,
        }
        if guess.session_hash is None:
            conditions.append(HAS_NO_SESSION)
        else:
            conditions.append(IS_OF_SESSION)
            values["session"] = guess.session_hash
        if guess.phone is not None:
            conditions.append(IS_OF_NUMBER)
            values["phone"] = guess.phone
        expression = "ADD attempts :one"
        if (record := guess.idempotency_record) is not None:
            expression += ", claims :claims"
            values["claims"] = frozenset(record.keys)
        condition = " AND ".join(conditions)
        try:
            spent = self._table.update(update(verification_pk(guess.key), expression, condition, **values))
        except ConditionFailed as failed:
            found = verification_of(failed.item) if failed.item else None
            raise guess_error(found, guess) or errors.VerificationNotFound() from failed
        return verification_of(spent)

    def return_guess(self, key: str) -> None:
        """See `ports.Store`."""
        given_back = update(
            verification_pk(key),
            "ADD attempts :minus",
            f"{IS_PENDING} AND {HAS_SPENT} AND {MAY_GO_ON}",
            pending=State.PENDING,
            minus=-1,
            none=0,
        )
        try:
            self._table.update(given_back)
        except ConditionFailed:
            return

    def end_guesses(self, key: str, max_attempts: int) -> bool:
        """See `ports.Store`."""
        ended = update(
            verification_pk(key),
            "SET guessesEnded = :one",
            f"{IS_PENDING} AND {HAS_NO_GUESSES}",
            pending=State.PENDING,
            one=1,
            max=max_attempts,
        )
        try:
            self._table.update(ended)
        except ConditionFailed:
            return False
        return True

    def spend_number_guess(self, guess: NumberGuess) -> CountedGuess:
        """See `ports.Store`. One write, or two if the first lane is closed or at its last guess."""
        first = Lane.TOKEN if guess.token_issued_at is not None else guess.lane
        try:
            return self._spend_lane(guess, first, is_last=False)
        except ConditionFailed as failed:
            found = number_of(failed.item)
        lane = guess_lane(found, guess.tenant, guess.lane, guess.token_issued_at, guess.policy)
        if (locked := lock(found, guess.tenant, lane, guess.policy, guess.now)) is not None:
            raise locked
        is_last = disables(found, guess.tenant, lane, guess.policy)
        try:
            return self._spend_lane(guess, lane, is_last=is_last)
        except ConditionFailed as failed:
            locked = lock(number_of(failed.item), guess.tenant, lane, guess.policy, guess.now)
            raise locked or errors.NumberLocked(retry_after=SECOND) from failed

    def _spend_lane(self, guess: NumberGuess, lane: Lane, *, is_last: bool) -> CountedGuess:
        spent = self._table.update(spend_lane(guess, lane, is_last=is_last))
        return CountedGuess(lane, number_of(spent), guess)

    def note_refused(self, number_key: str, now: Milliseconds, moment: int) -> None:
        """See `ports.Store`."""
        note = note_refused(number_key, now, moment)
        try:
            self._table.update(note)
        except ConditionFailed as failed:
            if old := hour_old(number_of(failed.item).refused, now):
                self._table.update(forget_refused(number_key, old))
                self._table.update(note)

    def consume(
        self, verification: Verification, counted: CountedGuess, attempt: str, now: Seconds, code_hash: str
    ) -> None:
        """See `ports.Store`."""
        needed = [
            update(
                verification_pk(verification.key),
                "SET #state = :verified, verifiedAt = :now, verifiedBy = :attempt, codeHash = :code",
                f"{IS_PENDING} AND {IS_ALIVE} AND {IS_HELD_BY}",
                verified=State.VERIFIED,
                pending=State.PENDING,
                now=now,
                attempt=attempt,
                code=code_hash,
                ref=verification.provider_ref,
            ),
            clear_number(verification, counted, now),
        ]
        changes = changes_of_success(
            map(OpenCount.load, verification.counted_on), map(OpenCount.load, verification.resends_counted_on)
        )
        counters = [change(pk, amounts) for pk, amounts in changes.items()]
        try:
            self._consume(needed, counters, verification, now)
        except ConditionFailed as failed:
            held = verification_of(failed.item) if failed.item else None
            if held and held.state is State.VERIFIED and held.verified_by == attempt:
                return
            raise consume_error(held) from failed

    def _consume(
        self,
        needed: list[WriteRequest],
        counted: list[WriteRequest],
        verification: Verification,
        now: Seconds,
    ) -> None:
        """Store a success in up to two tries: the provider confirms a code only once.

        The second try leaves out the counters and the user's purpose: neither a busy counter nor a full
        user record may cost the success.
        """
        user, least = self._users_writes(verification, now)
        try:
            return self._table.transact(needed + user + counted)
        except ConditionFailed as failed:
            if failed.at < len(needed):
                raise
        except StoreError:
            pass
        return self._table.transact(needed + least)

    def _users_writes(
        self, verification: Verification, now: Seconds
    ) -> tuple[list[WriteRequest], list[WriteRequest]]:
        """The user's record with its purpose, which may not fit, and without. Empty if no users are kept."""
        if self._users is None:
            return [], []
        whole, least = (
            self._users.verified(verification, now, with_purpose=has_purpose) for has_purpose in (True, False)
        )
        return [whole], [least]


def _keys_of(query: AdmissionQuery) -> list[str]:
    keys = [number_pk(query.number_key)]
    keys += [idempotency_pk(query.record_key)] if query.record_key else []
    keys += [STOPS_PK] if query.with_stops else []
    return [*keys, *query.counters, *map(circuit_pk, query.circuits)]


def _snapshot(query: AdmissionQuery, found: Mapping[str, Item]) -> AdmissionSnapshot:
    return AdmissionSnapshot(
        number=number_of(found.get(number_pk(query.number_key))),
        idempotency_record=idempotency_record_of(found.get(idempotency_pk(query.record_key or ""))),
        counters={pk: counts_of(found[pk]) for pk in query.counters if pk in found},
        circuits={
            name: circuit_of(found[circuit_pk(name)]) for name in query.circuits if circuit_pk(name) in found
        },
        stops=stops_of(found.get(STOPS_PK)) if query.with_stops else NO_STOPS,
    )
