"""Send a pending verification's code again."""

from sms_otp.domain import errors, idempotency, keys, number
from sms_otp.domain.admission import Admission, Admitted, Asker
from sms_otp.domain.clock import Milliseconds, Seconds, milliseconds, to_seconds
from sms_otp.domain.commands import Caller, Requested, ResendOtp
from sms_otp.domain.idempotency import IdempotencyRecord, StoredAnswer
from sms_otp.domain.keys import Peppers
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import AdmissionSnapshot, Reservation
from sms_otp.domain.provider import Channel, Order
from sms_otp.domain.verification import Guess, Verification, ended_error, guess_error
from sms_otp.use_cases.sending import (
    RESERVE_TRIES,
    TEST_COUNTRY,
    avoided,
    contended,
    decide,
    deliver,
    refused_send,
    reserve,
)
from sms_otp.use_cases.service import Service, check_time


def resend_code(service: Service, command: ResendOtp, caller: Caller) -> Requested:
    """Send once more for a pending verification: same verificationId, expiry and guesses.

    Raises an `OtpError`. The number's limits count it like any send, in the lane and at the client of the
    first. Where the provider can, it is the same code, so that an earlier message that arrives late is right.
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
            raise refused or errors.VerificationNotFound()
        check_time(caller)
        peppers = service.peppers()
        to = PhoneNumber(found.phone, found.country, is_test=found.country == TEST_COUNTRY)
        channel = command.channel or Channel(found.channel)
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
            _could_send(service, found, to),
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
        admitted = decide(service, admission, snapshot, to, caller)
        if not isinstance(admitted, Admitted):
            return _repeat(found, command, to_seconds(now), *admitted)
        stopped = admission.stopped(snapshot)
        try:
            avoid = _avoided(service, admission, snapshot, admitted, found, to, now)
        except errors.RateLimited as too_early:
            raise refused_send(service, too_early, admission, snapshot, to, caller) from None
        reservation = Reservation(
            verification=found,
            sent_at=admitted.sent_at,
            number=admission.change(snapshot, admitted, found),
            increments=admitted.increments,
            idempotency_record=idempotency.about_verification(records[0] if records else None, key),
            resend=True,
        )
        if not reserve(service, reservation, caller):
            continue
        order = Order(
            to=to,
            number_key=found.number_key,
            channel=channel,
            locale=found.locale,
            reference=f"{key}-{found.sends}",
            ttl_seconds=found.expires_at - to_seconds(now),
            circuits=snapshot.circuits,
            avoid=avoid,
            stopped=stopped,
        )
        return deliver(service, command.verification_id, reservation, order, admitted, caller, asker)
    raise contended()


def _could_send(service: Service, found: Verification, to: PhoneNumber) -> tuple[str, ...]:
    """The holder of the code first, whether or not it would be sent a new one."""
    holder = () if found.provider is None else (found.provider,)
    return tuple(dict.fromkeys((*holder, *service.providers.candidates(to))))


def _avoided(
    service: Service,
    admission: Admission,
    snapshot: AdmissionSnapshot,
    admitted: Admitted,
    found: Verification,
    to: PhoneNumber,
    now: Milliseconds,
) -> frozenset[str]:
    """As `avoided`; but a holder that is not stopped sends again, also where it holds another code."""
    if found.provider in admission.stopped(snapshot):
        return avoided(service, admission, snapshot, admitted.lane, to, {found.key}, now)
    held = number.codes_in_hand(admission.number(snapshot), {found.key}, to_seconds(now))
    return service.providers.ends_a_code(held)


def _repeat(
    found: Verification, command: ResendOtp, now: Seconds, answer: StoredAnswer, _record: IdempotencyRecord
) -> Requested:
    """The first resend's answer again, unless the verification is over. Raises the `OtpError`."""
    answer.raise_error()
    if (ended := ended_error(found, now)) is not None:
        raise ended
    channel = command.channel or Channel(found.channel)
    return Requested(command.verification_id, channel, answer.expires_at, answer.resend_after)


def _idempotency_records(
    peppers: Peppers, command: ResendOtp, caller: Caller, key: str, now: Seconds
) -> tuple[IdempotencyRecord, ...]:
    about = ("resend", key, command.channel, command.session_id)
    return idempotency.idempotency_records(peppers, caller.tenant, command.idempotency_key, about, now)
