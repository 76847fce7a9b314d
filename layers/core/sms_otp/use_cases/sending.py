"""Steps shared by the first send and a resend: read, admit, reserve, deliver."""

import secrets
from collections.abc import Collection
from dataclasses import replace

from sms_otp.domain import errors, guard, number
from sms_otp.domain.admission import Admission, Admitted, Asker, EarlierAnswer
from sms_otp.domain.clock import SECOND, Milliseconds, milliseconds, to_seconds
from sms_otp.domain.commands import Caller, Requested
from sms_otp.domain.idempotency import StoredAnswer
from sms_otp.domain.number import Lane
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import AdmissionSnapshot, Reservation, StoreError, WriteConflict
from sms_otp.domain.prices import USD
from sms_otp.domain.provider import Channel, Order
from sms_otp.use_cases.delivery import CodeSender
from sms_otp.use_cases.event_fields import event_fields
from sms_otp.use_cases.service import Service, check_time, try_to_store

SECOND_SEND_SECONDS = 2.0
"""With less time left, no other provider would answer before the deadline."""
RESERVE_TRIES = 5
"""Attempts when a reservation loses an optimistic lock."""
MOST_NOTED = 11
"""Refused requests are recorded up to this many requests in an hour: the alarm's threshold plus one."""
TEST_COUNTRY = "ZZ"
"""The country of a test number: a code that ISO 3166-1 reserves for users."""


def check_channel(service: Service, to: PhoneNumber, channel: Channel) -> None:
    """Refuse a channel that does not go to the number's country.

    Raises `DestinationNotAllowed`, or `InvalidRequest` if no provider of the country has the channel.
    """
    if not to.is_test and not service.policy.allows(to.country, channel):
        detail = "Codes are not sent to this country by this channel."
        raise errors.DestinationNotAllowed(detail, reason="channel", context={"number": to})
    if not service.providers.candidates(to, channel):
        detail = "no provider of this deployment sends by this channel"
        raise errors.InvalidRequest(errors=[{"pointer": "/channel", "detail": detail}])


def decide(
    service: Service, admission: Admission, snapshot: AdmissionSnapshot, to: PhoneNumber, caller: Caller
) -> Admitted | EarlierAnswer:
    """Admit the send, or find the earlier request that it repeats. Records a refusal, then raises it."""
    try:
        return admission.decide(snapshot)
    except errors.OtpError as refused:
        # BatchGetItem is not a snapshot: the record may have been read before the first request's
        # reservation, and the number after it. A refusal saw that reservation, so this read does too.
        if admission.has_key:
            check_time(caller)
            if (repeated := admission.repeated(service.store.read(admission.query))) is not None:
                return repeated
        raise refused_send(service, refused, admission, snapshot, to, caller) from None


def refused_send(
    service: Service,
    refused: errors.OtpError,
    admission: Admission,
    snapshot: AdmissionSnapshot,
    to: PhoneNumber,
    caller: Caller,
) -> errors.OtpError:
    """Record a refused send at the number, as far as the alarm needs it; returns the error to raise."""
    context = {"number": to, "number_key": admission.number_key, "lane": admission.lane(snapshot)}
    if refused.reason in guard.LIMITS:
        service.emit("send_suspect", **context, limit=refused.reason)
    now = milliseconds(service.clock)
    known = admission.number(snapshot)
    requests = known.requests_within_hour(now) + 1
    # While sending is stopped every request is refused: none of them should cost a write.
    is_noted = not to.is_test and not isinstance(refused, errors.SendingStopped)
    if is_noted and requests <= MOST_NOTED:
        moment = number.moment(now, secrets.randbelow(number.FINER))
        while moment in known.refused:
            moment += 1
        try_to_store(
            service.emit,
            caller.deadline,
            lambda: service.store.note_refused(admission.number_key, now, moment),
        )
    service.emit("send_decided", **context, requests=requests)
    return refused.with_context(**context)


def reserve(service: Service, reservation: Reservation, caller: Caller) -> bool:
    """Reserve the send. Returns False if an optimistic lock failed: decide again."""
    check_time(caller)
    try:
        service.store.reserve(reservation)
    except WriteConflict:
        return False
    return True


