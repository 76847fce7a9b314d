"""Decide whether a code is right."""

import secrets
from dataclasses import replace

from sms_otp.domain import device_token, errors, idempotency, keys, limits, number, phone
from sms_otp.domain.clock import NO_SECONDS, SECOND, Deadline, Seconds, milliseconds, seconds, to_seconds
from sms_otp.domain.commands import Caller, Verified, VerifyOtp
from sms_otp.domain.idempotency import IdempotencyRecord, StoredAnswer
from sms_otp.domain.keys import Peppers
from sms_otp.domain.number import Approach
from sms_otp.domain.ports import CountedGuess, NumberGuess, TokenError
from sms_otp.domain.provider import Channel, Check, ProviderError
from sms_otp.domain.verification import Guess, Verification, is_repetition, was_right
from sms_otp.use_cases.event_fields import event_fields, failure_fields
from sms_otp.use_cases.listed import listed
from sms_otp.use_cases.service import Service, check_time, try_to_store, unavailable


def verify_code(service: Service, command: VerifyOtp, caller: Caller) -> Verified:
    """Decide whether a code is right. Raises an `OtpError`; then nobody is verified.

    The guess is counted before the provider checks the code, and stays counted if a later step fails. If a
    lock of the number refuses the guess, it is given back.
    """
    if not _is_code(service, command.otp):
        # Shows in the log when a provider's codes have another length than `CodeLength`.
        lengths = f"{len(command.otp)} characters, CodeLength is {service.policy.code_length}"
        raise errors.InvalidOtpFormat(reason=lengths)
    peppers = service.peppers()
    check_time(caller)
    named = _named(service, command, caller, peppers)
    record = _idempotency_record(service, command, caller, peppers, named[0])
    if record is None:
        return _verify_first_of(service, named, command, caller, peppers, None)
    check_time(caller)
    if (earlier := service.store.claim(record)) is not None:
        check_time(caller)
        return _repeat(service, command, caller, peppers, record, earlier)
    try:
        verified = _verify_first_of(service, named, command, caller, peppers, record)
    except errors.OtpIncorrect as wrong:
        error = StoredAnswer(
            NO_SECONDS, wrong.retry_after or NO_SECONDS, wrong.code, wrong.attempts_remaining
        )
        _keep_answer(service, record, error, caller)
        raise
    except Exception:
        try_to_store(service.emit, caller.deadline, lambda: service.store.unclaim(record))
        raise
    _keep_answer(service, record, StoredAnswer(), caller)
    return verified


def _verify_first_of(
    service: Service,
    named: tuple[str, ...],
    command: VerifyOtp,
    caller: Caller,
    peppers: Peppers,
    record: IdempotencyRecord | None,
) -> Verified:
    """Guess at the newest of these verifications; skips those whose code was never sent."""
    *newer, last = named
    for key in newer:
        try:
            return _verify(service, key, command, caller, peppers, record)
        except (errors.VerificationNotFound, errors.VerificationCancelled):
            continue
    return _verify(service, last, command, caller, peppers, record)


def _verify(
    service: Service,
    key: str,
    command: VerifyOtp,
    caller: Caller,
    peppers: Peppers,
    record: IdempotencyRecord | None,
) -> Verified:
    try:
        return _guess(service, key, command, caller, peppers, record)
    except errors.OtpError as refused:
        raise refused.with_context(verification=key) from refused


def _guess(
    service: Service,
    key: str,
    command: VerifyOtp,
    caller: Caller,
    peppers: Peppers,
    record: IdempotencyRecord | None,
) -> Verified:
    guess = _guess_of(service, key, command, caller, record)
    check_time(caller)
    try:
        verification = service.store.spend_guess(guess)
    except errors.AlreadyVerified:
        check_time(caller)
        found = service.store.find(key)
        if found is None or not is_repetition(found, guess, _code_hashes(peppers, key, command.otp)):
            raise
        return _verified(service, found, command, caller, peppers)
    check_time(caller)
    counted = _count_at_number(service, verification, command, caller, peppers)
    try:
        check = _check(service, verification, command.otp, caller.deadline)
    except errors.OtpError:
        _end_code(service, verification, caller)
        raise
    if check is not Check.CORRECT:
        _end_code(service, verification, caller)
        raise _wrong(service, check, verification, counted)
    verified_at = seconds(service.clock)
    code_hash = keys.code_hash(peppers.current, key, command.otp)
    # A random id that no caller can choose: it distinguishes a retry of this write from another request.
    service.store.consume(verification, counted, secrets.token_urlsafe(12), verified_at, code_hash)
    service.emit(
        "otp_verified",
        **event_fields(verification),
        lane=counted.lane,
        seconds=verified_at - verification.created_at,
        attempts=verification.attempts,
    )
    return _verified(service, replace(verification, verified_at=verified_at), command, caller, peppers)


