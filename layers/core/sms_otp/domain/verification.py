"""The verification and its state machine. Pure: no clock, no network, no store.

    pending ──► verified | cancelled | failed

`expired` and `locked` are computed from the clock and the attempts, never stored: DynamoDB deletes
an item up to days after its TTL. `verified` is absorbing, and nothing else ever becomes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sms_otp.domain import errors
from sms_otp.domain.clock import Seconds
from sms_otp.domain.users import Consent


class State(StrEnum):
    """The stored part of a verification's state."""

    PENDING = "pending"
    VERIFIED = "verified"
    CANCELLED = "cancelled"
    FAILED = "failed"


DELIVERY_BEFORE: Mapping[str, tuple[str, ...]] = {
    "delivered": ("accepted", "unknown", "failed"),
    "failed": ("accepted", "unknown"),
    "unknown": ("accepted",),
    "accepted": (),
}
"""What each reported delivery may follow. Forward only, so that reports end up the same in any order."""


@dataclass(frozen=True, slots=True)
class Verification:
    """One verification, as the table holds it. Times are whole seconds since the epoch."""

    key: str
    """SHA-256 of the verificationId; the id itself is never stored."""
    tenant: str
    phone: str
    country: str
    number_key: str
    channel: str
    created_at: Seconds
    expires_at: Seconds
    state: State = State.PENDING
    attempts: int = 0
    sends: int = 1
    purpose: str | None = None
    locale: str | None = None
    """Of the first code, and of what is sent after it."""
    consent: Consent | None = None
    """That came with the request, where users are kept."""
    idempotency_record: str | None = None
    """The item that the request's Idempotency-Key is claimed by."""
    session_hash: str | None = None
    nonce: str | None = None
    """What `keys.verification_id` makes the id from, where it can be named again."""
    provider: str | None = None
    provider_ref: str | None = None
    """The holder's handle for the code; absent until a provider has taken it."""
    counter_keys: tuple[str, ...] = ()
    """The guard's counters on which the first send stands as unverified."""
    resend_counter_keys: tuple[str, ...] = ()
    """The same of the sends after it. One verification, so they are not counted as verified."""
    delivery: str = "unknown"
    """What is known of the newest send's way to the phone; see `provider.Delivery`."""
    verified_at: Seconds | None = None
    verified_by: str | None = None
    """The id of the request that consumed the code, so that its own retry is recognised."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess: the caller, the verification and the moment. Spending it is conditioned on these."""

    key: str
    tenant: str
    now: Seconds
    max_attempts: int
    session_hash: str | None = None
    phone: str | None = None
    """Only where the caller names the number: it must then be the verification's own."""


def guess_error(found: Verification | None, guess: Guess) -> errors.OtpError | None:
    """Why a guess may not be made, or None if it may.

    A caller that is not entitled to the verification learns nothing: unknown, another tenant's, another
    session's and another number's have one answer (OWASP ASVS 5.0 6.3.8).
    """
    if found is None or not _is_entitled(found, guess):
        return errors.VerificationNotFound()
    if found.state is State.VERIFIED:
        return errors.AlreadyVerified()
    if found.state is not State.PENDING:
        return errors.VerificationCancelled()
    if guess.now >= found.expires_at:
        return errors.OtpExpired()
    if found.attempts >= guess.max_attempts:
        return errors.TooManyAttempts(attempts_remaining=0, retry_after=found.expires_at - guess.now)
    if found.provider_ref is None:
        return errors.VerificationNotFound()
    return None


def status_of(found: Verification, now: Seconds, max_attempts: int) -> str:
    """`pending verified expired locked cancelled failed`, as it is at `now`."""
    if found.state is not State.PENDING:
        return found.state
    if now >= found.expires_at:
        return "expired"
    return "locked" if found.attempts >= max_attempts else "pending"


def cancel_error(found: Verification | None, tenant: str) -> errors.OtpError | None:
    """Why a verification could not be cancelled, or None if that was not needed any more."""
    if found is None or found.tenant != tenant:
        return errors.VerificationNotFound()
    return errors.AlreadyVerified() if found.state is State.VERIFIED else None


def consume_error(found: Verification | None) -> errors.OtpError:
    """Why a verification whose code was right could not be turned into a verified one."""
    if found is None:
        return errors.VerificationNotFound()
    if found.state is State.VERIFIED:
        return errors.AlreadyVerified()
    if found.state is not State.PENDING:
        return errors.VerificationCancelled()
    return errors.OtpExpired()


def _is_entitled(found: Verification, guess: Guess) -> bool:
    return (
        found.tenant == guess.tenant
        and found.session_hash == guess.session_hash
        and (guess.phone is None or guess.phone == found.phone)
    )
