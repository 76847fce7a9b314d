"""A circuit breaker for each provider: when it opens, who probes, when it closes. Pure: no clock, no store.

    closed ── 3 different numbers fail within a minute ──> open ── 30 s ──> one probe ── it sends ──> closed
                                                            ^                 └── it fails ──┐
                                                            └────────────────────────────────┘

Failures count by number, and only those that say something about the provider
(`provider.COUNTED_BY_BREAKER`): requests for one number, however many, never open a circuit for the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sms_otp.domain.clock import Milliseconds

NUMBERS = 3
"""Different numbers whose sends must fail within `WINDOW`."""
WINDOW = Milliseconds(60_000)
OPEN = Milliseconds(30_000)
"""How long an open circuit waits before a probe, and how long after a failed probe."""
PROBE_LEASE = Milliseconds(15_000)
"""How long the elected probe may take, longer than any send; then another request may probe."""
SLOW_SECONDS = 3.0
"""Half of a provider's total time limit: users give up on a success that takes longer."""
KEEP = Milliseconds(600_000)
"""How long a circuit is kept after its last write."""


class State(StrEnum):
    """What an open circuit allows."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    """The next request may probe, if it is elected."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """A provider's circuit, as read from the store."""

    failures: Mapping[str, Milliseconds] = field(default_factory=dict)
    """When the newest send to each number failed, by the first 8 digits of its key."""
    opened_at: Milliseconds | None = None
    probe_until: Milliseconds | None = None
    """End of the elected probe's lease."""

    def state(self, now: Milliseconds) -> State:
        """Closed, open, or due for a probe while none is running."""
        if self.opened_at is None:
            return State.CLOSED
        is_due = now >= self.opened_at + OPEN and (self.probe_until is None or now >= self.probe_until)
        return State.HALF_OPEN if is_due else State.OPEN

    def stale(self, now: Milliseconds) -> tuple[str, ...]:
        """The numbers whose failures are too old to count."""
        return tuple(number for number, at in self.failures.items() if at <= now - WINDOW)

    def opens_with(self, number_key: str, now: Milliseconds) -> bool:
        """Whether one more failure, of this number, opens the circuit."""
        others = self.failures.keys() - {*self.stale(now), number_id(number_key)}
        return self.opened_at is None and len(others) + 1 >= NUMBERS


CLOSED = Circuit()


def number_id(number_key: str) -> str:
    """A number's id in a circuit: short, since it must be unique among a handful."""
    return number_key[:8]
