"""The port that every provider implements, and its outcomes.

A failed send is one of these kinds. The kind says whether another provider may send, whether the circuit
breaker counts it, and whether the send stays counted against the number's limits:

    kind                     fail over         breaker   reservation
    Refused                  no                no        kept; the verification has failed
    DestinationUnavailable   yes               no        kept
    Throttled                yes               yes       released if no provider took it
    NotSent                  yes               yes       released if no provider took it
    `- CircuitOpen           yes               no        as NotSent
    Misconfigured            yes               yes       released if no provider took it
    TooLate                  no                no        released if no provider took it
    Doubtful                 once, if counted  yes       kept
    Ambiguous                no                yes       kept

An error's `reason` is a short fixed word or the provider's own status and error code
("http_500", "42901"); never its free text, which can hold the number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Protocol

from sms_otp.domain.circuit import Circuit
from sms_otp.domain.clock import Deadline, Seconds
from sms_otp.domain.phone import PhoneNumber


class Channel(StrEnum):
    """How the code travels to the user."""

    SMS = "sms"
    VOICE = "voice"
    WHATSAPP = "whatsapp"


class Delivery(StrEnum):
    """The known delivery of a code. Acceptance by a provider is not delivery."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Check(StrEnum):
    """A provider's answer to a guess."""

    CORRECT = "correct"
    WRONG = "wrong"
    EXPIRED = "expired"
    EXHAUSTED = "exhausted"
    UNKNOWN = "unknown"
    """The provider does not know this reference: finished, purged or never its own."""


class Health(StrEnum):
    """The result of a probe."""

    UP = "up"
    """It answers and accepts our credentials; throttling counts as an answer."""
    MISCONFIGURED = "misconfigured"
    """It answers and refuses our credentials or settings."""
    DOWN = "down"
    """It does not answer in time, or reports a failure."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A provider accepted the send. `ref` is its handle (Infobip's pinId, Sinch's id), opaque to us."""

    ref: str
    delivery: Delivery = Delivery.ACCEPTED
    message_id: str | None = None
    """The handle that delivery reports carry, where it differs from `ref`."""
    parts: int = 1
    """Messages that it is billed as; 1 if the text is unknown."""
    is_same_code: bool = False
    """For a resend: whether an earlier message's code is still valid."""
    has_app_hash: bool = False
    """Whether the text ends with the message's `app_hash`."""


class ProviderError(Exception):
    """A call to a provider failed. The subclass says whether another provider may be called."""

    def __init__(
        self, provider: str, reason: str, *, retry_after: Seconds | None = None, status: int | None = None
    ) -> None:
        super().__init__(f"{provider}: {reason}")
        self.provider = provider
        self.reason = reason
        self.retry_after = retry_after
        self.status = status
        """HTTP status of the answer; None without an answer."""


class Refused(ProviderError):
    """This number, for good, at any provider: opted out, blocklisted, blocked by the owner's own rule."""


class DestinationUnavailable(ProviderError):
    """This number or country, now, at this provider: its own limit for the number, no route, not enabled.

    Certainly not sent. It says nothing about the provider's health, so no circuit breaker counts it. The send
    stays counted, or requests for such a number would be free and could be repeated without end.
    """


class Throttled(ProviderError):
    """The account's rate at the provider is spent. Certainly not sent."""


class NotSent(ProviderError):
    """Certainly not sent: no connection, no TLS, or refused before the body left."""


class CircuitOpen(NotSent):
    """The provider was not called, because its circuit breaker is open."""


class Misconfigured(ProviderError):
    """Our credentials, account or settings are refused. Certainly not sent."""


class TooLate(ProviderError):
    """Our own deadline has passed. Certainly not sent, and no other provider is called."""


class Doubtful(ProviderError):
    """The provider answered 5xx after the request left: it may have sent before it failed."""


class Ambiguous(ProviderError):
    """The request left and no answer came: it may have been sent, so it is never repeated."""


FAILS_OVER = (DestinationUnavailable, Throttled, NotSent, Misconfigured)
"""Certainly not sent, so the next provider may be called at once."""
MAY_HAVE_SENT = (Doubtful, Ambiguous)
COUNTED_BY_BREAKER = (Throttled, NotSent, Misconfigured, Doubtful, Ambiguous)
"""Except `CircuitOpen`, which is not counted."""
KEPT = (Refused, DestinationUnavailable, Doubtful, Ambiguous)
"""After one of these the send stays counted, even if another provider certainly did not send."""


OnFailure = Callable[[ProviderError], object]
"""Called with each failure after which another provider is tried."""
ReserveAgain = Callable[[], str | None]
"""Reserves one more send for the verification. Returns its reference, or None if the limits have no room."""


@dataclass(frozen=True, slots=True)
class CodeMessage:
    """The message or call that carries a code, as a provider needs it."""

    to: PhoneNumber
    channel: Channel
    locale: str | None
    reference: str
    """Ours, unique to this send and safe in a URL's path."""
    ttl_seconds: Seconds
    """Remaining lifetime of the code."""
    callback_key: str | None = field(default=None, kw_only=True, repr=False)
    """Secret that a provider hands back when it requests the code; see `keys.callback_key`."""
    purpose: str | None = field(default=None, kw_only=True)
    """The caller's own word: a provider with a choice of texts may have one for it."""
    app_hash: str | None = field(default=None, kw_only=True, repr=False)
    """Eleven characters that an SMS ends with, so that Android hands it to the app (SMS Retriever API)."""


@dataclass(frozen=True, slots=True)
class Order(CodeMessage):
    """A code to send, with the inputs for choosing its provider."""

    number_key: str
    circuits: Mapping[str, Circuit] = field(default_factory=dict)
    """The circuit breakers, from the read that decided this send."""
    avoid: frozenset[str] = frozenset()
    """Providers at which a new send would invalidate a code that another user holds."""
    stopped: Mapping[str, Seconds] = field(default_factory=dict)
    """Seconds until each provider that an administrator has stopped may send again."""
    goes_on: bool = False
    """For a resend: whether to call the provider after the code's holder first."""


class Provider(Protocol):
    """Generates, delivers and checks codes. Adapters are safe to share between requests."""

    name: ClassVar[str]

    def send(self, message: CodeMessage, deadline: Deadline) -> Sent:
        """Have a new code generated and delivered.

        Raises a `ProviderError`. Never repeats a request that may have left.
        """
        ...

    def resend(self, ref: str, message: CodeMessage, deadline: Deadline) -> Sent:
        """Deliver the code behind `ref` again: the same code where the provider can, else a new one.

        The answer's `ref` replaces the old one: only the code behind it is valid. Otherwise as `send`.
        """
        ...

    def check(self, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        """Check whether `otp` is the code behind `ref`.

        Raises a `ProviderError` if the provider gave no answer; the guess stays spent.
        """
        ...

    def probe(self, deadline: Deadline) -> None:
        """Check the provider's health, by a request that sends, changes and costs nothing.

        Raises a `ProviderError` if it fails to answer properly; `Throttled` counts as an answer.
        """
        ...
