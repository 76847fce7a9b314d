"""Send a code to a number."""

from dataclasses import replace

from sms_otp.domain import errors, idempotency, keys, phone
from sms_otp.domain.admission import Admission, Admitted, Asker
from sms_otp.domain.budgets import dumped
from sms_otp.domain.clients import network_of
from sms_otp.domain.clock import Seconds, milliseconds, seconds, to_seconds
from sms_otp.domain.commands import Caller, Requested, RequestOtp
from sms_otp.domain.idempotency import IdempotencyRecord, StoredAnswer
from sms_otp.domain.keys import Peppers
from sms_otp.domain.number import ListedVerification
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import Reservation
from sms_otp.domain.provider import Channel, Order
from sms_otp.domain.verification import Verification, ended_error
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


def request_code(service: Service, command: RequestOtp, caller: Caller) -> Requested:
    """Send a code to a number. Raises an `OtpError`; then no code can be verified.

    Nothing is sent before its reservation is stored. A send whose outcome is unknown stays reserved, so
    that no retry can send twice within the number's limits.
    """
    _check_consent(service, command)
    to = destination(service, command.phone_number)
    check_channel(service, to, command.channel)
    providers = service.providers.candidates(to, command.channel)
    network = _network(service, command, caller)
    for _ in range(RESERVE_TRIES):
        check_time(caller)
        now = milliseconds(service.clock)
        # Once for each decision: the idempotency record and the counters must be under the same peppers.
        peppers = service.peppers()
        records = _idempotency_records(peppers, command, to, caller, to_seconds(now))
        asker = Asker.of_request(
            peppers,
            to,
            caller.tenant,
            network,
            command.device_token,
            to_seconds(now),
            is_challenged=command.is_challenged,
        )
        admission = Admission(
            service.policy.admission,
            service.history,
            peppers,
            to,
            command.channel,
            providers,
            asker,
            records,
            now,
        )
        snapshot = service.store.read(admission.query)
        if admission.must_read_again(snapshot):
            continue
        if (repeated := admission.repeated(snapshot)) is not None:
            return _repeat(service, command, caller, peppers, *repeated)
        admitted = decide(service, admission, snapshot, to, caller)
        if not isinstance(admitted, Admitted):
            return _repeat(service, command, caller, peppers, *admitted)
        try:
            own = admission.verifications_of(snapshot, command.session_id)
            avoid = avoided(service, admission, snapshot, admitted.lane, own, now)
        except errors.RateLimited as refused:
            raise refused_send(service, refused, admission, snapshot, to, caller) from None
        stopped = admission.stopped(snapshot)
        nonce = keys.new_nonce()
        verification_id = keys.verification_id(peppers.current, nonce, command.id_form)
        key = keys.verification_key(verification_id)
        record = idempotency.about_verification(records[0] if records else None, key)
        verification = replace(
            _verification(service, command, caller, to, key, to_seconds(now)),
            nonce=nonce,
            number_key=admission.number_key,
            lane=admitted.lane,
            network=asker.approach.network,
            client_key=asker.client_keys[0] if asker.client_keys else None,
            idempotency_records=record.keys if record else (),
            counted_on=dumped(admitted.increments),
        )
        listed = ListedVerification(
            verification.created_at,
            verification.expires_at,
            keys.owner(admission.number_key, caller.tenant, command.session_id),
            next(name for name in providers if name not in avoid | stopped.keys()),
        )
        reservation = Reservation(
            verification=verification,
            sent_at=admitted.sent_at,
            number=admission.change(snapshot, admitted, verification, listed),
            increments=admitted.increments,
            idempotency_record=record,
        )
        if not reserve(service, reservation, caller):
            continue
        order = Order(
            to=to,
            number_key=admission.number_key,
            channel=command.channel,
            locale=command.locale,
            reference=key,
            callback_key=keys.callback_key(peppers.current, key),
            ttl_seconds=service.policy.code_ttl_seconds,
            purpose=command.purpose,
            app_hash=verification.app_hash,
            circuits=snapshot.circuits,
            avoid=avoid,
            stopped=stopped,
        )
        return deliver(service, verification_id, reservation, order, admitted, caller, asker)
    raise contended()


def _check_consent(service: Service, command: RequestOtp) -> None:
    """Refuse a consent if this deployment stores no users. Raises `InvalidRequest`."""
    if command.consent is not None and not service.policy.keeps_users:
        detail = "this deployment keeps no users"
        raise errors.InvalidRequest(errors=[{"pointer": "/consent", "detail": detail}])


def destination(service: Service, number: str) -> PhoneNumber:
    """The parsed number. Raises as `phone.parse` does, or `DestinationNotAllowed` for its country."""
    spelled = phone.canonical(number)
    if spelled in service.policy.test_numbers and service.clock() < service.policy.test_numbers_end:
        return PhoneNumber(spelled, TEST_COUNTRY, is_test=True)
    to = phone.parse(spelled)
    if not service.policy.sends_to(to.country):
        raise errors.DestinationNotAllowed(reason="country", context={"number": to})
    return to


def _network(service: Service, command: RequestOtp, caller: Caller) -> str | None:
    """The network that the limit per client counts by; None if a trusted backend passes no clientIp."""
    named = None if command.client_ip is None else network_of(command.client_ip)
    return named if service.policy.trust_client_ip else network_of(caller.source_ip)


def _repeat(
    service: Service,
    command: RequestOtp,
    caller: Caller,
    peppers: Peppers,
    answer: StoredAnswer,
    record: IdempotencyRecord,
) -> Requested:
    """Repeat the first request's answer. Raises its `OtpError`, or that of a verification that has ended."""
    answer.raise_error()
    check_time(caller)
    found = service.store.find(record.verification)
    if (ended := ended_error(found, seconds(service.clock))) is not None:
        raise ended
    verification_id = keys.named_again(peppers, str(found.nonce), found.key) if found else None
    if verification_id is None:
        raise errors.OtpExpired(reason="no pepper names it")
    return requested(verification_id, command.channel, answer)


def _verification(
    service: Service, command: RequestOtp, caller: Caller, to: PhoneNumber, key: str, now: Seconds
) -> Verification:
    """The verification, with the fields that come from the request."""
    return Verification(
        key=key,
        tenant=caller.tenant,
        phone=to.e164,
        country=to.country,
        number_key="",
        channel=command.channel,
        created_at=now,
        expires_at=now + service.policy.code_ttl_seconds,
        purpose=command.purpose,
        locale=command.locale,
        # Infobip sends an SMS after a call in the call's template, which has no place for a hash.
        app_hash=command.app_hash if command.channel is Channel.SMS else None,
        consent=command.consent,
        session_hash=keys.session_hash(key, command.session_id),
    )


def _idempotency_records(
    peppers: Peppers, command: RequestOtp, to: PhoneNumber, caller: Caller, now: Seconds
) -> tuple[IdempotencyRecord, ...]:
    """The records under the request's key, without its client: a retry may come from another address."""
    fields = ("request", to.e164, command.channel, command.purpose, command.session_id)
    return idempotency.idempotency_records(peppers, caller.tenant, command.idempotency_key, fields, now)
