"""Decide whether a code is right."""

from sms_otp.domain import errors, keys, phone
from sms_otp.domain.clock import Deadline
from sms_otp.domain.commands import Caller, Verified, VerifyOtp
from sms_otp.domain.limits import SECOND
from sms_otp.domain.ports import IssueToken, TokenError
from sms_otp.domain.provider import Channel, Check, ProviderError
from sms_otp.domain.verification import Guess, Verification
from sms_otp.use_cases.event_fields import event_fields, failure_fields
from sms_otp.use_cases.service import Service, check_time, unavailable


def verify_code(service: Service, command: VerifyOtp, caller: Caller) -> Verified:
    """Decide whether a code is right. Raises an `OtpError`; then nobody is verified.

    The guess is counted before the provider checks the code, and stays counted if anything fails after.
    """
    if not _is_code(service, command.otp):
        raise errors.InvalidOtpFormat
    key = _key_of(service, command, caller)
    try:
        return _verify(service, key, command, caller)
    except errors.OtpError as refused:
        refused.about = {"verification": key}
        raise


def _verify(service: Service, key: str, command: VerifyOtp, caller: Caller) -> Verified:
    session = command.session_id
    guess = Guess(
        key=key,
        tenant=caller.tenant,
        now=int(service.clock()),
        max_attempts=service.policy.max_attempts,
        session_hash=None if session is None else keys.session_hash(key, session),
        phone=None if command.phone_number is None else phone.canonical(command.phone_number),
    )
    check_time(caller)
    verification = service.store.spend_guess(guess)
    check_time(caller)
    now = int(service.clock() * SECOND)
    failures = service.store.spend_number_guess(
        verification.number_key, caller.tenant, now, service.policy.admission.guesses
    )
    check = _check(service, verification, command.otp, caller.deadline)
    if check is not Check.CORRECT:
        raise _wrong(service, check, verification, failures)
    verified_at = int(service.clock())
    service.store.consume(verification, caller.request_id, verified_at)
    service.emit(
        "otp_verified",
        **event_fields(verification),
        seconds=verified_at - verification.created_at,
        attempts=verification.attempts,
    )
    issue_token = service.issue_token if command.with_token else None
    token = None if issue_token is None else _token(service, issue_token, verification, caller, verified_at)
    return Verified(
        command.verification_id,
        verification.phone,
        verification.purpose,
        verified_at,
        token,
        token_failed=token is None and issue_token is not None,
    )


def _token(
    service: Service, issue_token: IssueToken, verification: Verification, caller: Caller, verified_at: int
) -> str | None:
    """Sign the verification token, last, so that it never claims too much. Without it the success stands."""
    try:
        return issue_token(verification, caller.api_url, verified_at)
    except TokenError as failed:
        service.emit("token_failed", **event_fields(verification), reason=failed.reason)
        return None


def _key_of(service: Service, command: VerifyOtp, caller: Caller) -> str:
    """The key of the verification. A deployment may allow a number alone to name its newest one."""
    if command.verification_id is not None:
        return keys.verification_key(command.verification_id)
    if service.policy.require_verification_id or command.phone_number is None:
        raise errors.InvalidRequest(errors=[{"pointer": "/verificationId", "detail": "required"}])
    number = phone.canonical(command.phone_number)
    number_keys = tuple(keys.keyed(pepper, "number", number) for pepper in service.peppers().all)
    key = service.store.newest(number_keys, caller.tenant)
    if key is None:
        raise errors.VerificationNotFound
    return key


def _is_code(service: Service, otp: str) -> bool:
    return len(otp) == service.policy.code_length and otp.isascii() and otp.isdigit()


def _check(service: Service, verification: Verification, otp: str, deadline: Deadline) -> Check:
    holder, ref = str(verification.provider), str(verification.provider_ref)
    try:
        return service.providers.check(
            holder, ref, otp, channel=Channel(verification.channel), deadline=deadline
        )
    except ProviderError as failed:
        service.emit("provider_failed", **event_fields(verification) | failure_fields(failed))
        raise unavailable(failed) from failed


def _wrong(service: Service, check: Check, verification: Verification, failures: int) -> errors.OtpError:
    # The answer to a code that has ended has a metric of its own, as where the table says so.
    event = "otp_incorrect" if check is Check.WRONG else "otp_ended"
    fields = event_fields(verification) | {"check": check, "attempts": verification.attempts}
    service.emit(event, **fields, failures=failures)
    if check is Check.WRONG:
        remaining = max(0, service.policy.max_attempts - verification.attempts)
        return errors.OtpIncorrect(attempts_remaining=remaining)
    if check is Check.EXHAUSTED:
        left = max(1, verification.expires_at - int(service.clock()))
        return errors.TooManyAttempts(attempts_remaining=0, retry_after=left)
    return errors.OtpExpired()
