"""The port that every provider implements, and its outcomes.

ProviderError
├── Refused         this number, for good: never fail over
├── Throttled       certainly not sent: fail over
├── Unavailable     certainly not sent: fail over
│   └── NotAsked    its circuit breaker is open, or it has no such channel
├── Misconfigured   401, 403, an account or a setting: refetch the secret once, then fail over and alarm
├── TooLate         our own time is up; certainly not sent, and nothing more is begun
└── Ambiguous       the request left and no answer came: never send again, on any provider

An error's `reason` is a short fixed word or the provider's own status and error code
("http_500", "42901"); never its free text, which can hold the number.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol

from sms_otp.domain.clock import Deadline
from sms_otp.domain.phone import PhoneNumber


class Channel(StrEnum):
    """How the code travels to the user."""

    SMS = "sms"
    VOICE = "voice"


class Delivery(StrEnum):
    """What is known of the code's way to the phone. Acceptance by a provider is not delivery."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Check(StrEnum):
    """A provider's word on a guess."""

    CORRECT = "correct"
    WRONG = "wrong"
    EXPIRED = "expired"
    EXHAUSTED = "exhausted"
    UNKNOWN = "unknown"
    """The provider no longer knows this reference: finished, purged or never its own."""


class Health(StrEnum):
    """What a probe found of a provider."""

    UP = "up"
    """It answers, and takes our credentials as far as that can be told; being throttled is an answer."""
    MISCONFIGURED = "misconfigured"
    """It answers, and refuses our credentials or settings."""
    DOWN = "down"
    """It does not answer in time, or says that it cannot."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A provider took the code. `ref` is its handle (Infobip's pinId, Sinch's id), opaque to us."""

    ref: str
    delivery: Delivery = Delivery.ACCEPTED
    message_id: str | None = None
    """The handle that delivery reports carry, where it differs from `ref`."""


class ProviderError(Exception):
    """A provider did not do what was asked. The subclass says what may be done next."""

    def __init__(
        self, provider: str, reason: str, *, retry_after: int | None = None, status: int | None = None
    ) -> None:
        super().__init__(f"{provider}: {reason}")
        self.provider = provider
        self.reason = reason
        self.retry_after = retry_after
        self.status = status
        """Of the provider's HTTP answer, where there was one."""


class Refused(ProviderError):
    """The provider refuses this number for good. No other provider is asked."""


class Throttled(ProviderError):
    """The provider is asked too often. Certainly not sent."""


class Unavailable(ProviderError):
    """The provider is down or cannot be reached. Certainly not sent."""


class NotAsked(Unavailable):
    """The provider was left alone: its circuit breaker is open, or it has no such channel."""


class Misconfigured(ProviderError):
    """Our credentials, account or settings are refused. Certainly not sent."""


class TooLate(ProviderError):
    """Our own time is up. Certainly not sent, no fault of the provider's, and no other is asked."""


class Ambiguous(ProviderError):
    """The request left and its outcome is unknown: it may have been sent, so it is never repeated."""


OnFailure = Callable[[ProviderError], object]
"""Called with each failure that another provider is tried after."""


@dataclass(frozen=True, slots=True)
class Order:
    """A code to send. Fields as in `Provider.send`."""

    to: PhoneNumber
    channel: Channel
    locale: str | None
    reference: str
    ttl_seconds: int


class Provider(Protocol):
    """Generates, delivers and checks codes. Adapters are safe to share between requests."""

    name: ClassVar[str]
    channels: ClassVar[frozenset[Channel]]

    def send(
        self,
        to: PhoneNumber,
        *,
        channel: Channel,
        locale: str | None,
        reference: str,
        ttl_seconds: int,
        deadline: Deadline,
    ) -> Sent:
        """Ask for a new code to be made and delivered.

        `reference` is ours, unique to this send and safe in a URL's path. `ttl_seconds` is how many seconds
        the code may still be used. Raises a `ProviderError`. Never repeats a request that may have left.
        """
        ...

    def resend(
        self,
        ref: str,
        to: PhoneNumber,
        *,
        channel: Channel,
        locale: str | None,
        reference: str,
        ttl_seconds: int,
        deadline: Deadline,
    ) -> Sent:
        """Deliver again what `ref` stands for: the same code where the provider can, else a new one.

        The answer's `ref` takes the place of the old one; whichever code it stands for is the one that
        counts. Otherwise as `send`.
        """
        ...

    def check(self, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        """Ask whether `otp` is the code behind `ref`.

        Raises a `ProviderError` when the provider gave no word; the guess stays spent all the same.
        """
        ...

    def probe(self, deadline: Deadline) -> Health:
        """Whether the provider can be asked now, by a request that sends, changes and costs nothing."""
        ...
