"""Writes to verifications and idempotency records, with their named conditions.

The life of a verification, and the attributes that conditions check:

    createdAt ───────────────────────── expiresAt ─────────────── ttl (a day later) ── deleted, some day
       │ state = pending, attempts < max, now < expiresAt │ no guess is accepted   │

An update of a deleted item would create it again, so each update of a verification is conditioned on
an attribute that only a complete one has.
"""

from sms_otp.adapters.dynamodb.client import WriteRequest, delete, put, update
from sms_otp.adapters.dynamodb.items import (
    idempotency_item,
    idempotency_pk,
    verification_pk,
)
from sms_otp.domain.budgets import dumped
from sms_otp.domain.clock import to_seconds
from sms_otp.domain.idempotency import IdempotencyRecord
from sms_otp.domain.ports import OwnCode, Reservation
from sms_otp.domain.verification import State

# The parts of conditions.
IS_NEW = "attribute_not_exists(pk)"
IS_THERE = "attribute_exists(pk)"
IS_OF_TENANT = "tenant = :tenant"
IS_PENDING = "#state = :pending"
IS_ALIVE = "expiresAt > :now"
HAS_GUESSES = "attempts < :max"
HAS_SPENT = "attempts > :none"
HAS_NO_GUESSES = "attempts >= :max"
MAY_GO_ON = "attribute_not_exists(guessesEnded)"
HAS_HOLDER = "attribute_exists(providerRef)"
IS_HELD_BY = "providerRef = :ref"
IS_NOT_HELD_BY = "(attribute_not_exists(providerRef) OR providerRef <> :ref)"
IS_AS_OFTEN_SENT = "sends = :sends"
IS_OF_SESSION = "sessionHash = :session"
HAS_NO_SESSION = "attribute_not_exists(sessionHash)"
IS_OF_NUMBER = "phone = :phone"
IS_VERSION = "version = :version"
HAS_NO_VERSION = "attribute_not_exists(version)"
IS_FREE_AGAIN = "attribute_not_exists(pk) OR expiresAt <= :now"
IS_RECORD_OWNERS = "nonce = :nonce"


def send_again(reservation: Reservation) -> WriteRequest:
    """Add a resend to a verification that is pending, unexpired and held by the provider that was read.

    Also conditioned on the number of sends, which the resend's reference contains.
    """
    verification, record = reservation.verification, reservation.idempotency_record
    counted = dumped(reservation.increments)
    claims = {"claims": frozenset(record.keys)} if record else {}
    # A second send after one of unknown outcome: no provider is known to hold the code yet.
    is_held = IS_HELD_BY if verification.provider_ref else f"NOT {HAS_HOLDER}"
    held_by = {"ref": verification.provider_ref} if verification.provider_ref else {}
    return update(
        verification_pk(verification.key),
        "SET alsoCountedOn = list_append(alsoCountedOn, :counted) ADD sends :one"
        + (", claims :claims" if claims else ""),
        f"{IS_OF_TENANT} AND {IS_PENDING} AND {IS_ALIVE} AND {is_held} AND {IS_AS_OFTEN_SENT}",
        counted=counted,
        sends=verification.sends,
        one=1,
        tenant=verification.tenant,
        pending=State.PENDING,
        now=to_seconds(reservation.sent_at),
        **held_by,
        **claims,
    )


def note_own_code(request: OwnCode) -> WriteRequest:
    """Note that the verification's newest send, while under way, carries the verification's own code.

    A provider that has answered our start no longer requests its code; a later request is somebody else's.
    """
    conditions = (IS_PENDING, IS_ALIVE, IS_OF_NUMBER, IS_AS_OFTEN_SENT, IS_NOT_HELD_BY)
    return update(
        verification_pk(request.key),
        "ADD ownCode :refs",
        " AND ".join(conditions),
        refs=frozenset({request.ref}),
        ref=request.ref,
        pending=State.PENDING,
        now=request.now,
        phone=request.phone,
        sends=request.number + 1,
    )


def unsend(reservation: Reservation) -> WriteRequest:
    """Undo the last send: delete a new verification, or restore the counters from before a resend.

    The number of sends stays, so no reference is used twice: another resend may already have the next.
    """
    verification = reservation.verification
    pk = verification_pk(verification.key)
    if not reservation.resend:
        return delete(pk, f"{IS_PENDING} AND NOT {HAS_HOLDER}", pending=State.PENDING)
    return update(
        pk,
        "SET alsoCountedOn = :before",
        IS_OF_TENANT,
        before=verification.resends_counted_on,
        tenant=verification.tenant,
    )


def put_record(idempotency_record: IdempotencyRecord) -> list[WriteRequest]:
    """Claim an Idempotency-Key, under both peppers during a rotation."""
    return [
        put(idempotency_item(each), IS_FREE_AGAIN, now=each.started_at) for each in _twins(idempotency_record)
    ]


def put_answer(idempotency_record: IdempotencyRecord) -> list[WriteRequest]:
    """Store the answer for repeated requests, if this request still owns the key."""
    return [
        update(
            idempotency_pk(each.key),
            "SET answer = :answer",
            IS_RECORD_OWNERS,
            answer=each.answer.dump() if each.answer else "",
            nonce=each.nonce,
        )
        for each in _twins(idempotency_record)
    ]


def delete_record(idempotency_record: IdempotencyRecord) -> list[WriteRequest]:
    """Free an Idempotency-Key, if this request still owns it."""
    return [
        delete(idempotency_pk(each.key), f"{IS_NEW} OR {IS_RECORD_OWNERS}", nonce=each.nonce)
        for each in _twins(idempotency_record)
    ]


def _twins(record: IdempotencyRecord) -> tuple[IdempotencyRecord, ...]:
    return (record,) if record.twin is None else (record, record.twin)
