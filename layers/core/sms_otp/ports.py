"""What the use cases ask of the outside, and the records that cross the line."""

from dataclasses import dataclass
from typing import Protocol

from sms_otp.limits import Failures, GuessPolicy
from sms_otp.verification import Guess, Verification


@dataclass(frozen=True, slots=True)
class SendLog:
    """A number's or a client's sends, and the version that the next reservation is conditioned on."""

    sends: tuple[int, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True)
class Reservation:
    """Everything that must be stored, in one step, before a code is sent."""

    verification: Verification
    number_log: SendLog
    """The number's log as it was read; the store adds `sent_at` to it."""
    sent_at: int
    """Milliseconds; what `release` takes out again."""
    keep_until: int
    """Seconds; when the log may be forgotten."""


class LostRace(Exception):
    """Another request for the same number reserved first. An answer, not a reason to try again."""


class StoreError(Exception):
    """The store did not do what was asked, or its answer is unknown. `reason` is safe to log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Store(Protocol):
    """The state of verifications and of numbers. Each method is one step that holds or does not."""

    def read_number(self, number_key: str, tenant: str) -> tuple[SendLog, Failures]:
        """The number's sends, whoever asked, and its failures at this tenant. Strongly consistent."""
        ...

    def reserve(self, reservation: Reservation) -> None:
        """Store the send and its verification. Raises `LostRace` if the log moved since it was read."""
        ...

    def release(self, reservation: Reservation) -> None:
        """Undo a reservation whose code was certainly not sent."""
        ...

    def record_sent(self, key: str, provider: str, provider_ref: str) -> None:
        """Name the provider that holds the code and its handle."""
        ...

    def record_failed(self, key: str) -> None:
        """The provider refuses this number for good: the verification can never succeed."""
        ...

    def spend_guess(self, guess: Guess) -> Verification:
        """Count one guess, if one may be made, and answer the verification with it counted.

        Raises the `OtpError` that `verification.refusal` names otherwise; nothing is counted then.
        """
        ...

    def spend_number_guess(self, number_key: str, tenant: str, now: int, policy: GuessPolicy) -> None:
        """Count one failure of the number at this tenant, to be cleared by `consume`. `now` in milliseconds.

        Raises `NumberLocked` while the number must wait or is disabled; nothing is counted then.
        """
        ...

    def consume(self, verification: Verification, request_id: str, now: int) -> None:
        """Turn a pending, unexpired verification into a verified one, once, and clear the number's failures.

        Recognises its own earlier success by `request_id`. Raises the refusal otherwise. `now` in seconds.
        """
        ...
