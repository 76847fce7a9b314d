"""The verification and its state machine. Pure: no clock, no network, no store.

    pending ──► verified | cancelled | failed

`expired` and `locked` are computed from the clock and the attempts, never stored: DynamoDB deletes
an item up to days after its TTL. `verified` is absorbing, and only `pending` becomes it.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sms_otp.domain import errors
from sms_otp.domain.clock import NO_SECONDS, Seconds
from sms_otp.domain.idempotency import IdempotencyRecord
from sms_otp.domain.number import Lane
from sms_otp.domain.users import Consent


class State(StrEnum):
    """The stored part of a verification's state."""

    PENDING = "pending"
    VERIFIED = "verified"
    CANCELLED = "cancelled"
    FAILED = "failed"


REPEATABLE_SECONDS = Seconds(120)
"""How long the bound session may repeat its correct code and get the same answer."""

DELIVERY_BEFORE: Mapping[str, tuple[str, ...]] = {
    "delivered": ("accepted", "unknown", "failed"),
    "failed": ("accepted", "unknown"),
    "unknown": ("accepted",),
    "accepted": (),
}
"""Deliveries that each reported one may follow. Forward only, so the order of reports does not matter."""


@dataclass(frozen=True, slots=True)
class Verification:
    """One verification, as stored."""

    key: str
    """SHA-256 of the verificationId; the id itself is never stored."""
    tenant: str
    phone: str = field(repr=False)
    country: str
    number_key: str
    channel: str
    created_at: Seconds
    expires_at: Seconds
    state: State = State.PENDING
    attempts: int = 0
    sends: int = 1
    """Number of references used for sends. A released one is not used again."""
    purpose: str | None = None
    locale: str | None = None
    """Of the first code and its resends."""
    app_hash: str | None = field(default=None, repr=False)
    """Of the first code and its resends; see `provider.CodeMessage`."""
    consent: Consent | None = None
    """The request's consent, if this deployment keeps users."""
    idempotency_records: tuple[str, ...] = ()
    """Keys of the idempotency records of its requests."""
    nonce: str | None = None
    """Derives the verificationId with the pepper; see `keys.named_again`."""
    lane: Lane = Lane.STRANGER
    """The lane of its first code. Guesses are counted there, unless a token opens another."""
    network: str | None = None
    """Keyed hash of the network that requested it; see `keys.network_hash`."""
    client_key: str | None = None
    """Key of the client that requested it, where its resends count, too."""
    session_hash: str | None = None
    provider: str | None = None
    provider_ref: str | None = None
    """The provider's handle for the code; None until a provider has accepted it."""
    message_ids: tuple[str, ...] = ()
    """Handles in delivery reports on messages with its code, where not `provider_ref`."""
    own_code_refs: tuple[str, ...] = ()
    """Provider handles whose code is that of `keys.own_code`; see `CodeRequest`."""
    counted_on: tuple[str, ...] = ()
    """Unverified counts of the first send; see `budgets.OpenCount`."""
    resends_counted_on: tuple[str, ...] = ()
    """Unverified counts of its resends. It verifies once, so these are not counted as verified."""
    delivery: str = "unknown"
    """Delivery of the newest send; see `provider.Delivery`."""
    verified_at: Seconds | None = None
    verified_by: str | None = None
    """Our id of the attempt that consumed the code, to recognise its own retry."""
    code_hash: str | None = None
    """Keyed hash of the correct code, to recognise its repetition by the same session."""

    @property
    def networks(self) -> tuple[str, ...]:
        """As in `number.Approach`."""
        return () if self.network is None else (self.network,)


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess. Spending it is conditional on its fields."""

    key: str
    tenant: str
    now: Seconds
    max_attempts: int
    session_hash: str | None = None
    phone: str | None = field(default=None, repr=False)
    """Set if the caller names the number, which must then be the verification's."""
    idempotency_record: IdempotencyRecord | None = None
    """Claimed for this guess; the verification lists it."""


def guess_error(found: Verification | None, guess: Guess) -> errors.OtpError | None:
    """Why a guess may not be made, or None if it may.

    A caller without access to the verification learns nothing: unknown, another tenant's, another session's
    and another number's get one answer (OWASP ASVS 5.0 6.3.8).
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


def is_repetition(found: Verification, guess: Guess, code_hashes: tuple[str, ...]) -> bool:
    """Whether a guess repeats the request that verified the code, because its answer was lost.

    Only for the bound session and the correct code, within `REPEATABLE_SECONDS`. NIST SP 800-63B-4 §3.1.3.2
    allows a secret to be accepted once; this accepts nothing, but repeats the earlier decision.
    """
    return (
        _is_entitled(found, guess)
        and found.session_hash is not None
        and guess.now < (found.verified_at or NO_SECONDS) + REPEATABLE_SECONDS
        and was_right(found, code_hashes)
    )


def was_right(found: Verification, code_hashes: tuple[str, ...]) -> bool:
    """Whether the verification was verified with this code, given its hashes under each pepper."""
    if found.state is not State.VERIFIED or found.code_hash is None:
        return False
    return any(hmac.compare_digest(found.code_hash, each) for each in code_hashes)


def status_of(found: Verification, now: Seconds, max_attempts: int) -> str:
    """The status at `now`: `pending verified expired locked cancelled failed`."""
    if found.state is not State.PENDING:
        return found.state
    if now >= found.expires_at:
        return "expired"
    return "locked" if found.attempts >= max_attempts else "pending"


def ended_error(found: Verification | None, now: Seconds) -> errors.OtpError | None:
    """Why the verification of a repeated request is over, or None if it goes on."""
    if found is None or (now >= found.expires_at and found.state is State.PENDING):
        return errors.OtpExpired()
    if found.state is State.VERIFIED:
        return errors.AlreadyVerified()
    return None if found.state is State.PENDING else errors.VerificationCancelled()


def cancel_error(found: Verification | None, tenant: str) -> errors.OtpError | None:
    """Why a verification could not be cancelled, or None if it was over already."""
    if found is None or found.tenant != tenant:
        return errors.VerificationNotFound()
    return errors.AlreadyVerified() if found.state is State.VERIFIED else None


def consume_error(found: Verification | None) -> errors.OtpError:
    """Why a verification with a correct code could not be marked as verified."""
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
