"""What the first send and a resend share: read, admit, reserve, deliver."""

from dataclasses import replace

from sms_otp.domain import errors, guard
from sms_otp.domain.admission import Admission, Admitted
from sms_otp.domain.clock import Milliseconds, milliseconds
from sms_otp.domain.commands import Caller, Requested
from sms_otp.domain.idempotency import IdempotencyRecord
from sms_otp.domain.keys import Peppers
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import AdmissionSnapshot, NumberConflict, Reservation, StoreError, WriteConflict
from sms_otp.domain.provider import Order
from sms_otp.use_cases.delivery import CodeSender
from sms_otp.use_cases.event_fields import event_fields
from sms_otp.use_cases.service import Service, check_time

SECOND_SEND_SECONDS = 2.0
"""With less time left, no other provider would answer before the deadline."""
RESERVE_TRIES = 5
"""Attempts when a reservation loses an optimistic lock."""
TEST_COUNTRY = "ZZ"
"""The country of a test number: a code that ISO 3166-1 leaves to its users."""


def admission_of(
    service: Service,
    peppers: Peppers,
    to: PhoneNumber,
    caller: Caller,
    client: str | None,
    idempotency_records: list[IdempotencyRecord],
    now: Milliseconds,
) -> Admission:
    """The decision on one send."""
    return Admission(
        service.policy.admission,
        service.history,
        peppers,
        to,
        caller.tenant,
        client,
        idempotency_records,
        now,
        exempt=to.is_test,
    )


def read(service: Service, admission: Admission, to: PhoneNumber) -> AdmissionSnapshot:
    """Read what decides about the send and, in the same read, the circuits of the providers that may send."""
    return service.store.read(replace(admission.query, circuits=service.providers.candidates(to)))


def admit(service: Service, admission: Admission, snapshot: AdmissionSnapshot, to: PhoneNumber) -> Admitted:
    """Admit the send. Raises the `OtpError` that refuses it."""
    try:
        return admission.decide(snapshot)
    except errors.OtpError as refused:
        raise refused_send(service, refused, admission, snapshot, to) from None


def refused_send(
    service: Service,
    refused: errors.OtpError,
    admission: Admission,
    snapshot: AdmissionSnapshot,
    to: PhoneNumber,
) -> errors.OtpError:
    """The refusal of a send, once it is logged and counted."""
    if refused.reason in guard.LIMITS:
        service.emit("send_suspect", number=to, number_key=admission.number_key, limit=refused.reason)
    _note_refused(service, to, admission.number_key, snapshot.number.sends)
    return refused.with_context(number=to, number_key=admission.number_key)


def reserve(service: Service, reservation: Reservation, admitted: Admitted, caller: Caller) -> bool:
    """Reserve the send. False: an optimistic lock failed, so decide again. Raises `RateLimited`."""
    check_time(caller)
    try:
        service.store.reserve(reservation)
    except NumberConflict:
        if reservation.idempotency_record is None:
            raise _lost(service, reservation, admitted) from None
        return False  # the rival may be this request's own repetition, and has an answer for it then
    except WriteConflict:
        return False
    return True


def deliver(
    service: Service,
    verification_id: str,
    reservation: Reservation,
    order: Order,
    admitted: Admitted,
    caller: Caller,
    client: str | None,
) -> Requested:
    """Send the reserved code. Raises `ProviderRejected` or `ProviderUnavailable`."""
    _emit_admitted(service, reservation, order.to, admitted)
    price = None if order.to.is_test else service.policy.price(order.to.country, order.channel)

    def reserve_again() -> str | None:
        return reserve_second_send(service, reservation, order.to, caller, client)

    delivery = CodeSender(service.store, service.providers, service.emit, price)
    delivery.deliver(reservation, order, admitted.resend_after, caller.deadline, reserve_again)
    expires_at = reservation.verification.expires_at
    return Requested(verification_id, order.channel, expires_at, admitted.resend_after)


def reserve_second_send(
    service: Service, reservation: Reservation, to: PhoneNumber, caller: Caller, client: str | None
) -> str | None:
    """Reserve one more send of the same verification, after one that may have left; its reference.

    None if a limit other than the gap has no room for it, or the verification has changed meanwhile. The
    first send stays counted.
    """
    verification = reservation.verification
    if reservation.resend:
        verification = replace(verification, sends=verification.sends + 1)
    for _ in range(RESERVE_TRIES):
        if caller.deadline.remaining() < SECOND_SEND_SECONDS:
            return None
        now = milliseconds(service.clock)
        admission = admission_of(service, service.peppers(), to, caller, client, [], now)
        try:
            admitted = admission.decide(read(service, admission, to), ignore_gap=True)
            service.store.reserve(
                Reservation(
                    verification=verification,
                    sent_at=admitted.sent_at,
                    number=admitted.number,
                    client=admitted.client,
                    increments=admitted.increments,
                    resend=True,
                )
            )
        except (NumberConflict, WriteConflict):
            continue
        except (errors.OtpError, StoreError):
            return None
        return f"{verification.key}-{verification.sends}"
    return None


def _note_refused(service: Service, to: PhoneNumber, number_key: str, sends: tuple[int, ...]) -> None:
    now = milliseconds(service.clock)
    service.refusals.note(number_key, now)
    asked = service.refusals.asked(number_key, sends, now)
    service.emit("otp_asked", number=to, number_key=number_key, asked=asked)


def _emit_admitted(service: Service, reservation: Reservation, to: PhoneNumber, admitted: Admitted) -> None:
    fields, now = event_fields(reservation.verification, to), admitted.sent_at
    for over in admitted.over:
        service.emit("send_suspect", **fields, limit=over)
    sends = (*admitted.number.log.sends, now) if admitted.number else (now,)
    asked = service.refusals.asked(reservation.verification.number_key, sends, now)
    service.emit(
        "otp_asked", **fields, asked=asked, cap_used=admitted.cap_used, unverified=admitted.unverified
    )


def _lost(service: Service, reservation: Reservation, admitted: Admitted) -> errors.RateLimited:
    verification = reservation.verification
    to = PhoneNumber(verification.phone, verification.country)
    sends = admitted.number.log.sends if admitted.number else ()
    _note_refused(service, to, verification.number_key, sends)
    return errors.RateLimited(
        reason="lost race",
        retry_after=admitted.resend_after,
        context={"number": to, "number_key": verification.number_key},
    )
