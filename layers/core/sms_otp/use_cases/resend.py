"""Send a pending verification's code again."""

from sms_otp.domain import errors, keys
from sms_otp.domain.admission import Admitted
from sms_otp.domain.clients import network_of
from sms_otp.domain.commands import Caller, Requested, ResendOtp
from sms_otp.domain.limits import SECOND
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import Reservation
from sms_otp.domain.provider import Channel, Order
from sms_otp.domain.verification import Guess, Verification, guess_error
from sms_otp.use_cases.sending import (
    RESERVE_TRIES,
    TEST_COUNTRY,
    admission_of,
    admit,
    deliver,
    read,
    reserve,
)
from sms_otp.use_cases.service import Service, check_time


def resend_code(service: Service, command: ResendOtp, caller: Caller) -> Requested:
    """Send once more for a pending verification: same verificationId, expiry and guesses.

    Raises an `OtpError`. The number's limits count it like any send. Where the provider can, it is the
    same code, so that an earlier message that arrives late is still right.
    """
    key, session = keys.verification_key(command.verification_id), command.session_id
    session_hash = None if session is None else keys.session_hash(key, session)
    for _ in range(RESERVE_TRIES):
        check_time(caller)
        now = int(service.clock() * SECOND)
        guess = Guess(key, caller.tenant, now // SECOND, service.policy.max_attempts, session_hash)
        found = service.store.find(key)
        if (refused := guess_error(found, guess)) is not None:
            raise refused
        assert found is not None  # noqa: S101 # `guess_error` refuses an unknown verification
        check_time(caller)
        to = PhoneNumber(found.phone, found.country, is_test=found.country == TEST_COUNTRY)
        client = None if service.policy.trust_client_ip else network_of(caller.source_ip)
        admission = admission_of(service, service.peppers(), to, caller, client, [], now)
        admitted = admit(service, admission, read(service, admission, to), to)
        reservation = _reservation(found, admitted)
        if not reserve(service, reservation, admitted, caller):
            continue
        order = Order(
            to=to,
            channel=command.channel or Channel(found.channel),
            locale=found.locale,
            reference=f"{key}-{found.sends}",
            ttl_seconds=found.expires_at - now // SECOND,
        )
        return deliver(service, command.verification_id, reservation, order, admitted, caller)
    raise errors.RateLimited(reason="contended", retry_after=1)


def _reservation(found: Verification, admitted: Admitted) -> Reservation:
    return Reservation(
        verification=found,
        sent_at=admitted.sent_at,
        number=admitted.number,
        client=admitted.client,
        increments=admitted.increments,
        resend=True,
    )
