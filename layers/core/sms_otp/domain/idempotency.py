"""Idempotency records: a repeated request with the same `Idempotency-Key` gets the same answer.

A send's key is claimed in the transaction that reserves the send, so no second request can come between the
two; a guess's key is claimed before the guess is spent. The fingerprint is a keyed hash of the request
without its client, because a retry may come from another address. While a pepper rotates, the key is claimed
under both; otherwise an environment that knows only one pepper would send again.
"""

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

from sms_otp.domain import errors, keys
from sms_otp.domain.clock import DAY, NO_SECONDS, SECOND, Seconds

KEEP_SECONDS = DAY
RUNNING_SECONDS = Seconds(30)
"""Longer than a function may run: an older record without an answer belongs to a request that died."""

_REPLAYED: dict[str, type[errors.OtpError]] = {
    kind.code: kind for kind in (errors.ProviderRejected, errors.ProviderUnavailable, errors.OtpIncorrect)
}


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The stored answer to a request: a success, or the error to repeat."""

    expires_at: Seconds = NO_SECONDS
    resend_after: Seconds = NO_SECONDS
    """For an error: its `retry_after`, or 0."""
    error: str | None = None
    attempts_remaining: int | None = None
    same_code: bool | None = None
    """For a resend: whether an earlier message's code is still valid."""
    app_hash_sent: bool | None = None
    """Whether the message ended with the `app_hash`; None if the first request had none."""

    def dump(self) -> str:
        """As text for the store."""
        written = astuple(self)
        return json.dumps(written[:-1] if self.app_hash_sent is None else written)

    @classmethod
    def load(cls, text: str) -> "StoredAnswer":
        """The inverse of `dump`."""
        return cls(*json.loads(text))

    def raise_error(self) -> None:
        """Raise the error of the first request, if it failed."""
        if self.error is not None:
            raise _REPLAYED[self.error](
                reason="replayed",
                retry_after=self.resend_after or None,
                attempts_remaining=self.attempts_remaining,
            )


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """The record of a request: under way, or finished if it has an `answer`."""

    key: str
    """Keyed hash of tenant and Idempotency-Key."""
    fingerprint: str
    """Keyed hash of the request's fields."""
    nonce: str
    """Unique to the request: another nonce in the store means that another request has the key."""
    started_at: Seconds
    answer: StoredAnswer | None = None
    verification: str = ""
    """Key of the verification that the request made or named."""
    twin: "IdempotencyRecord | None" = None
    """Its copy under the previous pepper, while it rotates: stored, answered and deleted with it."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Its keys under each pepper."""
        return (self.key,) if self.twin is None else (self.key, self.twin.key)

    @property
    def expires_at(self) -> Seconds:
        """When the key is free again, whether or not the item is deleted by then."""
        return self.started_at + KEEP_SECONDS


def idempotency_records(
    peppers: keys.Peppers, tenant: str, key: str | None, request: Sequence[str | None], now: Seconds
) -> tuple[IdempotencyRecord, ...]:
    """The records to store for a request, by the current pepper first; empty without a key.

    `request`: its operation, which has keys of its own, then its fields.
    """
    if key is None:
        return ()
    nonce, body = keys.new_nonce(), json.dumps(list(request))
    made = tuple(
        IdempotencyRecord(
            key=keys.keyed(pepper, "idempotency", f"{request[0]}:{tenant}:{key}"),
            fingerprint=keys.keyed(pepper, "body", body),
            nonce=nonce,
            started_at=now,
        )
        for pepper in peppers.all
    )
    return (replace(made[0], twin=made[1]), made[1]) if len(made) > 1 else made


def answered(record: IdempotencyRecord | None, answer: StoredAnswer) -> IdempotencyRecord | None:
    """The record with the answer to its request."""
    if record is None:
        return None
    return replace(record, answer=answer, twin=answered(record.twin, answer))


def about_verification(record: IdempotencyRecord | None, verification: str) -> IdempotencyRecord | None:
    """The record with the key of its request's verification."""
    if record is None:
        return None
    return replace(record, verification=verification, twin=about_verification(record.twin, verification))


def earlier_answer(found: IdempotencyRecord | None, mine: IdempotencyRecord) -> StoredAnswer | None:
    """The answer to repeat, or None if this request is the first.

    Raises `IdempotencyKeyReused` or `RequestInProgress`. A record whose request died gets the answer of a
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
