"""Provider-neutral callbacks: delivery reports, and requests for permission to send a code."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sms_otp.domain.commands import Callback
from sms_otp.domain.provider import Delivery

Credentials = Mapping[str, str]

BY_SECRET = ("key", "signature", "password", "not configured")
"""Refusals of a callback that may end with another secret."""


_REFERENCE = re.compile(r"([0-9a-f]{64})(?:-([1-9][0-9]{0,3}))?")


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery report on one message. `key` or `phone` says where its verification is found."""

    delivery: Delivery
    handle: str
    """The provider's id for the message, or for the code that it carries."""
    reason: str | None = None
    """The provider's code for the reason, if it has one."""
    key: str | None = None
    """Key of the verification, if the provider repeats our reference."""
    phone: str | None = field(default=None, repr=False)
    """The recipient in E.164, if the provider does not repeat our reference."""


@dataclass(frozen=True, slots=True)
class SendName:
    """A send, as named by our reference and by the provider's handle."""

    key: str
    """Key of the verification."""
    number: int
    """0 for the first send of the verification, then 1, 2, …"""
    ref: str


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """A provider's request for permission to send, and for the code."""

    send: SendName | None
    """None if it names no send of ours."""
    phone: str = field(repr=False)
    """The recipient in E.164; empty if the request has none."""
    method: str = ""
    """The provider's word for the channel."""
    takes_code: bool = False
    """Whether the answer may choose the code."""
    callback_key: str = field(default="", repr=False)
    """The secret from our own request, handed back; see `keys.callback_key`."""


def parse_reference(reference: str) -> tuple[str, int] | None:
    """The verification's key and the send's number in one of our references; see `CodeMessage`."""
    parts = _REFERENCE.fullmatch(reference)
    return (parts[1], int(parts[2] or 0)) if parts else None


class CallbackReader(Protocol):
    """Authenticates and parses a provider's callbacks."""

    def refusal(self, callback: Callback, credentials: Credentials, now: float) -> str | None:
        """A fixed word for why a callback is not authentic, or None if it is.

        Raises `ServiceMisconfigured`.
        """
        ...

    def read(self, event: Mapping[str, Any]) -> Sequence[Report] | CodeRequest:
        """Parse an event. One of an unknown type yields no reports, since providers add types."""
        ...

    def answer(self, request: CodeRequest, *, may_send: bool, code: str | None) -> dict[str, Any]:
        """The body that answers a `CodeRequest`. With `code` None the provider generates one."""
        ...
