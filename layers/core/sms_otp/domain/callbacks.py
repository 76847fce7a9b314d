"""Provider-neutral callbacks: delivery reports, and requests for permission to send a code."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sms_otp.domain.commands import Callback
from sms_otp.domain.provider import Delivery

Credentials = Mapping[str, str]

BY_SECRET = ("key", "signature", "password", "not configured")
"""Refusals of a callback that another secret could turn."""


_REFERENCE = re.compile(r"([0-9a-f]{64})(?:-([1-9][0-9]{0,3}))?")


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery report on one message. `key` or `phone` says where its verification is found."""

    delivery: Delivery
    handle: str
    """The provider's id for the message, or for the code that it carries."""
    reason: str | None = None
    """The provider's code for it, if it has one."""
    key: str | None = None
    """Of the verification, where the provider repeats the reference that it was given."""
    phone: str | None = field(default=None, repr=False)
    """The number that the message went to, in E.164, where the provider knows no reference of ours."""


@dataclass(frozen=True, slots=True)
class SendName:
    """A send, by the reference that we gave it and the handle that the provider gave it."""

    key: str
    """Of its verification."""
    number: int
    """0 for the first send of the verification, then 1, 2, …"""
    ref: str


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """A provider's request before it sends: may it, and with which code?"""

    send: SendName | None
    """None where it names none of ours."""
    phone: str = field(repr=False)
    """The number that it is about to send to, in E.164; empty where it names none."""
    method: str = ""
    """The provider's word for the channel."""
    takes_code: bool = False
    """Whether the answer may choose the code."""
    callback_key: str = field(default="", repr=False)
    """What our own start gave it to hand back; see `keys.callback_key`."""


def parse_reference(reference: str) -> tuple[str, int] | None:
    """Key of the verification and number of the send that a reference of ours names; see `CodeMessage`."""
    parts = _REFERENCE.fullmatch(reference)
    return (parts[1], int(parts[2] or 0)) if parts else None


class CallbackReader(Protocol):
    """Knows a provider's callbacks for its own, and reads them."""

    def refusal(self, callback: Callback, credentials: Credentials, now: float) -> str | None:
        """Why a callback is not the provider's, in a fixed word, or None if it is.

        Raises `ServiceMisconfigured`.
        """
        ...

    def read(self, event: Mapping[str, Any]) -> Sequence[Report] | CodeRequest:
        """What an event says. One that is not known, such as the provider may yet add, says nothing."""
        ...

    def answer(self, request: CodeRequest, *, may_send: bool, code: str | None) -> dict[str, Any]:
        """The body that answers a `CodeRequest`. Without a code the provider makes one."""
        ...
