"""The use cases. They know no HTTP and no boto3; what they need of the outside, they are handed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sms_otp import errors, keys, limits, phone
from sms_otp.clock import Clock, Deadline
from sms_otp.limits import SECOND, GuessPolicy, SendPolicy, whole_seconds
from sms_otp.phone import PhoneNumber
from sms_otp.ports import LostRace, Reservation, Store, StoreError
from sms_otp.providers.base import Ambiguous, Channel, Check, ProviderError, Refused, Sent
from sms_otp.verification import Guess, Verification


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the usage plan's key and the one request."""

    tenant: str
    request_id: str
    deadline: Deadline


@dataclass(frozen=True, slots=True)
class RequestOtp:
    """A code is asked for. Fields as in the API."""

    phone_number: str
    channel: Channel = Channel.SMS
    locale: str | None = None
    purpose: str | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class Requested:
    """A code is on its way. `expires_at` in seconds since the epoch, `resend_after` in seconds from now."""

    verification_id: str
    channel: str
    expires_at: int
    resend_after: int


@dataclass(frozen=True, slots=True)
class VerifyOtp:
    """A code was typed. Fields as in the API."""

    verification_id: str
    otp: str
    phone_number: str | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """The code was right. `verified_at` in seconds since the epoch."""

    verification_id: str
    phone_number: str
    purpose: str | None
    verified_at: int


@dataclass(frozen=True, slots=True)
class Policy:
    """What this deployment allows."""

    code_length: int
    code_life: int
    """Seconds; at most 600 (NIST SP 800-63B-4 §3.1.3.2)."""
    max_attempts: int
    sends: SendPolicy
    guesses: GuessPolicy


