"""Test numbers: a fixed code, for reviewers of an app and for CI. Nothing is sent."""

import hmac
from collections.abc import Mapping
from typing import ClassVar

from sms_otp.domain.clock import Deadline
from sms_otp.domain.provider import Channel, Check, CodeMessage, Sent


class FixedCodes:
    """A `Provider` for the numbers that the parameter `TestNumbers` lists."""

    name: ClassVar[str] = "test"

    def __init__(self, codes: Mapping[str, str]) -> None:
        self._codes = codes

    def send(self, message: CodeMessage, deadline: Deadline) -> Sent:
        """See `Provider`. The handle is the number itself."""
        del deadline
        return Sent(ref=message.to.e164)

    def resend(self, ref: str, message: CodeMessage, deadline: Deadline) -> Sent:
        """See `Provider`. The code never changes."""
        del message, deadline
        return Sent(ref, is_same_code=True)

    def check(self, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        """See `Provider`. A number that is no longer listed has no code."""
        del channel, deadline
        code = self._codes.get(ref)
        if code is None:
            return Check.UNKNOWN
        return Check.CORRECT if hmac.compare_digest(code.encode(), otp.encode()) else Check.WRONG

    def probe(self, deadline: Deadline) -> None:
        """See `Provider`. There is no provider to reach."""
