"""The codes that a client network has open, and those that its users verified.

    C#<client>   `used<hour>` for each hour of the last day, `verified<day>` for each day of the last week

Counts of past hours can only fall, so both limits of a network are one condition on this hour's count.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sms_otp.domain.budgets import NOTHING, Counts, NoRoom, ShardIncrement, Spans
from sms_otp.domain.clock import DAY, HOUR, Seconds
from sms_otp.domain.guard import NETWORK, NetworkFacts

WEEK = 7
KEEP = (WEEK + 1) * DAY


@dataclass(frozen=True, slots=True)
class NetworkCounter:
    """One network's counts. `keys`: by the current pepper, then by the previous one while it rotates."""

    keys: tuple[str, ...]
    now: Seconds

    def facts(self, read: Mapping[str, Counts]) -> NetworkFacts:
        """The network's input to the guard."""
        counts = self._together(read)
        return NetworkFacts(
            Spans(
                counts.get(self._used(0), 0) + self._rest_of_last_hour(counts),
                counts.get(self._used(0), 0) + self._earlier(counts),
            ),
            sum(counts.get(f"verified{self.now // DAY - ago}", 0) for ago in range(WEEK)),
        )

    def increment(self, read: Mapping[str, Counts], limits: Spans) -> ShardIncrement:
        """Count one more code. Raises `NoRoom` if the network has as many open as `limits` allow."""
        counts, this_hour = self._together(read), self._used(0)
        most = min(limits.hour - self._rest_of_last_hour(counts), limits.day - self._earlier(counts)) - 1
        current = read.get(self.keys[0], NOTHING)
        under_previous = counts.get(this_hour, 0) - current.get(this_hour, 0)
        if counts.get(this_hour, 0) > most:
            raise NoRoom(NETWORK, self._retry_after(counts, limits))
        return ShardIncrement(
            self.keys[0],
            open={this_hour: 1},
            verified={f"verified{self.now // DAY}": 1},
            limits={this_hour: most - under_previous},
            expired=tuple(sorted(name for name in current if self._has_expired(name))),
            keep_until=self.now + KEEP,
        )

    def _retry_after(self, counts: Counts, limits: Spans) -> Seconds:
        """Seconds until the network has room, if no more codes are sent or verified."""
        to_next_hour = HOUR - self.now % HOUR
        for hours in range(24):
            open_then = sum(counts.get(self._used(ago), 0) for ago in range(24 - hours))
            last_hour = counts.get(self._used(0), 0) if hours == 0 else 0
            if open_then < limits.day and last_hour < limits.hour:
                return to_next_hour + hours * HOUR
        return to_next_hour + DAY

    def _used(self, hours_ago: int) -> str:
        return f"used{self.now // HOUR - hours_ago}"

    def _rest_of_last_hour(self, counts: Counts) -> int:
        """The part of the last hour's count within 60 minutes, assuming an even spread; rounded up."""
        return -(-counts.get(self._used(1), 0) * (HOUR - self.now % HOUR) // HOUR)

    def _earlier(self, counts: Counts) -> int:
        """Open codes of the 24 hours before this one, so that no span of 24 hours exceeds the limit."""
        return sum(counts.get(self._used(ago), 0) for ago in range(1, 25))

    def _together(self, read: Mapping[str, Counts]) -> Counts:
        current, *previous = (read.get(key, NOTHING) for key in self.keys)
        total = dict(current)
        for counts in previous:
            for name, amount in counts.items():
                total[name] = total.get(name, 0) + amount
        return total

    def _has_expired(self, name: str) -> bool:
        if name.startswith("used"):
            return int(name.removeprefix("used")) < self.now // HOUR - 24
        return name.startswith("verified") and int(name.removeprefix("verified")) <= self.now // DAY - WEEK
