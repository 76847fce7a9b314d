"""The writes that the store is made of, and their conditions, each named and explained here.

The life of a verification, and what its conditions look at:

    createdAt ───────────────────────── expiresAt ─────────────── ttl (a day later) ── deleted, some day
       │ state = pending, attempts < max, now < expiresAt │ nothing may be guessed │

Writing to a deleted item would create it anew, so whatever changes a verification names an attribute
that only a whole one has.
"""

import time

from sms_otp.adapters.dynamodb.client import WriteRequest, delete, put, typed, update
from sms_otp.adapters.dynamodb.items import (
    KEEP_VERIFICATION,
    LATE_DELETION,
    failures_pk,
    idempotency_pk,
    message_pk,
    newest_pk,
    number_pk,
    verification_pk,
    verification_ttl,
)
from sms_otp.domain.budgets import ShardIncrement
from sms_otp.domain.idempotency import IdempotencyRecord
from sms_otp.domain.limits import KEEP_LOG, SECOND, Failures, GuessPolicy
from sms_otp.domain.ports import FailureMigration, LogAppend, ProviderHandle, Reservation
from sms_otp.domain.verification import State, Verification

# The parts of conditions.
IS_NEW = "attribute_not_exists(pk)"
IS_OF_TENANT = "tenant = :tenant"
IS_PENDING = "#state = :pending"
IS_ALIVE = "expiresAt > :now"
HAS_GUESSES = "attempts < :max"
HAS_HOLDER = "attribute_exists(providerRef)"
IS_HELD_BY = "providerRef = :ref"
IS_AS_OFTEN_SENT = "sends = :sends"
IS_OF_SESSION = "sessionHash = :session"
HAS_NO_SESSION = "attribute_not_exists(sessionHash)"
IS_OF_NUMBER = "phone = :phone"
IS_VERSION = "version = :version"
HAS_ROOM = "attribute_not_exists(used) OR used < :limit"
HAS_FAILED = "failures = :seen AND lastAt = :at"
IS_FREE_AGAIN = "attribute_not_exists(pk) OR expiresAt <= :now"
IS_RECORD_OWNERS = "nonce = :nonce"


def migrate_failures(failure_migration: FailureMigration) -> list[WriteRequest]:
    """Moved, not copied: a success clears one item. A guess that came meanwhile keeps both as they are."""
    after = failure_migration.after
    return [
        delete(
            failures_pk(failure_migration.from_key, failure_migration.tenant),
            HAS_FAILED,
            **_seen(failure_migration.found),
        ),
        update(
            failures_pk(failure_migration.to_key, failure_migration.tenant),
            "SET failures = :failures, lastAt = :last, #ttl = :ttl",
            HAS_FAILED if failure_migration.before.count else IS_NEW,
            failures=after.count,
            last=after.last_at,
            ttl=after.last_at // SECOND + KEEP_LOG,
            **(_seen(failure_migration.before) if failure_migration.before.count else {}),
        ),
    ]


def _seen(failures: Failures) -> dict[str, int]:
    return {"seen": failures.count, "at": failures.last_at}


def add_number_send(number: LogAppend, reservation: Reservation) -> WriteRequest:
    """As `add_send`, and lists what the reservation makes under the number's key; see `numbers`."""
    log, verification, now = number.log, reservation.verification, reservation.sent_at // SECOND
    listed = {key: until for key, until in log.verifications.items() if until > now}
    if verification.number_key == number.key:
        listed[verification.key] = verification_ttl(verification) + LATE_DELETION
    ends = "" if log.endless else ", #ttl = :ttl"
    return update(
        number_pk(number.key),
        f"SET sends = :sends, version = :next, verifications = :listed{ends} ADD tenants :tenants",
        IS_VERSION if log.version else IS_NEW,
        sends=frozenset((*log.sends, reservation.sent_at)),
        next=log.version + 1,
        listed=listed,
        tenants=frozenset({verification.tenant}),
        **({} if log.endless else {"ttl": number.keep_until + LATE_DELETION}),
        **({"version": log.version} if log.version else {}),
    )


def add_send(pk: str, entry: LogAppend, sent_at: int) -> WriteRequest:
    """One more send in a log, if nothing came in between; `sent_at` in milliseconds."""
    log = entry.log
    return update(
        pk,
        "SET sends = :sends, version = :next, #ttl = :ttl",
        IS_VERSION if log.version else IS_NEW,
        sends=frozenset((*log.sends, sent_at)),
        next=log.version + 1,
        ttl=entry.keep_until,
        **({"version": log.version} if log.version else {}),
    )


