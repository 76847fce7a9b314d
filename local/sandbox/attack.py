"""SMS pumping, simulated by the page against its own service: requests for codes that are never typed.

Only the service decides what to refuse. Each request comes from a network of its own, for a number in the
user's block: a block of numbers may have few unverified codes.
"""

import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

NEIGHBOURS = 100
MOST_REQUESTS = 30
"""Well over the ten codes that a block may have open an hour."""

Post = Callable[[dict[str, Any]], str]
"""Posts a body to `/request-otp`. Returns `ok` or the errorCode."""


@dataclass(slots=True)
class Attack:
    """The state of the attack, and its results."""

    is_on: bool = False
    requested: int = 0
    sent: int = 0
    is_challenged: bool = False
    """Whether the service required a challenge for the last request."""
    numbers: set[str] = field(default_factory=set)
    """The attackers' phone numbers."""

    def switch(self, is_on: bool) -> None:
        """Start or stop the attack; resets the counts."""
        self.is_on, self.requested, self.sent, self.is_challenged = is_on, 0, 0, False

    def strike(self, number: str, post: Post) -> None:
        """Request codes for `number`'s neighbours, until the service requires a challenge."""
        for neighbour in random.sample(_neighbours(number), MOST_REQUESTS):
            self.numbers.add(neighbour)
            client = documentation_address(secrets.token_hex(4))
            outcome = post({"phoneNumber": neighbour, "clientIp": client})
            self.requested += 1
            self.sent += outcome == "ok"
            self.is_challenged = outcome == "CHALLENGE_REQUIRED"
            if self.is_challenged:
                return

    def as_json(self) -> dict[str, Any]:
        """The state as JSON, for the page."""
        return {
            "isOn": self.is_on,
            "requested": self.requested,
            "sent": self.sent,
            "isChallenged": self.is_challenged,
        }


def documentation_address(network: str) -> str:
    """An IPv6 documentation address (RFC 3849); `network` is its network in 8 hex digits."""
    return f"2001:db8:{network[:4]}:{network[4:8]}::1"


def _neighbours(number: str) -> list[str]:
    return [each for last in range(NEIGHBOURS) if (each := f"{number[:-2]}{last:02}") != number]
