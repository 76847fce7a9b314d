"""Send a code to a number."""

from sms_otp.domain import errors, idempotency, keys, phone
from sms_otp.domain.admission import Admitted
from sms_otp.domain.clients import network_of
from sms_otp.domain.clock import Milliseconds, Seconds, milliseconds, to_seconds
from sms_otp.domain.commands import Caller, Requested, RequestOtp
from sms_otp.domain.idempotency import IdempotencyRecord, StoredAnswer
from sms_otp.domain.keys import IdForm, Peppers
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import Reservation
from sms_otp.domain.provider import Order
from sms_otp.domain.verification import Verification
from sms_otp.use_cases.sending import (
    RESERVE_TRIES,
    TEST_COUNTRY,
    admission_of,
    deliver,
    read,
    refused_send,
    reserve,
)
from sms_otp.use_cases.service import Service, check_time


def request_code(service: Service, command: RequestOtp, caller: Caller) -> Requested:
    """Send a code to a number. Raises an `OtpError`; then no code can be verified.

    Nothing is sent before its reservation is stored. A send whose outcome is unknown stays reserved, so
    that no retry can send twice within the number's limits.
    """
    _check_consent(service, command)
    to = _destination(service, command.phone_number)
    client = _client(service, command, caller)
    for _ in range(RESERVE_TRIES):
        check_time(caller)
        now = milliseconds(service.clock)
        # Once for each decision: the idempotency record and the counters must be under the same ones.
        peppers = service.peppers()
        idempotency_records = _idempotency_records(peppers, command, caller, to_seconds(now))
        idempotency_record = idempotency_records[0] if idempotency_records else None
        admission = admission_of(service, peppers, to, caller, client, idempotency_records, now)
        snapshot = read(service, admission, to)
        if (repeated := admission.repeated(snapshot)) is not None:
            return _repeat(command, *repeated)
        try:
            admitted = admission.decide(snapshot)
        except errors.OtpError as refused:
            # One batch is no snapshot: the record may have been read before the first request's
            # reservation, and the number after it. A refusal saw that reservation, so this read does too.
            if idempotency_record and (repeated := admission.repeated(read(service, admission, to))):
                return _repeat(command, *repeated)
            raise refused_send(service, refused, admission, snapshot, to) from None
        nonce = keys.new_nonce() if command.id_form is IdForm.TWILIO else None
        verification_id = (
            keys.verification_id(peppers.current, nonce, command.id_form)
            if nonce
            else _new_id(peppers, idempotency_record)
        )
        reservation = _reservation(
            service,
            command,
            caller,
            to,
            admission.number_key,
            verification_id,
            admitted,
            idempotency_record,
            now,
            nonce,
        )
        if not reserve(service, reservation, admitted, caller):
            continue
        order = Order(
            to=to,
            number_key=admission.number_key,
            channel=command.channel,
            locale=command.locale,
            reference=reservation.verification.key,
            ttl_seconds=service.policy.code_ttl_seconds,
            circuits=snapshot.circuits,
        )
        return deliver(service, verification_id, reservation, order, admitted, caller, client)
    raise errors.RateLimited(reason="contended", retry_after=1)


def _check_consent(service: Service, command: RequestOtp) -> None:
    """Refuse a consent that nothing would keep. Raises `InvalidRequest`."""
    if command.consent is not None and not service.policy.keeps_users:
        detail = "this deployment keeps no users"
        raise errors.InvalidRequest(errors=[{"pointer": "/consent", "detail": detail}])


def _destination(service: Service, number: str) -> PhoneNumber:
    """The number, if this deployment sends to it. Raises as `phone.parse` does."""
    spelled = phone.canonical(number)
    if spelled in service.policy.test_numbers and service.clock() < service.policy.test_numbers_end:
        return PhoneNumber(spelled, TEST_COUNTRY, is_test=True)
    to = phone.parse(spelled)
    if service.policy.countries is not None and to.country not in service.policy.countries:
        raise errors.DestinationNotAllowed(reason="country", context={"number": to})
    return to


def _client(service: Service, command: RequestOtp, caller: Caller) -> str | None:
    """The network whose sends the limit per client counts; None where a trusted backend names none."""
    named = None if command.client_ip is None else network_of(command.client_ip)
    return named if service.policy.trust_client_ip else network_of(caller.source_ip)


def _repeat(command: RequestOtp, answer: StoredAnswer, verification_id: str) -> Requested:
    answer.raise_error()
    return Requested(verification_id, command.channel, answer.expires_at, answer.resend_after)


def _reservation(
    service: Service,
    command: RequestOtp,
    caller: Caller,
    to: PhoneNumber,
    number_key: str,
    verification_id: str,
    admitted: Admitted,
    idempotency_record: IdempotencyRecord | None,
    now: Milliseconds,
    nonce: str | None,
) -> Reservation:
    key, session = keys.verification_key(verification_id), command.session_id
    verification = Verification(
        key=key,
        tenant=caller.tenant,
        phone=to.e164,
        country=to.country,
        number_key=number_key,
        channel=command.channel,
        created_at=to_seconds(now),
        expires_at=Seconds(to_seconds(now) + service.policy.code_ttl_seconds),
        purpose=command.purpose,
        locale=command.locale,
        consent=command.consent,
        idempotency_record=None if idempotency_record is None else idempotency_record.key,
        session_hash=None if session is None else keys.session_hash(key, session),
        nonce=nonce,
        counter_keys=tuple(increment.key for increment in admitted.increments[1:]),
    )
    return Reservation(
        verification=verification,
        sent_at=admitted.sent_at,
        number=admitted.number,
        client=admitted.client,
        increments=admitted.increments,
        idempotency_record=idempotency_record,
        failure_migration=admitted.failure_migration,
        find_by_number=nonce is not None or not service.policy.require_verification_id,
    )


def _idempotency_records(
    peppers: Peppers, command: RequestOtp, caller: Caller, now: Seconds
) -> list[IdempotencyRecord]:
    """The request's idempotency record under the current pepper, then under the previous one."""
    key = command.idempotency_key
    if key is None:
        return []
    return [
        idempotency.idempotency_record(pepper, caller.tenant, key, command.body, now)
        for pepper in peppers.all
    ]


def _new_id(peppers: Peppers, idempotency_record: IdempotencyRecord | None) -> str:
    if idempotency_record is None:
        return keys.new_verification_id()
    return keys.derived_verification_id(peppers.current, idempotency_record.nonce)
