"""SMS pumping, played by the page against its own service: strangers request codes that nobody types.

The service decides alone what it refuses. The attackers are as many networks as there are requests, and their
numbers the neighbours of the user's: a block of numbers has room for few codes that are never typed.
"""

import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

NEIGHBOURS = 100
MOST_REQUESTS = 30
"""Well over the ten codes that a block may have open in an hour."""

Post = Callable[[dict[str, Any]], str]
"""Requests a code with a body of `/request-otp`: `ok` or the errorCode that the service answered."""


@dataclass(slots=True)
class Attack:
    """Whether one is going on, and what came of it."""

    is_on: bool = False
    requested: int = 0
    sent: int = 0
    is_challenged: bool = False
    """The service required a challenge of the last attacker."""
    numbers: set[str] = field(default_factory=set)
    """The attackers' phones."""

    def switch(self, is_on: bool) -> None:
        """Begin anew, or end."""
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
        """As the page shows it."""
        return {
            "isOn": self.is_on,
            "requested": self.requested,
            "sent": self.sent,
            "isChallenged": self.is_challenged,
        }


def documentation_address(network: str) -> str:
    """An IPv6 address of the range for documentation (RFC 3849), in the network of these hex digits."""
    return f"2001:db8:{network[:4]}:{network[4:8]}::1"


def _neighbours(number: str) -> list[str]:
    return [each for last in range(NEIGHBOURS) if (each := f"{number[:-2]}{last:02}") != number]
