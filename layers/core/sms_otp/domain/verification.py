"""The verification and its state machine. Pure: no clock, no network, no store.

    pending ──► verified | cancelled | failed

`expired` and `locked` are computed from the clock and the attempts, never stored: DynamoDB deletes
an item up to days after its TTL. `verified` is absorbing, and nothing else ever becomes it.
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
"""How long the session that a code is bound to may repeat it and is given the same answer."""

DELIVERY_BEFORE: Mapping[str, tuple[str, ...]] = {
    "delivered": ("accepted", "unknown", "failed"),
    "failed": ("accepted", "unknown"),
    "unknown": ("accepted",),
    "accepted": (),
}
"""What each reported delivery may follow. Forward only, so that reports end up the same in any order."""


@dataclass(frozen=True, slots=True)
class Verification:
    """One verification, as the table holds it."""

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
    """References handed out to providers. One that was given back is not handed out again."""
    purpose: str | None = None
    locale: str | None = None
    """Of the first code, and of what is sent after it."""
    app_hash: str | None = field(default=None, repr=False)
    """The same; see `provider.CodeMessage`."""
    consent: Consent | None = None
    """That came with the request, where users are kept."""
    idempotency_records: tuple[str, ...] = ()
    """Of the requests about it that named an Idempotency-Key: what they are claimed by."""
    nonce: str | None = None
    """With the pepper, its verificationId; see `keys.named_again`."""
    lane: Lane = Lane.STRANGER
    """The lane of its first code. Its guesses are counted there, unless a token opens another."""
    network: str | None = None
    """Keyed hash of the network that requested it; see `keys.network_hash`."""
    client_key: str | None = None
    """The key of the client that requested it. Its resends count there too."""
    session_hash: str | None = None
    provider: str | None = None
    provider_ref: str | None = None
    """The holder's handle for the code; absent until a provider has taken it."""
    message_ids: tuple[str, ...] = ()
    """Handles in delivery reports on the messages that carry its code, where they are not `provider_ref`."""
    own_code_refs: tuple[str, ...] = ()
    """Handles at the provider whose code is the one that `keys.own_code` makes; see `CodeRequest`."""
    counted_on: tuple[str, ...] = ()
    """The counts in which the first send stands as unverified; see `budgets.OpenCount`."""
    resends_counted_on: tuple[str, ...] = ()
    """The same of the sends after it. One verification, so they are not counted as verified."""
    delivery: str = "unknown"
    """What is known of the newest send's way to the phone; see `provider.Delivery`."""
    verified_at: Seconds | None = None
    verified_by: str | None = None
    """An id of the attempt that consumed the code, made here, so that its own retry is recognised."""
    code_hash: str | None = None
    """Keyed hash of the code that was right, so that its repetition by the same session is recognised."""

    @property
    def networks(self) -> tuple[str, ...]:
        """As `number.Approach` has them."""
        return () if self.network is None else (self.network,)


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess: the caller, the verification and the moment. Spending it is conditioned on these."""

    key: str
    tenant: str
    now: Seconds
    max_attempts: int
    session_hash: str | None = None
    phone: str | None = field(default=None, repr=False)
    """Only where the caller names the number: it must then be the verification's own."""
    idempotency_record: IdempotencyRecord | None = None
    """Claimed for this guess, for the verification to list."""


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


def is_repetition(found: Verification, guess: Guess, code_hashes: tuple[str, ...]) -> bool:
    """Whether a guess at a verified code is its own success, sent again because the answer was lost.

    Of the bound session alone, with the code that was right, and for a short while. NIST SP 800-63B-4
    §3.1.3.2 has a secret accepted only once; this accepts nothing: it says again what was decided then.
    """
    return (
        _is_entitled(found, guess)
        and found.session_hash is not None
        and guess.now < (found.verified_at or NO_SECONDS) + REPEATABLE_SECONDS
        and was_right(found, code_hashes)
    )


def was_right(found: Verification, code_hashes: tuple[str, ...]) -> bool:
    """Whether the verification was verified with this code; its hashes under each pepper."""
    if found.state is not State.VERIFIED or found.code_hash is None:
        return False
    return any(hmac.compare_digest(found.code_hash, each) for each in code_hashes)


def status_of(found: Verification, now: Seconds, max_attempts: int) -> str:
    """`pending verified expired locked cancelled failed`, as it is at `now`."""
    if found.state is not State.PENDING:
        return found.state
    if now >= found.expires_at:
        return "expired"
    return "locked" if found.attempts >= max_attempts else "pending"


def ended_error(found: Verification | None, now: Seconds) -> errors.OtpError | None:
    """Why a verification that its own first request asks about again is over, or None if it goes on."""
    if found is None or (now >= found.expires_at and found.state is State.PENDING):
        return errors.OtpExpired()
    if found.state is State.VERIFIED:
        return errors.AlreadyVerified()
    return None if found.state is State.PENDING else errors.VerificationCancelled()


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
