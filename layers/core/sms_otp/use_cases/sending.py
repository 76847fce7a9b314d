"""What the first send and a resend share: read, admit, reserve, deliver."""

from dataclasses import replace

from sms_otp.domain import errors, guard
from sms_otp.domain.admission import Admission, Admitted
from sms_otp.domain.commands import Caller, Requested
from sms_otp.domain.idempotency import IdempotencyRecord
from sms_otp.domain.keys import Peppers
from sms_otp.domain.limits import SECOND
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import AdmissionSnapshot, NumberConflict, Reservation, WriteConflict
from sms_otp.domain.provider import Order
from sms_otp.use_cases.delivery import CodeSender
from sms_otp.use_cases.event_fields import event_fields
from sms_otp.use_cases.service import Service, check_time

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
    now: int,
) -> Admission:
    """The decision on one send. `now` in milliseconds."""
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
    snapshot = service.store.read(replace(admission.query, circuits=service.providers.circuits(to)))
    service.providers.prime(snapshot.circuits)
    return snapshot


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
    """The refusal of a send, once it is noted."""
    about = {"number": to, "number_key": admission.number_key}
    refused.about = about
    if refused.reason in guard.LIMITS:
        service.emit("send_suspect", **about, limit=refused.reason)
    _note_refused(service, to, admission.number_key, snapshot.number.sends)
    return refused


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
) -> Requested:
    """Send the reserved code. Raises `ProviderRejected` or `ProviderUnavailable`."""
    _emit_admitted(service, reservation, order.to, admitted)
    price = None if order.to.is_test else service.policy.price(order.to.country)
    delivery = CodeSender(service.store, service.providers, service.emit, price)
    delivery.deliver(reservation, order, admitted.resend_after, caller.deadline)
    expires_at = reservation.verification.expires_at
    return Requested(verification_id, order.channel, expires_at, admitted.resend_after)


def _note_refused(service: Service, to: PhoneNumber, number_key: str, sends: tuple[int, ...]) -> None:
    now = int(service.clock() * SECOND)
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
    refused = errors.RateLimited(reason="lost race", retry_after=admitted.resend_after)
    refused.about = {"number": to, "number_key": verification.number_key}
    return refused