def _guess_of(
    service: Service, key: str, command: VerifyOtp, caller: Caller, record: IdempotencyRecord | None
) -> Guess:
    return Guess(
        key=key,
        tenant=caller.tenant,
        now=seconds(service.clock),
        max_attempts=service.policy.max_attempts,
        session_hash=keys.session_hash(key, command.session_id),
        phone=None if command.phone_number is None else phone.canonical(command.phone_number),
        idempotency_record=record,
    )


def _count_at_number(
    service: Service, verification: Verification, command: VerifyOtp, caller: Caller, peppers: Peppers
) -> CountedGuess:
    """Count the guess at its number. Gives a guess that a lock refuses back, right or wrong."""
    now = milliseconds(service.clock)
    try:
        return service.store.spend_number_guess(
            NumberGuess(
                number_key=verification.number_key,
                tenant=caller.tenant,
                now=now,
                moment=number.moment(now, int(verification.key[:8], 16) + verification.attempts),
                policy=service.policy.number_limits(verification.country),
                lane=verification.lane,
                token_issued_at=device_token.issued_at(
                    command.device_token, peppers, caller.tenant, verification.phone, to_seconds(now)
                ),
            )
        )
    except (errors.NumberLocked, errors.NumberDisabled):
        # If that fails, the guess stays spent.
        try_to_store(service.emit, caller.deadline, lambda: service.store.return_guess(verification.key))
        raise


def _verified(
    service: Service, verification: Verification, command: VerifyOtp, caller: Caller, peppers: Peppers
) -> Verified:
    """The answer to a right code. Built from the stored verification, so that a repetition is the same."""
    verified_at = verification.verified_at or NO_SECONDS
    key, nonce = verification.key, verification.nonce
    named = command.verification_id or (keys.named_again(peppers, nonce, key) if nonce else None)
    token = _token(service, verification, command, caller, verified_at)
    return Verified(
        named,
        verification.phone,
        verification.purpose,
        verified_at,
        token,
        token_failed=token is None and command.with_token and service.issue_token is not None,
        device_token=device_token.made(
            peppers.current, verification.tenant, verification.phone, verified_at, key
        ),
    )


def _token(
    service: Service, verification: Verification, command: VerifyOtp, caller: Caller, verified_at: Seconds
) -> str | None:
    """Sign the verification token, last; None if off or if signing fails. The success stands either way."""
    if service.issue_token is None or not command.with_token:
        return None
    try:
        return service.issue_token(verification, caller.api_url, verified_at)
    except TokenError as failed:
        service.emit("token_failed", **event_fields(verification), reason=failed.reason)
        return None


def _named(service: Service, command: VerifyOtp, caller: Caller, peppers: Peppers) -> tuple[str, ...]:
    """The keys of the candidates, the newest first. Raises `VerificationNotFound` or `InvalidRequest`.

    By verificationId, or by number and session. A deployment may allow the number alone.
    """
    if command.verification_id is not None:
        return (keys.verification_key(command.verification_id),)
    if command.phone_number is None or (
        command.session_id is None and service.policy.require_verification_id
    ):
        raise errors.InvalidRequest(errors=[{"pointer": "/verificationId", "detail": "required"}])
    e164 = phone.canonical(command.phone_number)
    found = listed(service.store, peppers, e164, caller.tenant, command.session_id)
    if not found:
        raise errors.VerificationNotFound
    return found


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


