"""Send a pending verification's code again."""

from dataclasses import replace

from sms_otp.domain import errors, idempotency, keys
from sms_otp.domain.admission import Admission, Admitted, Asker
from sms_otp.domain.clock import Seconds, milliseconds, to_seconds
from sms_otp.domain.commands import Caller, Requested, ResendOtp
from sms_otp.domain.idempotency import IdempotencyRecord, StoredAnswer
from sms_otp.domain.keys import Peppers
from sms_otp.domain.limits import LAST_SECONDS
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import NumberChange, Reservation
from sms_otp.domain.provider import Channel, Delivery, Order
from sms_otp.domain.verification import Guess, Verification, ended_error, guess_error
from sms_otp.use_cases.sending import (
    RESERVE_TRIES,
    TEST_COUNTRY,
    avoided,
    check_channel,
    contended,
    decide,
    deliver,
    refused_send,
    requested,
    reserve,
)
from sms_otp.use_cases.service import Service, check_time

SENDS_BEFORE_NEXT = 2
"""Sends of a verification after which the next one goes by another provider."""


def resend_code(service: Service, command: ResendOtp, caller: Caller) -> Requested:
    """Send again for a pending verification: same verificationId, expiry and guesses. Raises an `OtpError`.

    The number's limits count it like any send, for the first send's lane and client. The provider repeats the
    code if it can, so that an earlier message that arrives late is right. After two sends, or one that was
    reported as failed, the next provider is called first. Nothing is sent in the code's last 30 seconds.
    """
    key = keys.verification_key(command.verification_id)
    session_hash = keys.session_hash(key, command.session_id)
    for _ in range(RESERVE_TRIES):
        check_time(caller)
        now = milliseconds(service.clock)
        guess = Guess(key, caller.tenant, to_seconds(now), service.policy.max_attempts, session_hash)
        found = service.store.find(key)
        refused = guess_error(found, guess)
        if found is None or isinstance(refused, errors.VerificationNotFound):
            raise errors.VerificationNotFound
        check_time(caller)
        peppers = service.peppers()
        to = PhoneNumber(found.phone, found.country, is_test=found.country == TEST_COUNTRY)
        channel = command.channel or Channel(found.channel)
        check_channel(service, to, channel)
        order = Order(
            to=to,
            number_key=found.number_key,
            channel=channel,
            locale=found.locale,
            reference=f"{key}-{found.sends}",
            callback_key=keys.callback_key(peppers.current, key),
            ttl_seconds=found.expires_at - to_seconds(now),
            purpose=found.purpose,
            app_hash=found.app_hash,
            goes_on=_goes_on(found),
        )
        asker = Asker.of_resend(
            peppers,
            to,
            found,
            command.device_token,
            to_seconds(now),
            is_challenged=command.is_challenged,
        )
        records = _idempotency_records(peppers, command, caller, key, to_seconds(now))
        admission = Admission(
            service.policy.admission,
            service.history,
            peppers,
            to,
            channel,
            service.providers.turns(str(found.provider), order),
            asker,
            records,
            now,
        )
        snapshot = service.store.read(admission.query)
        if admission.must_read_again(snapshot):
            continue
        if (repeated := admission.repeated(snapshot)) is not None:
            return _repeat(found, command, to_seconds(now), *repeated)
        if refused is not None:
            raise refused
        if (left := found.expires_at - to_seconds(now)) < LAST_SECONDS:
            raise errors.RateLimited(reason="code ends", retry_after=left)
        admitted = decide(service, admission, snapshot, to, caller)
        if not isinstance(admitted, Admitted):
            return _repeat(found, command, to_seconds(now), *admitted)
        try:
            avoid = avoided(service, admission, snapshot, admitted.lane, {key}, now, found.provider)
        except errors.RateLimited as too_early:
            raise refused_send(service, too_early, admission, snapshot, to, caller) from None
        order = replace(order, circuits=snapshot.circuits, avoid=avoid, stopped=admission.stopped(snapshot))
        reservation = Reservation(
            verification=found,
            sent_at=admitted.sent_at,
            number=_announced(service, admission.change(snapshot, admitted, found), found, order),
            increments=admitted.increments,
            idempotency_record=idempotency.about_verification(records[0] if records else None, key),
            resend=True,
        )
        if not reserve(service, reservation, caller):
            continue
        return deliver(service, command.verification_id, reservation, order, admitted, caller, asker)
    raise contended()


def _announced(service: Service, change: NumberChange, found: Verification, order: Order) -> NumberChange:
    """The change, which lists the provider called first if a new code there ends the number's earlier one.

    Stored before the code is sent: a concurrent request must not end that code.
    """
    first, *_ = service.providers.turns(str(found.provider), order)
    listed = change.verifications.get(found.key)
    if listed is None or not service.providers.ends_a_code({first}):
        return change
    announced = {**change.verifications, found.key: replace(listed, provider=first)}
    return replace(change, verifications=announced)


def _goes_on(found: Verification) -> bool:
    """Whether the next provider sends: after two sends, or one that was reported as failed."""
    return found.sends >= SENDS_BEFORE_NEXT or found.delivery == Delivery.FAILED


def _repeat(
    found: Verification, command: ResendOtp, now: Seconds, answer: StoredAnswer, _record: IdempotencyRecord
) -> Requested:
    """Repeat the first resend's answer. Raises its `OtpError`, or that of a verification that has ended."""
    answer.raise_error()
    if (ended := ended_error(found, now)) is not None:
        raise ended
    return requested(command.verification_id, command.channel or Channel(found.channel), answer)


def _idempotency_records(
    peppers: Peppers, command: ResendOtp, caller: Caller, key: str, now: Seconds
) -> tuple[IdempotencyRecord, ...]:
    fields = ("resend", key, command.channel, command.session_id)
    return idempotency.idempotency_records(peppers, caller.tenant, command.idempotency_key, fields, now)
