"""One `Idempotency-Key`, one act: what is kept of a request so that its repetition gets the same answer.

A send's key is claimed in the same transaction that reserves it, so no second request can come between the
two; a guess's before it is spent. What is compared is a keyed hash of what the request is for, and not of
who relays it: the same user on another address asks for the same thing. While a pepper is rotated the key is
claimed under both, or an environment that knows only one of them first would send again.
"""

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

from sms_otp.domain import errors, keys
from sms_otp.domain.clock import DAY, NO_SECONDS, SECOND, Seconds

KEEP_SECONDS = DAY
RUNNING_SECONDS = Seconds(30)
"""Longer than a function may run: after it, a claim without an answer belongs to a request that died."""

_REPLAYED: dict[str, type[errors.OtpError]] = {
    kind.code: kind for kind in (errors.ProviderRejected, errors.ProviderUnavailable, errors.OtpIncorrect)
}


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What a request was answered with: a success, or the error that it would get again."""

    expires_at: Seconds = NO_SECONDS
    resend_after: Seconds = NO_SECONDS
    """Of an error, after what time to try again; 0 where it named none."""
    error: str | None = None
    attempts_remaining: int | None = None
    same_code: bool | None = None
    """Of a resend: whether an earlier message's code is still right."""
    app_hash_sent: bool | None = None
    """Where the first request named an `app_hash`: whether the message ended with it."""

    def dump(self) -> str:
        """As text for the store."""
        written = astuple(self)
        return json.dumps(written[:-1] if self.app_hash_sent is None else written)

    @classmethod
    def load(cls, text: str) -> "StoredAnswer":
        """The inverse of `dump`."""
        return cls(*json.loads(text))

    def raise_error(self) -> None:
        """Raises what the first request raised, if it failed."""
        if self.error is not None:
            raise _REPLAYED[self.error](
                reason="replayed",
                retry_after=self.resend_after or None,
                attempts_remaining=self.attempts_remaining,
            )


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """A request under way, or finished if it has an `answer`."""

    key: str
    """Keyed hash of tenant and Idempotency-Key."""
    fingerprint: str
    """Keyed hash of the body."""
    nonce: str
    """Its own: who finds another one there has lost the key to another request."""
    started_at: Seconds
    answer: StoredAnswer | None = None
    verification: str = ""
    """The key of the verification that the request made, or was about."""
    twin: "IdempotencyRecord | None" = None
    """The same under the other pepper, while one is rotated: stored, answered and deleted with it."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key under which it stands."""
        return (self.key,) if self.twin is None else (self.key, self.twin.key)

    @property
    def expires_at(self) -> Seconds:
        """When the key is free again, whether or not the item is deleted by then."""
        return self.started_at + KEEP_SECONDS


def idempotency_records(
    peppers: keys.Peppers, tenant: str, key: str | None, about: Sequence[str | None], now: Seconds
) -> tuple[IdempotencyRecord, ...]:
    """The records that a request would store under its key, current pepper first; empty without a key.

    `about` is the operation, which has keys of its own, and the fields of the request.
    """
    if key is None:
        return ()
    nonce, request = keys.new_nonce(), json.dumps(list(about))
    made = tuple(
        IdempotencyRecord(
            key=keys.keyed(pepper, "idempotency", f"{about[0]}:{tenant}:{key}"),
            fingerprint=keys.keyed(pepper, "body", request),
            nonce=nonce,
            started_at=now,
        )
        for pepper in peppers.all
    )
    return (replace(made[0], twin=made[1]), made[1]) if len(made) > 1 else made


def answered(record: IdempotencyRecord | None, answer: StoredAnswer) -> IdempotencyRecord | None:
    """The record with what its request was answered."""
    if record is None:
        return None
    return replace(record, answer=answer, twin=answered(record.twin, answer))


def about_verification(record: IdempotencyRecord | None, verification: str) -> IdempotencyRecord | None:
    """The record with the key of the verification that its request is about."""
    if record is None:
        return None
    return replace(record, verification=verification, twin=about_verification(record.twin, verification))


def earlier_answer(found: IdempotencyRecord | None, mine: IdempotencyRecord) -> StoredAnswer | None:
    """The answer to give again, or None if this request is the first.

    Raises `IdempotencyKeyReused` or `RequestInProgress`. A claim whose request died is answered as a
    send of unknown outcome: it may have sent, so this key never sends again.
    """
    if found is None or mine.started_at >= found.expires_at:
        return None
    if found.fingerprint != mine.fingerprint:
        raise errors.IdempotencyKeyReused
    if found.answer is not None:
        return found.answer
    if mine.started_at < found.started_at + RUNNING_SECONDS:
        raise errors.RequestInProgress(retry_after=SECOND)
    return StoredAnswer(error=errors.ProviderUnavailable.code, resend_after=RUNNING_SECONDS)