def send_again(reservation: Reservation) -> WriteRequest:
    """A resend is conditioned like a guess, so that none brings a verification back to life.

    And on being the next: its reference counts the sends, and `unsend` puts back what it found.
    """
    verification = reservation.verification
    # A second send after one of unknown outcome: no provider is known to hold the code yet.
    is_held = IS_HELD_BY if verification.provider_ref else f"NOT {HAS_HOLDER}"
    held_by = {"ref": verification.provider_ref} if verification.provider_ref else {}
    counted = tuple(increment.key for increment in reservation.increments[1:])
    return update(
        verification_pk(verification.key),
        "SET alsoCountedOn = list_append(alsoCountedOn, :counted) ADD sends :one",
        f"{IS_OF_TENANT} AND {IS_PENDING} AND {IS_ALIVE} AND {is_held} AND {IS_AS_OFTEN_SENT}",
        counted=counted,
        sends=verification.sends,
        one=1,
        tenant=verification.tenant,
        pending=State.PENDING,
        now=reservation.sent_at // SECOND,
        **held_by,
    )


def unsend(reservation: Reservation) -> WriteRequest:
    """What `release` does to the verification: as if its last send had never been asked for."""
    verification = reservation.verification
    pk = verification_pk(verification.key)
    if not reservation.resend:
        return delete(pk, f"{IS_PENDING} AND NOT {HAS_HOLDER}", pending=State.PENDING)
    return update(
        pk,
        "SET alsoCountedOn = :before ADD sends :minus",
        IS_OF_TENANT,
        before=verification.resend_counter_keys,
        minus=-1,
        tenant=verification.tenant,
    )


def put_message(key: str, holder: ProviderHandle, message_id: str) -> WriteRequest:
    """Where reports on this message find their verification and code. Kept as long as one may come."""
    return put(
        {
            "pk": typed(message_pk(holder.provider, message_id)),
            "verification": typed(key),
            "providerRef": typed(holder.ref),
            "ttl": typed(int(time.time()) + KEEP_VERIFICATION),
        }
    )


def remove_send(pk: str, sent_at: int) -> WriteRequest:
    """Take a send out of a log. A new version, so that who read the old one decides anew."""
    return update(pk, "DELETE sends :sent ADD version :one", sent=frozenset({sent_at}), one=1)


def remove_number_send(number: LogAppend, reservation: Reservation) -> WriteRequest:
    """The list too forgets what never was, or requests during an outage would fill the item up."""
    write_request = remove_send(number_pk(number.key), reservation.sent_at)
    if not reservation.resend:
        write_request["Update"]["UpdateExpression"] += " REMOVE verifications.#released"
        write_request["Update"]["ExpressionAttributeNames"] = {"#released": reservation.verification.key}
    return write_request


def spend_increment(increment: ShardIncrement) -> WriteRequest:
    """Count a send on a shard, if it has room."""
    expression = "SET #ttl = :ttl ADD used :one"
    if increment.limit is None:
        return update(increment.key, expression, ttl=increment.keep_until, one=1)
    return update(increment.key, expression, HAS_ROOM, ttl=increment.keep_until, one=1, limit=increment.limit)


def put_answer(idempotency_record: IdempotencyRecord) -> WriteRequest:
    """Keep the answer for repetitions, if the claim is still this request's."""
    answer = idempotency_record.answer.dump() if idempotency_record.answer else ""
    return update(
        idempotency_pk(idempotency_record.key),
        "SET answer = :answer",
        IS_RECORD_OWNERS,
        answer=answer,
        nonce=idempotency_record.nonce,
    )


def put_newest(verification: Verification) -> WriteRequest:
    """Where the number's newest verification at its tenant is found."""
    return put(
        {
            "pk": typed(newest_pk(verification.number_key, verification.tenant)),
            "verification": typed(verification.key),
            "ttl": typed(verification_ttl(verification)),
        }
    )


def waited_long_enough(policy: GuessPolicy, now: int) -> tuple[str, dict[str, int]]:
    """One clause per step of the growing wait, so that a single write can decide without a read."""
    clauses: list[str] = []
    values: dict[str, int] = {}
    *writes, (most, longest) = policy.steps
    for failures, wait in writes:
        values |= {f"f{failures}": failures, f"w{failures}": now - wait}
        clauses.append(f"(failures = :f{failures} AND lastAt <= :w{failures})")
    values |= {"most": most, "longest": now - longest}
    clauses.append("(failures >= :most AND lastAt <= :longest)")
    return " OR ".join(clauses), values
