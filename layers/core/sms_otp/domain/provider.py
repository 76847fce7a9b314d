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
    """The delivery of a code, as far as known. Acceptance by a provider is not delivery."""

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
    """The result of a probe."""

    UP = "up"
    """It answers, and does not refuse our credentials; throttling is an answer too."""
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
    parts: int = 1
    """The messages that it is billed as, as far as the text is known."""
    is_same_code: bool = False
    """Of a resend: whether an earlier message's code is still right."""
    has_app_hash: bool = False
    """Whether the text ends with the message's `app_hash`."""


class ProviderError(Exception):
    """A call to a provider failed. The subclass says what may be done next."""

    def __init__(
        self, provider: str, reason: str, *, retry_after: Seconds | None = None, status: int | None = None
    ) -> None:
        super().__init__(f"{provider}: {reason}")
        self.provider = provider
        self.reason = reason
        self.retry_after = retry_after
        self.status = status
        """Of the provider's HTTP answer, where there was one."""


class Refused(ProviderError):
    """This number, for good, at any provider: opted out, blocklisted, blocked by the owner's own rule."""


class DestinationUnavailable(ProviderError):
    """This number or country, now, at this provider: its own limit for the number, no route, not enabled.

    Certainly not sent. It says nothing about the provider, so no circuit breaker counts it. The send stays
    counted, or requests for such a number would cost nothing and could be repeated without end.
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
"""Less `CircuitOpen`, which counts nothing more."""
KEPT = (Refused, DestinationUnavailable, Doubtful, Ambiguous)
"""After one of these the send stays counted, also where another provider certainly did not send."""


OnFailure = Callable[[ProviderError], object]
"""Called with each failure that another provider is tried after."""
ReserveAgain = Callable[[], str | None]
"""Reserves one more send for the verification; its reference, or None if the limits have no room."""


@dataclass(frozen=True, slots=True)
class CodeMessage:
    """The message or call that is to bring a code, as a provider needs to know it."""

    to: PhoneNumber
    channel: Channel
    locale: str | None
    reference: str
    """Ours, unique to this send and safe in a URL's path."""
    ttl_seconds: Seconds
    """How long the code may still be used."""
    callback_key: str | None = field(default=None, kw_only=True, repr=False)
    """What a provider that asks for the code hands back; see `keys.callback_key`."""
    purpose: str | None = field(default=None, kw_only=True)
    """As the caller names it: a provider whose text can be chosen may have a text for it."""
    app_hash: str | None = field(default=None, kw_only=True, repr=False)
    """Eleven characters that an SMS ends with, so that Android hands it to the app (SMS Retriever API)."""


@dataclass(frozen=True, slots=True)
class Order(CodeMessage):
    """A code to send, and what decides which provider sends it."""

    number_key: str
    circuits: Mapping[str, Circuit] = field(default_factory=dict)
    """The circuit breakers, as they were read with the rest of what decided about this send."""
    avoid: frozenset[str] = frozenset()
    """Providers at which a new send would make a code wrong that somebody else was sent."""
    stopped: Mapping[str, Seconds] = field(default_factory=dict)
    """Providers through which an administrator has stopped sending, and for how long yet."""
    goes_on: bool = False
    """Of a resend: whether the provider after the holder of the code is called first."""


class Provider(Protocol):
    """Generates, delivers and checks codes. Adapters are safe to share between requests."""

    name: ClassVar[str]

    def send(self, message: CodeMessage, deadline: Deadline) -> Sent:
        """Ask for a new code to be made and delivered.

        Raises a `ProviderError`. Never repeats a request that may have left.
        """
        ...

    def resend(self, ref: str, message: CodeMessage, deadline: Deadline) -> Sent:
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

    def probe(self, deadline: Deadline) -> None:
        """Check the provider's health, by a request that sends, changes and costs nothing.

        Raises a `ProviderError` where it does not answer as it should; `Throttled` is an answer too.
        """
        ...