class Providers(Protocol):
    """See `providers.router.Router`."""

    def send(
        self, to: PhoneNumber, *, channel: Channel, locale: str | None, reference: str, deadline: Deadline
    ) -> tuple[str, Sent]: ...

    def check(self, name: str, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check: ...


Tell = Callable[..., Any]
"""`tell(event, **fields)`: one line in the log for one decision. See `observability`."""


@dataclass(frozen=True, slots=True)
class Service:
    """The use cases over one deployment's policy, store and providers."""

    policy: Policy
    store: Store
    providers: Providers
    pepper: Callable[[], str]
    clock: Clock
    tell: Tell

    def request(self, asked: RequestOtp, caller: Caller) -> Requested:
        """Send a code to a number. Raises an `OtpError`; then no code can be verified.

        Nothing is sent before its reservation is stored, and a send whose outcome is unknown stays
        reserved, so no retry of the caller's can send twice within the number's limits.
        """
        to = phone.parse(asked.phone_number)
        number_key = keys.keyed(self.pepper(), "number", to.e164)
        now = int(self.clock() * SECOND)
        log, failures = self.store.read_number(number_key, caller.tenant)
        self._refuse_locked(failures, now)
        self._refuse_early(log.sends, now)

        verification_id = keys.new_verification_id()
        verification = self._new_verification(asked, caller, to, number_key, verification_id, now)
        kept = limits.remembered(log.sends, self.policy.sends, now)
        reservation = Reservation(
            verification=verification,
            number_log=type(log)(kept, log.version),
            sent_at=now,
            keep_until=now // SECOND + limits.KEEP_LOG,
        )
        next_send_at = limits.next_send_at((*kept, now), self.policy.sends, now)
        resend_after = whole_seconds(next_send_at - now)
        try:
            self.store.reserve(reservation)
        except LostRace:
            raise errors.RateLimited(reason="lost race", retry_after=resend_after) from None
        self._send(asked, caller, to, reservation, resend_after)
        return Requested(verification_id, asked.channel, verification.expires_at, resend_after)

    def _send(
        self, asked: RequestOtp, caller: Caller, to: PhoneNumber, reservation: Reservation, resend_after: int
    ) -> None:
        verification = reservation.verification
        told = {"number": to, "number_key": verification.number_key, "channel": asked.channel}
        try:
            name, sent = self.providers.send(
                to,
                channel=asked.channel,
                locale=asked.locale,
                reference=verification.key[:32],
                deadline=caller.deadline,
            )
        except Refused as refused:
            self.tell("otp_rejected", **told, provider=refused.provider, reason=refused.reason)
            self.store.record_failed(verification.key)
            raise errors.ProviderRejected(reason=refused.reason) from refused
        except Ambiguous as ambiguous:
            self.tell("provider_failed", **told, provider=ambiguous.provider, reason=ambiguous.reason)
            raise errors.ProviderUnavailable(reason="ambiguous", retry_after=resend_after) from ambiguous
        except ProviderError as failed:
            self.tell("provider_failed", **told, provider=failed.provider, reason=failed.reason)
            self._release(reservation)
            raise _unavailable(failed) from failed
        except errors.ServiceMisconfigured:
            self._release(reservation)
            raise
        self.store.record_sent(verification.key, name, sent.ref)
        self.tell("otp_requested", **told, provider=name, purpose=asked.purpose)

    def _release(self, reservation: Reservation) -> None:
        """Give back what a code that was certainly not sent had reserved; if that fails, it stays so."""
        try:
            self.store.release(reservation)
        except StoreError as error:
            self.tell("release_failed", reason=error.reason)

    def _new_verification(
        self,
        asked: RequestOtp,
        caller: Caller,
        to: PhoneNumber,
        number_key: str,
        verification_id: str,
        now: int,
    ) -> Verification:
        session = asked.session_id
        return Verification(
            key=keys.verification_key(verification_id),
            tenant=caller.tenant,
            phone=to.e164,
            country=to.country,
            number_key=number_key,
            channel=asked.channel,
            created_at=now // SECOND,
            expires_at=now // SECOND + self.policy.code_life,
            purpose=asked.purpose,
            session_hash=None if session is None else keys.session_hash(verification_id, session),
        )

    def _refuse_early(self, sends: tuple[int, ...], now: int) -> None:
        wait = limits.next_send_at(sends, self.policy.sends, now) - now
        if wait > 0:
            raise errors.RateLimited(reason="number", retry_after=whole_seconds(wait))

    def _refuse_locked(self, failures: limits.Failures, now: int) -> None:
        """No code is sent that could not be used: the number must wait before its next guess."""
        if (refusal := limits.lock(failures, self.policy.guesses, now)) is not None:
            raise refusal

    def verify(self, asked: VerifyOtp, caller: Caller) -> Verified:
        """Decide whether a code is right. Raises an `OtpError`; then nobody is verified.

        The guess is counted before the provider is asked, and stays counted whatever happens after.
        """
        if not self._is_code(asked.otp):
            raise errors.InvalidOtpFormat
        session = asked.session_id
        guess = Guess(
            key=keys.verification_key(asked.verification_id),
            tenant=caller.tenant,
            now=int(self.clock()),
            max_attempts=self.policy.max_attempts,
            session_hash=None if session is None else keys.session_hash(asked.verification_id, session),
            phone=None if asked.phone_number is None else phone.canonical(asked.phone_number),
        )
        verification = self.store.spend_guess(guess)
        self.store.spend_number_guess(
            verification.number_key, caller.tenant, int(self.clock() * SECOND), self.policy.guesses
        )
        check = self._check(verification, asked.otp, caller.deadline)
        if check is not Check.CORRECT:
            raise self._wrong(check, verification)
        verified_at = int(self.clock())
        self.store.consume(verification, caller.request_id, verified_at)
        self.tell(
            "otp_verified",
            **_told(verification),
            seconds=verified_at - verification.created_at,
            attempts=verification.attempts,
        )
        return Verified(asked.verification_id, verification.phone, verification.purpose, verified_at)

    def _is_code(self, otp: str) -> bool:
        return len(otp) == self.policy.code_length and otp.isascii() and otp.isdigit()

    def _check(self, verification: Verification, otp: str, deadline: Deadline) -> Check:
        holder, ref = str(verification.provider), str(verification.provider_ref)
        try:
            return self.providers.check(
                holder, ref, otp, channel=Channel(verification.channel), deadline=deadline
            )
        except ProviderError as failed:
            self.tell("provider_failed", **_told(verification), reason=failed.reason)
            raise _unavailable(failed) from failed

    def _wrong(self, check: Check, verification: Verification) -> errors.OtpError:
        remaining = max(0, self.policy.max_attempts - verification.attempts)
        self.tell("otp_incorrect", **_told(verification), check=check, attempts=verification.attempts)
        if check is Check.WRONG:
            return errors.OtpIncorrect(attempts_remaining=remaining)
        if check is Check.EXHAUSTED:
            return errors.TooManyAttempts(attempts_remaining=0)
        return errors.OtpExpired()


def _unavailable(failed: ProviderError) -> errors.ProviderUnavailable:
    return errors.ProviderUnavailable(reason=failed.reason, retry_after=failed.retry_after or RETRY_AFTER)


RETRY_AFTER = 5
"""Seconds that a caller is asked to wait after a provider's failure that named no time of its own."""


def _told(verification: Verification) -> dict[str, Any]:
    return {
        "number": PhoneNumber(verification.phone, verification.country),
        "number_key": verification.number_key,
        "channel": verification.channel,
        "provider": verification.provider,
        "purpose": verification.purpose,
    }
