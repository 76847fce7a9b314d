"""The use cases. They know no HTTP and no boto3; what they need of the outside, they are handed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from sms_otp import errors, idempotency, keys, phone
from sms_otp.admission import Admission, Admitted
from sms_otp.clients import network_of
from sms_otp.clock import Clock, Deadline
from sms_otp.commands import Caller, Policy, Requested, RequestOtp, Verified, VerifyOtp
from sms_otp.guard import History
from sms_otp.idempotency import Answer, Claim
from sms_otp.limits import SECOND
from sms_otp.phone import PhoneNumber
from sms_otp.ports import LostRace, Moved, Reservation, Store, StoreError, View
from sms_otp.providers.base import Ambiguous, Channel, Check, ProviderError, Refused, Sent
from sms_otp.verification import Guess, Verification

RESERVE_TRIES = 5
"""How often a send is decided anew because a client's log, a shard or a claim moved meanwhile."""
RETRY_AFTER = 5
"""Seconds that a caller is asked to wait after a provider's failure that named no time of its own."""


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
    history: History = field(default_factory=History)

    def request(self, asked: RequestOtp, caller: Caller) -> Requested:
        """Send a code to a number. Raises an `OtpError`; then no code can be verified.

        Nothing is sent before its reservation is stored, and a send whose outcome is unknown stays
        reserved, so no retry of the caller's can send twice within the number's limits.
        """
        to, is_test = self._destination(asked.phone_number)
        client = self._client(asked, caller)
        for _ in range(RESERVE_TRIES):
            now = int(self.clock() * SECOND)
            claim = self._claim(asked, caller, now // SECOND)
            admission = Admission(
                self.policy.admission,
                self.history,
                self.pepper(),
                to,
                caller.tenant,
                client,
                claim,
                now,
                exempt=is_test,
            )
            view = self.store.read(admission.question)
            if (answer := admission.repeated(view)) is not None:
                return self._repeat(asked, answer, view)
            admitted = self._admit(admission, view, to)
            verification_id = self._new_id(claim)
            reservation = self._reservation(
                asked, caller, to, admission.number_key, verification_id, admitted, claim, now
            )
            try:
                self.store.reserve(reservation)
            except LostRace:
                raise errors.RateLimited(reason="lost race", retry_after=admitted.resend_after) from None
            except Moved:
                continue
            return self._send(asked, caller, to, verification_id, reservation, admitted)
        raise errors.RateLimited(reason="contended", retry_after=1)

    def _admit(self, admission: Admission, view: View, to: PhoneNumber) -> Admitted:
        try:
            return admission.decide(view)
        except errors.OtpError as refused:
            refused.about = {"number": to, "number_key": admission.number_key}
            raise

    def _destination(self, number: str) -> tuple[PhoneNumber, bool]:
        """The number, and whether it is one whose code is fixed. Raises as `phone.parse` does."""
        if number in self.policy.test_numbers and self.clock() < self.policy.test_numbers_end:
            return PhoneNumber(number, "ZZ", is_test=True), True
        to = phone.parse(number)
        if self.policy.countries is not None and to.country not in self.policy.countries:
            refused = errors.DestinationNotAllowed(reason="country")
            refused.about = {"number": to}
            raise refused
        return to, False

    def _client(self, asked: RequestOtp, caller: Caller) -> str | None:
        """Whose sends the limit per client counts; None where a trusted backend names nobody."""
        if self.policy.trust_client_ip:
            return None if asked.client_ip is None else network_of(asked.client_ip)
        return network_of(caller.source_ip)

    def _claim(self, asked: RequestOtp, caller: Caller, now: int) -> Claim | None:
        if asked.idempotency_key is None:
            return None
        return idempotency.claim(self.pepper(), caller.tenant, asked.idempotency_key, asked.body, now)

    def _new_id(self, claim: Claim | None) -> str:
        if claim is None:
            return keys.new_verification_id()
        return keys.derived_verification_id(self.pepper(), claim.nonce)

    def _repeat(self, asked: RequestOtp, answer: Answer, view: View) -> Requested:
        answer.raise_error()
        verification_id = self._new_id(view.claim)
        return Requested(verification_id, asked.channel, answer.expires_at, answer.resend_after)

    def _reservation(
        self,
        asked: RequestOtp,
        caller: Caller,
        to: PhoneNumber,
        number_key: str,
        verification_id: str,
        admitted: Admitted,
        claim: Claim | None,
        now: int,
    ) -> Reservation:
        key, session = keys.verification_key(verification_id), asked.session_id
        verification = Verification(
            key=key,
            tenant=caller.tenant,
            phone=to.e164,
            country=to.country,
            number_key=number_key,
            channel=asked.channel,
            created_at=now // SECOND,
            expires_at=now // SECOND + self.policy.code_life,
            purpose=asked.purpose,
            session_hash=None if session is None else keys.session_hash(key, session),
            counted_on=tuple(share.key for share in admitted.shares[1:]),
        )
        return Reservation(
            verification=verification,
            sent_at=admitted.sent_at,
            number=admitted.number,
            client=admitted.client,
            shares=admitted.shares,
            claim=claim,
            find_by_number=not self.policy.require_verification_id,
        )

    def _send(
        self,
        asked: RequestOtp,
        caller: Caller,
        to: PhoneNumber,
        verification_id: str,
        reservation: Reservation,
        admitted: Admitted,
    ) -> Requested:
        verification = reservation.verification
        told = _told(verification, to)
        for over in admitted.over:
            self.tell("send_suspect", **told, limit=over)
        try:
            name, sent = self.providers.send(
                to,
                channel=asked.channel,
                locale=asked.locale,
                reference=verification.key[:32],
                deadline=caller.deadline,
            )
        except Refused as refused:
            self.tell("otp_rejected", **told | _failed(refused))
            answer = Answer(error=errors.ProviderRejected.code)
            self.store.record_failed(verification.key, _answered(reservation.claim, answer))
            raise errors.ProviderRejected(reason=refused.reason) from refused
        except Ambiguous as ambiguous:
            self.tell("provider_failed", **told | _failed(ambiguous))
            self._keep_unknown(reservation, admitted.resend_after)
            raise errors.ProviderUnavailable(
                reason="ambiguous", retry_after=admitted.resend_after
            ) from ambiguous
        except ProviderError as failed:
            self.tell("provider_failed", **told | _failed(failed))
            self._release(reservation)
            raise _unavailable(failed) from failed
        except errors.ServiceMisconfigured:
            self._release(reservation)
            raise
        answer = Answer(verification.expires_at, admitted.resend_after)
        self.store.record_sent(verification.key, name, sent.ref, _answered(reservation.claim, answer))
        self.tell("otp_requested", **told | {"provider": name})
        return Requested(verification_id, asked.channel, verification.expires_at, admitted.resend_after)

    def _keep_unknown(self, reservation: Reservation, resend_after: int) -> None:
        """Whoever repeats the request is told the same again. The claim alone keeps it from sending."""
        answer = Answer(error=errors.ProviderUnavailable.code, resend_after=resend_after)
        if (claim := _answered(reservation.claim, answer)) is not None:
            self.store.record_answer(claim)

    def _release(self, reservation: Reservation) -> None:
        """Give back what a code that was certainly not sent had reserved; if that fails, it stays so."""
        try:
            self.store.release(reservation)
        except StoreError as error:
            self.tell("release_failed", reason=error.reason)

    def verify(self, asked: VerifyOtp, caller: Caller) -> Verified:
        """Decide whether a code is right. Raises an `OtpError`; then nobody is verified.

        The guess is counted before the provider is asked, and stays counted whatever happens after.
        """
        if not self._is_code(asked.otp):
            raise errors.InvalidOtpFormat
        key = self._key_of(asked, caller)
        session = asked.session_id
        guess = Guess(
            key=key,
            tenant=caller.tenant,
            now=int(self.clock()),
            max_attempts=self.policy.max_attempts,
            session_hash=None if session is None else keys.session_hash(key, session),
            phone=None if asked.phone_number is None else phone.canonical(asked.phone_number),
        )
        verification = self.store.spend_guess(guess)
        now = int(self.clock() * SECOND)
        self.store.spend_number_guess(
            verification.number_key, caller.tenant, now, self.policy.admission.guesses
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

    def _key_of(self, asked: VerifyOtp, caller: Caller) -> str:
        """The verification that is meant. Naming it by number alone must be allowed by the deployment."""
        if asked.verification_id is not None:
            return keys.verification_key(asked.verification_id)
        if self.policy.require_verification_id or asked.phone_number is None:
            raise errors.InvalidRequest(errors=[{"pointer": "/verificationId", "detail": "required"}])
        number_key = keys.keyed(self.pepper(), "number", phone.canonical(asked.phone_number))
        key = self.store.newest(number_key, caller.tenant)
        if key is None:
            raise errors.VerificationNotFound
        return key

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


def _answered(claim: Claim | None, answer: Answer) -> Claim | None:
    return None if claim is None else replace(claim, answer=answer)


def _unavailable(failed: ProviderError) -> errors.ProviderUnavailable:
    return errors.ProviderUnavailable(reason=failed.reason, retry_after=failed.retry_after or RETRY_AFTER)


def _failed(error: ProviderError) -> dict[str, Any]:
    return {"provider": error.provider, "reason": error.reason}


def _told(verification: Verification, number: PhoneNumber | None = None) -> dict[str, Any]:
    return {
        "number": number or PhoneNumber(verification.phone, verification.country),
        "number_key": verification.number_key,
        "channel": verification.channel,
        "provider": verification.provider,
        "purpose": verification.purpose,
    }