def avoided(
    service: Service,
    admission: Admission,
    snapshot: AdmissionSnapshot,
    lane: Lane,
    own: Collection[str],
    now: Milliseconds,
    holder: str | None = None,
) -> frozenset[str]:
    """The providers to avoid: a new code there would end one that another caller's user may still type.

    `own`: keys of the verifications whose code the caller may end. Their `holder`, if it can send, repeats
    the code even if it holds other codes. If no other provider is left, the number's owner may end a code; a
    stranger waits until the earlier code has ended: raises `RateLimited`.
    """
    held = number.codes_in_hand(admission.number(snapshot), own, to_seconds(now))
    avoid = service.providers.ends_a_code(held)
    left = {*admission.providers} - admission.stopped(snapshot).keys()
    if holder in left or not avoid.issuperset(left):
        return avoid
    if lane is Lane.STRANGER:
        raise errors.RateLimited(
            reason="code in hand", retry_after=min(held[name] for name in left) - to_seconds(now)
        )
    return frozenset()


def contended() -> errors.RateLimited:
    """The error of a request that had to read again, or lost an optimistic lock, at every attempt."""
    return errors.RateLimited(reason="contended", retry_after=SECOND)


def deliver(
    service: Service,
    verification_id: str,
    reservation: Reservation,
    order: Order,
    admitted: Admitted,
    caller: Caller,
    asker: Asker,
) -> Requested:
    """Send the reserved code. Raises `ProviderRejected` or `ProviderUnavailable`."""
    _emit_admitted(service, reservation, order.to, admitted)
    price = admitted.payment.price / USD if admitted.payment else None

    def reserve_again() -> str | None:
        return reserve_second_send(service, reservation, order, caller, asker)

    delivery = CodeSender(service.store, service.providers, service.emit, price)
    answer = delivery.deliver(reservation, order, admitted.resend_after, caller.deadline, reserve_again)
    return requested(verification_id, order.channel, answer)


def requested(verification_id: str, channel: Channel, answer: StoredAnswer) -> Requested:
    """The answer to a request or a resend, and to a repetition of it."""
    return Requested(
        verification_id,
        channel,
        answer.expires_at,
        answer.resend_after,
        answer.same_code,
        answer.app_hash_sent,
    )


def reserve_second_send(
    service: Service, reservation: Reservation, order: Order, caller: Caller, asker: Asker
) -> str | None:
    """Reserve a second send of a verification, after one that may have left; returns its reference.

    None if a limit other than the gap has no room, the verification has changed, the store fails, or too
    little time is left. The first send stays counted.
    """
    verification = reservation.verification
    if reservation.resend:
        verification = replace(verification, sends=verification.sends + 1)
    for _ in range(RESERVE_TRIES):
        if caller.deadline.remaining() < SECOND_SEND_SECONDS:
            return None
        now = milliseconds(service.clock)
        admission = Admission(
            service.policy.admission,
            service.history,
            service.peppers(),
            order.to,
            order.channel,
            service.providers.candidates(order.to, order.channel),
            asker,
            (),
            now,
        )
        try:
            snapshot = service.store.read(admission.query)
            admitted = admission.decide(snapshot, ignore_gap=True)
            service.store.reserve(
                Reservation(
                    verification=verification,
                    sent_at=admitted.sent_at,
                    number=admission.change(snapshot, admitted, verification),
                    increments=admitted.increments,
                    resend=True,
                )
            )
        except WriteConflict:
            continue
        except (errors.OtpError, StoreError):
            return None
        return f"{verification.key}-{verification.sends}"
    return None


def _emit_admitted(service: Service, reservation: Reservation, to: PhoneNumber, admitted: Admitted) -> None:
    fields = event_fields(reservation.verification, to)
    fields |= {"lane": admitted.lane, "requests": admitted.requests}
    if (payment := admitted.payment) is None:
        service.emit("send_decided", **fields)
        return
    if payment.over:
        service.emit("send_suspect", **fields, limit=payment.over)
    service.emit(
        "send_decided",
        **fields,
        budget=payment.lane,
        cap_used=payment.cap_used,
        unverified=payment.unverified,
        expired_unused=payment.expired_unused,
    )
