"""How often a number is asked for, refused requests included, at the cost of no round trip.

The table counts the sends of a number exactly, and says nothing of requests that were refused: to write
each of them down would hand whoever floods the service a write for every request. So they are counted
in memory, by each execution environment for itself.
"""

from dataclasses import dataclass, field

from sms_otp.domain.limits import HOUR

MOST_NUMBERS = 10_000
"""Numbers that one environment remembers; a flood of more pushes out the ones refused longest ago."""
MOST_REFUSALS = 100
"""Moments that are kept of one number: more would tell nobody more."""


@dataclass(slots=True)
class Refusals:
    """The refused requests of the last hour, by number. Moments in milliseconds."""

    moments: dict[str, list[int]] = field(default_factory=dict)

    def note(self, number_key: str, now: int) -> None:
        """One more request for this number was refused."""
        kept = [*self._recent(number_key, now), now][-MOST_REFUSALS:]
        self.moments.pop(number_key, None)
        if len(self.moments) >= MOST_NUMBERS:
            del self.moments[next(iter(self.moments))]
        self.moments[number_key] = kept

    def asked(self, number_key: str, sends: tuple[int, ...], now: int) -> int:
        """Requests for this number within the last hour, as far as is known: its sends and the refusals."""
        return len(self._recent(number_key, now)) + sum(1 for at in sends if at > now - HOUR)

    def _recent(self, number_key: str, now: int) -> list[int]:
        return [at for at in self.moments.get(number_key, ()) if at > now - HOUR]
