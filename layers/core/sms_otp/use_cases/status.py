"""The status of a verification, and its cancellation. Sends nothing."""

from dataclasses import dataclass

from sms_otp.domain import errors, keys, limits, number
from sms_otp.domain.clock import Clock, Milliseconds, Seconds, milliseconds, to_seconds
from sms_otp.domain.commands import Caller, Policy
from sms_otp.domain.number import Approach
from sms_otp.domain.ports import AdmissionQuery, EventSink, Store
from sms_otp.domain.verification import Verification, status_of
from sms_otp.use_cases.service import try_to_store


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a verification. `resend_after`: seconds from now."""

    status: str
    channel: str
    delivery: str
    attempts_remaining: int
    expires_at: Seconds
    resend_after: Seconds


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The use cases, on one deployment's policy and store."""

    policy: Policy
    store: Store
    clock: Clock
    emit: EventSink
    one_code_per_number: frozenset[str] = frozenset()
    """Providers at which a new code ends the number's earlier one."""

    def cancel(self, verification_id: str, caller: Caller) -> None:
        """Cancel a verification: its code is never right again. Idempotent.

        Raises `VerificationNotFound`, or `AlreadyVerified`: a success cannot be undone.
        """
        key = keys.verification_key(verification_id)
        cancelled = self.store.cancel(key, caller.tenant)
        self.emit("otp_cancelled", verification=key)
        self._end_code(cancelled, caller)

    def _end_code(self, cancelled: Verification, caller: Caller) -> None:
        """End the code's protection: others may be sent one. If that fails, they wait for its expiry."""
        # Without a holder yet, the code may be on its way from any provider.
        may_be_kept = cancelled.provider is None or cancelled.provider in self.one_code_per_number
        if self.one_code_per_number and may_be_kept:
            number_key, key = cancelled.number_key, cancelled.key
            try_to_store(self.emit, caller.deadline, lambda: self.store.end_code(number_key, key))

    def status(self, verification_id: str, caller: Caller) -> Status:
        """The state of a verification now. Raises `VerificationNotFound`."""
        found = self.store.find(keys.verification_key(verification_id))
        if found is None or found.tenant != caller.tenant:
            raise errors.VerificationNotFound
        now = milliseconds(self.clock)
        return Status(
            status=status_of(found, to_seconds(now), self.policy.max_attempts),
            channel=found.channel,
            delivery=found.delivery,
            attempts_remaining=max(0, self.policy.max_attempts - found.attempts),
            expires_at=found.expires_at,
            resend_after=self._resend_after(found, now),
        )

    def _resend_after(self, found: Verification, now: Milliseconds) -> Seconds:
        known = self.store.read(AdmissionQuery(found.number_key, found.tenant)).number
        approach = Approach(found.tenant, networks=found.networks)
        lanes = self.policy.number_limits(found.country)
        return limits.seconds_until(number.next_send_at(known, found.lane, approach, lanes, now), now)
