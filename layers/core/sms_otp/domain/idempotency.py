"""One `Idempotency-Key`, one SMS: what is kept of a request so that its repetition gets the same answer.

The key is claimed in the same transaction that reserves the send, so no second request can come
between the two. The verificationId of such a request is derived from a stored nonce and the pepper,
so that a repetition can be given it although the table does not hold it.
"""

import json
from dataclasses import dataclass
from typing import Any

from sms_otp.domain import errors, keys

KEEP_SECONDS = 24 * 3600
RUNNING_SECONDS = 30
"""Longer than a function may run: after it, a claim without an answer belongs to a request that died."""

_REPLAYED: dict[str, type[errors.OtpError]] = {
    kind.code: kind for kind in (errors.ProviderRejected, errors.ProviderUnavailable)
}


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What a request was answered with: a success, or the error that it would get again."""

    expires_at: int = 0
    resend_after: int = 0
    error: str | None = None

    def dump(self) -> str:
        """As text for the store."""
        return json.dumps([self.expires_at, self.resend_after, self.error])

    @classmethod
    def load(cls, text: str) -> "StoredAnswer":
        """The inverse of `dump`."""
        return cls(*json.loads(text))

    def raise_error(self) -> None:
        """Raises what the first request raised, if it failed."""
        if self.error is not None:
            raise _REPLAYED[self.error](reason="replayed", retry_after=self.resend_after)


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """A request under way, or finished if it has an `answer`. Times in seconds."""

    key: str
    """Keyed hash of tenant and Idempotency-Key."""
    fingerprint: str
    """Keyed hash of the body."""
    nonce: str
    started_at: int
    answer: StoredAnswer | None = None

    @property
    def expires_at(self) -> int:
        """When the key is free again, whether or not the item is deleted by then."""
        return self.started_at + KEEP_SECONDS


def idempotency_record(
    pepper: str, tenant: str, key: str, body: dict[str, Any], now: int
) -> IdempotencyRecord:
    """What this request would store under its key."""
    return IdempotencyRecord(
        key=keys.keyed(pepper, "idempotency", f"{tenant}:{key}"),
        fingerprint=keys.keyed(pepper, "body", json.dumps(body, sort_keys=True)),
        nonce=keys.new_verification_id(),
        started_at=now,
    )


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
        raise errors.RequestInProgress(retry_after=1)
    return StoredAnswer(error=errors.ProviderUnavailable.code, resend_after=RUNNING_SECONDS)