def _end_code(service: Service, verification: Verification, caller: Caller) -> None:
    """After the last guess, end the code's protection, so that others may be sent a code.

    Only after the check: a new code would end this one while it is checked. Never while a guess that a lock
    refused may still be given back: a new code would have ended the one that it is for.
    """
    most = service.policy.max_attempts
    if verification.attempts < most or not service.providers.ends_a_code({str(verification.provider)}):
        return

    def end() -> None:
        if service.store.end_guesses(verification.key, most):
            service.store.end_code(verification.number_key, verification.key)

    try_to_store(service.emit, caller.deadline, end)


def _wrong(
    service: Service, check: Check, verification: Verification, counted: CountedGuess
) -> errors.OtpError:
    # A code that has ended has its own metric, as when the table says that it has ended.
    event = "otp_incorrect" if check is Check.WRONG else "otp_ended"
    fields = event_fields(verification) | {"check": check, "attempts": verification.attempts}
    failures = number.within_hour(counted.number.failed, counted.guess.now)
    service.emit(event, **fields, lane=counted.lane, failures=failures)
    if check is Check.WRONG:
        remaining = max(0, service.policy.max_attempts - verification.attempts)
        wait = _wait(service, verification, counted, is_over=not remaining)
        return errors.OtpIncorrect(attempts_remaining=remaining, retry_after=wait)
    if check is Check.EXHAUSTED:
        left = max(SECOND, verification.expires_at - seconds(service.clock))
        return errors.TooManyAttempts(attempts_remaining=0, retry_after=left)
    return errors.OtpExpired()


def _wait(
    service: Service, verification: Verification, counted: CountedGuess, *, is_over: bool
) -> Seconds | None:
    """Seconds until the next guess and, if this code is used up, the next code; None if 0 or disabled."""
    lanes, tenant = service.policy.number_limits(verification.country), verification.tenant
    now = milliseconds(service.clock)
    locked = number.lock(counted.number, tenant, counted.lane, lanes, now)
    if isinstance(locked, errors.NumberDisabled):
        return None
    wait = (locked and locked.retry_after) or NO_SECONDS
    if is_over:
        approach = Approach(tenant, networks=verification.networks)
        next_code = number.next_send_at(counted.number, counted.lane, approach, lanes, now)
        wait = max(wait, limits.seconds_until(next_code, now))
    return wait or None


def _code_hashes(peppers: Peppers, key: str, otp: str) -> tuple[str, ...]:
    return tuple(keys.code_hash(pepper, key, otp) for pepper in peppers.all)


def _idempotency_record(
    service: Service, command: VerifyOtp, caller: Caller, peppers: Peppers, key: str
) -> IdempotencyRecord | None:
    """The record of the request's key, with a keyed hash of the request; None without a key."""
    number_named = None if command.phone_number is None else phone.canonical(command.phone_number)
    fields = ("verify", command.verification_id, number_named, command.session_id, command.otp)
    records = idempotency.idempotency_records(
        peppers, caller.tenant, command.idempotency_key, fields, seconds(service.clock)
    )
    return idempotency.about_verification(records[0], key) if records else None


def _repeat(
    service: Service,
    command: VerifyOtp,
    caller: Caller,
    peppers: Peppers,
    record: IdempotencyRecord,
    earlier: IdempotencyRecord,
) -> Verified:
    """Repeat the first request's answer. Raises its error, or as `idempotency.earlier_answer` does."""
    mine = record.twin if record.twin is not None and record.twin.key == earlier.key else record
    if earlier.fingerprint == mine.fingerprint:
        found = service.store.find(earlier.verification)
        hashes = _code_hashes(peppers, earlier.verification, command.otp)
        if found is not None and found.tenant == caller.tenant and was_right(found, hashes):
            return _verified(service, found, command, caller, peppers)
    answer = idempotency.earlier_answer(earlier, mine)
    if answer is None:
        raise errors.RequestInProgress(retry_after=SECOND)
    answer.raise_error()
    raise errors.AlreadyVerified


def _keep_answer(service: Service, record: IdempotencyRecord, answer: StoredAnswer, caller: Caller) -> None:
    """Store the answer. Without it, the verification or the record's age decides what a repetition gets."""
    if (finished := idempotency.answered(record, answer)) is not None:
        try_to_store(service.emit, caller.deadline, lambda: service.store.record_answer(finished))
