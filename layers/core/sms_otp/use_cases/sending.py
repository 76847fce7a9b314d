"""What the first send and a resend share: read, admit, reserve, deliver."""

import secrets
from dataclasses import replace

from sms_otp.domain import errors, guard, number
from sms_otp.domain.admission import Admission, Admitted
from sms_otp.domain.commands import Caller, Requested
from sms_otp.domain.limits import SECOND
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import AdmissionSnapshot, Reservation, StoreError, WriteConflict
from sms_otp.domain.provider import Order
from sms_otp.use_cases.delivery import CodeSender
from sms_otp.use_cases.event_fields import event_fields
from sms_otp.use_cases.service import Service, check_time

RESERVE_TRIES = 5
"""Attempts when a reservation loses an optimistic lock."""
MOST_NOTED = 11
"""Requests of an hour up to which a refused one is written down: one more than the alarm's threshold."""
TEST_COUNTRY = "ZZ"
"""The country of a test number: a code that ISO 3166-1 leaves to its users."""


def read(service: Service, admission: Admission, to: PhoneNumber) -> AdmissionSnapshot:
    """Read what decides about the send and, in the same read, the circuits of the providers that may send."""
    snapshot = service.store.read(replace(admission.query, circuits=service.providers.circuits(to)))
    service.providers.prime(snapshot.circuits)
    return snapshot


def refused_send(
    service: Service,
    refused: errors.OtpError,
    admission: Admission,
    snapshot: AdmissionSnapshot,
    to: PhoneNumber,
    caller: Caller,
) -> errors.OtpError:
    """The refusal of a send, once it is noted at the number: for the alarm, so up to what the alarm asks."""
    about = {"number": to, "number_key": admission.number_key, "lane": admission.lane(snapshot)}
    refused.about = about
    if refused.reason in guard.LIMITS:
        service.emit("send_suspect", **about, limit=refused.reason)
    now = int(service.clock() * SECOND)
    asked = admission.number(snapshot).asked(now) + 1
    if asked <= MOST_NOTED and not to.is_test and caller.deadline.remaining():
        moment = number.moment(now, secrets.randbelow(number.FINER))
        try:
            service.store.note_refused(admission.number_key, now, moment)
        except StoreError as error:
            service.emit("store_failed", reason=error.reason)
    service.emit("otp_asked", **about, asked=asked)
    return refused


def reserve(service: Service, reservation: Reservation, caller: Caller) -> bool:
    """Reserve the send. False: an optimistic lock failed, so decide again."""
    check_time(caller)
    try:
        service.store.reserve(reservation)
    except WriteConflict:
        return False
    return True


def contended() -> errors.RateLimited:
    """The answer to a send that lost every optimistic lock that it took."""
    return errors.RateLimited(reason="contended", retry_after=1)


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


def _emit_admitted(service: Service, reservation: Reservation, to: PhoneNumber, admitted: Admitted) -> None:
    fields = event_fields(reservation.verification, to) | {"lane": admitted.lane}
    for over in admitted.over:
        service.emit("send_suspect", **fields, limit=over)
    service.emit(
        "otp_asked",
        **fields,
        asked=admitted.asked,
        cap_used=admitted.cap_used,
        unverified=admitted.unverified,
    )
