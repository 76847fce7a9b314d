"""Codes to a block of 10,000 neighbouring numbers, which share all but the last four digits.

    P#<block>#<day>   `used` and `verified`, for the day and each hour

The day is the UTC day. The hour slides, but not across midnight.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sms_otp.domain.budgets import (
    NOTHING,
    Counts,
    DayCounter,
    ShardIncrement,
    Spans,
    hourly,
    per_hour_and_day,
)
from sms_otp.domain.guard import BLOCK_OF_NUMBERS, block_limits

USED, VERIFIED = "used", "verified"


@dataclass(frozen=True, slots=True)
class BlockCounter:
    """One block's counts. `days`: by the current pepper, then by the previous one while it rotates."""

    days: tuple[DayCounter, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The items to read."""
        return tuple(day.first for day in self.days)

    def increment(self, read: Mapping[str, Counts], ratio: float, factor: int) -> ShardIncrement:
        """Count one more code, with `factor` times the block's usual limit. Raises `NoRoom`.

        Written under the current key; counts under the previous key lower the limits.
        """
        day = self.days[0]
        current, *others = counts = [read.get(key, NOTHING) for key in self.keys]
        verified = Spans(
            sum(day.last_60_minutes(VERIFIED, each) for each in counts),
            sum(each.get(VERIFIED, 0) for each in counts),
        )
        limits = block_limits(verified, ratio, factor)
        this_hour = limits.hour - day.rest_of_last_hour(USED, current)
        most = {
            hourly(USED, day.hour): this_hour - sum(day.last_60_minutes(USED, each) for each in others) - 1,
            USED: limits.day - sum(each.get(USED, 0) for each in others) - 1,
        }
        day.hold(current, most, BLOCK_OF_NUMBERS)
        return self._counted(day.on(day.first, read, most))

    def unlimited(self, read: Mapping[str, Counts]) -> ShardIncrement:
        """Count one more code, without a limit."""
        day = self.days[0]
        return self._counted(day.on(day.first, read, NOTHING))

    def _counted(self, increment: ShardIncrement) -> ShardIncrement:
        hour = self.days[0].hour
        return replace(
            increment, open=per_hour_and_day(USED, 1, hour), verified=per_hour_and_day(VERIFIED, 1, hour)
        )
