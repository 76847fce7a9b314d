"""Provider-neutral callbacks: delivery reports, and the question whether a code may be sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sms_otp.domain.commands import Callback
from sms_otp.domain.provider import Delivery

Credentials = Mapping[str, str]

BY_SECRET = ("key", "signature", "password", "not configured")
"""Refusals of a callback that another secret could turn."""


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery report on one message, which `message_id` or `send` names."""

    delivery: Delivery
    reason: str | None = None
    """The provider's code for it, if it has one."""
    message_id: str | None = None
    send: "SendName | None" = None


@dataclass(frozen=True, slots=True)
class SendName:
    """A send, by the reference that we gave it and the handle that the provider gave it."""

    key: str
    """Of its verification."""
    number: int
    """0 for the first send of the verification, then 1, 2, …"""
    ref: str


@dataclass(frozen=True, slots=True)
class MaySend:
    """A provider's question before it sends; `send` is None where it names none of ours."""

    send: SendName | None
    phone: str
    """The number that it is about to send to, in E.164; empty where it names none."""


class CallbackReader(Protocol):
    """Knows a provider's callbacks for its own, and reads them."""

    def refusal(self, callback: Callback, credentials: Credentials, now: float) -> str | None:
        """Why a callback is not the provider's, in a fixed word, or None if it is.

        Raises `ServiceMisconfigured`.
        """
        ...

    def read(self, event: Mapping[str, Any]) -> Sequence[Report] | MaySend:
        """What an event says. One that is not known, such as the provider may yet add, says nothing."""
        ...

    def answer(self, *, may_send: bool) -> dict[str, Any]:
        """The body that answers a `MaySend`."""
        ...
